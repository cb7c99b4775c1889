import { and, asc, eq, inArray, isNull, notInArray, sql, type SQL } from 'drizzle-orm';
import type { PgColumn, PgTable } from 'drizzle-orm/pg-core';
import { JsonText } from '../../../db/json.js';
import { one, oneOrNone } from '../../../db/rows.js';
import {
  appointments,
  availableTimes,
  designations,
  doctorAvailableTimes,
  doctorDesignations,
  doctors,
  doctorSpecialisations,
  specialisations,
  users,
} from '../../../db/tables/index.js';
import type { ChangedDoctor, Doctor, DoctorPage, DoctorPatch } from '../../../openapi/generated/schemas.js';
import type { Input } from '../../../openapi/operation.js';
import { ProblemError } from '../../../openapi/problem-error.js';
import { noteFreed } from '../../scheduling/offers.js';
import { isLive, isUpcoming } from '../../scheduling/slots.js';
import { explain, InvalidInput, NotAllowed, NotFound } from '../../lib/errors.js';
import { namedUser } from '../../lib/named-user.js';
import { nothingElse, type Given } from '../../lib/patches.js';
import { pictureValues } from '../../lib/pictures.js';
import { checkConditions } from '../../lib/preconditions.js';
import { searchPatterns } from '../../lib/search.js';
import {
  inTransaction,
  isUser,
  userIdOf,
  type PersonVisit,
  type UserVisit,
  type Visit,
  type Within,
} from '../../lib/visit.js';
import { doctorById, doctorByUser, publicPages, staffPages, unapprovedPages } from './queries.js';

declare module 'fastify' {
  interface Visit {
    readonly doctorApproval: 'none' | 'staff';
  }
}

class AlreadyDoctor extends ProblemError {
  constructor(isOwn: boolean) {
    super('already-exists', `${isOwn ? 'You have' : 'The user has'} a doctor record already.`);
  }
}

class NoDoctorRecord extends ProblemError {
  constructor() {
    super('not-found', 'You have no doctor record.');
  }
}

class HasAppointments extends ProblemError {
  constructor() {
    super('has-appointments', 'The doctor has upcoming appointments. Cancel or move them first.');
  }
}

/** An answer with more fields. */
const withFields = <T>({ text }: JsonText<unknown>, fields: Partial<T>, tag: string): JsonText<T> =>
  new JsonText<T>(`${text.slice(0, -1)},${JSON.stringify(fields).slice(1)}`, tag);

/** The tag of a doctor's state as staff and the doctor see it: another answer than everybody's. */
const privateTag = (tag: string): string => `${tag}-p`;

async function readDoctor(visit: Visit, by: typeof doctorById, id: number): Promise<JsonText<Doctor> | undefined> {
  const { db, caller } = visit;
  const row = oneOrNone(await by(db)({ id, ...pictureValues(visit) }));
  if (row === undefined) return undefined;
  const doctor = new JsonText<Doctor>(row.doctor, row.tag);
  const { userId, isApproved } = row;
  const isKnown = caller !== null && (caller.isStaff || isUser(caller, userId));
  if (!isKnown) return isApproved ? doctor : undefined;
  return withFields<Doctor>(doctor, { user_id: userId, is_approved: isApproved }, privateTag(row.tag));
}

export async function getDoctor(
  visit: Visit,
  { params }: Pick<Input<'getDoctor'>, 'params'>,
): Promise<JsonText<Doctor>> {
  const doctor = await readDoctor(visit, doctorById, params.id);
  if (doctor === undefined) throw new NotFound();
  return doctor;
}

/** @throws NoDoctorRecord */
export async function getMyDoctor(visit: PersonVisit): Promise<JsonText<Doctor>> {
  const doctor = await readDoctor(visit, doctorByUser, visit.caller.id);
  if (doctor === undefined) throw new NoDoctorRecord();
  return doctor;
}

export async function listDoctors(visit: Visit, { query }: Input<'listDoctors'>): Promise<JsonText<DoctorPage>> {
  const { db, caller } = visit;
  const ofStaff = query.is_approved === false ? unapprovedPages : staffPages;
  const pages = caller?.isStaff === true ? ofStaff : publicPages;
  return pages(visit, { ...query, search: await searchPatterns(db, query.search) }, pictureValues(visit));
}

