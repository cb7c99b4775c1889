/** A cluster of Debian's PostgreSQL, which a test may injure. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import postgres from 'postgres';
import type { Test } from 'tap';
import { serverUser } from '../../db/embedded/place.js';
import { freePort } from './ports.js';
import { databaseEndsWithUs } from './reaper.js';

const BIN = '/usr/lib/postgresql/15/bin';

/** Whether there is such a process, and not only what its parent has not asked for yet. */
function isAlive(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) [ZX]/s.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

export interface ClusterOptions {
  /** Where its files go; by default a folder of its own. */
  readonly folder?: string;
  readonly settings?: Readonly<Record<string, string | number>>;
  /** One that it follows, of which it is a copy at first. */
  readonly primary?: Cluster;
}

export interface Cluster {
  readonly port: number;
  /** For its superuser. */
  readonly url: string;
  /** Resolves when it takes connections. */
  start(): Promise<void>;
  stop(mode: 'fast' | 'immediate'): Promise<void>;
  /** Kills all of its processes. */
  kill(): Promise<void>;
  /** All of its processes stand still, and its connections stay. */
  pause(): void;
  resume(): void;
  isRunning(): boolean;
  promote(): Promise<void>;
}

/** Makes a cluster and starts it; it is gone when the test ends. */
export async function startCluster(t: Test, options: ClusterOptions = {}): Promise<Cluster> {
  const folder = options.folder ?? mkdtempSync('/var/tmp/cluster-');
  const user = serverUser(folder);
  // The user is not who runs the tests where that is root, whom PostgreSQL refuses.
  chmodSync(folder, 0o755);
  if (user !== undefined) chownSync(folder, user.uid, user.gid);
  const data = join(folder, 'data');
  /** What its programs say. */
  const lines: string[] = [];
  const port = await freePort();
  databaseEndsWithUs(folder);

  const as = { ...user, cwd: folder, env: { LC_ALL: 'C', PATH: process.env['PATH'] } };
  const lastLines = (): string =>
    lines
      .filter((line) => !/STATEMENT|^\t/.test(line))
      .slice(-12)
      .join('\n');
  const listen = (stream: Readable, onLine: (line: string) => void = () => undefined): void => {
    createInterface({ input: stream }).on('line', (line) => {
      lines.push(line);
      onLine(line);
    });
  };

  async function run(program: string, ...args: (string | number)[]): Promise<void> {
    const child = spawn(join(BIN, program), args.map(String), { ...as, stdio: ['ignore', 'ignore', 'pipe'] });
    listen(child.stderr);
    const [code] = (await once(child, 'close')) as [number | null];
    if (code !== 0) throw new Error(`${program} ended with ${code}:\n${lastLines()}`);
  }

  if (options.primary === undefined) {
    await run('initdb', '-D', data, '-U', 'postgres', '--auth=trust', '--encoding=UTF8', '--locale=C', '--no-sync');
  } else await run('pg_basebackup', '-D', data, '-d', options.primary.url, '-R', '--checkpoint=fast', '--no-sync');
  const settings = { listen_addresses: '127.0.0.1', port, unix_socket_directories: '', ...options.settings };
  const parameters = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);

  let child: ChildProcess | undefined;
  const isRunning = (): boolean => child?.pid !== undefined && child.exitCode === null && child.signalCode === null;
  /** As a child of this process: where nobody asks what became of it, its lock would stay when it is killed. */
  async function start(): Promise<void> {
    const started = spawn(join(BIN, 'postgres'), ['-D', data, ...parameters], {
      ...as,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    child = started;
    await new Promise<void>((resolve, reject) => {
      listen(started.stderr, (line) => {
        if (/ready to accept (read-only )?connections/.test(line)) resolve();
      });
      started.on('error', reject);
      started.on('exit', (code) => reject(new Error(`postgres ended with ${code}:\n${lastLines()}`)));
    });
  }

  /** Sends all of its processes a signal, and returns their ids. */
  function signal(name: NodeJS.Signals): number[] {
    if (!isRunning()) throw new Error(`the cluster in ${folder} does not run`);
    const first = child?.pid as number;
    // So that it has no more children meanwhile.
    process.kill(first, 'SIGSTOP');
    const { stdout } = spawnSync('ps', ['-o', 'pid=', '--ppid', String(first)], { encoding: 'utf8' });
    const all = [first, ...(stdout.match(/\d+/g) ?? []).map(Number)];
    for (const each of all) if (isAlive(each)) process.kill(each, name);
    return all;
  }

  const cluster: Cluster = {
    port,
    url: `postgres://postgres@127.0.0.1:${port}/postgres`,
    start,
    stop: (mode) => run('pg_ctl', 'stop', '-s', '-w', '-t', 60, '-m', mode, '-D', data),
    kill: async () => {
      const killed = signal('SIGKILL');
      while (killed.some(isAlive)) await sleep(20);
    },
    pause: () => void signal('SIGSTOP'),
    resume: () => void signal('SIGCONT'),
    isRunning,
    promote: () => run('pg_ctl', 'promote', '-s', '-w', '-D', data),
  };
  t.teardown(async () => {
    if (cluster.isRunning()) {
      cluster.resume();
      await cluster.stop('immediate').catch(() => cluster.kill());
    }
    if (options.folder === undefined) rmSync(folder, { recursive: true });
  });
  await cluster.start();
  return cluster;
}

/** Makes the empty database of a hospital, whose owner is no superuser. */
export async function makeDatabase({ url, port }: Cluster, host = '127.0.0.1'): Promise<string> {
  const admin = postgres(url, { max: 1, onnotice: () => undefined });
  await admin`create role hospital login`;
  await admin`create database hospital owner hospital`;
  await admin.end();
  return `postgres://hospital@${host}:${port}/hospital`;
}

/** A connection to what a URL names, to do there what a test needs. */
export function openSql(t: Test, url: string): postgres.Sql {
  const sql = postgres(url, { max: 1, onnotice: () => undefined });
  t.teardown(() => sql.end({ timeout: 1 }));
  return sql;
}
