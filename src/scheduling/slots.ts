/** When a slot of a doctor is free: the one place for the rule, for booking, for availability and for alternatives. */
import { and, eq, isNull, sql, type SQL } from 'drizzle-orm';
import { column, jsonObject } from '../../db/json.js';
import { one, oneOrNone } from '../../db/rows.js';
import { appointments, availableTimes, doctorAvailableTimes, doctors, holds, timeOff } from '../../db/tables/index.js';
import type { Slot } from '../../openapi/generated/schemas.js';
import type { Visit } from '../lib/visit.js';
import { clockBefore, horizon, later, moment, today, type Calendar } from './calendar.js';
import { isHeldFrom, isOfTime } from './holds.js';
import { instantsOfSlot } from './instants.js';
import { isOff, isWorked, isWorkedByAny, leaveOf, takesTimeOf, type AnySlot } from './working-time.js';

/** A slot that a doctor offers; without minutes it is a label only. */
export interface OfferedSlot {
  readonly id: number;
  readonly startMinute: number | null;
  readonly endMinute: number | null;
}

/** Who wants a slot. */
export interface Booking {
  readonly doctorId: number;
  readonly patientId: number;
  /** The day that was asked for; undefined for the soonest one. */
  readonly date?: string | undefined;
  /** The appointment that is to be moved, which is not in its own way. */
  readonly ownId?: number;
}

/** Those by which it refuses what somebody else holds. */
export const HOLD_CONSTRAINTS: readonly string[] = ['holds_doctor_period_excl', 'holds_doctor_label_key'];

/** The constraints by which PostgreSQL refuses a second booking. */
export const BOOKING_CONSTRAINTS: ReadonlySet<string> = new Set([
  'appointments_doctor_period_excl',
  'appointments_patient_period_excl',
  'appointments_doctor_label_key',
  'appointments_patient_label_key',
  ...HOLD_CONSTRAINTS,
]);

/** Whether a doctor can be booked at all. */
export const takesPatients = and(isNull(doctors.archivedAt), sql`${doctors.isActive}`) as SQL;

export const isLive = and(sql`not ${appointments.isCancelled}`, isNull(appointments.archivedAt)) as SQL;

/** Not over yet, and not done with. */
export const isUpcoming = (calendar: Calendar): SQL =>
  sql`(${appointments.status} <> 'completed' and case when ${appointments.period} is null
    then ${appointments.date} >= ${today(calendar)}
    else upper(${appointments.period}) at time zone ${calendar.zone}::text > ${moment(calendar)} end)`;

/** An appointment without clock times has begun when its day is over. */
export const hasBegun = (calendar: Calendar): SQL<boolean> =>
  sql<boolean>`case when ${appointments.period} is null then ${appointments.date} < ${today(calendar)}
    else lower(${appointments.period}) at time zone ${calendar.zone}::text <= ${moment(calendar)} end`;

/** Whether a patient can not change an appointment any more: it begins before the clinic's notice is over. */
export const isTooLate = (calendar: Calendar): SQL<boolean> => hasBegun(later(calendar, calendar.changeNotice));

/** Until when a patient could change an appointment, in words. */
export const changeableUntil = (calendar: Calendar): SQL<string> =>
  clockBefore(
    sql`coalesce(lower(${appointments.period}), ${appointments.date} + 1) at time zone ${calendar.zone}::text`,
    calendar.changeNotice,
    calendar,
  );

export const periodOf = (day: SQL, slot: { startMinute: unknown; endMinute: unknown }, { zone }: Calendar): SQL =>
  sql`slot_period(${day}, ${slot.startMinute}::int, ${slot.endMinute}::int, ${zone}::text)`;

/** Whether a slot can still begin on a day: the day has its time and it is ahead, or it is a label and not past. */
function isAhead(day: SQL, slot: { startMinute: unknown }, calendar: Calendar): SQL {
  return sql`case when ${slot.startMinute}::int is null then ${day} >= ${today(calendar)}
    else slot_start(${day}, ${slot.startMinute}::int, ${calendar.zone}::text) > ${moment(calendar)} end`;
}

/** Who wants to book, and when. */
type Booker = Pick<Visit, 'calendar' | 'caller'>;

/** Whether a slot begins after the notice that patients have to give. */
const isInTime = (day: SQL, slot: { startMinute: unknown }, calendar: Calendar): SQL =>
  isAhead(day, slot, later(calendar, calendar.bookingNotice));

