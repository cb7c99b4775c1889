import { and, asc, count, desc, eq, gte, inArray, isNull, lte, notInArray, sql, type SQL } from 'drizzle-orm';
import type { PgColumn, PgTable } from 'drizzle-orm/pg-core';
import { transaction, type Db, type Tx } from '../../../db/client.js';
import { column, jsonArray, jsonObject, JsonText } from '../../../db/json.js';
import { prepared } from '../../../db/prepared.js';
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
import { ProblemError } from '../../../openapi/generated/problems.js';
import type { Doctor, DoctorInput, DoctorPage, DoctorPatch } from '../../../openapi/generated/schemas.js';
import { explain, InvalidInput, NotAllowed, NotFound } from '../../lib/errors.js';
import { answerPage, cutPage, type Link, type PageQuery } from '../../lib/pages.js';
import { checkIfMatch } from '../../lib/preconditions.js';
import { hasTerms } from '../../lib/search.js';
import { isLive, isUpcoming, type Calendar } from '../appointments/booking.js';

interface Caller {
  readonly id: number;
  readonly isStaff: boolean;
}

export interface DoctorQuery extends PageQuery {
  readonly specialisation?: number;
  readonly designation?: number;
  readonly available_time?: number;
  readonly fee?: number;
  readonly min_fee?: number;
  readonly max_fee?: number;
  readonly search?: string;
  readonly ordering: 'id' | 'fee' | '-fee' | 'name';
}

class AlreadyDoctor extends ProblemError {
  constructor() {
    super('already-exists', 'You have a doctor record already.');
  }
}

class HasAppointments extends ProblemError {
  constructor() {
    super('has-appointments', 'The doctor has upcoming appointments. Cancel or move them first.');
  }
}

/** @param base of the picture's URL */
function doctorJson(base: SQL<string>): SQL<Doctor> {
  return jsonObject<Doctor>({
    id: column(doctors.id),
    user: column(users.displayName),
    profile: sql<string | null>`${base}::text || '/pictures/' || ${doctors.picture}`,
    designation: jsonArray(sql<string>`
      select ${designations.name} from ${doctorDesignations}
      join ${designations} on ${designations.id} = ${doctorDesignations.designationId}
      where ${doctorDesignations.doctorId} = ${doctors.id} order by ${designations.id}`),
    specialisation: jsonArray(sql<string>`
      select ${specialisations.name} from ${doctorSpecialisations}
      join ${specialisations} on ${specialisations.id} = ${doctorSpecialisations.specialisationId}
      where ${doctorSpecialisations.doctorId} = ${doctors.id} order by ${specialisations.id}`),
    available_time: jsonArray(sql<number>`
      select ${doctorAvailableTimes.availableTimeId} from ${doctorAvailableTimes}
      where ${doctorAvailableTimes.doctorId} = ${doctors.id} order by 1`),
    fee: column(doctors.fee),
    meet_link: column(doctors.meetLink),
  });
}

const doctorById = prepared((db) =>
  db
    .select({ doctor: sql<string>`${doctorJson(sql`${sql.placeholder('base')}`)}::text` })
    .from(doctors)
    .innerJoin(users, eq(users.id, doctors.userId))
    .where(and(eq(doctors.id, sql.placeholder('id')), isNull(doctors.archivedAt)))
    .prepare('doctor_by_id'),
);

export async function getDoctor(db: Db | Tx, id: number, { base }: Link): Promise<JsonText<Doctor>> {
  const [row] = await doctorById(db).execute({ id, base });
  if (row === undefined) throw new NotFound();
  return new JsonText(row.doctor);
}

/** Doctors that are linked to an entry of a lookup. */
export function linkedTo(doctorId: PgColumn, entryId: PgColumn, id: number | undefined): SQL | undefined {
  if (id === undefined) return undefined;
  return sql`${doctors.id} in (select ${doctorId} from ${entryId.table} where ${entryId} = ${id})`;
}

const ORDERS = {
  id: [asc(doctors.id)],
  fee: [asc(doctors.fee), asc(doctors.id)],
  '-fee': [desc(doctors.fee), asc(doctors.id)],
  name: [asc(users.displayName), asc(doctors.id)],
};

export function listDoctors(db: Db, query: DoctorQuery, link: Link): Promise<JsonText<DoctorPage>> {
  const found = hasTerms(sql`lower(${users.displayName})`, query.search);
  const where = and(
    isNull(doctors.archivedAt),
    linkedTo(doctorSpecialisations.doctorId, doctorSpecialisations.specialisationId, query.specialisation),
    linkedTo(doctorDesignations.doctorId, doctorDesignations.designationId, query.designation),
    linkedTo(doctorAvailableTimes.doctorId, doctorAvailableTimes.availableTimeId, query.available_time),
    query.fee === undefined ? undefined : eq(doctors.fee, query.fee),
    query.min_fee === undefined ? undefined : gte(doctors.fee, query.min_fee),
    query.max_fee === undefined ? undefined : lte(doctors.fee, query.max_fee),
    found && inArray(doctors.userId, db.select({ id: users.id }).from(users).where(found)),
  );
  const ids = db.select({ id: doctors.id }).from(doctors).$dynamic();
  // The page is cut before names and lists are looked up; only the order by name needs the users before that.
  const page = (query.ordering === 'name' ? ids.innerJoin(users, eq(users.id, doctors.userId)) : ids)
    .where(where)
    .orderBy(...ORDERS[query.ordering])
    .$dynamic();
  return answerPage<Doctor>(
    db,
    db
      .select({ item: sql<string>`${doctorJson(sql`${link.base}`)}::text`.as('item') })
      .from(doctors)
      .innerJoin(users, eq(users.id, doctors.userId))
      .where(inArray(doctors.id, cutPage(page, query)))
      .orderBy(...ORDERS[query.ordering])
      .$dynamic(),
    sql`(${db.select({ count: count() }).from(doctors).where(where)})`,
    query,
    link,
  );
}

