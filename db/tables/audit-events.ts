import { sql } from 'drizzle-orm';
import { bigint, index, integer, pgTable, smallint, text, uuid } from 'drizzle-orm/pg-core';
import { id, moment, reference } from './columns.js';

/** Who it was: a user of either role, a service, somebody without a token, the program by itself, or SQL that says nothing of itself. */
export const AUDIT_ACTORS = ['staff', 'user', 'service', 'anonymous', 'system', 'database'] as const;
/** A change in its own transaction; a request that got what it asked for; one that may not have it; one that failed. */
export const AUDIT_OUTCOMES = ['stored', 'answered', 'refused', 'failed'] as const;

/**
 * Who did what with which records: triggers write each change in its transaction, the server each answer. Triggers refuse
 * all but additions. Nothing refers to users and records, which events outlive.
 */
export const auditEvents = pgTable(
  'audit_events',
  {
    id: id(),
    at: moment().notNull(),
    actor: text({ enum: AUDIT_ACTORS }).notNull(),
    /** Of a user, or of the key of a service. */
    actorId: reference(),
    /** The operation of the contract; null for what came without a request. */
    operation: text(),
    action: text().notNull(),
    resource: text().notNull(),
    recordIds: bigint({ mode: 'number' }).array().notNull().default([]),
    /** The client's, as the rate limits count it. */
    address: text(),
    requestId: uuid(),
    outcome: text({ enum: AUDIT_OUTCOMES }).notNull(),
    /** HTTP's, of an answer. */
    status: smallint(),
    /** Of refusals, how many alike came within a second. */
    total: integer().notNull().default(1),
  },
  (table) => [
    index('audit_events_at_idx').on(table.at, table.id),
    index('audit_events_actor_idx').on(table.actorId, table.at, table.id),
    index('audit_events_record_ids_idx').using('gin', table.recordIds),
    // What is rare would be looked for among all reads of patients, profiles and appointments.
    index('audit_events_resource_idx')
      .on(table.resource, table.at, table.id)
      .where(sql`resource not in ('patients', 'profiles', 'appointments')`),
    index('audit_events_action_idx')
      .on(table.action, table.at, table.id)
      .where(sql`action not in ('read', 'list')`),
    index('audit_events_outcome_idx')
      .on(table.outcome, table.at, table.id)
      .where(sql`outcome in ('refused', 'failed')`),
  ],
);
