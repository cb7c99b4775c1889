/** What the fuzzer knows of the server that it asks: who may sign in, which records there are and were, what was given. */
import { between, pick, type Chance } from '../../src/demo/random.js';
import { signAccess } from '../helpers/tokens.js';

/** Somebody who asks. */
export interface Actor {
  readonly name: string;
  /** What the contract's `security` goes by. */
  readonly role: 'nobody' | 'user' | 'staff' | 'service';
  /** Of a service: what its key is for. */
  readonly scopes?: ReadonlySet<string>;
  /** Of the user, or of the service's key; 0 for nobody. */
  id: number;
  username: string;
  password: string;
  access: string;
}

/** The answer to a request that was sent to make the world, or to learn of it. */
export interface Told {
  readonly status: number;
  readonly text: string;
}
export type Tell = (request: {
  method: string;
  path: string;
  token?: string | undefined;
  body?: object;
}) => Promise<Told>;

const COLLECTIONS = [
  ...['/api/user/users/', '/api/user/profiles/', '/patients/', '/doctors/', '/designations/', '/specialisations/'],
  ...['/available-time/', '/reviews/', '/services/', '/contacts/', '/appointments/', '/waiting-list/', '/time-off/'],
  '/service-keys/',
];

/** The collection that a path's records belong to. */
export function collectionOf(path: string): string | undefined {
  if (path.startsWith('/appointments/series/')) return '/appointments/series/';
  if (path.startsWith('/patients/dependants/')) return '/patients/';
  return COLLECTIONS.find((collection) => path.startsWith(collection));
}

/** The collections that fields name records of. */
const REFERENCES: Readonly<Record<string, string>> = {
  ...{
    doctor: '/doctors/',
    doctor_id: '/doctors/',
    patient: '/patients/',
    patient_id: '/patients/',
    reviwer: '/patients/',
  },
  ...{ time: '/available-time/', times: '/available-time/', available_time: '/available-time/' },
  ...{ designation: '/designations/', specialisation: '/specialisations/', series: '/appointments/series/' },
  ...{ user: '/api/user/users/', managed_by: '/api/user/users/' },
};

/** Newest last; how many are kept of each. */
const KEPT = 400;

class Pool<T> {
  readonly items: T[] = [];
  readonly #known = new Set<T>();

