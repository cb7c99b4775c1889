import { ProblemError } from './problem-error.js';

export interface Bounds {
  /** Tasks that run at once. */
  readonly running: number;
  /** Further ones that wait for their turn: first come, first served, but no two of one and the same in a row while others wait. */
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

/** Seconds after which whoever found the line full may try again. */
const RETRY_AFTER = '5';

const unavailable = (detail: string): ProblemError =>
  new ProblemError('unavailable', detail, {}, { 'retry-after': RETRY_AFTER });

/**
 * Bounds work that takes a processor for long, so that it leaves time for whatever else is asked.
 * @returns runs a task in its turn; throws ProblemError `unavailable`, with the task not begun, where too many wait already
 * or the client is gone
 */
export function inTurn({ running, waiting, each = Infinity, detail }: Bounds) {
  const line = new Set<{ readonly begin: () => void; readonly by: Turn['by'] }>();
  let last: Turn['by'];
  const open = new Map<string | number, number>();
  let free = running;

  const wait = ({ by, signal }: Turn): Promise<void> =>
    new Promise((resolve, reject) => {
      const begin = (): void => {
        signal?.removeEventListener('abort', leave);
        resolve();
      };
      const waiter = { begin, by };
      const leave = (): void => {
        line.delete(waiter);
        reject(unavailable('The client did not wait.'));
      };
      signal?.addEventListener('abort', leave, { once: true });
      line.add(waiter);
    });

  const run = async <T>(task: () => Promise<T>, turn: Turn): Promise<T> => {
    if (turn.signal?.aborted === true) throw unavailable('The client did not wait.');
    if (free > 0) free--;
    else if (line.size < waiting) await wait(turn);
    else throw unavailable(detail);
    last = turn.by;
    try {
      return await task();
    } finally {
      const [first, ...others] = line;
      const next = first?.by === last ? (others.find(({ by }) => by !== last) ?? first) : first;
      if (next === undefined) free++;
      else {
        line.delete(next);
        next.begin();
      }
    }
  };

  return async <T>(task: () => Promise<T>, turn: Turn = {}): Promise<T> => {
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
}
