import { index, pgTable, varchar } from 'drizzle-orm/pg-core';
import { moment } from './columns.js';

/**
 * Picture files that are to be removed once `dueAt` has come. A new file is listed before it is written; triggers on
 * the tables with a picture column take a name off the list when a row takes it and put it back when the row lets go,
 * so that no crash between file and commit leaves a file that nobody knows.
 */
export const discardedPictures = pgTable(
  'discarded_pictures',
  { name: varchar({ length: 60 }).primaryKey(), dueAt: moment().notNull().defaultNow() },
  (table) => [index('discarded_pictures_due_at_idx').on(table.dueAt)],
);
