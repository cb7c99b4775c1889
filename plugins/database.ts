import type { FastifyInstance, onRequestHookHandler } from 'fastify';
import fp from 'fastify-plugin';
import type { Database, Db } from '../db/client.js';
import { ProblemError } from '../openapi/generated/problems.js';

declare module 'fastify' {
  interface FastifyInstance {
    db: Db;
    database: Database;
  }
}

export interface DatabasePluginOptions {
  readonly database: Database;
}

/** Lends the database to the application and answers 503 to every operation until it is migrated. */
export default fp(
  function database(app: FastifyInstance, { database }: DatabasePluginOptions, done) {
    app.decorate('db', database.db);
    app.decorate('database', database);
    const refuseUntilMigrated: onRequestHookHandler = (_request, _reply, next) => {
      if (database.isMigrated()) {
        next();
        return;
      }
      const detail = 'The database can not be reached at the moment.';
      next(new ProblemError('unavailable', detail, {}, { 'retry-after': '5' }));
    };
    app.addHook('onRoute', (route) => {
      if (route.config?.problems?.includes(503) !== true) return;
      route.onRequest = [route.onRequest ?? []].flat().concat(refuseUntilMigrated);
    });
    done();
  },
  { name: 'database', dependencies: ['errors'] },
);
