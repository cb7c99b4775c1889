/** Gives numbers from 0 to below 1 that look like chance, and are the same for the same seed. */
export type Chance = () => number;

/** The generator mulberry32. */
export function chanceOf(seed: number): Chance {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** A whole number from one to another, both included. */
export const between = (chance: Chance, least: number, most: number): number =>
  least + Math.floor(chance() * (most - least + 1));

export function pick<T>(chance: Chance, list: readonly T[]): T {
  return list[between(chance, 0, list.length - 1)] as T;
}

export function shuffled<T>(chance: Chance, list: readonly T[]): T[] {
  return list
    .map((value) => ({ value, place: chance() }))
    .sort((a, b) => a.place - b.place)
    .map(({ value }) => value);
}
