/**
 * `npm run bench:growth`: what the product's operations cost as appointments become more.
 * @see HELP
 */
import type { Sql } from 'postgres';
import { readFlags } from '../src/command-line.js';
import { headersOf } from './callers.js';
import { later, numberOf, runCommand, say, temporaryFolder } from './command.js';
import { freeSlots, offeredSlot, staffId, undoBookings, type Shape } from './data.js';
import { openDatabase } from './database.js';
import { appointmentFilters, bookings, day, numbers, sample, type Call } from './endpoints.js';
import { drive, medianOf, type Load } from './drive.js';
import { startServer, type Server } from './servers.js';
import { table } from './table.js';

const HELP = `Measures what operations on appointments cost with 10,000, 100,000 and 1,000,000 of them: the median latency and the
processor time of server and PostgreSQL, of one connection, in turn. Exits with 1 if with the most appointments one
costs more than its target times what it does with the fewest, in latency and in processor time.

  npm run bench:growth -- --into ./bench-data

  --sizes <list>    numbers of appointments (10000,100000,1000000), multiples of 500
  --doctors <n>     doctors in each database (2000)
  --rounds <n>      rounds of each size and operation (3)
  --seconds <n>     length of a round (1)
  --into <folder>   keeps the databases there, and takes them from there the next time
  --only <text>     operations whose name contains the text
  --no-targets      measure only

What is booked is deleted at the end of every turn, so that all of them meet the same data.
`;

const TARGET = 1.3;
/** Of a jump to a page far behind the first, to this one. */
const JUMP = 10;

const FIRST_PAGE = 'GET /appointments/';
const WARM_UP = [
  { name: 'GET /appointments/{id}/', amount: 4000 },
  { name: 'GET /appointments/?patient_id=', amount: 600 },
  { name: 'POST /appointments/ (dated)', amount: 300 },
];
const JUMP_FAR = 'GET /appointments/?page=9000';

interface Operation {
  readonly name: string;
  readonly calls: readonly Call[];
  /** What each answer is, where that is no success. */
  readonly status?: number;
}

/** A size, with the server that runs on it. */
interface Size {
  readonly shape: Shape;
  readonly server: Server;
  readonly undo: () => Promise<void>;
  readonly operations: readonly Operation[];
}

const staff = (...paths: string[]): Call[] => paths.map((path) => ({ path, caller: 'staff' }));

/** Of the appointments' pages: the number of all appointments, and the path of the next page. */
async function readPage(server: Server, page: number, id: number): Promise<{ count: number; next: string }> {
  const url = `${server.url}/appointments/?page=${page}`;
  const response = await fetch(url, { headers: headersOf('staff', 'product', id) });
  const { count, next } = (await response.json()) as { count: number; next: string };
  return { count, next: next.slice(server.url.length) };
}

/** Bookings of slots that are taken, by people who are free: the first patients are doctors, and have no appointments. */
const refused = (doctors: readonly number[]): Call[] =>
  doctors.map((doctor) => ({
    path: '/appointments/',
    caller: (doctor % 20) + 1,
    body: {
      ...{ doctor, time: offeredSlot(doctor, 0), date: day(1) },
      ...{ appointment_type: 'Online', symptoms: 'A cough that does not go away' },
    },
  }));

async function operationsOf(server: Server, sql: Sql, shape: Shape): Promise<Operation[]> {
  const ids = sample(shape);
  const free = await freeSlots(sql, shape, 20_000);
  const read = (page: number) => readPage(server, page, staffId(shape));
  const pages = Math.ceil((await read(1)).count / 100);
  const availability = numbers(20).map((id) => `/availability/?specialisation=${id}`);
  return [
    { name: FIRST_PAGE, calls: staff('/appointments/') },
    ...appointmentFilters(ids).map(([filter, queries]) => ({
      name: `GET /appointments/?${filter}`,
      calls: staff(...queries.map((query) => `/appointments/?${query}`)),
    })),
    {
      name: 'GET /appointments/ (a doctor)',
      calls: ids.busyDoctors.map((caller) => ({ path: '/appointments/', caller })),
    },
    {
      name: 'GET /appointments/ (a patient)',
      calls: ids.busyPatients.map((caller) => ({ path: '/appointments/', caller })),
    },
    { name: 'next of the first page', calls: staff((await read(1)).next) },
    { name: 'next in the middle', calls: staff((await read(pages >> 1)).next) },
    // The last one may have few rows.
    { name: 'next of the last page but two', calls: staff((await read(pages - 2)).next) },
    { name: JUMP_FAR, calls: staff(`/appointments/?page=${Math.min(pages, 9000)}`) },
    { name: 'GET /appointments/{id}/', calls: staff(...ids.appointments.map((id) => `/appointments/${id}/`)) },
    { name: 'POST /appointments/ (dated)', calls: bookings(free, true) },
    { name: 'POST /appointments/ (the soonest)', calls: bookings(free, false) },
    { name: 'POST /appointments/ 409, with alternatives', calls: refused(ids.busyDoctors), status: 409 },
    { name: 'GET /availability/', calls: [{ path: '/availability/' }] },
    { name: 'GET /availability/?specialisation=', calls: availability.map((path) => ({ path })) },
    {
      name: 'GET /doctors/{id}/availability/',
      calls: ids.busyDoctors.map((id) => ({ path: `/doctors/${id}/availability/?from=${day(0)}&to=${day(30)}` })),
    },
  ];
}

