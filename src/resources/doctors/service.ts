import {
  and,
  asc,
  count,
  desc,
  eq,
  gte,
  inArray,
  isNull,
  lte,
  notInArray,
  sql,
  type SQL,
  type SQLWrapper,
} from 'drizzle-orm';
import type { PgColumn, PgTable } from 'drizzle-orm/pg-core';
import { transaction, type Db, type Tx } from '../../../db/client.js';
import { column, jsonArray, jsonObject, JsonText } from '../../../db/json.js';
import { direct, directByKey } from '../../../db/prepared.js';
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
import { pageOf, readPage, type Link, type PageQuery } from '../../lib/pages.js';
import { checkIfMatch } from '../../lib/preconditions.js';
import { searchPatterns } from '../../lib/search.js';
import { isLive, isUpcoming, type Calendar } from '../appointments/booking.js';

type Lookup = typeof designations | typeof specialisations;

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

/** The lists of a doctor as JSON arrays. */
interface Lists {
  readonly designation: SQL<string[]>;
  readonly specialisation: SQL<string[]>;
  readonly available_time: SQL<number[]>;
}

const doctorJson = (lists: Lists): SQL<Doctor> =>
  jsonObject<Doctor>({
    id: column(doctors.id),
    user: column(users.displayName),
    profile: sql<string | null>`${sql.placeholder('base')}::text || '/pictures/' || ${doctors.picture}`,
    ...lists,
    fee: column(doctors.fee),
    meet_link: column(doctors.meetLink),
  });

// For few links, looking a name up costs less than a join.
const listsOfOne: Lists = {
  designation: jsonArray(sql<string>`
    select (select ${designations.name} from ${designations} where ${designations.id} = ${doctorDesignations.designationId})
    from ${doctorDesignations} where ${doctorDesignations.doctorId} = ${doctors.id}
    order by ${doctorDesignations.designationId}`),
  specialisation: jsonArray(sql<string>`
    select (select ${specialisations.name} from ${specialisations}
      where ${specialisations.id} = ${doctorSpecialisations.specialisationId})
    from ${doctorSpecialisations} where ${doctorSpecialisations.doctorId} = ${doctors.id}
    order by ${doctorSpecialisations.specialisationId}`),
  available_time: jsonArray(sql<number>`
    select ${doctorAvailableTimes.availableTimeId} from ${doctorAvailableTimes}
    where ${doctorAvailableTimes.doctorId} = ${doctors.id} order by 1`),
};

const doctorById = directByKey((db) =>
  db
    .select({ doctor: sql<string>`${doctorJson(listsOfOne)}::text`.as('doctor') })
    .from(doctors)
    .innerJoin(users, eq(users.id, doctors.userId))
    .where(and(eq(doctors.id, sql.placeholder('id')), isNull(doctors.archivedAt))),
);

export async function getDoctor(db: Db | Tx, id: number, { base }: Link): Promise<JsonText<Doctor>> {
  const [row] = await doctorById(db)({ id, base });
  if (row === undefined) throw new NotFound();
  return new JsonText(row.doctor);
}

/** Doctors that are linked to an entry of a lookup. */
export function linkedTo(doctorId: PgColumn, entryId: PgColumn, id: number | SQLWrapper | undefined): SQL | undefined {
  if (id === undefined) return undefined;
  return sql`${doctors.id} in (select ${doctorId} from ${entryId.table} where ${entryId} = ${id})`;
}

const ORDERS = {
  id: [asc(doctors.id)],
  fee: [asc(doctors.fee), asc(doctors.id)],
  '-fee': [desc(doctors.fee), asc(doctors.id)],
  name: [asc(users.displayName), asc(doctors.id)],
};

const FILTERS = ['specialisation', 'designation', 'available_time', 'fee', 'min_fee', 'max_fee'] as const;
type Filter = (typeof FILTERS)[number];

