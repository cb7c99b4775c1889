/**
 * `npm run bench`: the product in its production configuration against the floor, on one database, in turn.
 * @see HELP
 */
import autocannon from 'autocannon';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { chmod, mkdtemp, open, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import postgres from '../db/driver.js';
import { openEmbedded } from '../db/embedded/index.js';
import { migrateDatabase } from '../db/migrate.js';
import { readFlags } from '../src/command-line.js';
import { makeData } from './data.js';

interface Endpoint {
  readonly name: string;
  /** One or more paths, asked for in turn. */
  readonly paths: readonly string[];
  /** The least share of the floor's throughput; without one the endpoint is only measured. */
  readonly target?: number;
}

const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

/** What is measured. A new resource adds its lines here, its answers to floor.ts and its rows to data.ts. */
const ENDPOINTS: readonly Endpoint[] = [
  { name: 'GET /doctors/', paths: ['/doctors/'], target: 0.9 },
  { name: 'GET /doctors/{id}/', paths: numbers(100).map((id) => `/doctors/${id * 17}/`), target: 0.8 },
  { name: 'GET /doctors/?page=', paths: numbers(10).map((page) => `/doctors/?page=${page}`), target: 0.9 },
  { name: 'GET /doctors/?ordering=name', paths: ['/doctors/?ordering=name&limits=20'] },
  { name: 'GET /doctors/?specialisation=', paths: numbers(20).map((id) => `/doctors/?specialisation=${id}`) },
  { name: 'GET /doctors/?search=', paths: ['/doctors/?search=garc%C3%ADa&limits=20'] },
];

/** Paths whose answers are compared, beside those that are measured. */
const COMPARED = [
  ...['ordering=fee', 'ordering=-fee&page=3', 'ordering=name', 'ordering=id&page=2&limits=1'].map(doctorsBy),
  ...['designation=2&available_time=3', 'fee=500', 'min_fee=100&max_fee=500', 'search=%22doc', 'search=nobody'].map(
    doctorsBy,
  ),
  ...['limits=1000', 'limits=1000&page=2', 'page=100000', 'specialisation=1000'].map(doctorsBy),
  '/doctors/999999999/',
];

function doctorsBy(query: string): string {
  return `/doctors/?${query}`;
}

const CONNECTIONS = 10;
const HELP = `Measures the product against a floor server, in turn, on one database: an embedded one of its own, or the empty
one that DATABASE_URL names. Exits with 1 if an endpoint misses its target.

  npm run bench -- --only search

  --rounds <n>     rounds of each server and endpoint (5)
  --seconds <n>    length of a round (3)
  --doctors <n>    doctors in the database (2000)
  --only <text>    endpoints whose name contains the text
  --no-targets     measure only
  --profile <dir>  also write a CPU profile of the product there
`;

// --- What has to be undone, also after Ctrl-C ---

const undo: (() => unknown)[] = [];
let undone: Promise<void> | undefined;

function cleanUp(): Promise<void> {
  return (undone ??= (async () => {
    for (const step of undo.reverse()) {
      try {
        await step();
      } catch (error) {
        process.stderr.write(`while cleaning up: ${(error as Error).message}\n`);
      }
    }
  })());
}

// --- The servers ---

interface Server {
  readonly url: string;
  /** Resident memory in MiB; NaN where the system does not tell. */
  memory(): number;
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return port;
}

function residentMemory({ pid }: ChildProcess): number {
  try {
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
  } catch {
    return NaN;
  }
}

/** Starts a server of this build in a process of its own, and waits until it answers at `path`. */
async function startServer(
  file: string,
  path: string,
  folder: string,
  environment: Record<string, string>,
  nodeOptions: string[] = [],
): Promise<Server> {
  const port = await freePort();
  const script = fileURLToPath(new URL(file, import.meta.url));
  const log = await open(join(folder, `${port}.log`), 'w');
  const child = spawn(process.execPath, ['--enable-source-maps', ...nodeOptions, script], {
    // Nothing more: what the shell sets for the product must not change its configuration.
    env: { PATH: process.env['PATH'], NODE_ENV: 'production', PORT: String(port), ...environment },
    stdio: ['ignore', log.fd, log.fd],
  });
  await log.close();
  const ended = once(child, 'exit');
  undo.push(async () => {
    child.kill();
    const timer = setTimeout(() => child.kill('SIGKILL'), 10_000);
    await ended;
    clearTimeout(timer);
  });
  const url = `http://127.0.0.1:${port}`;
  for (const deadline = Date.now() + 30_000; ; await sleep(50)) {
    if (await fetch(url + path).then((response) => response.ok, () => false)) break; // prettier-ignore
    if (child.exitCode !== null || Date.now() > deadline) {
      throw new Error(`${file} did not start: ${readFileSync(join(folder, `${port}.log`), 'utf8')}`);
    }
  }
  return { url, memory: () => residentMemory(child) };
}

// --- The database ---

/** @returns its URL; it is migrated and filled */
async function prepareDatabase(folder: string, doctors: number): Promise<string> {
  const external = process.env['DATABASE_URL'];
  let url = external ?? '';
  if (!external) {
    const opening = openEmbedded({ dataDir: join(folder, 'data') });
    undo.push(async () => (await opening).stop());
    ({ url } = await opening);
  }
  await migrateDatabase(url);
  const sql = postgres(url, { max: 1, onnotice: () => undefined });
  undo.push(() => sql.end({ timeout: 5 }));
  const [found] = await sql`
    select exists (select from users) or exists (select from designations) or exists (select from specialisations)
      or exists (select from available_times) as "isFilled"`;
  if (found?.['isFilled'])
    throw new Error('DATABASE_URL names a database with data in it; the bench needs an empty one');
  if (external) undo.push(() => sql`truncate users, designations, specialisations, available_times cascade`);
  await makeData(sql, doctors, (line) => process.stdout.write(`${line}\n`));
  return url;
}

// --- Equality ---

/** The status, and of a success the body; a problem's words are the product's own. */
async function meaning({ url }: Server, path: string): Promise<unknown> {
  const response = await fetch(url + path);
  const text = await response.text();
  return { status: response.status, body: response.ok && (JSON.parse(text.replaceAll(url, '')) as unknown) };
}

async function compareAnswers(floor: Server, product: Server, paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    const [a, b] = await Promise.all([meaning(floor, path), meaning(product, path)]);
    if (isDeepStrictEqual(a, b)) continue;
    const [left, right] = [a, b].map((answer) => JSON.stringify(answer));
    throw new Error(`the answers to ${path} differ:\nfloor   ${left?.slice(0, 500)}\nproduct ${right?.slice(0, 500)}`);
  }
  process.stdout.write(`${paths.length} answers are equal\n`);
}

