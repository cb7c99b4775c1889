import { ProblemError } from './problem-error.js';

export interface Bounds {
  /** Tasks that run at once. */
  readonly running: number;
  /** Further ones that wait for their turn, first come, first served. */
  readonly waiting: number;
  /** What is said to whoever finds the line full. */
  readonly detail: string;
}

/** Seconds after which whoever found the line full may try again. */
const RETRY_AFTER = '5';

/**
 * Bounds work that takes a processor for long, so that it leaves time for whatever else is asked.
 * @returns runs a task in its turn; throws ProblemError `unavailable`, with the task not begun, where too many wait already
 */
export function inTurn({ running, waiting, detail }: Bounds): <T>(task: () => Promise<T>) => Promise<T> {
  const line: (() => void)[] = [];
  let free = running;
  return async (task) => {
    if (free > 0) free--;
    else if (line.length < waiting) await new Promise<void>((resolve) => line.push(resolve));
    else throw new ProblemError('unavailable', detail, {}, { 'retry-after': RETRY_AFTER });
    try {
      return await task();
    } finally {
      const next = line.shift();
      if (next === undefined) free++;
      else next();
    }
  };
}