  add(item: T): void {
    if (this.#known.has(item)) return;
    this.#known.add(item);
    this.items.push(item);
    if (this.items.length > KEPT) this.#known.delete(this.items.splice(KEPT / 2, 1)[0] as T);
  }

  remove(item: T): void {
    if (this.#known.delete(item)) this.items.splice(this.items.indexOf(item), 1);
  }

  /** One of all, or one of the newest, about which others ask at the same time. */
  pick(chance: Chance): T | undefined {
    const { length } = this.items;
    if (length === 0) return undefined;
    return chance() < 0.5 ? pick(chance, this.items) : this.items[between(chance, Math.max(0, length - 8), length - 1)];
  }
}

export interface Slot {
  readonly doctor: number;
  readonly time: number;
  readonly date: string;
}

type Json = Readonly<Record<string, unknown>>;

export class World {
  readonly actors: Actor[] = [];
  badTokens: readonly string[] = ['rubbish'];
  /** Keys of services that are to stay as they are: by which somebody asks, or nobody may any more. */
  readonly fixedKeys = new Set<number>();
  readonly slots = new Pool<string>();
  /** By kind: what was given to whoever asked for it. */
  readonly given = {
    refresh: new Pool<string>(),
    hold: new Pool<string>(),
    invitation: new Pool<string>(),
    after: new Pool<string>(),
    picture: new Pool<string>(),
    key: new Pool<string>(),
  };
  /** Of each path, what named its state last. */
  readonly tags = new Map<string, string>();
  /** The actors' own records, by actor and collection. */
  readonly #own = new Map<string, number>();
  readonly #records = new Map<string, Pool<number>>();
  readonly #deleted = new Map<string, Pool<number>>();
  /** By who has seen them. */
  readonly #seen = new Map<string, Pool<number>>();
  /** What is believed to be there: the path of each record whose creation was acknowledged, and of none since removed. */
  readonly acknowledged = new Map<string, { readonly by: string; readonly at: number }>();

  #pool(of: Map<string, Pool<number>>, key: string): Pool<number> {
    const pool = of.get(key) ?? new Pool<number>();
    of.set(key, pool);
    return pool;
  }

  /** A record of a collection: mostly one that is there, or that the actor has seen. */
  id(collection: string, chance: Chance, actor?: Actor): number {
    const kind = chance();
    if (kind < 0.04) return pick(chance, [999_999, Number.MAX_SAFE_INTEGER, 2 ** 31, 2 ** 31 - 1, 2 ** 32]);
    if (kind < 0.1) return this.#pool(this.#deleted, collection).pick(chance) ?? 999_998;
    const own = this.#own.get(`${actor?.name} ${collection}`);
    if (own !== undefined && kind < 0.4) return own;
    const seen = actor && kind < 0.7 ? this.#pool(this.#seen, `${actor.name} ${collection}`).pick(chance) : undefined;
    return seen ?? this.#pool(this.#records, collection).pick(chance) ?? between(chance, 1, 30);
  }

  reference(name: string, chance: Chance, actor: Actor): number | undefined {
    const collection = REFERENCES[name];
    return collection === undefined ? undefined : this.id(collection, chance, actor);
  }

  slot(chance: Chance): Slot | undefined {
    const text = this.slots.pick(chance);
    return text === undefined ? undefined : (JSON.parse(text) as Slot);
  }

  /** Learns from an answer what there is. */
  learn(actor: Actor, method: string, path: string, { status, headers, text }: Learned): void {
    const plain = path.split('?', 1)[0] as string;
    const collection = collectionOf(plain);
    const etag = headers['etag'];
    if (typeof etag === 'string') this.tags.set(plain, etag);
    if (status === 204 && method === 'DELETE') {
      const id = Number(/\/(\d+)\/?$/.exec(plain)?.[1]);
      if (collection === undefined || Number.isNaN(id)) return;
      this.#pool(this.#records, collection).remove(id);
      this.#pool(this.#deleted, collection).add(id);
      return;
    }
    if (status >= 300 || !String(headers['content-type']).startsWith('application/json') || text === '') return;
    const body = JSON.parse(text) as unknown;
    this.#learnTokens(plain, body as Json);
    this.#learnSlots(plain, body);
    if (collection === undefined || /\/(availability|hours|history|changes|invitation)\/$/.test(plain)) return;
    if (plain.endsWith('/me/') && typeof (body as Json)['id'] === 'number') {
      this.#own.set(`${actor.name} ${collection}`, (body as Json)['id'] as number);
    }
    const found = Array.isArray(body) ? body : ((body as Json)['results'] ?? [body]);
    for (const record of found as Json[]) {
      const { id } = record;
      if (typeof id !== 'number') continue;
      this.#pool(this.#records, collection).add(id);
      this.#pool(this.#seen, `${actor.name} ${collection}`).add(id);
      for (const name of ['profile', 'profile_picture', 'image']) {
        if (URL.canParse(String(record[name]))) this.given.picture.add(String(record[name]));
      }
    }
  }

  #learnTokens(path: string, body: Json): void {
    const { refresh } = (body['tokens'] ?? body) as Json;
    if (typeof refresh === 'string') this.given.refresh.add(refresh);
    if (typeof body['token'] === 'string') {
      (path.endsWith('/invitation/') ? this.given.invitation : this.given.hold).add(body['token']);
    }
    const after = /[?&]after=([\w-]+)/.exec(String(body['next']))?.[1];
    if (after !== undefined) this.given.after.add(after);
  }

