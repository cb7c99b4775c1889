import { and, asc, count, eq, isNull, like, or, sql, type SQL } from 'drizzle-orm';
import { transaction, type Db, type Tx } from '../../../db/client.js';
import { column, jsonObject, JsonText } from '../../../db/json.js';
import { directByKey } from '../../../db/prepared.js';
import { appointments, doctors, patients, users } from '../../../db/tables/index.js';
import type { Patient, PatientInput, PatientPage, PatientPatch } from '../../../openapi/generated/schemas.js';
import { AlreadyFilled, AlreadyTaken, explain, NotAllowed, NotFound } from '../../lib/errors.js';
import { selectPage, type Link, type PageQuery } from '../../lib/pages.js';
import { withPictureUrls, type PictureUrl } from '../../lib/pictures.js';
import { checkIfMatch } from '../../lib/preconditions.js';
import { containing, searchTerms } from '../../lib/search.js';
import { isLive, isUpcoming, signTransaction, type Calendar } from '../appointments/booking.js';

interface Caller {
  readonly id: number;
  readonly isStaff: boolean;
}

export interface PatientQuery extends PageQuery {
  readonly search?: string;
  readonly phone?: string;
}

/** A patient as JSON, with the picture's name where the answer has its URL. */
const patientJson = jsonObject<Patient>({
  id: column(patients.id),
  user: column(users.username),
  profile: column(patients.picture),
  phone: column(patients.phone),
});

/** The ids of patients who have or had an appointment, also a cancelled or archived one, with the doctor that a user is. */
const seenByDoctor = (userId: unknown): SQL => sql`
  select ${appointments.patientId} from ${doctors}
  join ${appointments} on ${appointments.doctorId} = ${doctors.id}
  where ${doctors.userId} = ${userId} and ${doctors.archivedAt} is null`;

const patientById = directByKey((db) =>
  db
    .select({
      userId: sql<number>`${patients.userId}::float8`.as('userId'),
      // Looks through the patient's appointments, not through all of the doctor's.
      isSeenByDoctor: sql<boolean>`exists (
        ${seenByDoctor(sql.placeholder('caller'))} and ${appointments.patientId} = ${patients.id})`.as(
        'isSeenByDoctor',
      ),
      patient: sql<string>`${patientJson}::text`.as('patient'),
    })
    .from(patients)
    .innerJoin(users, eq(users.id, patients.userId))
    .where(and(eq(patients.id, sql.placeholder('id')), isNull(patients.archivedAt))),
);

/**
 * One patient, and whether the caller may change it.
 * @throws NotFound also for a patient that the caller may not see
 */
async function readPatient(
  db: Db | Tx,
  id: number,
  caller: Caller,
): Promise<{ patient: JsonText<Patient>; isOwn: boolean }> {
  const [row] = await patientById(db)({ id, caller: caller.id });
  const isOwn = row?.userId === caller.id || caller.isStaff;
  if (row === undefined || !(isOwn || row.isSeenByDoctor)) throw new NotFound();
  return { patient: new JsonText(row.patient), isOwn };
}

export async function getPatient(
  db: Db,
  id: number,
  caller: Caller,
  pictureUrl: PictureUrl,
): Promise<JsonText<Patient>> {
  const { patient } = await readPatient(db, id, caller);
  return withPictureUrls(patient, 'profile', pictureUrl);
}

/** The ids of all whom a user who is not staff may see. */
const visibleTo = (userId: number): SQL => sql`
  select ${patients.id} from ${patients} where ${patients.userId} = ${userId} and ${patients.archivedAt} is null
  union ${seenByDoctor(userId)}`;

const digitsOf = (text: string): string => text.replaceAll(/\D/g, '');

/** The index users_names_trgm is of this. */
const names = sql`lower(${users.username} || ' ' || ${users.firstName} || ' ' || ${users.lastName})`;

/** Whether a patient's id is a word, or the phone number has it; undefined for a word that is neither. */
function numberHas(term: string): SQL | undefined {
  if (!/^[\d+().-]+$/.test(term)) return undefined;
  const digits = digitsOf(term);
  return or(
    /^[1-9]\d{0,15}$/.test(term) ? sql`${patients.id} = ${term}::bigint` : undefined,
    digits === '' ? like(patients.phone, containing(term)) : like(patients.phoneDigits, containing(digits)),
  );
}

/** The ids of patients who have a word: a union, so that each place to look has its index. */
function candidates(term: string): SQL {
  const byNumber = numberHas(term);
  return sql`
    select ${patients.id} from ${users} join ${patients} on ${patients.userId} = ${users.id}
    where ${names} like ${containing(term)}
    ${byNumber && sql`union select ${patients.id} from ${patients} where ${byNumber}`}`;
}

/**
 * Narrows a list to few rows by an index, where one can. There is one such subquery at most, and the rest is judged row
 * by row: of two that hold more than PostgreSQL expects, each row of one would be compared with each of the other.
 */
function narrow(caller: Caller, terms: readonly string[]): SQL | undefined {
  if (!caller.isStaff) return sql`${patients.id} in (${visibleTo(caller.id)})`;
  const [longest = ''] = terms.toSorted((a, b) => b.length - a.length);
  // An index of trigrams has nothing for less than three characters.
  return longest.length < 3 ? undefined : sql`${patients.id} in (${candidates(longest)})`;
}

