import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import postgres from 'postgres';
import t, { type Test } from 'tap';
import { isUnavailable, openDatabase, violatedConstraint } from '../../db/client.js';
import { buildApp } from '../../src/app.js';
import { anotherInstance, PASSWORD, SECRET, TestApp, testConfig } from '../helpers/app.js';
import { createTestDatabase, someoneWaits } from '../helpers/database.js';
import { openProxy } from '../helpers/proxy.js';

/** The application on a database behind a proxy, which is cut. */
async function build(t: Test) {
  const direct = await createTestDatabase(t);
  const proxy = await openProxy(t, direct);
  const config = testConfig(t);
  const lines: string[] = [];
  const database = await openDatabase({
    url: proxy.url,
    dataDir: config.dataDir,
    pool: 3,
    log: (line) => lines.push(line),
  });
  t.teardown(() => database.close());
  const app = await buildApp({ config, database, secrets: [SECRET], logger: false });
  t.teardown(() => app.close());
  const api = new TestApp(app, database, proxy.url);
  return { api, proxy, database, direct, lines };
}

const statusOf = async (api: TestApp, path: string) => (await api.get(path)).status;

/** Waits for the service to be there again, without anyone's help. */
async function recovered(api: TestApp): Promise<void> {
  for (const path of ['/health/ready', '/doctors/']) while ((await statusOf(api, path)) !== 200) await sleep(20);
}

t.test('a database that is away at the start', async (t) => {
  const { api, proxy, database, lines } = await build(t);
  await database.firstTry;
  t.equal(database.isMigrated(), false);
  const { port, pathname } = new URL(proxy.url);
  const named = `the database ${pathname.slice(1)} at 127.0.0.1:${port}`;
  t.strictSame(lines, [
    'database: not encrypted, on this machine (sslmode=disable)',
    `${named} is away: connect ECONNREFUSED 127.0.0.1:${port}`,
  ]);

  await t.test('503 for operations and readiness, not for what needs no database', async (t) => {
    for (const [method, url, body] of [
      ['GET', '/doctors/'],
      ['POST', '/doctors/', {}],
      ['POST', '/api/user/login/', { username: 'ada', password: PASSWORD }],
      ['POST', '/api/user/login/', '{'],
    ] as const) {
      const answer = await api.call(method, url, { body });
      t.match(answer, { status: 503, body: { type: '/problems/unavailable' }, headers: { 'retry-after': '5' } });
    }
    for (const [path, status] of [
      ['/health/ready', 503],
      ['/health/live', 200],
      ['/openapi.yaml', 200],
      ['/problems/unavailable', 200],
      ['/nothing/', 404],
    ] as const) {
      t.equal(await statusOf(api, path), status, path);
    }
  });

  await t.test('getPicture 503 until the database has been there', async (t) => {
    t.match(await api.get(`/pictures/p-${'A'.repeat(22)}.jpeg`), { status: 503, headers: { 'retry-after': '5' } });
  });

  await t.test('everything works once it has come', async (t) => {
    await proxy.restore();
    await database.migrated;
    t.equal(database.isMigrated(), true);
    t.equal(await statusOf(api, '/health/ready'), 200);
    t.equal(await statusOf(api, '/doctors/'), 200);
    t.strictSame(lines.slice(2), [`${named} is back`], 'and the log was told once');
  });
});

t.test('a database that goes away', async (t) => {
  const { api, proxy, database, direct, lines } = await build(t);
  await proxy.restore();
  await database.migrated;
  const { token, username } = await api.register();
  const admin = postgres(direct, { max: 1 });
  t.teardown(() => admin.end());

  await t.test('its log says when it goes and comes back, though nobody asks for anything', async (t) => {
    lines.length = 0;
    const { port } = new URL(proxy.url);
    for (const round of [1, 2]) {
      await proxy.cut();
      while (lines.length < 2 * round - 1) await sleep(20);
      t.match(lines.at(-1), new RegExp(`^the database \\w+ at 127\\.0\\.0\\.1:${port} is away: .*${port}$`));
      await proxy.restore();
      while (lines.length < 2 * round) await sleep(20);
      t.match(lines.at(-1), /^the database \w+ at 127\.0\.0\.1:\d+ is back$/);
      t.equal(await statusOf(api, '/health/ready'), 200);
    }
  });

  await t.test('503 for operations and readiness, and recovery by itself', async (t) => {
    for (let round = 0; round < 2; round++) {
      await proxy.cut();
      for (let index = 0; index < 5; index++) t.equal(await statusOf(api, '/doctors/'), 503);
      t.match(await api.patch('/doctors/1/', { token, body: {} }), { headers: { 'retry-after': '5' } });
      const answers = await Promise.all(Array.from({ length: 10 }, () => statusOf(api, '/doctors/')));
      t.ok(
        answers.every((status) => status === 503),
        'also for more at once than there are connections',
      );
      t.equal(await statusOf(api, '/health/ready'), 503);
      t.equal(await statusOf(api, '/health/live'), 200);
      await proxy.restore();
      await recovered(api);
      const login = await api.post('/api/user/login/', { body: { username, password: PASSWORD } });
      t.equal(login.status, 200, 'transactions and prepared statements work again');
    }
  });

  for (const [title, table, send] of [
    ['a statement', 'doctors', () => api.get('/doctors/')],
    [
      'a transaction, which leaves nothing behind',
      'patients',
      () => {
        const user = { username: 'ghost', email: 'ghost@example.org', password: PASSWORD, confirm_password: PASSWORD };
        return api.post('/api/user/register/', { body: user });
      },
    ],
  ] as const) {
    await t.test(`503 in the middle of ${title}`, async (t) => {
      const { answer } = await admin.begin(async (tx) => {
        await tx`lock table ${tx(table)} in access exclusive mode`;
        const answer = send();
        await someoneWaits(tx);
        await proxy.cut();
        return { answer: await answer };
      });
      t.match(answer, { status: 503, headers: { 'retry-after': '5' } });
      await proxy.restore();
      await recovered(api);
      t.equal((await admin`select 1 from users where username = 'ghost'`).length, 0);
    });
  }

  await t.test('readiness turns to 503 also where the database only falls silent', async (t) => {
    proxy.mute();
    let isAnswered = false;
    const query = database.db.execute('select 1').catch(() => (isAnswered = true));
    t.equal(await statusOf(api, '/health/ready'), 503);
    t.notOk(isAnswered, 'long before queries are given up');
    t.equal(await statusOf(api, '/health/live'), 200);
    await proxy.cut();
    await query;
    await proxy.restore();
    await recovered(api);
  });
});

