import { sql } from 'drizzle-orm';
import { boolean, index, integer, pgTable, primaryKey, uniqueIndex, varchar } from 'drizzle-orm/pg-core';
import { createdAt, id, moment, reference, updatedAt, version } from './columns.js';
import { availableTimes, designations, specialisations } from './lookups.js';
import { users } from './users.js';

export const doctors = pgTable(
  'doctors',
  {
    id: id(),
    userId: reference()
      .notNull()
      .references(() => users.id),
    picture: varchar({ length: 60 }),
    fee: integer().notNull().default(0),
    meetLink: varchar({ length: 250 }).notNull().default(''),
    isApproved: boolean().notNull().default(true),
    /** Whether the doctor is approved and the user is active; kept by triggers. */
    isActive: boolean().notNull().default(true),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
    version: version(),
    archivedAt: moment(),
    archivedBy: reference().references(() => users.id),
  },
  (table) => [
    uniqueIndex('doctors_user_id_key')
      .on(table.userId)
      .where(sql`archived_at is null`),
    index('doctors_user_id_idx').on(table.userId),
    index('doctors_live_idx')
      .on(table.id)
      .where(sql`archived_at is null and is_active`),
    index('doctors_unapproved_idx')
      .on(table.id)
      .where(sql`archived_at is null and not is_approved`),
    index('doctors_fee_idx')
      .on(table.fee, table.id)
      .where(sql`archived_at is null`),
    index('doctors_archived_by_idx').on(table.archivedBy),
  ],
);

export const doctorDesignations = pgTable(
  'doctor_designations',
  {
    doctorId: reference()
      .notNull()
      .references(() => doctors.id, { onDelete: 'cascade' }),
    designationId: reference()
      .notNull()
      .references(() => designations.id),
  },
  (table) => [
    primaryKey({ columns: [table.doctorId, table.designationId] }),
    index('doctor_designations_designation_id_idx').on(table.designationId, table.doctorId),
  ],
);

export const doctorSpecialisations = pgTable(
  'doctor_specialisations',
  {
    doctorId: reference()
      .notNull()
      .references(() => doctors.id, { onDelete: 'cascade' }),
    specialisationId: reference()
      .notNull()
      .references(() => specialisations.id),
  },
  (table) => [
    primaryKey({ columns: [table.doctorId, table.specialisationId] }),
    index('doctor_specialisations_specialisation_id_idx').on(table.specialisationId, table.doctorId),
  ],
);

export const doctorAvailableTimes = pgTable(
  'doctor_available_times',
  {
    doctorId: reference()
      .notNull()
      .references(() => doctors.id, { onDelete: 'cascade' }),
    availableTimeId: reference()
      .notNull()
      .references(() => availableTimes.id),
  },
  (table) => [
    primaryKey({ columns: [table.doctorId, table.availableTimeId] }),
    index('doctor_available_times_available_time_id_idx').on(table.availableTimeId, table.doctorId),
  ],
);
