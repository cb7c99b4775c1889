import { check, pgTable, smallint, varchar } from 'drizzle-orm/pg-core';
import { sql } from 'drizzle-orm';

/** One row: the secret that signs the tokens of the instance that started last, by a fingerprint that does not give it away. */
export const signingSecrets = pgTable(
  'signing_secrets',
  { id: smallint().primaryKey().default(1), fingerprint: varchar({ length: 43 }).notNull() },
  (table) => [check('signing_secrets_one_row', sql`${table.id} = 1`)],
);
