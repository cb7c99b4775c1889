/** A fuzz: requests in batches that are sent at once, each judged, and what is stored judged in the end. */
import { readFileSync } from 'node:fs';
import type postgres from 'postgres';
import { chanceOf, pick, shuffled, type Chance } from '../../src/demo/random.js';
import { ACCOUNTS, PASSWORD } from '../../src/demo/people.js';
import { judge, judgeTwins, wrongRecords } from './judge.js';
import { fuzzedOperations, type FuzzedOperation } from './operations.js';
import { planRequest, wireOf, type Plan } from './requests.js';
import { sender, type Received, type Send } from './send.js';
import { smaller } from './shrink.js';
import { addService, badTokens, endedSecrets, replace, signIn, World, type Actor, type Tell } from './world.js';

/** How many requests are made from what is known before the first of them is answered. */
const BATCH = 32;
/** Faults of which a smaller request is looked for. */
const SHRUNK = 10;
/** Kinds of them after which it goes no further. */
const MAX_FAULTS = 200;

export interface Target {
  readonly url: string;
  /** Of the database that the server runs on, for a look at what is stored; undefined for none. */
  readonly sql: postgres.Sql | undefined;
  /** What the server signs tokens with. */
  readonly secret: string;
  /** The file of the server's log; undefined for none. */
  readonly log: string | undefined;
  /** Makes a user staff. */
  readonly promote: (username: string) => Promise<unknown>;
  /** Makes the key of a service have expired. */
  readonly expire: (key: number) => Promise<unknown>;
}

export interface Options {
  readonly seed: number;
  /** Numbers of the requests: the first one, and the one after the last. */
  readonly from: number;
  readonly to: number;
  readonly operations?: readonly FuzzedOperation[];
  /** Whether the server has limits that the fuzz meets. */
  readonly isLimited?: boolean;
}

export interface Fault {
  readonly what: string;
  /** Undefined for what is no request's. */
  readonly plan: Plan | undefined;
  /** Whether the request has it by itself, too: else it takes what came before. */
  readonly isAlone: boolean;
  /** How often it was met. */
  count: number;
}

export class Report {
  requests = 0;
  milliseconds = 0;
  /** Answers by operation and status. */
  readonly answers = new Map<string, Map<number, number>>();
  readonly rules = new Map<string, number>();
  readonly faults = new Map<string, Fault>();

  /** Milliseconds that answers took, by operation. */
  readonly times = new Map<string, number>();

  count({ operation, intent }: Plan, { status, milliseconds }: Received): void {
    this.requests++;
    this.times.set(operation.operationId, (this.times.get(operation.operationId) ?? 0) + milliseconds);
    const answers = this.answers.get(operation.operationId) ?? new Map<number, number>();
    this.answers.set(operation.operationId, answers.set(status, (answers.get(status) ?? 0) + 1));
    this.rules.set(intent.rule, (this.rules.get(intent.rule) ?? 0) + 1);
  }

  replace(plan: Plan, small: Plan): void {
    for (const [kind, fault] of this.faults) {
      if (fault.plan === plan) this.faults.set(kind, { ...fault, plan: small, isAlone: true });
    }
  }

  /** @returns whether it is the first of its kind */
  add(what: string, plan?: Plan): boolean {
    const kind = `${plan?.operation.operationId ?? ''} ${plan?.intent.rule ?? ''} ${what.split('\n', 1)[0]?.replaceAll(/[\d"'].*/g, '') ?? ''}`;
    const known = this.faults.get(kind);
    if (known === undefined) this.faults.set(kind, { what, plan, isAlone: false, count: 1 });
    else known.count++;
    return known === undefined;
  }
}

/** All that keys of services can be for. */
const SCOPES = [...new Set(fuzzedOperations.flatMap(({ config: { serviceScope } }) => serviceScope ?? []))];