// --- Measuring ---

interface Load {
  /** Answers a second. */
  readonly throughput: number;
  /** Milliseconds. */
  readonly p99: number;
  /** MiB after the load. */
  readonly memory: number;
}

async function drive(server: Server, { name, paths }: Endpoint, seconds: number): Promise<Load> {
  const latencies: number[] = [];
  const run = autocannon({
    url: server.url,
    connections: CONNECTIONS,
    duration: seconds,
    sampleInt: 100,
    requests: paths.map((path) => ({ path })),
  });
  void run.on('response', (_client, _status, _bytes, milliseconds: number) => latencies.push(milliseconds));
  const result = await run;
  const failures = result.non2xx + result.errors + result.timeouts;
  if (failures > 0) throw new Error(`${failures} requests to ${name} failed`);
  latencies.sort((a, b) => a - b);
  const p99 = latencies[Math.floor(latencies.length * 0.99)] ?? NaN;
  return { throughput: result['2xx'] / result.duration, p99, memory: server.memory() };
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 > 0 ? (sorted[middle] ?? NaN) : ((sorted[middle - 1] ?? NaN) + (sorted[middle] ?? NaN)) / 2;
}

interface Pair {
  readonly floor: Load;
  readonly product: Load;
}

/** A line of the table, and whether the target is met. */
function summary({ name, target }: Endpoint, pairs: readonly Pair[]): { cells: string[]; isMet: boolean } {
  const of = (side: keyof Pair, what: keyof Load) => median(pairs.map((pair) => pair[side][what])).toFixed(0);
  const ratios = (what: keyof Load) => pairs.map(({ floor, product }) => product[what] / floor[what]);
  const throughput = ratios('throughput');
  const isMet = target === undefined || median(throughput) >= target;
  const cells = [
    name,
    of('floor', 'throughput'),
    of('product', 'throughput'),
    `${median(throughput).toFixed(2)} (${Math.min(...throughput).toFixed(2)}..${Math.max(...throughput).toFixed(2)})`,
    median(ratios('p99')).toFixed(2),
    median(ratios('memory')).toFixed(2),
    target === undefined ? '' : `${target.toFixed(2)} ${isMet ? 'met' : 'MISSED'}`,
  ];
  return { cells, isMet };
}

