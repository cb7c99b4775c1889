/** Who wants to book, and when. */
import { sql } from 'drizzle-orm';
import { userIdOf, type SomeCaller, type Visit } from '../lib/visit.js';
import { PLACEHOLDERS_OF_CLOCK, valuesOfClock, type Clock } from './calendar.js';

/** A visit, or placeholders of one in a query that is written once. */
export interface Booker {
  readonly calendar: Clock;
  readonly caller: SomeCaller | null;
}

/** What such a query depends on besides its values. */
export type Kind = 'anybody' | 'user' | 'staff';

export const kindOf = ({ caller }: Visit): Kind => (caller === null ? 'anybody' : caller.isStaff ? 'staff' : 'user');

export const placeholdersOfBooker = (kind: Kind): Booker => ({
  calendar: PLACEHOLDERS_OF_CLOCK,
  caller: kind === 'anybody' ? null : { id: sql.placeholder('caller'), isStaff: kind === 'staff' },
});

/** What fills them. */
export const valuesOfBooker = ({ calendar, caller }: Visit) => ({
  ...valuesOfClock(calendar),
  caller: userIdOf(caller),
});
