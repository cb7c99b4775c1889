import { sql } from 'drizzle-orm';
import { char, check, date, index, pgTable, uniqueIndex } from 'drizzle-orm/pg-core';
import { createdAt, id, moment, reference, tsrange } from './columns.js';
import { doctors } from './doctors.js';
import { availableTimes } from './lookups.js';
import { users } from './users.js';
import { waitingEntries } from './waiting-list.js';

/**
 * Slots that are kept free for who has the token. No two of a doctor overlap, by holds_doctor_period_excl (made in a
 * migration) and the unique index below, nor does one overlap a live appointment of the doctor, by triggers of both
 * tables. These know no clock: a hold that has ended is in the way until whoever takes a slot of the doctor, and has
 * locked the doctor for that, has deleted it.
 */
export const holds = pgTable(
  'holds',
  {
    id: id(),
    /** SHA-256 of the token in hex, so that a copy of this table takes no slot. */
    tokenHash: char({ length: 64 }),
    doctorId: reference()
      .notNull()
      .references(() => doctors.id, { onDelete: 'cascade' }),
    availableTimeId: reference()
      .notNull()
      .references(() => availableTimes.id, { onDelete: 'cascade' }),
    /** As of appointments. */
    date: date({ mode: 'string' }).notNull(),
    period: tsrange(),
    /** Whose it is; null for somebody who was not signed in, and for an offer. */
    userId: reference().references(() => users.id, { onDelete: 'cascade' }),
    /** SHA-256 in hex of the address that somebody else came from: it is only compared. */
    addressHash: char({ length: 64 }),
    /** Of whose patient it is an offer, which has no token. */
    waitingEntryId: reference().references(() => waitingEntries.id, { onDelete: 'cascade' }),
    expiresAt: moment().notNull(),
    createdAt: createdAt(),
  },
  (table) => [
    check(
      'holds_holder_check',
      sql`num_nonnulls(user_id, address_hash, waiting_entry_id) = 1 and num_nonnulls(token_hash, waiting_entry_id) = 1`,
    ),
    uniqueIndex('holds_token_hash_key').on(table.tokenHash),
    uniqueIndex('holds_waiting_entry_key').on(table.waitingEntryId),
    uniqueIndex('holds_doctor_label_key')
      .on(table.doctorId, table.date, table.availableTimeId)
      .where(sql`period is null`),
    index('holds_doctor_id_idx').on(table.doctorId, table.expiresAt),
    index('holds_available_time_id_idx').on(table.availableTimeId),
    index('holds_user_id_idx').on(table.userId),
    index('holds_address_hash_idx').on(table.addressHash),
  ],
);
