import type { FastifyInstance, FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import { LRUCache } from 'lru-cache';
import { MAX_LAG, type Replica } from '../db/replica.js';
import type { Operation } from '../openapi/operation.js';
import { clientOf } from './rate-limit/index.js';

declare module 'fastify' {
  interface FastifyInstance {
    /** Addresses that have written lately; null where there is no standby: it has room for all of them from the beginning. */
    writers: LRUCache<string, true> | null;
  }
}

/** Milliseconds for which an address counts as writing: as long as what it asked for may take, and a replica be behind. */
const MEMORY = 20_000 + 2 * MAX_LAG;

/** Addresses that are known; of more, those that wrote the longest ago are forgotten. */
const MAX_WRITERS = 100_000;

/** Whether an operation lists what anybody may see and what no booking changes: answers that may be seconds old. */
export const mayLag = ({ method, url, config: { operationId, access } }: Operation): boolean =>
  method === 'GET' && operationId.startsWith('list') && !url.includes(':') && access !== 'user' && access !== 'staff';

/** Notes who writes: from then on they see what they did. */
export function noteWriter(request: FastifyRequest): void {
  request.server.writers?.set(clientOf(request), true);
}

/**
 * The standby that may answer a request: of nobody who is signed in, and from no address that has just written, so that
 * everybody sees what they have done themselves.
 */
export function replicaFor(request: FastifyRequest): Replica | undefined {
  const { database, writers } = request.server;
  if (writers === null || request.headers.authorization !== undefined) return undefined;
  const replica = database.replica();
  return replica?.isCurrent() === true && !writers.has(clientOf(request)) ? replica : undefined;
}

export default fp(
  function replica(app: FastifyInstance, _options: object, done) {
    const { hasReplica } = app.database;
    app.decorate('writers', hasReplica ? new LRUCache<string, true>({ max: MAX_WRITERS, ttl: MEMORY }) : null);
    done();
  },
  { name: 'replica', dependencies: ['database', 'rate-limit'] },
);
