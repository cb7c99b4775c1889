import type { FastifyInstance, FastifyPluginCallback } from 'fastify';

/**
 * An encapsulated plugin with the routes of one resource.
 * @param routes serves each operation with a function of the resource's service
 */
export function resource(routes: (serve: FastifyInstance['serve']) => void): FastifyPluginCallback {
  return (app, _options, done) => {
    routes((...route) => app.serve(...route));
    done();
  };
}
