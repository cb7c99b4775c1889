/** Statements as the floor writes them: every page, list and record is one, built to JSON by PostgreSQL and prepared. */
import { connect } from '../../db/connect.js';
import { FLOOR } from './name.js';

export interface Answer {
  readonly status: number;
  /** JSON. */
  readonly body: string;
}

export const NOT_FOUND: Answer = { status: 404, body: '{"title":"Not found"}' };

export const sql = connect(process.env['DATABASE_URL'] ?? '', { max: 10, connection: { application_name: FLOOR } });

export type Value = string | number;

/** Runs a text that is one of few, so that each is prepared once a connection. Rows are arrays of their columns. */
export const run = (text: string, values: Value[]): Promise<unknown[][]> =>
  sql.unsafe(text, values, { prepare: true }).values() as Promise<unknown[][]>;

/** What is asked for. */
export interface Asked {
  /** Of pictures and links. */
  readonly base: string;
  readonly path: string;
  readonly query: URLSearchParams;
  /** The user who asks, whom the floor believes; `staff`, or '' for nobody. */
  readonly caller: string;
}

/** Adds a value to a statement; returns its parameter, of a type of PostgreSQL's. */
export type Add = (value: Value, type: string) => string;

/** A resource of which there are pages. */
export interface Pages {
  readonly table: string;
  /** The columns of an answer, from the rows of `join`. */
  readonly item: (asked: Asked, add: Add) => string;
  /** What an answer needs besides the row. */
  readonly join?: string;
  /** Of all rows of the list. */
  readonly where?: (asked: Asked, add: Add) => string;
  /** The rows that somebody who is not staff sees, instead of the table's. */
  readonly seen?: (caller: string) => string;
  /** Filters that leave few rows: PostgreSQL would rather go through all in the order of their ids, to find no more. */
  readonly narrow?: ReadonlySet<string>;
  readonly filters?: Readonly<Record<string, (value: string, add: Add) => string>>;
  /** By the name of an order; of rows whose last one has to be the id. */
  readonly orders?: Readonly<Record<string, string>>;
  /** A table that is joined where this is the order. */
  readonly joinForOrder?: Readonly<Record<string, string>>;
}

function adder(values: Value[]): Add {
  return (value, type) => `$${values.push(value)}::${type}`;
}

export async function listPages(pages: Pages, asked: Asked): Promise<Answer> {
  const { query, base, path } = asked;
  const page = Number(query.get('page') ?? 1);
  const limits = Number(query.get('limits') ?? 100);
  const values: Value[] = [];
  const add = adder(values);
  const conditions = pages.where === undefined ? [] : [pages.where(asked, add)];
  for (const [name, value] of query) {
    const filter = pages.filters?.[name];
    if (filter !== undefined) conditions.push(filter(value, add));
  }
  const isSeen = pages.seen !== undefined && asked.caller !== 'staff';
  const from = `${isSeen ? pages.seen(add(asked.caller, 'bigint')) : pages.table} t`;
  const where = conditions.length === 0 ? '' : `where ${conditions.join(' and ')}`;
  const ordering = query.get('ordering') ?? 'id';
  const order = pages.orders?.[ordering] ?? 't.id';
  const cut = `limit ${add(limits, 'int')} offset ${add((page - 1) * limits, 'bigint')}`;
  const isNarrow = order === 't.id' && (isSeen || [...query.keys()].some((name) => pages.narrow?.has(name)));
  const [found, total] = isNarrow
    ? [
        `hits as materialized (select t.id from ${from} ${where}), page as materialized (select id from hits order by id ${cut})`,
        'select count(*) from hits',
      ]
    : [
        `page as materialized (
          select t.id from ${from} ${pages.joinForOrder?.[ordering] ?? ''} ${where} order by ${order} ${cut})`,
        `select count(*) from ${from} ${where}`,
      ];
  const [row = []] = await run(
    `with ${found}, items as (
      select ${pages.item(asked, add)} from ${pages.table} t ${pages.join ?? ''}
      where t.id = any(array(select id from page)) order by ${order}
    )
    select (${total})::int, coalesce(string_agg(row_to_json(items)::text, ','), '') from items`,
    values,
  );
  const [count, items] = row as [number, string];
  if (page > 1 && (page - 1) * limits >= count) return NOT_FOUND;
  const link = (target: number): string => {
    query.delete('page');
    query.append('page', String(target));
    return JSON.stringify(`${base}${path}?${query.toString()}`);
  };
  const next = page * limits < count ? link(page + 1) : 'null';
  const previous = page > 1 ? link(page - 1) : 'null';
  return { status: 200, body: `{"count":${count},"next":${next},"previous":${previous},"results":[${items}]}` };
}

/** A list without pages. */
export async function listAll(statement: (asked: Asked, add: Add) => string, asked: Asked): Promise<Answer> {
  const values: Value[] = [];
  const text = `select coalesce(string_agg(row_to_json(items)::text, ','), '') from (${statement(asked, adder(values))}) items`;
  const [row = []] = await run(text, values);
  return { status: 200, body: `[${row[0] as string}]` };
}

/** One record. */
export async function getOne(statement: (asked: Asked, add: Add) => string, asked: Asked): Promise<Answer> {
  const values: Value[] = [];
  const [row] = await run(`select row_to_json(item)::text from (${statement(asked, adder(values))}) item`, values);
  return row === undefined ? NOT_FOUND : { status: 200, body: row[0] as string };
}
