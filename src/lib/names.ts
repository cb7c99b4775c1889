/** What doctors and patients are called in answers, and how a search finds them by that. */
import { eq, like, sql, type SQL } from 'drizzle-orm';
import type { PgColumn } from 'drizzle-orm/pg-core';
import { doctors, patients, users } from '../../db/tables/index.js';

/** The rows of doctors and patients with their names. */
const named = {
  doctors: sql`${doctors} join ${users} on ${eq(users.id, doctors.userId)}`,
  patients: sql`${patients} join ${users} on ${eq(users.id, patients.userId)}`,
};

export const doctorName = (id: PgColumn | SQL): SQL<string> =>
  sql<string>`(select ${users.displayName} from ${named.doctors} where ${doctors.id} = ${id})`;

export const patientName = (id: PgColumn): SQL<string> =>
  sql<string>`(select ${users.displayName} from ${named.patients} where ${patients.id} = ${id})`;

const isLike = (pattern: string): SQL => like(users.foldedDisplayName, pattern);

/** The ids of the doctors, archived ones too, whose folded name is like a pattern. */
export const doctorsNamed = (pattern: string): SQL =>
  sql`(select ${doctors.id} from ${named.doctors} where ${isLike(pattern)})`;

/** The same of patients. */
export const patientsNamed = (pattern: string): SQL =>
  sql`(select ${patients.id} from ${named.patients} where ${isLike(pattern)})`;

/** Whether the doctor with an id is one of them. */
export const isDoctorNamed = (id: PgColumn, pattern: string): SQL =>
  sql`exists (select from ${named.doctors} where ${doctors.id} = ${id} and ${isLike(pattern)})`;

export const isPatientNamed = (id: PgColumn, pattern: string): SQL =>
  sql`exists (select from ${named.patients} where ${patients.id} = ${id} and ${isLike(pattern)})`;
