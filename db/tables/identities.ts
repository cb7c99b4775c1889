import { pgTable, uniqueIndex, varchar } from 'drizzle-orm/pg-core';
import { id, moment, reference } from './columns.js';
import { users } from './users.js';

/** Whom an OpenID provider knows a user as: who signs in there as the one is the other here. */
export const identities = pgTable(
  'identities',
  {
    id: id(),
    userId: reference()
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    issuer: varchar({ length: 500 }).notNull(),
    subject: varchar({ length: 255 }).notNull(),
    linkedAt: moment().notNull().defaultNow(),
    /** Null: never since. */
    lastUsedAt: moment(),
  },
  (table) => [
    uniqueIndex('identities_subject_key').on(table.issuer, table.subject),
    uniqueIndex('identities_user_key').on(table.userId, table.issuer),
  ],
);
