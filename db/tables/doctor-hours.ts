import { sql } from 'drizzle-orm';
import { check, date, foreignKey, index, pgTable, primaryKey, smallint } from 'drizzle-orm/pg-core';
import { id, reference } from './columns.js';
import { doctorAvailableTimes, doctors } from './doctors.js';

/** When a doctor works, an entry for each kind of day. A doctor without an entry offers all slots every day. */
export const doctorHours = pgTable(
  'doctor_hours',
  {
    id: id(),
    doctorId: reference()
      .notNull()
      .references(() => doctors.id, { onDelete: 'cascade' }),
    /** 1 is Monday, 7 is Sunday (ISO 8601). */
    weekday: smallint().notNull(),
    /** Every how many weeks, counted from the first day. */
    everyWeeks: smallint().notNull(),
    startsOn: date({ mode: 'string' }).notNull(),
    /** The last day; null for no end. */
    endsOn: date({ mode: 'string' }),
  },
  (table) => [
    index('doctor_hours_doctor_id_idx').on(table.doctorId, table.id),
    check('doctor_hours_weekday_check', sql`weekday between 1 and 7`),
    check('doctor_hours_every_weeks_check', sql`every_weeks between 1 and 8`),
    check('doctor_hours_ends_on_check', sql`ends_on >= starts_on`),
  ],
);

/** The slots of an entry, which the doctor offers: one that is taken off the offer is off the hours too. */
export const doctorHoursTimes = pgTable(
  'doctor_hours_times',
  {
    hoursId: reference()
      .notNull()
      .references(() => doctorHours.id, { onDelete: 'cascade' }),
    doctorId: reference().notNull(),
    availableTimeId: reference().notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.hoursId, table.availableTimeId] }),
    foreignKey({
      name: 'doctor_hours_times_offer_fk',
      columns: [table.doctorId, table.availableTimeId],
      foreignColumns: [doctorAvailableTimes.doctorId, doctorAvailableTimes.availableTimeId],
    }).onDelete('cascade'),
    index('doctor_hours_times_offer_idx').on(table.doctorId, table.availableTimeId),
  ],
);