/** Whether somebody gives a doctor no notice: staff and the doctor. */
function givesNoNotice({ caller }: Booker, doctorId: unknown): SQL {
  if (caller === null || caller.isStaff) return caller === null ? sql`false` : sql`true`;
  return sql`${doctorId} = any(array(
    select own.id from ${doctors} as own where own.user_id = ${caller.id} and own.archived_at is null))`;
}

/** Whether somebody can book a slot of a doctor on a day, as far as the clock goes. */
const isOpen = (day: SQL, slot: { startMinute: unknown }, booker: Booker, doctorId: unknown): SQL =>
  sql`(${isInTime(day, slot, booker.calendar)}
    or (${isAhead(day, slot, booker.calendar)} and ${givesNoNotice(booker, doctorId)}))`;

/** Whether somebody can book a slot that a doctor offers on a day, but for appointments. */
const isOffered = (day: SQL, slot: AnySlot, booker: Booker, doctorId: unknown): SQL =>
  and(
    isOpen(day, slot, booker, doctorId),
    isWorked(doctorId, day, slot),
    sql`not ${isOff(doctorId, day, slot, booker.calendar)}`,
  ) as SQL;

/** Whether a live appointment of somebody is in the way of a slot on a day. */
export function isTaken(whose: SQL, day: SQL, slot: AnySlot, calendar: Calendar): SQL {
  return sql`(exists (
      select from ${appointments} where ${whose} and ${isLive} and ${appointments.period} && ${periodOf(day, slot, calendar)}
    ) or exists (
      select from ${appointments} where ${whose} and ${isLive}
      and ${appointments.period} is null and ${appointments.date} = ${day} and ${appointments.availableTimeId} = ${slot.id}
    ))`;
}

/** Whether somebody else holds a slot of a doctor on a day. */
const isHeld = (doctorId: unknown, day: SQL, slot: AnySlot, booker: Booker): SQL =>
  sql`exists (select from ${holds} where ${holds.doctorId} = ${doctorId} and ${isHeldFrom(booker)}
    and ${isOfTime(periodOf(day, slot, booker.calendar), day, slot.id)})`;

/** The day of a free slot. */
export const day = sql`days.day`;

/** All days from one to another, both included, as `days.day`. In order, so that a search ends with what it finds. */
const days = (from: SQL, to: SQL): SQL =>
  sql`(select ${from} + n as day from generate_series(0, ${to} - ${from}) as n order by day) as days`;

/** The soonest day on which a slot is free for a doctor and a patient; null where there is none within the horizon. */
export async function soonestDate(
  visit: Visit,
  slot: OfferedSlot,
  { doctorId, patientId, ownId = 0 }: Booking,
): Promise<string | null> {
  const { db, calendar } = visit;
  const isTakenOf = (whose: SQL): SQL => isTaken(sql`${whose} and ${appointments.id} <> ${ownId}`, day, slot, calendar);
  const rows = await db.execute<{ day: string }>(sql`
    select ${day}::text as day from ${days(today(calendar), horizon(calendar))}
    where ${isOffered(day, slot, visit, doctorId)}
      and not ${isTakenOf(eq(appointments.doctorId, doctorId))} and not ${isHeld(doctorId, day, slot, visit)}
      and not ${isTakenOf(eq(appointments.patientId, patientId))}
    order by ${day} limit 1`);
  return oneOrNone(rows)?.day ?? null;
}

/** Whether a live appointment of a doctor, but for one that is to be moved, or somebody's hold is in the way of a slot on a day. */
export async function isDoctorTaken(
  visit: Visit,
  slot: OfferedSlot,
  { date, doctorId, ownId = 0 }: { date: string; doctorId: number; ownId?: number | undefined },
): Promise<boolean> {
  const { db, calendar } = visit;
  const given = sql`${date}::date`;
  const whose = sql`${appointments.doctorId} = ${doctorId} and ${appointments.id} <> ${ownId}`;
  const rows = await db.execute<{ isTaken: boolean }>(
    sql`select ${isTaken(whose, given, slot, calendar)} or ${isHeld(doctorId, given, slot, visit)} as "isTaken"`,
  );
  return one(rows).isTaken;
}

/** What is wrong with a day. */
export interface DateFault {
  readonly text: string;
  /** Whether somebody who overbooks may go past it. */
  readonly isYielding: boolean;
}

