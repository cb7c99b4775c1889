import type { Count, Counts } from './counts.js';

/** Milliseconds that an attempt waits for those before it, and how many wait at the most. */
const PATIENCE = 10_000;
const MAX_WAITING = 500;

interface Line {
  /** Attempts that are being counted or judged. */
  open: number;
  /** Each is called with a count where the limit is reached for good, and else without to try again. */
  readonly waiting: ((refusal?: Count) => void)[];
}

/**
 * Counts the failed ones of attempts. Each is counted before it is judged, so that of however many at once no more are
 * judged than may fail, and given back if it was right. Where the limit is reached by attempts that this instance still
 * judges, the next ones wait a while for their end: a whole clinic may log in at once.
 */
export class Attempts {
  readonly #counts: Counts;
  readonly #max: number;
  readonly #window: number;
  readonly #lines = new Map<string, Line>();

  /** @param window milliseconds */
  constructor(counts: Counts, max: number, window: number) {
    this.#counts = counts;
    this.#max = max;
    this.#window = window;
  }

  /** Counts an attempt; `end` has to be called for one that is not `isOver` the limit, and only for such. */
  async begin(key: string): Promise<Count & { isOver: boolean }> {
    let line = this.#lines.get(key);
    if (line === undefined) this.#lines.set(key, (line = { open: 0, waiting: [] }));
    line.open++;
    for (;;) {
      const count = await this.#add(key);
      if (count.current <= this.#max) return { ...count, isOver: false };
      line.open--;
      if (line.open === 0) {
        this.#lines.delete(key);
        for (const refuse of line.waiting) refuse(count);
        return { ...count, isOver: true };
      }
      const refusal = line.waiting.length < MAX_WAITING ? await this.#wait(line, count) : count;
      if (refusal !== undefined) return { ...refusal, isOver: true };
    }
  }

  /** Ends an attempt that has begun. */
  end(key: string, isFailed: boolean): void {
    if (!isFailed) this.#counts.giveBack(key);
    const line = this.#lines.get(key);
    if (line === undefined) return;
    line.open--;
    const next = isFailed && line.open > 0 ? undefined : line.waiting.shift();
    if (next !== undefined) {
      line.open++;
      next();
    } else if (line.open === 0) this.#lines.delete(key);
  }

  /** Waits in line for a while: whoever sends a body slowly must not hold up all others of the address. */
  #wait({ waiting }: Line, count: Count): Promise<Count | undefined> {
    return new Promise((resolve) => {
      const settle = (refusal?: Count): void => {
        clearTimeout(timer);
        resolve(refusal);
      };
      const giveUp = (): void => {
        waiting.splice(waiting.indexOf(settle), 1);
        resolve(count);
      };
      const timer = setTimeout(giveUp, PATIENCE);
      waiting.push(settle);
    });
  }

  #add(key: string): Promise<Count> {
    return new Promise((resolve) =>
      this.#counts.addUpTo(this.#max, key, this.#window, ({ current, ttl }) => resolve({ current, ttl })),
    );
  }
}
