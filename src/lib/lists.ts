/**
 * How lists are read: each is declared once, and its SQL is written and prepared once for every set of filters and order
 * that is asked for. PostgreSQL builds the JSON, in one round trip.
 */
import { and, asc, count, desc, or, sql, type Placeholder, type SQL } from 'drizzle-orm';
import type { PgColumn, PgSelect, PgTable } from 'drizzle-orm/pg-core';
import type { Db, Tx } from '../../db/client.js';
import { JsonText } from '../../db/json.js';
import { directBytes } from '../../db/prepared.js';
import { one } from '../../db/rows.js';
import { allItems, readArray, readPage, type Page, type PageQuery } from './pages.js';
import { following, orderBy, orderingOf, readPosition, type Key } from './positions.js';
import type { Visit } from './visit.js';

/** What of a query cuts and orders a list; all else filters it. */
type Cut = keyof PageQuery | 'ordering';

/** A value as the text of a query has it: a placeholder in its place, or in the place of each part of it. */
export type Held<Value> = Value extends undefined
  ? undefined
  : Value extends readonly (infer Each)[]
    ? readonly Held<Each>[]
    : Value extends object
      ? { readonly [Name in keyof Value]: Held<Value[Name]> }
      : SQL;

/**
 * A condition for each filter that the contract gives a list, and for what else narrows it, such as who asks: one that
 * is forgotten does not compile.
 */
export type Filters<Asked> = {
  readonly [Name in Exclude<keyof Asked, Cut>]-?: (value: Held<NonNullable<Asked[Name]>>) => SQL | undefined;
};

/** The keys of an order, but for the id, for each word that the contract allows: one that is forgotten does not compile. */
export type Orders<Asked> = Asked extends { readonly ordering: infer Word extends string }
  ? Readonly<Record<Word, readonly Key[]>>
  : undefined;

type Join = (rows: PgSelect) => PgSelect;

/** Where a page far from the first begins: some steps of the order, and how many rows each has. */
export interface Landing {
  /** Rows of `key` and `total`. */
  readonly steps: SQL;
  readonly isDescending: boolean;
  /** Holds of the rows from the step on that `landing.key` tells. */
  readonly starts: SQL;
}

/** What stands in the place of filters that no index serves in an order: keys, for each of which one does. */
export interface Spread {
  readonly filters: ReadonlySet<string>;
  /** Rows of `key`. */
  readonly keys: SQL;
  /** By what the keys are in the order of the list, where they are: then no more of them are read than the page needs. */
  readonly order?: SQL;
  /** Holds of the rows of the key that `spread.key` tells. */
  readonly holds: SQL;
}

export interface List<Asked> {
  /** The table whose rows the list has. */
  readonly table: PgTable & { readonly id: PgColumn };
  /** What holds of all of them. */
  readonly where?: SQL;
  readonly filters: Filters<Asked>;
  /** By default they are in the order of their ids. */
  readonly orders?: Orders<Asked>;
  /** What a filter or an order needs besides the table, by its name. */
  readonly joins?: Readonly<Record<string, Join>>;
  /** Of a filter that no index serves in order, what it has in parts of which each is so served; no row is in two. */
  readonly parts?: Readonly<Record<string, (value: never) => readonly SQL[]>>;
  /**
   * Filters whose rows are found once, and then counted and cut, as to look for them costs more than to hold their ids.
   * What is `found` by an index comes before all else is judged: PostgreSQL takes it for few rows, and may take another
   * condition for fewer, whose rows would each be compared with all that is looked for.
   */
  readonly once?: Readonly<Record<string, 'found' | 'judged'>>;
  /** Filters of patterns of words. */
  readonly searches?: readonly string[];
  readonly spread?: (ordering: string, asked: Readonly<Record<string, unknown>>) => Spread | undefined;
  /** The number of rows, where it is known without reading them all. */
  readonly counted?: (asked: Readonly<Record<string, unknown>>) => SQL | undefined;
  readonly landing?: (ordering: string, asked: Readonly<Record<string, unknown>>) => Landing | undefined;
  /**
   * Selects `itemOf` the rows, with all that the items are made of.
   * @param isListed tells whether an id, also one in a row of another table, is of a row of the answer
   */
  readonly rows: (db: Db | Tx, isListed: (id: PgColumn) => SQL) => PgSelect;
}

