/** The built server as a process, whose database or folder goes and comes back. */
import t from 'tap';
import {
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import postgres from 'postgres';
import { processStart } from '../db/embedded/processes.js';
import { PASSWORD } from './helpers/app.js';
import { createTestDatabase } from './helpers/database.js';
import { mountSmallDisk } from './helpers/mounts.js';
import { pictureFile, picturesIn } from './helpers/pictures.js';
import { dataFolder, runProgram, startServerProcess, type ServerProcess } from './helpers/process.js';

const GENEROUS = { RATE_LIMIT_ANON: '1000000', RATE_LIMIT_AUTH: '1000000' };

const register = ({ url }: ServerProcess, username: string): Promise<Response> =>
  fetch(`${url}/api/user/register/`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      username,
      email: `${username}@example.com`,
      password: PASSWORD,
      confirm_password: PASSWORD,
    }),
  });

const statusOf = async ({ url }: ServerProcess, path: string): Promise<number> => (await fetch(url + path)).status;

const said = ({ log }: ServerProcess, pattern: RegExp): string[] => log.filter((line) => pattern.test(line));

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await sleep(50);
}

t.test('the embedded PostgreSQL is started again when it has died', async (t) => {
  const DATA_DIR = dataFolder(t);
  const server = await startServerProcess(t, { DATA_DIR, ...GENEROUS });
  const pidFile = join(realpathSync(join(DATA_DIR, 'postgres')), 'data/postmaster.pid');
  for (const round of [1, 2]) {
    let wasKilled = false;
    const users = Array.from({ length: 8 }, async (_, index) => {
      for (;;) {
        const answer = await register(server, `round${round}-${index}`);
        if (!wasKilled) process.kill(Number.parseInt(readFileSync(pidFile, 'utf8'), 10), 'SIGKILL');
        wasKilled = true;
        // 409 where it was committed just before the connection ended.
        if (answer.status === 201 || answer.status === 409) return;
        t.equal(answer.status, 503, await answer.text());
        t.ok(answer.headers.get('retry-after'));
        await sleep(50);
      }
    });
    await Promise.all(users);
    await until(async () => (await statusOf(server, '/health/ready')) === 200);
    t.equal(await statusOf(server, '/doctors/'), 200);
    await until(() => said(server, /was started again/).length >= round);
    t.equal(said(server, /was started again/).length, round, 'one line for each');
  }
  t.strictSame(said(server, /can not be started again/), []);
  server.child.kill('SIGTERM');
  t.equal(await server.ended, 0);
  t.notOk(existsSync(pidFile), 'it stops with the server');
});

t.test('the embedded PostgreSQL whose files are gone ends, and starts when they are back', async (t) => {
  const DATA_DIR = dataFolder(t);
  const server = await startServerProcess(t, { DATA_DIR, ...GENEROUS });
  const home = realpathSync(join(DATA_DIR, 'postgres'));
  const pid = Number.parseInt(readFileSync(join(home, 'data/postmaster.pid'), 'utf8'), 10);
  renameSync(join(home, 'data'), join(home, 'gone'));
  await until(() => said(server, /can not be started again: .*ENOENT/).length > 0);
  t.equal(processStart(pid), undefined);
  t.equal(await statusOf(server, '/doctors/'), 503);
  t.equal(await statusOf(server, '/health/ready'), 503);
  renameSync(join(home, 'gone'), join(home, 'data'));
  await until(async () => (await statusOf(server, '/doctors/')) === 200);
  t.equal(said(server, /can not be started again/).length, 1);
});

