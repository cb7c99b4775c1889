import { index, pgTable, text } from 'drizzle-orm/pg-core';
import { appointments } from './appointments.js';
import { id, moment, reference } from './columns.js';
import { users } from './users.js';

/** What became of an appointment's doctor, date, slot, status and cancel flag; a trigger on appointments writes it. */
export const appointmentChanges = pgTable(
  'appointment_changes',
  {
    id: id(),
    appointmentId: reference()
      .notNull()
      .references(() => appointments.id, { onDelete: 'cascade' }),
    changedAt: moment().notNull(),
    changedBy: reference().references(() => users.id),
    field: text({ enum: ['doctor', 'date', 'time', 'status', 'cancelled'] }).notNull(),
    before: text().notNull(),
    after: text().notNull(),
  },
  (table) => [
    index('appointment_changes_appointment_id_idx').on(table.appointmentId, table.id),
    index('appointment_changes_changed_by_idx').on(table.changedBy),
  ],
);
