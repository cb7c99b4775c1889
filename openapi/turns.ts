import { LRUCache } from 'lru-cache';
import { ProblemError } from './problem-error.js';

export interface Bounds {
  /** Tasks that run at once. */
  readonly running: number;
  /**
   * Further ones that wait: next is whose last turn is the longest ago, so that who asks seldom waits for nobody's many; of
   * one and the same, and of those who had none yet, who came first.
   */
  readonly waiting: number;
  /** Those of one and the same that run or wait; by default as many as there are places. */
  readonly each?: number;
  /** What is said to whoever finds the line full. */
  readonly detail: string;
}

export interface Turn {
  /** Whose task it is; undefined where nobody counts. */
  readonly by?: string | number | undefined;
  /** Takes a task out of the line: its answer would reach nobody. */
  readonly signal?: AbortSignal | undefined;
}

/** Of so many it is known when they had their last turn. */
const KNOWN = 10_000;

export interface QueueState {
  /** Tasks in work. */
  readonly running: number;
  readonly waiting: number;
}

interface Waiter {
  readonly begin: () => void;
  readonly refuse: (detail: string) => void;
  readonly by: Turn['by'];
}

/** Seconds after which whoever found the line full may try again. */
const RETRY_AFTER = '5';

const unavailable = (detail: string): ProblemError =>
  new ProblemError('unavailable', detail, {}, { 'retry-after': RETRY_AFTER });

/**
 * Bounds work that takes a processor for long, so that it leaves time for whatever else is asked.
 * @returns runs a task in its turn, and has the line's `state`; throws ProblemError `unavailable`, with the task not begun, where too many wait, those
 * of others who have more than their share aside, or the client is gone
 */
export function inTurn({ running, waiting, each = Infinity, detail }: Bounds) {
  const line = new Set<Waiter>();
  /** When each had the last turn, as its number. Those without a name are one. */
  const served = new LRUCache<string | number, number>({ max: KNOWN });
  let turns = 0;
  const open = new Map<string | number, number>();
  let free = running;

  const wait = ({ by, signal }: Turn): Promise<void> =>
    new Promise((resolve, reject) => {
      const begin = (): void => {
        signal?.removeEventListener('abort', leave);
        resolve();
      };
      const refuse = (detail: string): void => {
        signal?.removeEventListener('abort', leave);
        line.delete(waiter);
        reject(unavailable(detail));
      };
      const leave = (): void => refuse('The client did not wait.');
      const waiter = { begin, refuse, by };
      signal?.addEventListener('abort', leave, { once: true });
      line.add(waiter);
    });

  /** Refuses the last one of whoever has the most in a full line, where somebody else who comes has fewer. */
  const makeRoom = (comer: Turn['by']): boolean => {
    const counts = new Map<Turn['by'], number>();
    for (const { by } of line) counts.set(by, (counts.get(by) ?? 0) + 1);
    const most = Math.max(...counts.values());
    if (most <= (counts.get(comer) ?? 0) + 1) return false;
    const last = [...line].findLast(({ by }) => counts.get(by) === most);
    last?.refuse(detail);
    return true;
  };

  const run = async <T>(task: () => Promise<T>, turn: Turn): Promise<T> => {
    if (turn.signal?.aborted === true) throw unavailable('The client did not wait.');
    if (free > 0) free--;
    else if (line.size < waiting || makeRoom(turn.by)) await wait(turn);
    else throw unavailable(detail);
    served.set(turn.by ?? '', ++turns);
    try {
      return await task();
    } finally {
      const lastTurn = ({ by }: { readonly by: Turn['by'] }): number => served.get(by ?? '') ?? 0;
      let next: Waiter | undefined;
      for (const waiter of line) if (next === undefined || lastTurn(waiter) < lastTurn(next)) next = waiter;
      if (next === undefined) free++;
      else {
        line.delete(next);
        next.begin();
      }
    }
  };

  const takeTurn = async <T>(task: () => Promise<T>, turn: Turn = {}): Promise<T> => {
    const { by } = turn;
    if (by === undefined) return run(task, turn);
    const own = open.get(by) ?? 0;
    if (own >= each) throw unavailable(detail);
    open.set(by, own + 1);
    try {
      return await run(task, turn);
    } finally {
      const left = (open.get(by) ?? 0) - 1;
      if (left > 0) open.set(by, left);
      else open.delete(by);
    }
  };
  const state = (): QueueState => ({ running: running - free, waiting: line.size });
  return Object.assign(takeTurn, { state });
}
