import { normalizeIP } from '@fastify/rate-limit';
import type { FastifyInstance, FastifyReply, FastifyRequest, onRequestHookHandler, onSendHookHandler } from 'fastify';
import fp from 'fastify-plugin';
import { LRUCache } from 'lru-cache';
import { isIPv4 } from 'node:net';
import type { Operation } from '../../openapi/operation.js';
import { ProblemError } from '../../openapi/problem-error.js';
import { bareAddress } from '../addresses.js';
import { Attempts } from './attempts.js';
import { openCounts, type Count, type Counts } from './counts.js';

export interface RateLimitOptions {
  /** Requests a minute of a client address without a valid access token. */
  readonly anonymous: number;
  /** Requests a minute of a signed-in user; and of a client address to what is no operation: pages and their parts, and paths where there is nothing. */
  readonly user: number;
  /**
   * Requests a minute of a client address to the operations that the contract marks `x-rate-limit: auth`; where
   * they prove who calls, of those that failed.
   */
  readonly auth: number;
  /** The Redis server that instances share their counts in; null: each counts on its own. */
  readonly redisUrl: string | null;
}

/** What keeps passwords and tokens from being guessed. */
export interface Logins {
  /**
   * Judges a login, or a code that stands for one, by `verdict`, which gives something falsy for one that failed.
   * @param by what it proves: who has failed by a password too often may still have a code
   * @throws ProblemError too-many-requests, unjudged, after 10 failed ones in 15 minutes of the user name and the address
   */
  judge<T>(username: string, verdict: () => Promise<T>, by?: 'login' | 'code'): Promise<T>;
  /**
   * Counts the request as the user's, who has proved to be one, and no longer as a failed one of the address.
   * @throws ProblemError too-many-requests
   */
  succeed(userId: number): Promise<void>;
  /**
   * Counts a change to what only one can have, an email or a phone number: by such that fail a user could ask for each
   * whether somebody has it. At the end of the request it is given back if it did not fail.
   * @throws ProblemError too-many-requests, unjudged, after as many failed ones a minute as an address has logins
   */
  claim(userId: number): Promise<void>;
}

interface Limit {
  readonly name: string;
  /** Requests a minute. */
  readonly max: number;
  readonly policy: string;
}

interface Limits {
  readonly counts: Counts;
  readonly anonymous: Limit;
  readonly user: Limit;
  readonly auth: Limit;
  readonly pages: Limit;
  /** Of a service, as its key says; null for as many as a user. */
  readonly service: (perMinute: number | null) => Limit;
  /** By client address. */
  readonly attempts: Attempts;
  /** By user name and client address. */
  readonly failedLogins: Attempts;
  /** By user. */
  readonly claims: Attempts;
}

declare module 'fastify' {
  interface FastifyInstance {
    readonly limits: Limits;
  }
  interface FastifyRequest {
    readonly logins: Logins;
    /** Where this request is counted until its end tells whether it stays so. */
    attempt: { readonly key: string; readonly reply: FastifyReply } | null;
    /** Where a service's request is counted, unless it finds that nothing has changed. */
    serviceCount: { readonly limit: Limit; readonly client: number; readonly count: Count } | null;
    /** Where its claim is counted until then. */
    claim: string | null;
  }
}

const MINUTE = 60_000;
const FAILED_LOGINS = 10;
const FAILED_LOGIN_WINDOW = 15 * MINUTE;

/**
 * Clients by their addresses, IPv6 or as proxies write them, each of which takes ten times as long to read as all else
 * here together.
 */
const clients = new LRUCache<string, string>({ max: 10_000 });

/** Whom a request's address stands for: a subscriber of IPv6 has a whole /64. */
export function clientOf(request: FastifyRequest): string {
  // A client that has hung up already has none.
  const address = (request.ip as string | undefined) ?? 'unknown';
  if (isIPv4(address)) return address;
  let client = clients.get(address);
  if (client === undefined) {
    client = normalizeIP(bareAddress(address).toLowerCase(), 64);
    clients.set(address, client);
  }
  return client;
}

/** Seconds until the window ends; the clocks that say so may have been set. */
const seconds = ({ ttl }: Count, window: number): string =>
  String(Math.min(window / 1000, Math.max(1, Math.ceil(ttl / 1000))));

/**
 * Tells what is left of a limit, in the present form of the IETF draft "RateLimit header fields for HTTP" and in the
 * three-field form of its drafts up to 06, which clients in the field know.
 */
