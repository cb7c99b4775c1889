/**
 * The free slots of a doctor on many days, by the rule of `slots.ts`. To ask PostgreSQL for each slot whether something
 * stands over it costs ten times what there is to read: so it tells what stands where, and of most days nothing more, and
 * what is left over is found here.
 */
import { and, eq, sql, type SQL } from 'drizzle-orm';
import { LRUCache } from 'lru-cache';
import { direct } from '../../db/prepared.js';
import { oneOrNone } from '../../db/rows.js';
import { appointments, availableTimes, doctorAvailableTimes, doctors, holds, timeOff } from '../../db/tables/index.js';
import type { Slot } from '../../openapi/generated/schemas.js';
import { plusDays } from '../lib/dates.js';
import { isShownTo } from '../lib/doctors.js';
import type { Visit } from '../lib/visit.js';
import { kindOf, placeholdersOfBooker, valuesOfBooker, type Kind } from './booker.js';
import { later, today, wallClockAt } from './calendar.js';
import { anySlot, bookableDays, day, isHeld, isLive, isOffered, periodOf, takesPatients } from './slots.js';
import { isNear, leaveOf, workedSlots } from './working-time.js';

/** Days that a slot may reach into: it lasts a day at the most, and an hour more where the clocks change. */
const REACH = 3;

/** Minutes of a day, and seconds of a minute. */
const [DAY, MINUTE] = [1440, 60];

const seconds = (moment: SQL): SQL => sql`date_part('epoch', ${moment})`;

const factsOf = direct((db, kind: Kind) => {
  const booker = placeholdersOfBooker(kind);
  const { calendar } = booker;
  const [from, to] = [sql`${sql.placeholder('from')}::date`, sql`${sql.placeholder('to')}::date`];
  const doctorId = sql.placeholder('doctorId');
  const reach = sql.raw(String(REACH));
  const midnight = wallClockAt(day, calendar);
  const isOfDoctor = sql`${eq(appointments.doctorId, doctorId)} and ${isLive}`;
  // On such a day each slot in which the doctor works is offered, as many minutes after midnight as it says: no clock changes
  // twice in two days.
  const isPlain = and(
    sql`${midnight} + interval '48 hours' = ${wallClockAt(sql`(${day} + 2)`, calendar)}`,
    sql`${day} > ${today(later(calendar, calendar.bookingNotice))}`,
    sql`not exists (select from ${timeOff} where ${leaveOf(doctorId)} and ${isNear(day, calendar)})`,
    sql`not exists (select from ${holds} where ${eq(holds.doctorId, doctorId)}
      and ${holds.date} between ${day} - ${reach} and ${day} + ${reach})`,
  );
  const period = periodOf(day, anySlot, calendar);
  const slots = sql`${doctorAvailableTimes}
    join ${availableTimes} on ${availableTimes.id} = ${doctorAvailableTimes.availableTimeId}`;
  const isOffering = eq(doctorAvailableTimes.doctorId, doctorId);
  const columns = { day: sql`day`, midnight: sql`midnight`, worked: sql`worked` };
  return db
    .with(
      db.$with('days', columns).as(sql`select ${day}, case when ${isPlain} then ${seconds(midnight)} end as midnight,
        ${workedSlots(doctorId, day)} as worked
        from ${bookableDays({ from, to }, calendar)}`),
    )
    .select({
      days: sql<
        string | null
      >`(select json_agg(json_build_array(midnight, worked) order by day) from days where ${takesPatients})::text`.as(
        'days',
      ),
      first: sql<string | null>`(select min(day) from days)::text`.as('first'),
      slots: sql<string | null>`(
        select json_agg(json_build_array(${anySlot.id}, ${availableTimes.label}, ${anySlot.startMinute}, ${anySlot.endMinute}) order by ${availableTimes.startMinute} nulls last, ${availableTimes.id})
        from ${slots} where ${isOffering})::text`.as('slots'),
      others: sql<string | null>`(
        select json_agg(json_build_array(${day}, ${anySlot.id}, ${seconds(sql`lower(${period})`)}, ${seconds(sql`upper(${period})`)},
          ${seconds(sql`slot_start(${day}, ${anySlot.startMinute}, ${calendar.zone}::text)`)}))
        from days, ${slots} where midnight is null and ${isOffering}
          and ${isOffered(day, anySlot, booker, doctorId)} and not ${isHeld(doctorId, day, anySlot, booker)})::text`.as(
        'others',
      ),
      labels: sql<string | null>`(
        select json_agg(${appointments.date} || ' ' || ${appointments.availableTimeId}) from ${appointments}
        where ${isOfDoctor} and ${appointments.period} is null and ${appointments.date} between ${from} and ${to})::text`.as(
        'labels',
      ),
      starts: sql<string | null>`busy.starts::text`.as('starts'),
      ends: sql<string | null>`busy.ends::text`.as('ends'),
    })
    .from(doctors)
    .crossJoin(
      sql`(
      select array_agg(${seconds(sql`lower(${appointments.period})`)}) as starts, array_agg(${seconds(sql`upper(${appointments.period})`)}) as ends
      from ${appointments} where ${isOfDoctor} and ${appointments.period} && tsrange(${from}, ${to} + ${reach})) as busy`,
    )
    .where(and(eq(doctors.id, doctorId), isShownTo(booker.caller)));
});

