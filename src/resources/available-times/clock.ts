/** Minutes after midnight; an end past 1440 is on the next day. */
export interface ClockRange {
  readonly start: number;
  readonly end: number;
}

const DAY = 1440;
const TIME = String.raw`(\d{1,2})(?:[:.h](\d{2}))?\s*([ap])?\.?\s*(m)?\.?`;
const RANGE = new RegExp(String.raw`^\s*${TIME}(?:\s*(?:-|–|—|to|until)\s*${TIME})?\s*$`, 'i');

type Half = 'a' | 'p' | undefined;

/** Minutes after midnight, or null where the parts are no time of the day. */
function minuteOfDay(hours: string, minutes: string | undefined, half: Half): number | null {
  const hour = Number(hours);
  const minute = Number(minutes ?? 0);
  if (minute > 59) return null;
  if (half === undefined) return hour < 24 || (hour === 24 && minute === 0) ? hour * 60 + minute : null;
  if (hour < 1 || hour > 12) return null;
  return ((hour % 12) + (half === 'p' ? 12 : 0)) * 60 + minute;
}

/** The half of the day that a match names: `a` or `p` with or without the `m`, but no `m` alone. */
function halfOf(letter: string | undefined, m: string | undefined): Half | null {
  if (letter === undefined) return m === undefined ? undefined : null;
  return m === undefined ? null : (letter.toLowerCase() as Half);
}

/**
 * Reads a slot's label as a clock time or a range: `10:00 AM - 10:30 AM`, `14:00-14:30`, `9.30`, `2 pm`. A bare number
 * is no time. In `10:00 - 10:30 AM` the half of the day counts for both.
 * @param slotMinutes the length of a slot that has only a start
 * @returns null where the label does not read as a time
 */
export function readClockRange(label: string, slotMinutes: number): ClockRange | null {
  const match = RANGE.exec(label);
  if (match === null) return null;
  const [, hours1 = '', minutes1, letter1, m1, hours2, minutes2, letter2, m2] = match;
  const half1 = halfOf(letter1, m1);
  const half2 = halfOf(letter2, m2);
  if (half1 === null || half2 === null) return null;
  const isTime = (minutes: string | undefined, half: Half): boolean => minutes !== undefined || half !== undefined;
  if (hours2 === undefined) {
    const start = isTime(minutes1, half1) ? minuteOfDay(hours1, minutes1, half1) : null;
    return start === null || start === DAY ? null : { start, end: start + slotMinutes };
  }
  if (!isTime(minutes1, half1) && !isTime(minutes2, half2)) return null;
  const end = minuteOfDay(hours2, minutes2, half2);
  if (end === null) return null;
  let start = minuteOfDay(hours1, minutes1, half1 ?? half2);
  // `11:30 - 12:30 PM` starts in the morning: the shared half must not turn the range around.
  if (half1 === undefined && half2 !== undefined && start !== null && start >= end) {
    start = minuteOfDay(hours1, minutes1, half2 === 'p' ? 'a' : 'p');
  }
  if (start === null || start === DAY || start === end) return null;
  return { start, end: end > start ? end : end + DAY };
}
