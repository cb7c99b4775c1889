/**
 * How lists are read: each is declared once, and its SQL is written and prepared once for every set of filters and order
 * that is asked for. PostgreSQL builds the JSON, in one round trip.
 */
import { and, asc, count, desc, sql, type SQL } from 'drizzle-orm';
import type { PgColumn, PgSelect, PgTable } from 'drizzle-orm/pg-core';
import type { Db, Tx } from '../../db/client.js';
import { JsonText } from '../../db/json.js';
import { direct } from '../../db/prepared.js';
import { one } from '../../db/rows.js';
import { allItems, readPage, type Page, type PageQuery } from './pages.js';
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

/** An order for each word that the contract allows: one that is forgotten does not compile. */
export type Orders<Asked> = Asked extends { readonly ordering: infer Word extends string }
  ? Readonly<Record<Word, readonly SQL[]>>
  : undefined;

type Join = (rows: PgSelect) => PgSelect;

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
}

/** What is asked for: the shape of the query, and the values of its placeholders. */
function read<Asked extends object>({ filters }: List<Asked>, asked: Asked, more: Values): [Shape, Values] {
  const values = { ...more };
  const given: Record<string, Form> = {};
  for (const name in filters) {
    const value = (asked as Values)[name];
    if (value !== undefined) given[name] = take(value, name, values);
  }
  return [{ filters: given, ordering: 'ordering' in asked ? String(asked.ordering) : 'id' }, values];
}

/** The parts of a list's query. */
function write<Asked>(db: Db | Tx, list: List<Asked>, { filters, ordering }: Shape) {
  const { table, joins = {} } = list;
  const holds = list.filters as Readonly<Record<string, (value: unknown) => SQL | undefined>>;
  const where = and(list.where, ...Object.entries(filters).map(([name, form]) => holds[name]?.(hold(form, name))));
  const found = (rows: PgSelect, names: string[]) =>
    names.reduce((rows, name) => joins[name]?.(rows) ?? rows, rows).where(where);
  const order = (list.orders as Readonly<Record<string, readonly SQL[]>> | undefined)?.[ordering] ?? [asc(table.id)];
  const names = Object.keys(filters);
  return {
    ids: found(db.select({ id: table.id }).from(table).$dynamic(), [...names, ordering]),
    order,
    total: sql<number>`(${found(db.select({ count: count() }).from(table).$dynamic(), names)})::int`,
    /** Reads the rows of a cut, in order: it is made before anything is joined, so that no other row costs a join. */
    select: <Fields extends Record<string, SQL.Aliased>>(ids: PgSelect, fields: Fields) => {
      const cut = db.$with('ids').as(ids);
      const isListed = (id: PgColumn) => sql`${id} = any(array(select id from ${cut}))`;
      const rows = list
        .rows(db, isListed)
        .where(isListed(table.id))
        .orderBy(...order);
      return db.with(cut).select(fields).from(rows.as('page'));
    },
  };
}

/** Reads a list as it is asked for. `values` are those of placeholders that its own SQL has. */
type Reader<Asked, Answer> = (visit: Visit, asked: Asked, values?: Values) => Promise<JsonText<Answer>>;

/** A list that comes in pages. */
export function pagesOf<Asked extends object, T>(list: List<Asked>): Reader<Asked & PageQuery, Page<T>> {
  const select = direct((db, shape: Shape) => {
    const { ids, order, total, select } = write(db, list, shape);
    const cut = ids
      .orderBy(...order)
      .limit(sql.placeholder('limits'))
      .offset(sql.placeholder('offset'));
    return select(cut, { count: total.as('count'), results: allItems });
  });
  /** @throws ProblemError not-found for a page past the end, but not for the first page */
  return async ({ db, link }, asked, more = {}) => {
    const { page, limits } = asked;
    const [shape, values] = read(list, asked, { ...more, limits, offset: (page - 1) * limits });
    return readPage(one(await select(db, shape)(values)), asked, link);
  };
}

/**
 * A list that comes as a bare array.
 * @param most how many rows it has at the most: the newest
 */
export function arrayOf<Asked extends object, T>(list: List<Asked>, most: number): Reader<Asked, T[]> {
  const select = direct((db, shape: Shape) => {
    const { ids, select } = write(db, list, shape);
    return select(ids.orderBy(desc(list.table.id)).limit(most), { results: allItems });
  });
  return async ({ db }, asked, more = {}) => {
    const [shape, values] = read(list, asked, more);
    return new JsonText(one(await select(db, shape)(values)).results);
  };
}
