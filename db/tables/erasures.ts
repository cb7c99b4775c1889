import { pgTable, uniqueIndex, varchar } from 'drizzle-orm/pg-core';
import { id, moment, reference } from './columns.js';

/**
 * The records that were erased: which, by whom and why. A person with several has a row for each. Nothing refers to users
 * and records, which this outlives.
 */
export const erasures = pgTable(
  'erasures',
  {
    id: id(),
    patientId: reference().notNull(),
    userId: reference(),
    /** By staff; nothing of the person. */
    reason: varchar({ length: 500 }).notNull(),
    erasedAt: moment().notNull().defaultNow(),
    erasedBy: reference().notNull(),
  },
  (table) => [uniqueIndex('erasures_patient_id_key').on(table.patientId)],
);
