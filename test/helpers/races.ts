import { setTimeout as sleep } from 'node:timers/promises';
import type { Db, Tx } from '../../db/client.js';
import type { TestAnswer, TestApp } from './app.js';

/** For an application whose requests are to race: what waits for a lock has less than half of the connections. */
export const RACING = { DATABASE_POOL: '32' };

/** Resolves when just so many queries wait for a lock, and have for some time. */
async function untilWaitingFor(db: Db | Tx, count: () => number, milliseconds: number): Promise<void> {
  for (;;) {
    // A transaction sees the same activity all the time, unless told to look again.
    await db.execute('select pg_stat_clear_snapshot()');
    const waiting = await db.execute(
      `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'
      and clock_timestamp() >= query_start + make_interval(secs => ${milliseconds} / 1000.0)`,
    );
    if (waiting.length === count()) return;
    await sleep(20);
  }
}

/** Resolves when just so many queries wait for a lock. */
export const untilWaiting = (db: Db | Tx, count: () => number): Promise<void> => untilWaitingFor(db, count, 0);

/**
 * The same, when they have their places: what has waited briefly in vain gives all its locks up once, and queues anew
 * behind whoever came meanwhile.
 */
export const untilQueued = (db: Db | Tx, count: () => number): Promise<void> => untilWaitingFor(db, count, 500);

/**
 * Makes requests at once that all get as far as the rows or tables that `lock` (a statement) holds, and only then lets
 * them go on: no more than have a connection each.
 */
export async function race(
  { database: { db } }: TestApp,
  lock: string,
  requests: readonly (() => Promise<TestAnswer>)[],
): Promise<TestAnswer[]> {
  const { answers } = await db.transaction(async (tx) => {
    await tx.execute(lock);
    let left = requests.length;
    const started = { answers: Promise.all(requests.map((request) => request().finally(() => left--))) };
    await untilWaiting(tx, () => left);
    return started;
  });
  return answers;
}
