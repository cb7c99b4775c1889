/** Who decides for a patient: the patient's own account, else the one that manages the record. */
import { eq, or, sql, type Placeholder, type SQL } from 'drizzle-orm';
import { patients } from '../../db/tables/index.js';

/** The id of that user; null for a patient of the desk, for whom staff decide. */
export const keeperId = sql<number | null>`coalesce(${patients.userId}, ${patients.managedBy})`.mapWith(
  patients.userId,
);

/** Whether it is a user. */
export const isKeptBy = (userId: number | SQL | Placeholder): SQL =>
  or(eq(patients.userId, userId), eq(patients.managedBy, userId)) as SQL;
