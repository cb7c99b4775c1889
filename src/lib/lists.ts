import { sql, type SQL } from 'drizzle-orm';
import type { PgSelect } from 'drizzle-orm/pg-core';
import type { Db } from '../../db/client.js';
import { JsonText } from '../../db/json.js';

/**
 * A bare list, built by PostgreSQL in one round trip.
 * @param item the JSON object of one row
 * @param rows selects the columns it is given from the rows of the list, in order
 */
export async function selectList<T>(
  db: Db,
  item: SQL<T>,
  rows: (columns: { item: SQL.Aliased<string> }) => PgSelect,
): Promise<JsonText<T[]>> {
  const selected = rows({ item: sql<string>`${item}::text`.as('item') }).as('list');
  const [row] = await db
    .select({ list: sql<string>`'[' || coalesce(string_agg(item, ','), '') || ']'` })
    .from(selected);
  return new JsonText((row as { list: string }).list);
}
