import type { FastifyInstance } from 'fastify';
import fp from 'fastify-plugin';
import type { Db } from '../db/client.js';

export interface SweepOptions {
  readonly rounds: readonly {
    /** What it is called in the log. */
    readonly name: string;
    /** From the end of one to the beginning of the next. */
    readonly seconds: number;
    readonly run: (db: Db) => Promise<void>;
  }[];
}

export interface RoundState {
  /** Milliseconds since 1970; null until one is done without an error. */
  succeededAt: number | null;
  failures: number;
}

declare module 'fastify' {
  interface FastifyInstance {
    /** How the rounds fare, by their names. */
    readonly rounds: ReadonlyMap<string, RoundState>;
  }
}

/** Does time and again, from when the server listens, what no request waits for. One that fails is tried again in the next round. */
export default fp(
  function sweep(app: FastifyInstance, { rounds }: SweepOptions, done) {
    const timers = new Map<string, NodeJS.Timeout>();
    const states = new Map(rounds.map(({ name }): [string, RoundState] => [name, { succeededAt: null, failures: 0 }]));
    app.decorate('rounds', states);
    const start = ({ name, seconds, run }: SweepOptions['rounds'][number]): void => {
      const state = states.get(name) as RoundState;
      const round = async (): Promise<void> => {
        try {
          if (app.database.isMigrated()) {
            await run(app.db);
            state.succeededAt = Date.now();
          }
        } catch {
          state.failures++;
          app.log.warn(`${name} failed`);
        }
        if (timers.has(name)) timers.set(name, setTimeout(() => void round(), seconds * 1000).unref());
      };
      timers.set(name, setTimeout(() => void round(), seconds * 1000).unref());
    };
    app.addHook('onListen', (next) => {
      for (const each of rounds) start(each);
      next();
    });
    app.addHook('onClose', (_app, next) => {
      for (const timer of timers.values()) clearTimeout(timer);
      timers.clear();
      next();
    });
    done();
  },
  { name: 'sweep', dependencies: ['database'] },
);
