import { index, pgTable, varchar } from 'drizzle-orm/pg-core';
import { createdAt, id, reference, updatedAt } from './columns.js';
import { users } from './users.js';

export const contacts = pgTable(
  'contacts',
  {
    id: id(),
    /** Who sent it signed in. */
    userId: reference().references(() => users.id, { onDelete: 'set null' }),
    name: varchar({ length: 50 }).notNull(),
    phone: varchar({ length: 20 }).notNull(),
    message: varchar({ length: 5000 }).notNull(),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (table) => [index('contacts_user_id_idx').on(table.userId, table.id)],
);
