/** Who sees which appointments: a patient the own, who manages a patient that one's, a doctor those with them, staff all. */
import { and, eq, isNull, sql, type Placeholder, type SQL } from 'drizzle-orm';
import { directByKey } from '../../../db/prepared.js';
import { one } from '../../../db/rows.js';
import { appointments, doctors, patients } from '../../../db/tables/index.js';
import { isKeptBy } from '../../lib/keepers.js';
import type { UserVisit } from '../../lib/visit.js';

/** The records of a user, whose appointments the user sees: arrays of ids, as PostgreSQL writes them. */
export interface Parties<Ids = string> {
  readonly patients: Ids;
  readonly doctors: Ids;
}

/** The rule, on arrays of ids: so the indexes of both columns serve the `or`. */
export const concerns = ({ patients, doctors }: Parties<SQL>): SQL =>
  sql`(${appointments.patientId} = any(${patients}::bigint[]) or ${appointments.doctorId} = any(${doctors}::bigint[]))`;

/** The patient records that a user has or had, or manages. */
const patientsOf = (userId: number | SQL | Placeholder): SQL =>
  sql`array(select ${patients.id} from ${patients} where ${isKeptBy(userId)})`;

/** The doctor record that a user has. */
const doctorsOf = (userId: number | SQL | Placeholder): SQL =>
  sql`array(select ${doctors.id} from ${doctors} where ${and(eq(doctors.userId, userId), isNull(doctors.archivedAt))})`;

/** Whether a user who is not staff sees an appointment. */
export const isSeenBy = (userId: number | SQL | Placeholder): SQL =>
  concerns({ patients: patientsOf(userId), doctors: doctorsOf(userId) });

const partiesByUser = directByKey((db) =>
  db
    .select({
      patients: sql<string>`${patientsOf(sql.placeholder('user'))}::text`.as('patients'),
      doctors: sql<string>`${doctorsOf(sql.placeholder('user'))}::text`.as('doctors'),
    })
    .from(sql`(select) as one`),
);

/**
 * The same for a list, in values: else PostgreSQL plans for a doctor's many rows, and reads all for a patient.
 * @returns undefined for staff, who see all
 */
export const seenParties = async ({ db, caller }: UserVisit): Promise<Parties | undefined> =>
  caller.isStaff ? undefined : one(await partiesByUser(db)({ user: caller.id }));
