import { sql } from 'drizzle-orm';
import { index, pgTable, text } from 'drizzle-orm/pg-core';
import { appointments } from './appointments.js';
import { id, moment, reference } from './columns.js';
import { serviceKeys } from './service-keys.js';
import { users } from './users.js';

const FIELDS = [
  ...(['created', 'doctor', 'date', 'time', 'type', 'status', 'symptoms', 'cancelled', 'cancel_reason'] as const),
  ...(['attendance', 'overbooked', 'archived', 'patient'] as const),
] as const;

/**
 * All that was done to an appointment; triggers on appointments write it. They take the author from the transaction, and
 * refuse a change that has none.
 */
export const appointmentChanges = pgTable(
  'appointment_changes',
  {
    id: id(),
    appointmentId: reference()
      .notNull()
      .references(() => appointments.id, { onDelete: 'cascade' }),
    changedAt: moment().notNull(),
    /** Null for a service, and for the system: a transaction that was signed by `system`. */
    changedBy: reference().references(() => users.id),
    field: text({ enum: FIELDS }).notNull(),
    /** Empty for nothing. */
    before: text().notNull(),
    after: text().notNull(),
    /** By default of whom the transaction is signed by, where that is a service. */
    changedByService: reference()
      .references(() => serviceKeys.id)
      .default(sql`substring(current_setting('hospital.user_id', true) from '^service:(\\d+)$')::bigint`),
  },
  (table) => [
    index('appointment_changes_appointment_id_idx').on(table.appointmentId, table.id),
    index('appointment_changes_changed_by_idx').on(table.changedBy),
    index('appointment_changes_changed_by_service_idx')
      .on(table.changedByService)
      .where(sql`changed_by_service is not null`),
  ],
);
