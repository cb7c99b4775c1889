import { sql } from 'drizzle-orm';
import { boolean, char, check, index, integer, pgTable, text, uniqueIndex, varchar } from 'drizzle-orm/pg-core';
import { caseless, createdAt, folded, id, inOrder, moment, version } from './columns.js';

const DISPLAY_NAME = `coalesce(nullif(btrim(first_name || ' ' || last_name), ''), username)`;
const SHORT_NAME = `coalesce(nullif(btrim(first_name), ''), username)`;

export const users = pgTable(
  'users',
  {
    id: id(),
    username: varchar({ length: 150 }).notNull(),
    email: varchar({ length: 254 }).notNull(),
    firstName: varchar({ length: 150 }).notNull().default(''),
    lastName: varchar({ length: 150 }).notNull().default(''),
    /** What people see: the full name, else the user name. */
    displayName: text().notNull().generatedAlwaysAs(sql.raw(DISPLAY_NAME)),
    /** What the public sees of a patient: the first name, else the user name. */
    shortName: text().notNull().generatedAlwaysAs(sql.raw(SHORT_NAME)),
    foldedDisplayName: folded(DISPLAY_NAME),
    foldedShortName: folded(SHORT_NAME),
    /** What a search for patients looks through. */
    foldedNames: folded(`username || ' ' || first_name || ' ' || last_name`),
    /** What a search for people looks through. */
    searchText: folded(`username || ' ' || email || ' ' || first_name || ' ' || last_name`),
    passwordHash: text().notNull(),
    /** Counts the times when all sessions were ended; access tokens of an earlier count are void. */
    tokenGeneration: integer().notNull().default(0),
    /** The session whose access tokens stay good when the count goes up: that in which the password was changed. */
    keptSession: char({ length: 64 }),
    isStaff: boolean().notNull().default(false),
    isActive: boolean().notNull().default(true),
    dateJoined: createdAt(),
    /** Counts changes of what others see. */
    version: version(),
    /** Since when nobody knows whose it was: it is nobody's any more, and gone from the API. */
    erasedAt: moment(),
  },
  (table) => [
    check('users_erased_check', sql`erased_at is null or not (is_active or is_staff)`),
    uniqueIndex('users_username_key').on(caseless(table.username)),
    uniqueIndex('users_email_key').on(caseless(table.email)),
    index('users_display_name_trgm').using('gin', sql`${table.foldedDisplayName} gin_trgm_ops`),
    index('users_short_name_trgm').using('gin', sql`${table.foldedShortName} gin_trgm_ops`),
    index('users_names_trgm').using('gin', sql`${table.foldedNames} gin_trgm_ops`),
    index('users_search_text_trgm').using('gin', sql`${table.searchText} gin_trgm_ops`),
    index('users_display_name_idx').on(inOrder(table.foldedDisplayName), table.id),
  ],
);
