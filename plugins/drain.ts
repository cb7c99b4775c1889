import type { FastifyInstance } from 'fastify';
import fp from 'fastify-plugin';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { connect, type AddressInfo, type Server, type Socket } from 'node:net';

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

/** How long, in milliseconds, connections that wait for it are still accepted when the server closes. */
const ACCEPT = 1_000;

/** Where a server is reached that listens on all addresses. */
const OWN_ADDRESS: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' };

/** Resolves when a server has accepted a connection of ours, and all that waited before it: to whether none did. */
function acceptOwn(server: Server, { address, port }: AddressInfo): Promise<boolean> {
  return new Promise((resolve) => {
    let others = 0;
    const own = connect(port, OWN_ADDRESS[address] ?? address);
    const end = (): void => {
      clearTimeout(timer);
      server.off('connection', look);
      own.destroy();
      resolve(others === 0);
    };
    const look = ({ remotePort }: Socket): void => {
      if (remotePort === own.localPort) end();
      else others++;
    };
    const timer = setTimeout(end, ACCEPT);
    own.on('error', end);
    server.on('connection', look);
  });
}

/**
 * Accepts what has connected: the system would break that off when the server no longer listens. What comes meanwhile is
 * read only afterwards, since who has an answer connects anew.
 * @returns reads it
 */
async function acceptAll(server: Server): Promise<() => void> {
  const address = server.address() as AddressInfo | null;
  if (address === null) return () => undefined;
  const unread = new Set<Socket>();
  // Node has it read in the next tick.
  const hold = (socket: Socket): void => process.nextTick(() => unread.add(socket.pause()));
  server.on('connection', hold);
  for (const deadline = Date.now() + ACCEPT; Date.now() < deadline;) {
    if (await acceptOwn(server, address)) break;
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
      void acceptAll(app.server).then((read) => {
        next();
        read();
      });
    });
    done();
  },
  { name: 'drain' },
);
