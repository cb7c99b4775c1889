import fastifyJwt, { type JWT, type VerifyOptions } from '@fastify/jwt';
import { eq, sql } from 'drizzle-orm';
import type { FastifyInstance, FastifyRequest, onRequestHookHandler } from 'fastify';
import fp from 'fastify-plugin';
import { LRUCache } from 'lru-cache';
import { createHmac } from 'node:crypto';
import { direct } from '../db/prepared.js';
import { oneOrNone } from '../db/rows.js';
import { sessions, users } from '../db/tables/index.js';
import type { OperationConfig } from '../openapi/operation.js';
import { ProblemError } from '../openapi/problem-error.js';
import { INVALID_TOKEN, unauthenticated } from './errors.js';
import { newServiceSecret, serviceHash, ServiceKeys, type ServiceCaller } from './service-keys.js';

export interface AuthOptions {
  /** The first signs, and all verify; each of at least 32 bytes. */
  readonly secrets: readonly string[];
  /** Seconds. */
  readonly accessTtl: number;
  /** Seconds. */
  readonly refreshTtl: number;
  /** Whether staff are staff only in sessions with a second factor. */
  readonly staffNeedSecondFactor: boolean;
  /** The time by which keys of services end, in milliseconds since 1970. Default: the system's. */
  readonly now?: () => number;
}

/** Somebody who is signed in. */
export interface Person {
  readonly id: number;
  readonly isStaff: boolean;
  /** The hash that names the session of the access token; null for a token that names none. */
  readonly session: string | null;
  /** Of who would be staff, were the session one with the second factor that staff need. */
  readonly lacksSecondFactor?: true;
}

/** Who calls. */
export type Caller = Person | ServiceCaller;

/** Names a caller among all others. */
export const nameOf = (caller: Caller): string | number => ('id' in caller ? caller.id : `service:${caller.serviceId}`);

interface Claims {
  readonly sub: string;
  readonly use: 'access' | 'refresh';
  /** The session's id, in a refresh token. */
  readonly jti?: string;
  /** How many refresh tokens of the session came before it, in one that is not the first. */
  readonly seq?: number;
  /** The hash that names the session, in an access token. */
  readonly sid?: string;
  /** The user's token generation, in an access token. */
  readonly gen?: number;
  /** Seconds since 1970. */
  readonly exp: number;
}

export interface Tokens {
  /** A token that opens the session to whoever holds it, for `expiresAt` to be stored with the session. */
  signRefresh(userId: number, sessionId: string): { token: string; expiresAt: Date };
  /**
   * A further token of a session, which ends no later for it.
   * @param rotation how many tokens of the session came before it
   */
  signSuccessor(userId: number, sessionId: string, rotation: number, expiresAt: Date): string;
  /**
   * @param session the hash that names the session
   * @param generation the user's token generation: the token is void when it has moved on
   */
  signAccess(userId: number, session: string, generation: number): string;
  /**
   * What a refresh token of this server says; null for anything else.
   * @param mayBeExpired whether a token past its time still counts
   */
  readRefresh(token: string, mayBeExpired: boolean): { userId: number; sessionId: string; rotation: number } | null;
  /** Makes the next request of a user see the user's stored state at once, on this instance. */
  forgetUser(userId: number): void;
  /** The same of a session. @param session the hash that names it */
  forgetSession(session: string): void;
  /** A secret by which a service signs in, and the hash that is stored of it. */
  newServiceSecret(): { secret: string; hash: string };
  /** The same as of a user, of all keys of services. */
  forgetServiceKeys(): void;
}

/** The user whose access token came with a request, before anyone looked whether the user is still active. */
interface UserBearer {
  readonly userId: number;
  readonly session: string | null;
  readonly generation: number;
}

/** What came with a request; of a service's key the hash, before anyone looked whether it is one. */
type Bearer = UserBearer | { readonly keyHash: string } | 'none' | 'invalid' | 'expired';

/** Tells who calls. */
interface Callers {
  /** @param authorization the header */
  read(authorization: string | undefined): Bearer;
  /**
   * Null where the user is gone or inactive, the token is void, or its session has ended; at once of a user who was looked
   * up a moment ago.
   */
  find(bearer: Exclude<Bearer, string>): Caller | null | Promise<Caller | null>;
}

