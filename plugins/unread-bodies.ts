import type { FastifyInstance } from 'fastify';
import fp from 'fastify-plugin';
import type { IncomingMessage } from 'node:http';

export interface UnreadBodiesOptions {
  /** How much is read and dropped of what a client goes on sending after its answer. Default 128 MiB. */
  readonly maxBytes?: number;
  /** For how many milliseconds. Default 10 s. */
  readonly maxTime?: number;
}

/**
 * Closes a connection after the answer, but goes on reading for a while what the client has still to send: most clients
 * read an answer only then, and lose it when the connection breaks before (RFC 9112, section 9.6).
 */
function linger(raw: IncomingMessage, { maxBytes = 134_217_728, maxTime = 10_000 }: UnreadBodiesOptions): void {
  const { socket } = raw;
  let bytes = 0;
  raw.unpipe();
  raw.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > maxBytes) socket.destroy();
  });
  // So Node closes the connection once the answer is written.
  const close = socket.destroySoon.bind(socket);
  socket.destroySoon = () => {
    if (raw.readableEnded) {
      close();
      return;
    }
    socket.end();
    const timer = setTimeout(() => socket.destroy(), maxTime).unref();
    raw.once('end', close).once('close', () => clearTimeout(timer));
  };
}

/** Lets clients whose request is refused before it has arrived, such as one too large, read the answer. */
export default fp(
  function unreadBodies(app: FastifyInstance, options: UnreadBodiesOptions, done) {
    app.addHook('onSend', ({ raw }, reply, payload, next) => {
      // Of a request that is no HTTP the mark is missing.
      if ((raw.complete as boolean | undefined) !== false) {
        next(null, payload);
        return;
      }
      // The parser marks the end after it has called us with the head, also where there is no body.
      setImmediate(() => {
        if (!raw.complete && !raw.destroyed) {
          reply.header('connection', 'close');
          linger(raw, options);
        }
        next(null, payload);
      });
    });
    done();
  },
  { name: 'unread-bodies' },
);
