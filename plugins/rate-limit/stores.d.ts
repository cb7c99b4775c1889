/** The stores of @fastify/rate-limit, which its own types leave out. */
declare module '@fastify/rate-limit/store/LocalStore.js' {
  export default class LocalStore {
    protected readonly lru: {
      get(key: string): { current: number } | undefined;
      delete(key: string): void;
    };
    constructor(continueExceeding: boolean, exponentialBackoff: boolean, cache: number);
    incr(
      key: string,
      callback: (error: null, result: { current: number; ttl: number }) => void,
      timeWindow: number,
      max: number,
    ): void;
  }
}

declare module '@fastify/rate-limit/store/RedisStore.js' {
  export default class RedisStore {
    constructor(continueExceeding: boolean, exponentialBackoff: boolean, redis: object, key: string);
    incr(
      key: string,
      callback: (error: Error | null, result: { current: number; ttl: number }) => void,
      timeWindow: number,
      max: number,
    ): void;
  }
}