declare module 'fastify' {
  interface FastifyInstance {
    readonly tokens: Tokens;
    readonly callers: Callers;
    readonly serviceKeys: Pick<ServiceKeys, 'hasSeen' | 'find'>;
  }
  interface FastifyRequest {
    bearer: Bearer;
    /** Set where the operation's access is not public and a token came. */
    caller: Caller | null;
  }
}
declare module '@fastify/jwt' {
  interface FastifyJWT {
    namespaces: string;
    payload: {
      sub: string;
      use: 'access' | 'refresh';
      jti?: string;
      seq?: number;
      sid?: string;
      gen?: number;
      exp?: number;
    };
  }
}

/** Access tokens of which an instance remembers that their signature is right. */
const KNOWN_TOKENS = 5_000;

/** How long an instance trusts what it knows of a user or session, in milliseconds; the contract allows 5 s. */
const USER_TTL = 2_000;

interface KnownUser {
  readonly isStaff: boolean;
  readonly isActive: boolean;
  readonly generation: number;
  readonly keptSession: string | null;
}

interface KnownSession {
  readonly isOpen: boolean;
  readonly hasSecondFactor: boolean;
}

/** That of a token which names none. */
const UNNAMED: KnownSession = { isOpen: true, hasSecondFactor: false };

// Not on shared connections: who waits there for a table's lock must not keep everybody else out.
const userById = direct((db) =>
  db
    .select({
      isStaff: sql<boolean>`${users.isStaff}`.as('isStaff'),
      isActive: sql<boolean>`${users.isActive}`.as('isActive'),
      generation: sql<number>`${users.tokenGeneration}`.as('generation'),
      keptSession: sql<string | null>`${users.keptSession}`.as('keptSession'),
    })
    .from(users)
    .where(eq(users.id, sql.placeholder('id'))),
);

const sessionByHash = direct((db) =>
  db
    .select({ hasSecondFactor: sql<boolean>`${sessions.hasSecondFactor}`.as('hasSecondFactor') })
    .from(sessions)
    .where(eq(sessions.tokenHash, sql.placeholder('session'))),
);

const DETAILS = {
  none: 'The operation needs an access token in the Authorization header.',
  invalid: INVALID_TOKEN,
  expired: 'The access token has expired.',
} as const;

/** Reads the access token. */
export const identify: onRequestHookHandler = function identifyBearer(request, _reply, next) {
  request.bearer = request.server.callers.read(request.headers.authorization);
  next();
};

/** Goes on with the caller that a token names, or null. */
function findCaller(
  { bearer, server }: FastifyRequest,
  proceed: (caller: Caller | null) => void,
  fail: (error: Error) => void,
): void {
  const found = typeof bearer === 'object' ? server.callers.find(bearer) : null;
  if (found instanceof Promise) found.then(proceed, fail);
  else proceed(found);
}

/** Lets anybody in, and knows who has a valid token: the answer differs for some. */
const recognize: onRequestHookHandler = function recognizeCaller(request, reply, next) {
  const varying = reply.getHeader('vary');
  reply.header('vary', varying === undefined ? 'Authorization' : `${String(varying)}, Authorization`);
  const { serviceScope } = request.routeOptions.config;
  const proceed = (caller: Caller | null): void => {
    request.caller = caller === null || 'id' in caller || caller.scopes.has(serviceScope ?? '') ? caller : null;
    next();
  };
  findCaller(request, proceed, next);
};

const lacksSecondFactor = (): ProblemError => {
  const next = 'Set it up with POST /api/user/totp/, or log in with otp.';
  return new ProblemError('mfa-required', `Staff need a second factor here. ${next}`);
};

/** What a refusal is to somebody who has all rights of staff but for the second factor. */
export function refusalTo({ caller }: Pick<FastifyRequest, 'caller'>, problem: ProblemError): ProblemError {
  const isForStaff = problem.slug === 'not-allowed' && /\bstaff\b/.test(problem.message);
  return isForStaff && caller !== null && 'id' in caller && caller.lacksSecondFactor === true
    ? lacksSecondFactor()
    : problem;
}

/** What keeps a service from an operation. */
function refusalOfService({ scopes }: ServiceCaller, scope: string | null): ProblemError | undefined {
  if (scope === null) return new ProblemError('not-allowed', 'This is for no service key: sign in as a user.');
  return scopes.has(scope) ? undefined : new ProblemError('not-allowed', `The service key lacks the scope ${scope}.`);
}

