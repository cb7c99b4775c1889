import { sql } from 'drizzle-orm';
import { char, index, integer, pgTable, smallint } from 'drizzle-orm/pg-core';
import { createdAt, moment, reference } from './columns.js';
import { users } from './users.js';

/** The one code of a user by which a forgotten password can be replaced. */
export const passwordResets = pgTable(
  'password_resets',
  {
    userId: reference()
      .primaryKey()
      .references(() => users.id, { onDelete: 'cascade' }),
    /** SHA-256 of the code in hex, so that a copy of this table opens no account. */
    codeHash: char({ length: 64 }).notNull(),
    /** The user's token generation: whatever ends all sessions ends the code. */
    generation: integer().notNull(),
    tries: smallint().notNull().default(0),
    expiresAt: moment().notNull(),
    createdAt: createdAt(),
    /** The one of staff who made it; null for one that was mailed. */
    createdBy: reference().references(() => users.id),
    /** When mails with codes went to the user in the hour before the newest of them. */
    mailedAt: moment()
      .array()
      .notNull()
      .default(sql`'{}'`),
  },
  (table) => [index('password_resets_created_by_idx').on(table.createdBy)],
);
