/** One table that is locked, as by a migration or a forgotten session, while a server runs that everybody uses. */
import postgres from 'postgres';
import t from 'tap';
import { PASSWORD } from './helpers/app.js';
import { createTestDatabase, someoneWaits } from './helpers/database.js';
import { dataFolder, startServerProcess } from './helpers/process.js';

interface Call {
  readonly method?: 'GET' | 'POST' | 'PATCH';
  readonly path: string;
  readonly body?: object;
}

const databaseUrl = await createTestDatabase(t);
const ADMIN = { ADMIN_USERNAME: 'chief', ADMIN_EMAIL: 'chief@example.com', ADMIN_PASSWORD: PASSWORD };
const server = await startServerProcess(t, {
  ...ADMIN,
  DATABASE_URL: databaseUrl,
  DATA_DIR: dataFolder(t),
  ...{ RATE_LIMIT_ANON: '1000000', RATE_LIMIT_USER: '1000000', RATE_LIMIT_AUTH: '1000000' },
});
const admin = postgres(databaseUrl, { max: 2, onnotice: () => undefined });
t.teardown(() => admin.end());

let token = '';
async function call({ method = 'GET', path, body }: Call) {
  const began = performance.now();
  const response = await fetch(server.url + path, {
    method,
    headers: {
      ...(token !== '' && { authorization: `Bearer ${token}` }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const answer = (await response.json()) as { access: string };
  return {
    answer,
    status: response.status,
    retryAfter: response.headers.get('retry-after'),
    took: performance.now() - began,
  };
}

const LOGIN: Call = { method: 'POST', path: '/api/user/login/', body: { username: 'chief', password: PASSWORD } };
token = (await call(LOGIN)).answer.access;

/** What visits of the site ask for. */
const CALLS: readonly Call[] = [
  LOGIN,
  ...[
    ...['/health/ready', '/api/user/profiles/', '/api/user/profiles/1/', '/services/', '/services/1/'],
    ...[
      '/contacts/',
      '/contacts/1/',
      '/designations/',
      '/designations/1/',
      '/available-time/',
      '/doctors/',
      '/doctors/1/',
    ],
    ...['/doctors/1/availability/', '/reviews/', '/reviews/1/', '/patients/', '/patients/1/'],
    ...['/appointments/', '/appointments/1/', '/appointments/?ordering=date'],
  ].map((path) => ({ path })),
  { method: 'POST', path: '/contacts/', body: { name: 'Ada', phone: '123', massage: 'x' } },
  // Not the doctor's: its version is written into that doctor's row.
  { method: 'PATCH', path: '/designations/2/', body: { name: 'Guest' } },
  { method: 'PATCH', path: '/doctors/1/', body: { fee: 10 } },
  { method: 'PATCH', path: '/patients/1/', body: { phone: '123' } },
];

await call({ method: 'POST', path: '/designations/', body: { name: 'Chief', slug: 'chief' } });
await call({ method: 'POST', path: '/designations/', body: { name: 'Guest', slug: 'guest' } });
await call({ method: 'POST', path: '/available-time/', body: { time: '10:00' } });
await call({ method: 'POST', path: '/doctors/', body: { designation: [1], available_time: [1] } });
await call({ method: 'POST', path: '/contacts/', body: { name: 'Ada', phone: '123', massage: 'x' } });

/** The longest that one of the calls takes, each made after the other. */
async function slowest(calls: readonly Call[]): Promise<{ took: number; path: string }> {
  let longest = { took: 0, path: '' };
  for (let round = 0; round < 10; round++) {
    for (const { path, ...each } of calls) {
      const { status, took } = await call({ path, ...each });
      if (status >= 500) throw new Error(`${path} answered ${status}`);
      if (took > longest.took) longest = { took, path };
    }
  }
  return longest;
}

await slowest(CALLS);

for (const table of ['contacts', 'doctors', 'appointments', 'profiles']) {
  t.test(`a lock on ${table} leaves requests that have no need of it as they were`, async (t) => {
    const locked = <T>(work: (tx: postgres.TransactionSql) => Promise<T>) =>
      admin.begin(async (tx) => {
        await tx`lock table ${tx(table)} in access exclusive mode`;
        return work(tx);
      });
    // Each once, so that they are not in each other's way.
    const statuses = await locked(() => Promise.all(CALLS.map(async (each) => (await call(each)).status)));
    const blocked = CALLS.filter((_, index) => statuses[index] === 503);
    const others = CALLS.filter((_, index) => statuses[index] !== 503);
    t.ok(blocked.length > 0);
    t.comment(blocked.map(({ path }) => path));

    const usual = await slowest(others);
    const answers: Awaited<ReturnType<typeof call>>[] = [];
    let isHeld = true;
    // Of each more at once than there are connections, and another as soon as one is answered.
    const insist = async (each: Call): Promise<void> => {
      while (isHeld) answers.push(await call(each));
    };
    const { longest, insisting } = await locked(async (tx) => {
      const insisting = blocked.flatMap((each) => Array.from({ length: 15 }, () => insist(each)));
      await someoneWaits(tx);
      let longest = await slowest(others);
      // By then some have given up, and come again.
      while (answers.length < insisting.length) {
        const next = await slowest(others);
        if (next.took > longest.took) longest = next;
      }
      isHeld = false;
      return { longest, insisting };
    });
    await Promise.all(insisting);
    t.comment({ usual, longest, waited: Math.max(...answers.map(({ took }) => took)), n: answers.length });
    t.ok(longest.took < usual.took * 5 + 500, `${longest.path} took ${longest.took} ms, where ${usual.took} is usual`);
    const given = answers.filter(({ status }) => status >= 500);
    t.ok(given.length > 0);
    t.ok(given.every(({ status, retryAfter }) => status === 503 && retryAfter === '5'));
    // 10 s at the most for a connection, 5.1 s for a lock, and the work.
    t.ok(Math.max(...answers.map(({ took }) => took)) < 20_000, 'nobody waits for long');
    await slowest(blocked);
  });
}
