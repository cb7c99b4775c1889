/**
 * Ends what a test has started once the test's process has ended, however it ended: also by a timeout or kill -9, after
 * which no teardown runs. Run as a program, this is the reaper, a process of its own: it is told on its standard input
 * what there is to end, and does it when that closes.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { readdirSync, readFileSync, realpathSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

type Order = { start: number } | { ended: number } | { dataDir: string };

let reaper: Socket | undefined;

function order(what: Order): void {
  if (reaper === undefined) {
    // In a session of its own, out of reach of Ctrl-C, and without a pipe of the runner's, which would wait for it.
    const child = spawn(process.execPath, [import.meta.filename], {
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    child.unref();
    reaper = child.stdin as Socket;
    reaper.unref();
  }
  reaper.write(`${JSON.stringify(what)}\n`);
}

/** The child does not outlive this process; of a detached one, nor does its group. */
export function endsWithUs<C extends ChildProcess>(child: C, isDetached = false): C {
  if (child.pid !== undefined) {
    const pid = isDetached ? -child.pid : child.pid;
    order({ start: pid });
    child.on('exit', () => order({ ended: pid }));
  }
  return child;
}

/** The embedded PostgreSQL of this folder does not outlive this process, whichever process has started it. */
export function databaseEndsWithUs(dataDir: string): void {
  order({ dataDir });
}

function tryTo<T>(act: () => T): T | undefined {
  try {
    return act();
  } catch {
    // It is gone.
    return undefined;
  }
}

/** The processes of PostgreSQL's programs that work on a cluster below one of the places. */
function findServers(places: readonly string[]): number[] {
  const processes =
    process.platform === 'linux'
      ? readdirSync('/proc').map((pid) => [pid, tryTo(() => readFileSync(`/proc/${pid}/cmdline`, 'utf8'))])
      : spawnSync('ps', ['-axww', '-o', 'pid=,command='], { encoding: 'utf8' })
          .stdout.split('\n')
          .map((line) => line.trim().split(/ (.*)/, 2));
  return processes
    .filter(([, command]) => places.some((place) => command?.replaceAll('\0', ' ').includes(` -D ${place}/`)))
    .map(([pid]) => Number(pid));
}

if (process.argv[1] === import.meta.filename) {
  const running = new Set<number>();
  const folders = new Set<string>();
  for await (const line of createInterface({ input: process.stdin })) {
    const what = JSON.parse(line) as Order;
    if ('start' in what) running.add(what.start);
    else if ('ended' in what) running.delete(what.ended);
    else folders.add(what.dataDir);
  }
  for (const pid of running) tryTo(() => process.kill(pid, 'SIGKILL'));
  // Where root's database is elsewhere, the folder has a pointer to it.
  const places = [...folders].flatMap((folder) =>
    [folder, join(folder, 'postgres')].map((path) => tryTo(() => realpathSync(path)) ?? path),
  );
  for (let servers = findServers(places); servers.length > 0; servers = findServers(places)) {
    // Stops PostgreSQL at once, which yet frees the memory that it shares.
    for (const pid of servers) for (const each of ['SIGQUIT', 'SIGCONT']) tryTo(() => process.kill(pid, each));
    await sleep(50);
  }
  // Leaves out what tap has every process do at its end: write into a folder that may be going.
  process.kill(process.pid, 'SIGKILL');
}
