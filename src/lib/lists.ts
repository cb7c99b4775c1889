import { and, sql, type SQL } from 'drizzle-orm';
import type { PgSelect } from 'drizzle-orm/pg-core';
import { JsonText } from '../../db/json.js';
import { one } from '../../db/rows.js';
import type { Visit } from './visit.js';

/** What of a query cuts and orders a list; all else filters it. */
type Shape = 'page' | 'limits' | 'ordering';

/**
 * A condition for each filter that the contract gives a list: one that is forgotten does not compile. `Value` is what
 * the conditions are made of where that is not the filter's own value, but its placeholder.
 */
export type Filters<Query, Value = never> = {
  readonly [Name in Exclude<keyof Query, Shape>]-?: [Value] extends [never]
    ? (value: NonNullable<Query[Name]>) => SQL | undefined
    : (value: Value) => SQL;
};

/** An order for each word that the contract allows: one that is forgotten does not compile. */
export type Orders<Query extends { readonly ordering: string }> = Readonly<Record<Query['ordering'], readonly SQL[]>>;

/** What the given ones of a query's filters ask for, all together. */
export function filtered<Query extends object>(query: Query, filters: Filters<Query>): SQL | undefined {
  const conditions = Object.entries(filters) as [keyof Query, (value: unknown) => SQL | undefined][];
  return and(...conditions.map(([name, holds]) => (query[name] === undefined ? undefined : holds(query[name]))));
}

/**
 * A bare list, built by PostgreSQL in one round trip.
 * @param item the JSON object of one row
 * @param rows selects the columns it is given from the rows of the list, in order
 */
export async function selectList<T>(
  { db }: Visit,
  item: SQL<T>,
  rows: (columns: { item: SQL.Aliased<string> }) => PgSelect,
): Promise<JsonText<T[]>> {
  const selected = rows({ item: sql<string>`${item}::text`.as('item') }).as('list');
  const { list } = one(
    await db.select({ list: sql<string>`'[' || coalesce(string_agg(item, ','), '') || ']'` }).from(selected),
  );
  return new JsonText(list);
}