/** The page's rows, with the lists of all its doctors read at once: half the time of three subqueries for each. */
const doctorPage = direct((db, ordering: DoctorQuery['ordering'], filters: readonly Filter[], terms: number) => {
  const given = (name: Filter) => (filters.includes(name) ? sql`${sql.placeholder(name)}` : undefined);
  const isAbout = (name: Filter, holds: (value: SQL) => SQL) => {
    const value = given(name);
    return value && holds(value);
  };
  const found = and(
    ...Array.from({ length: terms }, (_, at) => sql`lower(${users.displayName}) like ${sql.placeholder(`term${at}`)}`),
  );
  const where = and(
    isNull(doctors.archivedAt),
    linkedTo(doctorSpecialisations.doctorId, doctorSpecialisations.specialisationId, given('specialisation')),
    linkedTo(doctorDesignations.doctorId, doctorDesignations.designationId, given('designation')),
    linkedTo(doctorAvailableTimes.doctorId, doctorAvailableTimes.availableTimeId, given('available_time')),
    isAbout('fee', (value) => eq(doctors.fee, value)),
    isAbout('min_fee', (value) => gte(doctors.fee, value)),
    isAbout('max_fee', (value) => lte(doctors.fee, value)),
    found && inArray(doctors.userId, db.select({ id: users.id }).from(users).where(found)),
  );
  const ids = db.select({ id: doctors.id }).from(doctors).$dynamic();
  // Only the order by name needs the users before the page is cut.
  const page = db.$with('ids').as(
    (ordering === 'name' ? ids.innerJoin(users, eq(users.id, doctors.userId)) : ids)
      .where(where)
      .orderBy(...ORDERS[ordering])
      .limit(sql.placeholder('limits'))
      .offset(sql.placeholder('offset')),
  );
  const isOnPage = (id: PgColumn) => sql`${id} = any(array(select id from ${page}))`;
  const listOf = (name: string, links: PgTable, doctorId: PgColumn, entryId: PgColumn, lookup?: Lookup) => {
    const entry = lookup === undefined ? entryId : lookup.name;
    const entries = db
      .select({
        doctorId,
        list: sql`json_agg(${entry} order by ${entryId})`.as(name),
      })
      .from(links)
      .where(isOnPage(doctorId))
      .groupBy(doctorId)
      .$dynamic();
    return (lookup === undefined ? entries : entries.innerJoin(lookup, eq(lookup.id, entryId))).as(name);
  };
  const [designation, specialisation, availableTime] = [
    listOf(
      'of_designations',
      doctorDesignations,
      doctorDesignations.doctorId,
      doctorDesignations.designationId,
      designations,
    ),
    listOf(
      'of_specialisations',
      doctorSpecialisations,
      doctorSpecialisations.doctorId,
      doctorSpecialisations.specialisationId,
      specialisations,
    ),
    listOf('of_times', doctorAvailableTimes, doctorAvailableTimes.doctorId, doctorAvailableTimes.availableTimeId),
  ];
  const orNone = <T>({ list }: { list: SQL.Aliased }): SQL<T[]> => sql<T[]>`coalesce(${list}, '[]')`;
  const item = doctorJson({
    designation: orNone<string>(designation),
    specialisation: orNone<string>(specialisation),
    available_time: orNone<number>(availableTime),
  });
  const rows = db
    .with(page)
    .select({ item: sql<string>`${item}::text`.as('item') })
    .from(doctors)
    .innerJoin(users, eq(users.id, doctors.userId))
    .leftJoin(designation, eq(designation.doctorId, doctors.id))
    .leftJoin(specialisation, eq(specialisation.doctorId, doctors.id))
    .leftJoin(availableTime, eq(availableTime.doctorId, doctors.id))
    .where(isOnPage(doctors.id))
    .orderBy(...ORDERS[ordering])
    .$dynamic();
  const total = sql`(${db.select({ count: count() }).from(doctors).where(where)})`;
  return pageOf(db, rows, total);
});

export async function listDoctors(db: Db, query: DoctorQuery, link: Link): Promise<JsonText<DoctorPage>> {
  const patterns = searchPatterns(query.search);
  const filters = FILTERS.filter((name) => query[name] !== undefined);
  const [row] = await doctorPage(
    db,
    query.ordering,
    filters,
    patterns.length,
  )({
    ...query,
    ...Object.fromEntries(patterns.map((pattern, at) => [`term${at}`, pattern])),
    offset: (query.page - 1) * query.limits,
    base: link.base,
  });
  return readPage<Doctor>(row as NonNullable<typeof row>, query, link);
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
