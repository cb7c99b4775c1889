import { eq, sql, type SQL } from 'drizzle-orm';
import type { PgColumn } from 'drizzle-orm/pg-core';
import type { Db, Tx } from '../../db/client.js';
import { column, jsonObject, JsonText } from '../../db/json.js';
import { directByKey } from '../../db/prepared.js';
import { oneOrNone } from '../../db/rows.js';
import {
  doctorAvailableTimes,
  doctorDesignations,
  doctors,
  doctorSpecialisations,
  type designations,
  type specialisations,
} from '../../db/tables/index.js';
import type { Designation, Specialisation } from '../../openapi/generated/schemas.js';
import type { Input } from '../../openapi/operation.js';
import { AlreadyTaken, explain, InUse, NotFound } from './errors.js';
import { arrayOf } from './lists.js';
import { itemOf } from './pages.js';
import { nothingElse } from './patches.js';
import { inTransaction, type Visit, type Within } from './visit.js';

/** A named lookup, as the wire has it. */
type Lookup = Designation & Specialisation;

interface LookupService {
  list(visit: Visit): Promise<JsonText<Lookup[]>>;
  get(visit: Visit, input: Input<'getDesignation'>): Promise<JsonText<Lookup>>;
  create(visit: Visit, input: Input<'createDesignation'>): Promise<Lookup>;
  /** Changes what is given. */
  update(visit: Visit, input: Input<'updateDesignation'>): Promise<Lookup | JsonText<Lookup>>;
  remove(visit: Visit, input: Input<'deleteDesignation'>): Promise<void>;
}

/** The most entries that a lookup's list gives. */
export const MAX_LOOKUPS = 10_000;

/** The columns by which doctors and the entries of a lookup are linked. */
export interface Links {
  readonly doctorId: PgColumn;
  readonly entryId: PgColumn;
}

/** The links of doctors, by the field that shows them. */
export const LINKS = {
  designation: { doctorId: doctorDesignations.doctorId, entryId: doctorDesignations.designationId },
  specialisation: { doctorId: doctorSpecialisations.doctorId, entryId: doctorSpecialisations.specialisationId },
  available_time: { doctorId: doctorAvailableTimes.doctorId, entryId: doctorAvailableTimes.availableTimeId },
} as const satisfies Record<string, Links>;

/** Doctors that are linked to an entry. */
export const isLinkedTo = ({ doctorId, entryId }: Links, id: number | SQL): SQL =>
  sql`${doctors.id} in (select ${doctorId} from ${entryId.table} where ${entryId} = ${id})`;

/** Takes an entry of a lookup off the archived doctors, whose links would keep it from being deleted for ever. */
export async function unlinkArchivedDoctors({ db }: Within, { doctorId, entryId }: Links, id: number): Promise<void> {
  const archived = db
    .select({ id: doctors.id })
    .from(doctors)
    .where(sql`${doctors.archivedAt} is not null`);
  await db.delete(doctorId.table).where(sql`${entryId} = ${id} and ${doctorId} in ${archived}`);
}

interface LookupOptions {
  readonly links: Links;
  readonly table: typeof designations | typeof specialisations;
  /** The index that keeps slugs unique. */
  readonly slugConstraint: string;
  /** By the foreign key to the entry, what has it. */
  readonly references: Readonly<Record<string, string>>;
}

/** The rules that designations and specialisations share. */
export function lookupService({ table, slugConstraint, references, links }: LookupOptions): LookupService {
  const columns = { id: table.id, name: table.name, slug: table.slug };
  const inUse = Object.fromEntries(Object.entries(references).map(([name, text]) => [name, () => new InUse(text)]));
  const slugTaken = { [slugConstraint]: () => new AlreadyTaken(['slug']) };
  const one = (rows: Lookup[]): Lookup => {
    const row = oneOrNone(rows);
    if (row === undefined) throw new NotFound();
    return row;
  };
  const json = jsonObject<Lookup>({ id: column(table.id), name: column(table.name), slug: column(table.slug) });
  const rows = (db: Db | Tx) => db.select(itemOf(json)).from(table).$dynamic();
  const byId = directByKey((db) => rows(db).where(eq(table.id, sql.placeholder('id'))));
  const get: LookupService['get'] = async ({ db }, { params }) => {
    const row = oneOrNone(await byId(db)(params));
    if (row === undefined) throw new NotFound();
    return new JsonText(row.item);
  };
  const list = arrayOf<object, Lookup>({ table, filters: {}, rows }, MAX_LOOKUPS);
  const update: LookupService['update'] = async (visit, { params, body }) => {
    const { name, slug, ...rest } = body;
    nothingElse(rest);
    if (name === undefined && slug === undefined) return get(visit, { params });
    const change = visit.db.update(table).set({ name, slug }).where(eq(table.id, params.id)).returning(columns);
    return one(await explain(change, slugTaken));
  };
  return {
    list: (visit) => list(visit, {}),
    get,
    create: async ({ db }, { body: { name, slug, ...rest } }) => {
      nothingElse(rest);
      return one(await explain(db.insert(table).values({ name, slug }).returning(columns), slugTaken));
    },
    update,
    remove: async (visit, { params: { id } }) => {
      const removal = inTransaction(visit, async (visit) => {
        await unlinkArchivedDoctors(visit, links, id);
        return visit.db.delete(table).where(eq(table.id, id)).returning({ id: table.id });
      });
      const rows = await explain(removal, inUse);
      if (rows.length === 0) throw new NotFound();
    },
  };
}
