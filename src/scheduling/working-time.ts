/** When a doctor works: by the doctor's hours, and but for leave. */
import { sql, type SQL } from 'drizzle-orm';
import type { PgColumn } from 'drizzle-orm/pg-core';
import { timestampText } from '../../db/json.js';
import { doctorHours, doctorHoursTimes, timeOff } from '../../db/tables/index.js';
import { wallClockAt, type Clock } from './calendar.js';

/** A slot, as values or as columns; without minutes it is a label only. */
export interface AnySlot {
  readonly id: unknown;
  readonly startMinute: unknown;
  readonly endMinute: unknown;
}

/** Whether an entry of `doctor_hours` is for a day. Weeks are counted from its first day, never by their number in the year. */
const isForDay = (day: SQL): SQL =>
  sql`(${doctorHours.weekday} = extract(isodow from ${day}) and ${day} >= ${doctorHours.startsOn}
    and ${day} <= coalesce(${doctorHours.endsOn}, 'infinity')
    and ((${day} - ${doctorHours.startsOn}) / 7) % ${doctorHours.everyWeeks} = 0)`;

/** Whether a doctor works in a slot on a day by the hours; who has none works every day. */
export const isWorked = (doctorId: unknown, day: SQL, { id }: Pick<AnySlot, 'id'>): SQL =>
  sql`(not exists (select from ${doctorHours} where ${doctorHours.doctorId} = ${doctorId}) or exists (
    select from ${doctorHours} join ${doctorHoursTimes} on ${doctorHoursTimes.hoursId} = ${doctorHours.id}
    where ${doctorHours.doctorId} = ${doctorId} and ${doctorHoursTimes.availableTimeId} = ${id} and ${isForDay(day)}))`;

/** The ids of the slots in which a doctor works on a day by the hours, as an array; null for who has none. */
export const workedSlots = (doctorId: unknown, day: SQL): SQL =>
  sql`case when exists (select from ${doctorHours} where ${doctorHours.doctorId} = ${doctorId}) then array(
    select ${doctorHoursTimes.availableTimeId} from ${doctorHours}
    join ${doctorHoursTimes} on ${doctorHoursTimes.hoursId} = ${doctorHours.id}
    where ${doctorHours.doctorId} = ${doctorId} and ${isForDay(day)}) end`;

/** Whether a doctor works in any slot on a day. */
export const worksOn = (doctorId: PgColumn, day: SQL): SQL =>
  sql`(${doctorId} not in (select ${doctorHours.doctorId} from ${doctorHours})
    or exists (select from ${doctorHours} where ${doctorHours.doctorId} = ${doctorId} and ${isForDay(day)}))`;

/**
 * Whether a row of `time_off` takes something of a slot on a day. Days are those of the clinic's calendar; a part of a day
 * is judged by the moments at which the slot passes. A slot without clock times may be at any time of its day, and so is
 * taken only by what takes the whole day.
 */
export function takesTimeOf(day: SQL, { startMinute, endMinute }: AnySlot, calendar: Clock): SQL {
  const start = sql`slot_start(${day}, ${startMinute}::int, ${calendar.zone}::text)`;
  return sql`(case when ${startMinute}::int is null
    then coalesce(${day} between ${timeOff.startsOn} and ${timeOff.endsOn},
      ${timeOff.startsAt} <= ${wallClockAt(day, calendar)} and ${timeOff.endsAt} >= ${wallClockAt(sql`(${day} + 1)`, calendar)})
    else coalesce(
      ${day} + make_interval(mins => ${startMinute}::int) < ${timeOff.endsOn} + 1
        and ${day} + make_interval(mins => ${endMinute}::int) > ${timeOff.startsOn},
      ${start} < ${timeOff.endsAt} and ${start} + make_interval(mins => ${endMinute}::int - ${startMinute}::int) > ${timeOff.startsAt})
    end)`;
}

/** From when to when a row of `time_off` is, as the wire has it: days as dates, moments as RFC 3339. */
export const boundsJson = {
  from: sql<string>`coalesce(${timeOff.startsOn}::text, ${timestampText(timeOff.startsAt)})`,
  to: sql<string>`coalesce(${timeOff.endsOn}::text, ${timestampText(timeOff.endsAt)})`,
};

/** Whether a row of `time_off` can take something of the slots that begin on a day: of other rows nothing else need be known. */
export function isNear(day: SQL, { zone }: Clock): SQL {
  const dayOf = (moment: PgColumn): SQL => sql`(${moment} at time zone ${zone}::text)::date`;
  return sql`(coalesce(${timeOff.startsOn}, ${dayOf(timeOff.startsAt)}) <= ${day} + 3
    and coalesce(${timeOff.endsOn}, ${dayOf(timeOff.endsAt)}) >= ${day} - 1)`;
}

/** Leave of a doctor, and of the whole clinic. */
export const leaveOf = (doctorId: unknown): SQL =>
  sql`(${timeOff.doctorId} = ${doctorId} or ${timeOff.doctorId} is null)`;

/** Whether a doctor, or the clinic, is away in a slot on a day. */
export const isOff = (doctorId: unknown, day: SQL, slot: AnySlot, calendar: Clock): SQL =>
  sql`exists (select from ${timeOff} where ${leaveOf(doctorId)} and ${takesTimeOf(day, slot, calendar)})`;

/** What rows of `time_off` take of a day: whether anything, and from when to when. */
export function partOfDay(day: SQL, calendar: Clock): { readonly isAny: SQL; readonly start: SQL; readonly end: SQL } {
  const [start, end] = [wallClockAt(day, calendar), wallClockAt(sql`(${day} + 1)`, calendar)];
  return {
    isAny: sql`coalesce(${day} between ${timeOff.startsOn} and ${timeOff.endsOn},
      ${timeOff.startsAt} < ${end} and ${timeOff.endsAt} > ${start})`,
    start: sql`greatest(${start}, ${timeOff.startsAt})`,
    end: sql`least(${end}, ${timeOff.endsAt})`,
  };
}