/** When a slot passes: in minutes since the first day's midnight by the clinic's clock, and its start in seconds. */
interface Offer {
  readonly from: number;
  readonly to: number;
  readonly start: number;
}

/** What stands in a doctor's way, in minutes since the first day's midnight by the clinic's clock. */
class Busy {
  readonly #minutes: Uint8Array;

  constructor(days: number) {
    this.#minutes = new Uint8Array((days + REACH) * DAY);
  }

  add(from: number, to: number): void {
    this.#minutes.fill(1, Math.max(0, Math.floor(from)), Math.max(0, Math.ceil(to)));
  }

  overlaps(from: number, to: number): boolean {
    for (let minute = Math.floor(from); minute < to; minute++) if (this.#minutes[minute] === 1) return true;
    return false;
  }
}

const read = <T>(json: string | null): T[] => (json === null ? [] : (JSON.parse(json) as T[]));
const readArray = (text: string | null): number[] => (text === null ? [] : read(`[${text.slice(1, -1)}]`));

/** All doctors have the same few moments, and to write one takes longer than all else that is done for a slot. */
const moments = new LRUCache<number, string>({ max: 10_000 });

function momentText(seconds: number): string {
  let text = moments.get(seconds);
  if (text === undefined) moments.set(seconds, (text = new Date(seconds * 1000).toISOString()));
  return text;
}

/**
 * The free slots of a doctor from one day to another, both included: soonest first, and without clock times after those
 * of the day that have one.
 * @returns undefined where there is no such doctor
 */
export async function freeSlotsOfDoctor(
  visit: Visit,
  days: { readonly doctorId: number; readonly from: string; readonly to: string },
): Promise<Slot[] | undefined> {
  const facts = oneOrNone(await factsOf(visit.db, kindOf(visit))({ ...valuesOfBooker(visit), ...days }));
  if (facts === undefined) return undefined;
  const { first } = facts;
  if (first === null) return [];
  const daysOf = read<[midnight: number | null, worked: number[] | null]>(facts.days);
  const slots = read<[id: number, label: string, start: number | null, end: number | null]>(facts.slots);
  const origin = Date.parse(first) / 1000;
  const minutes = (clock: number): number => (clock - origin) / MINUTE;
  const busy = new Busy(daysOf.length);
  const ends = readArray(facts.ends);
  for (const [at, start] of readArray(facts.starts).entries()) busy.add(minutes(start), minutes(ends[at] as number));
  const labels = new Set(read<string>(facts.labels));
  const others = new Map<string, Offer>();
  for (const [date, id, from, to, start] of read<[string, number, number, number, number]>(facts.others)) {
    others.set(`${date} ${id}`, { from: minutes(from), to: minutes(to), start });
  }
  const free: Slot[] = [];
  for (const [at, [midnight, worked]] of daysOf.entries()) {
    const date = plusDays(first, at);
    for (const [time, label, startMinute, endMinute] of slots) {
      if (worked?.includes(time) === false) continue;
      const offer =
        midnight === null
          ? others.get(`${date} ${time}`)
          : {
              from: at * DAY + (startMinute ?? 0),
              to: at * DAY + (endMinute ?? 0),
              start: midnight + (startMinute ?? 0) * MINUTE,
            };
      if (offer === undefined || labels.has(`${date} ${time}`)) continue;
      if (startMinute === null || endMinute === null) {
        free.push({ date, time, label, start: null, end: null });
      } else if (!busy.overlaps(offer.from, offer.to)) {
        const end = offer.start + (endMinute - startMinute) * MINUTE;
        free.push({ date, time, label, start: momentText(offer.start), end: momentText(end) });
      }
    }
  }
  return free;
}
