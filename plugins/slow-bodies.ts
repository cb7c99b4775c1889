import type { FastifyInstance, preParsingHookHandler } from 'fastify';
import fp from 'fastify-plugin';
import type { IncomingMessage, Server } from 'node:http';
import type { Operation } from '../openapi/operation.js';

export interface SlowBodiesOptions {
  /** Bytes that have to arrive of a body in each window. Default 5,000. */
  readonly minBytes?: number;
  /** Milliseconds. Default 20 s. */
  readonly window?: number;
}

/** The requests whose bodies arrive. */
export class Arrivals {
  readonly #minBytes: number;
  readonly #server: Server;
  /** With the bytes that their connections had brought when they were last looked at. */
  readonly #open = new Map<IncomingMessage, number | undefined>();

  constructor(server: Server, minBytes: number) {
    this.#server = server;
    this.#minBytes = minBytes;
  }

  watch(raw: IncomingMessage): void {
    if (!raw.complete) this.#open.set(raw, undefined);
  }

  /**
   * Ends those that have brought too little since the last look. Returns how many are left.
   * @param part of a window that has passed since
   */
  look(part = 1): number {
    for (const [raw, before] of this.#open) {
      const { bytesRead } = raw.socket;
      if (raw.complete || raw.destroyed) this.#open.delete(raw);
      else if (before === undefined || bytesRead - before >= this.#minBytes * part) this.#open.set(raw, bytesRead);
      else {
        this.#open.delete(raw);
        // Its client will send it again: what still arrives must not be served as well.
        raw.unpipe().removeAllListeners('data').removeAllListeners('end').resume();
        const { origin } = raw.headers;
        const error = Object.assign(new Error('no progress'), { code: 'ERR_HTTP_REQUEST_TIMEOUT', origin });
        this.#server.emit('clientError', error, raw.socket);
      }
    }
    return this.#open.size;
  }
}

declare module 'fastify' {
  interface FastifyInstance {
    readonly arrivals: Arrivals;
  }
}

/** Watches a body from when it is read: before, it is the server that lets it wait. */
export function watchBody({ config }: Operation): preParsingHookHandler | undefined {
  if (config.consumes.length === 0) return undefined;
  return function watchArrival({ raw, server }, _reply, payload, next) {
    server.arrivals.watch(raw);
    next(null, payload);
  };
}

/**
 * Ends requests whose bodies make no progress. A steady one may take its time: a picture over a slow line takes minutes,
 * and a limit for the whole would cut it off.
 */
export default fp(
  function slowBodies(app: FastifyInstance, { minBytes = 5_000, window = 20_000 }: SlowBodiesOptions, done) {
    const arrivals = new Arrivals(app.server, minBytes);
    app.decorate('arrivals', arrivals);
    let timer = setInterval(() => arrivals.look(), window).unref();
    // A server that closes has less time than a window.
    app.addHook('preClose', (next) => {
      clearInterval(timer);
      timer = setInterval(() => arrivals.look(1 / 8), window / 8).unref();
      next();
    });
    app.addHook('onClose', (_app, next) => {
      clearInterval(timer);
      next();
    });
    done();
  },
  { name: 'slow-bodies' },
);