/** Why there is nothing of a slot on a day, whenever it is asked for; the days around it may have it. */
export const OFF_DAYS = {
  no_such_time: 'has no such time: the clocks go forward over it',
  closed: 'must be another day: the clinic is closed at this time',
  away: 'must be another day: the doctor is away at this time',
  not_working: 'must be another day: the doctor does not work at this time of it',
} as const;

/** What is wrong with a day for a slot of a doctor, whether it is free or not; null where nothing is. */
export async function dateFault(
  visit: Visit,
  slot: OfferedSlot,
  { date, doctorId }: { date: string; doctorId: number },
): Promise<DateFault | null> {
  const { db, calendar } = visit;
  const given = sql`${date}::date`;
  const start = sql`case when ${slot.startMinute}::int is null then (${given} + 1)::timestamp at time zone ${calendar.zone}::text
    else slot_start(${given}, ${slot.startMinute}::int, ${calendar.zone}::text) end`;
  const rows = await db.execute<{
    isPast: boolean;
    isFar: boolean;
    hasTime: boolean;
    isAhead: boolean;
    isOpen: boolean;
    until: string | null;
    isWorked: boolean;
    isOff: boolean;
    isClosed: boolean;
  }>(sql`
    select ${given} < ${today(calendar)} as "isPast", ${given} > ${horizon(calendar)} as "isFar",
      ${start} is not null as "hasTime", ${isAhead(given, slot, calendar)} as "isAhead",
      ${isOpen(given, slot, visit, doctorId)} as "isOpen", ${clockBefore(start, calendar.bookingNotice, calendar)} as until,
      ${isWorked(doctorId, given, slot)} as "isWorked", leave.*
    from (
      select count(*) > 0 as "isOff", coalesce(bool_or(${timeOff.doctorId} is null), false) as "isClosed"
      from ${timeOff} where ${leaveOf(doctorId)} and ${takesTimeOf(given, slot, calendar)}
    ) as leave`);
  const row = one(rows);
  const firm = (text: string): DateFault => ({ text, isYielding: false });
  const yielding = (text: string): DateFault => ({ text, isYielding: true });
  if (row.isPast) return firm('must not be in the past');
  if (row.isFar) return firm(`must be at most ${calendar.horizonDays} days ahead`);
  if (!row.hasTime) return firm(OFF_DAYS.no_such_time);
  if (!row.isAhead) return yielding('must be a later day: the slot has begun');
  if (row.isClosed) return yielding(OFF_DAYS.closed);
  if (row.isOff) return yielding(OFF_DAYS.away);
  if (!row.isOpen) return yielding(`must be a later day: patients could book this one until ${row.until}`);
  return row.isWorked ? null : yielding(OFF_DAYS.not_working);
}

/** The bookable ones of the days from one to another. */
const bookableDays = (from: SQL, to: SQL, calendar: Calendar): SQL =>
  days(sql`greatest(${from}, ${today(calendar)})`, sql`least(${to}, ${horizon(calendar)})`);

/** The slot of a free slot. */
export const anySlot = {
  id: availableTimes.id,
  startMinute: availableTimes.startMinute,
  endMinute: availableTimes.endMinute,
};

/** Days, both included. */
export interface Days {
  readonly from: SQL;
  readonly to: SQL;
}

/** Free slots as rows of `days`, `doctors` and `available_times`; for one doctor, or a few. */
export function freeSlots({ from, to }: Days, where: SQL | undefined, booker: Booker): { from: SQL; where: SQL } {
  const { calendar } = booker;
  return {
    from: sql`${bookableDays(from, to, calendar)}
      cross join ${doctors}
      join ${doctorAvailableTimes} on ${doctorAvailableTimes.doctorId} = ${doctors.id}
      join ${availableTimes} on ${availableTimes.id} = ${doctorAvailableTimes.availableTimeId}`,
    where: and(
      takesPatients,
      where,
      isOffered(day, anySlot, booker, doctors.id),
      sql`not ${isTaken(eq(appointments.doctorId, doctors.id), day, anySlot, calendar)}`,
      sql`not ${isHeld(doctors.id, day, anySlot, booker)}`,
    ) as SQL,
  };
}

/**
 * The same as rows of `free`, for many doctors: what is taken is found once for all of them.
 * @param slotIs on `available_times`
 * @param doctorIs on `doctors`
 */
