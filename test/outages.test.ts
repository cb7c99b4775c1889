/** The built server as a process, whose database or folder goes and comes back. */
import t from 'tap';
import { existsSync, readFileSync, realpathSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { processStart } from '../db/embedded/processes.js';
import { PASSWORD } from './helpers/app.js';
import { mountSmallDisk } from './helpers/mounts.js';
import { startServerProcess, type ServerProcess } from './helpers/process.js';

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
  const DATA_DIR = t.testdir();
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
  const DATA_DIR = t.testdir();
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
