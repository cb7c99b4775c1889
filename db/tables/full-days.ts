import { date, index, pgTable, primaryKey } from 'drizzle-orm/pg-core';
import { reference } from './columns.js';
import { doctors } from './doctors.js';

/**
 * Days on which a doctor has nothing free: at the start of every slot that the doctor offers an appointment stands. Triggers
 * keep them, so that a search need not look at each of these slots; not all such days are here, but what is here is such a
 * day. Of days that are over they are removed.
 */
export const fullDays = pgTable(
  'full_days',
  {
    date: date({ mode: 'string' }).notNull(),
    doctorId: reference()
      .notNull()
      .references(() => doctors.id, { onDelete: 'cascade' }),
  },
  (table) => [
    primaryKey({ columns: [table.date, table.doctorId] }),
    index('full_days_doctor_id_idx').on(table.doctorId, table.date),
  ],
);
