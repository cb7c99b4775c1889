import { bigint, integer, timestamp } from 'drizzle-orm/pg-core';

/** Ids stay within 2^53-1, so they are plain numbers in TypeScript. */
export const id = () => bigint({ mode: 'number' }).primaryKey().generatedAlwaysAsIdentity();

export const reference = () => bigint({ mode: 'number' });

export const moment = () => timestamp({ withTimezone: true, mode: 'date' });

export const createdAt = () => moment().notNull().defaultNow();

export const updatedAt = () =>
  moment()
    .notNull()
    .defaultNow()
    .$onUpdateFn(() => new Date());

/** Counted up by a trigger with every change of the row, so that it names the row's state. */
export const version = () => integer().notNull().default(1);
