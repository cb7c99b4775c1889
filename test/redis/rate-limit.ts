/** Limits that instances share in a real Redis server. Not part of `npm test`: `redis-server` has to be there. */
import { EventEmitter, once } from 'node:events';
import { Redis } from 'ioredis';
import pino from 'pino';
import t, { type Test } from 'tap';
import { anotherInstance, PASSWORD, type TestApp } from '../helpers/app.js';
import { createTestDatabase } from '../helpers/database.js';
import { openProxy } from '../helpers/proxy.js';
import { makeRedis } from '../helpers/redis.js';

const AWAY = 'Redis is away: this instance limits requests on its own';
const BACK = 'Redis is back: limits are shared between instances';

interface Instance {
  readonly api: TestApp;
  readonly log: readonly string[];
  /** What the log says of Redis. */
  readonly messages: readonly string[];
  /** Resolves when it has said so much. */
  logged(count: number): Promise<void>;
}

async function startInstance(t: Test, databaseUrl: string, environment: Record<string, string>): Promise<Instance> {
  const [log, messages]: [string[], string[]] = [[], []];
  const written = new EventEmitter();
  const write = (line: string): void => {
    const { msg } = JSON.parse(line) as { msg: string };
    log.push(line);
    if (msg.startsWith('Redis')) messages.push(msg);
    written.emit('line');
  };
  return {
    api: await anotherInstance(t, { databaseUrl }, environment, pino({ level: 'info' }, { write })),
    log,
    messages,
    logged: async (count) => {
      while (messages.length < count) await once(written, 'line');
    },
  };
}

/** The statuses of anonymous requests one after the other. */
async function statuses({ api }: Instance, count: number): Promise<number[]> {
  const answers: number[] = [];
  for (let index = 0; index < count; index++) answers.push((await api.get('/designations/')).status);
  return answers;
}

const logIn = async ({ api }: Instance, password: string, username = 'ada'): Promise<number> =>
  (await api.post('/api/user/login/', { body: { username, password } })).status;

const times = <T>(count: number, value: T): T[] => Array.from({ length: count }, () => value);

