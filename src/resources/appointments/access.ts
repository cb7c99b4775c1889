/** Who sees which appointments: a patient the own, who manages a patient that one's, a doctor those with them, staff all. */
import { and, eq, isNull, sql, type Placeholder, type SQL } from 'drizzle-orm';
import { one } from '../../../db/rows.js';
import { appointments, doctors, patients } from '../../../db/tables/index.js';
import { isKeptBy } from '../../lib/keepers.js';
import type { UserVisit } from '../../lib/visit.js';

/** The rule, on arrays of ids: so the indexes of both columns serve the `or`. */
const concerns = (patientIds: SQL, doctorIds: SQL): SQL =>
  sql`(${appointments.patientId} = any(${patientIds}) or ${appointments.doctorId} = any(${doctorIds}))`;

/** The patient records that a user has or had, or manages. */
const patientsOf = (userId: number | Placeholder): SQL =>
  sql`array(select ${patients.id} from ${patients} where ${isKeptBy(userId)})`;

/** The doctor record that a user has. */
const doctorsOf = (userId: number | Placeholder): SQL =>
  sql`array(select ${doctors.id} from ${doctors} where ${and(eq(doctors.userId, userId), isNull(doctors.archivedAt))})`;

/** Whether a user who is not staff sees an appointment. */
export const isSeenBy = (userId: number | Placeholder): SQL => concerns(patientsOf(userId), doctorsOf(userId));

/**
 * The same for a list, in values: else PostgreSQL plans for a doctor's many rows, and reads all for a patient.
 * @returns undefined for staff, who see all
 */
export async function seenByCaller({ db, caller }: UserVisit): Promise<SQL | undefined> {
  if (caller.isStaff) return undefined;
  const { asPatient, asDoctor } = one(
    // An array comes as PostgreSQL's text of it, and goes back as that.
    await db.execute<{ asPatient: string; asDoctor: string }>(
      sql`select ${patientsOf(caller.id)}::text as "asPatient", ${doctorsOf(caller.id)}::text as "asDoctor"`,
    ),
  );
  return concerns(sql`${asPatient}::bigint[]`, sql`${asDoctor}::bigint[]`);
}
