/** `npm run bench:soak`: memory under load that goes on, and what heavy requests leave to the others. @see HELP */
import { setTimeout as sleep } from 'node:timers/promises';
import sharp from 'sharp';
import { readFlags } from '../src/command-line.js';
import { headersOf, type Caller } from './callers.js';
import { later, numberOf, runCommand, say, temporaryFolder } from './command.js';
import { staffId, type Shape } from './data.js';
import { openDatabase } from './database.js';
import { sample } from './endpoints.js';
import { quantile } from './drive.js';
import { startServer, type Server } from './servers.js';
import { table } from './table.js';

const HELP = `Keeps the product under a moderate load: 100 small reads a second, and in turns nothing else, pages of
1,000 records, logins, pictures, and all of these, four times over. Prints what the small reads took beside each, and the
resident memory over time. Exits with 1 if a small read in a hundred took 100 ms or longer, or if the memory comes to
250 MiB or is in the last round by more than a tenth above that of the round before.

  npm run bench:soak -- --minutes 60

  --minutes <n>       length (10)
  --appointments <n>  appointments in the database (100000)
  --doctors <n>       doctors in the database (2000)
  --into <folder>     keeps the database there, and takes it from there the next time
  --no-targets        measure only
`;

const MAX_MEMORY = 250;
const MAX_GROWTH = 1.1;
const MAX_P99 = 100;
const ROUNDS = 4;
/** Readings of the memory in a round. */
const READINGS = 15;

interface Ask {
  readonly path: string;
  readonly caller?: Caller;
  readonly method?: string;
  readonly body?: FormData | string;
}

/** Requests of one kind, at a rate that does not wait for the answers. */
interface Stream {
  readonly perSecond: number;
  readonly ask: (count: number) => Ask;
  /** Besides these, 503 is an answer too. */
  readonly status: number;
}

const TURNS = [
  { name: 'alone', beside: [] },
  { name: 'beside pages of 1,000', beside: ['pages'] },
  { name: 'beside logins', beside: ['logins'] },
  { name: 'beside pictures', beside: ['pictures'] },
  { name: 'beside all of these', beside: ['pages', 'logins', 'pictures'] },
] as const;

const cycle = (asks: readonly Ask[]) => (count: number) => asks[count % asks.length] as Ask;

function streamsOf(shape: Shape, picture: Blob): Record<'small' | 'pages' | 'logins' | 'pictures', Stream> {
  const ids = sample(shape);
  const pages = Math.ceil(shape.doctors / 20);
  const staff = (path: string): Ask => ({ path, caller: 'staff' });
  const small = ids.doctors.flatMap((id, at) => [
    { path: `/doctors/${id}/` },
    { path: `/doctors/?limits=20&page=${1 + (at % pages)}` },
    staff(`/appointments/${ids.appointments[at % ids.appointments.length]}/`),
    staff(`/appointments/?limits=20&doctor_id=${ids.busyDoctors[at % ids.busyDoctors.length]}`),
  ]);
  const lists = ['/doctors/', '/patients/', '/appointments/', '/reviews/', '/api/user/profiles/'];
  const form = new FormData();
  form.append('profile', picture, 'portrait.jpg');
  return {
    small: { perSecond: 100, ask: cycle(small), status: 200 },
    pages: { perSecond: 5, ask: cycle(lists.map((path) => staff(`${path}?limits=1000`))), status: 200 },
    logins: {
      perSecond: 5,
      // Costs as much as that of a user whom there is.
      ask: (count) => ({
        ...{ path: '/api/user/login/', method: 'POST' },
        body: JSON.stringify({ username: `nobody${count}`, password: 'plum-Tractor-91' }),
      }),
      status: 401,
    },
    pictures: {
      perSecond: 1,
      ask: (count) => ({
        ...staff(`/doctors/${ids.doctors[count % ids.doctors.length]}/`),
        method: 'PATCH',
        body: form,
      }),
      status: 200,
    },
  };
}

