/** The program on a role that reads and writes rows, beside another one that migrates. */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import postgres from 'postgres';
import t, { type Test } from 'tap';
import { openEmbedded } from '../../db/embedded/index.js';
import { createTestDatabase } from '../helpers/database.js';
import { dataFolder, runProgram, startDemo, startServerProcess } from '../helpers/process.js';

/** An empty database with an owner who is no superuser, and a role that nobody has given anything. */
async function makeRoles(t: Test): Promise<{ url: string; ownerUrl: string; otherUrl: string }> {
  const superUrl = await createTestDatabase(t, 'template0');
  const admin = postgres(superUrl, { max: 1, onnotice: () => undefined });
  const [owner, program] = ['owner', 'program'].map((name) => `${name}_${randomBytes(4).toString('hex')}`);
  for (const role of [owner, program]) await admin.unsafe(`create role ${role} login password 'secret'`);
  const giveTo = (role = ''): Promise<unknown> =>
    admin.unsafe(`alter database "${new URL(superUrl).pathname.slice(1)}" owner to ${role}`);
  await giveTo(owner);
  t.teardown(async () => {
    await giveTo('current_user');
    for (const role of [program, owner]) await admin.unsafe(`drop owned by ${role} cascade`);
    for (const role of [program, owner]) await admin.unsafe(`drop role ${role}`);
    await admin.end();
  });
  const urlOf = (role = ''): string => {
    const url = new URL(superUrl);
    [url.username, url.password] = [role, 'secret'];
    return url.href;
  };
  return { url: urlOf(program), ownerUrl: urlOf(owner), otherUrl: await createTestDatabase(t, 'template0') };
}

const SUPERUSER = /the role of DATABASE_URL is a superuser/;

function sqlOn(t: Test, url: string): postgres.Sql {
  const sql = postgres(url, { max: 1, onnotice: () => undefined });
  t.teardown(() => sql.end());
  return sql;
}

/** Whether a role reads and writes rows, and nothing more. */
async function holdsToRows(t: Test, url: string): Promise<void> {
  const sql = sqlOn(t, url);
  for (const statement of [
    'create table public.mine (id int)',
    'create schema mine',
    'create extension citext',
    'alter table users add column mine int',
    'drop table contacts',
    'truncate contacts',
    'delete from audit_events',
    'update audit_blocks set hash = hash',
    'alter table appointments disable trigger all',
    'create trigger mine before insert on users for each row execute function touch()',
    'create or replace function touch() returns trigger language plpgsql as $$ begin return new; end $$',
    'drop function touch() cascade',
    'alter sequence users_id_seq restart',
    'select * from pg_authid',
    'select * from drizzle.__drizzle_migrations',
    'set session_replication_role = replica',
    "copy users to program 'cat'",
    'create role mine',
    `grant select on users to public with grant option`,
  ]) {
    const said = await sql.unsafe(statement).then(
      () => 'it may',
      ({ code }: { code: string }) => code,
    );
    t.match(said, /^(42501|0LP01)$/, statement);
  }
  const owned = await sql`select relname from pg_class where relowner = current_user::regrole`;
  t.strictSame([...owned], [], 'it owns nothing');
}

t.test('the demo and a first visit on a role that only reads and writes rows', async (t) => {
  const { url, ownerUrl } = await makeRoles(t);
  const environment = { DATABASE_URL: url, MIGRATION_DATABASE_URL: ownerUrl, DATA_DIR: dataFolder(t) };
  const demo = await startDemo(t, { ...environment, PORT: '0' });
  t.notMatch(demo.text, SUPERUSER);
  await promisify(execFile)('bash', ['examples/first-visit.sh', demo.url]);

  await holdsToRows(t, url);
});

t.test('the embedded database, made by an older version, is worked on by such a role', async (t) => {
  const DATA_DIR = dataFolder(t);
  const old = await openEmbedded({ dataDir: DATA_DIR });
  const [{ database = '' } = {}] = await sqlOn(t, old.url)<
    { database: string }[]
  >`select current_database() as database`;
  await sqlOn(t, old.url)`drop role hospital_program`;
  await old.stop();
  const demo = await startDemo(t, { DATA_DIR, PORT: '0' });
  await promisify(execFile)('bash', ['examples/first-visit.sh', demo.url]);
  const { url, programUrl } = await openEmbedded({ dataDir: DATA_DIR, join: true });
  await holdsToRows(t, programUrl);
  const roles = await sqlOn(t, url)`
    select distinct usename from pg_stat_activity where datname = ${database} and pid <> pg_backend_pid()`;
  t.strictSame([...roles], [{ usename: 'hospital_program' }]);
});

t.test('what a later migration makes is open to the role', async (t) => {
  const { url, ownerUrl } = await makeRoles(t);
  const environment = { DATABASE_URL: url, MIGRATION_DATABASE_URL: ownerUrl, DATA_DIR: dataFolder(t) };
  const args = ['--username', 'boss', '--email', 'boss@example.com'];
  const made = await runProgram('dist/src/admin.js', environment, args, 'plum-Tractor-91\n');
  t.match(made, { code: 0, stderr: '' });
  const owner = postgres(ownerUrl, { max: 1, onnotice: () => undefined });
  t.teardown(() => owner.end());
  await owner`create table later (id int)`;
  const { log } = await startServerProcess(t, environment);
  t.notMatch(log.join('\n'), /superuser|secret/);
  t.strictSame([...(await sqlOn(t, url)`insert into later values (1) returning id`)], [{ id: 1 }]);
});

t.test('what is refused, in one line', async (t) => {
  const { url, ownerUrl, otherUrl } = await makeRoles(t);
  for (const [environment, line] of [
    [{ DATABASE_URL: url }, /permission denied .*; MIGRATION_DATABASE_URL is for the role that owns the database\n$/],
    [
      { DATABASE_URL: otherUrl, MIGRATION_DATABASE_URL: ownerUrl },
      /DATABASE_URL and MIGRATION_DATABASE_URL must lead to the same database\n$/,
    ],
  ] as const) {
    const ended = await runProgram('dist/src/server.js', { ...environment, DATA_DIR: dataFolder(t) });
    t.match(ended.stderr, line);
    t.equal(ended.stderr.trim().split('\n').length, 1, ended.stderr);
    t.equal(ended.code, 1);
  }
});

t.test('a superuser is warned of', async (t) => {
  const DATABASE_URL = await createTestDatabase(t);
  const { log } = await startServerProcess(t, { DATABASE_URL, DATA_DIR: dataFolder(t) });
  t.equal(log.filter((line) => SUPERUSER.test(line)).length, 1);
});
