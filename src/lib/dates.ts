const DAY = 86_400_000;

/** The rule behind the contract's `x-not-in-future`: where it is tomorrow already, tomorrow is today. */
export function pastDateRule(now: () => Date): (value: string) => string[] {
  return (value) => (Date.parse(value) > now().getTime() + DAY ? ['must not be in the future'] : []);
}
