import { drizzle } from 'drizzle-orm/postgres-js';
import { LRUCache } from 'lru-cache';
import type { Sql } from 'postgres';
import type { Db } from './client.js';
import type { Outage } from './outage.js';
import { oneOrNone } from './rows.js';

/** How far a replica may be behind, in milliseconds, before it is not asked any more. */
export const MAX_LAG = 5_000;

/** Milliseconds between two looks at how far it has come. */
const INTERVAL = 1_000;

/** Milliseconds after which the primary is asked instead: longer than any public list takes. */
const PATIENCE = 2_000;

/** A standby that answers reads which need not know of the last seconds. */
export interface Replica {
  /** Reads there, or on the primary where that fails. */
  of(kind: string): Db;
  /** Whether it is known to have all that was stored `MAX_LAG` ago. */
  isCurrent(): boolean;
  /** Seconds by which it is known to be behind, at the most; infinite where it is not known to have anything. */
  lag(): number;
  close(): void;
}

export interface ReplicaOptions {
  /** The standby. */
  readonly client: Sql;
  /** The database that it follows. */
  readonly primary: Sql;
  /** What Drizzle and `direct` need of a client, for a kind of work: the standby's, and the primary's. */
  readonly clientsOf: (kind: string) => { standby: Sql; primary: Sql };
  /** Whether what failed on the standby may go well on the primary. */
  readonly isItsOwn: (error: unknown) => boolean;
  readonly outageOf: (isBack: () => Promise<unknown>) => Outage;
  /** Milliseconds. */
  readonly now?: () => number;
}

/** A position in the write-ahead log: two numbers of 32 bits, hexadecimal. */
function positionOf(lsn: string): bigint {
  const [high = '', low = ''] = lsn.split('/');
  return (BigInt(`0x${high}`) << 32n) | BigInt(`0x${low}`);
}

/** Rejects when it takes longer than `PATIENCE`: a standby that swallows what it is sent costs no more. */
async function inTime<T>(work: PromiseLike<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<never>((_resolve, reject) => {
    const error = Object.assign(new Error('it does not answer'), { code: 'ETIMEDOUT' });
    timer = setTimeout(reject, PATIENCE, error);
  });
  try {
    return await Promise.race([work, tooLate]);
  } finally {
    clearTimeout(timer);
  }
}

/** Watches how far a standby is behind, by asking both servers how far they have come: clocks need not agree for that. */
export function openReplica(options: ReplicaOptions): Replica {
  const { client, primary, clientsOf, isItsOwn, outageOf, now = () => performance.now() } = options;
  /** Where the primary was, and when; the oldest first. */
  const marks: { readonly at: number; readonly position: bigint }[] = [];
  let currentAsOf = -Infinity;
  let isClosed = false;
  let timer: NodeJS.Timeout | undefined;

  /** @throws an error of either server; where the URL leads to none that follows the primary */
  async function look(): Promise<void> {
    const at = now();
    const there = oneOrNone(
      await primary.unsafe<{ lsn: string; system: string }[]>(
        'select pg_current_wal_flush_lsn()::text as lsn, system_identifier::text as system from pg_control_system()',
      ),
    );
    const here = oneOrNone(
      await inTime(
        client<{ lsn: string | null; system: string; isStandby: boolean }[]>`
          select pg_last_wal_replay_lsn()::text as lsn, system_identifier::text as system, pg_is_in_recovery() as "isStandby"
          from pg_control_system()`,
      ),
    );
    if (there === undefined || here?.lsn === undefined || here.lsn === null || !here.isStandby) {
      throw new Error('it is no standby');
    }
    if (here.system !== there.system) throw new Error('it is a standby of another server');
    marks.push({ at, position: positionOf(there.lsn) });
    const position = positionOf(here.lsn);
    while (marks[0] !== undefined && marks[0].position <= position) currentAsOf = (marks.shift() as { at: number }).at;
    // Of one that is far behind the first mark is the one that tells when it has come nearer.
    if (marks.length > 100) marks.splice(1, 1);
  }

  const outage = outageOf(look);
  const schedule = (): void => {
    if (!isClosed) timer = setTimeout(() => void watch(), INTERVAL).unref();
  };
  async function watch(): Promise<void> {
    if (!outage.isOn) await look().catch(lose);
    schedule();
  }
  function lose(error: unknown): void {
    marks.length = 0;
    currentAsOf = -Infinity;
    outage.begin(error);
  }

  const kinds = new LRUCache<string, Db>({
    max: 100,
    memoMethod: (kind) => {
      const clients = clientsOf(kind);
      const unsafe = (query: string, parameters: never[], more: object) => {
        const run = (read: (rows: ReturnType<Sql['unsafe']>) => PromiseLike<unknown>) => () =>
          inTime(read(clients.standby.unsafe(query, parameters, more))).catch((error: unknown) => {
            if (!isItsOwn(error)) throw error;
            lose(error);
            return read(clients.primary.unsafe(query, parameters, more));
          });
        const rows = run((rows) => rows);
        return {
          then: (...handlers: Parameters<Promise<unknown>['then']>) => rows().then(...handlers),
          values: run((rows) => rows.values()),
          raw: run((rows) => rows.raw()),
        };
      };
      return drizzle({ options: client.options, unsafe } as unknown as Sql, { casing: 'snake_case' });
    },
  });

  void watch();
  return {
    of: (kind) => kinds.memo(kind),
    isCurrent: () => now() - currentAsOf <= MAX_LAG,
    lag: () => (now() - currentAsOf) / 1000,
    close: () => {
      isClosed = true;
      clearTimeout(timer);
      outage.close();
    },
  };
}
