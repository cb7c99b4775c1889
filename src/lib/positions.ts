/**
 * Where in a list a page ends: what its last row is ordered by. What follows is found by an index from there, so that
 * each page costs the same, and rows that come and go meanwhile move nothing out of it.
 */
import { and, sql, type SQL } from 'drizzle-orm';
import type { PgColumn } from 'drizzle-orm/pg-core';
import { InvalidInput } from './errors.js';

/** What a list is ordered by; what is null comes last. */
export interface Key {
  readonly of: PgColumn | SQL;
  readonly type: keyof typeof TYPES;
  readonly isDescending?: boolean;
  readonly isNullable?: boolean;
}

/** The values of the keys at a position. */
export type Position = readonly (string | null)[];

const isDay = (text: string): boolean =>
  /^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(Date.parse(text)) && new Date(text).toISOString().startsWith(text);

/** Whether a text is a value of a type of PostgreSQL's, as it writes them. */
const TYPES = {
  bigint: (text: string) => /^\d{1,18}$/.test(text),
  integer: (text: string) => /^\d{1,9}$/.test(text),
  date: isDay,
  timestamp: (text: string) =>
    isDay(text.slice(0, 10)) && /^.{10} ([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,6})?$/.test(text),
  text: (text: string) => !text.includes('\0') && Buffer.from(text).toString() === text,
};

/** As the contract limits it: what would be longer is not put into a link. */
const MAX_LENGTH = 2000;

/** The word of the order that is asked for. */
export const orderingOf = (asked: object): string => ('ordering' in asked ? String(asked.ordering) : 'id');

/**
 * A position as the links have it: with its order, in which alone it is one.
 * @param position as a JSON array
 * @returns undefined for one that is too long
 */
export function positionText(ordering: string, position: string): string | undefined {
  const text = Buffer.from(`["${ordering}",${position.slice(1)}`).toString('base64url');
  return text.length > MAX_LENGTH ? undefined : text;
}

/** @throws InvalidInput for what is no position of the list in this order */
export function readPosition(text: string, ordering: string, keys: readonly Key[]): Position {
  const [word, ...position] = parsed(text);
  const isOne =
    word === ordering &&
    position.length === keys.length &&
    keys.every(({ type, isNullable = false }, at) => {
      const value = position[at];
      return typeof value === 'string' ? TYPES[type](value) : value === null && isNullable;
    });
  if (!isOne) throw new InvalidInput({ after: ['must be from a link of this list in this order'] });
  return position as Position;
}

function parsed(text: string): unknown[] {
  try {
    const value: unknown = JSON.parse(Buffer.from(text, 'base64url').toString());
    return Array.isArray(value) ? value : [];
  } catch {
    return [];
  }
}

export const orderBy = (keys: readonly Key[]): SQL[] =>
  keys.map(({ of, isDescending, isNullable }) =>
    sql.join(
      [sql`${of}`, ...(isDescending ? [sql`desc`] : []), ...(isDescending && isNullable ? [sql`nulls last`] : [])],
      sql` `,
    ),
  );

/**
 * What comes after a position, as conditions of which each is a range of an index in the order of the keys.
 * @param values of the position; null where its value is
 */
export function following(keys: readonly Key[], values: readonly (SQL | null)[]): SQL[] {
  const ranges: (SQL | undefined)[] = [];
  let same: SQL | undefined;
  for (const [at, { of, type, isDescending, isNullable }] of keys.entries()) {
    const value = values[at] && sql`${values[at]}::${sql.raw(type)}`;
    if (value) {
      ranges.unshift(and(same, isDescending ? sql`${of} < ${value}` : sql`${of} > ${value}`));
      if (isNullable) ranges.unshift(and(same, sql`${of} is null`));
    }
    same = and(same, value ? sql`${of} = ${value}` : sql`${of} is null`);
  }
  return ranges as SQL[];
}
