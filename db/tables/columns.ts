import { sql, type Column, type SQL } from 'drizzle-orm';
import { bigint, customType, integer, text, timestamp } from 'drizzle-orm/pg-core';

/** Ids stay within 2^53-1, so they are plain numbers in TypeScript. */
export const id = () => bigint({ mode: 'number' }).primaryKey().generatedAlwaysAsIdentity();

export const reference = () => bigint({ mode: 'number' });

export const moment = () => timestamp({ withTimezone: true, mode: 'date' });

export const tsrange = customType<{ data: string }>({ dataType: () => 'tsrange' });

export const createdAt = () => moment().notNull().defaultNow();

export const updatedAt = () =>
  moment()
    .notNull()
    .defaultNow()
    .$onUpdateFn(() => new Date());

/** Counted up by a trigger with every change of the row, so that it names the row's state. */
export const version = () => integer().notNull().default(1);

/**
 * A text as search and order by name go by it: without case, accents and what can not be seen, the same on every
 * database; null where a part of it is. The function is the migrations', of 0010_folded_text.
 */
export const foldedIfAny = (of: string) => text().generatedAlwaysAs(sql.raw(`folded(${of})`));

export const folded = (of: string) => foldedIfAny(of).notNull();

/** A user name or email in lower case: the database's own lower() goes by its locale, where I may become ı. */
export const caseless = (value: unknown): SQL => sql`lower(${value} collate "C")`;

/** A folded text as lists are ordered by it: by its characters, not by the database's locale. */
export const inOrder = (text: Column): SQL => sql`${text} collate "C"`;
