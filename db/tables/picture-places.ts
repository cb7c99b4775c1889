import { pgTable, uuid } from 'drizzle-orm/pg-core';
import { moment } from './columns.js';

/**
 * Where instances keep pictures, the newest last, by the id that lies there. Without a key, since a backup's rows have to
 * fit in beside that of the instance that made the tables.
 */
export const picturePlaces = pgTable('picture_places', {
  id: uuid().notNull(),
  notedAt: moment().notNull().defaultNow(),
});
