import type { FastifyInstance } from 'fastify';
import fp from 'fastify-plugin';
import helmet, { type HelmetOptions } from 'helmet';
import type { IncomingMessage, ServerResponse } from 'node:http';

/** Helmet's headers; they are the same for every answer, so they are worked out once. */
export default fp(
  function securityHeaders(app: FastifyInstance, options: HelmetOptions, done) {
    const headers: Record<string, string> = {};
    const recorder = {
      setHeader: (name: string, value: string) => void (headers[name.toLowerCase()] = value),
      removeHeader: () => undefined,
    };
    helmet(options)({} as IncomingMessage, recorder as unknown as ServerResponse, (error) => done(error as Error));
    app.addHook('onRequest', (_request, reply, next) => {
      reply.headers(headers);
      next();
    });
  },
  { name: 'security-headers' },
);