/** Holds a request to the `security` that the contract gives its operation. */
export function guard({
  config: { access, ignoredTokens, serviceScope },
}: {
  readonly config: Pick<OperationConfig, 'access' | 'ignoredTokens' | 'serviceScope'>;
}): onRequestHookHandler | undefined {
  if (access === 'public') return undefined;
  if (ignoredTokens === 'all') return recognize;
  const refusalOf = (bearer: Bearer, caller: Caller | null): ProblemError | undefined => {
    if (caller === null) {
      const isAnonymous = bearer === 'none' || (bearer !== 'invalid' && ignoredTokens === 'expired');
      if (access === 'optional' && isAnonymous) return undefined;
      return unauthenticated(typeof bearer === 'object' ? DETAILS.invalid : DETAILS[bearer]);
    }
    if (!('id' in caller)) return refusalOfService(caller, serviceScope);
    return access === 'staff' && !caller.isStaff
      ? new ProblemError('not-allowed', 'Only staff may do this.')
      : undefined;
  };
  return function guardAccess(request, _reply, next) {
    const proceed = (caller: Caller | null): void => {
      request.caller = caller;
      next(refusalOf(request.bearer, caller));
    };
    findCaller(request, proceed, next);
  };
}

/** The `kid` of the tokens that a secret signs, which tells secrets apart and gives none away. */
const kidOf = (secret: string): string => createHmac('sha256', secret).update('kid').digest('base64url').slice(0, 16);

