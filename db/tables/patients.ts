import { sql } from 'drizzle-orm';
import { boolean, index, pgTable, text, uniqueIndex, varchar } from 'drizzle-orm/pg-core';
import { createdAt, id, moment, reference, updatedAt, version } from './columns.js';
import { users } from './users.js';

export const patients = pgTable(
  'patients',
  {
    id: id(),
    userId: reference()
      .notNull()
      .references(() => users.id),
    picture: varchar({ length: 60 }),
    phone: varchar({ length: 20 }),
    /** The phone number without punctuation, by which it is unique. */
    phoneDigits: text().generatedAlwaysAs(sql`nullif(regexp_replace(phone, '[^0-9]', '', 'g'), '')`),
    /** Registration opens an empty record; the first create fills it. */
    filled: boolean().notNull().default(false),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
    version: version(),
    archivedAt: moment(),
    archivedBy: reference().references(() => users.id),
  },
  (table) => [
    uniqueIndex('patients_user_id_key')
      .on(table.userId)
      .where(sql`archived_at is null`),
    uniqueIndex('patients_phone_key')
      .on(table.phoneDigits)
      .where(sql`archived_at is null`),
    index('patients_user_id_idx').on(table.userId),
    index('patients_phone_digits_trgm').using('gin', sql`${table.phoneDigits} gin_trgm_ops`),
    index('patients_archived_by_idx').on(table.archivedBy),
  ],
);
