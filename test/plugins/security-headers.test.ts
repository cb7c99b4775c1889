import Fastify from 'fastify';
import t from 'tap';
import securityHeaders from '../../plugins/security-headers.js';

t.test('each answer carries the headers, and what a route sets of its own stands', async (t) => {
  const app = Fastify();
  t.teardown(() => app.close());
  await app.register(securityHeaders);
  app.get('/', () => ({}));
  app.get('/page', (_request, reply) => reply.header('content-security-policy', "default-src 'self'").send('page'));
  app.get('/fault', () => Promise.reject(new Error('fault')));
  for (const url of ['/', '/nothing', '/fault']) {
    t.match(
      (await app.inject(url)).headers,
      {
        'content-security-policy': "default-src 'none';frame-ancestors 'none'",
        'cross-origin-resource-policy': 'cross-origin',
        'referrer-policy': 'no-referrer',
        'strict-transport-security': 'max-age=31536000; includeSubDomains',
        'x-content-type-options': 'nosniff',
      },
      url,
    );
  }
  t.equal((await app.inject('/page')).headers['content-security-policy'], "default-src 'self'");
});