/** What the given ones of a query's filters ask for, all together. */
export function filtered<Query extends object>(
  query: Query,
  filters: { readonly [Name in Exclude<keyof Query, Cut>]-?: (value: NonNullable<Query[Name]>) => SQL | undefined },
): SQL | undefined {
  const conditions = Object.entries(filters) as [keyof Query, (value: unknown) => SQL | undefined][];
  return and(...conditions.map(([name, holds]) => (query[name] === undefined ? undefined : holds(query[name]))));
}

/** Of the keys of a spread, those by which it is found how far all of them have to be read. */
const FIRST_KEYS = 31;

/** What a value is made of: 0 stands for a value of its own. */
type Form = 0 | readonly Form[] | { readonly [part: string]: Form };

type Values = Record<string, unknown>;

/** Tells the form of a value, and puts what it is made of among the values of placeholders. */
function take(value: unknown, name: string, values: Values): Form {
  if (typeof value !== 'object' || value === null) {
    values[name] = value;
    return 0;
  }
  const parts = Object.entries(value)
    .filter(([, part]) => part !== undefined)
    .map(([key, part]) => [key, take(part, `${name}.${key}`, values)] as const);
  return Array.isArray(value) ? parts.map(([, form]) => form) : Object.fromEntries(parts);
}

/** Placeholders in a form. */
function hold(form: Form, name: string): unknown {
  if (form === 0) return sql`${sql.placeholder(name)}`;
  if (Array.isArray(form)) return form.map((part: Form, at) => hold(part, `${name}.${at}`));
  return Object.fromEntries(Object.entries(form).map(([key, part]) => [key, hold(part, `${name}.${key}`)]));
}

/** What the text of a query depends on. */
interface Shape {
  readonly filters: Readonly<Record<string, Form>>;
  readonly ordering: string;
  /** Which values are null of a position that the rows come after. */
  readonly after?: readonly boolean[];
  readonly isFar?: boolean;
  /** Of a page that no rows are skipped for: no fewer rows than it may have, and one. */
  readonly cap?: number | undefined;
}

/** The order in which arrays are cut: their answers are in that of the ids. */
const NEWEST = 'newest';

function keysOf<Asked>({ table, orders }: List<Asked>, ordering: string): readonly Key[] {
  const keys = orders?.[ordering] ?? [];
  return [...keys, { of: table.id, type: 'bigint', isDescending: ordering === NEWEST }];
}

/** What is asked for: the shape of the query, and the values of its placeholders. */
function read<Asked extends object>({ filters }: List<Asked>, asked: Asked, more: Values): [Shape, Values] {
  const values = { ...more };
  const given: Record<string, Form> = {};
  for (const name in filters) {
    const value = (asked as Values)[name];
    if (value !== undefined) given[name] = take(value, name, values);
  }
  return [{ filters: given, ordering: orderingOf(asked) }, values];
}

