/** `npm run abuse`: what somebody who means harm leaves to others, inside of the default limits. @see HELP */
import { setMaxListeners } from 'node:events';
import { Agent, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import sharp from 'sharp';
import { readFlags } from '../src/command-line.js';
import { later, numberOf, runCommand, say, temporaryFolder } from './command.js';
import { freeSlots, undoBookings, VICTIM, type FreeSlot } from './data.js';
import { openDatabase } from './database.js';
import { quantile } from './drive.js';
import { DEFAULT_LIMITS, startServer } from './servers.js';
import { table } from './table.js';

const HELP = `Starts the built server with its production configuration and its default limits on a database of 100,000 users and
200,000 reviews, and has one client log in, look whether the server is ready, read, book and cancel: alone, and then while
twelve others attack, in each of the ways below. Prints what the one's calls took, and what the attackers were answered.
Exits with 1 if a call of the one failed, or if one in a hundred took longer than 500 ms under an attack.

  npm run abuse -- --into ./bench-data

  --seconds <n>     length of each attack (30)
  --attack <name>   that one alone; the names are in the output
  --into <folder>   keeps the database there, and takes it from there the next time

The attackers have addresses of 127.0.0.0/8 of their own, which Linux has without being told.
`;

const SHAPE = { doctors: 10_000, appointments: 10_000, reviewsPerDoctor: 20 };
const CLIENTS = 12;
/** Doctors with whom the one does not book. */
const FOR_ATTACKERS = 50;
const MAX_P99 = 500;
/** Of the one client's rounds: as many as its limits allow, and somewhat less. */
const ROUND = 1_000;
const PASSWORD = 'plum-Tractor-91';

interface Ask {
  readonly path: string;
  readonly method?: string;
  readonly token?: string | undefined;
  readonly body?: object;
  /** In the place of a body: a form with a picture. */
  readonly form?: Form;
}

interface Form {
  readonly type: string;
  readonly bytes: Buffer;
}

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly retryAfter: number;
  readonly milliseconds: number;
}

/** Somebody with an address and connections of their own. */
function clientAt(url: string, localAddress: string) {
  const agent = new Agent({ keepAlive: true });
  return ({ path, method = 'GET', token, body, form }: Ask, signal?: AbortSignal): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const begin = performance.now();
      const headers = {
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...(form !== undefined && { 'content-type': form.type }),
      };
      const sent = request(
        url + path,
        { method, headers, agent, localAddress, ...(signal && { signal }) },
        (answer) => {
          const chunks: Buffer[] = [];
          answer.on('data', (chunk: Buffer) => chunks.push(chunk));
          answer.on('error', reject);
          answer.on('end', () => {
            resolve({
              status: answer.statusCode ?? 0,
              text: Buffer.concat(chunks).toString(),
              retryAfter: Number(answer.headers['retry-after'] ?? 1),
              milliseconds: performance.now() - begin,
            });
          });
        },
      );
      sent.on('error', reject);
      sent.end(form?.bytes ?? (body && JSON.stringify(body)));
    });
}

type Client = ReturnType<typeof clientAt>;

interface Attacker {
  readonly token: string;
  readonly profile: number;
}

interface Attack {
  readonly name: string;
  /** Over how many addresses the clients are spread. */
  readonly addresses: number;
  /** The n-th request of all; with the token of a patient, and the id of the profile, where the attackers are such. */
  readonly ask: (count: number, who: Partial<Attacker>) => Ask;
  readonly signsIn?: boolean;
}

const LETTERS = encodeURIComponent('a e i o u n r s l b');
const DEAR_READS: readonly string[] = [
  `/reviews/?limits=1000&search=${LETTERS}`,
  `/doctors/?limits=1000&ordering=name&search=${LETTERS}`,
  `/reviews/?limits=1000&page=200&search=a`,
  `/reviews/?limits=1000&page=200`,
  `/doctors/?limits=1000&page=10&ordering=name`,
  `/availability/?limits=1000&page=5`,
];
const dearReads = (count: number): Ask => ({ path: DEAR_READS[count % DEAR_READS.length] as string });
const dearest = (): Ask => ({ path: DEAR_READS[0] as string });

/** A picture of few bytes and as many pixels as are taken. */
async function pictureForm(): Promise<Form> {
  const create = { width: 8000, height: 5000, channels: 4, background: '#2a74' } as const;
  const body = new FormData();
  body.append('profile_picture', new Blob([await sharp({ create }).png().toBuffer()]), 'large.png');
  const sent = new Response(body);
  return { type: sent.headers.get('content-type') as string, bytes: Buffer.from(await sent.arrayBuffer()) };
}

