import { sql } from 'drizzle-orm';
import { boolean, check, date, index, pgEnum, pgTable, uniqueIndex, varchar } from 'drizzle-orm/pg-core';
import { appointmentSeries } from './appointment-series.js';
import { createdAt, id, moment, reference, tsrange } from './columns.js';
import { doctors } from './doctors.js';
import { availableTimes } from './lookups.js';
import { patients } from './patients.js';
import { users } from './users.js';

export const appointmentType = pgEnum('appointment_type', ['online', 'offline']);
export const appointmentStatus = pgEnum('appointment_status', ['pending', 'running', 'completed']);
export const attendance = pgEnum('attendance', ['arrived', 'no_show']);
export const cancelCode = pgEnum('cancel_code', ['patient', 'doctor', 'clinic', 'no_contact', 'other']);

/** Null of what is overbooked, so that it meets nothing in the indexes that have it as their last column. */
const unlessOverbooked = sql`nullif(is_overbooked::int, 1)`;

/**
 * No doctor and no patient has two live appointments at overlapping times: exclusion constraints over `period` (made in
 * a migration of its own: appointments_doctor_period_excl, appointments_patient_period_excl) and, for slots without
 * clock times, the two unique indexes below. Live is what is neither cancelled nor archived. Of a doctor's those that are
 * overbooked may stand over others; that nothing else comes to stand over them is for a trigger, refuse_over_overbooked.
 */
export const appointments = pgTable(
  'appointments',
  {
    id: id(),
    patientId: reference()
      .notNull()
      .references(() => patients.id),
    doctorId: reference()
      .notNull()
      .references(() => doctors.id),
    availableTimeId: reference()
      .notNull()
      .references(() => availableTimes.id),
    /** The day at the clinic. */
    date: date({ mode: 'string' }).notNull(),
    /**
     * What the clinic's clock shows from the slot's start to its end, exclusive; null for a slot without clock times. No
     * instants: these would have to follow every change of the time zone's rules.
     */
    period: tsrange(),
    type: appointmentType().notNull(),
    status: appointmentStatus().notNull().default('pending'),
    symptoms: varchar({ length: 2000 }).notNull(),
    isCancelled: boolean().notNull().default(false),
    /** Null also where the reason of a cancelled one was not kept yet. */
    cancelCode: cancelCode(),
    /** Empty for none; null without a code. */
    cancelText: varchar({ length: 500 }),
    /** What became of the patient's coming; null as long as nobody has noted it. */
    attendance: attendance(),
    /** Whether the doctor could have been booked so by nobody else when it was. */
    isOverbooked: boolean().notNull().default(false),
    createdAt: createdAt(),
    /** Set by a trigger where something of the row has changed. */
    updatedAt: moment().notNull().defaultNow(),
    archivedAt: moment(),
    archivedBy: reference().references(() => users.id),
    /** Null for one that was booked alone. */
    seriesId: reference().references(() => appointmentSeries.id),
  },
  (table) => [
    check(
      'appointments_cancel_reason_check',
      sql`(cancel_code is null) = (cancel_text is null) and (cancel_code is null or is_cancelled)`,
    ),
    check(
      'appointments_attendance_check',
      sql`attendance is null or (not is_cancelled and (attendance = 'arrived' or status = 'pending'))`,
    ),
    uniqueIndex('appointments_doctor_label_key')
      .on(table.doctorId, table.date, table.availableTimeId, unlessOverbooked)
      .where(sql`period is null and not is_cancelled and archived_at is null`),
    uniqueIndex('appointments_patient_label_key')
      .on(table.patientId, table.date, table.availableTimeId)
      .where(sql`period is null and not is_cancelled and archived_at is null`),
    index('appointments_patient_id_idx').on(table.patientId, table.id),
    index('appointments_doctor_id_idx').on(table.doctorId, table.id),
    index('appointments_available_time_id_idx').on(table.availableTimeId, table.id),
    index('appointments_status_idx')
      .on(table.status, table.id)
      .where(sql`archived_at is null`),
    index('appointments_cancelled_idx')
      .on(table.id)
      .where(sql`is_cancelled and archived_at is null`),
    index('appointments_date_idx')
      .on(table.date, sql`lower(${table.period})`, table.id)
      .where(sql`archived_at is null`),
    index('appointments_latest_idx')
      .on(table.date.desc().nullsFirst(), sql`lower(${table.period}) desc nulls last`, table.id)
      .where(sql`archived_at is null`),
    index('appointments_day_idx')
      .on(table.date, table.id)
      .where(sql`archived_at is null`),
    index('appointments_archived_by_idx')
      .on(table.archivedBy)
      .where(sql`archived_by is not null`),
    index('appointments_series_id_idx').on(table.seriesId),
  ],
);
