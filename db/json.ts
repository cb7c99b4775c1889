import { sql, type GetColumnData, type SQL } from 'drizzle-orm';
import type { PgColumn } from 'drizzle-orm/pg-core';

/** JSON that PostgreSQL has built already and that leaves as it is; `T` is what it holds. */
export class JsonText<T> {
  readonly text: string;
  declare protected readonly holds: T;

  constructor(text: string) {
    this.text = text;
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