/** Signs and reads tokens, and knows who calls by them. */
export default fp(
  async function auth(
    app: FastifyInstance,
    { secrets, accessTtl, refreshTtl, staffNeedSecondFactor, now = Date.now }: AuthOptions,
  ) {
    const keys = new Map<unknown, JWT>();
    for (const secret of new Set(secrets)) {
      const kid = kidOf(secret);
      await app.register(fastifyJwt, {
        secret,
        namespace: kid,
        decode: { complete: true },
        sign: { algorithm: 'HS256', kid },
        verify: { algorithms: ['HS256'] },
      });
      keys.set(kid, app.jwt[kid] as JWT);
    }
    const [signer] = keys.values() as Iterable<JWT> as [JWT];

    /** Of the secret that the token names; of one that names none, as those from before there were several, of each in turn. */
    function verify(token: string, options?: Partial<VerifyOptions>): Claims {
      const { kid } = (signer.decode(token) as { header: { kid?: unknown } }).header;
      const candidates = kid === undefined ? [...keys.values()] : [keys.get(kid)];
      let refusal: unknown = new Error('no secret of that kid');
      for (const key of candidates) {
        try {
          if (key !== undefined) return key.verify<Claims>(token, options);
        } catch (error) {
          if ((error as { code?: string }).code !== 'FAST_JWT_INVALID_SIGNATURE') throw error;
          refusal = error;
        }
      }
      throw refusal;
    }

    const db = app.database.of('callers');
    const serviceKeys = new ServiceKeys(app.database, now);
    app.decorate('serviceKeys', serviceKeys);
    const knownUsers = new LRUCache<number, KnownUser>({
      max: 20_000,
      ttl: USER_TTL,
      // Whoever waits for a user that is forgotten meanwhile still gets an answer; it is not kept.
      ignoreFetchAbort: true,
      fetchMethod: async (id) => {
        const row = oneOrNone(await userById(db)({ id }));
        return row ?? { isStaff: false, isActive: false, generation: 0, keptSession: null };
      },
    });
    const knownSessions = new LRUCache<string, KnownSession>({
      max: 20_000,
      ttl: USER_TTL,
      ignoreFetchAbort: true,
      fetchMethod: async (session) => {
        const row = oneOrNone(await sessionByHash(db)({ session }));
        return { isOpen: row !== undefined, hasSecondFactor: row?.hasSecondFactor === true };
      },
    });

    function read(token: string, use: Claims['use']): Claims | 'invalid' | 'expired' {
      try {
        const claims = verify(token);
        return claims.use === use && /^\d{1,16}$/.test(claims.sub) ? claims : 'invalid';
      } catch (error) {
        return (error as { code?: string }).code === 'FAST_JWT_EXPIRED' ? 'expired' : 'invalid';
      }
    }

    app.decorate('tokens', {
      signRefresh: (userId, sessionId) => {
        const expiresAt = new Date((Math.floor(Date.now() / 1000) + refreshTtl) * 1000);
        const payload = { sub: String(userId), use: 'refresh' as const, jti: sessionId };
        return { token: signer.sign(payload, { expiresIn: refreshTtl }), expiresAt };
      },
      signSuccessor: (userId, sessionId, rotation, expiresAt) => {
        const exp = Math.floor(expiresAt.getTime() / 1000);
        return signer.sign({ sub: String(userId), use: 'refresh', jti: sessionId, seq: rotation, exp });
      },
      signAccess: (userId, session, generation) =>
        signer.sign({ sub: String(userId), use: 'access', sid: session, gen: generation }, { expiresIn: accessTtl }),
      readRefresh: (token, mayBeExpired) => {
        let claims = read(token, 'refresh');
        if (claims === 'expired' && mayBeExpired) {
          claims = verify(token, { algorithms: ['HS256'], ignoreExpiration: true });
          if (claims.use !== 'refresh') return null;
        }
        if (typeof claims === 'string' || claims.jti === undefined) return null;
        return { userId: Number(claims.sub), sessionId: claims.jti, rotation: claims.seq ?? 0 };
      },
      forgetUser: (userId) => void knownUsers.delete(userId),
      forgetSession: (session) => void knownSessions.delete(session),
      newServiceSecret,
      forgetServiceKeys: () => serviceKeys.forget(),
    });
    /** By the header that it came in: to check a signature again costs more than to look for it. */
    const knownTokens = new LRUCache<string, { bearer: Bearer; expiresAt: number }>({ max: KNOWN_TOKENS });
    const callerOf = (
      { userId, session, generation }: UserBearer,
      user: KnownUser | undefined,
      known: KnownSession | undefined,
    ): Caller | null => {
      if (user?.isActive !== true || known?.isOpen !== true) return null;
      const isCurrent = generation === user.generation || session === (user.keptSession ?? '');
      if (!isCurrent) return null;
      return user.isStaff && staffNeedSecondFactor && !known.hasSecondFactor
        ? { id: userId, isStaff: false, session, lacksSecondFactor: true }
        : { id: userId, isStaff: user.isStaff, session };
    };
    const findService = (keyHash: string): ServiceCaller | null | Promise<ServiceCaller | null> => {
      const read = (key: Awaited<ReturnType<ServiceKeys['find']>>): ServiceCaller | null => {
        if (key !== null) serviceKeys.note(key.service);
        return key?.service ?? null;
      };
      const found = serviceKeys.find(keyHash);
      return found instanceof Promise ? found.then(read) : read(found);
    };
    app.decorate('callers', {
      read: (authorization) => {
        if (authorization === undefined) return 'none';
        const known = knownTokens.get(authorization);
        if (known !== undefined) return Date.now() < known.expiresAt ? known.bearer : 'expired';
        const token = /^Bearer +([\w.~+/=-]{1,2000}) *$/i.exec(authorization)?.[1];
        const keyHash = token === undefined ? undefined : serviceHash(token);
        if (keyHash !== undefined) return { keyHash };
        const claims = token === undefined ? 'invalid' : read(token, 'access');
        if (typeof claims === 'string') return claims;
        const { sub, sid = null, gen = 0, exp } = claims;
        const bearer = { userId: Number(sub), session: sid, generation: gen };
        knownTokens.set(authorization, { bearer, expiresAt: exp * 1000 });
        return bearer;
      },
      find: (bearer) => {
        if ('keyHash' in bearer) return findService(bearer.keyHash);
        const { userId, session } = bearer;
        const user = knownUsers.get(userId);
        const known = session === null ? UNNAMED : knownSessions.get(session);
        if (user !== undefined && known !== undefined) return callerOf(bearer, user, known);
        const asked = session === null ? Promise.resolve(UNNAMED) : knownSessions.fetch(session);
        return Promise.all([knownUsers.fetch(userId), asked]).then(([user, known]) => callerOf(bearer, user, known));
      },
    });
    app.decorateRequest('bearer', 'none');
    app.decorateRequest('caller', null);
  },
  { name: 'auth', dependencies: ['errors', 'database'] },
);
