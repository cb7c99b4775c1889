import { sql } from 'drizzle-orm';
import { check, date, index, pgTable, varchar } from 'drizzle-orm/pg-core';
import { createdAt, id, moment, reference } from './columns.js';
import { doctors } from './doctors.js';
import { users } from './users.js';

/** When a doctor, or the whole clinic, is away: whole days of the clinic's calendar, or from one moment to another. */
export const timeOff = pgTable(
  'time_off',
  {
    id: id(),
    /** Null for the whole clinic. */
    doctorId: reference().references(() => doctors.id, { onDelete: 'cascade' }),
    startsOn: date({ mode: 'string' }),
    /** The last day. */
    endsOn: date({ mode: 'string' }),
    startsAt: moment(),
    /** Exclusive. */
    endsAt: moment(),
    reason: varchar({ length: 500 }).notNull(),
    createdAt: createdAt(),
    createdBy: reference().references(() => users.id),
  },
  (table) => [
    index('time_off_doctor_id_idx').on(table.doctorId, table.id),
    index('time_off_created_by_idx').on(table.createdBy),
    check(
      'time_off_days_or_moments_check',
      sql`num_nonnulls(starts_on, ends_on, starts_at, ends_at) = 2
        and coalesce(starts_on <= ends_on, starts_at < ends_at, false)`,
    ),
  ],
);
