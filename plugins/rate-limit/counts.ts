import LocalStore from '@fastify/rate-limit/store/LocalStore.js';
import RedisStore from '@fastify/rate-limit/store/RedisStore.js';
import type { FastifyBaseLogger } from 'fastify';
import type { Redis } from 'ioredis';

/** How often a key was counted in its window, and how many milliseconds the window has left. */
export interface Count {
  readonly current: number;
  readonly ttl: number;
}

/** Is to read the count at once: the object may change afterwards. */
type Counted = (count: Count) => void;

/** Counts requests by keys. A key's window, in milliseconds, begins with the first that it counts. Nothing here fails. */
export interface Counts {
  /** Counts one more; without Redis `done` is called before it returns. */
  add(key: string, window: number, done: Counted): void;
  /** Counts one more where that makes no more than `max`; else `done` gets a count over it. */
  addUpTo(max: number, key: string, window: number, done: Counted): void;
  /** Takes back one that was counted. */
  giveBack(key: string): void;
  /** Of counts that instances share: whether they do at present. */
  readonly isShared?: () => boolean;
  close(): void;
}

/** Keys of which an instance knows the counts; past these it forgets the one that was longest not counted. */
const MAX_KEYS = 100_000;

/** Counts of this instance alone. */
class LocalCounts extends LocalStore implements Counts {
  constructor() {
    super(false, false, MAX_KEYS);
  }

  add(key: string, window: number, done: Counted): void {
    const counted = (_error: null, count: Count): void => {
      if (count.ttl <= window) done(count);
      else {
        // The clock was set back, which would prolong the window by as much.
        this.lru.delete(key);
        this.add(key, window, done);
      }
    };
    this.incr(key, counted, window, 0);
  }

  addUpTo(max: number, key: string, window: number, done: Counted): void {
    this.add(key, window, ({ current, ttl }) => {
      if (current > max) this.giveBack(key);
      done({ current, ttl });
    });
  }

  giveBack(key: string): void {
    const count = this.lru.get(key);
    if (count !== undefined && count.current > 0) count.current--;
  }

  close(): void {}
}

const PREFIX = 'hospital-management-api:rate-limit:';
/** Milliseconds that a request waits for Redis at most. */
const PATIENCE = 250;
/** Milliseconds after which a Redis that was away is tried again. */
const RETRY_INTERVAL = 500;
/** Milliseconds in which a connection has to be there and ready. */
const CONNECT_TIMEOUT = 2000;

const ADD_UP_TO = `
  local current = tonumber(redis.call('GET', KEYS[1]) or '0')
  if current >= tonumber(ARGV[1]) then return {current + 1, redis.call('PTTL', KEYS[1])} end
  if redis.call('INCR', KEYS[1]) == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
  return {current + 1, redis.call('PTTL', KEYS[1])}`;

/** It makes no key, which would never expire. */
const GIVE_BACK = "if tonumber(redis.call('GET', KEYS[1]) or '0') > 0 then redis.call('DECR', KEYS[1]) end";

/** Counts that all instances share; while Redis is away or too slow, of this instance alone. */
class SharedCounts implements Counts {
  readonly #local = new LocalCounts();
  readonly #log: FastifyBaseLogger;
  readonly #redis: Redis;
  readonly #store: RedisStore;
  #isAway = false;
  #isClosed = false;
  #retry: NodeJS.Timeout | undefined;

  constructor(redis: Redis, log: FastifyBaseLogger) {
    this.#log = log;
    this.#redis = redis;
    this.#redis.on('error', (error: Error) => this.#leave(error));
    this.#store = new RedisStore(false, false, this.#redis, PREFIX);
  }

  /** Connects, or finds that Redis is away. */
  async connect(): Promise<void> {
    await this.#redis.connect().catch((error: Error) => this.#leave(error));
  }

  add(key: string, window: number, done: Counted): void {
    if (this.#isAway) this.#local.add(key, window, done);
    else
      this.#add(key, window).then(done, (error: Error) => {
        this.#leave(error);
        this.#local.add(key, window, done);
      });
  }

  addUpTo(max: number, key: string, window: number, done: Counted): void {
    if (this.#isAway) this.#local.addUpTo(max, key, window, done);
    else
      this.#addUpTo(max, key, window).then(done, (error: Error) => {
        this.#leave(error);
        this.#local.addUpTo(max, key, window, done);
      });
  }

  giveBack(key: string): void {
    if (this.#isAway) this.#local.giveBack(key);
    else this.#redis.eval(GIVE_BACK, 1, PREFIX + key).catch((error: Error) => this.#leave(error));
  }

  readonly isShared = (): boolean => !this.#isAway;

  close(): void {
    this.#isAway = this.#isClosed = true;
    clearTimeout(this.#retry);
    this.#redis.disconnect();
  }

  #add(key: string, window: number): Promise<Count> {
    return inTime((resolve, reject) => {
      this.#store.incr(key, (error, count) => (error === null ? resolve(count) : reject(error)), window, 0);
    });
  }

  #addUpTo(max: number, key: string, window: number): Promise<Count> {
    return inTime((resolve, reject) => {
      const answer = this.#redis.eval(ADD_UP_TO, 1, PREFIX + key, max, window) as Promise<[number, number]>;
      answer.then(([current, ttl]) => resolve({ current, ttl }), reject);
    });
  }

  #leave(error: Error & { code?: string }): void {
    if (this.#isAway) return;
    this.#isAway = true;
    // Nothing else of the error: it holds the command, and that the password or whom it counts.
    this.#log.warn({ reason: error.message || error.code }, 'Redis is away: this instance limits requests on its own');
    this.#retryLater();
  }

  #retryLater(): void {
    if (this.#isClosed) return;
    this.#retry = setTimeout(() => {
      // What a PING says is no proof: a Redis that is full, or a replica, answers it and counts nothing.
      this.#add('retry', RETRY_INTERVAL).then(
        () => this.#comeBack(),
        (error: Error) => {
          // The connection may be one that only this end still knows of.
          if (error instanceof TooSlow) this.#redis.disconnect(true);
          this.#retryLater();
        },
      );
    }, RETRY_INTERVAL).unref();
  }

  #comeBack(): void {
    if (this.#isClosed) return;
    this.#isAway = false;
    this.#log.info('Redis is back: limits are shared between instances');
  }
}

class TooSlow extends Error {
  override readonly name = 'TooSlow';
  override readonly message = `no answer in ${PATIENCE} ms`;
}

/** A promise that is rejected when Redis takes too long. */
function inTime<T>(ask: (resolve: (value: T) => void, reject: (error: Error) => void) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    const giveUp = (): void => reject(new TooSlow());
    // Where this process was the slow one, the answer is there and is read before the immediate.
    const timer = setTimeout(() => setImmediate(giveUp), PATIENCE);
    const stop =
      <V>(settle: (value: V) => void) =>
      (value: V): void => {
        clearTimeout(timer);
        settle(value);
      };
    ask(stop(resolve), stop(reject));
  });
}

/** @param redisUrl where the counts are that instances share; null: this instance counts on its own */
export async function openCounts(redisUrl: string | null, log: FastifyBaseLogger): Promise<Counts> {
  if (redisUrl === null) return new LocalCounts();
  const { Redis } = await import('ioredis');
  const redis = new Redis(redisUrl, {
    lazyConnect: true,
    connectTimeout: CONNECT_TIMEOUT,
    // For what the client asks by itself; requests wait for less.
    commandTimeout: CONNECT_TIMEOUT,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
  });
  const counts = new SharedCounts(redis, log);
  await counts.connect();
  return counts;
}