/** The parts of a list's query. */
function write<Asked>(db: Db | Tx, list: List<Asked>, { filters, ordering, after, isFar = false, cap }: Shape) {
  const { table, joins = {}, parts = {}, once = {} } = list;
  const names = Object.keys(filters);
  const asked = Object.fromEntries(names.map((name) => [name, hold(filters[name] as Form, name)]));
  const holds = list.filters as Readonly<Record<string, (value: unknown) => SQL | undefined>>;
  const conditions = (names: string[]) => names.map((name) => holds[name]?.(asked[name]));
  const joined = (rows: PgSelect, names: string[]) => names.reduce((rows, name) => joins[name]?.(rows) ?? rows, rows);
  const keys = keysOf(list, ordering);
  const order = orderBy(keys);
  const byName = keys.map((key, at) => ({ ...key, of: sql`${sql.identifier(`k${at}`)}` }));
  const columns = Object.fromEntries(keys.map(({ of }, at) => [`k${at}`, sql`${of}`.as(`k${at}`)]));
  const isOnce = names.some((name) => once[name] !== undefined);
  const spread = isFar || isOnce ? undefined : list.spread?.(ordering, asked);
  const rowsOf = (source: PgTable | SQL, where: SQL | undefined) =>
    joined(
      db
        .select({ id: sql`${table.id}`.as('id'), ...columns })
        .from(source)
        .$dynamic(),
      [...names, ordering],
    ).where(where);
  const inOrder = names.filter((name) => parts[name] === undefined && !spread?.filters.has(name));
  const where = and(list.where, ...conditions(inOrder));
  const ids = (range?: SQL) => rowsOf(table, and(where, range)).orderBy(...order);
  const found = names.filter((name) => once[name] === 'found');
  /** All rows, in no order. */
  const hits = (): SQL => {
    const rest = conditions(names.filter((name) => !found.includes(name)));
    if (found.length === 0) return rowsOf(table, and(list.where, ...rest)).getSQL();
    const first = sql`(select * from ${table} where ${and(list.where, ...conditions(found))} offset 0) as ${table}`;
    return rowsOf(first, and(...rest)).getSQL();
  };
  const total = () =>
    sql`(${joined(db.select({ count: count() }).from(table).$dynamic(), names).where(and(list.where, ...conditions(names)))})`;
  const values = after?.map((isNull, at) => (isNull ? null : sql`${sql.placeholder(`after.${at}`)}`));
  /** What is read by itself, in order, each no further than the page reaches. */
  const ranges = (): (SQL | undefined)[] => {
    const rest = values ? following(keys, values) : [undefined];
    const split = names.flatMap((name) => parts[name]?.(asked[name] as never) ?? []);
    return split.length === 0 ? rest : rest.flatMap((range) => split.map((part) => and(range, part)));
  };
  const offset = sql`${cap === undefined ? sql.placeholder('offset') : 0}::bigint`;
  const most = sql.placeholder('most');
  /**
   * No more than the page needs. Of a limit that it does not know PostgreSQL expects a tenth of all rows, and would plan for
   * each request, which takes as long as to run it, in the hope of less.
   */
  const enoughOf = (rows: SQL) =>
    cap === undefined
      ? sql`${rows} limit ${most}::bigint + ${offset}`
      : sql`select * from (${rows} limit ${sql.raw(String(cap))}) as capped limit ${most}`;
  const landing = isFar && !isOnce ? list.landing?.(ordering, asked) : undefined;
  return {
    ids,
    /** The rows of a page, and one more, which tells whether there is another page. */
    cut: (): SQL => {
      const order = sql.join(orderBy(byName), sql`, `);
      const cutTo = (rows: SQL) => sql`select * from ${rows} order by ${order} limit ${most} offset ${offset}`;
      if (isOnce) return cutTo(sql`hits where ${values ? or(...following(byName, values)) : sql`true`}`);
      if (landing) {
        return sql`${ids(landing.starts)} limit ${most} offset ${offset} - (select before from landing)`;
      }
      const [first, ...others] = ranges();
      if (others.length === 0 && !spread) {
        const rows = sql`${ids(first)}`;
        return cap === undefined ? sql`${rows} limit ${most} offset ${offset}` : enoughOf(rows);
      }
      const all = [first, ...others].map((range) =>
        spread
          ? spreadOut(spread, { id: table.id, order, enoughOf, ids: (more) => ids(and(range, more)) })
          : sql`(${enoughOf(sql`${ids(range)}`)})`,
      );
      return cutTo(sql`(${sql.join(all, sql` union all `)}) as found`);
    },
    /** Of the last row of a page after which another comes: what it is ordered by. */
    position: sql<string | null>`(select json_build_array(${sql.join(
      keys.map((_, at) => sql`${sql.identifier(`k${at}`)}::text`),
      sql`, `,
    )})::text from ids where (select count(*) from ids) > ${sql.placeholder('limits')}::int
      offset ${sql.placeholder('limits')}::int - 1 limit 1)`,
    total: sql<number>`${isOnce ? sql`(select count(*) from hits)` : (list.counted?.(asked) ?? total())}::int`,
    /** Reads the rows of a cut, in order: it is made before anything is joined, so that no other row costs a join. */
    select: <Fields extends Record<string, SQL.Aliased>>(cut: SQL, most: Placeholder | number, fields: Fields) => {
      const isListed = (id: PgColumn) => sql`${id} = any(array(select id from ids limit ${most}))`;
      const rows = list
        .rows(db, isListed)
        .where(isListed(table.id))
        .orderBy(...(ordering === NEWEST ? [asc(table.id)] : order));
      const withs = [
        ...(landing ? [['landing', landingRow(landing)] as const] : []),
        ...(isOnce ? [['hits', hits()] as const] : []),
        ['ids', cut] as const,
      ];
      return db
        .with(...withs.map(([name, query]) => db.$with(name, { id: sql<number>`id` }).as(query)))
        .select({ ...fields, results: allItems })
        .from(ordering === NEWEST ? sql`(${newestThatFit(rows)}) as page` : rows.as('page'));
    },
  };
}

