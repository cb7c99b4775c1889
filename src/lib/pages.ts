import { sql, type SQL } from 'drizzle-orm';
import type { PgSelect } from 'drizzle-orm/pg-core';
import { JsonText } from '../../db/json.js';
import { ProblemError } from '../../openapi/generated/problems.js';
import type { Db, Tx } from '../../db/client.js';

/** Where a request was sent, for the URLs in its answer. */
export interface Link {
  /** Scheme, host and any prefix, without a slash at the end. */
  readonly base: string;
  /** Path and query as sent. */
  readonly path: string;
}

export interface PageQuery {
  readonly page: number;
  readonly limits: number;
}

interface Page<T> {
  count: number;
  next: string | null;
  previous: string | null;
  results: T[];
}

function pageLink({ base, path }: Link, page: number): string {
  const [pathname = '', query = ''] = path.split('?', 2);
  const parameters = new URLSearchParams(query);
  parameters.set('page', String(page));
  return JSON.stringify(`${base}${pathname}?${parameters.toString()}`);
}

/**
 * One page of a list, built by PostgreSQL in one round trip.
 * @param item the JSON object of one row
 * @param rows selects the columns it is given from all rows of the list, in order
 * @param total the number of all rows, as a scalar subquery
 * @throws ProblemError not-found for a page past the end, but not for the first page
 */
export async function selectPage<T>(
  db: Db,
  item: SQL<T>,
  rows: (columns: { item: SQL.Aliased<string> }) => PgSelect,
  total: SQL,
  query: PageQuery,
  link: Link,
): Promise<JsonText<Page<T>>> {
  const text = sql<string>`${item}::text`.as('item');
  return answerPage(db, cutPage(rows({ item: text }), query), total, query, link);
}

/** The rows of a query that are on the page. */
export function cutPage<Q extends PgSelect>(rows: Q, { page, limits }: PageQuery): Q {
  return rows.limit(limits).offset((page - 1) * limits);
}

/**
 * As `selectPage`, for a query that selects the page's rows alone, each as JSON text named `item`. A list that joins
 * tables cuts the page before it joins, so that the rows of earlier pages cost no joins.
 */
export async function answerPage<T>(
  db: Db,
  rows: PgSelect,
  total: SQL,
  query: PageQuery,
  link: Link,
): Promise<JsonText<Page<T>>> {
  const [row] = await pageOf(db, rows, total);
  return readPage(row as PageRow, query, link);
}

/** What PostgreSQL answers of a page: the number of all rows, and the page's rows as a JSON array. */
interface PageRow {
  readonly count: number;
  readonly results: string;
}

/** The query behind `answerPage`, for a list that keeps it prepared. */
export function pageOf(db: Db | Tx, rows: PgSelect, total: SQL) {
  return db
    .select({
      count: sql<number>`${total}::int`.as('count'),
      results: sql<string>`'[' || coalesce(string_agg(item, ','), '') || ']'`.as('results'),
    })
    .from(rows.as('page'));
}

/** @throws ProblemError not-found for a page past the end, but not for the first page */
export function readPage<T>({ count, results }: PageRow, { page, limits }: PageQuery, link: Link): JsonText<Page<T>> {
  if (page > 1 && (page - 1) * limits >= count) throw new ProblemError('not-found', 'There is no such page.');
  const next = page * limits < count ? pageLink(link, page + 1) : 'null';
  const previous = page > 1 ? pageLink(link, page - 1) : 'null';
  return new JsonText(`{"count":${count},"next":${next},"previous":${previous},"results":${results}}`);
}