/** The people of the demo, some more, and services: one with all scopes, one with a single one. */
async function enter(send: Send, tell: Tell, target: Target, chance: Chance): Promise<World> {
  const world = new World();
  const nobody: Actor = { name: 'nobody', role: 'nobody', id: 0, username: '', password: '', access: '' };
  world.actors.push(nobody);
  for (const { username } of ACCOUNTS) {
    const role = username === 'staff' ? 'staff' : 'user';
    world.actors.push({ name: username, role, id: 0, username, password: PASSWORD, access: '' });
  }
  world.actors.push({ name: 'other', role: 'user', id: 0, username: '', password: '', access: '' });
  for (const actor of world.actors.slice(1)) {
    await renew(tell, target, actor);
    const { text } = await tell({ method: 'GET', path: '/api/user/profiles/me/', token: actor.access });
    actor.id = (JSON.parse(text) as { user?: { id: number } }).user?.id ?? actor.id;
    for (const path of LISTS) await look(send, world, actor, path);
  }
  const { access: staff } = world.actors.find(({ role }) => role === 'staff') as Actor;
  await addService(world, tell, staff, ['service', SCOPES]);
  await addService(world, tell, staff, ['narrow service', [pick(chance, SCOPES)]]);
  // Whose session is ended.
  const gone: Actor = { name: 'gone', role: 'user', id: 0, username: '', password: '', access: '' };
  await renew(tell, target, gone);
  const { text } = await tell({
    ...{ method: 'POST', path: '/api/user/login/' },
    body: { username: gone.username, password: gone.password },
  });
  const session = JSON.parse(text) as { access: string; refresh: string };
  await tell({ method: 'POST', path: '/api/user/logout/', body: { refresh: session.refresh } });
  const secrets = await endedSecrets(world, tell, staff, SCOPES, target.expire);
  world.badTokens = [...badTokens(session.access, target.secret), ...secrets];
  return world;
}

/** Signs an actor in; whom the requests have made an end of, somebody new takes the place of. */
async function renew(tell: Tell, { promote }: Target, actor: Actor): Promise<void> {
  if (actor.role === 'service') throw new Error(`the key of ${actor.name} is good for nothing any more`);
  if (actor.username !== '' && (await signIn(tell, actor))) return;
  const username = `${actor.name}-${Date.now().toString(36)}`;
  await replace(tell, actor, username);
  if (actor.role === 'staff') await promote(username);
}

const LISTS = [
  ...['/api/user/users/', '/api/user/profiles/', '/patients/', '/doctors/', '/designations/', '/specialisations/'],
  ...['/available-time/', '/reviews/', '/services/', '/contacts/', '/appointments/', '/waiting-list/', '/time-off/'],
  ...['/availability/', '/patients/dependants/', '/patients/me/', '/doctors/me/', '/api/user/profiles/me/'],
];

/** Lines of the log that tell of a fault of the server's. */
export function faultsOfLog(text: string): string[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .flatMap((line) => {
      if (!line.startsWith('{')) return [`the server says: ${line}`];
      const { level, msg } = JSON.parse(line) as { level: number; msg: string };
      return level >= 50 ? [`the server logs an error: ${msg} ${line}`] : [];
    });
}

/**
 * Sends the requests of a seed, and adds what is found to the report.
 * @param known the world that an earlier part of the fuzz has left
 * @returns the world as it is now
 */