/** The lists of a doctor: the field, the table of its links with the two columns, and the lookup. */
const LISTS = [
  { field: 'designation', links: doctorDesignations, entryKey: 'designationId', lookup: designations },
  { field: 'specialisation', links: doctorSpecialisations, entryKey: 'specialisationId', lookup: specialisations },
  { field: 'available_time', links: doctorAvailableTimes, entryKey: 'availableTimeId', lookup: availableTimes },
] as const;

/** @throws InvalidInput naming every id that does not exist, in all lists at once */
async function setLists(
  { db }: Within,
  doctorId: number,
  input: Given<Pick<DoctorPatch, (typeof LISTS)[number]['field']>>,
): Promise<void> {
  const errors: Record<string, string[]> = {};
  for (const { field, links, entryKey, lookup } of LISTS) {
    const ids = input[field] && [...new Set(input[field])];
    if (ids === undefined) continue;
    const known = new Set(
      ids.length === 0
        ? []
        : // The lock keeps an entry from being deleted between this look and the insert.
          (await db.select({ id: lookup.id }).from(lookup).where(inArray(lookup.id, ids)).for('key share')).map(
            (row) => row.id,
          ),
    );
    const unknown = ids.filter((id) => !known.has(id));
    if (unknown.length > 0) errors[field] = [`has unknown ids: ${unknown.slice(0, 10).join(', ')}`];
    if (Object.keys(errors).length > 0) continue;
    const table: PgTable = links;
    const entryId = (links as unknown as Record<string, PgColumn>)[entryKey] as PgColumn;
    await db
      .delete(table)
      .where(and(eq(links.doctorId, doctorId), ids.length > 0 ? notInArray(entryId, ids) : undefined));
    if (ids.length > 0) {
      await db
        .insert(table)
        .values(ids.map((id) => ({ doctorId, [entryKey]: id })))
        .onConflictDoNothing();
    }
  }
  if (Object.keys(errors).length > 0) throw new InvalidInput(errors);
}

/**
 * Makes a doctor of the caller, or of the user that staff name.
 * @throws AlreadyDoctor
 */
export async function createDoctor(visit: UserVisit, { body }: Input<'createDoctor'>): Promise<JsonText<Doctor>> {
  const { user, profile: picture, fee, meet_link: meetLink, ...lists } = body;
  const { designation, specialisation, available_time, ...rest } = lists;
  nothingElse(rest);
  const userId = await namedUser(visit, user);
  const isApproved = visit.doctorApproval === 'none' || visit.caller.isStaff;
  const creation = inTransaction(visit, async (visit) => {
    const { id } = one(
      await visit.db
        .insert(doctors)
        .values({ userId, picture, fee, meetLink, isApproved })
        .returning({ id: doctors.id }),
    );
    await setLists(visit, id, { designation, specialisation, available_time });
    return getDoctor(visit, { params: { id } });
  });
  return explain(creation, { doctors_user_id_key: () => new AlreadyDoctor(isUser(visit.caller, userId)) });
}

/** Whether the caller may make a doctor of the user that is named. */
export async function admitNewDoctor(visit: UserVisit, sent: Readonly<Record<string, unknown>>): Promise<void> {
  const userId = await namedUser(visit, sent['user']);
  const isDoctor = and(eq(doctors.userId, userId), isNull(doctors.archivedAt));
  if ((await visit.db.$count(doctors, isDoctor)) > 0) throw new AlreadyDoctor(isUser(visit.caller, userId));
}

const liveDoctor = ({ db }: Pick<Visit, 'db'>, id: number) =>
  db
    .select({ userId: doctors.userId })
    .from(doctors)
    .where(and(eq(doctors.id, id), isNull(doctors.archivedAt)))
    .$dynamic();

/** @throws NotFound, NotAllowed */
function checkMayChange({ caller }: UserVisit, rows: { userId: number }[]): void {
  const row = oneOrNone(rows);
  if (row === undefined) throw new NotFound();
  if (!caller.isStaff && row.userId !== caller.id) throw new NotAllowed('Only the doctor and staff may do this.');
}

export async function admitDoctorChange(
  visit: UserVisit,
  { params: { id } }: Pick<Input<'updateDoctor'>, 'params'>,
): Promise<void> {
  checkMayChange(visit, await liveDoctor(visit, id));
}

