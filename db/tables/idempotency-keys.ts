import { sql } from 'drizzle-orm';
import { check, index, jsonb, pgTable, smallint, text, uniqueIndex, varchar } from 'drizzle-orm/pg-core';
import { createdAt, reference } from './columns.js';
import { serviceKeys } from './service-keys.js';
import { users } from './users.js';

/** The answers of creating requests that came with an Idempotency-Key, for their repeats. */
export const idempotencyKeys = pgTable(
  'idempotency_keys',
  {
    /** Whose it is: a user's or a service's. */
    userId: reference().references(() => users.id, { onDelete: 'cascade' }),
    serviceKeyId: reference().references(() => serviceKeys.id),
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
    check('idempotency_keys_holder_check', sql`num_nonnulls(user_id, service_key_id) = 1`),
    uniqueIndex('idempotency_keys_user_key').on(table.userId, table.key),
    uniqueIndex('idempotency_keys_service_key').on(table.serviceKeyId, table.key),
    index('idempotency_keys_created_at_idx').on(table.createdAt),
  ],
);
