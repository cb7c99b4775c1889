/** `npm run bench:load`: what two instances behind HAProxy take over time, at a load below their maximum. @see HELP */
import { spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { Agent } from 'node:https';
import { availableParallelism } from 'node:os';
import type { Sql } from 'postgres';
import { one } from '../db/rows.js';
import { readFlags } from '../src/command-line.js';
import { ask } from '../test/helpers/ask.js';
import { startHaproxy } from '../test/helpers/haproxy.js';
import { later, numberOf, runCommand, say, temporaryFolder } from './command.js';
import { idlePatients, undoBookings, undoReviews, type Shape } from './data.js';
import { openDatabase, type BenchDatabase } from './database.js';
import { quantile } from './drive.js';
import { openClinic } from './load/clinic.js';
import { growthOf, isFlat, MAX_GROWTH } from './load/flatness.js';
import { findMaximum, holds, type Step } from './load/maximum.js';
import { pace, type Seen } from './load/pace.js';
import { plot, type Reading } from './load/plot.js';
import { findFaults } from './load/stored.js';
import { rounded } from './results.js';
import { DEFAULT_BOOKING_LIMITS, startServer } from './servers.js';
import { table } from './table.js';
import { findPostmaster, usageOf, usageOfPostgres, type Usage } from './usage.js';

const HELP = `Starts two built servers with their production configuration on one database, behind HAProxy with deploy/haproxy.cfg,
and asks of them over TLS what a clinic does: pages, records and free slots for the most part, and bookings, their changes
and cancellations, logins, new tokens, reviews and pictures. First it finds the highest rate that they keep up with an
answer to 99 in a hundred within a second; then it keeps up 70 % of it. Prints what each kind of request took from the
moment at which it was due, and memory and open descriptors of the servers, HAProxy and PostgreSQL. Exits with 1 if a
request had another answer than it should, or none; if the median of a memory, or the least number of descriptors, is in
the last quarter of the time by more than a tenth above that in the second one; or if a booking is not stored as it was
acknowledged last, or one is at the same time as another of its doctor's or patient's.

  npm run bench:load -- --minutes 30 --into ./bench-data

  --minutes <n>       length (30)
  --rate <n>          requests a second, in the place of 70 % of the maximum, which is not looked for then
  --appointments <n>  appointments in the database (100000)
  --doctors <n>       doctors in the database (2000)
  --into <folder>     keeps the database there, and takes it from there the next time
  --keep              writes what it found to bench/results/load.json and docs/load.svg
  --no-targets        measure only

It takes the programs haproxy and openssl, and Linux. The requests come from one address and a few users of the staff, so
RATE_LIMIT_ANON, RATE_LIMIT_USER and RATE_LIMIT_AUTH are raised; all other limits are the default ones, also those of
bookings. Memory is what is resident; of PostgreSQL it is what its processes have beside the buffers that they share.
What is booked and written is deleted in the end.
`;

const SHARE = 0.7;
/** Of a step on the way to the maximum, in seconds. */
const STEP = 5;
/** Of the load's own connections: enough for the highest rate, and no more than a proxy likes. */
const CONNECTIONS = 64;
const READINGS = 120;
/** Seconds. */
const [LEAST_BETWEEN_READINGS, BETWEEN_LINES] = [2, 30];
const SHOWN_ERRORS = 5;

/** As they are asked for on Debian. */
function demandPrograms(): void {
  for (const name of ['haproxy', 'openssl']) {
    if (spawnSync(name, ['version']).error !== undefined) {
      throw new Error(`${name} is not on the PATH; on Debian, apt-get install ${name} brings it`);
    }
  }
}

/** What takes memory and descriptors, by name. */
type Parts = Readonly<Record<string, () => Usage>>;

async function startBehindProxy({ url: databaseUrl, sql }: BenchDatabase, folder: string) {
  const environment = { ...DEFAULT_BOOKING_LIMITS, TRUST_PROXY: '1', LOG_LEVEL: 'info' };
  const start = async () => {
    const server = await startServer({ kind: 'product', databaseUrl, sql, folder, environment });
    later(() => server.stop());
    return server;
  };
  const [first, second] = [await start(), await start()];
  const proxy = await startHaproxy({ teardown: later }, [first.url, second.url]);
  const { pid } = one(await sql<{ pid: number }[]>`select pg_backend_pid() as pid`);
  const postmaster = findPostmaster(pid);
  const parts: Parts = {
    'server one': () => usageOf(first.pid),
    'server two': () => usageOf(second.pid),
    HAProxy: () => usageOf(proxy.pid),
    ...(postmaster !== undefined && { PostgreSQL: () => usageOfPostgres(postmaster) }),
  };
  return { url: proxy.url, parts };
}

type System = Parameters<typeof pace>[0];

async function measureStep(system: System, rate: number): Promise<Step> {
  const taken: number[] = [];
  const errors: string[] = [];
  const begin = performance.now();
  await pace(system, { rate, seconds: STEP }, ({ took, error }) => {
    taken.push(took);
    if (error !== undefined) errors.push(error);
  });
  const throughput = (taken.length * 1000) / (performance.now() - begin);
  const step = { rate, throughput, p99: quantile(taken, 0.99), errors: errors.length };
  const faults = errors.length > 0 ? `, ${errors.length} errors, the first: ${errors[0]}` : '';
  const verdict = holds(step) ? '' : ': too much';
  say(`${rate}/s: ${throughput.toFixed(0)}/s answered, p99 ${step.p99.toFixed(0)} ms${faults}${verdict}`);
  return step;
}

const clock = (seconds: number): string =>
  `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, '0')}`;

interface Found {
  readonly readings: readonly Reading[];
  /** Milliseconds, by kind of request. */
  readonly kinds: ReadonlyMap<string, readonly number[]>;
  readonly errors: readonly string[];
}

/** Keeps up a rate, and reads time after time what it takes. */
async function keepUp(system: System, parts: Parts, { rate, seconds }: { rate: number; seconds: number }) {
  const readings: Reading[] = [];
  const kinds = new Map<string, number[]>();
  const errors: string[] = [];
  let lately: number[] = [];
  let since = performance.now();
  const begin = since;
  let lines = 0;
  const read = (): void => {
    const now = performance.now();
    const usages = Object.entries(parts).map(([name, usage]) => [name, usage()] as const);
    const reading = {
      ...{ seconds: (now - begin) / 1000, rate: (lately.length * 1000) / (now - since) },
      ...{ p99: quantile(lately, 0.99), parts: Object.fromEntries(usages) },
    };
    readings.push(reading);
    [lately, since] = [[], now];
    if (reading.seconds < (lines + 1) * BETWEEN_LINES) return;
    lines = Math.floor(reading.seconds / BETWEEN_LINES);
    const memory = usages.map(([name, usage]) => `${name} ${usage.memory.toFixed(0)}/${usage.descriptors}`);
    const speed = `${reading.rate.toFixed(0)}/s, p99 ${reading.p99.toFixed(0)} ms, ${errors.length} errors`;
    const left = clock(Math.max(0, seconds - reading.seconds));
    say(`${clock(reading.seconds)}: ${speed}; MiB/descriptors: ${memory.join(', ')}; ${left} left`);
  };
  const see = ({ kind, took, error }: Seen): void => {
    lately.push(took);
    const taken = kinds.get(kind) ?? [];
    taken.push(took);
    kinds.set(kind, taken);
    if (error === undefined) return;
    errors.push(error);
    if (errors.length <= SHOWN_ERRORS) say(`error: ${error}`);
  };
  const reading = setInterval(read, Math.max(LEAST_BETWEEN_READINGS, seconds / READINGS) * 1000);
  later(() => clearInterval(reading));
  await pace(system, { rate, seconds }, see);
  clearInterval(reading);
  return { readings, kinds, errors } satisfies Found;
}

/** What the readings have of each part. */
function growthsOf(readings: readonly Reading[], parts: Parts) {
  return Object.keys(parts).flatMap((part) =>
    (['memory', 'descriptors'] as const).map((what) => {
      const values = readings.map((reading) => reading.parts[part]?.[what] ?? NaN);
      const growth = growthOf(what, values);
      return { part, what, most: Math.max(...values), growth, isFlat: isFlat(growth) };
    }),
  );
}

/** Deletes what a run has written. */
async function undo(sql: Sql, shape: Shape): Promise<void> {
  await undoBookings(sql, shape);
  await undoReviews(sql, shape);
}

async function main(): Promise<void> {
  const values = readFlags(HELP, {
    minutes: { type: 'string', default: '30' },
    rate: { type: 'string' },
    appointments: { type: 'string', default: '100000' },
    doctors: { type: 'string', default: '2000' },
    into: { type: 'string' },
    keep: { type: 'boolean', default: false },
    'no-targets': { type: 'boolean', default: false },
  });
  const minutes = numberOf(values, 'minutes', 0.2);
  const asked = values.rate === undefined ? undefined : numberOf(values, 'rate', 5);
  const shape = { doctors: Number(values.doctors), appointments: Number(values.appointments) };
  demandPrograms();
  const folder = await temporaryFolder();
  const into = values.into ?? (process.env['DATABASE_URL'] ? undefined : folder);
  const database = await openDatabase(into, shape, say);
  later(() => database.close());
  const { sql } = database;
  later(() => undo(sql, shape));
  const { url, parts } = await startBehindProxy(database, folder);
  // Each connection in turn, so that none is idle for as long as the proxy keeps them.
  const agent = new Agent({
    ...{ keepAlive: true, maxSockets: CONNECTIONS, scheduling: 'fifo' },
    rejectUnauthorized: false,
  });
  later(() => agent.destroy());
  const clinic = await openClinic((call) => ask(url, call, agent), shape, await idlePatients(sql));
  const system = { url, agent, clinic };
  // All are there from the beginning, or those that come later look like a growth.
  await Promise.all(Array.from({ length: CONNECTIONS }, () => ask(url, { path: '/health/live' }, agent)));

  const maximum = asked === undefined ? await findMaximum((rate) => measureStep(system, rate)) : undefined;
  const rate = asked ?? Math.round((maximum ?? NaN) * SHARE);
  if (maximum !== undefined) say(`At most ${maximum} requests a second; 70 % of it are ${rate}`);
  const { readings, kinds, errors } = await keepUp(system, parts, { rate, seconds: minutes * 60 });

  const summaries = [...kinds]
    .map(([name, taken]) => ({
      ...{ name, requests: taken.length, p50: quantile(taken, 0.5), p99: quantile(taken, 0.99) },
      most: taken.reduce((a, b) => Math.max(a, b), 0),
    }))
    .sort((a, b) => b.requests - a.requests);
  const requests = summaries.reduce((sum, kind) => sum + kind.requests, 0);
  const rows = summaries.map(({ name, requests, p50, p99, most }) => [
    ...[name, String(requests)],
    ...[p50, p99, most].map((milliseconds) => milliseconds.toFixed(0)),
  ]);
  say(`\n${table([['', 'requests', 'p50 ms', 'p99 ms', 'most ms'], ...rows])}`);
  const growths = growthsOf(readings, parts);
  const growthRows = growths.map(({ part, what, most, growth, isFlat }) => [
    ...[part, what, most.toFixed(0), growth.toFixed(2), isFlat ? 'flat' : 'GROWS'],
  ]);
  const header = ['', '', 'most', 'last quarter to the second', `at most ${MAX_GROWTH}`];
  say(`\n${table([header, ...growthRows])}`);
  const faults = await findFaults(sql, clinic.bookings, shape.appointments);
  const cancelled = clinic.bookings.filter(({ isCancelled }) => isCancelled).length;
  say(
    `\n${requests} requests, ${errors.length} errors; ${clinic.bookings.length} bookings, ${cancelled} of them cancelled: ` +
      (faults.length === 0 ? 'all are stored as they were acknowledged, and none twice' : `${faults.length} faults`),
  );
  for (const fault of faults.slice(0, SHOWN_ERRORS)) say(fault);

  if (values.keep) {
    const machine = { node: process.version, processors: availableParallelism() };
    const measured = { minutes, ...(maximum !== undefined && { maximum }), rate, requests, errors: errors.length };
    const stored = { bookings: clinic.bookings.length, cancelled, faults: faults.length };
    const results = { ...shape, ...machine, ...measured, ...stored, kinds: summaries, growths, readings };
    const root = new URL('../../', import.meta.url);
    await writeFile(new URL('bench/results/load.json', root), `${JSON.stringify(results, rounded, 2)}\n`);
    const title = `Two servers behind HAProxy, ${rate} requests a second for ${minutes} minutes`;
    await writeFile(new URL('docs/load.svg', root), plot(readings, title));
  }
  const isMet = errors.length === 0 && faults.length === 0 && growths.every((each) => each.isFlat);
  if (!isMet && !values['no-targets']) process.exitCode = 1;
}

await runCommand(main);
