import { sql, type SQL } from 'drizzle-orm';
import type { PgSelect } from 'drizzle-orm/pg-core';
import { parse } from 'node:querystring';
import { JsonText } from '../../db/json.js';
import { one } from '../../db/rows.js';
import { ProblemError } from '../../openapi/problem-error.js';
import { orderingOf, positionText } from './positions.js';
import type { Link, Visit } from './visit.js';

export interface PageQuery {
  readonly page: number;
  readonly limits: number;
  /** The position that the page comes after; its number only counts on then. */
  readonly after?: string | undefined;
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

/**
 * The URL of another page. What else was asked stays as it came: decoded and encoded again, foreign bytes would change.
 * @param page undefined where pages have no numbers
 * @param after the position that it comes after
 */
export function pageLink({ base, path }: Link, page: number | undefined, after?: string): string {
  const [, pathname = '', query = ''] = /^([^?#]*)[?#]?(.*)$/s.exec(path) ?? [];
  const others = query.split('&').filter((pair) => {
    const { page, after } = parse(pair);
    return pair !== '' && page === undefined && after === undefined;
  });
  const place = [...(page === undefined ? [] : [`page=${page}`]), ...(after === undefined ? [] : [`after=${after}`])];
  return `${base}${pathname}?${[...others, ...place].join('&')}`;
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

class NoSuchPage extends ProblemError {
  constructor() {
    super('not-found', 'There is no such page.');
  }
}

/** What PostgreSQL answers of a page. */
interface PageRow {
  /** The number of all rows. */
  readonly count: number;
  /** The page's rows as a JSON array. */
  readonly results: string | Buffer;
  /** Where the page ends, as a JSON array, if another comes; undefined of a list that has no positions. */
  readonly position?: string | null;
}

interface Asked extends PageQuery {
  readonly ordering?: string;
}

const END = Buffer.from('}');

/** @throws ProblemError not-found for a page past the end, but not for the first page, nor after a position */
export function readPage<T>({ count, results, position }: PageRow, asked: Asked, link: Link): JsonText<Page<T>> {
  const { page, limits, after } = asked;
  if (page > 1 && after === undefined && (page - 1) * limits >= count) throw new NoSuchPage();
  const isLast = position === undefined ? page * limits >= count : position === null;
  const end = typeof position === 'string' ? positionText(orderingOf(asked), position) : undefined;
  const next = JSON.stringify(isLast ? null : pageLink(link, page + 1, end));
  const previous = JSON.stringify(page > 1 ? pageLink(link, page - 1) : null);
  const head = Buffer.from(`{"count":${count},"next":${next},"previous":${previous},"results":`);
  const { bytes, tag } = new JsonText(results);
  // The links name the host, which is no part of the state.
  return new JsonText(Buffer.concat([head, bytes, END]), `${count}-${tag}`);
}

/**
 * A page of a list that is a bare array.
 * @throws ProblemError not-found for a page past the end, but not for the first page, nor after a position
 */
export function readArray<T>(
  { results, position }: { readonly results: Buffer; readonly position: string | null },
  asked: Asked,
  link: Link,
): JsonText<T[]> {
  const { page, after } = asked;
  if (page > 1 && after === undefined && results.length === '[]'.length) throw new NoSuchPage();
  if (position === null && page === 1) return new JsonText(results);
  const next = position === null ? null : pageLink(link, page + 1, positionText(orderingOf(asked), position));
  return new JsonText(results, undefined, { next, previous: page > 1 ? pageLink(link, page - 1) : null });
}
