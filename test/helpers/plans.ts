import type { Sql } from 'postgres';
import type { Test } from 'tap';
import type { Db } from '../../db/client.js';
import { openTestDatabase } from './database.js';

/** What a query may read. Unlike its time, this does not hang on what else the machine does. */
const MOST_PAGES = 20_000;

interface Query {
  readonly text: string;
  readonly values: (string | number | boolean | null)[];
}

interface Node {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly 'Shared Hit Blocks': number;
  readonly 'Shared Read Blocks': number;
  readonly Plans?: Node[];
}

/** Tables that a plan reads from end to end. */
function scanned(node: Node): string[] {
  const own = node['Node Type'].includes('Seq Scan') ? [node['Relation Name'] ?? ''] : [];
  return own.concat((node.Plans ?? []).flatMap(scanned));
}

const literal = (value: string | number | boolean | null): string =>
  value === null ? 'null' : `'${String(value).replaceAll("'", "''")}'`;

/** A database, opened as production opens it, whose queries can be asked for their plans. */
export class PlannedDatabase {
  readonly db: Db;
  readonly #client: Sql;
  readonly #queries: Query[] = [];
  #isWatching = false;

  private constructor(db: Db) {
    this.db = db;
    this.#client = (db as unknown as { $client: Sql }).$client;
    // What Drizzle sends and what is sent without it both go this way.
    const unsafe = this.#client.unsafe.bind(this.#client) as (...args: unknown[]) => unknown;
    Object.assign((db as unknown as { $client: Sql }).$client, {
      unsafe: (text: string, values: Query['values'] = [], ...more: unknown[]) => {
        if (this.#isWatching) this.#queries.push({ text, values });
        return unsafe(text, values, ...more);
      },
    });
  }

  static async open(t: Test): Promise<PlannedDatabase> {
    // Of one connection, so that settings hold for what comes next.
    return new PlannedDatabase((await openTestDatabase(t, { pool: 1 })).database.db);
  }

  async #run(...statements: string[]): Promise<void> {
    for (const statement of statements) await this.#client.unsafe(statement);
  }

  /** Fills the tables, and makes statistics of them. The slow indexes are made when the rows are there. */
  async fill(...statements: string[]): Promise<void> {
    const slow = await this.#client.unsafe<{ name: string; definition: string; statistics: number }[]>(`
      select quote_ident(relname) as name, pg_get_indexdef(pg_class.oid) as definition,
        coalesce(attstattarget, -1) as statistics
      from pg_class join pg_am on pg_am.oid = relam join pg_attribute on attrelid = pg_class.oid and attnum = 1
      where amname = 'gin' and relnamespace = 'public'::regnamespace`);
    await this.#run('set statement_timeout = 0', ...slow.map(({ name }) => `drop index ${name}`));
    await this.#run(
      ...statements,
      ...slow.map(({ definition }) => definition),
      ...slow
        .filter(({ statistics }) => statistics >= 0)
        .map(({ name, statistics }) => `alter index ${name} alter column 1 set statistics ${statistics}`),
      'vacuum analyze',
      'reset statement_timeout',
    );
  }

  async #plan(statement: string, values: Query['values'] = []): Promise<Node> {
    const [row] = await this.#client.unsafe(`explain (analyze, buffers, format json) ${statement}`, values as string[]);
    return (row as unknown as { 'QUERY PLAN': [{ Plan: Node }] })['QUERY PLAN'][0].Plan;
  }

  /**
   * Asserts that no query of `work` reads one of the tables from end to end, be it planned for its values or, as
   * PostgreSQL may come to do with a prepared statement, once for all values; and that the work is quick.
   */
  async usesIndexes(
    t: Test,
    tables: readonly string[],
    work: (db: Db) => Promise<unknown>,
    most = MOST_PAGES,
  ): Promise<void> {
    this.#queries.length = 0;
    this.#isWatching = true;
    await work(this.db);
    this.#isWatching = false;
    const queries = [...this.#queries];
    t.ok(queries.length > 0, 'there is a query');
    for (const { text, values } of queries) {
      const forValues = await this.#plan(text, values);
      await this.#run("set plan_cache_mode = 'force_generic_plan'", `prepare query as ${text}`);
      const forAll = await this.#plan(`execute query(${values.map(literal).join(', ')})`);
      await this.#run('deallocate query', 'reset plan_cache_mode');
      for (const [how, plan] of Object.entries({ forValues, forAll })) {
        const found = scanned(plan).filter((table) => tables.includes(table));
        t.strictSame(found, [], `${how} without a sequential scan`, { query: text, values });
        const pages = plan['Shared Hit Blocks'] + plan['Shared Read Blocks'];
        t.ok(pages < most, `${how} with ${pages} pages`, { query: text, values });
      }
    }
  }
}
