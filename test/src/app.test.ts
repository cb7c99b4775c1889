import t from 'tap';
import { buildTestApp } from '../helpers/app.js';
import { exchange, readAnswer } from '../helpers/exchange.js';

const PRODUCTION = { NODE_ENV: 'production' };
const OURS = 'https://app.example.com';
const OTHER = 'https://elsewhere.example.com';

for (const [title, environment, origin, isAllowed] of [
  ['any origin by default', {}, OTHER, true],
  ['a listed origin', { CORS_ORIGINS: `https://a.example.com, ${OURS}` }, OURS, true],
  ['an origin that is not listed', { CORS_ORIGINS: OURS }, OTHER, false],
  ['a listed origin in production', { ...PRODUCTION, CORS_ORIGINS: OURS }, OURS, true],
  ['no origin in production by default', PRODUCTION, OTHER, false],
] as [string, Record<string, string>, string, boolean][]) {
  t.test(`CORS: ${title} is ${isAllowed ? 'allowed' : 'refused'}`, async (t) => {
    const { app } = await buildTestApp(t, environment);
    const answer = await app.inject({ method: 'GET', url: '/services/', headers: { origin } });
    t.equal(answer.statusCode, 200);
    t.equal(answer.headers['access-control-allow-origin'], isAllowed ? origin : undefined);
    if (isAllowed) {
      t.equal(answer.headers['access-control-allow-credentials'], 'true');
      t.equal(answer.headers['vary'], 'Origin');
      for (const name of ['ETag', 'Location', 'X-Request-Id', 'RateLimit', 'Retry-After']) {
        t.ok(String(answer.headers['access-control-expose-headers']).split(', ').includes(name), name);
      }
    }
    const preflight = await app.inject({
      method: 'OPTIONS',
      url: '/doctors/1/',
      headers: { origin, 'access-control-request-method': 'PATCH', 'access-control-request-headers': 'authorization' },
    });
    t.equal(preflight.headers['access-control-allow-origin'], isAllowed ? origin : undefined);
    if (!isAllowed) return;
    t.equal(preflight.statusCode, 204);
    t.match(preflight.headers['access-control-allow-methods'], /PATCH/);
    t.equal(preflight.headers['access-control-allow-headers'], 'authorization');
  });
}

t.test('whatever a server is asked, its answer has what every answer has', async (t) => {
  const { app } = await buildTestApp(t);
  const { port } = new URL(await app.listen({ port: 0, host: '127.0.0.1' }));
  const get = (path: string, headers = 'Host: a') => `GET ${path} HTTP/1.1\r\n${headers}\r\n`;
  const long = 'x'.repeat(5000);
  for (const [title, request, status] of [
    ['a list', get('/services/'), 200],
    ['a record that is absent', get('/services/1/'), 404],
    ['an unknown path', get('/nothing/'), 404],
    ['a health check', get('/health/live'), 200],
    ['the contract', get('/openapi.json'), 200],
    ['HEAD', 'HEAD /doctors/ HTTP/1.1\r\nHost: a\r\n', 200],
    ['HTTP/1.0', 'GET /doctors/ HTTP/1.0\r\n', 200],
    ['a target with the server in it', get('http://a/doctors/'), 200],
    ['bad percent-encoding', get('/doctors/%ff/'), 404],
    ['half a percent-encoding', get('/doctors/%e'), 404],
    ['bad percent-encoding of an unknown path', get('/%zz'), 404],
    ['bad percent-encoding of a static file', get('/docs/static/%c3%28'), 404],
    ['an id too long', get(`/doctors/${long}/`), 404],
    ['a name too long', get(`/problems/${long}/`), 404],
    ['a path too long', get(`/${long}/${long}/`), 404],
    ['a preflight for a bad path', 'OPTIONS /doctors/%ff/ HTTP/1.1\r\nHost: a\r\n', 204],
    ['OPTIONS *', 'OPTIONS * HTTP/1.1\r\nHost: a\r\n', 204],
    ...['PROPFIND', 'TRACE', 'PURGE', 'QUERY', 'POST'].map(
      (method) => [method, `${method} /doctors/1/ HTTP/1.1\r\nHost: a\r\n`, 404] as const,
    ),
    ['CONNECT', 'CONNECT a:443 HTTP/1.1\r\nHost: a\r\n', 400],
    ['no Host', get('/doctors/', 'X: 1'), 400],
    ...['a b', 'a/b', 'user@a', 'a?b', '[::1', 'a:port', '<a>', 'a'.repeat(256)].map(
      (host) => [`a Host like ${host.slice(0, 9)}`, get('/doctors/', `Host: ${host}`), 400] as const,
    ),
    ['a Host of nothing', get('/doctors/', 'Host: '), 200],
    ['a Host of a container', get('/doctors/', 'Host: hospital_api.2:8000'), 200],
    ['an unknown expectation', get('/doctors/', 'Host: a\r\nExpect: a miracle'), 200],
    [
      'a body too large',
      'POST /contacts/ HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 999999\r\n',
      413,
    ],
    ['an unknown method', 'FETCH / HTTP/1.1\r\nHost: a\r\n', 400],
    ['no HTTP', 'garbage\r\n', 400],
    ['two lengths', get('/doctors/', 'Host: a\r\nContent-Length: 1\r\nContent-Length: 2'), 400],
    ['headers too large', get('/doctors/', `Host: a\r\nX: ${'x'.repeat(17_000)}`), 431],
  ] as const) {
    await t.test(`${title} ${status}`, async (t) => {
      const first = request.indexOf('\r\n') + 2;
      const bytes = `${request.slice(0, first)}Origin: ${OTHER}\r\nConnection: close\r\n${request.slice(first)}\r\n`;
      const answer = readAnswer(await exchange(Number(port), bytes));
      t.equal(answer.status, status);
      t.match(answer.headers, {
        'content-security-policy': "default-src 'none';frame-ancestors 'none'",
        'cross-origin-resource-policy': 'cross-origin',
        'referrer-policy': 'no-referrer',
        'strict-transport-security': /max-age=31536000/,
        'x-content-type-options': 'nosniff',
        // No page can send CONNECT.
        'access-control-allow-origin': title === 'CONNECT' ? undefined : OTHER,
        'access-control-allow-credentials': 'true',
        'access-control-expose-headers': /X-Request-Id/,
        vary: /Origin/,
        'x-request-id': /^[0-9a-f-]{36}$/,
      });
      t.notOk('x-powered-by' in answer.headers);
      if (status < 400) return;
      t.equal(answer.headers['content-type'], 'application/problem+json; charset=utf-8');
      t.match(JSON.parse(answer.body), { status, instance: `urn:uuid:${answer.headers['x-request-id']}` });
    });
  }
});
