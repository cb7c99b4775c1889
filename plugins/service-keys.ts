/** What programs sign in by: how a secret looks, and whose it is. */
import { and, eq, isNull, lt, or, sql } from 'drizzle-orm';
import { LRUCache } from 'lru-cache';
import { createHash, randomBytes } from 'node:crypto';
import type { Database } from '../db/client.js';
import { direct } from '../db/prepared.js';
import { oneOrNone } from '../db/rows.js';
import { serviceKeys } from '../db/tables/index.js';

/** By which programs that look for secrets in what leaks know one. */
const PREFIX = 'hospital_key_';

/** Secrets within other text. */
export const SERVICE_SECRETS = /hospital_key_[\w-]*/g;

const isSecret = (token: string): boolean => token.startsWith(PREFIX);

/** SHA-256 in hex: of 256 random bits, which nobody finds by trying. */
const hashOf = (secret: string): string => createHash('sha256').update(secret).digest('hex');

/** A secret, and what is stored of it. */
export function newServiceSecret(): { secret: string; hash: string } {
  const secret = PREFIX + randomBytes(32).toString('base64url');
  return { secret, hash: hashOf(secret) };
}

/** The hash of a token that is the secret of a key; undefined for any other. */
export const serviceHash = (token: string): string | undefined => (isSecret(token) ? hashOf(token) : undefined);

/**
 * A program that signed in by a key. It sees and does what staff do, but only where an operation has a scope that it has.
 * It has no `id`: what is compared with a user's, or stored as one, does not compile with a caller that may be a service.
 */
export interface ServiceCaller {
  readonly serviceId: number;
  readonly name: string;
  readonly isStaff: true;
  readonly scopes: ReadonlySet<string>;
}

interface KnownKey {
  readonly service: ServiceCaller;
  /** Requests a minute; null for as many as a user. */
  readonly limit: number | null;
  /** Milliseconds since 1970. */
  readonly endsAt: number;
}

/** How long an instance trusts what it knows of a key, in milliseconds; the contract allows 5 s. */
const TTL = 2_000;
/** Milliseconds between two notes that a key is in use. */
const NOTE_INTERVAL = 60_000;
/** Secrets of which an instance knows whose they are. */
const MAX_KNOWN = 5_000;
/** What a secret of no key is found to be: a look-up that finds nothing at all fails where a key is forgotten meanwhile. */
const NO_KEY: KnownKey = {
  service: { serviceId: 0, name: '', isStaff: true, scopes: new Set() },
  limit: null,
  endsAt: -Infinity,
};

const isIt = eq(serviceKeys.secretHash, sql.placeholder('hash'));

const keyByHash = direct((db) =>
  db
    .select({
      id: sql<number>`${serviceKeys.id}::float8`.as('id'),
      name: sql<string>`${serviceKeys.name}`.as('name'),
      scopes: sql<string>`array_to_string(${serviceKeys.scopes}, ' ')`.as('scopes'),
      limit: sql<number | null>`${serviceKeys.limitPerMinute}`.as('limit'),
      endsAt: sql<number | null>`(extract(epoch from
        least(${serviceKeys.expiresAt}, case when ${isIt} then null else ${serviceKeys.oldSecretEndsAt} end)) * 1000)::float8`.as(
        'endsAt',
      ),
    })
    .from(serviceKeys)
    .where(and(isNull(serviceKeys.archivedAt), or(isIt, eq(serviceKeys.oldSecretHash, sql.placeholder('hash'))))),
);

/** Knows whose a secret is, by its hash. */
export class ServiceKeys {
  readonly #database: Database;
  readonly #now: () => number;
  readonly #known: LRUCache<string, KnownKey>;
  readonly #noted = new LRUCache<number, number>({ max: MAX_KNOWN });

  /** @param now milliseconds since 1970 */
  constructor(database: Database, now: () => number) {
    this.#database = database;
    this.#now = now;
    const db = database.of('callers');
    this.#known = new LRUCache<string, KnownKey>({
      max: MAX_KNOWN,
      ttl: TTL,
      noDeleteOnStaleGet: true,
      // Whoever waits for a key that is forgotten meanwhile still gets an answer; it is not kept.
      ignoreFetchAbort: true,
      fetchMethod: async (hash) => {
        const row = oneOrNone(await keyByHash(db)({ hash }));
        if (row === undefined) return NO_KEY;
        const { id: serviceId, name, scopes, limit, endsAt } = row;
        const service = { serviceId, name, isStaff: true as const, scopes: new Set(scopes.split(' ')) };
        return { service, limit, endsAt: endsAt ?? Infinity };
      },
    });
  }

  /** Whether this instance has seen that the secret was good, at some time. */
  hasSeen(hash: string): boolean {
    return (this.#known.peek(hash, { allowStale: true }) ?? NO_KEY) !== NO_KEY;
  }

  /** At once where it is known; null for a secret that is of no use, or before the database is migrated. */
  find(hash: string): KnownKey | null | Promise<KnownKey | null> {
    const known = this.#known.get(hash);
    if (known !== undefined) return this.#inTime(known);
    if (!this.#database.isMigrated()) return null;
    return this.#known.fetch(hash).then((found = NO_KEY) => {
      if (found === NO_KEY) this.#known.delete(hash);
      return this.#inTime(found);
    });
  }

  /** Makes the next request by any key see what is stored, on this instance. */
  forget(): void {
    this.#known.clear();
  }

  /** Notes that a key is in use, if that was not noted in the last minute; nobody waits for it. */
  note({ serviceId }: ServiceCaller): void {
    const now = this.#now();
    const last = this.#noted.get(serviceId);
    if (last !== undefined && Math.abs(now - last) < NOTE_INTERVAL) return;
    this.#noted.set(serviceId, now);
    const { id, lastUsedAt } = serviceKeys;
    const isOld = or(isNull(lastUsedAt), lt(lastUsedAt, new Date(now - NOTE_INTERVAL + 1)));
    this.#database
      .of('callers')
      .update(serviceKeys)
      .set({ lastUsedAt: new Date(now) })
      .where(and(eq(id, serviceId), isOld))
      .then(
        () => undefined,
        () => this.#noted.delete(serviceId),
      );
  }

  #inTime(key: KnownKey): KnownKey | null {
    return this.#now() < key.endsAt ? key : null;
  }
}
