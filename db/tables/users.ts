import { sql } from 'drizzle-orm';
import { boolean, index, pgTable, text, uniqueIndex, varchar } from 'drizzle-orm/pg-core';
import { createdAt, id } from './columns.js';

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
    passwordHash: text().notNull(),
    isStaff: boolean().notNull().default(false),
    isActive: boolean().notNull().default(true),
    dateJoined: createdAt(),
  },
  (table) => [
    uniqueIndex('users_username_key').on(sql`lower(${table.username})`),
    uniqueIndex('users_email_key').on(sql`lower(${table.email})`),
    index('users_display_name_trgm').using('gin', sql`lower(${table.displayName}) gin_trgm_ops`),
    index('users_display_name_idx').on(table.displayName, table.id),
  ],
);
