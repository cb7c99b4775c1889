import { asc, eq, sql } from 'drizzle-orm';
import type { PgColumn } from 'drizzle-orm/pg-core';
import { transaction, type Db, type Tx } from '../../db/client.js';
import { doctors, type designations, type specialisations } from '../../db/tables/index.js';
import { AlreadyTaken, explain, InUse, NotFound } from './errors.js';

/** A named lookup, as the wire has it. */
interface Lookup {
  id: number;
  name: string;
  slug: string;
}

interface LookupService {
  list(db: Db): Promise<Lookup[]>;
  get(db: Db, id: number): Promise<Lookup>;
  create(db: Db | Tx, input: { name: string; slug: string }): Promise<Lookup>;
  /** Changes what is given. */
  update(db: Db, id: number, input: { name?: string; slug?: string }): Promise<Lookup>;
  remove(db: Db, id: number): Promise<void>;
}

/** The most entries that a lookup's list gives. */
export const MAX_LOOKUPS = 10_000;

/** Takes an entry of a lookup off the archived doctors, whose links would keep it from being deleted for ever. */
export async function unlinkArchivedDoctors(tx: Tx, doctorId: PgColumn, entryId: PgColumn, id: number): Promise<void> {
  const archived = tx
    .select({ id: doctors.id })
    .from(doctors)
    .where(sql`${doctors.archivedAt} is not null`);
  await tx.delete(doctorId.table).where(sql`${entryId} = ${id} and ${doctorId} in ${archived}`);
}

interface LookupOptions {
  readonly table: typeof designations | typeof specialisations;
  /** The index that keeps slugs unique. */
  readonly slugConstraint: string;
  /** The columns by which doctors and entries are linked, and the foreign key to the entry. */
  readonly doctorId: PgColumn;
  readonly entryId: PgColumn;
  readonly reference: string;
}

/** The rules that designations and specialisations share. */
export function lookupService({ table, slugConstraint, doctorId, entryId, reference }: LookupOptions): LookupService {
  const columns = { id: table.id, name: table.name, slug: table.slug };
  const slugTaken = { [slugConstraint]: () => new AlreadyTaken(['slug']) };
  const one = (rows: Lookup[]): Lookup => {
    if (rows[0] === undefined) throw new NotFound();
    return rows[0];
  };
  return {
    list: (db) => db.select(columns).from(table).orderBy(asc(table.id)).limit(MAX_LOOKUPS),
    get: async (db, id) => one(await db.select(columns).from(table).where(eq(table.id, id))),
    create: async (db, { name, slug }) =>
      one(await explain(db.insert(table).values({ name, slug }).returning(columns), slugTaken)),
    update: async (db, id, { name, slug }) => {
      const changes = { ...(name !== undefined && { name }), ...(slug !== undefined && { slug }) };
      if (Object.keys(changes).length === 0) return one(await db.select(columns).from(table).where(eq(table.id, id)));
      return one(await explain(db.update(table).set(changes).where(eq(table.id, id)).returning(columns), slugTaken));
    },
    remove: async (db, id) => {
      const removal = transaction(db, async (tx) => {
        await unlinkArchivedDoctors(tx, doctorId, entryId, id);
        return tx.delete(table).where(eq(table.id, id)).returning({ id: table.id });
      });
      const rows = await explain(removal, { [reference]: () => new InUse('A doctor has it.') });
      if (rows.length === 0) throw new NotFound();
    },
  };
}
