import { sql } from 'drizzle-orm';
import { boolean, char, index, integer, pgTable, text, uniqueIndex, varchar } from 'drizzle-orm/pg-core';
import { createdAt, id, version } from './columns.js';

export const users = pgTable(
  'users',
  {
    id: id(),
    username: varchar({ length: 150 }).notNull(),
    email: varchar({ length: 254 }).notNull(),
    firstName: varchar({ length: 150 }).notNull().default(''),
    lastName: varchar({ length: 150 }).notNull().default(''),
    /** What people see: the full name, else the user name. */
    displayName: text()
      .notNull()
      .generatedAlwaysAs(sql`coalesce(nullif(btrim(first_name || ' ' || last_name), ''), username)`),
    /** What the public sees of a patient: the first name, else the user name. */
    shortName: text()
      .notNull()
      .generatedAlwaysAs(sql`coalesce(nullif(btrim(first_name), ''), username)`),
    /** What a search for people looks through, in lower case. */
    searchText: text()
      .notNull()
      .generatedAlwaysAs(sql`lower(username || ' ' || email || ' ' || first_name || ' ' || last_name)`),
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
  },
  (table) => [
    uniqueIndex('users_username_key').on(sql`lower(${table.username})`),
    uniqueIndex('users_email_key').on(sql`lower(${table.email})`),
    index('users_display_name_trgm').using('gin', sql`lower(${table.displayName}) gin_trgm_ops`),
    index('users_short_name_trgm').using('gin', sql`lower(${table.shortName}) gin_trgm_ops`),
    index('users_names_trgm').using(
      'gin',
      sql`lower(${table.username} || ' ' || ${table.firstName} || ' ' || ${table.lastName}) gin_trgm_ops`,
    ),
    index('users_search_text_trgm').using('gin', sql`${table.searchText} gin_trgm_ops`),
    index('users_display_name_idx').on(table.displayName, table.id),
  ],
);