export async function listPatients(
  db: Db,
  query: PatientQuery,
  caller: Caller,
  link: Link,
  pictureUrl: PictureUrl,
): Promise<JsonText<PatientPage>> {
  const terms = searchTerms(query.search);
  const where = and(
    isNull(patients.archivedAt),
    query.phone === undefined ? undefined : eq(patients.phoneDigits, digitsOf(query.phone)),
    narrow(caller, terms),
    ...terms.map((term) => or(like(names, containing(term)), numberHas(term))),
  );
  const ofUser = eq(users.id, patients.userId);
  const counted = db.select({ count: count() }).from(patients).$dynamic();
  const page = await selectPage(
    db,
    patientJson,
    (columns) =>
      db.select(columns).from(patients).innerJoin(users, ofUser).where(where).orderBy(asc(patients.id)).$dynamic(),
    sql`(${(terms.length === 0 ? counted : counted.innerJoin(users, ofUser)).where(where)})`,
    query,
    link,
  );
  return withPictureUrls(page, 'profile', pictureUrl);
}

/**
 * Stores what is given.
 * @throws AlreadyTaken for the phone number of another patient
 */
async function setFields(tx: Tx, id: number, input: PatientPatch): Promise<void> {
  const change = tx
    .update(patients)
    .set({
      filled: true,
      ...(input.profile !== undefined && { picture: input.profile }),
      ...(input.phone !== undefined && { phone: input.phone }),
    })
    .where(eq(patients.id, id));
  await explain(change, { patients_phone_key: () => new AlreadyTaken(['phone']) });
}

/** Locks the user's patient record, which is made where there is none. */
async function openPatient(tx: Tx, userId: number): Promise<{ id: number; filled: boolean }> {
  for (;;) {
    const [row] = await tx
      .select({ id: patients.id, filled: patients.filled })
      .from(patients)
      .where(and(eq(patients.userId, userId), isNull(patients.archivedAt)))
      .for('no key update');
    if (row !== undefined) return row;
    await tx.insert(patients).values({ userId }).onConflictDoNothing();
  }
}

/**
 * Fills the caller's empty record, or a new one after a delete.
 * @throws AlreadyFilled
 */
export async function createPatient(
  db: Db | Tx,
  input: PatientInput,
  caller: Caller,
  link: Link,
  pictureUrl: PictureUrl,
): Promise<JsonText<Patient>> {
  const patient = await transaction(db, async (tx) => {
    const { id, filled } = await openPatient(tx, caller.id);
    if (filled) throw new AlreadyFilled('patient record', `${link.base}/patients/${id}/`);
    await setFields(tx, id, input);
    return (await readPatient(tx, id, caller)).patient;
  });
  return withPictureUrls(patient, 'profile', pictureUrl);
}

/** Locks a patient that the caller may change. */
async function lockPatient(tx: Tx, id: number, caller: Caller): Promise<void> {
  const rows = await tx
    .select({ id: patients.id })
    .from(patients)
    .where(and(eq(patients.id, id), isNull(patients.archivedAt)))
    .for('no key update');
  if (rows.length === 0) throw new NotFound();
  const { isOwn } = await readPatient(tx, id, caller);
  if (!isOwn) throw new NotAllowed('Only the patient and staff may do this.');
}

/** Changes what is given. */
export async function updatePatient(
  db: Db,
  id: number,
  input: PatientPatch,
  caller: Caller,
  pictureUrl: PictureUrl,
  ifMatch?: string,
): Promise<JsonText<Patient>> {
  const patient = await transaction(db, async (tx) => {
    await lockPatient(tx, id, caller);
    await checkIfMatch(ifMatch, async () => (await readPatient(tx, id, caller)).patient);
    if (Object.keys(input).length > 0) await setFields(tx, id, input);
    return (await readPatient(tx, id, caller)).patient;
  });
  return withPictureUrls(patient, 'profile', pictureUrl);
}

/** Replaces the record: a phone number that is left out is removed, a picture stays. */
export function replacePatient(
  db: Db,
  id: number,
  input: PatientInput,
  caller: Caller,
  pictureUrl: PictureUrl,
  ifMatch?: string,
): Promise<JsonText<Patient>> {
  return updatePatient(db, id, { phone: null, ...input }, caller, pictureUrl, ifMatch);
}

/** Archives the record, whose picture is removed, and cancels its upcoming appointments. */
export async function deletePatient(
  db: Db,
  id: number,
  caller: Caller,
  calendar: Calendar,
  ifMatch?: string,
): Promise<void> {
  await transaction(db, async (tx) => {
    await signTransaction(tx, caller);
    await lockPatient(tx, id, caller);
    await checkIfMatch(ifMatch, async () => (await readPatient(tx, id, caller)).patient);
    await tx
      .update(patients)
      .set({ archivedAt: new Date(), archivedBy: caller.id, picture: null })
      .where(eq(patients.id, id));
    await tx
      .update(appointments)
      .set({ isCancelled: true })
      .where(and(eq(appointments.patientId, id), isLive, isUpcoming(calendar)));
  });
}
