/**
 * `npm run bench`: the product in its production configuration against the floor, on one database, in turn.
 * @see HELP
 */
import { readFlags } from '../src/command-line.js';
import { later, numberOf, runCommand, say, temporaryFolder } from './command.js';
import { compareBookings, compareReads } from './compare.js';
import { staffId, undoBookings } from './data.js';
import { openDatabase, type BenchDatabase } from './database.js';
import { compared, endpoints, type Endpoint, type Target } from './endpoints.js';
import { drive, median, medianOf, type Load } from './drive.js';
import { writeResults, type Result } from './results.js';
import { startServer, type Server } from './servers.js';
import { table } from './table.js';

const HELP = `Measures the product against a floor server, in turn, on one database: an embedded one, or the one that DATABASE_URL
names, with the data of bench:data. Its answers are compared first. Exits with 1 if an endpoint misses its target.

  npm run bench -- --appointments 1000000 --into ./bench-data --only /appointments/

  --rounds <n>        rounds of each server and endpoint (3)
  --seconds <n>       length of a round (1)
  --appointments <n>  appointments in the database (100000), a multiple of 500
  --doctors <n>       doctors in the database (2000)
  --into <folder>     keeps the database there, and takes it from there the next time
  --only <text>       endpoints whose name contains the text
  --compare           compare the answers, and measure nothing
  --no-targets        measure only
  --profile <dir>     also write a CPU profile of the product there

A run of all endpoints writes what it found to bench/results/latest.json and latest.svg.

Processor time is that of the server's process and of its connections' processes in PostgreSQL. What is booked is deleted
at the end of every turn, so that all of them meet the same data.
`;

const CONNECTIONS = 10;
/** Of what has no floor. */
const MANY_CONNECTIONS = 16;

interface Bench {
  readonly floor: Server;
  readonly product: Server;
  readonly staffId: number;
  readonly undo: () => Promise<void>;
}

/** One turn of a server. */
async function turn(bench: Bench, server: Server, { calls, target }: Endpoint, seconds: number): Promise<Load> {
  const connections = 'ratio' in target ? CONNECTIONS : MANY_CONNECTIONS;
  const load = await drive(server, { calls, connections, seconds, staffId: bench.staffId });
  if (calls.some(({ body }) => body !== undefined)) await bench.undo();
  return load;
}

function isMet(target: Target, product: Load, ratio: number): boolean {
  if (product.failures > 0) return false;
  if ('ratio' in target) return ratio >= target.ratio;
  return product.p99 < target.p99 && product.throughput >= (target.perSecond ?? 0);
}

async function measure(
  bench: Bench,
  endpoint: Endpoint,
  { rounds, seconds }: { rounds: number; seconds: number },
): Promise<Result> {
  const { name, target } = endpoint;
  const floors: Load[] = [];
  const products: Load[] = [];
  // The first round is the warm-up.
  for (let round = 0; round <= rounds; round++) {
    const length = round === 0 ? seconds / 2 : seconds;
    const floor = 'ratio' in target ? await turn(bench, bench.floor, endpoint, length) : undefined;
    const product = await turn(bench, bench.product, endpoint, length);
    if (round === 0) continue;
    if (floor !== undefined) floors.push(floor);
    products.push(product);
  }
  const ratios = floors.map((floor, at) =>
    floor.throughput > 0 ? (products[at] as Load).throughput / floor.throughput : NaN,
  );
  const product = medianOf(products);
  const ratio = { median: median(ratios), least: Math.min(...ratios), most: Math.max(...ratios) };
  return {
    ...{ name, target, product, isMet: isMet(target, product, ratio.median) },
    ...(floors.length > 0 && { floor: medianOf(floors), ratio }),
  };
}

const HEADER = [
  ...['', 'floor/s', 'product/s', 'ratio (min..max)', 'p50 ms', 'p99 ms', 'server ms', 'database ms', 'target'],
];

/** What there is no answer to tell of, or nothing to hold against, is a dash. */
const fixed = (value: number): string => (Number.isFinite(value) ? value.toFixed(2) : '-');