/** Each way to attack that is known. */
const attacksWith = (form: Form): readonly Attack[] => [
  { name: 'ten-letter searches, one address', addresses: 1, ask: dearest },
  { name: 'ten-letter searches, twelve addresses', addresses: CLIENTS, ask: dearest },
  { name: 'dear reads, twelve addresses', addresses: CLIENTS, ask: dearReads },
  {
    name: 'pictures for the profiles of others',
    addresses: CLIENTS,
    signsIn: true,
    ask: (count, { token }) => ({
      path: `/api/user/profiles/${1 + ((count * 7919) % 100_000)}/`,
      method: 'PATCH',
      token,
      form,
    }),
  },
  {
    name: 'pictures for the own profile',
    addresses: CLIENTS,
    signsIn: true,
    ask: (_count, { token, profile }) => ({ path: `/api/user/profiles/${profile}/`, method: 'PATCH', token, form }),
  },
  {
    name: 'wrong passwords',
    addresses: CLIENTS,
    ask: (count) => ({
      ...{ path: '/api/user/login/', method: 'POST' },
      body: { username: count % 2 === 0 ? VICTIM : `nobody${count}`, password: 'wrong' },
    }),
  },
  {
    name: 'bookings without end',
    addresses: CLIENTS,
    signsIn: true,
    ask: (count, { token }) => ({
      ...{ path: '/appointments/', method: 'POST', token },
      body: {
        doctor: SHAPE.doctors - (count % FOR_ATTACKERS),
        time: 1 + (count % 20),
        appointment_type: 'Online',
        symptoms: 'x',
      },
    }),
  },
  {
    name: 'contact requests of 5,000 characters',
    addresses: CLIENTS,
    ask: () => ({
      ...{ path: '/contacts/', method: 'POST' },
      body: { name: 'x', phone: '+49 30 1234567', massage: '\u{1F600}'.repeat(2500) },
    }),
  },
];

/** Of each attack others: by the limits of those of one before, the next would hardly begin. */
const addressOf = (attack: number, at: number): string => `127.0.${1 + attack}.${1 + at}`;

/** The attackers, who sign up unless they did in another run, each from the own address. */
async function signIn(url: string, attack: number): Promise<Attacker[]> {
  const attackers: Attacker[] = [];
  for (let at = 0; at < CLIENTS; at++) {
    const client = clientAt(url, addressOf(attack, at));
    const username = `bench.attacker${attack}.${at}`;
    const send = (path: string, body: object) => client({ path, method: 'POST', body });
    const known = await send('/api/user/login/', { username, password: PASSWORD });
    const email = `${username}@example.com`;
    const made = { username, email, password: PASSWORD, confirm_password: PASSWORD };
    const { text } = known.status === 200 ? known : await send('/api/user/register/', made);
    const answer = JSON.parse(text) as { access?: string; tokens?: { access: string } };
    const token = (answer.access ?? answer.tokens?.access) as string;
    const own = await client({ path: '/api/user/profiles/me/', token });
    attackers.push({ token, profile: (JSON.parse(own.text) as { id: number }).id });
  }
  return attackers;
}