function announce(reply: FastifyReply, { name, max, policy }: Limit, count: Count): void {
  const reset = seconds(count, MINUTE);
  const remaining = String(Math.max(0, max - count.current));
  reply.headers({
    'ratelimit-policy': policy,
    ratelimit: `"${name}";r=${remaining};t=${reset}`,
    'ratelimit-limit': String(max),
    'ratelimit-remaining': remaining,
    'ratelimit-reset': reset,
  });
}

const tooMany = (detail: string, count: Count, window: number): ProblemError =>
  new ProblemError('too-many-requests', detail, {}, { 'retry-after': seconds(count, window) });

const overLimit = ({ max }: Limit, count: Count): ProblemError =>
  tooMany(`The limit of ${max} requests a minute is reached.`, count, MINUTE);

/** Counts a request and tells what is left; `next` gets an error where the limit is exceeded. */
function countRequest(
  limit: Limit,
  client: string | number,
  reply: FastifyReply,
  next: (error?: ProblemError) => void,
): void {
  reply.server.limits.counts.add(`${limit.name}:${client}`, MINUTE, (count) => {
    announce(reply, limit, count);
    if (count.current > limit.max) next(overLimit(limit, count));
    else next();
  });
}

/** The same; @throws ProblemError where the limit is exceeded. */
const counted = (limit: Limit, client: string | number, reply: FastifyReply): Promise<Count> =>
  new Promise((resolve, reject) => {
    reply.server.limits.counts.add(`${limit.name}:${client}`, MINUTE, ({ current, ttl }) => {
      const count = { current, ttl };
      announce(reply, limit, count);
      if (current > limit.max) reject(overLimit(limit, count));
      else resolve(count);
    });
  });

/**
 * Counts a request by the key of a service, and what only looks like one as the address's. A secret that this instance has
 * never seen is counted as that before anybody looks whether it is one: so nobody asks the database for more than the
 * address's limit allows.
 */
async function limitService(request: FastifyRequest, reply: FastifyReply, keyHash: string): Promise<void> {
  const { serviceKeys, limits } = request.server;
  const { anonymous, counts, service } = limits;
  const client = clientOf(request);
  const isNew = !serviceKeys.hasSeen(keyHash);
  if (isNew) await counted(anonymous, client, reply);
  const key = await serviceKeys.find(keyHash);
  if (key === null) {
    if (!isNew) await counted(anonymous, client, reply);
    return;
  }
  if (isNew) counts.giveBack(`${anonymous.name}:${client}`);
  const limit = service(key.limit);
  const { serviceId } = key.service;
  request.serviceCount = { limit, client: serviceId, count: await counted(limit, serviceId, reply) };
}

/** Takes back the count of a service's request that found that nothing has changed: so it may ask often. */
export function forgive({ method, config }: Operation): onSendHookHandler<unknown> | undefined {
  if (method !== 'GET' || !config.hasEntityTag) return undefined;
  return function forgiveUnchanged(request, reply, payload, done) {
    if (request.serviceCount !== null && reply.statusCode === 304) {
      const { limit, client, count } = request.serviceCount;
      request.server.limits.counts.giveBack(`${limit.name}:${client}`);
      announce(reply, limit, { ...count, current: count.current - 1 });
    }
    done(null, payload);
  };
}

/** Counts a request to an operation marked `auth` as one of the address, which it stays unless `succeed` is called. */
async function beginAttempt(request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const { auth, attempts } = request.server.limits;
  const key = `${auth.name}:${clientOf(request)}`;
  const count = await attempts.begin(key);
  announce(reply, auth, count);
  if (count.isOver) throw overLimit(auth, count);
  request.attempt = { key, reply };
  // A client that hangs up gets no answer, whose hook would end it.
  const endAsFailed = (): void => settle(request, true);
  if (request.raw.destroyed) endAsFailed();
  else reply.raw.once('close', endAsFailed);
}

/** Ends the request's attempt, if it is still open. */
function settle(request: FastifyRequest, isFailed: boolean): void {
  if (request.attempt === null) return;
  request.server.limits.attempts.end(request.attempt.key, isFailed);
  request.attempt = null;
}

