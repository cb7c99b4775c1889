import { and, eq, gte, isNull, lte, sql, type SQL } from 'drizzle-orm';
import type { PgColumn } from 'drizzle-orm/pg-core';
import { column, jsonArray, jsonObject, versionTag } from '../../../db/json.js';
import { directByKey } from '../../../db/prepared.js';
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
import { pagesOf, type Orders } from '../../lib/lists.js';
import { takesPatients } from '../../scheduling/slots.js';
import { isLinkedTo, LINKS, type Links } from '../../lib/lookups.js';
import { itemOf } from '../../lib/pages.js';
import { publicPicture } from '../../lib/pictures.js';
import { hasAll } from '../../lib/search.js';

type Lookup = typeof designations | typeof specialisations;

/** The lists of a doctor as JSON arrays. */
interface Lists {
  readonly designation: SQL<string[]>;
  readonly specialisation: SQL<string[]>;
  readonly available_time: SQL<number[]>;
}

/** A doctor as everybody sees them. */
type PublicDoctor = Omit<Doctor, 'user_id' | 'is_approved'>;

const publicFields = (lists: Lists) => ({
  id: column(doctors.id),
  user: column(users.displayName),
  profile: publicPicture(doctors.picture),
  ...lists,
  fee: column(doctors.fee),
  meet_link: column(doctors.meetLink),
});

/** A doctor as JSON. */
const doctorJson = (lists: Lists): SQL<PublicDoctor> => jsonObject<PublicDoctor>(publicFields(lists));

/** The same for staff. */
const staffJson = (lists: Lists): SQL<Doctor> =>
  jsonObject<Required<Doctor>>({
    ...publicFields(lists),
    user_id: column(doctors.userId),
    is_approved: column(doctors.isApproved),
  });

// For few links, looking a name up costs less than a join.
export const listsOfOne: Lists = {
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

const ofUser = eq(users.id, doctors.userId);

const doctorBy = (key: PgColumn) =>
  directByKey((db) =>
    db
      .select({
        userId: sql<number>`${doctors.userId}::float8`.as('userId'),
        doctor: sql<string>`${doctorJson(listsOfOne)}::text`.as('doctor'),
        // The names of designations and specialisations count in the doctor's version, by a trigger.
        tag: versionTag(doctors.id, doctors.version, users.version).as('tag'),
        isApproved: sql<boolean>`${doctors.isApproved}`.as('isApproved'),
      })
      .from(doctors)
      .innerJoin(users, ofUser)
      .where(and(eq(key, sql.placeholder('id')), isNull(doctors.archivedAt))),
  );
export const doctorById = doctorBy(doctors.id);
export const doctorByUser = doctorBy(doctors.userId);

const ORDERS: Orders<ListDoctorsQuery> = {
  id: [],
  fee: [{ of: doctors.fee, type: 'integer' }],
  '-fee': [{ of: doctors.fee, type: 'integer', isDescending: true }],
  name: [{ of: inOrder(users.foldedDisplayName), type: 'text' }],
};

/** What is asked for, with patterns of the words that are looked for. */
type Asked = Omit<ListDoctorsQuery, 'search'> & { readonly search: readonly string[] | undefined };

/** How pages of doctors are read, with the lists of all its doctors at once: half the time of three subqueries for each. */
const pagesAs = <T extends object>(json: (lists: Lists) => SQL<T>, where: SQL) =>
  pagesOf<Asked, T>({
    table: doctors,
    where,
    filters: {
      specialisation: (id) => isLinkedTo(LINKS.specialisation, id),
      designation: (id) => isLinkedTo(LINKS.designation, id),
      available_time: (id) => isLinkedTo(LINKS.available_time, id),
      is_approved: (value) => eq(doctors.isApproved, value),
      fee: (value) => eq(doctors.fee, value),
      min_fee: (value) => gte(doctors.fee, value),
      max_fee: (value) => lte(doctors.fee, value),
      search: (patterns) =>
        sql`${doctors.userId} = any(array(select ${users.id} from ${users}
          where ${hasAll(users.foldedDisplayName, patterns)}))`,
    },
    once: { search: 'found' },
    searches: ['search'],
    orders: ORDERS,
    joins: { name: (rows) => rows.innerJoin(users, ofUser) },
    rows: (db, isListed) => {
      const listOf = (name: string, { doctorId, entryId }: Links, lookup?: Lookup) => {
        const entry = lookup === undefined ? entryId : lookup.name;
        const list = sql`array_to_json(array_agg(${entry} order by ${entryId}))`.as(name);
        const entries = db
          .select({ doctorId, list })
          .from(doctorId.table)
          .where(isListed(doctorId))
          .groupBy(doctorId)
          .$dynamic();
        return (lookup === undefined ? entries : entries.innerJoin(lookup, eq(lookup.id, entryId))).as(name);
      };
      const designation = listOf('of_designations', LINKS.designation, designations);
      const specialisation = listOf('of_specialisations', LINKS.specialisation, specialisations);
      const availableTime = listOf('of_times', LINKS.available_time);
      const orNone = <E>({ list }: { list: SQL.Aliased }): SQL<E[]> => sql<E[]>`coalesce(${list}, '[]')`;
      const item = json({
        designation: orNone<string>(designation),
        specialisation: orNone<string>(specialisation),
        available_time: orNone<number>(availableTime),
      });
      return db
        .select(itemOf(item))
        .from(doctors)
        .innerJoin(users, ofUser)
        .leftJoin(designation, eq(designation.doctorId, doctors.id))
        .leftJoin(specialisation, eq(specialisation.doctorId, doctors.id))
        .leftJoin(availableTime, eq(availableTime.doctorId, doctors.id))
        .$dynamic();
    },
  });
export const publicPages = pagesAs(doctorJson, takesPatients);
export const staffPages = pagesAs(staffJson, takesPatients);
/** Those whom staff have yet to approve. */
export const unapprovedPages = pagesAs(
  staffJson,
  and(isNull(doctors.archivedAt), sql`not ${doctors.isApproved}`) as SQL,
);
