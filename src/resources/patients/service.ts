import { and, asc, count, eq, isNull, like, or, sql, type SQL } from 'drizzle-orm';
import { Contention } from '../../../db/client.js';
import { column, jsonObject, JsonText, versionTag } from '../../../db/json.js';
import { directByKey } from '../../../db/prepared.js';
import { oneOrNone } from '../../../db/rows.js';
import { appointments, doctors, patients, users } from '../../../db/tables/index.js';
import type { Patient, PatientPage, PatientPatch } from '../../../openapi/generated/schemas.js';
import type { Input } from '../../../openapi/operation.js';
import { cancelledFor } from '../../scheduling/cancellation.js';
import { isLive, isTooLate, isUpcoming } from '../../scheduling/slots.js';
import { AlreadyFilled, AlreadyTaken, explain, NotAllowed, NotFound } from '../../lib/errors.js';
import { signTransaction } from '../../lib/history.js';
import { filtered } from '../../lib/lists.js';
import { cutPage, itemOf, selectPage } from '../../lib/pages.js';
import { nothingElse } from '../../lib/patches.js';
import { withPictureUrls } from '../../lib/pictures.js';
import { checkConditions } from '../../lib/preconditions.js';
import { containing, searchTerms } from '../../lib/search.js';
import { inTransaction, type Caller, type UserVisit, type Within } from '../../lib/visit.js';

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
      tag: versionTag(patients.id, patients.version, users.version).as('tag'),
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
  { db, caller, link }: UserVisit,
  id: number,
): Promise<{ patient: JsonText<Patient>; isOwn: boolean }> {
  const row = oneOrNone(await patientById(db)({ id, caller: caller.id }));
  const isOwn = row?.userId === caller.id || caller.isStaff;
  if (row === undefined || !(isOwn || row.isSeenByDoctor)) throw new NotFound();
  return { patient: withPictureUrls(new JsonText(row.patient, row.tag), 'profile', link), isOwn };
}

export async function getPatient(visit: UserVisit, { params }: Input<'getPatient'>): Promise<JsonText<Patient>> {
  return (await readPatient(visit, params.id)).patient;
}

/** The ids of all whom a user who is not staff may see. */
const visibleTo = (userId: number): SQL => sql`
  select ${patients.id} from ${patients} where ${patients.userId} = ${userId} and ${patients.archivedAt} is null
  union ${seenByDoctor(userId)}`;

const digitsOf = (text: string): string => text.replaceAll(/\D/g, '');

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
    where ${like(users.foldedNames, containing(term))}
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

export async function listPatients(visit: UserVisit, { query }: Input<'listPatients'>): Promise<JsonText<PatientPage>> {
  const { db, caller, link } = visit;
  const terms = await searchTerms(db, query.search);
  const where = and(
    isNull(patients.archivedAt),
    filtered(query, {
      phone: (phone) => eq(patients.phoneDigits, digitsOf(phone)),
      search: () => and(...terms.map((term) => or(like(users.foldedNames, containing(term)), numberHas(term)))),
    }),
    narrow(caller, terms),
  );
  const ofUser = eq(users.id, patients.userId);
  const rows = db
    .select(itemOf(patientJson))
    .from(patients)
    .innerJoin(users, ofUser)
    .where(where)
    .orderBy(asc(patients.id))
    .$dynamic();
  const counted = db.select({ count: count() }).from(patients).$dynamic();
  const total = sql`(${(terms.length === 0 ? counted : counted.innerJoin(users, ofUser)).where(where)})`;
  const page = await selectPage<Patient>(visit, query, { rows: cutPage(rows, query), total });
  return withPictureUrls(page, 'profile', link);
}

/**
 * Stores what is given.
 * @throws AlreadyTaken for the phone number of another patient
 */
async function setFields({ db }: Within, id: number, changes: PatientPatch): Promise<void> {
  const { profile: picture, phone, ...rest } = changes;
  nothingElse(rest);
  const change = db.update(patients).set({ filled: true, picture, phone }).where(eq(patients.id, id));
  await explain(change, { patients_phone_key: () => new AlreadyTaken(['phone']) });
}

/** Locks the caller's patient record, which is made where there is none. */
async function openPatient({ db, caller }: Within<UserVisit>): Promise<{ id: number; filled: boolean }> {
  const { id: userId } = caller;
  const find = () =>
    db
      .select({ id: patients.id, filled: patients.filled })
      .from(patients)
      .where(and(eq(patients.userId, userId), isNull(patients.archivedAt)))
      .for('no key update');
  let row = oneOrNone(await find());
  if (row === undefined) {
    await db.insert(patients).values({ userId }).onConflictDoNothing();
    row = oneOrNone(await find());
  }
  if (row === undefined) throw new Contention('the patient record was archived meanwhile');
  return row;
}

/**
 * Fills the caller's empty record, or a new one after a delete.
 * @throws AlreadyFilled
 */
export function createPatient(visit: UserVisit, { body }: Input<'createPatient'>): Promise<JsonText<Patient>> {
  return inTransaction(visit, async (visit) => {
    const { id, filled } = await openPatient(visit);
    if (filled) throw new AlreadyFilled('patient record', `${visit.link.base}/patients/${id}/`);
    await setFields(visit, id, body);
    return (await readPatient(visit, id)).patient;
  });
}

/** Locks a patient that the caller may change, and holds it against the request's conditions. */
async function lockPatient(visit: Within<UserVisit>, id: number): Promise<void> {
  const rows = await visit.db
    .select({ id: patients.id })
    .from(patients)
    .where(and(eq(patients.id, id), isNull(patients.archivedAt)))
    .for('no key update');
  if (rows.length === 0) throw new NotFound();
  const { patient, isOwn } = await readPatient(visit, id);
  if (!isOwn) throw new NotAllowed('Only the patient and staff may do this.');
  checkConditions(visit, patient.tag);
}

/** Changes what is given. */
export function updatePatient(visit: UserVisit, { params, body }: Input<'updatePatient'>): Promise<JsonText<Patient>> {
  return inTransaction(visit, async (visit) => {
    await lockPatient(visit, params.id);
    if (Object.keys(body).length > 0) await setFields(visit, params.id, body);
    return (await readPatient(visit, params.id)).patient;
  });
}

/** Replaces the record: a phone number that is left out is removed, a picture stays. */
export const replacePatient = (
  visit: UserVisit,
  { params, body }: Input<'replacePatient'>,
): Promise<JsonText<Patient>> => updatePatient(visit, { params, body: { phone: null, ...body } });

/**
 * Archives the record, whose picture is removed, and cancels its upcoming appointments; by the patient only those that a
 * patient may cancel.
 */
export async function deletePatient(visit: UserVisit, { params: { id } }: Input<'deletePatient'>): Promise<void> {
  await inTransaction(visit, async (visit) => {
    const { db, caller, calendar } = visit;
    await signTransaction(visit);
    await lockPatient(visit, id);
    await db
      .update(patients)
      .set({ archivedAt: new Date(), archivedBy: caller.id, picture: null })
      .where(eq(patients.id, id));
    const mayCancel = caller.isStaff
      ? undefined
      : and(eq(appointments.status, 'pending'), isNull(appointments.attendance), sql`not ${isTooLate(calendar)}`);
    await db
      .update(appointments)
      .set(cancelledFor({ code: caller.isStaff ? 'clinic' : 'patient', text: '' }))
      .where(and(eq(appointments.patientId, id), isLive, isUpcoming(calendar), mayCancel));
  });
}
