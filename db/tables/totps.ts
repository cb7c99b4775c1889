import { integer, pgTable, smallint, text, varchar } from 'drizzle-orm/pg-core';
import { createdAt, moment, reference } from './columns.js';
import { users } from './users.js';

/** The second factor of a user: what an authenticator app makes its codes of (RFC 6238). */
export const totps = pgTable('totps', {
  userId: reference()
    .primaryKey()
    .references(() => users.id, { onDelete: 'cascade' }),
  /** The secret, which codes are computed from and which therefore is no hash: encrypted. */
  sealedSecret: text().notNull(),
  /** By which key. */
  keyId: varchar({ length: 16 }).notNull(),
  createdAt: createdAt(),
  /** Since when logins need a code; null: not yet. */
  confirmedAt: moment(),
  /** The time step of the newest code that was used: neither it nor one before it is good again. */
  lastStep: integer(),
  /** How many codes were wrong since then. */
  wrongCodes: smallint().notNull().default(0),
  wrongSince: moment(),
  /** SHA-256 in hex of the recovery codes that were not used. */
  recoveryHashes: text().array().notNull().default([]),
});
