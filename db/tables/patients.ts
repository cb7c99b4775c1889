import { sql } from 'drizzle-orm';
import { boolean, char, check, date, index, pgTable, text, uniqueIndex, varchar } from 'drizzle-orm/pg-core';
import { createdAt, foldedIfAny, id, moment, reference, updatedAt, version } from './columns.js';
import { users } from './users.js';

/**
 * Patients with an account, whose name, email and birth date are those of user and profile; and without one, who came to
 * the desk or are managed by the account of somebody else, and have their own here.
 */
export const patients = pgTable(
  'patients',
  {
    id: id(),
    userId: reference().references(() => users.id),
    firstName: varchar({ length: 150 }),
    lastName: varchar({ length: 150 }),
    email: varchar({ length: 254 }),
    dateOfBirth: date({ mode: 'string' }),
    /** The user who decides for a patient without an account, such as a parent. */
    managedBy: reference().references(() => users.id),
    /** What a search for patients without an account looks through. */
    foldedNames: foldedIfAny(`first_name || ' ' || last_name`),
    picture: varchar({ length: 60 }),
    phone: varchar({ length: 20 }),
    /** The phone number without punctuation, by which it is unique; but that of a managed patient may be the manager's. */
    phoneDigits: text().generatedAlwaysAs(sql`nullif(regexp_replace(phone, '[^0-9]', '', 'g'), '')`),
    /** Registration opens an empty record; the first create fills it. */
    filled: boolean().notNull().default(false),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
    version: version(),
    archivedAt: moment(),
    archivedBy: reference().references(() => users.id),
  },
  (table) => [
    uniqueIndex('patients_user_id_key')
      .on(table.userId)
      .where(sql`archived_at is null`),
    uniqueIndex('patients_phone_key')
      .on(table.phoneDigits)
      .where(sql`archived_at is null and managed_by is null`),
    check(
      'patients_person_check',
      sql`case when user_id is null then btrim(first_name) <> '' and btrim(last_name) <> ''
        and first_name is not null and last_name is not null
        else num_nonnulls(first_name, last_name, email, date_of_birth, managed_by) = 0 end`,
    ),
    check('patients_dependant_check', sql`managed_by is null or date_of_birth is not null`),
    index('patients_user_id_idx').on(table.userId),
    index('patients_managed_by_idx')
      .on(table.managedBy)
      .where(sql`managed_by is not null`),
    index('patients_names_trgm')
      .using('gin', sql`${table.foldedNames} gin_trgm_ops`)
      .where(sql`folded_names is not null`),
    index('patients_phone_digits_trgm').using('gin', sql`${table.phoneDigits} gin_trgm_ops`),
    // A trigram index finds what is equal, too, but by reading all that has any of its parts.
    index('patients_phone_digits_idx').on(table.phoneDigits),
    index('patients_archived_by_idx').on(table.archivedBy),
  ],
);

/** The one invitation by which a patient without an account can make one that the record becomes part of. */
export const patientInvitations = pgTable(
  'patient_invitations',
  {
    patientId: reference()
      .primaryKey()
      .references(() => patients.id, { onDelete: 'cascade' }),
    /** SHA-256 of the token in hex, so that a copy of this table opens no record. */
    tokenHash: char({ length: 64 }).notNull(),
    expiresAt: moment().notNull(),
    createdAt: createdAt(),
    createdBy: reference()
      .notNull()
      .references(() => users.id),
  },
  (table) => [
    uniqueIndex('patient_invitations_token_hash_key').on(table.tokenHash),
    index('patient_invitations_created_by_idx').on(table.createdBy),
  ],
);
