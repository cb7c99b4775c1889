/** Whether what is read time after time stays where it is. */
import { median } from '../drive.js';

/** Of the last quarter to the second one: the first has what is taken once. */
export const MAX_GROWTH = 1.1;

/** How many times what it was in the second quarter a value is in the last one; NaN where it is not known. */
export function growthOf(values: readonly number[]): number {
  if (values.length < 4) return NaN;
  const quarter = (index: number): number =>
    median(values.slice(Math.floor((values.length * index) / 4), Math.floor((values.length * (index + 1)) / 4)));
  return quarter(3) / quarter(1);
}

export const isFlat = (values: readonly number[]): boolean => growthOf(values) <= MAX_GROWTH;
