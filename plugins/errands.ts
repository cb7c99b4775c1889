import type { FastifyInstance } from 'fastify';
import fp from 'fastify-plugin';
import { inTurn } from '../openapi/turns.js';
import { ProblemError } from '../openapi/problem-error.js';
import { loggable } from './errors.js';

/** What is done after an answer that says nothing of it. */
export interface Errand {
  /** What it is called in the log. */
  readonly name: string;
  /** Who asked for it, as the line counts. */
  readonly by: string;
  /** @param stop aborted when the server stops: what has begun may end, and begins nothing more */
  readonly run: (stop: AbortSignal) => Promise<void>;
}

export interface Errands {
  /** Begins an errand, or puts it into a line; one that finds no place there is told to the log alone. */
  add(errand: Errand): void;
  /** Resolves when none runs or waits. */
  settled(): Promise<void>;
}

declare module 'fastify' {
  interface FastifyInstance {
    readonly errands: Errands;
  }
}

/** Few, since each may hold a connection to the database or to a mail server. */
const BOUNDS = { running: 4, waiting: 1_000, detail: '' };

/** Runs errands by turns. When the server stops, those that have begun come to their end, and those that wait are lost. */
export default fp(
  function errands(app: FastifyInstance, _options, done) {
    const inLine = inTurn(BOUNDS);
    const open = new Set<Promise<void>>();
    const stop = new AbortController();
    const settled = async (): Promise<void> => {
      while (open.size > 0) await Promise.all(open);
    };
    app.decorate('errands', {
      add: ({ name, by, run }) => {
        const task = inLine(() => run(stop.signal), { by, signal: stop.signal }).catch((error: unknown) => {
          if (error instanceof ProblemError) {
            app.log.warn(`${name} was left: ${stop.signal.aborted ? 'the server stops' : 'too many wait already'}`);
          } else app.log.error({ error: loggable(error) }, `${name} failed`);
        });
        open.add(task);
        void task.then(() => open.delete(task));
      },
      settled,
    });
    app.addHook('onClose', async () => {
      stop.abort();
      await settled();
    });
    done();
  },
  { name: 'errands' },
);
