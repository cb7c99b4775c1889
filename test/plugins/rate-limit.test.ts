import Fastify, { type FastifyInstance, type FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import { EventEmitter, once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { mock } from 'node:test';
import t, { type Test } from 'tap';
import type { OperationConfig } from '../../openapi/operation.js';
import { ProblemError, type ProblemSlug } from '../../openapi/problem-error.js';
import errors from '../../plugins/errors.js';
import rateLimit, { endAttempt, limit, type RateLimitOptions } from '../../plugins/rate-limit/index.js';
import { buildTestApp, PASSWORD, type TestAnswer, type TestApp, type User } from '../helpers/app.js';
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

/** The hooks of an operation that are about its limit. */
const limitedBy = (kind: OperationConfig['limit']) => {
  const operation = madeUp({ limit: kind });
  const { config } = operation;
  return { config, onRequest: limit(operation), onSend: endAttempt(operation) ?? [] };
};

/** An app with an operation of each kind and a clock that stands still. */
async function build(t: Test, options: Partial<RateLimitOptions> = {}) {
  const app = Fastify({ trustProxy: true });
  t.teardown(() => app.close());
  let judged = 0;
  await app.register(errors);
  await app.register(auth);
  await app.register(rateLimit, { anonymous: 3, user: 5, auth: 2, redisUrl: null, ...options });
  app.get('/list', limitedBy('general'), () => ({}));
  app.get('/register', limitedBy('auth'), () => ({}));
  app.get('/login', limitedBy('auth'), async ({ logins, query }: FastifyRequest) => {
    const { user, problem = 'not-authenticated' } = query as { user?: string; problem?: ProblemSlug };
    judged++;
    await new Promise(setImmediate);
    if (user === undefined) throw new ProblemError(problem, 'The login failed.');
    await logins.succeed(Number(user));
    return {};
  });
  app.post('/login', limitedBy('auth'), () => ({}));
  const gate = new EventEmitter();
  app.get('/gated', limitedBy('auth'), async ({ logins }: FastifyRequest) => {
    const opened = once(gate, 'open');
    gate.emit('judging');
    await opened;
    await logins.succeed(7);
    return {};
  });
  app.get('/docs', () => ({}));
  app.get('/health/live', () => ({}));
  app.get('/judge', { config: madeUp({}).config }, ({ logins, query }: FastifyRequest) => {
    const { username, verdict } = query as { username: string; verdict: string };
    return logins.judge(username, async () => {
      judged++;
      await new Promise(setImmediate);
      if (verdict === 'fault') throw new ProblemError('unavailable', 'The database is away.');
      return verdict === 'right' ? {} : null;
    });
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
  /** How many of requests at once were judged, and how many got each status. */
  async function atOnce(urls: string[]) {
    judged = 0;
    const counts: Record<number, number> = {};
    for (const { statusCode } of await Promise.all(urls.map((url) => get(url)))) {
      counts[statusCode] = (counts[statusCode] ?? 0) + 1;
    }
    return { judged, ...counts };
  }
  return { app, get, statuses, atOnce, gate };
}

const TAKEN = { username: 'taken', email: 'taken@example.com' };
const NUMBER = { phone: '+49 30 123456' };

async function changeProfile(api: TestApp, { token }: User, body: object, method = 'PATCH'): Promise<TestAnswer> {
  const { id } = (await api.get('/api/user/profiles/me/', { token })).body;
  return api.call(method, `/api/user/profiles/${id}/`, { token, body });
}

async function changePatient(api: TestApp, { token }: User, method: string): Promise<TestAnswer> {
  const { id } = (await api.get('/patients/me/', { token })).body;
  return api.call(method, `/patients/${id}/`, { token, body: NUMBER });
}

const times = <T>(count: number, value: T): T[] => Array.from({ length: count }, () => value);

t.test('requests', async (t) => {
  await t.test('without a token are counted by address', async (t) => {
    const { statuses } = await build(t);
    t.strictSame(await statuses(4, '/list'), [200, 200, 200, 429]);
    t.strictSame(await statuses(1, '/list', { ip: '192.0.2.2' }), [200], 'another address has its own count');
    t.strictSame(await statuses(6, '/docs'), [...times(5, 200), 429], 'what is no operation has a count of its own');
    t.strictSame(await statuses(1, '/nothing'), [429], 'and so has what is not there');
    t.strictSame(await statuses(7, '/health/live'), times(7, 200), 'but not what tells that the server lives');
    mock.timers.tick(MINUTE - 1);
    t.strictSame(await statuses(1, '/list'), [429]);
    mock.timers.tick(1);
    t.strictSame(await statuses(4, '/list'), [200, 200, 200, 429], 'a minute after the first of them');
  });

  for (const forms of [
    ['192.0.2.1', '192.0.2.1:4711', ' 192.0.2.1 ', '"192.0.2.1:1"', '[192.0.2.1]:2', '::ffff:192.0.2.1'],
    ['192.0.2.1', '::FFFF:192.0.2.1', '[::ffff:192.0.2.1]:4711', '::ffff:c000:201', '192.0.2.1:_hidden'],
    ['2001:db8::1', '[2001:db8::1]', '[2001:db8::1]:4711', '2001:DB8::2', '"[2001:db8::1]:4712"', '2001:db8::1:4711'],
    ['2001:db8:0:0:1:2:3:4', '2001:db8:0:0:1:2:3:4:4711', '2001:0db8:0000:0000:0001:0002:0003:0004', '2001:db8::5'],
    ['fe80::1%eth0', 'fe80::1', '[fe80::1%25eth0]:4711', '[FE80::1%eth1]'],
    ['unknown', 'UNKNOWN', 'unknown:4711', '"unknown"'],
  ]) {
    await t.test(`are counted by address, in whatever form proxies write ${forms[0]}`, async (t) => {
      const { get } = await build(t);
      for (const [index, ip] of forms.entries()) {
        t.equal((await get('/list', { ip })).statusCode, index < 3 ? 200 : 429, ip);
      }
      const failed = await Promise.all(
        Array.from({ length: 12 }, (_, index) => {
          const form = forms[index % forms.length] as string;
          return get('/judge?username=ada&verdict=wrong', { ip: form });
        }),
      );
      t.equal(failed.filter(({ statusCode }) => statusCode === 429).length, 2, 'so are failed logins');
    });
  }

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

  await t.test('for new accounts are counted by address, also of a user, and apart from the others', async (t) => {
    const { statuses } = await build(t);
    t.strictSame(await statuses(2, '/register', { user: '7' }), [200, 200]);
    t.strictSame(await statuses(1, '/register', { user: '8' }), [429]);
    t.strictSame(await statuses(1, '/register', { ip: '192.0.2.2' }), [200]);
    t.strictSame(await statuses(3, '/list'), [200, 200, 200]);
  });

  await t.test('that log in are counted by address where they fail', async (t) => {
    const { statuses, get } = await build(t);
    t.strictSame(await statuses(3, '/login'), [401, 401, 429]);
    t.strictSame(await statuses(1, '/login?user=7'), [429], 'even with the right password');
    t.strictSame(await statuses(1, '/register'), [429], 'in the same limit as new accounts');
    t.strictSame(await statuses(1, '/login', { ip: '192.0.2.2' }), [401]);
    t.strictSame(await statuses(3, '/list'), [200, 200, 200]);
    mock.timers.tick(MINUTE);
    t.strictSame(await statuses(1, '/login'), [401]);
    t.match((await get('/login?problem=not-allowed')).headers, { 'ratelimit-remaining': '0' });
  });

  await t.test('that log in are counted by user where they succeed', async (t) => {
    const { statuses, get } = await build(t);
    t.strictSame(await statuses(4, '/login?user=7'), [200, 200, 200, 200]);
    t.strictSame(await statuses(4, '/login?user=8'), [200, 200, 200, 200]);
    const { headers } = await get('/login?user=7');
    t.match(headers, { ratelimit: '"user";r=0;t=60', 'ratelimit-limit': '5', 'ratelimit-remaining': '0' });
    t.strictSame(await statuses(1, '/list', { user: '7' }), [429], 'together with what else the user does');
    t.strictSame(await statuses(1, '/list', { user: '8' }), [200]);
    t.strictSame(await statuses(3, '/list'), [200, 200, 200], 'and not with what else the address does');
    t.strictSame(await statuses(3, '/login?user=7'), [429, 429, 429], 'past the limit they are as good as failed');
    t.strictSame(await statuses(1, '/login?user=9'), [429]);
  });

  await t.test('that log in do not count where the server is at fault', async (t) => {
    const { statuses } = await build(t);
    t.strictSame(await statuses(5, '/login?problem=unavailable'), times(5, 503));
    t.strictSame(await statuses(3, '/login'), [401, 401, 429]);
  });

  await t.test('that log in at once are judged no more often than they may fail', async (t) => {
    const { atOnce, statuses } = await build(t, { auth: 20, user: 100 });
    t.strictSame(await atOnce(times(300, '/login')), { judged: 20, 401: 20, 429: 280 });
    t.strictSame(await statuses(1, '/login?user=7'), [429]);
    mock.timers.tick(MINUTE);
    t.strictSame(await atOnce(times(90, '/login?user=7')), { judged: 90, 200: 90 }, 'a clinic in the morning');
    const mixed = [...times(10, '/login'), ...times(60, '/login?user=8'), ...times(9, '/login')];
    t.strictSame(await atOnce(mixed), { judged: 79, 200: 60, 401: 19 });
    t.strictSame(await statuses(2, '/login'), [401, 429]);
  });

  await t.test('whose client hangs up leave nobody waiting', async (t) => {
    const { app, get } = await build(t);
    mock.timers.reset();
    const { port } = new URL(await app.listen({ host: '127.0.0.1', port: 0 }));
    const seen = new Promise<void>((resolve) => {
      let requests = 0;
      app.server.on('request', () => void (++requests === 2 && resolve()));
    });
    const head = 'POST /login HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.1\r\nContent-Type: application/json';
    const clients = times(2, `${head}\r\nContent-Length: 10\r\n\r\n{`).map((text) => {
      const client = connect(Number(port), '127.0.0.1');
      client.write(text);
      return client;
    });
    await seen;
    const waiting = get('/login');
    for (const client of clients) client.destroy();
    t.equal((await waiting).statusCode, 429, 'they count, since nobody knows what they would have been');
  });

  await t.test('whose client hangs up in the line are over by the time it is their turn', async (t) => {
    const { app, get, gate, statuses } = await build(t);
    // The clock stands still, so that no wait ends by itself.
    const { port } = new URL(await app.listen({ host: '127.0.0.1', port: 0 }));
    const judged = [once(gate, 'judging'), get('/gated'), once(gate, 'judging'), get('/gated')];
    await Promise.all([judged[0], judged[2]]);
    const arrived = once(app.server, 'request');
    const client = connect(Number(port), '127.0.0.1');
    client.write('GET /gated HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n');
    const [request] = (await arrived) as [IncomingMessage];
    await new Promise(setImmediate);
    const gone = once(request.socket, 'close');
    client.destroy();
    await gone;
    gate.emit('open');
    await Promise.all(judged);
    t.strictSame(await statuses(3, '/login'), [401, 429, 429], 'it counts as failed, and nobody waits for it');
  });

  await t.test('wait for slow ones of the address a while, and not for ever', async (t) => {
    const { get, gate } = await build(t);
    const slow = [get('/gated'), get('/gated')];
    const waiting = get('/gated');
    await new Promise(setImmediate);
    mock.timers.tick(10_000);
    t.equal((await waiting).statusCode, 429);
    gate.emit('open');
    t.strictSame(
      (await Promise.all(slow)).map(({ statusCode }) => statusCode),
      [200, 200],
    );
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
  t.match(await headersOf('/register'), { 'ratelimit-policy': '"auth";q=2;w=60', ratelimit: '"auth";r=1;t=60' });
  t.match(await headersOf('/docs'), { 'ratelimit-policy': '"pages";q=5;w=60', ratelimit: '"pages";r=4;t=60' });
  t.strictSame(await headersOf('/health/live'), {});
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
    ['192.0.2.1', '192.0.2.1:5678', true],
    ['192.0.2.1:5678', '192.0.2.2:5678', false],
    ['2001:db8:1:2::1', '[2001:db8:1:2::9]:443', true],
    ['[2001:db8:1:2::1]', '[2001:db8:1:2::1]:8443', true],
    ['[2001:db8:1:2::1]:443', '[2001:db8:1:3::1]:443', false],
    ['192.0.2.1', '[::ffff:192.0.2.1]:443', true],
    ['unknown', 'hidden', false],
  ] as const) {
    await t.test(`${a} and ${b} count as ${isOne ? 'one' : 'two'}`, async (t) => {
      const { statuses } = await build(t, { anonymous: 1 });
      t.strictSame(await statuses(1, '/list', { ip: a }), [200]);
      t.strictSame(await statuses(1, '/list', { ip: b }), [isOne ? 429 : 200]);
    });
  }
});

t.test('a clock that is set back prolongs nothing', async (t) => {
  const { get, statuses } = await build(t, { anonymous: 1 });
  await statuses(2, '/list');
  await statuses(11, '/judge?username=ada&verdict=wrong');
  mock.timers.setTime(Date.UTC(2029, 11, 31));
  t.strictSame(await statuses(2, '/list'), [200, 429]);
  t.match((await get('/list')).headers, { 'retry-after': '60', 'ratelimit-reset': '60' });
  mock.timers.tick(MINUTE);
  t.strictSame(await statuses(1, '/list'), [200]);
  t.strictSame(await statuses(1, '/judge?username=ada&verdict=right'), [200]);
});

t.test('failed logins', async (t) => {
  const wrong = '/judge?username=ada&verdict=wrong';
  const right = '/judge?username=ada&verdict=right';

  await t.test('are counted by user name and address', async (t) => {
    const { get, statuses } = await build(t);
    t.strictSame(await statuses(11, wrong), [...times(10, 200), 429]);
    const refused = await get(right);
    t.match(refused.headers, { 'retry-after': '900' });
    t.match(refused.json(), { status: 429, detail: 'There were too many failed logins for this user name.' });
    t.strictSame(await statuses(1, '/judge?username=ADA'), [429], 'without regard to case');
    t.strictSame(await statuses(1, '/judge?username=ada2'), [200], 'another user name is free');
    t.strictSame(await statuses(1, wrong, { ip: '192.0.2.2' }), [200], 'and another address');
    mock.timers.tick(15 * MINUTE - 1);
    t.strictSame(await statuses(1, right), [429]);
    mock.timers.tick(1);
    t.strictSame(await statuses(1, wrong), [200], '15 minutes after the first of them');
  });

  await t.test('are not those that were right, nor those that the server could not judge', async (t) => {
    const { statuses } = await build(t);
    t.strictSame(await statuses(20, right), times(20, 200));
    t.strictSame(await statuses(20, '/judge?username=ada&verdict=fault'), times(20, 503));
    t.strictSame(await statuses(11, wrong), [...times(10, 200), 429]);
  });

  await t.test('at once are judged ten times', async (t) => {
    const { atOnce, statuses } = await build(t);
    t.strictSame(await atOnce(times(300, wrong)), { judged: 10, 200: 10, 429: 290 });
    t.strictSame(await statuses(1, right), [429]);
    mock.timers.tick(15 * MINUTE);
    t.strictSame(await atOnce(times(50, right)), { judged: 50, 200: 50 }, 'right ones at once are all taken');
    t.strictSame(await atOnce([...times(9, wrong), ...times(50, right)]), { judged: 59, 200: 59 });
    t.strictSame(await statuses(2, wrong), [200, 429]);
  });
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

  await t.test('logIn 200 for a whole clinic at one address, one after the other and at once', async (t) => {
    const api = await buildTestApp(t, { RATE_LIMIT_AUTH: '20' });
    await api.register({ username: 'ada' });
    for (let index = 0; index < 25; index++) t.equal((await logIn(api, 'ada', PASSWORD)).status, 200);
    const answers = await Promise.all(times(30, 0).map(() => logIn(api, 'ada', PASSWORD)));
    t.strictSame(new Set(answers.map(({ status }) => status)), new Set([200]));
    t.equal(answers[0]?.headers['ratelimit-limit'], '1000000', "they count as the user's");
  });

  await t.test('logIn 429 for all but ten of three hundred guesses at once', async (t) => {
    const api = await buildTestApp(t);
    await api.register({ username: 'ada' });
    const guesses = await Promise.all(times(300, 0).map((_, index) => logIn(api, 'ada', `guess ${index}`)));
    t.equal(guesses.filter(({ status }) => status === 401).length, 10);
    t.equal(guesses.filter(({ status }) => status === 429).length, 290);
  });

  await t.test('refreshToken 200 however often, and 429 after the failures that an address may have', async (t) => {
    const api = await buildTestApp(t, { RATE_LIMIT_AUTH: '3' });
    const { refresh } = await api.register();
    const exchange = async (token: string) =>
      (await api.post('/api/user/token/refresh/', { body: { refresh: token } })).status;
    for (let index = 0; index < 5; index++) t.equal(await exchange(refresh), 200);
    t.strictSame([await exchange('x'), await exchange('x'), await exchange('x')], [401, 401, 429]);
    t.equal(await exchange(refresh), 429);
  });

  await t.test('changePassword 429 after 10 wrong ones, and right ones do not count', async (t) => {
    const api = await buildTestApp(t);
    const { token, username } = await api.register();
    const change = (current_password: string) =>
      api.post('/api/user/password/', {
        token,
        body: { current_password, password: PASSWORD, confirm_password: PASSWORD },
      });
    for (let index = 0; index < 12; index++) t.equal((await change(PASSWORD)).status, 200);
    for (let index = 0; index < 10; index++) t.ok((await change('wrong')).body.errors.current_password);
    t.match(await change(PASSWORD), { status: 429 });
    t.equal((await logIn(api, username, PASSWORD, '127.0.0.1')).status, 429, 'logins are counted with them');
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

  for (const [proxies, clients] of [
    ['off', ['127.0.0.1', '127.0.0.1', '127.0.0.1']],
    ['1', ['192.0.2.3', '192.0.2.3', '192.0.2.3']],
    ['2', ['192.0.2.2', '192.0.2.2', '192.0.2.4']],
    ['on', ['192.0.2.3', '192.0.2.3', '192.0.2.3']],
    ['127.0.0.1, 192.0.2.3', ['192.0.2.2', '192.0.2.2', '192.0.2.4']],
  ] as const) {
    await t.test(`logIn 429 for the client before the proxies that count: ${proxies}`, async (t) => {
      const api = await buildTestApp(t, { TRUST_PROXY: proxies, RATE_LIMIT_AUTH: '1' });
      const ways = [
        '192.0.2.1, 192.0.2.2:80, 192.0.2.3',
        '192.0.2.9, 192.0.2.2, 192.0.2.3',
        '192.0.2.1, 192.0.2.4, 192.0.2.3',
      ];
      const body = { username: 'nobody', password: 'wrong' };
      const seen = new Set<string>();
      for (const [index, way] of ways.entries()) {
        const client = clients[index] as string;
        const { status } = await api.post('/api/user/login/', { body, headers: { 'x-forwarded-for': way } });
        t.equal(status, seen.has(client) ? 429 : 401, way);
        seen.add(client);
      }
    });
  }

  for (const [title, attempt] of [
    ['updateProfile', (api: TestApp, user: User) => changeProfile(api, user, { username: 'Taken' })],
    ['replaceProfile', (api: TestApp, user: User) => changeProfile(api, user, { email: 'TAKEN@example.com' }, 'PUT')],
    ['createProfile', (api: TestApp, { token }: User) => api.post('/api/user/profiles/', { token, body: TAKEN })],
    ['createPatient', (api: TestApp, { token }: User) => api.post('/patients/', { token, body: NUMBER })],
    ['updatePatient', (api: TestApp, user: User) => changePatient(api, user, 'PATCH')],
    ['replacePatient', (api: TestApp, user: User) => changePatient(api, user, 'PUT')],
  ] as const) {
    await t.test(`${title} 429 for a user who asks by failed changes what others have`, async (t) => {
      const api = await buildTestApp(t, { RATE_LIMIT_AUTH: '3' });
      const [{ token }, user, other] = [await api.register(TAKEN), await api.register(), await api.register()];
      t.equal((await api.post('/patients/', { token, body: NUMBER })).status, 201);
      for (let index = 0; index < 3; index++) t.equal((await attempt(api, user)).status, 409);
      t.match(await attempt(api, user), { status: 429, headers: { 'retry-after': /^\d+$/ } });
      t.equal((await attempt(api, other)).status, 409, 'others have a count of their own');
    });
  }

  await t.test('updateProfile 200 however often, and 409 for staff, who see everybody', async (t) => {
    const api = await buildTestApp(t, { RATE_LIMIT_AUTH: '3' });
    await api.register(TAKEN);
    const [user, staff] = [await api.register(), await api.registerStaff()];
    for (let index = 0; index < 5; index++) {
      t.equal((await changeProfile(api, user, { username: `name${index}` })).status, 200);
      t.equal((await changeProfile(api, staff, TAKEN)).status, 409);
      t.equal((await changeProfile(api, user, { bio: 'x'.repeat(2001) })).status, 400, 'what claims nothing');
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
