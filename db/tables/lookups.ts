import { sql } from 'drizzle-orm';
import { check, integer, pgTable, uniqueIndex, varchar } from 'drizzle-orm/pg-core';
import { id, version } from './columns.js';

export const designations = pgTable(
  'designations',
  { id: id(), name: varchar({ length: 50 }).notNull(), slug: varchar({ length: 60 }).notNull(), version: version() },
  (table) => [uniqueIndex('designations_slug_key').on(table.slug)],
);

export const specialisations = pgTable(
  'specialisations',
  { id: id(), name: varchar({ length: 50 }).notNull(), slug: varchar({ length: 60 }).notNull(), version: version() },
  (table) => [uniqueIndex('specialisations_slug_key').on(table.slug)],
);

export const availableTimes = pgTable(
  'available_times',
  {
    id: id(),
    label: varchar({ length: 50 }).notNull(),
    /** Minutes after midnight at the clinic, where the label reads as clock times; an end past 1440 is the next day's. */
    startMinute: integer(),
    endMinute: integer(),
  },
  () => [
    check(
      'available_times_minutes_check',
      sql`(start_minute is null) = (end_minute is null) and (start_minute is null or (start_minute between 0 and 1439
          and end_minute > start_minute and end_minute <= start_minute + 1440))`,
    ),
  ],
);
