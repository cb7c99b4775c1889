import { sql, type GetColumnData, type SQL } from 'drizzle-orm';
import type { PgColumn } from 'drizzle-orm/pg-core';
import { hash } from 'node:crypto';

const digest = (text: string): string => hash('sha1', text, 'base64url');

/** JSON that PostgreSQL has built already and that leaves as it is; `T` is what it holds. */
export class JsonText<T> {
  readonly text: string;
  /** The text without what changes while the record stays the same, such as the signatures of picture URLs. */
  readonly state: string;
  declare protected readonly holds: T;

  constructor(text: string, state = text) {
    this.text = text;
    this.state = state;
  }

  /** The ETag of this text (RFC 9110, section 8.8.3): a digest of the state, and one of the text where that differs. */
  get entityTag(): string {
    return this.state === this.text ? `"${digest(this.state)}"` : `"${digest(this.state)}.${digest(this.text)}"`;
  }

  /** Whether an If-Match condition names this state (RFC 9110, section 13.1.1); a weak tag never does. */
  isNamedBy(ifMatch: string): boolean {
    const state = digest(this.state);
    return ifMatch.split(',').some((part) => {
      const tag = part.trim();
      return tag === '*' || /^"([^".]*)(?:\.[^"]*)?"$/.exec(tag)?.[1] === state;
    });
  }
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
  const parts = Object.entries<SQL>(fields).map(([name, value]) => sql`${sql.raw(`'${name}'`)}, ${value}`);
  return sql<T>`json_build_object(${sql.join(parts, sql`, `)})`;
}

/** A subquery's one column as a JSON array, in the subquery's order. */
export function jsonArray<T>(values: SQL<T>): SQL<T[]> {
  return sql<T[]>`array_to_json(array(${values}))`;
}

/** A moment as RFC 3339 text in UTC, to the millisecond. */
export function timestampText(moment: PgColumn): SQL<string> {
  return sql<string>`to_char(${moment} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;
}
