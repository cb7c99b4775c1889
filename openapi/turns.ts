import { LRUCache } from 'lru-cache';
import { ProblemError } from './problem-error.js';

export interface Bounds {
  /** Tasks that run at once. */
  readonly running: number;
  /**
   * Further ones that wait: next is whose last turn is the longest ago, so that who asks seldom waits for nobody's many; of
   * one and the same, and of those who had none yet, who came first. Every second turn is of those who are favoured.
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
 * @returns runs a task in its turn; throws ProblemError `unavailable`, with the task not begun, where too many wait, those
 * of others who have more than their share aside, or the client is gone. Has the line's `state`, and `favour`, which tells
 * whether somebody does not wait for all the others any more: who comes with good reason, while they come by the hundred.
 */
export function inTurn({ running, waiting, each = Infinity, detail }: Bounds) {
  const line = new Set<Waiter>();
  /** When each had the last turn, as its number. Those without a name are one. */
  const served = new LRUCache<string | number, number>({ max: KNOWN });
  let turns = 0;
  const favoured = new LRUCache<string | number, true>({ max: KNOWN });
  let wasFavoured = false;
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

  const isFavoured = (by: Turn['by']): boolean => by !== undefined && favoured.has(by);

  /**
   * Refuses the last one of whoever has the most in a full line, where somebody else who comes has fewer, or else one of
   * those who are not favoured, where the comer is.
   */
  const makeRoom = (comer: Turn['by']): boolean => {
    const counts = new Map<Turn['by'], number>();
    for (const { by } of line) counts.set(by, (counts.get(by) ?? 0) + 1);
    const most = Math.max(...counts.values());
    const mayLeave =
      most > (counts.get(comer) ?? 0) + 1
        ? ({ by }: Waiter) => counts.get(by) === most
        : ({ by }: Waiter) => isFavoured(comer) && !isFavoured(by);
    const last = [...line].findLast(mayLeave);
    last?.refuse(detail);
    return last !== undefined;
  };

  /** Whose last turn is the longest ago. */
  const first = (waiters: Iterable<Waiter>): Waiter | undefined => {
    const lastTurn = ({ by }: Waiter): number => served.get(by ?? '') ?? 0;
    let next: Waiter | undefined;
    for (const waiter of waiters) if (next === undefined || lastTurn(waiter) < lastTurn(next)) next = waiter;
    return next;
  };

  const takeNext = (): Waiter | undefined => {
    const preferred = wasFavoured ? undefined : first([...line].filter(({ by }) => isFavoured(by)));
    wasFavoured = preferred !== undefined;
    const next = preferred ?? first(line);
    if (next !== undefined) line.delete(next);
    return next;
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
      const next = takeNext();
      if (next === undefined) free++;
      else next.begin();
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
  const favour = (by: Turn['by'], isGood: boolean): void => {
    if (by === undefined) return;
    if (isGood) favoured.set(by, true);
    else favoured.delete(by);
  };
  return Object.assign(takeTurn, { state, favour });
}
