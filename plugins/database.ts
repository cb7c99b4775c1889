import type { FastifyInstance, onRequestHookHandler } from 'fastify';
import fp from 'fastify-plugin';
import type { Database, Db } from '../db/client.js';
import type { Operation } from '../openapi/operation.js';
import { ProblemError } from '../openapi/problem-error.js';

declare module 'fastify' {
  interface FastifyInstance {
    db: Db;
    database: Database;
  }
}

export interface DatabasePluginOptions {
  readonly database: Database;
}

/** Answers 503 until the database is migrated. */
export function available({ config }: Operation): onRequestHookHandler | undefined {
  if (!config.problems.includes(503)) return undefined;
  return function refuseUntilMigrated(request, _reply, next) {
    if (request.server.database.isMigrated()) {
      next();
      return;
    }
    const detail = 'The database can not be reached at the moment.';
    next(new ProblemError('unavailable', detail, {}, { 'retry-after': '5' }));
  };
}

/** Lends the database to the application. */
export default fp(
  function database(app: FastifyInstance, { database }: DatabasePluginOptions, done) {
    app.decorate('db', database.db);
    app.decorate('database', database);
    done();
  },
  { name: 'database', dependencies: ['errors'] },
);
