import type { FastifyInstance } from 'fastify';
import fp from 'fastify-plugin';

/**
 * What browsers are told of every answer, after OWASP's "REST Security Cheat Sheet" (section "Security Headers"): none is
 * a document of its own, but for the pages of Swagger UI, which bring their own policy.
 */
const HEADERS = {
  'content-security-policy': "default-src 'none';frame-ancestors 'none'",
  // Pictures and answers are for other origins' pages as well; CORS decides who reads them.
  'cross-origin-resource-policy': 'cross-origin',
  'referrer-policy': 'no-referrer',
  'strict-transport-security': 'max-age=31536000; includeSubDomains',
  'x-content-type-options': 'nosniff',
};

export default fp(
  function securityHeaders(app: FastifyInstance, _options, done) {
    app.addHook('onRequest', (_request, reply, next) => {
      reply.headers(HEADERS);
      next();
    });
    done();
  },
  { name: 'security-headers' },
);