/** One turn, of an answer or more. */
async function turn({ server, shape, undo }: Size, operation: Operation, seconds: number): Promise<Load> {
  const { calls, status } = operation;
  const how = { calls, connections: 1, staffId: staffId(shape), ...(status !== undefined && { status }) };
  const load = await drive(server, { ...how, seconds });
  const enough = load.throughput > 0 ? load : await drive(server, { ...how, seconds, amount: 2 });
  if (calls[0]?.body !== undefined) await undo();
  return enough;
}

interface Growth {
  readonly name: string;
  /** By size. */
  readonly loads: readonly Load[];
}

/** Milliseconds of processor time, of server and PostgreSQL. */
const costOf = ({ server, database }: Load): number => server + database;

async function measure(
  sizes: readonly Size[],
  at: number,
  { rounds, seconds }: { rounds: number; seconds: number },
): Promise<Growth> {
  const loads: Load[][] = sizes.map(() => []);
  // The first round is the warm-up.
  for (let round = 0; round <= rounds; round++) {
    for (const [index, size] of sizes.entries()) {
      const load = await turn(size, size.operations[at] as Operation, round === 0 ? seconds / 2 : seconds);
      if (round > 0) loads[index]?.push(load);
    }
  }
  return { name: sizes[0]?.operations[at]?.name ?? '', loads: loads.map(medianOf) };
}

interface Judged {
  readonly cells: string[];
  readonly isMet: boolean;
}

function judge({ name, loads }: Growth, first: Growth): Judged {
  const isJump = name === JUMP_FAR;
  const [most, least] = [loads.at(-1), isJump ? first.loads.at(-1) : loads[0]] as [Load, Load];
  const [latency, cost] = [most.p50 / least.p50, costOf(most) / costOf(least)];
  const target = isJump ? JUMP : TARGET;
  const isMet = latency <= target && cost <= target && loads.every(({ failures }) => failures === 0);
  const failures = loads.reduce((sum, load) => sum + load.failures, 0);
  return {
    isMet,
    cells: [
      ...[
        name,
        ...loads.map(({ p50 }) => p50.toFixed(2)),
        ...loads.map(({ server, database }) => `${server.toFixed(2)}+${database.toFixed(2)}`),
      ],
      ...[latency.toFixed(2), cost.toFixed(2)],
      `${target}${isJump ? ' to page 1' : ''} ${isMet ? 'met' : 'MISSED'}${failures > 0 ? `, ${failures} failed` : ''}`,
    ],
  };
}

async function openSize(into: string, shape: Shape): Promise<Size> {
  const database = await openDatabase(into, shape, say);
  later(() => database.close());
  const folder = await temporaryFolder();
  const server = await startServer({ kind: 'product', databaseUrl: database.url, sql: database.sql, folder });
  later(() => server.stop());
  const operations = await operationsOf(server, database.sql, shape);
  const size = { shape, server, operations, undo: () => undoBookings(database.sql, shape) };
  await warmUp(size);
  return size;
}

/** As many requests for each size: by time, the quicker one would have more of its code compiled. */
async function warmUp({ shape, server, operations, undo }: Size): Promise<void> {
  for (const { name, amount } of WARM_UP) {
    const calls = operations.find((operation) => operation.name === name)?.calls ?? [];
    await drive(server, { calls, amount, connections: 4, seconds: 1, staffId: staffId(shape) });
  }
  await undo();
}

async function main(): Promise<void> {
  const values = readFlags(HELP, {
    sizes: { type: 'string', default: '10000,100000,1000000' },
    doctors: { type: 'string', default: '2000' },
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '1' },
    into: { type: 'string' },
    only: { type: 'string', default: '' },
    'no-targets': { type: 'boolean', default: false },
  });
  const length = { rounds: numberOf(values, 'rounds', 1), seconds: numberOf(values, 'seconds', 0.1) };
  const into = values.into ?? (await temporaryFolder());
  const sizes: Size[] = [];
  for (const appointments of values.sizes.split(',').map(Number)) {
    sizes.push(await openSize(into, { doctors: Number(values.doctors), appointments }));
  }

  const of = sizes.map(({ shape }) => shape.appointments.toLocaleString('en'));
  const header = [
    '',
    ...of.map((size) => `ms at ${size}`),
    ...of.map((size) => `cpu at ${size}`),
    'ratio ms',
    'ratio cpu',
    'target',
  ];
  const found: Growth[] = [];
  for (const [at, { name }] of (sizes[0] as Size).operations.entries()) {
    // The first page is what a jump is held against.
    if (at > 0 && !name.includes(values.only)) continue;
    const growth = await measure(sizes, at, length);
    found.push(growth);
    say(judge(growth, found[0] as Growth).cells.join('  '));
  }
  const judged = found.map((growth) => judge(growth, found[0] as Growth));
  say(`\n${table([header, ...judged.map(({ cells }) => cells)])}`);
  say(
    'ms is the median latency of one connection, cpu the processor time of server and PostgreSQL for an answer, in ms.',
  );
  if (judged.some(({ isMet }) => !isMet) && !values['no-targets']) process.exitCode = 1;
}

await runCommand(main);
