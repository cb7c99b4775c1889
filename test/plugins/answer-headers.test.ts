import Fastify from 'fastify';
import t from 'tap';
import setAnswerHeaders, { answerHeaders } from '../../plugins/answer-headers.js';

const SECURITY = {
  'content-security-policy': "default-src 'none';frame-ancestors 'none'",
  'cross-origin-resource-policy': 'cross-origin',
  'referrer-policy': 'no-referrer',
  'strict-transport-security': 'max-age=31536000; includeSubDomains',
  'x-content-type-options': 'nosniff',
};
const OURS = 'https://app.example.com';
const OTHER = 'https://elsewhere.example.com';

t.test('each answer carries the headers, and what a route sets of its own stands', async (t) => {
  const app = Fastify();
  t.teardown(() => app.close());
  await app.register(setAnswerHeaders, { origins: [] });
  app.get('/', () => ({}));
  app.get('/page', (_request, reply) => reply.header('content-security-policy', "default-src 'self'").send('page'));
  app.get('/fault', () => Promise.reject(new Error('fault')));
  for (const url of ['/', '/nothing', '/fault']) t.match((await app.inject(url)).headers, SECURITY, url);
  t.equal((await app.inject('/page')).headers['content-security-policy'], "default-src 'self'");
  t.equal((await app.inject({ method: 'OPTIONS', url: '/', headers: { origin: OURS } })).statusCode, 404);
});

t.test('origins', async (t) => {
  for (const [origins, origin, allowed, isShared] of [
    [true, OURS, OURS, true],
    [true, undefined, undefined, true],
    [[OURS], OURS, OURS, true],
    [[OURS, OTHER], OTHER, OTHER, true],
    [[OURS], OTHER, undefined, true],
    [[OURS], `${OURS}.example`, undefined, true],
    [[], OURS, undefined, false],
    // A page in a sandbox: it may read, without credentials.
    [true, 'null', '*', true],
    [[OURS], 'null', undefined, true],
    [[], 'null', undefined, false],
  ] as const) {
    const headers = answerHeaders({ origins })(origin);
    t.match(headers, SECURITY);
    t.equal(headers['access-control-allow-origin'], allowed);
    t.equal(headers['vary'], isShared ? 'Origin' : undefined);
    t.equal(headers['access-control-allow-credentials'], isShared && allowed !== '*' ? 'true' : undefined);
  }
  t.end();
});

t.test('preflights', async (t) => {
  const app = Fastify();
  t.teardown(() => app.close());
  await app.register(setAnswerHeaders, { origins: true });
  app.put('/', () => ({}));
  for (const [url, asked] of [
    ['/', 'authorization, x-more'],
    ['/nothing', undefined],
    ['*', undefined],
  ] as const) {
    const { statusCode, headers, payload } = await app.inject({
      method: 'OPTIONS',
      url,
      headers: { origin: OURS, ...(asked && { 'access-control-request-headers': asked }) },
    });
    t.strictSame([statusCode, payload], [204, '']);
    t.equal(headers['access-control-allow-origin'], OURS);
    t.equal(headers['access-control-allow-headers'], asked);
    t.equal(headers['vary'], 'Origin, Access-Control-Request-Headers');
    t.match(headers['access-control-allow-methods'], /\bPATCH\b/);
    t.equal(headers['access-control-max-age'], '600');
  }
});
