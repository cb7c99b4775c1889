/** The two servers, each a process of its own, and what the system tells of them. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Sql } from 'postgres';
import { JWT_SECRET } from './callers.js';
import { FLOOR } from './floor/name.js';
import { residentMemory } from './usage.js';

/** Milliseconds of processor time; NaN where the system does not tell. */
export interface ProcessorTime {
  readonly server: number;
  /** Of its connections' processes in PostgreSQL. */
  readonly database: number;
}

export interface Server {
  readonly kind: 'floor' | 'product';
  readonly url: string;
  readonly pid: number;
  /** The file of its log. */
  readonly log: string;
  /** Resident memory in MiB; NaN where the system does not tell. */
  memory(): number;
  /** Resolves when nothing runs any more that somebody asked for who has gone. */
  settle(): Promise<void>;
  /** Since it has begun. */
  processorTime(): Promise<ProcessorTime>;
  stop(): Promise<void>;
}

/** A port on which nothing listens. */
export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return port;
}

interface Times {
  readonly command: string;
  readonly parent: number;
  /** User and system time in milliseconds, which Linux counts in hundredths of a second. */
  readonly own: number;
  /** Of its children that have ended. */
  readonly children: number;
}

function timesOf(pid: number): Times {
  try {
    const [, command = '', fields = ''] = /^\d+ \((.*)\) (.*)$/s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? [];
    const at = (index: number): number => Number(fields.split(' ')[index]);
    return { command, parent: at(1), own: (at(11) + at(12)) * 10, children: (at(13) + at(14)) * 10 };
  } catch {
    return { command: '', parent: NaN, own: NaN, children: NaN };
  }
}

/** Of processes of PostgreSQL, and of those that have helped them: PostgreSQL's first process begins these, too. */
function databaseTime(pids: readonly number[]): number {
  const times = pids.map(timesOf);
  if (times.some(({ command }) => !command.startsWith('postgres'))) return NaN;
  const { children } = timesOf(times[0]?.parent ?? 0);
  return times.reduce((sum, { own }) => sum + own, children);
}

/** The limits of bookings that the product has by default. */
export const DEFAULT_BOOKING_LIMITS = { MAX_OPEN_BOOKINGS: '', MAX_OPEN_BOOKINGS_PER_DOCTOR: '' };

/** All limits that it has by default. */
export const DEFAULT_LIMITS = {
  ...{ RATE_LIMIT_ANON: '', RATE_LIMIT_USER: '', RATE_LIMIT_AUTH: '' },
  ...DEFAULT_BOOKING_LIMITS,
};

interface Start {
  readonly kind: Server['kind'];
  readonly databaseUrl: string;
  /** A connection of the bench's. */
  readonly sql: Sql;
  /** For logs and data. */
  readonly folder: string;
  readonly nodeOptions?: readonly string[];
  /** In the place of what it runs with, by name. */
  readonly environment?: Readonly<Record<string, string>>;
}

/** As `npm start` has it, for the C library of Linux (docs/performance.md). */
const ALLOCATOR = { MALLOC_ARENA_MAX: '1', MALLOC_MMAP_THRESHOLD_: '131072' };

/** What the product runs with: its production configuration, and no limits for the few addresses and users of a bench. */
const environmentOf = (databaseUrl: string, folder: string) => ({
  HOST: '127.0.0.1',
  DATABASE_URL: databaseUrl,
  DATA_DIR: join(folder, 'product'),
  JWT_SECRET,
  RATE_LIMIT_ANON: '1000000000',
  RATE_LIMIT_USER: '1000000000',
  RATE_LIMIT_AUTH: '1000000000',
  MAX_OPEN_BOOKINGS: '1000000',
  MAX_OPEN_BOOKINGS_PER_DOCTOR: '1000000',
});

const PRODUCT = 'hospital-management-api';

/** Starts a server of this build, and waits until it answers. */
export async function startServer({
  kind,
  databaseUrl,
  sql,
  folder,
  nodeOptions = [],
  environment = {},
}: Start): Promise<Server> {
  const isFloor = kind === 'floor';
  const port = await freePort();
  const script = fileURLToPath(new URL(isFloor ? 'floor.js' : '../src/server.js', import.meta.url));
  const logFile = join(folder, `${kind}-${port}.log`);
  const log = await open(logFile, 'w');
  const child = spawn(process.execPath, ['--enable-source-maps', ...nodeOptions, script], {
    // Nothing more: what the shell sets for the product must not change its configuration.
    env: {
      ...{ PATH: process.env['PATH'], NODE_ENV: 'production', PORT: String(port), ...ALLOCATOR },
      ...(isFloor ? { DATABASE_URL: databaseUrl } : { ...environmentOf(databaseUrl, folder), ...environment }),
    },
    stdio: ['ignore', log.fd, log.fd],
  });
  await log.close();
  const ended = once(child, 'exit');
  const pid = child.pid as number;
  const stop = async (): Promise<void> => {
    child.kill();
    const timer = setTimeout(() => child.kill('SIGKILL'), 10_000);
    await ended;
    clearTimeout(timer);
  };
  const url = `http://127.0.0.1:${port}`;
  const ready = isFloor ? '/doctors/1/' : '/health/ready';
  for (const deadline = Date.now() + 30_000; ; await sleep(5)) {
    if (await fetch(url + ready).then((response) => response.ok, () => false)) break; // prettier-ignore
    if (child.exitCode === null && Date.now() < deadline) continue;
    await stop();
    throw new Error(`the ${kind} did not start: ${readFileSync(logFile, 'utf8')}`);
  }
  const connections = () => sql<{ pid: number; isBusy: boolean }[]>`
    select pid, state <> 'idle' as "isBusy" from pg_stat_activity
    where datname = current_database() and application_name = ${isFloor ? FLOOR : PRODUCT}`;
  return {
    ...{ kind, url, pid, stop, log: logFile },
    memory: () => residentMemory(pid),
    settle: async () => {
      while ((await connections()).some(({ isBusy }) => isBusy)) await sleep(20);
    },
    processorTime: async () => {
      const pids = (await connections()).map(({ pid }) => pid);
      return { server: timesOf(pid).own, database: databaseTime(pids) };
    },
  };
}
