/** What doctors and patients are called in answers, and how a search finds them by that. */
import { eq, sql, type SQL } from 'drizzle-orm';
import type { PgColumn } from 'drizzle-orm/pg-core';
import { doctors, patients, users } from '../../db/tables/index.js';
import { isLike } from './search.js';

/** The rows of doctors and patients with their accounts, which patients need not have. */
const rows = {
  doctors: sql`${doctors} join ${users} on ${eq(users.id, doctors.userId)}`,
  patients: sql`${patients} left join ${users} on ${eq(users.id, patients.userId)}`,
};

/**
 * A patient's name: that of the account, else the record's own.
 * @param account the users, joined to the left by the patient's `userId`; of a name of its own where doctors' are too
 */
export const patientName = (account: { readonly displayName: PgColumn } = users): SQL<string> =>
  sql<string>`coalesce(${account.displayName}, btrim(${patients.firstName} || ' ' || ${patients.lastName}))`;

export const nameOfDoctor = (id: PgColumn | SQL): SQL<string> =>
  sql<string>`(select ${users.displayName} from ${rows.doctors} where ${doctors.id} = ${id})`;

export const nameOfPatient = (id: PgColumn | SQL): SQL<string> =>
  sql<string>`(select ${patientName()} from ${rows.patients} where ${patients.id} = ${id})`;

/** The ids of the doctors, archived ones too, whose folded name is like a pattern. */
export const doctorsNamed = (pattern: SQL): SQL =>
  sql`(select ${doctors.id} from ${rows.doctors} where ${isLike(users.foldedDisplayName, pattern)})`;

/** The same of patients: a union, so that each kind of name has its index. */
export const patientsNamed = (pattern: SQL): SQL =>
  sql`(select ${patients.id} from ${users} join ${patients} on ${eq(users.id, patients.userId)}
      where ${isLike(users.foldedDisplayName, pattern)}
    union all select ${patients.id} from ${patients} where ${isLike(patients.foldedNames, pattern)})`;

/** Whether the doctor with an id is one of them. */
export const isDoctorNamed = (id: PgColumn, pattern: SQL): SQL =>
  sql`exists (select from ${rows.doctors} where ${doctors.id} = ${id} and ${isLike(users.foldedDisplayName, pattern)})`;

export const isPatientNamed = (id: PgColumn, pattern: SQL): SQL =>
  sql`exists (select from ${rows.patients} where ${patients.id} = ${id}
    and coalesce(${users.foldedDisplayName}, ${patients.foldedNames}) like ${pattern})`;

/** Rows of which each is of a doctor and a patient. */
interface OfBoth {
  readonly patientId: PgColumn;
  readonly doctorId: PgColumn;
}

/** Whether a row is of one of the patients or doctors whose ids are selected: as arrays, so that both indexes serve it. */
export const isOfAny = ({ patientId, doctorId }: OfBoth, patients: SQL, doctors: SQL): SQL =>
  sql`(${patientId} = any(array${patients}) or ${doctorId} = any(array${doctors}))`;

/** The same, row by row: what is selected is hashed. */
export const isAmong = ({ patientId, doctorId }: OfBoth, patients: SQL, doctors: SQL): SQL =>
  sql`(${patientId} in ${patients} or ${doctorId} in ${doctors})`;
