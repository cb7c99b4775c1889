import postgres from 'postgres';
import t, { type Test } from 'tap';
import { pipelineOf } from '../../db/client.js';
import { readDatabaseUrl } from '../../db/url.js';
import { readConfig } from '../../src/config.js';
import { anotherInstance, PASSWORD } from '../helpers/app.js';
import { createTestDatabase } from '../helpers/database.js';
import { dataFolder, runProgram, startServerProcess } from '../helpers/process.js';

/** Settings of a database that would make other answers, or none, of our queries; and what the program needs. */
const HOSTILE: readonly (readonly [name: string, hostile: string, needed: string])[] = [
  ['DateStyle', 'SQL, DMY', 'ISO, MDY'],
  ['IntervalStyle', 'iso_8601', 'postgres'],
  ['TimeZone', 'Asia/Kathmandu', 'UTC'],
  ['extra_float_digits', '-15', '1'],
  ['bytea_output', 'escape', 'hex'],
  ['standard_conforming_strings', 'off', 'on'],
  ['array_nulls', 'off', 'on'],
  ['transform_null_equals', 'on', 'off'],
  ['search_path', 'pg_catalog', 'public, extensions'],
  ['default_transaction_isolation', 'serializable', 'read committed'],
  ['default_transaction_read_only', 'on', 'off'],
  ['default_transaction_deferrable', 'on', 'off'],
  ['synchronous_commit', 'off', 'on'],
  ['statement_timeout', '1ms', '20s'],
  ['idle_in_transaction_session_timeout', '1ms', '30s'],
  ['idle_session_timeout', '1ms', '0'],
  ['gin_fuzzy_search_limit', '1', '0'],
  ['client_encoding', 'LATIN1', 'UTF8'],
];

/** Gives a database, and the role of the tests within it, settings for the sessions to come. */
async function spoil(t: Test, url: string): Promise<postgres.Sql> {
  const sql = postgres(url, { max: 1, onnotice: () => undefined });
  t.teardown(() => sql.end());
  const name = new URL(url).pathname.slice(1);
  for (const [setting, hostile] of HOSTILE) {
    const value = setting === 'search_path' ? hostile : `'${hostile}'`;
    await sql.unsafe(`alter database "${name}" set ${setting} = ${value}`);
    await sql.unsafe(`alter role current_user in database "${name}" set ${setting} = ${value}`);
  }
  return sql;
}