/** Locks a doctor that the caller may change, and holds it against the request's conditions. */
async function lockDoctor(visit: Within<UserVisit>, id: number): Promise<void> {
  checkMayChange(visit, await liveDoctor(visit, id).for('no key update'));
  const { tag } = one(await doctorById(visit.db)({ id, ...pictureValues(visit) }));
  checkConditions(visit, tag, privateTag(tag));
}

/** Before the doctor, as deactivating the user does: who is approved meanwhile must not come out active. */
const lockUserOf = ({ db }: Within, id: number) =>
  db.execute(sql`select from ${users} where ${users.id} = (
    select ${doctors.userId} from ${doctors} where ${doctors.id} = ${id}) for share`);

/** The appointments that a changed offer leaves out, so that whoever changes it sees whom it concerns. */
const stillBooked = ({ db, calendar }: Within, doctorId: number) =>
  db
    .select({ id: appointments.id, date: appointments.date, time: appointments.availableTimeId })
    .from(appointments)
    .where(
      and(
        eq(appointments.doctorId, doctorId),
        isLive,
        isUpcoming(calendar),
        sql`not exists (select from ${doctorAvailableTimes} where ${doctorAvailableTimes.doctorId} = ${doctorId}
          and ${doctorAvailableTimes.availableTimeId} = ${appointments.availableTimeId})`,
      ),
    )
    .orderBy(asc(appointments.date), asc(appointments.period), asc(appointments.id))
    .limit(100);

/** Changes what is given. */
export function updateDoctor(
  visit: UserVisit,
  { params, body }: Input<'updateDoctor'>,
): Promise<JsonText<ChangedDoctor>> {
  const { profile: picture, fee, meet_link: meetLink, is_approved: isApproved, ...lists } = body;
  const { designation, specialisation, available_time, ...rest } = lists;
  nothingElse(rest);
  if (isApproved !== undefined && !visit.caller.isStaff) throw new NotAllowed('Only staff may approve doctors.');
  return inTransaction(visit, async (visit) => {
    if (isApproved !== undefined) await lockUserOf(visit, params.id);
    await lockDoctor(visit, params.id);
    await visit.db
      .update(doctors)
      .set({ updatedAt: new Date(), picture, fee, meetLink, isApproved })
      .where(eq(doctors.id, params.id));
    await setLists(visit, params.id, { designation, specialisation, available_time });
    if (available_time !== undefined || isApproved === true) await noteFreed(visit, eq(doctors.id, params.id));
    const doctor = await getDoctor(visit, { params });
    const booked: ChangedDoctor['still_booked'] = await stillBooked(visit, params.id);
    return withFields<ChangedDoctor>(doctor, { still_booked: booked }, doctor.tag);
  });
}

/** Replaces the record: what is left out becomes empty, but for the picture. */
export function replaceDoctor(
  visit: UserVisit,
  { params, body }: Input<'replaceDoctor'>,
): Promise<JsonText<ChangedDoctor>> {
  const { user: _user, ...fields } = body;
  const empty = { designation: [], specialisation: [], available_time: [], fee: 0, meet_link: '' };
  return updateDoctor(visit, { params, body: { ...empty, ...fields } });
}

/**
 * @param which on `appointments`
 * @throws HasAppointments while a live one is ahead
 */
export async function checkHasNoAppointments({ db, calendar }: Within, which: SQL): Promise<void> {
  const upcoming = oneOrNone(
    await db
      .select({ id: appointments.id })
      .from(appointments)
      .where(and(which, isLive, isUpcoming(calendar)))
      .limit(1),
  );
  if (upcoming !== undefined) throw new HasAppointments();
}

/**
 * Archives the record; its picture is removed.
 * @throws HasAppointments while a live appointment is ahead
 */
export async function deleteDoctor(visit: UserVisit, { params: { id } }: Input<'deleteDoctor'>): Promise<void> {
  await inTransaction(visit, async (visit) => {
    const { db, caller } = visit;
    await lockDoctor(visit, id);
    await checkHasNoAppointments(visit, eq(appointments.doctorId, id));
    await db
      .update(doctors)
      .set({ archivedAt: new Date(), archivedBy: userIdOf(caller), picture: null })
      .where(eq(doctors.id, id));
  });
}
