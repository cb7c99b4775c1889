/** Copies a database into another one: all rows, table by table, as a backup would bring them. */
import { pipeline } from 'node:stream/promises';
import type postgres from './driver.js';
import { one } from './rows.js';

/** What keeps a database from being moved to. The message is one line. */
export class MoveRefused extends Error {
  override readonly name = 'MoveRefused';
}

export interface Table {
  readonly name: string;
  /** Those that have values of their own, in quotes. */
  readonly columns: readonly string[];
  /** Tables that it refers to. */
  readonly targets: readonly string[];
}

/** In the target, what has been copied, until all has. */
const DONE = 'hospital_move.done';

/** What an instance notes in a database that it has only begun to use. */
const NOTED = new Set(['signing_secrets', 'picture_places']);

/** The tables, each after those that it refers to, as its constraints are judged at once. */
async function tablesOf(source: postgres.Sql): Promise<Table[]> {
  const left = await source<Table[]>`
    select c.relname as name,
      (select json_agg(quote_ident(attname) order by attnum) from pg_attribute
        where attrelid = c.oid and attnum > 0 and not attisdropped and attgenerated = '') as columns,
      (select coalesce(json_agg(distinct t.relname), '[]') from pg_constraint k join pg_class t on t.oid = k.confrelid
        where k.contype = 'f' and k.conrelid = c.oid and k.confrelid <> c.oid) as targets
    from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' order by c.relname`;
  const sorted: Table[] = [];
  while (left.length > 0) {
    const next = left.findIndex(({ targets }) => !left.some(({ name }) => targets.includes(name)));
    if (next < 0) throw new Error('tables refer to each other in a circle');
    sorted.push(...left.splice(next, 1));
  }
  return sorted;
}

/** How many rows a table has, and a number that tells other rows apart: the order in which they lie is nothing of it. */
async function stateOf(sql: postgres.Sql, { name, columns }: Table): Promise<{ rows: number; digest: string }> {
  const state = await sql.unsafe<{ rows: number; digest: string }[]>(`
    select count(*)::float8 as rows,
      coalesce(sum(('x' || left(md5(row(${columns.join()})::text), 15))::bit(60)::bigint), 0)::text as digest
    from public."${name}"`);
  return one([...state]);
}

export interface MoveProgress {
  /** Says what is about to be done. */
  step(what: string): void;
}

/**
 * Moves all rows. It may be ended at any time and begun again: a table is copied as a whole, and what was copied is not
 * copied again. At the end each table is compared with its copy.
 * @param source with one connection; nothing else may use the database meanwhile
 * @param target the same, of a role that owns a database that is migrated as far as the source and has no rows
 * @returns rows by table
 * @throws MoveRefused where the target has rows of its own, or the source was changed between two attempts
 */
export async function moveDatabase(
  source: postgres.Sql,
  target: postgres.Sql,
  progress: MoveProgress,
): Promise<Map<string, number>> {
  const tables = await tablesOf(source);
  if (!(await isBeingMovedTo(target))) {
    for (const { name } of tables) {
      if (NOTED.has(name)) continue;
      const first = await target.unsafe(`select from public."${name}" limit 1`);
      if (first.length > 0)
        throw new MoveRefused(`the database to move to has rows already, in ${name}: it has to be an empty one`);
    }
    await target.begin(async (tx) => {
      await tx`create schema hospital_move`;
      await tx`create table hospital_move.done (name text primary key)`;
    });
  }
  const done = new Set((await target<{ name: string }[]>`select name from hospital_move.done`).map(({ name }) => name));
  // As pg_restore has it: triggers that write what the rows came with already leave them alone.
  await target`select set_config('search_path', '', false)`;
  for (const table of tables) {
    if (done.has(table.name)) continue;
    const { name } = table;
    progress.step(`copying ${name}`);
    await target.begin(async (tx) => {
      if (NOTED.has(name)) await tx.unsafe(`delete from public."${name}"`);
      const columns = `public."${name}" (${table.columns.join()})`;
      const from = await source.unsafe(`copy ${columns} to stdout`).readable();
      await pipeline(from, await tx.unsafe(`copy ${columns} from stdin`).writable());
      await tx`insert into hospital_move.done values (${name})`;
    });
  }
  const rows = new Map<string, number>();
  for (const table of tables) {
    progress.step(`comparing ${table.name}`);
    const [was, is] = [await stateOf(source, table), await stateOf(target, table)];
    if (was.rows !== is.rows || was.digest !== is.digest) {
      throw new MoveRefused(
        `${table.name} was changed since it was copied: make the database to move to anew, and begin again with the server stopped`,
      );
    }
    rows.set(table.name, is.rows);
  }
  progress.step('numbers of new rows, and statistics');
  const sequences = await source<{ name: string; last: string | null }[]>`
    select quote_ident(sequencename) as name, last_value::text as last from pg_sequences where schemaname = 'public'`;
  await target.begin(async (tx) => {
    for (const { name, last } of sequences) {
      if (last !== null) await tx`select setval(${`public.${name}`}::regclass, ${last}::bigint)`;
    }
    await tx`drop schema hospital_move cascade`;
  });
  await target`analyze`;
  return rows;
}

/** Whether a database is one that a move has not ended in. */
export async function isBeingMovedTo(sql: postgres.Sql): Promise<boolean> {
  const rows = await sql<{ isBegun: boolean }[]>`select to_regclass(${DONE}) is not null as "isBegun"`;
  return one([...rows]).isBegun;
}