t.test('sessions have the settings that the program needs, whatever the database has for them', async (t) => {
  const url = await createTestDatabase(t);
  await spoil(t, url);
  const api = await anotherInstance(t, { databaseUrl: url });
  const { db } = api.database;
  for (const client of [(db as unknown as { $client: postgres.Sql }).$client, pipelineOf(db) as postgres.Sql]) {
    for (const [name, , needed] of HOSTILE) {
      const [row] = await client.unsafe<{ value: string }[]>('select current_setting($1) as value', [name]);
      t.equal(row?.value, needed, name);
    }
  }
  const user = await api.register();
  const answer = await api.get(`/api/user/profiles/me/`, { token: user.token });
  t.match(answer.body.user.date_joined, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  t.equal((await api.post('/api/user/login/', { body: { username: user.username, password: PASSWORD } })).status, 200);
});

t.test('a database with other settings is migrated, served and administered', async (t) => {
  const url = await createTestDatabase(t, 'template0');
  await spoil(t, url);
  const environment = { DATABASE_URL: url, DATA_DIR: dataFolder(t) };
  const args = ['--username', 'boss', '--email', 'boss@example.com'];
  const made = await runProgram('dist/src/admin.js', environment, args, 'correct horse battery staple\n');
  t.equal(made.stderr, '');
  t.equal(made.code, 0);
  const server = await startServerProcess(t, environment);
  t.equal((await fetch(`${server.url}/health/ready`)).status, 200);
  const body = JSON.stringify({ username: 'boss', password: 'correct horse battery staple' });
  const headers = { 'content-type': 'application/json' };
  t.equal((await fetch(`${server.url}/api/user/login/`, { method: 'POST', body, headers })).status, 200);
});

t.test('sessions without triggers are refused in one line', async (t) => {
  const url = new URL(await createTestDatabase(t));
  const sql = postgres(url.href, { max: 1 });
  t.teardown(() => sql.end());
  await sql.unsafe(`alter database "${url.pathname.slice(1)}" set session_replication_role = replica`);
  const { code, stderr } = await runProgram('dist/src/server.js', { DATABASE_URL: url.href, DATA_DIR: dataFolder(t) });
  t.equal(code, 1);
  t.match(stderr, /^DATABASE_URL leads to sessions that .* session_replication_role: it is "replica"[^\n]*\n$/);
});

t.test('parameters of DATABASE_URL', async (t) => {
  await t.test('that are honoured', (t) => {
    for (const [query, wishes] of [
      ['connect_timeout=9', { connect_timeout: 9 }],
      ['target_session_attrs=read-write', { target_session_attrs: 'read-write' }],
      ['host=%2Fvar%2Frun%2Fpostgresql&port=5433', { host: '/var/run/postgresql', port: 5433 }],
      ['application_name=clinic', { connection: { application_name: 'clinic' } }],
      ['options=-c%20geqo%3Doff', { connection: { options: '-c geqo=off' } }],
    ] as const) {
      const { url, wishes: read } = readDatabaseUrl(`postgres://localhost/clinic?${query}`);
      t.equal(url, 'postgres://localhost/clinic');
      t.strictSame(read, { connection: {}, ssl: false, ...wishes }, query);
    }
    t.end();
  });

  await t.test('a socket by its folder, as libpq reads it', (t) => {
    const folder = '/var/run/postgresql';
    for (const [given, url] of [
      [`postgresql:///clinic?host=${folder}`, 'postgresql://localhost/clinic'],
      [`postgres://me:a%40b@/clinic?host=${folder}`, 'postgres://me:a%40b@localhost/clinic'],
      [`postgres://me@:5433/clinic?host=${folder}`, 'postgres://me@localhost:5433/clinic'],
      [`postgres://me@${encodeURIComponent(folder)}:5433/clinic`, 'postgres://me@localhost:5433/clinic'],
      [`postgres://${encodeURIComponent(folder)}/clinic`, 'postgres://localhost/clinic'],
    ] as const) {
      t.equal(readConfig({ DATABASE_URL: given }).databaseUrl, given);
      t.match(readDatabaseUrl(given), { url, wishes: { connection: {}, ssl: false, host: folder } }, given);
    }
    t.end();
  });

  await t.test('that mean what the program does anyway', async (t) => {
    const url = new URL(await createTestDatabase(t));
    for (const [name, value] of Object.entries({
      ...{ channel_binding: 'prefer', gssencmode: 'disable', schema: 'public', target_session_attrs: 'any' },
      ...{ keepalives: '1', client_encoding: 'UTF8', sslmode: '', application_name: 'clinic', connect_timeout: '5' },
    })) {
      url.searchParams.set(name, value);
    }
    const server = await startServerProcess(t, { DATABASE_URL: url.href, DATA_DIR: dataFolder(t) });
    t.equal((await fetch(`${server.url}/health/ready`)).status, 200);
  });

  await t.test('that are refused in one line which names them', async (t) => {
    for (const [query, line] of [
      ['channel_binding=require', 'have channel_binding as one of: disable, prefer'],
      ['gssencmode=require', 'have gssencmode as one of: disable, prefer'],
      ['schema=clinic', 'have schema as one of: public'],
      ['sslmode=always', 'have sslmode as one of: disable, allow, prefer, require, verify-ca, verify-full'],
      ['sslrootcert=/nowhere', 'have a file that can be read as sslrootcert'],
      ['sslcert=/nowhere', 'have sslcert and sslkey, or neither'],
      ['sslmode=require&sslrootcert=system', 'have sslmode=verify-full with sslrootcert=system'],
      ['ssl=yes', 'have ssl as true or false, or sslmode'],
      ['connect_timeout=soon', 'have a number of seconds as connect_timeout'],
      ['target_session_attrs=standby', /^have target_session_attrs as one of: any, /],
      ['pgbouncer=true', 'not have the parameter pgbouncer, which this program does not know'],
      ['password=secret', 'not have the parameter password, which this program does not know'],
      ['toString=x', 'not have the parameter toString, which this program does not know'],
      ['sslmode=disable&statement_timeout=5', /statement_timeout/],
    ] as const) {
      t.throws(() => readDatabaseUrl(`postgres://db/clinic?${query}`), { message: line }, query);
    }
    const { code, stderr } = await runProgram('dist/src/server.js', {
      DATABASE_URL: 'postgres://user:hidden@127.0.0.1:1/clinic?channel_binding=require',
      DATA_DIR: dataFolder(t),
    });
    t.equal(stderr, 'DATABASE_URL must have channel_binding as one of: disable, prefer\n');
    t.equal(code, 1);
  });
});
