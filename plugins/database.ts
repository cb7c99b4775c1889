import type { FastifyInstance } from 'fastify';
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
    app.addHook('onRequest', (request, _reply, next) => {
      const { operationId, problems } = request.routeOptions.config;
      if (operationId !== undefined && problems?.includes(503) === true && !database.isMigrated()) {
        const detail = 'The database can not be reached at the moment.';
        next(new ProblemError('unavailable', detail, {}, { 'retry-after': '5' }));
        return;
      }
      next();
    });
    done();
  },
  { name: 'database', dependencies: ['errors'] },
);
