/** What a test has started ends with it, also where no teardown runs. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { endsWithUs } from './helpers/reaper.js';

const helpers = new URL('./helpers/', import.meta.url).href;

/** A test that starts a server with a database of its own, says by which numbers, and never ends. */
const HELD = `
import { writeFileSync } from 'node:fs';
import t from 'tap';
import { startServerProcess } from '${helpers}process.js';
t.test('held', async (t) => {
  const { child } = await startServerProcess(t, { DATA_DIR: process.cwd() + '/data' });
  writeFileSync('started', [process.pid, process.ppid, child.pid].join());
  await new Promise(() => setInterval(() => undefined, 1e6));
});
`;

/** Whether a process lives; one that has ended may wait for init to notice. */
function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return process.platform !== 'linux' || !/\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

const postmaster = (dataDir: string) =>
  Number.parseInt(readFileSync(join(dataDir, 'postgres/data/postmaster.pid'), 'utf8'), 10);

for (const killed of ['run', 'test'] as const) {
  t.test(`kill -9 of the ${killed} leaves no server and no database`, async (t) => {
    const root = t.testdir({
      dist: { test: { 'held.test.js': HELD } },
      node_modules: t.fixture('symlink', join(process.cwd(), 'node_modules')),
      'package.json': '{ "type": "module" }',
      '.taprc': readFileSync('.taprc', 'utf8'),
      tmp: {},
    });
    const runner = endsWithUs(
      spawn(process.execPath, [join(process.cwd(), 'dist/test/run.js'), 'test/held.test.ts'], {
        cwd: root,
        env: { PATH: process.env['PATH'], TMPDIR: join(root, 'tmp') },
        stdio: 'ignore',
      }),
    );
    const ended = once(runner, 'exit');
    while (!existsSync(join(root, 'started')) && runner.exitCode === null) await sleep(20);
    const [test = 0, tap = 0, server = 0] = readFileSync(join(root, 'started'), 'utf8').split(',').map(Number);
    const own = readdirSync(join(root, 'tmp')).find((name) => name.startsWith('hospital-test-'));
    const all = {
      ...{ runner: runner.pid as number, test, tap, server },
      'database of the server': postmaster(join(root, 'data')),
      'database of the run': postmaster(join(root, 'tmp', String(own), 'data')),
    };
    for (const [name, pid] of Object.entries(all)) t.ok(isThere(pid), name);
    process.kill(killed === 'run' ? all.runner : test, 'SIGKILL');
    const [code, signal] = (await ended) as [number | null, string | null];
    t.equal(code ?? signal, killed === 'run' ? 'SIGKILL' : 1);
    for (const pid of Object.values(all)) while (isThere(pid)) await sleep(20);
  });
}
