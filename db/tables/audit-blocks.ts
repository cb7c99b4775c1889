import { bigint, index, pgTable, text } from 'drizzle-orm/pg-core';
import { createdAt, reference } from './columns.js';

/**
 * Blocks of events that were there when they were sealed, each tied to the one before it by its hash. Triggers refuse all
 * but additions.
 */
export const auditBlocks = pgTable(
  'audit_blocks',
  {
    /** From 1, without a gap. */
    number: bigint({ mode: 'number' }).primaryKey(),
    sealedAt: createdAt(),
    /** In the order in which they are hashed. */
    eventIds: bigint({ mode: 'number' }).array().notNull(),
    lastId: reference().notNull(),
    /** SHA-256 in hex of the block before and the events. */
    hash: text().notNull(),
    /** Every event up to this id is in this block or one before it, or never comes. */
    sealedTo: reference().notNull(),
    /** The same as soon as all transactions before `nextHorizon` have ended. */
    nextSealedTo: reference().notNull(),
    nextHorizon: reference().notNull(),
  },
  (table) => [index('audit_blocks_last_id_idx').on(table.lastId)],
);