export async function fuzz(target: Target, options: Options, report: Report, known?: World): Promise<World> {
  const { seed, from, to, operations = fuzzedOperations, isLimited = false } = options;
  const { send, close } = sender(target.url);
  const tell: Tell = async ({ method, path, token, body }) =>
    send({
      ...{ method, target: path, body: body && Buffer.from(JSON.stringify(body)) },
      headers: {
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        ...(body && { 'content-type': 'application/json' }),
      },
    });
  const planOf = (world: World, number: number): Plan => {
    const order = shuffled(chanceOf(seed * 7919 + Math.floor(number / operations.length)), operations);
    const operation = order[number % operations.length] as FuzzedOperation;
    return planRequest(world, operation, number, chanceOf(seed * 1_000_003 + number));
  };
  const judged = (plan: Plan, answer: Received): string[] => judge(plan, answer, { isLimited });
  /** Whether another request has ended the session whose token came: then nobody gets in with it any more. */
  const isEnded = async ({ token, isTokenBad }: Plan, { status }: Received): Promise<boolean> => {
    if (status !== 401 || token === undefined || isTokenBad) return false;
    const again = await tell({ method: 'GET', path: '/api/user/profiles/?limits=1', token });
    return again.status === 401;
  };
  const note = async (what: string, plan: Plan): Promise<void> => {
    if (!report.add(what, plan) || report.faults.size > SHRUNK) return;
    const small = await smaller(plan, async (other) =>
      judged(other, await send(wireOf(other))).some((fault) => fault.slice(0, 40) === what.slice(0, 40)),
    );
    if (small !== undefined) report.replace(plan, small);
  };

  const begin = performance.now();
  try {
    const world = known ?? (await enter(send, tell, target, chanceOf(seed)));
    for (let start = from; start < to; start += BATCH) {
      const plans = Array.from({ length: Math.min(BATCH, to - start) }, (_, at) => planOf(world, start + at));
      const [answers, repeats] = await Promise.all([
        Promise.all(plans.map((plan) => send(wireOf(plan)))),
        Promise.all(plans.map((plan) => (comesTwice(plan) ? send(wireOf(plan)) : Promise.resolve(undefined)))),
      ]);
      for (const [at, plan] of plans.entries()) {
        const answer = answers[at] as Received;
        report.count(plan, answer);
        world.learn(plan.actor, plan.method, wireOf(plan).target, answer);
        notePassword(plan, answer);
        noteRecord(world, plan, answer);
        const repeat = repeats[at];
        const faults = [...judged(plan, answer), ...(repeat === undefined ? [] : judgeTwins(answer, repeat))];
        if (faults.length > 0 && (await isEnded(plan, answer))) {
          if (!isLimited && plan.actor.access === plan.token) await renew(tell, target, plan.actor);
        } else for (const what of faults) await note(what, plan);
      }
      if (report.faults.size > MAX_FAULTS) break;
    }
    if (!isLimited) for (const what of await lost(tell, world)) report.add(what);
    if (target.sql !== undefined) for (const what of await wrongRecords(target.sql)) report.add(what);
    if (target.log !== undefined) for (const what of faultsOfLog(readFileSync(target.log, 'utf8'))) report.add(what);
    return world;
  } finally {
    report.milliseconds += performance.now() - begin;
    close();
  }
}

/** Half of the requests that name themselves are sent twice at once. */
const comesTwice = ({ method, headers, token, isTokenBad, intent, number }: Plan): boolean =>
  method === 'POST' &&
  headers['Idempotency-Key'] !== undefined &&
  intent.rule === 'valid' &&
  token !== undefined &&
  !isTokenBad &&
  number % 2 === 0;

async function look(send: Send, world: World, actor: Actor, path: string): Promise<void> {
  const answer = await send({
    ...{ method: 'GET', target: path, body: undefined },
    headers: { authorization: `Bearer ${actor.access}` },
  });
  world.learn(actor, 'GET', path, answer);
}

/** Whoever has changed their password signs in with the new one from now on. */
function notePassword({ operation, actor, body, isTokenBad }: Plan, { status }: Received): void {
  if (operation.operationId !== 'changePassword' || status !== 200 || isTokenBad) return;
  if (body === undefined || !('type' in body)) return;
  const password = body.members.find(([name]) => name === 'password')?.[1];
  if (typeof password === 'string') actor.password = password.normalize('NFKC');
}

function noteRecord(world: World, plan: Plan, { status, headers }: Received): void {
  const { location, 'idempotent-replayed': isReplayed } = headers;
  if (status === 201 && isReplayed === undefined && typeof location === 'string') {
    world.acknowledged.set(location.replace(/^https?:\/\/[^/]*/, ''), {
      by: plan.operation.operationId,
      at: plan.number,
    });
  }
  // With the person goes more than the answer names.
  if (status === 200 && plan.operation.operationId === 'erasePatient') world.acknowledged.clear();
  if (status === 204 && plan.method === 'DELETE') {
    world.acknowledged.delete(`${plan.path.replace(/\?.*/, '')}/`.replaceAll(/\/+/g, '/'));
  }
}

/** What comes to an end by itself: somebody waits until they have an appointment. */
const ENDING = '/waiting-list/';

/** Records whose creation was acknowledged, and which nobody has deleted, but which are not there. */
async function lost(tell: Tell, world: World): Promise<string[]> {
  const staff = world.actors.find(({ role }) => role === 'staff');
  const gone: string[] = [];
  for (const [path, { by, at }] of world.acknowledged) {
    if (path.startsWith(ENDING)) continue;
    const { status } = await tell({ method: 'GET', path, token: staff?.access });
    if (status !== 200) gone.push(`${path}, which ${by} (request ${at}) has acknowledged, answers ${status}`);
  }
  return gone;
}