export function freeSlotsOfAll(
  { from, to }: Days,
  { slotIs, doctorIs }: { slotIs: SQL | undefined; doctorIs: SQL | undefined },
  booker: Booker,
): SQL {
  const { calendar } = booker;
  const isClosed = sql`exists (
    select from ${timeOff} where ${timeOff.doctorId} is null and ${takesTimeOf(day, anySlot, calendar)})`;
  const ofSlots = { id: sql`time`, startMinute: sql`start_minute`, endMinute: sql`end_minute` };
  // What lasts over midnight is of the day before.
  // A slot may last over a day, and by an hour more where the clocks go forward.
  return sql`(
    with slots as materialized (
      select ${day}, ${availableTimes.startMinute}, ${availableTimes.endMinute}, ${availableTimes.id} as time,
        ${periodOf(day, anySlot, calendar)} as period, ${isInTime(day, anySlot, calendar)} as is_in_time
      from ${bookableDays(from, to, calendar)} cross join ${availableTimes}
      where ${and(isAhead(day, anySlot, calendar), sql`not ${isClosed}`, slotIs)}
    ), live as materialized (
      select ${appointments.doctorId}, ${appointments.date}, ${appointments.availableTimeId}, ${appointments.period}
      from ${appointments} where ${isLive} and ${appointments.date} between ${from} - 2 and ${to} + 2
      union all select ${holds.doctorId}, ${holds.date}, ${holds.availableTimeId}, ${holds.period}
      from ${holds} where ${isHeldFrom(booker)}
    ), hits as materialized (
      select periods.period as hit, slots.* from (select distinct period from live) as periods
      join slots on slots.period && periods.period
    )
    select ${doctors.id} as doctor, day, start_minute, time from slots
    join ${doctorAvailableTimes} on ${doctorAvailableTimes.availableTimeId} = time
    join ${doctors} on ${doctors.id} = ${doctorAvailableTimes.doctorId}
    where ${and(
      takesPatients,
      doctorIs,
      sql`(is_in_time or ${givesNoNotice(booker, doctors.id)})`,
      isWorkedByAny(sql`${doctors.id}`, { day: sql`day`, id: sql`time` }, sql`slots`),
    )}
    except (
      select ${timeOff.doctorId}, day, start_minute, time from ${timeOff}
      join slots on ${takesTimeOf(sql`day`, ofSlots, calendar)} where ${timeOff.doctorId} is not null
      union all
      select doctor_id, day, start_minute, time from live join hits on hit = live.period
      union all
      select doctor_id, day, start_minute, time from live join slots on day = date and time = available_time_id
      where live.period is null
    )
  ) as free`;
}

/** Soonest first; slots without clock times after those of the day that have one. */
export const soonestFirst = sql`${day}, ${availableTimes.startMinute} nulls last, ${availableTimes.id}, ${doctors.id}`;

/** One of the `freeSlots` as JSON. */
export const slotJson = (calendar: Calendar): SQL<Slot> =>
  jsonObject<Slot>({
    date: sql<string>`${day}`,
    time: column(availableTimes.id),
    label: column(availableTimes.label),
    ...instantsOfSlot(day, anySlot, calendar.zone),
  });

/**
 * Up to 5 slots of a doctor that are free for the doctor and the patient: the soonest from the day that was asked for on,
 * and then those before it where these are fewer.
 */
export async function alternatives(visit: Visit, { doctorId, patientId, date }: Booking): Promise<Slot[]> {
  const { db, calendar } = visit;
  const search = async (from: SQL, to: SQL, most = 5): Promise<Slot[]> => {
    const free = freeSlots(
      { from, to },
      and(eq(doctors.id, doctorId), sql`not ${isTaken(eq(appointments.patientId, patientId), day, anySlot, calendar)}`),
      visit,
    );
    const rows = await db.execute<{ slot: Slot }>(sql`
      select ${slotJson(calendar)} as slot from ${free.from} where ${free.where} order by ${soonestFirst} limit ${most}`);
    return rows.map(({ slot }) => slot);
  };
  const asked = date === undefined ? today(calendar) : sql`${date}::date`;
  // Most calendars have free slots soon; only a full one is searched to its end.
  const soon = await search(asked, sql`(${asked} + 14)`);
  if (soon.length === 5) return soon;
  const later = await search(asked, horizon(calendar));
  if (later.length === 5 || date === undefined) return later;
  return [...later, ...(await search(today(calendar), sql`(${asked} - 1)`, 5 - later.length))];
}
