import type { FastifyInstance } from 'fastify';
import fp from 'fastify-plugin';

/**
 * One line for each answer, with the request's id, which the answer carries too. It names the route and never the URL,
 * a header or an address: they can hold personal data.
 */
export default fp(
  function logging(app: FastifyInstance, _options, done) {
    app.addHook('onRequest', (request, reply, next) => {
      reply.header('x-request-id', request.id);
      next();
    });
    app.addHook('onResponse', (request, reply, next) => {
      request.log.info(
        {
          reqId: request.id,
          method: request.method,
          route: request.routeOptions.url ?? null,
          status: reply.statusCode,
          milliseconds: Math.round(reply.elapsedTime * 10) / 10,
        },
        'answered',
      );
      next();
    });
    done();
  },
  { name: 'logging' },
);
