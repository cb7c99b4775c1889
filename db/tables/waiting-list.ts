import { sql } from 'drizzle-orm';
import { check, date, index, pgTable, primaryKey, uniqueIndex } from 'drizzle-orm/pg-core';
import { createdAt, id, reference, tsrange } from './columns.js';
import { doctors } from './doctors.js';
import { availableTimes, specialisations } from './lookups.js';
import { patients } from './patients.js';

/** Who waits for a time of a doctor, or of any doctor of a specialisation, in the order of their ids. */
export const waitingEntries = pgTable(
  'waiting_entries',
  {
    id: id(),
    patientId: reference()
      .notNull()
      .references(() => patients.id, { onDelete: 'cascade' }),
    doctorId: reference().references(() => doctors.id, { onDelete: 'cascade' }),
    specialisationId: reference().references(() => specialisations.id),
    startsOn: date({ mode: 'string' }).notNull(),
    /** The last day. */
    endsOn: date({ mode: 'string' }).notNull(),
    createdAt: createdAt(),
  },
  (table) => [
    check('waiting_entries_for_check', sql`num_nonnulls(doctor_id, specialisation_id) = 1`),
    check('waiting_entries_ends_on_check', sql`ends_on >= starts_on`),
    uniqueIndex('waiting_entries_doctor_key').on(table.patientId, table.doctorId),
    uniqueIndex('waiting_entries_specialisation_key').on(table.patientId, table.specialisationId),
    index('waiting_entries_doctor_id_idx').on(table.doctorId, table.id),
    index('waiting_entries_specialisation_id_idx').on(table.specialisationId, table.id),
  ],
);

/** The slots that suit; none for all. */
export const waitingEntryTimes = pgTable(
  'waiting_entry_times',
  {
    entryId: reference()
      .notNull()
      .references(() => waitingEntries.id, { onDelete: 'cascade' }),
    availableTimeId: reference()
      .notNull()
      .references(() => availableTimes.id),
  },
  (table) => [
    primaryKey({ columns: [table.entryId, table.availableTimeId] }),
    index('waiting_entry_times_available_time_id_idx').on(table.availableTimeId),
  ],
);

/** What was offered to whom, so that nobody is offered the same again; the present offers are holds. */
export const waitingOffers = pgTable(
  'waiting_offers',
  {
    entryId: reference()
      .notNull()
      .references(() => waitingEntries.id, { onDelete: 'cascade' }),
    doctorId: reference()
      .notNull()
      .references(() => doctors.id, { onDelete: 'cascade' }),
    availableTimeId: reference()
      .notNull()
      .references(() => availableTimes.id, { onDelete: 'cascade' }),
    date: date({ mode: 'string' }).notNull(),
    createdAt: createdAt(),
  },
  (table) => [
    primaryKey({ columns: [table.entryId, table.doctorId, table.availableTimeId, table.date] }),
    index('waiting_offers_doctor_id_idx').on(table.doctorId),
    index('waiting_offers_available_time_id_idx').on(table.availableTimeId),
  ],
);

/**
 * Times of doctors that have become free and are not offered yet: written by triggers, as long as somebody waits, and
 * taken by whoever offers them. Either a time by the clinic's clock, or a slot without clock times on a day.
 */
export const freedTimes = pgTable(
  'freed_times',
  {
    id: id(),
    doctorId: reference()
      .notNull()
      .references(() => doctors.id, { onDelete: 'cascade' }),
    period: tsrange(),
    date: date({ mode: 'string' }),
    availableTimeId: reference().references(() => availableTimes.id, { onDelete: 'cascade' }),
  },
  (table) => [
    index('freed_times_doctor_id_idx').on(table.doctorId),
    index('freed_times_available_time_id_idx').on(table.availableTimeId),
    check('freed_times_check', sql`num_nonnulls(date, available_time_id) = case when period is null then 2 else 0 end`),
  ],
);
