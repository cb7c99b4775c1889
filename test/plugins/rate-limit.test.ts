import Fastify, { type FastifyInstance, type FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import { mock } from 'node:test';
import t, { type Test } from 'tap';
import errors from '../../plugins/errors.js';
import rateLimit, { limit, type RateLimitOptions } from '../../plugins/rate-limit.js';
import { buildTestApp, PASSWORD, type TestApp } from '../helpers/app.js';
import { madeUp } from '../helpers/operations.js';

const MINUTE = 60_000;

/** In the place of the auth plugin: the header `user` is who calls, or what is wrong with the token. */
const auth = fp(
  (app: FastifyInstance, _options, done) => {
    app.decorateRequest('bearer', 'none');
    app.addHook('onRequest', (request, _reply, next) => {
      const user = request.headers['user'] as string | undefined;
      if (user !== undefined) {
        request.bearer = Number.isNaN(Number(user))
          ? (user as 'invalid')
          : { userId: Number(user), session: null, generation: 0 };
      }
      next();
    });
    done();
  },
  { name: 'auth' },
);

/** An app with an operation of each kind and a clock that stands still. */
async function build(t: Test, options: Partial<RateLimitOptions> = {}) {
  const app = Fastify({ trustProxy: true });
  t.teardown(() => app.close());
  await app.register(errors);
  await app.register(auth);
  await app.register(rateLimit, { anonymous: 3, user: 5, auth: 2, ...options });
  app.get('/list', { onRequest: limit(madeUp({ rateLimit: 'general' })) }, () => ({}));
  app.get('/login', { onRequest: limit(madeUp({ rateLimit: 'auth' })) }, () => ({}));
  app.get('/docs', () => ({}));
  app.get('/fail', async ({ failedLogins, query }: FastifyRequest) => {
    const { username } = query as { username: string };
    await failedLogins.check(username);
    await failedLogins.count(username);
    return {};
  });
  await app.ready();
  mock.timers.enable({ apis: ['Date', 'setTimeout'], now: Date.UTC(2030, 0, 1) });
  t.teardown(() => mock.timers.reset());

  async function get(url: string, { ip = '192.0.2.1', user }: { ip?: string; user?: string } = {}) {
    const headers = { 'x-forwarded-for': ip, ...(user !== undefined && { user }) };
    return app.inject({ url, headers });
  }
  /** The statuses of requests one after the other. */
  async function statuses(count: number, url: string, from?: Parameters<typeof get>[1]) {
    const answers: number[] = [];
    for (let index = 0; index < count; index++) answers.push((await get(url, from)).statusCode);
    return answers;
  }
  return { get, statuses };
}

t.test('requests', async (t) => {
  await t.test('without a token are counted by address', async (t) => {
    const { statuses } = await build(t);
    t.strictSame(await statuses(4, '/list'), [200, 200, 200, 429]);
    t.strictSame(await statuses(1, '/list', { ip: '192.0.2.2' }), [200], 'another address has its own count');
    t.strictSame(await statuses(1, '/docs'), [200], 'what is no operation is not limited');
    mock.timers.tick(MINUTE - 1);
    t.strictSame(await statuses(1, '/list'), [429]);
    mock.timers.tick(1);
    t.strictSame(await statuses(4, '/list'), [200, 200, 200, 429], 'a minute after the first of them');
  });

  await t.test('with a valid token are counted by user', async (t) => {
    const { statuses } = await build(t);
    t.strictSame(await statuses(4, '/list', { user: '7' }), [200, 200, 200, 200]);
    t.strictSame(await statuses(2, '/list', { user: '7', ip: '192.0.2.2' }), [200, 429], 'from wherever they come');
    t.strictSame(await statuses(1, '/list', { user: '8' }), [200]);
    t.strictSame(await statuses(1, '/list'), [200], 'and not on the account of the address');
  });

  await t.test('with a bad token are counted by address', async (t) => {
    const { statuses } = await build(t);
    t.strictSame(await statuses(2, '/list', { user: 'invalid' }), [200, 200]);
    t.strictSame(await statuses(2, '/list', { user: 'expired' }), [200, 429]);
  });

  await t.test('for credentials are counted by address, also of a user, and apart from the others', async (t) => {
    const { statuses } = await build(t);
    t.strictSame(await statuses(2, '/login', { user: '7' }), [200, 200]);
    t.strictSame(await statuses(1, '/login', { user: '8' }), [429]);
    t.strictSame(await statuses(1, '/login', { ip: '192.0.2.2' }), [200]);
    t.strictSame(await statuses(3, '/list'), [200, 200, 200]);
  });

  await t.test('that are refused do not prolong the wait', async (t) => {
    const { statuses } = await build(t);
    await statuses(50, '/list');
    mock.timers.tick(MINUTE);
    t.strictSame(await statuses(1, '/list'), [200]);
  });
});

t.test('headers', async (t) => {
  const { get } = await build(t);
  const headersOf = async (url: string, from?: { user: string }) => {
    const { headers } = await get(url, from);
    return Object.fromEntries(Object.entries(headers).filter(([name]) => /^(ratelimit|retry)/.test(name)));
  };
  t.strictSame(await headersOf('/list'), {
    'ratelimit-policy': '"anonymous";q=3;w=60',
    ratelimit: '"anonymous";r=2;t=60',
    'ratelimit-limit': '3',
    'ratelimit-remaining': '2',
    'ratelimit-reset': '60',
  });
  t.match(await headersOf('/list', { user: '7' }), {
    'ratelimit-policy': '"user";q=5;w=60',
    ratelimit: '"user";r=4;t=60',
  });
  t.match(await headersOf('/login'), { 'ratelimit-policy': '"auth";q=2;w=60', ratelimit: '"auth";r=1;t=60' });
  t.strictSame(await headersOf('/docs'), {});
  mock.timers.tick(20_500);
  t.match(await headersOf('/list'), { 'ratelimit-remaining': '1', 'ratelimit-reset': '40' });
  await get('/list');
  const refused = await get('/list');
  t.match(refused.headers, {
    ratelimit: '"anonymous";r=0;t=40',
    'ratelimit-remaining': '0',
    'ratelimit-reset': '40',
    'retry-after': '40',
  });
  t.match(refused.json(), {
    type: '/problems/too-many-requests',
    status: 429,
    detail: 'The limit of 3 requests a minute is reached.',
  });
  mock.timers.tick(39_499);
  t.match((await get('/list')).headers, { 'retry-after': '1' }, 'never less than a second');
  mock.timers.tick(1);
  t.equal((await get('/list')).statusCode, 200, 'and after it the way is free');
});

t.test('client addresses', async (t) => {
  for (const [a, b, isOne] of [
    ['192.0.2.1', '192.0.2.2', false],
    ['192.0.2.1', '::ffff:192.0.2.1', true],
    ['192.0.2.1', '0:0:0:0:0:FFFF:192.0.2.1', true],
    ['::ffff:192.0.2.1', '::ffff:192.0.2.2', false],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2:a:b:c:d', true],
    ['2001:db8:1:2::1', '2001:db8:1:2:ffff:ffff:ffff:ffff', true],
    ['2001:db8:1:2::', '2001:0DB8:0001:0002::9', true],
    ['2001:db8::1', '2001:db8:0:0:1::', true],
    ['2001:db8:1:2::1', '2001:db8:1:3::1', false],
    ['2001:db8::1', '2001:db8:0:1::1', false],
    ['2001:db8::1', '2001:db8:1::1', false],
    ['2001::a:b:c:d:e', '2001::b:b:c:d:e', false],
    ['2001::a:b:c:d:e', '2001:0:0:a::1', true],
    ['::1', '::2', true],
    ['::1', '1::', false],
    ['64:ff9b::192.0.2.1', '64:ff9b::198.51.100.1', true],
    ['fe80::1%eth0', 'fe80::2%eth1', true],
  ] as const) {
    await t.test(`${a} and ${b} count as ${isOne ? 'one' : 'two'}`, async (t) => {
      const { statuses } = await build(t, { anonymous: 1 });
      t.strictSame(await statuses(1, '/list', { ip: a }), [200]);
      t.strictSame(await statuses(1, '/list', { ip: b }), [isOne ? 429 : 200]);
    });
  }
});

t.test('failed logins', async (t) => {
  const { get, statuses } = await build(t);
  t.strictSame(await statuses(11, '/fail?username=ada'), [...Array.from({ length: 10 }, () => 200), 429]);
  const refused = await get('/fail?username=ada');
  t.match(refused.headers, { 'retry-after': '900' });
  t.match(refused.json(), { status: 429, detail: 'There were too many failed logins for this user name.' });
  t.strictSame(await statuses(1, '/fail?username=ADA'), [429], 'without regard to case');
  t.strictSame(await statuses(1, '/fail?username=ada2'), [200], 'another user name is free');
  t.strictSame(await statuses(1, '/fail?username=ada', { ip: '192.0.2.2' }), [200], 'and another address');
  mock.timers.tick(15 * MINUTE - 1);
  t.strictSame(await statuses(1, '/fail?username=ada'), [429]);
  mock.timers.tick(1);
  t.strictSame(await statuses(1, '/fail?username=ada'), [200], '15 minutes after the first of them');
});

t.test('the application', async (t) => {
  const logIn = (api: TestApp, username: string, password: string, remoteAddress = '192.0.2.1') =>
    api.post('/api/user/login/', { body: { username, password }, remoteAddress });

  await t.test('logIn 429 after 10 failures, even for the right password', async (t) => {
    const api = await buildTestApp(t);
    await api.register({ username: 'Ada' });
    await api.register({ username: 'bob' });
    const names = ['Ada', 'ada', 'ADA', 'aDa', 'adA', 'Ada', 'ada', 'ADA', 'aDa', 'adA'];
    for (const name of names) t.equal((await logIn(api, name, 'wrong')).status, 401);
    for (const name of ['Ada', 'aDA']) {
      const answer = await logIn(api, name, PASSWORD);
      t.match(answer, { status: 429, body: { type: '/problems/too-many-requests' } });
      t.ok(Number(answer.headers['retry-after']) > 14 * 60 && Number(answer.headers['retry-after']) <= 15 * 60);
    }
    t.equal((await logIn(api, 'Ada', PASSWORD, '192.0.2.2')).status, 200, 'from another address it is open');
    t.equal((await logIn(api, 'bob', PASSWORD)).status, 200, 'and for another user name');
  });

  await t.test('logIn 429 for a name that no user has, as for one that a user has', async (t) => {
    const api = await buildTestApp(t);
    for (let index = 0; index < 10; index++) t.equal((await logIn(api, 'nobody', 'wrong')).status, 401);
    t.equal((await logIn(api, 'nobody', 'wrong')).status, 429);
  });

  await t.test('logIn 401 for spellings that PostgreSQL would fold to the name', async (t) => {
    const api = await buildTestApp(t);
    await api.register({ username: 'kiki' });
    for (const name of ['\u212Aiki', 'k\u0130ki', 'kik\u0131', 'ｋiki']) {
      t.equal((await logIn(api, name, PASSWORD)).status, 401, name);
    }
  });

  await t.test('the limits of the configuration, by the kind of operation', async (t) => {
    const api = await buildTestApp(t, { RATE_LIMIT_ANON: '2', RATE_LIMIT_USER: '3', RATE_LIMIT_AUTH: '4' });
    const { token } = await api.register();
    const limit = async (method: string, url: string, token?: string) =>
      (await api.call(method, url, { token, ...(method === 'POST' && { body: {} }) })).headers['ratelimit-limit'];
    t.strictSame(
      [
        await limit('POST', '/api/user/register/'),
        await limit('POST', '/api/user/login/', token),
        await limit('POST', '/api/user/token/refresh/'),
        await limit('POST', '/api/user/logout/'),
        await limit('GET', '/doctors/', token),
        await limit('GET', '/doctors/', 'garbage'),
      ],
      ['4', '4', '4', '2', '3', '2'],
    );
    t.equal((await api.get('/doctors/')).status, 429);
    t.equal((await api.get('/health/live')).status, 200);
  });
});
