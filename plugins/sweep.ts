import type { FastifyInstance } from 'fastify';
import fp from 'fastify-plugin';
import type { Db } from '../db/client.js';

const HOUR = 3_600_000;

export interface SweepOptions {
  /** What removes rows that nobody needs any more, by what they are called in the log. */
  readonly old: Readonly<Record<string, (db: Db) => Promise<void>>>;
}

/** Removes every hour what is old. Nothing may depend on it: what is old is in nobody's way. */
export default fp(
  function sweep(app: FastifyInstance, { old }: SweepOptions, done) {
    const round = (): void => {
      if (!app.database.isMigrated()) return;
      for (const [name, remove] of Object.entries(old)) {
        void remove(app.db).catch(() => app.log.warn(`old ${name} could not be removed`));
      }
    };
    const timer = setInterval(round, HOUR).unref();
    app.addHook('onClose', (_app, next) => {
      clearInterval(timer);
      next();
    });
    done();
  },
  { name: 'sweep', dependencies: ['database'] },
);