/** The lists of a doctor: the field, the table of its links with the two columns, and the lookup. */
const LISTS = [
  { field: 'designation', links: doctorDesignations, entryKey: 'designationId', lookup: designations },
  { field: 'specialisation', links: doctorSpecialisations, entryKey: 'specialisationId', lookup: specialisations },
  { field: 'available_time', links: doctorAvailableTimes, entryKey: 'availableTimeId', lookup: availableTimes },
] as const;

/** @throws InvalidInput naming every id that does not exist, in all lists at once */
async function setLists(tx: Tx, doctorId: number, input: DoctorPatch): Promise<void> {
  const errors: Record<string, string[]> = {};
  for (const { field, links, entryKey, lookup } of LISTS) {
    const ids = input[field] && [...new Set(input[field])];
    if (ids === undefined) continue;
    const known = new Set(
      ids.length === 0
        ? []
        : // The lock keeps an entry from being deleted between this look and the insert.
          (await tx.select({ id: lookup.id }).from(lookup).where(inArray(lookup.id, ids)).for('key share')).map(
            (row) => row.id,
          ),
    );
    const unknown = ids.filter((id) => !known.has(id));
    if (unknown.length > 0) errors[field] = [`has unknown ids: ${unknown.slice(0, 10).join(', ')}`];
    if (Object.keys(errors).length > 0) continue;
    const table: PgTable = links;
    const entryId = (links as unknown as Record<string, PgColumn>)[entryKey] as PgColumn;
    await tx
      .delete(table)
      .where(and(eq(links.doctorId, doctorId), ids.length > 0 ? notInArray(entryId, ids) : undefined));
    if (ids.length > 0) {
      await tx
        .insert(table)
        .values(ids.map((id) => ({ doctorId, [entryKey]: id })))
        .onConflictDoNothing();
    }
  }
  if (Object.keys(errors).length > 0) throw new InvalidInput(errors);
}

/** Makes a doctor of the caller. */
export async function createDoctor(
  db: Db | Tx,
  input: DoctorInput,
  caller: Caller,
  link: Link,
): Promise<JsonText<Doctor>> {
  const creation = transaction(db, async (tx) => {
    const [row] = await tx
      .insert(doctors)
      .values({
        userId: caller.id,
        picture: input.profile ?? null,
        fee: input.fee ?? 0,
        meetLink: input.meet_link ?? '',
      })
      .returning({ id: doctors.id });
    const { id } = row as { id: number };
    await setLists(tx, id, input);
    return getDoctor(tx, id, link);
  });
  return explain(creation, { doctors_user_id_key: () => new AlreadyDoctor() });
}

/** Locks a doctor that the caller may change. */
async function lockDoctor(tx: Tx, id: number, caller: Caller): Promise<void> {
  const [row] = await tx
    .select({ userId: doctors.userId })
    .from(doctors)
    .where(and(eq(doctors.id, id), isNull(doctors.archivedAt)))
    .for('no key update');
  if (row === undefined) throw new NotFound();
  if (row.userId !== caller.id && !caller.isStaff) throw new NotAllowed('Only the doctor and staff may do this.');
}

/** Changes what is given. */
export function updateDoctor(
  db: Db,
  id: number,
  input: DoctorPatch,
  caller: Caller,
  link: Link,
  ifMatch?: string,
): Promise<JsonText<Doctor>> {
  return transaction(db, async (tx) => {
    await lockDoctor(tx, id, caller);
    await checkIfMatch(ifMatch, () => getDoctor(tx, id, link));
    await tx
      .update(doctors)
      .set({
        updatedAt: new Date(),
        ...(input.profile !== undefined && { picture: input.profile }),
        ...(input.fee !== undefined && { fee: input.fee }),
        ...(input.meet_link !== undefined && { meetLink: input.meet_link }),
      })
      .where(eq(doctors.id, id));
    await setLists(tx, id, input);
    return getDoctor(tx, id, link);
  });
}

/** Replaces the record: what is left out becomes empty, but for the picture. */
export function replaceDoctor(
  db: Db,
  id: number,
  input: DoctorInput,
  caller: Caller,
  link: Link,
  ifMatch?: string,
): Promise<JsonText<Doctor>> {
  const empty = { designation: [], specialisation: [], available_time: [], fee: 0, meet_link: '' };
  return updateDoctor(db, id, { ...empty, ...input }, caller, link, ifMatch);
}

/**
 * Archives the record; its picture is removed.
 * @throws HasAppointments while a live appointment is ahead
 */
export async function deleteDoctor(
  db: Db,
  id: number,
  caller: Caller,
  calendar: Calendar,
  link: Link,
  ifMatch?: string,
): Promise<void> {
  await transaction(db, async (tx) => {
    await lockDoctor(tx, id, caller);
    await checkIfMatch(ifMatch, () => getDoctor(tx, id, link));
    const [upcoming] = await tx
      .select({ id: appointments.id })
      .from(appointments)
      .where(and(eq(appointments.doctorId, id), isLive, isUpcoming(calendar)))
      .limit(1);
    if (upcoming !== undefined) throw new HasAppointments();
    await tx
      .update(doctors)
      .set({ archivedAt: new Date(), archivedBy: caller.id, picture: null })
      .where(eq(doctors.id, id));
  });
}
