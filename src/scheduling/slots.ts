/** When a slot of a doctor is free: the one place for the rule, for booking, for availability and for alternatives. */
import { and, eq, isNull, sql, type SQL } from 'drizzle-orm';
import { column, jsonObject } from '../../db/json.js';
import { one, oneOrNone } from '../../db/rows.js';
import { appointments, availableTimes, doctorAvailableTimes, doctors } from '../../db/tables/index.js';
import type { Slot } from '../../openapi/generated/schemas.js';
import type { Visit } from '../lib/visit.js';
import { instantsOfSlot } from './instants.js';
import { horizon, moment, today, type Calendar } from './calendar.js';

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

/** The constraints by which PostgreSQL refuses a second booking. */
export const BOOKING_CONSTRAINTS: ReadonlySet<string> = new Set([
  'appointments_doctor_period_excl',
  'appointments_patient_period_excl',
  'appointments_doctor_label_key',
  'appointments_patient_label_key',
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

export const periodOf = (day: SQL, slot: { startMinute: unknown; endMinute: unknown }, { zone }: Calendar): SQL =>
  sql`slot_period(${day}, ${slot.startMinute}::int, ${slot.endMinute}::int, ${zone}::text)`;

/** Whether a slot can still begin on a day: the day has its time and it is ahead, or it is a label and not past. */
function isAhead(day: SQL, slot: { startMinute: unknown }, calendar: Calendar): SQL {
  return sql`case when ${slot.startMinute}::int is null then ${day} >= ${today(calendar)}
    else slot_start(${day}, ${slot.startMinute}::int, ${calendar.zone}::text) > ${moment(calendar)} end`;
}

/** Whether a live appointment of somebody is in the way of a slot on a day. */
function isTaken(
  whose: SQL,
  day: SQL,
  slot: { id: unknown; startMinute: unknown; endMinute: unknown },
  calendar: Calendar,
): SQL {
  return sql`(exists (
      select from ${appointments} where ${whose} and ${isLive} and ${appointments.period} && ${periodOf(day, slot, calendar)}
    ) or exists (
      select from ${appointments} where ${whose} and ${isLive}
      and ${appointments.period} is null and ${appointments.date} = ${day} and ${appointments.availableTimeId} = ${slot.id}
    ))`;
}

const day = sql`days.day`;

/** All days from one to another, both included, as `days.day`. In order, so that a search ends with what it finds. */
const days = (from: SQL, to: SQL): SQL =>
  sql`(select ${from} + n as day from generate_series(0, ${to} - ${from}) as n order by day) as days`;

/** The soonest day on which a slot is free for a doctor and a patient; null where there is none within the horizon. */
export async function soonestDate(
  { db, calendar }: Visit,
  slot: OfferedSlot,
  { doctorId, patientId, ownId = 0 }: Booking,
): Promise<string | null> {
  const isTakenOf = (whose: SQL): SQL => isTaken(sql`${whose} and ${appointments.id} <> ${ownId}`, day, slot, calendar);
  const rows = await db.execute<{ day: string }>(sql`
    select ${day}::text as day from ${days(today(calendar), horizon(calendar))}
    where ${isAhead(day, slot, calendar)}
      and not ${isTakenOf(eq(appointments.doctorId, doctorId))}
      and not ${isTakenOf(eq(appointments.patientId, patientId))}
    order by ${day} limit 1`);
  return oneOrNone(rows)?.day ?? null;
}

/** What is wrong with a day for a slot, whether it is free or not; null where nothing is. */
export async function dateFault({ db, calendar }: Visit, slot: OfferedSlot, date: string): Promise<string | null> {
  const given = sql`${date}::date`;
  const rows = await db.execute<{ isPast: boolean; isFar: boolean; isAhead: boolean; hasTime: boolean }>(sql`
    select ${given} < ${today(calendar)} as "isPast", ${given} > ${horizon(calendar)} as "isFar",
      ${isAhead(given, slot, calendar)} as "isAhead",
      ${slot.startMinute}::int is null or slot_start(${given}, ${slot.startMinute}::int, ${calendar.zone}::text) is not null
        as "hasTime"`);
  const row = one(rows);
  if (row.isPast) return 'must not be in the past';
  if (row.isFar) return `must be at most ${calendar.horizonDays} days ahead`;
  if (!row.hasTime) return 'has no such time: the clocks go forward over it';
  return row.isAhead ? null : 'must be a later day: the slot has begun';
}

/** The bookable ones of the days from one to another. */
const bookableDays = (from: SQL, to: SQL, calendar: Calendar): SQL =>
  days(sql`greatest(${from}, ${today(calendar)})`, sql`least(${to}, ${horizon(calendar)})`);

const anySlot = { id: availableTimes.id, startMinute: availableTimes.startMinute, endMinute: availableTimes.endMinute };

/** Days, both included. */
export interface Days {
  readonly from: SQL;
  readonly to: SQL;
}

/** Free slots as rows of `days`, `doctors` and `available_times`; for one doctor, or a few. */
export function freeSlots({ from, to }: Days, where: SQL | undefined, calendar: Calendar): { from: SQL; where: SQL } {
  return {
    from: sql`${bookableDays(from, to, calendar)}
      cross join ${doctors}
      join ${doctorAvailableTimes} on ${doctorAvailableTimes.doctorId} = ${doctors.id}
      join ${availableTimes} on ${availableTimes.id} = ${doctorAvailableTimes.availableTimeId}`,
    where: and(
      takesPatients,
      where,
      isAhead(day, anySlot, calendar),
      sql`not ${isTaken(eq(appointments.doctorId, doctors.id), day, anySlot, calendar)}`,
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
  calendar: Calendar,
): SQL {
  // What lasts over midnight is of the day before.
  // A slot may last over a day, and by an hour more where the clocks go forward.
  return sql`(
    with slots as materialized (
      select ${day}, ${availableTimes.startMinute}, ${availableTimes.id} as time,
        ${periodOf(day, anySlot, calendar)} as period
      from ${bookableDays(from, to, calendar)} cross join ${availableTimes}
      where ${and(isAhead(day, anySlot, calendar), slotIs)}
    ), live as materialized (
      select ${appointments.doctorId}, ${appointments.date}, ${appointments.availableTimeId}, ${appointments.period}
      from ${appointments} where ${isLive} and ${appointments.date} between ${from} - 2 and ${to} + 2
    ), hits as materialized (
      select periods.period as hit, slots.* from (select distinct period from live) as periods
      join slots on slots.period && periods.period
    )
    select ${doctors.id} as doctor, day, start_minute, time from slots
    join ${doctorAvailableTimes} on ${doctorAvailableTimes.availableTimeId} = time
    join ${doctors} on ${doctors.id} = ${doctorAvailableTimes.doctorId}
    where ${and(takesPatients, doctorIs)}
    except (
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
export async function alternatives({ db, calendar }: Visit, { doctorId, patientId, date }: Booking): Promise<Slot[]> {
  const search = async (from: SQL, to: SQL, most = 5): Promise<Slot[]> => {
    const free = freeSlots(
      { from, to },
      and(eq(doctors.id, doctorId), sql`not ${isTaken(eq(appointments.patientId, patientId), day, anySlot, calendar)}`),
      calendar,
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