/** Milliseconds of each answer from the moment at which its request was due. */
async function run(server: Server, { perSecond, ask, status }: Stream, seconds: number, staff: number) {
  const taken: number[] = [];
  let refused = 0;
  const begin = performance.now();
  const asked: Promise<void>[] = [];
  const failures: unknown[] = [];
  for (let count = 0; count < perSecond * seconds && failures.length === 0; count++) {
    const due = begin + (count * 1000) / perSecond;
    await sleep(Math.max(0, due - performance.now()));
    const { path, caller, method = 'GET', body } = ask(count);
    const headers = {
      ...headersOf(caller, 'product', staff),
      ...(typeof body === 'string' && { 'content-type': 'application/json' }),
    };
    const answer = fetch(server.url + path, { method, headers, ...(body !== undefined && { body }) });
    const read = async (response: Response): Promise<void> => {
      await response.arrayBuffer();
      if (response.status === 503) refused++;
      else if (response.status === status) taken.push(performance.now() - due);
      else throw new Error(`${method} ${path} was answered with ${response.status}`);
    };
    asked.push(answer.then(read).catch((error: unknown) => void failures.push(error)));
  }
  await Promise.all(asked);
  if (failures.length > 0) throw failures[0];
  return { taken, refused };
}

async function main(): Promise<void> {
  const values = readFlags(HELP, {
    minutes: { type: 'string', default: '10' },
    appointments: { type: 'string', default: '100000' },
    doctors: { type: 'string', default: '2000' },
    into: { type: 'string' },
    'no-targets': { type: 'boolean', default: false },
  });
  const seconds = numberOf(values, 'minutes', 0.1) * 60;
  const shape = { doctors: Number(values.doctors), appointments: Number(values.appointments) };
  const folder = await temporaryFolder();
  const into = values.into ?? (process.env['DATABASE_URL'] ? undefined : folder);
  const database = await openDatabase(into, shape, say);
  later(() => database.close());
  const { url: databaseUrl, sql } = database;
  const server = await startServer({ kind: 'product', databaseUrl, sql, folder });
  later(() => server.stop());
  // Twelve megapixels, as a phone makes them.
  const noise = { type: 'gaussian', mean: 128, sigma: 20 } as const;
  const photo = sharp({ create: { width: 4000, height: 3000, channels: 3, background: 'grey', noise } });
  const streams = streamsOf(shape, new Blob([new Uint8Array(await photo.jpeg({ quality: 70 }).toBuffer())]));

  const start = performance.now();
  const turns = TURNS.map((turn) => ({ ...turn, small: [] as number[], heavy: [] as number[], refused: 0 }));
  const peaks: number[] = [];
  let refused = 0;
  for (let round = 1; round <= ROUNDS; round++) {
    const memory: number[] = [];
    const reading = setInterval(() => memory.push(server.memory()), (seconds * 1000) / ROUNDS / READINGS).unref();
    for (const turn of turns) {
      const [small, ...rest] = await Promise.all(
        (['small', ...turn.beside] as const).map((kind) =>
          run(server, streams[kind], seconds / ROUNDS / turns.length, staffId(shape)),
        ),
      );
      if (small === undefined) continue;
      turn.small.push(...small.taken);
      refused += small.refused;
      turn.heavy.push(...rest.flatMap(({ taken }) => taken));
      turn.refused += rest.reduce((sum, load) => sum + load.refused, 0);
    }
    clearInterval(reading);
    peaks.push(Math.max(...memory));
    const seen = memory.map((each) => each.toFixed(0)).join(' ');
    say(`after ${((performance.now() - start) / 1000).toFixed(0)} s, MiB over the round: ${seen}`);
  }

  const header = ['small reads', 'answers', 'p50 ms', 'p99 ms', 'heavy answers', 'p50 ms', '503'];
  const rows = turns.map(({ name, small, heavy, refused }) => [
    ...[name, String(small.length), quantile(small, 0.5).toFixed(1), quantile(small, 0.99).toFixed(1)],
    ...(heavy.length > 0 ? [String(heavy.length), quantile(heavy, 0.5).toFixed(0), String(refused)] : []),
  ]);
  say(`\n${table([header, ...rows])}`);
  const most = Math.max(...peaks);
  const growth = (peaks.at(-1) ?? NaN) / (peaks.at(-2) ?? NaN);
  say(`\nAt most ${most.toFixed(0)} MiB; in the last round ${growth.toFixed(2)} times that of the round before`);
  if (refused > 0) say(`${refused} small reads were refused`);
  const isMet =
    refused === 0 &&
    turns.every(({ small }) => quantile(small, 0.99) < MAX_P99) &&
    most < MAX_MEMORY &&
    growth <= MAX_GROWTH;
  if (!isMet && !values['no-targets']) process.exitCode = 1;
}

await runCommand(main);
