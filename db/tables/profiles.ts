import { boolean, date, pgTable, unique, varchar } from 'drizzle-orm/pg-core';
import { createdAt, id, reference, updatedAt, version } from './columns.js';
import { users } from './users.js';

export const profiles = pgTable(
  'profiles',
  {
    id: id(),
    userId: reference()
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    bio: varchar({ length: 2000 }).notNull().default(''),
    address: varchar({ length: 255 }).notNull().default(''),
    dateOfBirth: date({ mode: 'string' }),
    picture: varchar({ length: 60 }),
    /** Registration opens an empty profile; the first create fills it. */
    filled: boolean().notNull().default(false),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
    version: version(),
  },
  (table) => [unique('profiles_user_id_key').on(table.userId)],
);