t.test('two instances share limits, also when Redis was away', async (t) => {
  const redis = await makeRedis(t);
  await redis.start();
  const databaseUrl = await createTestDatabase(t);
  const environment = { REDIS_URL: redis.url, RATE_LIMIT_ANON: '6', RATE_LIMIT_AUTH: '1000' };
  const one = await startInstance(t, databaseUrl, environment);
  const two = await startInstance(t, databaseUrl, environment);

  await t.test('requests', async (t) => {
    t.strictSame(await statuses(one, 4), times(4, 200));
    t.strictSame(await statuses(two, 3), [200, 200, 429]);
    t.strictSame(await statuses(one, 1), [429]);
    const { headers } = await two.api.get('/designations/');
    const wait = Number(headers['retry-after']);
    t.ok(wait > 30 && wait <= 60, String(wait));
  });

  await t.test('failed logins, of which 10 are judged however many come at once', async (t) => {
    await one.api.register({ username: 'ada' });
    t.strictSame(await Promise.all(times(15, one).map((each) => logIn(each, PASSWORD))), times(15, 200));
    const guesses = await Promise.all(
      times(60, [one, two])
        .flat()
        .map((each) => logIn(each, 'wrong')),
    );
    t.equal(guesses.filter((status) => status === 401).length, 10);
    t.equal(guesses.filter((status) => status === 429).length, 110);
    t.equal(await logIn(two, PASSWORD), 429);
  });

  await t.test('every key is under a prefix and expires', async (t) => {
    const client = new Redis(redis.url);
    const keys = await client.keys('*');
    const expiring = await Promise.all(keys.map((key) => client.pttl(key)));
    await client.quit();
    t.ok(keys.length >= 3, keys.join());
    t.ok(
      keys.every((key) => key.startsWith('hospital-management-api:rate-limit:')),
      keys.join(),
    );
    t.ok(
      expiring.every((milliseconds) => milliseconds > 0),
      expiring.join(),
    );
  });

  await t.test('a clock that was set on the server of Redis does not show in Retry-After', async (t) => {
    const client = new Redis(redis.url);
    for (const key of await client.keys('*anonymous*')) await client.pexpire(key, 86_400_000);
    await client.quit();
    t.match((await one.api.get('/designations/')).headers, { 'retry-after': '60', 'ratelimit-reset': '60' });
  });

  await t.test('Redis is killed amid requests: each limits on its own and says so in one line', async (t) => {
    const answers = times(20, one).map(({ api }) => api.get('/designations/'));
    await redis.kill();
    for (const { status } of await Promise.all(answers)) t.ok(status === 200 || status === 429);
    await Promise.all([one.logged(1), two.logged(1)]);
    await statuses(one, 6);
    t.strictSame(await statuses(one, 1), [429]);
    t.strictSame(await statuses(two, 7), [...times(6, 200), 429]);
    await one.api.register({ username: 'bob' });
    t.strictSame(await Promise.all(times(15, one).map((each) => logIn(each, PASSWORD, 'bob'))), times(15, 200));
    t.strictSame([one.messages, two.messages], [[AWAY], [AWAY]]);
  });

  await t.test('Redis is back: they share again and say so in one line', async (t) => {
    await redis.start();
    await Promise.all([one.logged(2), two.logged(2)]);
    t.strictSame(await statuses(one, 4), times(4, 200));
    t.strictSame(await statuses(two, 3), [200, 200, 429]);
    t.strictSame([one.messages, two.messages], times(2, [AWAY, BACK]));
  });

  await t.test('a Redis that hangs holds up one request, and not for long', async (t) => {
    redis.pause();
    await statuses(one, 1);
    const start = performance.now();
    t.equal((await statuses(one, 20)).at(-1), 429);
    t.ok(performance.now() - start < 20 * 250, 'the next ones do not wait for it');
    await one.logged(3);
    redis.resume();
    await one.logged(4);
    t.strictSame(one.messages, [AWAY, BACK, AWAY, BACK]);
    t.strictSame(await statuses(one, 1), [429], 'what was counted before still counts');
  });

  await t.test('closing says nothing of Redis', async (t) => {
    redis.pause();
    const answer = one.api.get('/designations/');
    await one.api.app.close();
    await answer;
    t.equal(one.messages.length, 4, 'also where a request waits for it');
  });
});

t.test('what a service is told not to have changed counts for no instance, with Redis and without', async (t) => {
  const redis = await makeRedis(t);
  await redis.start();
  const databaseUrl = await createTestDatabase(t);
  const environment = { REDIS_URL: redis.url, RATE_LIMIT_ANON: '1000', RATE_LIMIT_AUTH: '1000' };
  const one = await startInstance(t, databaseUrl, environment);
  const two = await startInstance(t, databaseUrl, environment);
  const { token: staff } = await one.api.registerStaff({ username: 'staff' });
  const body = { name: 'Lab', scopes: ['patients:read'], limit_per_minute: 4 };
  const { secret: token } = (await one.api.post('/service-keys/', { token: staff, body })).body as { secret: string };
  const get = ({ api }: Instance, headers: Record<string, string> = {}) => api.get('/patients/', { token, headers });
  const told = ({ status, headers }: Awaited<ReturnType<typeof get>>) => [status, headers['ratelimit-remaining']];

  const first = await get(one);
  t.strictSame(told(first), [200, '3']);
  const headers = { 'if-none-match': first.headers['etag'] as string };
  for (let count = 0; count < 5; count++) {
    for (const each of [one, two]) t.strictSame(told(await get(each, headers)), [304, '3']);
  }
  t.strictSame([await get(two), await get(one), await get(two)].map(told), [
    [200, '2'],
    [200, '1'],
    [200, '0'],
  ]);
  t.strictSame(told(await get(one, headers)), [429, '0'], 'past the limit it is refused, changed or not');
  const client = new Redis(redis.url);
  const key = 'hospital-management-api:rate-limit:service:1';
  t.equal(await client.get(key), '5');
  t.ok((await client.pttl(key)) > 0, 'to give back prolongs no window');

  await t.test('where its window has ended there is nothing to give back, and no key that would stay', async (t) => {
    await client.del(key);
    one.api.app.limits.counts.giveBack('service:1');
    await client.ping();
    t.equal((await get(two)).status, 200);
    t.equal(await client.get(key), '1');
    await client.quit();
  });

  await t.test('without Redis', async (t) => {
    await redis.kill();
    await Promise.all([one.logged(1), two.logged(1)]);
    t.strictSame(told(await get(one)), [200, '3']);
    for (let count = 0; count < 5; count++) t.strictSame(told(await get(one, headers)), [304, '3']);
    t.strictSame(told(await get(one)), [200, '2']);
  });
});

