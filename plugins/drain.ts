import type { FastifyInstance } from 'fastify';
import fp from 'fastify-plugin';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Server, Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

declare module 'fastify' {
  interface FastifyInstance {
    /** From now on every answer ends its connection, and readiness says so; new ones are still taken until `close`. */
    drain(): void;
    isDraining(): boolean;
    /** How many connections are open. */
    connections(): number;
  }
}

/** How often, in milliseconds, connections are looked through while the server closes. */
const LOOK = 100;
/** Looks without a byte after which a connection without a request is ended: one may be on its way. */
const PATIENCE = 5;

/** How long, in milliseconds, connections are still accepted when the server closes, and without which it is quiet. */
const ACCEPT = { atMost: 1_000, quiet: 50 };

/**
 * Accepts what connects, until nobody does any more: the system would break that off when the server no longer listens.
 * It is read only afterwards, since who has an answer connects anew.
 * @param isAnswering whether a request is under way on a connection
 * @returns reads it
 */
async function acceptAll(server: Server, isAnswering: () => boolean): Promise<() => void> {
  if (server.address() === null) return () => undefined;
  const unread = new Set<Socket>();
  let isQuiet = false;
  const hold = (socket: Socket): void => {
    isQuiet = false;
    // Node has it read in the next tick.
    process.nextTick(() => unread.add(socket.pause()));
  };
  server.on('connection', hold);
  for (const deadline = Date.now() + ACCEPT.atMost; !isQuiet && Date.now() < deadline;) {
    isQuiet = !isAnswering();
    await sleep(ACCEPT.quiet);
    // All that waited has been accepted just before this comes, and nothing else runs until the server has closed.
    await new Promise(setImmediate);
  }
  return () => {
    server.off('connection', hold);
    for (const socket of unread) socket.resume();
  };
}

/** Lets a server end without a request that fails: of its connections only those end on which nothing is going on. */
export default fp(
  function drain(app: FastifyInstance, _options, done) {
    const sockets = new Set<Socket>();
    const answers = new WeakMap<Socket, ServerResponse>();
    let isDraining = false;
    const answerOf = (socket: Socket): ServerResponse | undefined => {
      const answer = answers.get(socket);
      return answer === undefined || answer.writableFinished || answer.destroyed ? undefined : answer;
    };
    app.server.on('connection', (socket: Socket) => {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
    });
    app.server.prependListener('request', ({ socket }: IncomingMessage, answer: ServerResponse) => {
      const before = isDraining ? answerOf(socket) : undefined;
      answers.set(socket, answer);
      if (isDraining) answer.shouldKeepAlive = false;
      // Of several requests that came together, the last answer ends the connection.
      if (before?.headersSent === false) before.shouldKeepAlive = true;
    });
    /** Ends the connections on which nothing is going on, until there is none. */
    function endIdle(): void {
      const seen = new WeakMap<Socket, { bytes: number; looks: number }>();
      const timer = setInterval(() => {
        if (sockets.size === 0) clearInterval(timer);
        for (const socket of sockets) {
          if (answerOf(socket) !== undefined) continue;
          const before = seen.get(socket);
          const looks = before?.bytes === socket.bytesRead ? before.looks + 1 : 0;
          seen.set(socket, { bytes: socket.bytesRead, looks });
          if (looks >= PATIENCE) socket.destroy();
        }
      }, LOOK).unref();
    }
    app.decorate('isDraining', () => isDraining);
    app.decorate('connections', () => sockets.size);
    app.decorate('drain', () => {
      isDraining = true;
      for (const socket of sockets) {
        const answer = answerOf(socket);
        if (answer !== undefined && !answer.headersSent) answer.shouldKeepAlive = false;
      }
    });
    app.addHook('preClose', (next) => {
      app.drain();
      const isAnswering = (): boolean => [...sockets].some((socket) => answerOf(socket) !== undefined);
      void acceptAll(app.server, isAnswering).then((read) => {
        next();
        read();
        endIdle();
      });
    });
    done();
  },
  { name: 'drain' },
);
