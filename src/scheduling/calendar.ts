import { sql, type Placeholder, type SQL } from 'drizzle-orm';

/** What booking depends on besides the database: the clinic's clock and how it books. */
export interface Calendar {
  readonly now: Date;
  /** The clinic's IANA time zone. */
  readonly zone: string;
  /** How many days ahead of today the last bookable one is. */
  readonly horizonDays: number;
  /** The length of a slot whose label gives only its start. */
  readonly slotMinutes: number;
  /** How many seconds before its start a patient can last book a slot. */
  readonly bookingNotice: number;
  /** The same of changing, cancelling and deleting what is booked. */
  readonly changeNotice: number;
  /** How many upcoming appointments a patient can book, in all. */
  readonly maxOpenBookings: number;
  /** The same with one doctor. */
  readonly maxOpenBookingsPerDoctor: number;
  /** For how many seconds what becomes free is offered to who waits for it. */
  readonly waitingOffer: number;
}

declare module 'fastify' {
  interface Visit {
    readonly calendar: Calendar;
  }
}

/** The clinic's calendar at a moment. */
export function calendarOf(
  config: Omit<Calendar, 'now' | 'zone' | 'horizonDays'> & { readonly bookingHorizonDays: number },
  zone: string,
  now: Date,
): Calendar {
  const { bookingHorizonDays: horizonDays, slotMinutes, bookingNotice, changeNotice, waitingOffer } = config;
  const { maxOpenBookings, maxOpenBookingsPerDoctor } = config;
  return {
    ...{ now, zone, horizonDays, slotMinutes, bookingNotice, changeNotice },
    ...{ maxOpenBookings, maxOpenBookingsPerDoctor, waitingOffer },
  };
}

/** What queries need of a calendar: values, or placeholders of a query that is written once. */
export interface Clock {
  /** As SQL, a timestamptz. */
  readonly now: Date | SQL;
  readonly zone: string | Placeholder;
  readonly horizonDays: number | Placeholder;
  readonly bookingNotice: number | Placeholder;
}

export const PLACEHOLDERS_OF_CLOCK: Clock = {
  now: sql`${sql.placeholder('now')}::timestamptz`,
  zone: sql.placeholder('zone'),
  horizonDays: sql.placeholder('horizonDays'),
  bookingNotice: sql.placeholder('bookingNotice'),
};

/** What fills them. */
export const valuesOfClock = ({ now, zone, horizonDays, bookingNotice }: Calendar) => ({
  ...{ now: now.toISOString(), zone, horizonDays, bookingNotice },
});

/** The clock as it will be after so many seconds: what has begun by then is nearer than a notice. */
export const later = (clock: Clock, seconds: number | Placeholder): Clock => ({
  ...clock,
  now: sql`(${moment(clock)} + make_interval(secs => ${seconds}))`,
});

/** What the clinic's clock shows so many seconds before a moment, in words. */
export const clockBefore = (start: SQL, seconds: number | Placeholder, { zone }: Clock): SQL<string> =>
  sql<string>`to_char((${start} - make_interval(secs => ${seconds})) at time zone ${zone}::text, 'YYYY-MM-DD HH24:MI')`;

export const moment = ({ now }: Pick<Clock, 'now'>): SQL =>
  now instanceof Date ? sql`${now.toISOString()}::timestamptz` : now;

/** What the clinic's clock shows. */
export const wallClock = (clock: Pick<Clock, 'now' | 'zone'>): SQL =>
  sql`(${moment(clock)} at time zone ${clock.zone}::text)`;

/** The moment at which the clinic's clock shows a time; the second one where it does twice. */
export const wallClockAt = (time: SQL, { zone }: Pick<Clock, 'zone'>): SQL =>
  sql`(${time}::timestamp at time zone ${zone}::text)`;

/** The day at the clinic. */
export const today = (clock: Clock): SQL<string> => sql<string>`${wallClock(clock)}::date`;

/** To make one takes longer than most requests; a process has one zone. */
const formats = new Map<string, Intl.DateTimeFormat>();

/** The same as text. */
export function todayText({ now, zone }: Calendar): string {
  let format = formats.get(zone);
  // The Canadian format is that of ISO 8601.
  if (format === undefined) formats.set(zone, (format = new Intl.DateTimeFormat('en-CA', { timeZone: zone })));
  return format.format(now);
}

/** The last bookable day. */
export const horizon = (clock: Clock): SQL => sql`(${today(clock)} + ${clock.horizonDays}::int)`;
