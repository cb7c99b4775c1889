import { pgTable, varchar } from 'drizzle-orm/pg-core';
import { moment } from './columns.js';

/**
 * The secrets that have signed the tokens of instances, the newest last, by fingerprints that do not give them away.
 * Without a key, since a backup's rows have to fit in beside that of the instance that made the tables.
 */
export const signingSecrets = pgTable('signing_secrets', {
  fingerprint: varchar({ length: 43 }).notNull(),
  notedAt: moment().notNull().defaultNow(),
});
