/**
 * What docs/operations.md says of backups, done: a PostgreSQL of Debian's, its base backup and archive, and a hospital
 * that goes on booking.
 */
import { spawnSync } from 'node:child_process';
import { appendFileSync, chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { connect } from '../../db/connect.js';
import { serverUser } from '../../db/embedded/place.js';
import { PASSWORD } from '../helpers/app.js';
import { freePort } from '../helpers/ports.js';
import { startDemo } from '../helpers/process.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const BIN = '/usr/lib/postgresql/15/bin';

/** Runs a command to its end, as whoever PostgreSQL may run as, and gives what it printed. */
function run(folder: string, command: string, args: readonly string[], env: Record<string, string> = {}): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    ...{ cwd: folder, encoding: 'utf8', env: { PATH: `${BIN}:${process.env['PATH'] ?? ''}`, ...env } },
    ...serverUser(folder),
    // The server would keep them open.
    ...(command === 'pg_ctl' && { stdio: 'ignore' as const }),
  });
  if (status !== 0) throw error ?? new Error(`${command} ${args.join(' ')} ended with ${status}: ${stderr}`);
  return stdout;
}

/** Starts a cluster, and gives the URL of its database. */
async function startCluster(t: Test, folder: string, data: string): Promise<string> {
  const port = await freePort();
  const options = `-c port=${port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c max_connections=50`;
  run(folder, 'pg_ctl', ['start', '-w', '-t', '120', '-D', data, '-l', join(folder, `${data}.log`), '-o', options]);
  t.teardown(() => stopCluster(folder, data));
  return `postgres://hospital@127.0.0.1:${port}/hospital`;
}

function makeCluster(folder: string, data: string): void {
  const options = ['--auth=trust', '--encoding=UTF8', '--no-locale', '--no-sync'];
  run(folder, 'initdb', ['-D', data, '-U', 'hospital', ...options]);
}

function makeDatabase(folder: string, url: string): void {
  const server = url.replace(/hospital$/, 'postgres');
  run(folder, 'createdb', ['--maintenance-db', server, '--template', 'template0', 'hospital']);
}

function stopCluster(folder: string, data: string): void {
  const isRunning = spawnSync(join(BIN, 'pg_ctl'), ['status', '-D', data], { cwd: folder, ...serverUser(folder) });
  if (isRunning.status === 0) run(folder, 'pg_ctl', ['stop', '-w', '-m', 'fast', '-D', data]);
}

interface Answer {
  readonly status: number;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- of a client that knows what it asked for
  readonly body: any;
}

async function call(base: string, method: string, path: string, body?: object, token?: string): Promise<Answer> {
  const answer = await fetch(base + path, {
    method,
    headers: {
      'content-type': 'application/json',
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  return { status: answer.status, body: await answer.json() };
}

/** Registers somebody who books the soonest time that there is; gives what finds it again. */
async function book(base: string, username: string): Promise<{ username: string; id: number }> {
  const user = { username, email: `${username}@example.com`, password: PASSWORD, confirm_password: PASSWORD };
  const { body: registered } = await call(base, 'POST', '/api/user/register/', user);
  const { body: free } = await call(base, 'GET', '/availability/?per_doctor=true&limits=1');
  const { doctor, date, time } = free.results[0];
  const { status, body } = await call(
    ...([base, 'POST', '/appointments/'] as const),
    { doctor, date, time, appointment_type: 'Offline', symptoms: 'Headache' },
    registered.tokens.access,
  );
  if (status !== 201) throw new Error(`booking answered ${status}: ${JSON.stringify(body)}`);
  return { username, id: body.id };
}

/** Whether somebody can sign in, and sees what was booked. */
async function has(base: string, { username, id }: { username: string; id: number }): Promise<boolean> {
  const { status, body } = await call(base, 'POST', '/api/user/login/', { username, password: PASSWORD });
  if (status !== 200) return false;
  return (await call(base, 'GET', `/appointments/${id}/`, undefined, body.access)).status === 200;
}

async function ask<T>(url: string, query: string): Promise<T> {
  const sql = connect(url, { max: 1 });
  try {
    const [row] = await sql.unsafe<{ value: T }[]>(query);
    return row?.value as T;
  } finally {
    await sql.end();
  }
}

t.test('a database is restored to a moment, and as it was dumped, and the hospital goes on', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'hospital-restore-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  chmodSync(folder, 0o755);
  const user = serverUser(folder);
  for (const name of ['archive', 'backups']) mkdirSync(join(folder, name));
  for (const name of ['', 'archive', 'backups']) {
    if (user !== undefined) chownSync(join(folder, name), user.uid, user.gid);
  }
  makeCluster(folder, 'first');
  const archive = join(folder, 'archive');
  appendFileSync(
    join(folder, 'first/postgresql.conf'),
    `wal_level = replica\narchive_mode = on\narchive_command = 'test ! -f ${archive}/%f && cp %p ${archive}/%f'\n`,
  );
  const url = await startCluster(t, folder, 'first');
  makeDatabase(folder, url);

  const limits = { RATE_LIMIT_ANON: '100000', RATE_LIMIT_AUTH: '100000' };
  const demo = async (DATABASE_URL: string) => {
    const DATA_DIR = mkdtempSync(join(folder, 'data-'));
    return (await startDemo(t, { DATABASE_URL, DATA_DIR, ...limits })).url;
  };
  const hospital = await demo(url);
  const early = await book(hospital, 'early');
  run(folder, 'pg_basebackup', ['--dbname', url, '--pgdata', 'base', '--checkpoint', 'fast', '--no-sync']);
  const before = await book(hospital, 'before');
  const moment = await ask<string>(url, 'select clock_timestamp()::text as value');
  const after = await book(hospital, 'after');
  writeFileSync(join(folder, 'url'), url);
  const dump = run(folder, 'sh', [join(root, 'deploy/backup.sh'), '--once'], {
    ...{ DATABASE_URL_FILE: join(folder, 'url'), BACKUPS: join(folder, 'backups'), KEEP_DAYS: '14' },
  }).trim();
  stopCluster(folder, 'first');

  await t.test('to a moment', async (t) => {
    const settings = [
      `restore_command = 'cp ${archive}/%f %p'`,
      `recovery_target_time = '${moment}'`,
      "recovery_target_action = 'promote'",
      'archive_mode = off',
    ];
    appendFileSync(join(folder, 'base/postgresql.conf'), `${settings.join('\n')}\n`);
    writeFileSync(join(folder, 'base/recovery.signal'), '');
    const restored = await startCluster(t, folder, 'base');
    while (await ask<boolean>(restored, 'select pg_is_in_recovery() as value')) await sleep(100);
    const base = await demo(restored);
    t.ok(await has(base, early));
    t.ok(await has(base, before), 'what was booked after the base backup');
    t.notOk(await has(base, after), 'and not what came after the moment');
    const visit = spawnSync('bash', [join(root, 'examples/first-visit.sh'), base], { encoding: 'utf8' });
    t.equal(visit.status, 0, visit.stdout + visit.stderr);
  });

  await t.test('as it was dumped', async (t) => {
    makeCluster(folder, 'second');
    const second = await startCluster(t, folder, 'second');
    makeDatabase(folder, second);
    run(folder, 'pg_restore', ['--no-owner', '--no-acl', '--exit-on-error', '--dbname', second, dump]);
    const base = await demo(second);
    for (const booking of [early, before, after]) t.ok(await has(base, booking), booking.username);
  });
});
