import { and, asc, count, desc, eq, gte, inArray, isNull, like, lte, sql, type SQL } from 'drizzle-orm';
import type { PgColumn } from 'drizzle-orm/pg-core';
import { column, jsonArray, jsonObject, versionTag } from '../../../db/json.js';
import { direct, directByKey } from '../../../db/prepared.js';
import { inOrder } from '../../../db/tables/columns.js';
import {
  designations,
  doctorAvailableTimes,
  doctorDesignations,
  doctors,
  doctorSpecialisations,
  specialisations,
  users,
} from '../../../db/tables/index.js';
import type { ListDoctorsQuery } from '../../../openapi/generated/operations.js';
import type { Doctor } from '../../../openapi/generated/schemas.js';
import type { Filters, Orders } from '../../lib/lists.js';
import { takesPatients } from '../../scheduling/slots.js';
import { isLinkedTo, LINKS, type Links } from '../../lib/lookups.js';
import { pageOf } from '../../lib/pages.js';

type Lookup = typeof designations | typeof specialisations;

/** The lists of a doctor as JSON arrays. */
interface Lists {
  readonly designation: SQL<string[]>;
  readonly specialisation: SQL<string[]>;
  readonly available_time: SQL<number[]>;
}

/** A doctor as everybody sees them. */
type PublicDoctor = Omit<Doctor, 'user_id'>;

const publicFields = (lists: Lists) => ({
  id: column(doctors.id),
  user: column(users.displayName),
  profile: column(doctors.picture),
  ...lists,
  fee: column(doctors.fee),
  meet_link: column(doctors.meetLink),
});

/** A doctor as JSON, with the picture's name where the answer has its URL. */
const doctorJson = (lists: Lists): SQL<PublicDoctor> => jsonObject<PublicDoctor>(publicFields(lists));

/** The same for staff. */
const staffJson = (lists: Lists): SQL<Doctor> =>
  jsonObject<Required<Doctor>>({ ...publicFields(lists), user_id: column(doctors.userId) });

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

const doctorBy = (key: PgColumn) =>
  directByKey((db) =>
    db
      .select({
        userId: sql<number>`${doctors.userId}::float8`.as('userId'),
        doctor: sql<string>`${doctorJson(listsOfOne)}::text`.as('doctor'),
        // The names of designations and specialisations count in the doctor's version, by a trigger.
        tag: versionTag(doctors.id, doctors.version, users.version).as('tag'),
      })
      .from(doctors)
      .innerJoin(users, eq(users.id, doctors.userId))
      .where(and(eq(key, sql.placeholder('id')), isNull(doctors.archivedAt))),
  );
export const doctorById = doctorBy(doctors.id);
export const doctorByUser = doctorBy(doctors.userId);

const ORDERS: Orders<ListDoctorsQuery> = {
  id: [asc(doctors.id)],
  fee: [asc(doctors.fee), asc(doctors.id)],
  '-fee': [desc(doctors.fee), asc(doctors.id)],
  name: [asc(inOrder(users.foldedDisplayName)), asc(doctors.id)],
};

export const FILTERS: Filters<Omit<ListDoctorsQuery, 'search'>, SQL> = {
  specialisation: (id) => isLinkedTo(LINKS.specialisation, id),
  designation: (id) => isLinkedTo(LINKS.designation, id),
  available_time: (id) => isLinkedTo(LINKS.available_time, id),
  fee: (value) => eq(doctors.fee, value),
  min_fee: (value) => gte(doctors.fee, value),
  max_fee: (value) => lte(doctors.fee, value),
};
export type Filter = keyof typeof FILTERS;

/** What a page's query depends on besides its values. */
interface Shape {
  readonly ordering: ListDoctorsQuery['ordering'];
  readonly filters: readonly Filter[];
  /** How many words are looked for. */
  readonly terms: number;
  readonly isForStaff: boolean;
}

/** The page's rows, with the lists of all its doctors read at once: half the time of three subqueries for each. */
export const doctorPage = direct((db, { ordering, filters, terms, isForStaff }: Shape) => {
  const found = and(
    ...Array.from({ length: terms }, (_, at) => like(users.foldedDisplayName, sql.placeholder(`term${at}`))),
  );
  const where = and(
    takesPatients,
    ...filters.map((name) => FILTERS[name](sql`${sql.placeholder(name)}`)),
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
  const listOf = (name: string, { doctorId, entryId }: Links, lookup?: Lookup) => {
    const entry = lookup === undefined ? entryId : lookup.name;
    const entries = db
      .select({
        doctorId,
        list: sql`json_agg(${entry} order by ${entryId})`.as(name),
      })
      .from(doctorId.table)
      .where(isOnPage(doctorId))
      .groupBy(doctorId)
      .$dynamic();
    return (lookup === undefined ? entries : entries.innerJoin(lookup, eq(lookup.id, entryId))).as(name);
  };
  const designation = listOf('of_designations', LINKS.designation, designations);
  const specialisation = listOf('of_specialisations', LINKS.specialisation, specialisations);
  const availableTime = listOf('of_times', LINKS.available_time);
  const orNone = <T>({ list }: { list: SQL.Aliased }): SQL<T[]> => sql<T[]>`coalesce(${list}, '[]')`;
  const item = (isForStaff ? staffJson : doctorJson)({
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
  return pageOf(db, { rows, total });
});
