/** The server behind a real PgBouncer; `npm run test:pgbouncer`. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import postgres from 'postgres';
import t, { type Test } from 'tap';
import { anotherInstance } from '../helpers/app.js';
import { createTestDatabase } from '../helpers/database.js';
import { freePort } from '../helpers/ports.js';
import { dataFolder, runProgram, startServerProcess } from '../helpers/process.js';
import { endsWithUs } from '../helpers/reaper.js';

/** Stands a PgBouncer in front of a database. Returns the URL that leads there. */
async function startPgBouncer(t: Test, target: string, settings: Readonly<Record<string, string | number>>) {
  const { hostname, port, username, password, pathname } = new URL(target);
  const folder = t.testdir();
  const own = await freePort();
  const all = {
    ...{ listen_addr: '127.0.0.1', listen_port: own, unix_socket_dir: '', auth_type: 'any', pidfile: '' },
    ...{ max_client_conn: 200, default_pool_size: 20, ...settings },
  };
  const login = password === '' ? '' : ` password=${decodeURIComponent(password)}`;
  const file = join(folder, 'pgbouncer.ini');
  writeFileSync(
    file,
    [
      '[databases]',
      `clinic = host=${hostname} port=${port} dbname=${pathname.slice(1)} user=${username}${login}`,
      '[pgbouncer]',
      ...Object.entries(all).map(([name, value]) => `${name} = ${value}`),
    ].join('\n'),
  );
  // PgBouncer does not run as root.
  chmodSync(folder, 0o755);
  chmodSync(file, 0o644);
  const child = endsWithUs(spawn('pgbouncer', [...(process.getuid?.() === 0 ? ['-u', 'nobody'] : []), file]));
  const lines: string[] = [];
  t.teardown(async () => {
    child.kill('SIGKILL');
    await once(child, 'exit');
  });
  await new Promise<void>((resolve, reject) => {
    child.on('exit', (code) => reject(new Error(`pgbouncer ended with ${code}:\n${lines.join('\n')}`)));
    createInterface({ input: child.stderr }).on('line', (line) => {
      lines.push(line);
      if (line.includes('process up')) resolve();
    });
  });
  return `postgres://anyone:hidden@127.0.0.1:${own}/clinic`;
}

/** What a start on a URL that it refuses prints. */
async function refusal(t: Test, url: string): Promise<string> {
  const { code, stderr } = await runProgram('dist/src/server.js', { DATABASE_URL: url, DATA_DIR: dataFolder(t) });
  t.equal(code, 1);
  t.notMatch(stderr, 'hidden');
  t.match(stderr, /^[^\n]+\n$/, 'one line');
  return stderr;
}

t.test('a PgBouncer that takes no settings is refused, naming what it needs; with that it serves', async (t) => {
  const target = await createTestDatabase(t);
  const line = await refusal(t, await startPgBouncer(t, target, { pool_mode: 'session' }));
  const [, setting = ''] = /ignore_startup_parameters = (.+)\n/.exec(line) ?? [];
  t.match(line, /^DATABASE_URL leads to a pooler that says "unsupported startup parameter: \w+"/);

  const url = await startPgBouncer(t, target, { pool_mode: 'session', ignore_startup_parameters: setting });
  const server = await startServerProcess(t, { DATABASE_URL: url, DATA_DIR: dataFolder(t) });
  t.equal((await fetch(`${server.url}/health/ready`)).status, 200);
  const api = await anotherInstance(t, { databaseUrl: url });
  const staff = await api.registerStaff();
  await api.post('/available-time/', { token: staff.token, body: { time: '10:00' } });
  const doctor = await api.registerDoctor({ available_time: [1] });
  const patient = await api.register();
  const body = { doctor: doctor.doctorId, time: 1, appointment_type: 'Online', symptoms: 'x' };
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => api.post('/appointments/', { token: patient.token, body })),
  );
  t.strictSame(new Set(answers.map(({ status }) => status)), new Set([201]));
  const { count } = (await api.get('/appointments/', { token: patient.token })).body;
  t.equal(count, 20, 'all that was acknowledged is there');
});

for (const [name, value] of [
  ['extra_float_digits', '-15'],
  ['transform_null_equals', 'on'],
  ['search_path', 'pg_catalog'],
  ['default_transaction_isolation', 'serializable'],
  ['default_transaction_read_only', 'on'],
] as const) {
  t.test(`${name} of a database, which a PgBouncer leaves as it is, is refused by name`, async (t) => {
    const target = await createTestDatabase(t);
    const line = await refusal(t, await startPgBouncer(t, target, { pool_mode: 'session' }));
    const [, setting = ''] = /ignore_startup_parameters = (.+)\n/.exec(line) ?? [];
    const sql = postgres(target, { max: 1 });
    t.teardown(() => sql.end());
    await sql.unsafe(`alter database ${new URL(target).pathname.slice(1)} set ${name} = ${value}`);
    const url = await startPgBouncer(t, target, { pool_mode: 'session', ignore_startup_parameters: setting });
    t.match(await refusal(t, url), `DATABASE_URL leads to a pooler that ignores ${name}: `);
  });
}

for (const [mode, settings] of [
  ['transaction', {}],
  ['transaction', { server_round_robin: 1, default_pool_size: 3 }],
  ['transaction', { default_pool_size: 1 }],
  ['statement', {}],
] as const) {
  t.test(`pool_mode ${mode} ${JSON.stringify(settings)} is refused by name`, async (t) => {
    const target = await createTestDatabase(t);
    const line = await refusal(t, await startPgBouncer(t, target, { pool_mode: 'session' }));
    const [, setting = ''] = /ignore_startup_parameters = (.+)\n/.exec(line) ?? [];
    const url = await startPgBouncer(t, target, { pool_mode: mode, ignore_startup_parameters: setting, ...settings });
    t.match(await refusal(t, url), /^DATABASE_URL must lead to PostgreSQL, or to a pooler in session mode: /);
  });
}
