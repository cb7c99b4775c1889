/** How patients are read: with whom they are by their account, where they have one, and found by name and number. */
import { and, eq, isNull, or, sql, type SQL } from 'drizzle-orm';
import { column, jsonObject, versionTag } from '../../../db/json.js';
import type { Db, Tx } from '../../../db/client.js';
import { directByKey } from '../../../db/prepared.js';
import { appointments, doctors, patients, profiles, users } from '../../../db/tables/index.js';
import type { ListPatientsQuery } from '../../../openapi/generated/operations.js';
import type { Patient } from '../../../openapi/generated/schemas.js';
import { keeperId } from '../../lib/keepers.js';
import { arrayOf, pagesOf, type Held } from '../../lib/lists.js';
import { patientName } from '../../lib/names.js';
import { itemOf } from '../../lib/pages.js';
import { byLongest, containing, isLike } from '../../lib/search.js';
import type { Caller } from '../../lib/visit.js';

/** A patient as JSON, with the picture's name where the answer has its URL. */
const patientJson = jsonObject<Patient>({
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

const ofUser = eq(users.id, patients.userId);
const ofProfile = eq(profiles.userId, patients.userId);

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
const visibleTo = (userId: SQL): SQL => sql`
  select ${patients.id} from ${patients} where ${patients.userId} = ${userId} and ${patients.archivedAt} is null
  union select ${patients.id} from ${patients} where ${patients.managedBy} = ${userId} and ${patients.archivedAt} is null
  union ${seenByDoctor(userId)}`;

export const digitsOf = (text: string): string => text.replaceAll(/\D/g, '');

/** A word that is looked for, as patterns, and as an id; what is left out has nothing like it. */
interface Word {
  readonly text: string;
  readonly id?: string | undefined;
  readonly digits?: string;
  /** Of what has no digits, but is written in phone numbers. */
  readonly phone?: string;
}

function wordOf(term: string): Word {
  const text = containing(term);
  if (!/^[\d+().-]+$/.test(term)) return { text };
  const digits = digitsOf(term);
  if (digits === '') return { text, phone: text };
  return { text, digits: containing(digits), id: /^[1-9]\d{0,15}$/.test(term) ? term : undefined };
}

/** Whether a patient's id is a word, or the phone number has it; undefined for a word that is neither. */
const numberHas = ({ id, digits, phone }: Held<Word>): SQL | undefined =>
  or(
    id && sql`${patients.id} = ${id}::bigint`,
    digits && isLike(patients.phoneDigits, digits),
    phone && isLike(patients.phone, phone),
  );

/** Whether the account, the record or the number of a patient has a word, by their indexes. */
const isFoundBy = (word: Held<Word>): SQL | undefined =>
  or(
    sql`${patients.userId} = any(array(select ${users.id} from ${users} where ${isLike(users.foldedNames, word.text)}))`,
    isLike(patients.foldedNames, word.text),
    numberHas(word),
  );

/** The same, row by row. */
const hasWord = (word: Held<Word>): SQL | undefined =>
  or(isLike(users.foldedNames, word.text), isLike(patients.foldedNames, word.text), numberHas(word));

/** What is asked for. */
interface Asked {
  readonly phone: string | undefined;
  readonly longest: Word | undefined;
  readonly words: readonly Word[] | undefined;
  /** Who is not staff, and sees but some. */
  readonly seer: number | undefined;
}

const ofPatients = (db: Db | Tx) =>
  db.select(itemOf(patientJson)).from(patients).leftJoin(users, ofUser).leftJoin(profiles, ofProfile).$dynamic();

export const patientPages = pagesOf<Asked, Patient>({
  table: patients,
  where: isNull(patients.archivedAt),
  filters: {
    phone: (digits) => eq(patients.phoneDigits, digits),
    longest: isFoundBy,
    words: (words) => and(...words.map(hasWord)),
    seer: (userId) => sql`${patients.id} in (${visibleTo(userId)})`,
  },
  joins: { words: (rows) => rows.leftJoin(users, ofUser) },
  once: { phone: 'found', longest: 'found', words: 'judged', seer: 'found' },
  searches: ['longest', 'words'],
  rows: ofPatients,
});

/** What a caller asks for. */
export function ask({ phone, ...query }: ListPatientsQuery, terms: readonly string[], caller: Caller) {
  // Who is not staff sees few.
  const { longest, others } = caller.isStaff ? byLongest(terms) : { others: terms };
  return {
    ...query,
    phone: phone && digitsOf(phone),
    longest: longest === undefined ? undefined : wordOf(longest),
    words: others?.map(wordOf),
    seer: caller.isStaff ? undefined : caller.id,
  };
}

/** The most patients that one account manages. */
export const MAX_DEPENDANTS = 20;

export const dependantsOf = arrayOf<{ readonly manager: number }, Patient>(
  {
    table: patients,
    where: isNull(patients.archivedAt),
    filters: { manager: (userId) => eq(patients.managedBy, userId) },
    rows: ofPatients,
  },
  MAX_DEPENDANTS,
);