interface SpreadRows {
  readonly id: PgColumn;
  readonly ids: (range: SQL | undefined) => PgSelect;
  readonly order: SQL;
  /** No more of some rows than are needed. */
  readonly enoughOf: (rows: SQL) => SQL;
}

/**
 * The first rows of each key, among which are the first of all. Of keys that are in no order those with the lowest ids
 * are: what the first keys have enough of is a bound to the others, most of which then have little or nothing to be read.
 */
function spreadOut({ keys, order: byKey, holds }: Spread, { id, ids, order, enoughOf }: SpreadRows): SQL {
  const each = (keys: SQL, bound?: SQL) =>
    sql`select each.* from ${keys} as spread cross join lateral (${enoughOf(sql`${ids(and(holds, bound))}`)}) as each`;
  if (byKey) return sql`(${enoughOf(sql`(${each(keys)} order by ${byKey}, ${order})`)})`;
  const first = each(sql`(select * from ${keys} as keys limit ${sql.raw(String(FIRST_KEYS))})`);
  const last = sql`(select max(id) from (${enoughOf(sql`(${first} order by id)`)}) as firsts
    having count(*) = ${sql.placeholder('most')} + ${sql.placeholder('offset')}::bigint)`;
  return sql`(${each(keys, sql`${id} <= coalesce(${last}, 9223372036854775807)`)})`;
}

/** The step in which a row far from the first is found, and how many rows come before the step. */
const landingRow = ({ steps, isDescending }: Landing): SQL => {
  const order = isDescending ? sql`key desc` : sql`key`;
  return sql`select key, upto - total as before from (
      select key, sum(total)::bigint as total, sum(sum(total)) over (order by ${order})::bigint as upto
      from ${steps} group by key
    ) as steps where upto > ${sql.placeholder('offset')} order by ${order} limit 1`;
};

/** Reads a list as it is asked for. `values` are those of placeholders that its own SQL has. */
type Reader<Asked, Answer> = (visit: Visit, asked: Asked, values?: Values) => Promise<JsonText<Answer>>;

/** For the most pages: their texts are as few as the caps, and not one for each limit. */
const CAPS = [101, 1001];

/** What a word has to have for an index of trigrams to find it by. */
const TRIGRAM = /[\p{L}\p{N}]{3}/u;

/** Words, each of which is looked for. */
const MANY_WORDS = 5;

/** Whether the cost of a search grows with what is stored, whatever it finds. */
function isCostlySearch<Asked>({ searches = [] }: List<Asked>, values: Values): boolean {
  const isWord = (name: string) => searches.some((search) => name === search || name.startsWith(`${search}.`));
  const patterns = Object.entries(values).flatMap(([name, value]) =>
    typeof value === 'string' && value.startsWith('%') && isWord(name) ? [value] : [],
  );
  return patterns.length > MANY_WORDS || patterns.some((pattern) => !TRIGRAM.test(pattern));
}

/** How many rows a page is off, for it to be worth a look where it begins. */
const FAR = 5_000;