t.test('/health/ready 503, and every write, while the disk of the database is full', async (t) => {
  const disk = mountSmallDisk(t, 300);
  if (disk === undefined) return t.comment('skipped: this process may not mount a file system');
  const server = await startServerProcess(t, { DATA_DIR: disk.folder, ...GENEROUS });
  t.equal((await register(server, 'before')).status, 201);
  for (const round of [1, 2]) {
    disk.fill();
    const statuses = new Set<number>();
    // The pages that the tables have hold some more.
    for (let index = 0; !statuses.has(503); index++) {
      const answer = await register(server, `full${round}-${index}`);
      statuses.add(answer.status);
      if (answer.status !== 503) continue;
      t.equal(answer.headers.get('retry-after'), '5');
      t.match(await answer.json(), { type: '/problems/unavailable' });
    }
    t.notOk(statuses.has(500));
    t.equal(await statusOf(server, '/health/ready'), 503);
    t.equal(await statusOf(server, '/health/live'), 200);
    t.equal(await statusOf(server, '/doctors/'), 200, 'what only reads is served');
    // Longer than it takes to ask twice whether writes work again.
    await sleep(1200);
    t.equal(await statusOf(server, '/health/ready'), 503);
    t.equal(said(server, /the database hospital at 127.0.0.1:\d+ is away: .*No space left on device/).length, round);
    t.equal(said(server, /the database hospital at 127.0.0.1:\d+ is back/).length, round - 1);
    disk.free();
    await until(async () => (await statusOf(server, '/health/ready')) === 200);
    t.equal((await register(server, `after${round}`)).status, 201);
    await until(() => said(server, /is back/).length === round);
  }
  t.strictSame(said(server, /unexpected error/), []);
});

t.test('503 for pictures alone while their folder is full, read-only, gone or no folder', async (t) => {
  const disk = mountSmallDisk(t, 8);
  if (disk === undefined) return t.comment('skipped: this process may not mount a file system');
  const DATA_DIR = dataFolder(t);
  const folder = join(disk.folder, 'pictures');
  mkdirSync(folder);
  symlinkSync(folder, join(DATA_DIR, 'pictures'));
  const server = await startServerProcess(t, { DATABASE_URL: await createTestDatabase(t), DATA_DIR, ...GENEROUS });
  const { tokens } = (await (await register(server, 'ada')).json()) as { tokens: { access: string } };
  const authorization = `Bearer ${tokens.access}`;
  const send = async (method: string, path: string): Promise<{ status: number; answer: Response }> => {
    const body = new FormData();
    body.append('profile', await pictureFile());
    const answer = await fetch(server.url + path, { method, body, headers: { authorization } });
    return { status: answer.status, answer };
  };
  const made = await send('POST', '/doctors/');
  const { id } = (await made.answer.json()) as { id: number };
  const pictureOf = async (): Promise<string> => {
    const { profile } = (await (await fetch(`${server.url}/doctors/${id}/`)).json()) as { profile: string };
    return new URL(profile).pathname;
  };
  t.equal(await statusOf(server, await pictureOf()), 200);

  const aside = join(disk.folder, 'aside');
  const cases: [title: string, reason: RegExp, harm: () => void, mend: () => void, isReadable: boolean][] = [
    ['full', /ENOSPC: no space left on device/, disk.fill, disk.free, true],
    ['read-only', /EROFS: read-only file system/, () => disk.setReadOnly(true), () => disk.setReadOnly(false), true],
    ['gone', /ENOENT/, () => renameSync(folder, aside), () => renameSync(aside, folder), false],
    [
      'no folder',
      /ENOTDIR/,
      () => (renameSync(folder, aside), writeFileSync(folder, '')),
      () => (rmSync(folder), renameSync(aside, folder)),
      false,
    ],
    [
      'not to be reached',
      /ELOOP/,
      () => (renameSync(folder, aside), symlinkSync(folder, folder)),
      () => (rmSync(folder), renameSync(aside, folder)),
      false,
    ],
  ];
  for (const [index, [title, reason, harm, mend, isReadable]] of cases.entries()) {
    await t.test(`updateDoctor and getPicture 503 while the folder is ${title}`, async (t) => {
      harm();
      const { status, answer } = await send('PATCH', `/doctors/${id}/`);
      t.equal(status, 503);
      t.equal(answer.headers.get('retry-after'), '5');
      t.match(await answer.json(), {
        type: '/problems/unavailable',
        detail: 'Pictures can not be stored or shown at the moment.',
      });
      t.equal(await statusOf(server, await pictureOf()), isReadable ? 200 : 503);
      t.equal(await statusOf(server, '/health/ready'), 503);
      t.equal(await statusOf(server, '/doctors/'), 200);
      t.equal((await register(server, `beside${index}`)).status, 201);
      await until(() => said(server, /folder of pictures.* is away/).length > index);
      const lines = said(server, /folder of pictures.* is away/);
      t.equal(lines.length, index + 1);
      t.match(lines.at(-1), reason);
      t.notMatch(lines.at(-1), /p-/);
      mend();
      await until(async () => (await statusOf(server, '/health/ready')) === 200);
      t.equal((await send('PATCH', `/doctors/${id}/`)).status, 200);
      t.strictSame(picturesIn(folder), [basename(await pictureOf())], 'no file is left that nobody knows');
    });
  }
  await until(() => said(server, /folder of pictures.* is back/).length === cases.length);
  t.strictSame(said(server, /unexpected error/), []);
});

