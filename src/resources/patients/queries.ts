/** How patients are read: with whom they are by their account, where they have one, and found by name and number. */
import { and, eq, isNull, like, or, sql, type SQL } from 'drizzle-orm';
import { column, jsonObject, versionTag } from '../../../db/json.js';
import { directByKey } from '../../../db/prepared.js';
import { appointments, doctors, patients, profiles, users } from '../../../db/tables/index.js';
import type { Patient } from '../../../openapi/generated/schemas.js';
import { keeperId } from '../../lib/keepers.js';
import { patientName } from '../../lib/names.js';
import { containing } from '../../lib/search.js';
import type { Caller } from '../../lib/visit.js';

/** A patient as JSON, with the picture's name where the answer has its URL. */
export const patientJson = jsonObject<Patient>({
  id: column(patients.id),
  user: sql<string>`coalesce(${users.username}, '')`,
  profile: column(patients.picture),
  phone: column(patients.phone),
  name: patientName(),
  email: sql<string | null>`coalesce(${users.email}, ${patients.email})`,
  date_of_birth: sql<string | null>`coalesce(${profiles.dateOfBirth}, ${patients.dateOfBirth})`,
  managed_by: column(patients.managedBy),
});

// A profile can be deleted and made anew: its id tells two of one version apart.
const patientTag = versionTag(patients.id, patients.version, users.version, profiles.id, profiles.version);

export const ofUser = eq(users.id, patients.userId);
export const ofProfile = eq(profiles.userId, patients.userId);

/** The ids of patients who have or had an appointment, also a cancelled or archived one, with the doctor that a user is. */
const seenByDoctor = (userId: unknown): SQL => sql`
  select ${appointments.patientId} from ${doctors}
  join ${appointments} on ${appointments.doctorId} = ${doctors.id}
  where ${doctors.userId} = ${userId} and ${doctors.archivedAt} is null`;

const patientBy = (which: SQL) =>
  directByKey((db) =>
    db
      .select({
        keeperId: sql<number | null>`${keeperId}::float8`.as('keeperId'),
        // Looks through the patient's appointments, not through all of the doctor's.
        isSeenByDoctor: sql<boolean>`exists (
          ${seenByDoctor(sql.placeholder('caller'))} and ${appointments.patientId} = ${patients.id})`.as(
          'isSeenByDoctor',
        ),
        patient: sql<string>`${patientJson}::text`.as('patient'),
        tag: patientTag.as('tag'),
      })
      .from(patients)
      .leftJoin(users, ofUser)
      .leftJoin(profiles, ofProfile)
      .where(and(which, isNull(patients.archivedAt))),
  );
export const patientById = patientBy(eq(patients.id, sql.placeholder('id')));
export const patientOfCaller = patientBy(eq(patients.userId, sql.placeholder('caller')));

/** The ids of all whom a user who is not staff may see. */
const visibleTo = (userId: number): SQL => sql`
  select ${patients.id} from ${patients} where ${patients.userId} = ${userId} and ${patients.archivedAt} is null
  union select ${patients.id} from ${patients} where ${patients.managedBy} = ${userId} and ${patients.archivedAt} is null
  union ${seenByDoctor(userId)}`;

export const digitsOf = (text: string): string => text.replaceAll(/\D/g, '');

/** Whether a patient's id is a word, or the phone number has it; undefined for a word that is neither. */
function numberHas(term: string): SQL | undefined {
  if (!/^[\d+().-]+$/.test(term)) return undefined;
  const digits = digitsOf(term);
  return or(
    /^[1-9]\d{0,15}$/.test(term) ? sql`${patients.id} = ${term}::bigint` : undefined,
    digits === '' ? like(patients.phone, containing(term)) : like(patients.phoneDigits, containing(digits)),
  );
}

/** The ids of patients who have a word: a union, so that each place to look has its index. */
function candidates(term: string): SQL {
  const byNumber = numberHas(term);
  return sql`
    select ${patients.id} from ${users} join ${patients} on ${patients.userId} = ${users.id}
    where ${like(users.foldedNames, containing(term))}
    union select ${patients.id} from ${patients} where ${like(patients.foldedNames, containing(term))}
    ${byNumber && sql`union select ${patients.id} from ${patients} where ${byNumber}`}`;
}

/** Whether the account, the record or the number of a patient has a word. */
export const hasTerm = (term: string): SQL | undefined =>
  or(like(users.foldedNames, containing(term)), like(patients.foldedNames, containing(term)), numberHas(term));

/**
 * Narrows a list to few rows by an index, where one can. There is one such subquery at most, and the rest is judged row
 * by row: of two that hold more than PostgreSQL expects, each row of one would be compared with each of the other.
 */
export function narrow(caller: Caller, terms: readonly string[]): SQL | undefined {
  if (!caller.isStaff) return sql`${patients.id} in (${visibleTo(caller.id)})`;
  const [longest = ''] = terms.toSorted((a, b) => b.length - a.length);
  // An index of trigrams has nothing for less than three characters.
  return longest.length < 3 ? undefined : sql`${patients.id} in (${candidates(longest)})`;
}