t.test('503 while the role may not connect, and until it may again', async (t) => {
  const admin = postgres(process.env['TEST_SERVER_URL'] ?? '', { max: 1, onnotice: () => undefined });
  t.teardown(() => admin.end());
  const role = `clinic_${randomUUID()}`;
  await admin`create role ${admin(role)} login password 'secret'`;
  t.teardown(() => admin`drop role ${admin(role)}`);
  const url = new URL(await createTestDatabase(t, 'template0'));
  const name = admin(url.pathname.slice(1));
  await admin`alter database ${name} owner to ${admin(role)}`;
  [url.username, url.password] = [role, 'secret'];
  const api = await anotherInstance(t, { databaseUrl: url.href });
  t.equal(await statusOf(api, '/doctors/'), 200);

  await admin`alter database ${name} owner to current_user`;
  await admin`revoke all on database ${name} from public, ${admin(role)}`;
  await admin`select pg_terminate_backend(pid) from pg_stat_activity where usename = ${role}`;
  while ((await statusOf(api, '/health/ready')) === 200) await sleep(20);
  t.equal(await statusOf(api, '/doctors/'), 503);
  // Longer than it takes to ask twice whether it is back.
  await sleep(1_200);
  t.equal(await statusOf(api, '/health/ready'), 503);
  t.equal(await statusOf(api, '/doctors/'), 503);
  // Without the right to make temporary tables, which the look at the disk does.
  await admin`grant connect on database ${name} to ${admin(role)}`;
  await recovered(api);
});

t.test('openDatabase', async (t) => {
  await t.test('gives up where waiting does not help', async (t) => {
    const url = new URL(await createTestDatabase(t));
    url.pathname = '/there_is_no_such_database';
    const database = await openDatabase({ url: url.href, dataDir: t.testdir(), pool: 1 });
    await database.firstTry;
    await t.rejects(database.migrated, { code: '3D000' });
    t.equal(database.isMigrated(), false);
    await database.close();
  });

  await t.test('can be closed while it waits, and twice', async (t) => {
    const proxy = await openProxy(t, await createTestDatabase(t));
    const database = await openDatabase({ url: proxy.url, dataDir: t.testdir(), pool: 1 });
    await database.firstTry;
    await Promise.all([database.close(), database.close()]);
    await database.close();
    await t.rejects(database.migrated);
  });

  await t.test('migrates an empty database once, of however many instances', async (t) => {
    const url = await createTestDatabase(t, 'template0');
    const dataDir = t.testdir();
    const instances = await Promise.all([1, 2, 3].map(() => openDatabase({ url, dataDir, pool: 1 })));
    await Promise.all(instances.map(({ migrated }) => migrated));
    const [first] = instances;
    const rows = await first?.db.execute('select count(*)::int as users from users');
    t.strictSame([...(rows ?? [])], [{ users: 0 }]);
    await Promise.all(instances.map((database) => database.close()));
  });
});

t.test('what an error of the database says', async (t) => {
  const wrap = (cause: unknown, depth = 1): Error =>
    new Error('outer', { cause: depth > 1 ? wrap(cause, depth - 1) : cause });
  const code = (code: string, more = {}) => Object.assign(new Error('inner'), { code, ...more });

  for (const name of [
    ...['ECONNREFUSED', 'ETIMEDOUT', 'CONNECTION_ENDED', 'CERT_HAS_EXPIRED', 'ERR_TLS_CERT_ALTNAME_INVALID'],
    ...[
      '08001',
      '08006',
      '25006',
      '28000',
      '28P01',
      '3D000',
      '40001',
      '40P01',
      '42501',
      '53000',
      '53100',
      '53200',
      '53300',
    ],
    ...['55000', '55P03', '57014', '57P01', '57P03', '57P04', '57P05', '58000', '58030', '58P01'],
  ]) {
    t.equal(isUnavailable(code(name)), true, name);
    t.equal(isUnavailable(wrap(code(name), 2)), true, `${name} inside other errors`);
  }
  t.equal(isUnavailable(code('EMFILE', { syscall: 'connect' })), true);
  const refused = ['22P02', '23505', '42601', '42P01', '54001', 'P0001', 'XX001', 'ENOENT', 'E2BIG'].map((name) =>
    code(name),
  );
  for (const error of [...refused, code('EMFILE', { syscall: 'open' }), new Error('other'), 'ECONNREFUSED', null]) {
    t.equal(isUnavailable(error), false, String((error as { code?: string } | null)?.code));
  }
  t.equal(violatedConstraint(wrap(code('23505', { constraint_name: 'users_email_key' }))), 'users_email_key');
  t.equal(violatedConstraint(code('23505')), undefined);
  t.equal(violatedConstraint(undefined), undefined);
});