function printTable(rows: string[][]): void {
  const header = ['', 'floor/s', 'product/s', 'ratio (min..max)', 'p99 ratio', 'memory ratio', 'target'];
  const widths = header.map((_, column) => Math.max(...[header, ...rows].map((row) => row[column]?.length ?? 0)));
  for (const row of [header, ...rows]) {
    const line = row.map((cell, column) =>
      column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0),
    );
    process.stdout.write(`${line.join('  ')}\n`);
  }
}

async function main(): Promise<void> {
  const values = readFlags(HELP, {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '3' },
    doctors: { type: 'string', default: '2000' },
    only: { type: 'string', default: '' },
    'no-targets': { type: 'boolean', default: false },
    profile: { type: 'string' },
  });
  const [rounds, seconds, doctors] = [values.rounds, values.seconds, values.doctors].map(Number);
  if (!(rounds && seconds && doctors && rounds >= 1 && seconds > 0 && doctors >= 2000)) {
    throw new Error('--rounds, --seconds and --doctors take numbers: from 1, above 0, from 2000');
  }
  const endpoints = ENDPOINTS.filter(({ name }) => name.includes(values.only));

  const folder = await mkdtemp(join(tmpdir(), 'hospital-bench-'));
  undo.push(() => rm(folder, { recursive: true, force: true }));
  // The embedded database may run as another user.
  await chmod(folder, 0o755);
  const DATABASE_URL = await prepareDatabase(folder, doctors);
  const floor = await startServer('floor.js', '/doctors/1/', folder, { DATABASE_URL });
  const product = await startServer(
    '../src/server.js',
    '/health/ready',
    folder,
    {
      DATABASE_URL,
      HOST: '127.0.0.1',
      DATA_DIR: join(folder, 'product'),
      JWT_SECRET: 'a secret of the bench, long enough for HS256',
      RATE_LIMIT_ANON: '1000000000',
      RATE_LIMIT_USER: '1000000000',
      RATE_LIMIT_AUTH: '1000000000',
    },
    values.profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${values.profile}`],
  );
  await compareAnswers(floor, product, [...ENDPOINTS.flatMap(({ paths }) => paths), ...COMPARED]);

  const rows: string[][] = [];
  let missed = 0;
  for (const endpoint of endpoints) {
    const pairs: Pair[] = [];
    // The first pair is the warm-up.
    for (let round = 0; round <= rounds; round++) {
      const pair = {
        floor: await drive(floor, endpoint, seconds),
        product: await drive(product, endpoint, seconds),
      };
      if (round > 0) pairs.push(pair);
      const [a, b] = [pair.floor, pair.product].map(
        ({ throughput, p99 }) => `${throughput.toFixed(0)}/s, p99 ${p99.toFixed(1)} ms`,
      );
      process.stdout.write(
        `${endpoint.name} ${round === 0 ? 'warm-up' : `round ${round}`}: floor ${a}; product ${b}\n`,
      );
    }
    const { cells, isMet } = summary(endpoint, pairs);
    rows.push(cells);
    if (!isMet) missed++;
  }
  printTable(rows);
  if (missed > 0 && !values['no-targets']) process.exitCode = 1;
}

for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  process.once(signal, () => void cleanUp().then(() => process.exit(code)));
}
try {
  await main();
} catch (error) {
  if (undone === undefined) {
    process.stderr.write(`${(error as Error).message}\n`);
    process.exitCode = 1;
  }
} finally {
  await cleanUp();
}
