import { bigint, boolean, date, integer, pgEnum, pgTable, primaryKey, varchar } from 'drizzle-orm/pg-core';
import { appointmentStatus, appointmentType } from './appointments.js';
import { id, reference } from './columns.js';

/** Of what the appointments are counted: of all, and of each doctor, slot, day and block of ids. */
export const countedBy = pgEnum('counted_by', ['all', 'doctor', 'time', 'day', 'block']);

/** By what those of one doctor, or day, are told apart. */
const parts = () => ({
  status: appointmentStatus().notNull(),
  type: appointmentType().notNull(),
  isCancelled: boolean().notNull(),
  /** `none` where nobody has noted it. */
  attendance: varchar({ length: 10 }).notNull(),
  total: integer().notNull(),
});

/**
 * How many appointments there are that are not archived, kept by triggers. A number that is asked for is the sum of these
 * and of the changes below, which are not in them yet.
 */
export const appointmentCounts = pgTable(
  'appointment_counts',
  {
    by: countedBy().notNull(),
    /** The id of the doctor or slot; the days from 2000-01-01 to the day; the number of the block; of all 0. */
    key: bigint({ mode: 'number' }).notNull(),
    ...parts(),
  },
  (table) => [
    primaryKey({ columns: [table.by, table.key, table.status, table.type, table.isCancelled, table.attendance] }),
  ],
);

/**
 * What statements have changed: each only adds a row, so that none waits for another. Every so many, one adds up what
 * there is. No references: to check them would cost, and their rows are never deleted.
 */
export const appointmentCountChanges = pgTable('appointment_count_changes', {
  id: id(),
  block: bigint({ mode: 'number' }).notNull(),
  doctorId: reference().notNull(),
  availableTimeId: reference().notNull(),
  date: date({ mode: 'string' }).notNull(),
  ...parts(),
});