/** What is asked for of a list in pages, and whether its cost grows with what is stored. */
function readPlace<Asked extends object>(
  list: List<Asked>,
  asked: Asked & PageQuery,
  more: Values,
): { shape: Shape; values: Values; isCostly: boolean } {
  const { page, limits, after } = asked;
  const offset = after === undefined ? (page - 1) * limits : 0;
  const most = limits + 1;
  const [shape, values] = read(list, asked, { ...more, limits, most, offset });
  const isFar = offset >= FAR;
  const cap = offset === 0 ? CAPS.find((cap) => cap >= most) : undefined;
  let place: Pick<Shape, 'after' | 'isFar' | 'cap'> = { isFar, cap };
  if (after !== undefined) {
    const position = readPosition(after, shape.ordering, keysOf(list, shape.ordering));
    take(position, 'after', values);
    place = { after: position.map((value) => value === null), cap };
  }
  return { shape: { ...shape, ...place }, values, isCostly: isFar || isCostlySearch(list, values) };
}

/** A list that comes in pages. */
export function pagesOf<Asked extends object, T>(list: List<Asked>): Reader<Asked & PageQuery, Page<T>> {
  const limits = sql.placeholder('limits');
  const select = directBytes((db, shape: Shape) => {
    const { cut, position, total, select } = write(db, list, shape);
    return select(cut(), limits, { count: total.as('count'), position: position.as('position') });
  });
  /** @throws ProblemError not-found for a page past the end, but not for the first page, nor after a position */
  return async ({ db, costly, link }, asked, more = {}) => {
    const { shape, values, isCostly } = readPlace(list, asked, more);
    const ask = (db: Db | Tx) => select(db, shape)(values);
    const row = one(await (isCostly ? costly(ask) : ask(db)));
    const [count, position, results] = row as [Buffer, Buffer | null, Buffer];
    return readPage({ count: Number(count), position: position && String(position), results }, asked, link);
  };
}

/** Bytes of an array, so that the longest texts in all of its rows do not come to many times what a page of others has. */
const ARRAY_BYTES = 8 * 1024 * 1024;

/** Of rows in the order of their ids the last ones, as far as they come to no more bytes. */
const newestThatFit = (rows: PgSelect): SQL => sql`select item from (
    select item, sum(octet_length(item) + 1) over (rows between current row and unbounded following) as bytes
    from ${rows.as('rows')}
  ) as sized where bytes <= ${sql.raw(String(ARRAY_BYTES))}`;

/**
 * A list that comes as a bare array.
 * @param most how many rows it has at the most: the newest
 */
export function arrayOf<Asked extends object, T>(list: List<Asked>, most: number): Reader<Asked, T[]> {
  const select = directBytes((db, shape: Shape) => {
    const { ids, select } = write(db, list, shape);
    return select(ids().orderBy(desc(list.table.id)).limit(most).getSQL(), most, {});
  });
  return async ({ db }, asked, more = {}) => {
    const [shape, values] = read(list, asked, more);
    const [results] = one(await select(db, shape)(values)) as [Buffer];
    return new JsonText(results);
  };
}

/** A list that comes as a bare array in pages, of which the first has the newest rows. */
export function pagesOfNewest<Asked extends object, T>(list: List<Asked>): Reader<Asked & PageQuery, T[]> {
  const limits = sql.placeholder('limits');
  const select = directBytes((db, shape: Shape) => {
    const { cut, select } = write(db, list, shape);
    // Of the oldest row that has found room, where there are older ones.
    const position = sql<string | null>`case when (select count(*) from ids) > count(item) then (
      select json_build_array(k0::text)::text from ids order by k0 desc offset count(item) - 1 limit 1) end`;
    return select(cut(), limits, { position: position.as('position') });
  });
  /** @throws ProblemError not-found for a page past the end, but not for the first page, nor after a position */
  return async ({ db, costly, link }, query, more = {}) => {
    const asked = { ...query, ordering: NEWEST };
    const { shape, values, isCostly } = readPlace(list, asked, more);
    const ask = (db: Db | Tx) => select(db, shape)(values);
    const [position, results] = one(await (isCostly ? costly(ask) : ask(db))) as [Buffer | null, Buffer];
    return readArray({ results, position: position && String(position) }, asked, link);
  };
}
