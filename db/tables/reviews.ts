import { sql } from 'drizzle-orm';
import { check, date, index, integer, pgTable, smallint, varchar } from 'drizzle-orm/pg-core';
import { createdAt, id, reference, updatedAt, version } from './columns.js';
import { doctors } from './doctors.js';
import { patients } from './patients.js';

export const reviews = pgTable(
  'reviews',
  {
    id: id(),
    doctorId: reference()
      .notNull()
      .references(() => doctors.id),
    patientId: reference()
      .notNull()
      .references(() => patients.id),
    body: varchar({ length: 2000 }).notNull(),
    /** One to five stars. */
    rating: smallint().notNull(),
    createdOn: date({ mode: 'string' })
      .notNull()
      .default(sql`(now() at time zone 'UTC')::date`),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
    version: version(),
  },
  (table) => [
    check('reviews_rating_check', sql`rating between 1 and 5`),
    index('reviews_doctor_id_idx').on(table.doctorId, table.id),
    index('reviews_patient_id_idx').on(table.patientId, table.id),
    index('reviews_rating_idx').on(table.rating, table.id),
  ],
);

/**
 * How many reviews there are by their stars, kept by triggers: the sum of the rows. Each statement only adds some, so that
 * none waits for another; every so many, one adds up what there is.
 */
export const reviewCounts = pgTable('review_counts', {
  id: id(),
  rating: smallint().notNull(),
  total: integer().notNull(),
});
