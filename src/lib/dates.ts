const DAY = 86_400_000;

/** The rule behind the contract's `x-not-in-future`: where it is tomorrow already, tomorrow is today. */
export function pastDateRule(now: () => Date): (value: string) => string[] {
  return (value) => (Date.parse(value) > now().getTime() + DAY ? ['must not be in the future'] : []);
}

/** The date that is so many days after another; past the year 9999 it is no date of the wire any more. */
export const plusDays = (date: string, days: number): string =>
  new Date(Date.parse(date) + days * DAY).toISOString().slice(0, 10);