/** Refuses what is over the limit, and tells how much is left of it. */
export function limit({ config }: Operation): onRequestHookHandler {
  if (config.limit === 'auth') {
    return function limitAttempts(request, reply, next) {
      beginAttempt(request, reply).then(() => next(), next);
    };
  }
  return function limitRequests(request, reply, next) {
    const { bearer } = request;
    const { anonymous, user } = request.server.limits;
    if (typeof bearer !== 'object') countRequest(anonymous, clientOf(request), reply, next);
    else if ('keyHash' in bearer) limitService(request, reply, bearer.keyHash).then(() => next(), next);
    else countRequest(user, bearer.userId, reply, next);
  };
}

/** The same for what is no operation. */
const limitPages: onRequestHookHandler = (request, reply, next) =>
  countRequest(request.server.limits.pages, clientOf(request), reply, next);

/** Ends an attempt: what failed for a fault of the server's is none of the client's. */
export function endAttempt({ config }: Operation): onSendHookHandler | undefined {
  if (config.limit !== 'auth') return undefined;
  return function settleAttempt(request, reply, _payload, next) {
    settle(request, reply.statusCode < 500);
    next();
  };
}

function loginsOf(request: FastifyRequest): Logins {
  const { failedLogins, claims, user } = request.server.limits;
  return {
    claim: async (userId) => {
      // A transaction that is tried again makes the same claim.
      if (request.claim !== null) return;
      request.claim = `claim:${userId}`;
      const count = await claims.begin(request.claim);
      if (!count.isOver) return;
      request.claim = null;
      throw tooMany('There were too many failed changes of user name, email or phone number.', count, MINUTE);
    },
    judge: async (username, verdict, by = 'login') => {
      const key = `failed-${by}:${username.toLowerCase()} ${clientOf(request)}`;
      const count = await failedLogins.begin(key);
      if (count.isOver) {
        throw tooMany(`There were too many failed ${by}s for this user name.`, count, FAILED_LOGIN_WINDOW);
      }
      let isFailed = false;
      try {
        const result = await verdict();
        isFailed = !result;
        return result;
      } finally {
        failedLogins.end(key, isFailed);
      }
    },
    succeed: async (userId) => {
      const { attempt } = request;
      if (attempt === null) return;
      await new Promise<void>((resolve, reject) =>
        countRequest(user, userId, attempt.reply, (error) => (error === undefined ? resolve() : reject(error))),
      );
      settle(request, false);
    },
  };
}

/** Limits requests by the minute: by user where a valid access token came, by key of a service, else by client address. */
export default fp(
  async function rateLimit(app: FastifyInstance, { redisUrl, ...max }: RateLimitOptions) {
    const counts = await openCounts(redisUrl, app.log);
    app.addHook('onClose', () => counts.close());
    const limitOf = (name: string, max: number): Limit => ({
      name,
      max,
      policy: `"${name}";q=${max};w=${MINUTE / 1000}`,
    });
    app.decorate('limits', {
      counts,
      anonymous: limitOf('anonymous', max.anonymous),
      user: limitOf('user', max.user),
      auth: limitOf('auth', max.auth),
      pages: limitOf('pages', max.user),
      service: (perMinute) => limitOf('service', perMinute ?? max.user),
      attempts: new Attempts(counts, max.auth, MINUTE),
      failedLogins: new Attempts(counts, FAILED_LOGINS, FAILED_LOGIN_WINDOW),
      claims: new Attempts(counts, max.auth, MINUTE),
    });
    app.addHook('onResponse', (request, reply, next) => {
      // What failed for a fault of the server's is none of the client's.
      const isFailed = reply.statusCode >= 400 && reply.statusCode < 500;
      if (request.claim !== null) request.server.limits.claims.end(request.claim, isFailed);
      next();
    });
    app.decorateRequest('claim', null);
    app.decorateRequest('serviceCount', null);
    app.addHook('onRequest', function limitStrays(request, reply, next) {
      if (request.is404) limitPages.call(this, request, reply, next);
      else next();
    });
    app.addHook('onRoute', (route) => {
      // Whoever asks whether the server lives must hear of nothing else.
      if (route.config?.operationId !== undefined || route.url.startsWith('/health/')) return;
      route.onRequest = [limitPages, route.onRequest ?? []].flat();
    });
    app.decorateRequest('attempt', null);
    app.decorateRequest('logins', {
      getter(this: FastifyRequest): Logins {
        return loginsOf(this);
      },
    });
  },
  { name: 'rate-limit', dependencies: ['errors', 'auth'] },
);
