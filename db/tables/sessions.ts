import { bigint, boolean, char, integer, pgTable, uniqueIndex, varchar } from 'drizzle-orm/pg-core';
import { createdAt, moment, reference } from './columns.js';
import { users } from './users.js';

/** One row for each session that can still be refreshed; logging out deletes it. */
export const sessions = pgTable(
  'sessions',
  {
    /** SHA-256 of the token's id in hex, so that a copy of this table opens no session. */
    tokenHash: char({ length: 64 }).primaryKey(),
    /** What its user knows it by: it opens nothing. */
    id: bigint({ mode: 'number' }).notNull().generatedAlwaysAsIdentity(),
    userId: reference()
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    createdAt: createdAt(),
    expiresAt: moment().notNull(),
    refreshedAt: moment(),
    /** How many refresh tokens have been exchanged for their successors. */
    rotations: integer().notNull().default(0),
    /** Whether a code was sent with the login, or the second factor was set up in it. */
    hasSecondFactor: boolean().notNull().default(false),
    /** Whence it was opened, as the rate limits count clients: of IPv6 the network. */
    address: varchar({ length: 64 }),
    /** The program that opened it, by its own words. */
    userAgent: varchar({ length: 200 }),
  },
  (table) => [uniqueIndex('sessions_user_id_key').on(table.userId, table.id)],
);