function cellsOf({ name, floor, product, ratio, target, isMet }: Result): string[] {
  const both = (what: keyof Load): string =>
    [floor, product].flatMap((load) => (load === undefined ? [] : fixed(load[what]))).join(' : ');
  const aim =
    'ratio' in target
      ? target.ratio.toFixed(1)
      : `p99 < ${target.p99}${target.perSecond === undefined ? '' : `, ${target.perSecond}/s`}`;
  return [
    name,
    floor?.throughput.toFixed(0) ?? '',
    product.throughput.toFixed(0),
    ratio === undefined ? '' : `${fixed(ratio.median)} (${fixed(ratio.least)}..${fixed(ratio.most)})`,
    ...(['p50', 'p99', 'server', 'database'] as const).map(both),
    `${aim} ${isMet ? 'met' : 'MISSED'}${product.failures > 0 ? `, ${product.failures} failed` : ''}`,
  ];
}

async function startBench({ url, sql }: BenchDatabase, folder: string, profile: string | undefined) {
  const start = async (kind: Server['kind'], nodeOptions: string[] = []): Promise<Server> => {
    const server = await startServer({ kind, databaseUrl: url, sql, folder, nodeOptions });
    later(() => server.stop());
    return server;
  };
  const product = await start('product', profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profile}`]);
  return { floor: await start('floor'), product };
}

async function main(): Promise<void> {
  const values = readFlags(HELP, {
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '1' },
    appointments: { type: 'string', default: '100000' },
    doctors: { type: 'string', default: '2000' },
    into: { type: 'string' },
    only: { type: 'string', default: '' },
    compare: { type: 'boolean', default: false },
    'no-targets': { type: 'boolean', default: false },
    profile: { type: 'string' },
  });
  const length = { rounds: numberOf(values, 'rounds', 1), seconds: numberOf(values, 'seconds', 0.1) };
  const shape = { doctors: Number(values.doctors), appointments: Number(values.appointments) };

  const folder = await temporaryFolder();
  const into = values.into ?? (process.env['DATABASE_URL'] ? undefined : folder);
  const database = await openDatabase(into, shape, say);
  later(() => database.close());
  const servers = await startBench(database, folder, values.profile);
  const bench: Bench = { ...servers, staffId: staffId(shape), undo: () => undoBookings(database.sql, shape) };

  const all = await endpoints(database.sql, shape);
  const reads = all.filter(({ target, calls }) => 'ratio' in target && calls[0]?.body === undefined);
  const writes = all.filter(({ calls }) => calls[0]?.body !== undefined);
  const questions = [...reads.flatMap(({ calls }) => calls.slice(0, 20)), ...compared(shape)];
  await compareReads(bench, questions);
  const books = writes.map(({ calls }) => calls.slice(0, 30));
  for (const calls of books) await compareBookings(bench, calls, bench.undo);
  say(`${questions.length + books.flat().length} answers are equal`);
  if (values.compare) return;

  const results: Result[] = [];
  const asked = all.filter(({ name }) => name.includes(values.only));
  // More of the product's code than of the floor's is still to be compiled. A server that has run for a minute has it.
  for (const endpoint of asked) {
    for (const server of [bench.floor, bench.product]) await turn(bench, server, endpoint, length.seconds / 2);
  }
  for (const endpoint of asked) {
    const result = await measure(bench, endpoint, length);
    results.push(result);
    say(cellsOf(result).join('  '));
  }
  say(`\n${table([HEADER, ...results.map(cellsOf)])}`);
  const memory = (server: Server): string => `${server.memory().toFixed(0)} MiB`;
  say(`Pairs are floor : product. Memory in the end: ${memory(bench.floor)} : ${memory(bench.product)}`);
  if (results.length === all.length) await writeResults(results, { ...shape, ...length });
  if (results.some((result) => !result.isMet) && !values['no-targets']) process.exitCode = 1;
}

await runCommand(main);
