import t from 'tap';
import { buildTestApp } from '../helpers/app.js';

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

t.test('every answer carries the security headers, also that of an error', async (t) => {
  const { app } = await buildTestApp(t);
  for (const url of ['/services/', '/services/1/', '/nothing/', '/health/live', '/openapi.json']) {
    const { headers } = await app.inject({ method: 'GET', url });
    t.match(
      headers,
      {
        'content-security-policy': "default-src 'none';frame-ancestors 'none'",
        'cross-origin-resource-policy': 'cross-origin',
        'referrer-policy': 'no-referrer',
        'strict-transport-security': /max-age=31536000/,
        'x-content-type-options': 'nosniff',
      },
      url,
    );
    t.notOk('x-powered-by' in headers);
  }
});
