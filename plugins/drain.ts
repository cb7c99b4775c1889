import type { FastifyInstance } from 'fastify';
import fp from 'fastify-plugin';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

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
      answers.set(socket, answer);
      if (isDraining) answer.shouldKeepAlive = false;
    });
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
      next();
    });
    done();
  },
  { name: 'drain' },
);
