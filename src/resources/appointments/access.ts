/** Who sees which appointments: a patient the own, who manages a patient that one's, a doctor those with them, staff all. */
import { and, eq, isNull, sql, type Placeholder, type SQL } from 'drizzle-orm';
import { directByKey } from '../../../db/prepared.js';
import { one } from '../../../db/rows.js';
import { appointments, doctors, patients } from '../../../db/tables/index.js';
import { isKeptBy } from '../../lib/keepers.js';
import type { UserVisit } from '../../lib/visit.js';

/** The rule, on arrays of ids: so the indexes of both columns serve the `or`. */
const concerns = (patientIds: SQL, doctorIds: SQL): SQL =>
  sql`(${appointments.patientId} = any(${patientIds}) or ${appointments.doctorId} = any(${doctorIds}))`;

/** The patient records that a user has or had, or manages. */
const patientsOf = (userId: number | SQL | Placeholder): SQL =>
  sql`array(select ${patients.id} from ${patients} where ${isKeptBy(userId)})`;

/** The doctor record that a user has. */
const doctorsOf = (userId: number | SQL | Placeholder): SQL =>
  sql`array(select ${doctors.id} from ${doctors} where ${and(eq(doctors.userId, userId), isNull(doctors.archivedAt))})`;

/** Whether a user who is not staff sees an appointment. */
export const isSeenBy = (userId: number | SQL | Placeholder): SQL => concerns(patientsOf(userId), doctorsOf(userId));

/** The same for a list, in values: else PostgreSQL plans for a doctor's many rows, and reads all for a patient. */
export interface Parties<Value = unknown> {
  /** The array of ids as PostgreSQL writes it. */
  readonly patients: Value;
  /** Null for who is none. */
  readonly doctor: Value;
}

const partiesByUser = directByKey((db) =>
  db
    .select({
      patients: sql<string>`${patientsOf(sql.placeholder('user'))}::text`.as('patients'),
      doctor: sql<number | null>`(${doctorsOf(sql.placeholder('user'))})[1]::float8`.as('doctor'),
    })
    .from(sql`(select) as one`),
);

/** @returns undefined for staff, who see all */
export const seenParties = async ({ db, caller }: UserVisit): Promise<Parties<string | number | null> | undefined> =>
  caller.isStaff ? undefined : one(await partiesByUser(db)({ user: caller.id }));

/**
 * What they see in two parts: a doctor's, and what else is of the patients. These are found first, by their index: in the
 * order of a list PostgreSQL would rather go through all appointments, as long as it does not know that they are few.
 */
export const partsOf = ({ patients, doctor }: Parties<SQL>): readonly [SQL, SQL] => [
  sql`${appointments.doctorId} = ${doctor}`,
  sql`(${appointments.id} = any(array(
      select own.id from ${appointments} as own where own.patient_id = any(${patients}::bigint[])))
    and ${appointments.doctorId} is distinct from ${doctor})`,
];