/** What clients were answered, by status, until the signal. */
async function attack(
  clientFrom: (at: number) => Client,
  { addresses, ask }: Attack,
  attackers: readonly Attacker[],
  signal: AbortSignal,
): Promise<Map<number, number>> {
  const answers = new Map<number, number>();
  let asked = 0;
  const run = async (_: unknown, at: number): Promise<void> => {
    const client = clientFrom(at % addresses);
    while (!signal.aborted) {
      try {
        const { status, retryAfter } = await client(ask(asked++, attackers[at] ?? {}), signal);
        answers.set(status, (answers.get(status) ?? 0) + 1);
        if (status === 429) await sleep(retryAfter * 1000, undefined, { signal });
      } catch (error) {
        if (!signal.aborted) throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, run));
  return answers;
}

/** Of each call, what its answers took. */
type Taken = Map<string, number[]>;

class Victim {
  readonly failures: string[] = [];
  private readonly client: Client;
  private readonly slots: FreeSlot[];

  constructor(client: Client, slots: FreeSlot[]) {
    this.client = client;
    this.slots = slots;
  }

  /** Signs up, unless that was done in another run. */
  async register(): Promise<void> {
    const body = { username: VICTIM, email: 'victim@example.com', password: PASSWORD, confirm_password: PASSWORD };
    const known = await this.client({
      ...{ path: '/api/user/login/', method: 'POST' },
      body: { username: VICTIM, password: PASSWORD },
    });
    if (known.status === 200) return;
    const { status, text } = await this.client({ path: '/api/user/register/', method: 'POST', body });
    if (status !== 201) throw new Error(`registering was answered with ${status}: ${text}`);
  }

  async live(seconds: number): Promise<Taken> {
    const taken: Taken = new Map();
    const call = async (name: string, expected: number, ask: Ask): Promise<Record<string, unknown>> => {
      const { status, text, milliseconds } = await this.client(ask);
      taken.set(name, [...(taken.get(name) ?? []), milliseconds]);
      if (status !== expected) {
        this.failures.push(`${name} was answered with ${status}: ${text}`);
        return {};
      }
      return JSON.parse(text) as Record<string, unknown>;
    };
    const rounds = Math.ceil((seconds * 1000) / ROUND);
    const begin = performance.now();
    for (let round = 0; round < rounds; round++) {
      await sleep(Math.max(0, begin + round * ROUND - performance.now()));
      const user = { username: VICTIM, password: PASSWORD };
      const { access } = await call('log in', 200, { path: '/api/user/login/', method: 'POST', body: user });
      const token = access as string | undefined;
      await call('ready', 200, { path: '/health/ready' });
      await call('list', 200, { path: '/doctors/?limits=20', token });
      await call('read', 200, { path: `/doctors/${1 + (round % SHAPE.doctors)}/`, token });
      const slot = this.slots.shift();
      if (slot === undefined) throw new Error('there are no more free slots: use a shorter time');
      const { doctor, time, date } = slot;
      const { id } = await call('book', 201, {
        ...{ path: '/appointments/', method: 'POST', token },
        body: { doctor, time, date, appointment_type: 'Offline', symptoms: 'Cough' },
      });
      if (id === undefined) continue;
      const path = `/appointments/${id as number}/`;
      await call('cancel', 200, { path, method: 'PATCH', token, body: { cancel: true } });
    }
    return taken;
  }
}

async function main(): Promise<void> {
  const values = readFlags(HELP, {
    seconds: { type: 'string', default: '30' },
    attack: { type: 'string' },
    into: { type: 'string' },
  });
  const seconds = numberOf(values, 'seconds', 1);
  const all = attacksWith(await pictureForm());
  const attacks = all.filter(({ name }) => values.attack === undefined || name === values.attack);
  if (attacks.length === 0) throw new Error(`--attack takes one of: ${all.map(({ name }) => name).join('; ')}`);
  const folder = await temporaryFolder();
  const into = values.into ?? (process.env['DATABASE_URL'] ? undefined : folder);
  const database = await openDatabase(into, SHAPE, say);
  later(() => database.close());
  const { url: databaseUrl, sql } = database;
  later(() => undoBookings(sql, SHAPE));
  const server = await startServer({ kind: 'product', databaseUrl, sql, folder, environment: DEFAULT_LIMITS });
  later(() => server.stop());
  const victim = new Victim(
    clientAt(server.url, '127.0.0.1'),
    (await freeSlots(sql, SHAPE, 2_000)).filter(({ doctor }) => doctor <= SHAPE.doctors - FOR_ATTACKERS),
  );
  await victim.register();

  const header = ['', 'call', 'calls', 'p50 ms', 'p99 ms'];
  const rows = (name: string, taken: Taken) =>
    [...taken].map(([call, each]) => [
      ...[name, call, String(each.length)],
      ...[quantile(each, 0.5), quantile(each, 0.99)].map((milliseconds) => milliseconds.toFixed(0)),
    ]);
  const lines = [header, ...rows('alone', await victim.live(seconds))];
  const slow: string[] = [];
  for (const each of attacks) {
    const number = all.indexOf(each);
    const attackers = each.signsIn === true ? await signIn(server.url, number) : [];
    const end = new AbortController();
    setMaxListeners(0, end.signal);
    const attacking = attack((at) => clientAt(server.url, addressOf(number, at)), each, attackers, end.signal);
    const taken = await victim.live(seconds).finally(() => end.abort());
    const answers = [...(await attacking)].map(([status, count]) => `${count} with ${status}`).join(', ');
    say(`${each.name}: answered were ${answers || 'none'}`);
    lines.push(...rows(each.name, taken));
    for (const [call, times] of taken) {
      if (quantile(times, 0.99) > MAX_P99) slow.push(`${call} under ${each.name}`);
    }
    await server.settle();
  }
  say(`\n${table(lines)}`);
  for (const failure of victim.failures) say(`failed: ${failure}`);
  for (const call of slow) say(`slower than ${MAX_P99} ms: ${call}`);
  if (victim.failures.length > 0 || slow.length > 0) process.exitCode = 1;
}

await runCommand(main);
