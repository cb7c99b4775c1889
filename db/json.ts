import { sql, type GetColumnData, type SQL } from 'drizzle-orm';
import type { PgColumn } from 'drizzle-orm/pg-core';
import { hash } from 'node:crypto';

/** The URLs of the pages before and after; null where there is none. */
export interface Pages {
  readonly next: string | null;
  readonly previous: string | null;
}

/**
 * JSON that PostgreSQL has built already and that leaves as it is; `T` is what it holds. A long one stays the bytes that
 * came: to make text of them and bytes again takes longer than all else that happens to a page.
 */
export class JsonText<T> {
  readonly #json: string | Buffer;
  readonly #tag: string | undefined;
  declare protected readonly holds: T;

  /** Of an array that is one of several pages. */
  readonly pages: Pages | undefined;

  /** @param tag names the state that the JSON shows; by default it is a digest of it */
  constructor(json: string | Buffer, tag?: string, pages?: Pages) {
    this.#json = json;
    this.#tag = tag;
    this.pages = pages;
  }

  get text(): string {
    return this.#json.toString();
  }

  get bytes(): Buffer {
    return typeof this.#json === 'string' ? Buffer.from(this.#json) : this.#json;
  }

  get tag(): string {
    return this.#tag ?? hash('sha1', this.#json, 'base64url');
  }
}

/**
 * The tag of a record's state: its id, since one URL can be of different records for different callers, and the versions
 * of its row and of all others that the answer shows something of. Each goes up with every change of its row, so no two
 * states have the same.
 */
export function versionTag(id: PgColumn, ...versions: (PgColumn | SQL)[]): SQL<string> {
  return sql<string>`concat_ws('-', ${sql.join([id, ...versions], sql`, `)})`;
}

/** A column as an SQL expression of its own type. */
export function column<C extends PgColumn>(source: C): SQL<GetColumnData<C>> {
  return sql<GetColumnData<C>>`${source}`;
}

/**
 * An SQL expression for a JSON object. The compiler holds it to `T`, a type of the contract: every field, with the
 * field's type, and no other.
 */
export function jsonObject<T extends object>(fields: {
  readonly [K in keyof T]-?: SQL<Exclude<T[K], undefined>>;
}): SQL<T> {
  const columns = Object.entries<SQL>(fields).map(([name, value]) => sql`${value} as ${sql.identifier(name)}`);
  // Unlike json_build_object's, its text has no blanks between the fields.
  return sql<T>`(select row_to_json(o) from (select ${sql.join(columns, sql`, `)}) as o)`;
}

/** A subquery's one column as a JSON array, in the subquery's order. */
export function jsonArray<T>(values: SQL<T>): SQL<T[]> {
  return sql<T[]>`array_to_json(array(${values}))`;
}

/** A moment as RFC 3339 text in UTC, to the millisecond. */
export function timestampText<T = string>(moment: PgColumn | SQL): SQL<T> {
  return sql<T>`to_char(${moment} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;
}
