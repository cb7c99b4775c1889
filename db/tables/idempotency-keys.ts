import { index, jsonb, pgTable, primaryKey, smallint, text, varchar } from 'drizzle-orm/pg-core';
import { createdAt, reference } from './columns.js';
import { users } from './users.js';

/** The answers of creating requests that came with an Idempotency-Key, for their repeats. */
export const idempotencyKeys = pgTable(
  'idempotency_keys',
  {
    userId: reference()
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    key: varchar({ length: 255 }).notNull(),
    /** SHA-256 of operation and body. */
    requestHash: text().notNull(),
    /** Null while the first request is under way, in the transaction that holds the row. */
    status: smallint(),
    headers: jsonb().$type<Record<string, string>>(),
    body: text(),
    createdAt: createdAt(),
  },
  (table) => [
    primaryKey({ columns: [table.userId, table.key] }),
    index('idempotency_keys_created_at_idx').on(table.createdAt),
  ],
);