  #learnSlots(path: string, body: unknown): void {
    const doctor = Number(/^\/doctors\/(\d+)\/availability\/?$/.exec(path)?.[1]);
    const list = Array.isArray(body) ? body : ((body as Json)['results'] ?? []);
    if (!Number.isNaN(doctor) || path.startsWith('/availability/')) {
      for (const slot of (list as Json[]).slice(0, 20)) {
        this.slots.add(JSON.stringify({ doctor: slot['doctor'] ?? doctor, time: slot['time'], date: slot['date'] }));
      }
    }
  }
}

export interface Learned {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

/** Signs an actor in with what is believed to be the password. */
export async function signIn(tell: Tell, actor: Actor): Promise<boolean> {
  const { username, password } = actor;
  const { status, text } = await tell({ method: 'POST', path: '/api/user/login/', body: { username, password } });
  if (status !== 200) return false;
  actor.access = (JSON.parse(text) as { access: string }).access;
  return true;
}

/** Registers somebody new in the place of an actor, of whom the requests have made an end. */
export async function replace(tell: Tell, actor: Actor, username: string): Promise<void> {
  const password = 'walnut-Bicycle-7';
  const body = { username, email: `${username}@example.com`, password, confirm_password: password };
  const { status, text } = await tell({ method: 'POST', path: '/api/user/register/', body });
  if (status !== 201) throw new Error(`registering was answered with ${status}: ${text}`);
  const { tokens, user } = JSON.parse(text) as { tokens: { access: string }; user: { id: number } };
  Object.assign(actor, { id: user.id, username, password, access: tokens.access });
}

interface Key {
  readonly id: number;
  readonly secret: string;
}

/** Makes a key for a service. */
async function makeKey(tell: Tell, staff: string, name: string, scopes: Iterable<string>): Promise<Key> {
  const body = { name: `${name} ${Date.now().toString(36)}`, scopes: [...scopes] };
  const { status, text } = await tell({ method: 'POST', path: '/service-keys/', token: staff, body });
  if (status !== 201) throw new Error(`making a key was answered with ${status}: ${text}`);
  return JSON.parse(text) as Key;
}

/** Adds a service that has a key with the scopes. */
export async function addService(
  world: World,
  tell: Tell,
  staff: string,
  [name, scopes]: readonly [name: string, scopes: Iterable<string>],
): Promise<void> {
  const { id, secret } = await makeKey(tell, staff, name, scopes);
  world.fixedKeys.add(id);
  world.actors.push({
    ...{ name, role: 'service', id, username: '', password: '' },
    access: secret,
    scopes: new Set(scopes),
  });
}

/** Secrets of keys that were good once: of one that is revoked, one that has expired, and one that has another by now. */
export async function endedSecrets(
  { fixedKeys }: World,
  tell: Tell,
  staff: string,
  scopes: Iterable<string>,
  expire: (key: number) => Promise<unknown>,
): Promise<readonly string[]> {
  const revoked = await makeKey(tell, staff, 'revoked', scopes);
  const expired = await makeKey(tell, staff, 'expired', scopes);
  const rotated = await makeKey(tell, staff, 'rotated', scopes);
  fixedKeys.add(expired.id);
  await tell({ method: 'DELETE', path: `/service-keys/${revoked.id}/`, token: staff });
  await expire(expired.id);
  const path = `/service-keys/${rotated.id}/rotate/`;
  await tell({ method: 'POST', path, token: staff, body: { old_ends_in: 0 } });
  return [revoked, expired, rotated].map(({ secret }) => secret);
}

/** Tokens that nobody may get in with. */
export const badTokens = (ended: string, secret: string): readonly string[] => [
  ...['rubbish', `${ended.slice(0, -3)}AAA`, ended],
  signAccess('another secret, long enough for HS256 as well', 1),
  signAccess(secret, 999_999),
  `${Buffer.from('{"alg":"none","typ":"JWT"}').toString('base64url')}.${ended.split('.')[1] ?? ''}.`,
  `hospital_key_${'A'.repeat(43)}`,
];
