import type { FastifyInstance, FastifyReply, FastifyRequest, onRequestHookHandler } from 'fastify';
import fp from 'fastify-plugin';
import { isIPv6 } from 'node:net';
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';
import type { Operation, OperationConfig } from '../openapi/operation.js';
import { ProblemError } from '../openapi/problem-error.js';

export interface RateLimitOptions {
  /** Requests a minute of a client address without a valid access token. */
  readonly anonymous: number;
  /** Requests a minute of a signed-in user. */
  readonly user: number;
  /** Requests a minute of a client address to the operations that the contract marks `x-rate-limit: auth`. */
  readonly auth: number;
}

/** Counts one user name's failed logins from one address. */
export interface FailedLogins {
  /** @throws ProblemError too-many-requests after 10 in 15 minutes */
  check(username: string): Promise<void>;
  count(username: string): Promise<void>;
}

type Limit = (request: FastifyRequest, reply: FastifyReply, next: (error?: Error) => void) => void;

declare module 'fastify' {
  interface FastifyInstance {
    readonly limits: Readonly<Record<OperationConfig['rateLimit'], Limit>>;
  }
  interface FastifyRequest {
    readonly failedLogins: FailedLogins;
  }
}

const MINUTE = 60;
const FAILED_LOGINS = 10;
const FAILED_LOGIN_WINDOW = 15 * MINUTE;

/** A subscriber of IPv6 has a whole /64, so its addresses count as one. */
function clientAddress(ip: string): string {
  if (!ip.includes(':') || !isIPv6(ip)) return ip;
  const mapped = /^[0:]*:ffff:([\d.]+)$/i.exec(ip)?.[1];
  if (mapped !== undefined) return mapped;
  const [head = [], tail = []] = ip.split('::').map((half) => half.split(':').filter(Boolean));
  // An IPv4 address at the end stands for two groups.
  const length = head.length + tail.length + (ip.includes('.') ? 1 : 0);
  const zeros = Array.from({ length: ip.includes('::') ? 8 - length : 0 }, () => '0');
  const groups = [...head, ...zeros, ...tail].slice(0, 4);
  return groups.map((group) => Number.parseInt(group, 16).toString(16)).join(':');
}

const tooMany = (detail: string, result: RateLimiterRes): ProblemError =>
  new ProblemError('too-many-requests', detail, {}, { 'retry-after': String(seconds(result)) });

const seconds = (result: RateLimiterRes): number => Math.max(1, Math.ceil(result.msBeforeNext / 1000));

/** Refuses what is over the limit, and tells how much is left of it. */
export const limit = ({ config: { rateLimit } }: Operation): onRequestHookHandler =>
  function limitRate(request, reply, next) {
    request.server.limits[rateLimit](request, reply, next);
  };

/**
 * Limits requests by the minute: by user where a valid access token came, else by client address. Headers are those of
 * the IETF draft "RateLimit header fields for HTTP", in its present form and in the three-field form of its drafts up
 * to 06, which clients in the field know.
 */
export default fp(
  function rateLimit(app: FastifyInstance, options: RateLimitOptions, done) {
    const limiter = (name: string, points: number) => ({
      policy: `"${name}";q=${points};w=${MINUTE}`,
      name,
      points,
      store: new RateLimiterMemory({ keyPrefix: name, points, duration: MINUTE }),
    });
    const limiters = {
      anonymous: limiter('anonymous', options.anonymous),
      user: limiter('user', options.user),
      auth: limiter('auth', options.auth),
    };
    const failures = new RateLimiterMemory({
      keyPrefix: 'failed-login',
      points: FAILED_LOGINS,
      duration: FAILED_LOGIN_WINDOW,
    });

    const limitBy = (isAuth: boolean) =>
      function limit(request: FastifyRequest, reply: FastifyReply, next: (error?: Error) => void): void {
        const { bearer } = request;
        const isUser = !isAuth && typeof bearer === 'object';
        const { store, points, name, policy } = isAuth ? limiters.auth : isUser ? limiters.user : limiters.anonymous;
        const key = isUser ? String(bearer.userId) : clientAddress(request.ip);
        const announce = (result: RateLimiterRes): void => {
          const reset = String(seconds(result));
          const remaining = String(Math.max(0, result.remainingPoints));
          reply.headers({
            'ratelimit-policy': policy,
            ratelimit: `"${name}";r=${remaining};t=${reset}`,
            'ratelimit-limit': String(points),
            'ratelimit-remaining': remaining,
            'ratelimit-reset': reset,
          });
        };
        store.consume(key).then(
          (result) => {
            announce(result);
            next();
          },
          (rejection: unknown) => {
            if (!(rejection instanceof RateLimiterRes)) {
              next(rejection as Error);
              return;
            }
            announce(rejection);
            next(tooMany(`The limit of ${points} requests a minute is reached.`, rejection));
          },
        );
      };

    app.decorate('limits', { general: limitBy(false), auth: limitBy(true) });
    app.decorateRequest('failedLogins', {
      getter(this: FastifyRequest): FailedLogins {
        const key = (username: string): string => `${username.toLowerCase()} ${clientAddress(this.ip)}`;
        return {
          check: async (username) => {
            const result = await failures.get(key(username));
            if (result !== null && result.consumedPoints >= FAILED_LOGINS) {
              throw tooMany('There were too many failed logins for this user name.', result);
            }
          },
          count: async (username) => void (await failures.penalty(key(username))),
        };
      },
    });
    done();
  },
  { name: 'rate-limit', dependencies: ['errors', 'auth'] },
);
