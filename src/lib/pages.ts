import { sql, type SQL } from 'drizzle-orm';
import type { PgSelect } from 'drizzle-orm/pg-core';
import { parse } from 'node:querystring';
import { JsonText } from '../../db/json.js';
import { one } from '../../db/rows.js';
import { ProblemError } from '../../openapi/problem-error.js';
import type { Link, Visit } from './visit.js';

export interface PageQuery {
  readonly page: number;
  readonly limits: number;
}

export interface Page<T> {
  count: number;
  next: string | null;
  previous: string | null;
  results: T[];
}

/** The rows of a list, in order, and how many there are of them. */
interface Listed {
  /** Selects the page's rows, each as JSON text named `item`. */
  readonly rows: PgSelect;
  /** The number of all rows of the list, as a scalar subquery. */
  readonly total: SQL;
}

/** The URL of another page. What else was asked stays as it came: decoded and encoded again, foreign bytes would change. */
function pageLink({ base, path }: Link, page: number): string {
  const [, pathname = '', query = ''] = /^([^?#]*)[?#]?(.*)$/s.exec(path) ?? [];
  const others = query.split('&').filter((pair) => pair !== '' && parse(pair)['page'] === undefined);
  return JSON.stringify(`${base}${pathname}?${[...others, `page=${page}`].join('&')}`);
}

/** The rows of a query that are on the page. */
export function cutPage<Q extends PgSelect>(rows: Q, { page, limits }: PageQuery): Q {
  return rows.limit(limits).offset((page - 1) * limits);
}

/** The columns of a list's rows: each as JSON text. */
export const itemOf = (item: SQL) => ({ item: sql<string>`${item}::text`.as('item') });

/** All of these as one array. */
export const allItems = sql<string>`'[' || coalesce(string_agg(item, ','), '') || ']'`.as('results');

/**
 * One page of a list, built by PostgreSQL in one round trip. A list that joins tables cuts the page before it joins, so
 * that the rows of earlier pages cost no joins.
 * @throws ProblemError not-found for a page past the end, but not for the first page
 */
export async function selectPage<T>(visit: Visit, query: PageQuery, listed: Listed): Promise<JsonText<Page<T>>> {
  const { rows, total } = listed;
  const count = sql<number>`${total}::int`.as('count');
  const page = one(await visit.db.select({ count, results: allItems }).from(rows.as('page')));
  return readPage(page, query, visit.link);
}

/** What PostgreSQL answers of a page: the number of all rows, and the page's rows as a JSON array. */
interface PageRow {
  readonly count: number;
  readonly results: string;
}

/** @throws ProblemError not-found for a page past the end, but not for the first page */
export function readPage<T>({ count, results }: PageRow, { page, limits }: PageQuery, link: Link): JsonText<Page<T>> {
  if (page > 1 && (page - 1) * limits >= count) throw new ProblemError('not-found', 'There is no such page.');
  const next = page * limits < count ? pageLink(link, page + 1) : 'null';
  const previous = page > 1 ? pageLink(link, page - 1) : 'null';
  const text = `{"count":${count},"next":${next},"previous":${previous},"results":${results}}`;
  // The links name the host, which is no part of the state.
  return new JsonText(text, new JsonText(`${count} ${results}`).tag);
}