t.test('a start that fails prints one line with the reason, and nobody’s data', async (t) => {
  const ADMIN = { ADMIN_USERNAME: 'boss', ADMIN_EMAIL: 'boss@example.com', ADMIN_PASSWORD: PASSWORD };
  const DATABASE_URL = await createTestDatabase(t);
  const sql = postgres(DATABASE_URL, { max: 1, onnotice: () => undefined });
  t.teardown(() => sql.end());
  await sql`create function refuse() returns trigger language plpgsql as $$
    begin execute format('select %L::int', new.email); return new; end $$`;
  await sql`create trigger refuse before insert on users for each row execute function refuse()`;
  const elsewhere = (change: (url: URL) => void): string => {
    const url = new URL(DATABASE_URL);
    change(url);
    return url.href;
  };
  for (const [title, environment, reason] of [
    ['refuses the staff user', { DATABASE_URL, ...ADMIN }, 'invalid input syntax for type integer: "…"'],
    [
      'is not there',
      { DATABASE_URL: elsewhere((url) => (url.pathname = '/nowhere')) },
      'database "nowhere" does not exist',
    ],
    [
      'does not know the role',
      { DATABASE_URL: elsewhere((url) => ([url.username, url.password] = ['nobody_here', 'a-secret'])) },
      '(password authentication failed for user|role) "nobody_here".*',
    ],
  ] as const) {
    for (const program of ['server', 'demo', 'admin']) {
      const args = program === 'admin' ? ['--username', 'boss', '--email', 'boss@example.com'] : [];
      const file = `dist/src/${program}.js`;
      const { code, stderr, stdout } = await runProgram(
        file,
        { DATA_DIR: dataFolder(t), LOG_LEVEL: 'trace', ...environment },
        args,
        `${PASSWORD}\n`,
      );
      t.equal(code, 1, `${program} on a database that ${title}`);
      t.match(stderr, new RegExp(`^[^\\n]*${reason}\\n$`));
      t.notMatch(stderr + stdout, /boss@example\.com|argon2|Failed query|params|a-secret/);
    }
  }
});

t.test('an instance whose secret is not that of the one before on its database says so, in one line', async (t) => {
  const DATABASE_URL = await createTestDatabase(t);
  const [one, two] = [t.testdir({ one: {}, two: {} })].flatMap((folder) => [join(folder, 'one'), join(folder, 'two')]);
  const linesOf = async (environment: Record<string, string>): Promise<string[]> => {
    const server = await startServerProcess(t, { DATABASE_URL, ...environment });
    server.child.kill('SIGTERM');
    await server.ended;
    return said(server, /JWT_SECRET/);
  };
  t.strictSame(await linesOf({ DATA_DIR: one as string }), []);
  t.strictSame(await linesOf({ DATA_DIR: one as string }), [], 'the same one again');
  const [line, ...more] = await linesOf({ DATA_DIR: two as string });
  t.match(line, /tokens of the other.*two/);
  t.strictSame(more, []);
  const JWT_SECRET = 'one secret of both servers, long enough';
  t.equal((await linesOf({ DATA_DIR: one as string, JWT_SECRET })).length, 1, 'a change of secrets');
  t.strictSame(await linesOf({ DATA_DIR: two as string, JWT_SECRET }), []);
});
