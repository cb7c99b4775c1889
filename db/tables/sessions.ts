import { char, index, pgTable } from 'drizzle-orm/pg-core';
import { createdAt, moment, reference } from './columns.js';
import { users } from './users.js';

/** One row for each refresh token that is still good; logging out deletes it. */
export const sessions = pgTable(
  'sessions',
  {
    /** SHA-256 of the token's id in hex, so that a copy of this table opens no session. */
    tokenHash: char({ length: 64 }).primaryKey(),
    userId: reference()
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    createdAt: createdAt(),
    expiresAt: moment().notNull(),
  },
  (table) => [index('sessions_user_id_idx').on(table.userId, table.expiresAt)],
);
