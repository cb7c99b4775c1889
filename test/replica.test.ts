/** Public lists from a standby: a real one, of the PostgreSQL that comes with the product. */
import { execFileSync } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { openDatabase } from '../db/client.js';
import { connect } from '../db/connect.js';
import { openEmbedded } from '../db/embedded/index.js';
import { migrateDatabase } from '../db/migrate.js';
import { MAX_LAG } from '../db/replica.js';
import { mayLag } from '../plugins/replica.js';
import { buildApp } from '../src/app.js';
import { MORNING, SECRET, TestApp, testConfig } from './helpers/app.js';
import { allOperations } from './helpers/operations.js';
import { dataFolder } from './helpers/process.js';
import { openProxy } from './helpers/proxy.js';
import { databaseEndsWithUs } from './helpers/reaper.js';

const folder = dataFolder(t);
chmodSync(folder, 0o755);
const [first, second] = [join(folder, 'primary'), join(folder, 'standby')];
databaseEndsWithUs(first);
databaseEndsWithUs(second);

const SETTINGS = { fsync: 'off', max_connections: '100' };
const made = await openEmbedded({ dataDir: first, settings: SETTINGS });
await migrateDatabase(made.url, 'UTC');
await made.stop();
// Node's own copy has other permissions.
execFileSync('cp', ['-a', first, second]);
writeFileSync(join(second, 'postgres', 'data', 'standby.signal'), '');
const primary = await openEmbedded({ dataDir: first, settings: SETTINGS });
t.teardown(() => primary.stop());
const { hostname: host, port, username: user, password } = new URL(primary.url);
const primary_conninfo = `host=${host} port=${port} user=${user} password=${password}`;
const standby = await openEmbedded({ dataDir: second, settings: { ...SETTINGS, primary_conninfo } });
t.teardown(() => standby.stop());

/** Runs SQL on the standby as its superuser. */
async function onStandby(statement: string): Promise<void> {
  const client = connect(standby.url, { max: 1 });
  await client.unsafe(statement);
  await client.end();
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 20));
}

const lines: string[] = [];
let elapsed = 0;

async function open(t: Test, replicaUrl: string) {
  const config = testConfig(t);
  const database = await openDatabase({
    ...{ url: primary.url, replicaUrl, dataDir: config.dataDir, pool: 5 },
    log: (line) => lines.push(line),
    elapsed: () => performance.now() + elapsed,
  });
  t.teardown(() => database.close());
  await database.migrated;
  const app = await buildApp({ config, database, secrets: [SECRET], logger: false, now: () => MORNING });
  t.teardown(() => app.close());
  return new TestApp(app, database, primary.url);
}

const LISTS = ['/doctors/', '/doctors/?search=cardio', '/services/', '/reviews/', '/designations/'];
const OTHER = '203.0.113.9';
const READER = '198.51.100.7';

t.test('what bookings change, or only some may see, is never asked of a standby', async (t) => {
  t.strictSame(
    allOperations.filter(mayLag).map(({ config }) => config.operationId),
    ['listReviews', 'listServices', 'listDoctors', 'listDesignations', 'listSpecialisations', 'listAvailableTimes'],
  );
});

t.test('public lists come from the standby while it is no further behind than 5 seconds', async (t) => {
  const api = await open(t, standby.url);
  const replica = () => api.database.replica();
  await until(() => replica()?.isCurrent() === true);
  const { token } = await api.registerStaff();
  const names = async (options = {}): Promise<string[]> =>
    ((await api.get('/designations/', options)).body as { name: string }[]).map(({ name }) => name);
  const add = async (name: string) =>
    t.equal(
      (await api.post('/designations/', { token, body: { name, slug: name.toLowerCase() }, remoteAddress: OTHER }))
        .status,
      201,
    );

  await add('Surgeon');
  while (!(await names({ remoteAddress: READER })).includes('Surgeon'));

  await onStandby('select pg_wal_replay_pause()');
  await add('Anaesthetist');
  t.notOk((await names({ remoteAddress: READER })).includes('Anaesthetist'), 'somebody else sees what was before');
  t.ok((await names({ remoteAddress: OTHER })).includes('Anaesthetist'), 'the address that wrote sees what it wrote');
  t.ok((await names({ token, remoteAddress: READER })).includes('Anaesthetist'), 'and so does who sends a token');
  for (const path of LISTS) t.equal((await api.get(path, { remoteAddress: READER })).status, 200, path);
  const { results } = (await api.get('/availability/', { remoteAddress: READER })).body;
  t.strictSame(results, [], 'free slots are of the primary');

  const metrics = (await api.app.inject({ url: '/metrics', remoteAddress: '127.0.0.1' })).payload;
  t.match(metrics, /^hospital_replica_lag_seconds [0-5]\b/m);
  elapsed += MAX_LAG;
  t.equal(replica()?.isCurrent(), false);
  t.ok((await names({ remoteAddress: READER })).includes('Anaesthetist'), 'further behind, it is not asked');

  await onStandby('select pg_wal_replay_resume()');
  await until(() => replica()?.isCurrent() === true);
  t.ok((await names({ remoteAddress: READER })).includes('Anaesthetist'));
});

t.test('a standby that goes away costs no answer, and is asked again when it is back', async (t) => {
  const proxy = await openProxy(t, standby.url);
  await proxy.restore();
  const api = await open(t, proxy.url);
  for (const leave of [() => proxy.cut(), async () => proxy.mute()]) {
    await until(() => api.database.replica()?.isCurrent() === true);
    lines.length = 0;
    await leave();
    for (const path of [...LISTS, ...LISTS])
      t.equal((await api.get(path, { remoteAddress: READER })).status, 200, path);
    await until(() => lines.length > 0);
    t.match(lines, [/^the replica hospital at 127\.0\.0\.1:\d+ is away: /]);
    await proxy.cut();
    await proxy.restore();
    await until(() => lines.length > 1);
    t.match(lines[1], /is back$/);
  }
});

t.test('what is no standby of the database is not asked', async (t) => {
  lines.length = 0;
  const api = await open(t, primary.url);
  await until(() => lines.some((line) => line.includes('replica')));
  t.match(
    lines.filter((line) => line.includes('replica')),
    [/^the replica hospital at .+ is away: it is no standby$/],
  );
  t.equal(api.database.replica()?.isCurrent(), false);
  t.equal((await api.get('/doctors/', { remoteAddress: READER })).status, 200);
});
