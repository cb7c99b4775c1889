/** How many requests a second a system answers at most. */

/** What came of a rate that was kept up for some seconds. */
export interface Step {
  /** Requests that were due a second. */
  readonly rate: number;
  /** Answers a second, until the last one. */
  readonly throughput: number;
  /** Milliseconds from the moment at which a request was due. */
  readonly p99: number;
  readonly errors: number;
}

const FIRST = 100;
const GROWTH = 1.5;
/** The last two rates lie no further apart. */
const NEAR = 1.1;
/** Below it, no more is tried. */
const LEAST = 5;
const MAX_P99 = 1000;
/** A share of what was due. */
const KEPT_UP = 0.95;

export const holds = ({ rate, throughput, p99, errors }: Step): boolean =>
  errors === 0 && p99 <= MAX_P99 && throughput >= rate * KEPT_UP;

/**
 * Raises the rate until it no longer holds, twice in turn, and then comes nearer to the highest that does. The first step
 * is the warm-up.
 * @throws Error where none holds
 */
export async function findMaximum(measure: (rate: number) => Promise<Step>): Promise<number> {
  let good = 0;
  let bad = Infinity;
  let rate = FIRST;
  const doesHold = async (): Promise<boolean> => holds(await measure(rate));
  await doesHold();
  while (bad / good > NEAR) {
    // What a machine does beside may spoil a step.
    if ((await doesHold()) || (await doesHold())) good = rate;
    else bad = rate;
    rate = Math.round(bad === Infinity ? good * GROWTH : (good + bad) / 2);
    if (rate < LEAST) throw new Error(`not even ${bad} requests a second were answered as they should be`);
  }
  return good;
}
