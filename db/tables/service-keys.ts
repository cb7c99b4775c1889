import { sql } from 'drizzle-orm';
import { char, check, index, integer, pgTable, text, uniqueIndex, varchar } from 'drizzle-orm/pg-core';
import { createdAt, folded, id, moment, reference } from './columns.js';
import { users } from './users.js';

/**
 * What programs of the clinic sign in by. A service is no row of users: it is in no list of people, has no record of its
 * own, and nothing that is found by a user can be its. What it changes says so in the audit, and an appointment in its
 * changes; columns that name a user are null.
 */
export const serviceKeys = pgTable(
  'service_keys',
  {
    id: id(),
    name: varchar({ length: 50 }).notNull(),
    foldedName: folded('name'),
    scopes: text().array().notNull(),
    /** Requests a minute; null for as many as a user has. */
    limitPerMinute: integer(),
    expiresAt: moment(),
    /** SHA-256 of the secret in hex: that has 256 random bits, which no copy of this table gives. */
    secretHash: char({ length: 64 }).notNull(),
    /** Of the secret before the last rotation. */
    oldSecretHash: char({ length: 64 }),
    oldSecretEndsAt: moment(),
    /** To a minute. */
    lastUsedAt: moment(),
    createdAt: createdAt(),
    createdBy: reference()
      .notNull()
      .references(() => users.id),
    archivedAt: moment(),
    archivedBy: reference().references(() => users.id),
  },
  (table) => [
    check('service_keys_old_secret_check', sql`(old_secret_hash is null) = (old_secret_ends_at is null)`),
    uniqueIndex('service_keys_name_key')
      .on(table.foldedName)
      .where(sql`archived_at is null`),
    uniqueIndex('service_keys_secret_hash_key').on(table.secretHash),
    uniqueIndex('service_keys_old_secret_hash_key').on(table.oldSecretHash),
    index('service_keys_created_by_idx').on(table.createdBy),
    index('service_keys_archived_by_idx').on(table.archivedBy),
  ],
);