t.test('an instance starts while Redis is away', async (t) => {
  const databaseUrl = await createTestDatabase(t);
  const redis = await makeRedis(t);
  const environment = { REDIS_URL: redis.url, RATE_LIMIT_ANON: '2' };

  await t.test('and shares when it comes', async (t) => {
    const instance = await startInstance(t, databaseUrl, environment);
    t.strictSame(await statuses(instance, 3), [200, 200, 429]);
    await redis.start();
    await instance.logged(2);
    t.strictSame(await statuses(instance, 3), [200, 200, 429]);
    t.strictSame(instance.messages, [AWAY, BACK]);
    await redis.kill();
    await instance.api.app.close();
  });

  await t.test('or hangs', async (t) => {
    await redis.start();
    redis.pause();
    const instance = await startInstance(t, databaseUrl, environment);
    t.strictSame(await statuses(instance, 3), [200, 200, 429]);
    redis.resume();
    await instance.logged(2);
    t.strictSame(instance.messages, [AWAY, BACK]);
  });
});

t.test('a connection that only one end knows of is replaced', async (t) => {
  const redis = await makeRedis(t);
  await redis.start();
  const proxy = await openProxy(t, redis.url);
  await proxy.restore();
  const environment = { REDIS_URL: proxy.url, RATE_LIMIT_ANON: '2' };
  const instance = await startInstance(t, await createTestDatabase(t), environment);
  t.strictSame(await statuses(instance, 1), [200]);
  proxy.forget();
  t.strictSame(await statuses(instance, 3), [200, 200, 429]);
  await instance.logged(2);
  t.strictSame(await statuses(instance, 2), [200, 429]);
  t.strictSame(instance.messages, [AWAY, BACK]);
});

t.test('a Redis that refuses counts as away, and its password stays out of the log', async (t) => {
  const databaseUrl = await createTestDatabase(t);
  const redis = await makeRedis(t, 'the-right-password');
  await redis.start();
  const environment = { RATE_LIMIT_ANON: '2' };
  const wrong = { ...environment, REDIS_URL: redis.url.replace('the-right', 'the-wrong') };
  const instance = await startInstance(t, databaseUrl, wrong);
  t.strictSame(await statuses(instance, 3), [200, 200, 429]);
  t.strictSame(instance.messages, [AWAY]);
  t.match(instance.log.join('\n'), /WRONGPASS/);
  t.notMatch(instance.log.join('\n'), /the-wrong-password/);

  const right = await startInstance(t, databaseUrl, { ...environment, REDIS_URL: redis.url });
  t.strictSame(await statuses(right, 3), [200, 200, 429]);
  t.strictSame(right.messages, []);

  await t.test('one that is full answers PING, but counts nothing', async (t) => {
    const client = new Redis(redis.url);
    await client.config('SET', 'maxmemory', '1');
    t.strictSame(await statuses(right, 3), [200, 200, 429]);
    const refusals = async () => Number(/errorstat_OOM:count=(\d+)/.exec(await client.info('errorstats'))?.[1]);
    for (const before = await refusals(); (await refusals()) < before + 2;);
    t.strictSame(right.messages, [AWAY]);
    await client.config('SET', 'maxmemory', '0');
    await right.logged(2);
    await client.quit();
    t.strictSame(right.messages, [AWAY, BACK]);
  });
});
