/** Whether what is read time after time stays where it is. */
import { median } from '../drive.js';
import type { Usage } from '../usage.js';

/** Of the last quarter to the second one: the first has what is taken once. */
export const MAX_GROWTH = 1.1;

/**
 * What stands for a quarter of the time. Memory goes up and down as garbage is collected; connections come and go with
 * what is under way, and what is never closed is there when least is.
 */
const OF_QUARTER: Record<keyof Usage, (values: readonly number[]) => number> = {
  memory: median,
  descriptors: (values) => Math.min(...values),
};

/** How many times what it was in the second quarter a value is in the last one; NaN where it is not known. */
export function growthOf(what: keyof Usage, values: readonly number[]): number {
  if (values.length < 4) return NaN;
  const at = (quarter: number): number => Math.floor((values.length * quarter) / 4);
  const quarter = (index: number): number => OF_QUARTER[what](values.slice(at(index), at(index + 1)));
  return quarter(3) / quarter(1);
}

export const isFlat = (growth: number): boolean => growth <= MAX_GROWTH;
