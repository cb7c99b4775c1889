/** When a slot of a doctor is free: the one place for the rule, for booking, for availability and for alternatives. */
import { and, eq, isNull, sql, type Placeholder, type SQL } from 'drizzle-orm';
import type { Db } from '../../db/client.js';
import { column, jsonObject } from '../../db/json.js';
import { direct } from '../../db/prepared.js';
import { one, oneOrNone } from '../../db/rows.js';
import {
  appointments,
  availableTimes,
  doctorAvailableTimes,
  doctors,
  fullDays,
  holds,
  patients,
  timeOff,
} from '../../db/tables/index.js';
import type { Slot } from '../../openapi/generated/schemas.js';
import { plusDays } from '../lib/dates.js';
import type { Visit } from '../lib/visit.js';
import { kindOf, placeholdersOfBooker, valuesOfBooker, type Booker, type Kind } from './booker.js';
import { clockBefore, horizon, later, moment, today, todayText, type Calendar, type Clock } from './calendar.js';
import { isHeldFrom, isOfTime } from './holds.js';
import { instantsOfSlot } from './instants.js';
import { isOff, isWorked, leaveOf, takesTimeOf, worksOn, type AnySlot } from './working-time.js';

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
export const isUpcoming = (calendar: Clock): SQL =>
  sql`(${appointments.status} <> 'completed' and case when ${appointments.period} is null
    then ${appointments.date} >= ${today(calendar)}
    else upper(${appointments.period}) at time zone ${calendar.zone}::text > ${moment(calendar)} end)`;

/** An appointment without clock times has begun when its day is over. */
export const hasBegun = (calendar: Clock): SQL<boolean> =>
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

export const periodOf = (day: SQL, slot: { startMinute: unknown; endMinute: unknown }, { zone }: Clock): SQL =>
  sql`slot_period(${day}, ${slot.startMinute}::int, ${slot.endMinute}::int, ${zone}::text)`;

/** Whether a slot can still begin on a day: the day has its time and it is ahead, or it is a label and not past. */
function isAhead(day: SQL, slot: { startMinute: unknown }, calendar: Clock): SQL {
  return sql`case when ${slot.startMinute}::int is null then ${day} >= ${today(calendar)}
    else slot_start(${day}, ${slot.startMinute}::int, ${calendar.zone}::text) > ${moment(calendar)} end`;
}

/** Whether a slot begins after the notice that patients have to give. */
const isInTime = (day: SQL, slot: { startMinute: unknown }, calendar: Clock): SQL =>
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
export const isOffered = (day: SQL, slot: AnySlot, booker: Booker, doctorId: unknown): SQL =>
  and(
    isOpen(day, slot, booker, doctorId),
    isWorked(doctorId, day, slot),
    sql`not ${isOff(doctorId, day, slot, booker.calendar)}`,
  ) as SQL;

/** Whether a live appointment of somebody is in the way of a slot on a day. */
export function isTaken(whose: SQL, day: SQL, slot: AnySlot, calendar: Clock): SQL {
  return sql`(exists (
      select from ${appointments} where ${whose} and ${isLive} and ${appointments.period} && ${periodOf(day, slot, calendar)}
    ) or exists (
      select from ${appointments} where ${whose} and ${isLive}
      and ${appointments.period} is null and ${appointments.date} = ${day} and ${appointments.availableTimeId} = ${slot.id}
    ))`;
}

/** Whether somebody else holds a slot of a doctor on a day. */
export const isHeld = (doctorId: unknown, day: SQL, slot: AnySlot, booker: Booker): SQL =>
  sql`exists (select from ${holds} where ${holds.doctorId} = ${doctorId} and ${isHeldFrom(booker)}
    and ${isOfTime(periodOf(day, slot, booker.calendar), day, slot.id)})`;

/** The day of a free slot. */
export const day = sql`days.day`;

/** Whether it is known that a doctor has nothing free on a day. */
const isFull = (doctorId: unknown, day: SQL): SQL =>
  sql`exists (select from ${fullDays} where ${fullDays.doctorId} = ${doctorId} and ${fullDays.date} = ${day})`;

/** The same of one doctor and `days.day`, for many days: the doctor's are read once, and not before they are needed. */
const isNotFullOf = (doctorId: Placeholder): SQL =>
  sql`${day} not in (select ${fullDays.date} from ${fullDays} where ${fullDays.doctorId} = ${doctorId})`;

/**
 * All days from one to another, both included, as `days.day`. In order, so that a search ends with what it finds; and as an
 * array, of which PostgreSQL guesses a few entries whether it knows the days or not: with a plan for days that it does not
 * know, which can be kept, it would else reckon with a thousand, and plan anew each time for those that it knows. What is
 * asked of a day by `where` is judged before its slots.
 */
const days = (from: SQL, to: SQL, where = sql`true`): SQL =>
  sql`(select day from unnest(array(
    select days.day from (select ${from} + n as day from generate_series(0, ${to} - ${from}) as n) as days where ${where}
  )) as day order by day) as days`;

const soonest = direct((db, kind: Kind) => {
  const booker = placeholdersOfBooker(kind);
  const { calendar } = booker;
  const [doctorId, patientId] = [sql.placeholder('doctorId'), sql.placeholder('patientId')];
  const slot = {
    ...{ id: sql.placeholder('timeId'), startMinute: sql.placeholder('startMinute') },
    endMinute: sql.placeholder('endMinute'),
  };
  const ownId = sql`${sql.placeholder('ownId')}::bigint`;
  const isTakenOf = (whose: SQL): SQL => isTaken(sql`${whose} and ${appointments.id} <> ${ownId}`, day, slot, calendar);
  return (
    db
      .select({ soonest: sql<string>`${day}::text`.as('soonest') })
      // A day that is full with the appointment that is to be moved may not be without it.
      .from(days(today(calendar), horizon(calendar)))
      .where(
        and(
          sql`(${ownId} <> 0 or ${isNotFullOf(doctorId)})`,
          isOffered(day, slot, booker, doctorId),
          sql`not ${isTakenOf(eq(appointments.doctorId, doctorId))}`,
          sql`not ${isHeld(doctorId, day, slot, booker)}`,
          sql`not ${isTakenOf(eq(appointments.patientId, patientId))}`,
        ),
      )
      .orderBy(day)
      .limit(1)
  );
});

/** The soonest day on which a slot is free for a doctor and a patient; null where there is none within the horizon. */
export async function soonestDate(
  visit: Visit,
  { id: timeId, ...minutes }: OfferedSlot,
  { doctorId, patientId, ownId = 0 }: Booking,
): Promise<string | null> {
  const values = { ...valuesOfBooker(visit), ...minutes, timeId, doctorId, patientId, ownId };
  return oneOrNone(await soonest(visit.db, kindOf(visit))(values))?.soonest ?? null;
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

/** Of which a patient can have no more upcoming appointments: in all, or with the doctor. */
export type Bound = 'patient' | 'doctor';

/** The bound that a patient, who is locked, has reached, but for an appointment that is to be moved. */
const boundReached = (
  patientId: SQL,
  doctorId: Placeholder,
  { ownId, calendar }: { ownId: Placeholder; calendar: Clock },
): SQL<Bound | null> =>
  sql<Bound | null>`(
    select case when count(*) >= ${sql.placeholder('maxOpenBookings')}::int then 'patient'
      when count(*) filter (where ${eq(appointments.doctorId, doctorId)}) >= ${sql.placeholder('maxOpenBookingsPerDoctor')}::int
      then 'doctor' end
    from ${appointments} where ${and(eq(appointments.patientId, patientId), isLive, isUpcoming(calendar))}
      and ${appointments.id} <> ${ownId})`;

/** Why there is nothing of a slot on a day, whenever it is asked for; the days around it may have it. */
export const OFF_DAYS = {
  no_such_time: 'has no such time: the clocks go forward over it',
  closed: 'must be another day: the clinic is closed at this time',
  away: 'must be another day: the doctor is away at this time',
  not_working: 'must be another day: the doctor does not work at this time of it',
} as const;

const asked = direct((db, kind: Kind, isForOwn: boolean) => {
  const booker = placeholdersOfBooker(kind);
  const { calendar } = booker;
  const bounded = isForOwn
    ? sql`(select ${patients.id} from ${patients}
        where ${patients.userId} = ${sql.placeholder('caller')} and ${isNull(patients.archivedAt)})`
    : sql`${sql.placeholder('bounded')}`;
  const doctorId = sql.placeholder('doctorId');
  const given = sql`${sql.placeholder('date')}::date`;
  const start = sql`case when ${anySlot.startMinute} is null then (${given} + 1)::timestamp at time zone ${calendar.zone}::text
    else slot_start(${given}, ${anySlot.startMinute}, ${calendar.zone}::text) end`;
  return db
    .select({
      id: sql<number>`${anySlot.id}::float8`.as('id'),
      startMinute: sql<number | null>`${anySlot.startMinute}`.as('startMinute'),
      endMinute: sql<number | null>`${anySlot.endMinute}`.as('endMinute'),
      hasHolds: sql<boolean>`exists (select from ${holds} where ${eq(holds.doctorId, doctorId)})`.as('hasHolds'),
      bound: boundReached(bounded, doctorId, { ownId: sql.placeholder('ownId'), calendar }).as('bound'),
      isPast: sql<boolean>`${given} < ${today(calendar)}`.as('isPast'),
      isFar: sql<boolean>`${given} > ${horizon(calendar)}`.as('isFar'),
      hasTime: sql<boolean>`${start} is not null`.as('hasTime'),
      isAhead: sql<boolean>`${isAhead(given, anySlot, calendar)}`.as('isAhead'),
      isOpen: sql<boolean>`${isOpen(given, anySlot, booker, doctorId)}`.as('isOpen'),
      until: clockBefore(start, calendar.bookingNotice, calendar).as('until'),
      isWorked: sql<boolean>`${isWorked(doctorId, given, anySlot)}`.as('isWorked'),
      // Where both are, the clinic's closure is said.
      leave: sql<'away' | 'closed' | null>`(
        select max(case when ${timeOff.doctorId} is null then 'closed' else 'away' end) from ${timeOff}
        where ${leaveOf(doctorId)} and ${takesTimeOf(given, anySlot, calendar)})`.as('leave'),
    })
    .from(doctorAvailableTimes)
    .innerJoin(availableTimes, eq(availableTimes.id, doctorAvailableTimes.availableTimeId))
    .where(and(eq(doctorAvailableTimes.doctorId, doctorId), eq(availableTimes.id, sql.placeholder('timeId'))))
    .for('share', { of: availableTimes });
});

/** What is asked of a slot. */
interface Asking extends Pick<Booking, 'doctorId' | 'ownId'> {
  readonly timeId: number;
  /** The patient whose bounds it is held against, or the caller's own; 0 for nobody's. */
  readonly bounded: number | 'own';
  readonly date?: string | null | undefined;
}

/** A slot that is asked for. */
export interface Asked {
  readonly slot: OfferedSlot;
  /** What is wrong with the day for it, whether it is free or not; null where nothing is. */
  readonly fault: DateFault | null;
  /** Whether any of the doctor's times is held, or was: what has ended may still be there. */
  readonly hasHolds: boolean;
  /** The bound of open bookings that is reached. */
  readonly bound: Bound | null;
}

/**
 * A slot of a doctor, who is locked, as it stays for the transaction, and what is wrong with a day for it.
 * @returns undefined where the doctor does not offer it
 */
export async function askFor(
  visit: Visit,
  { doctorId, timeId, bounded, ownId = 0, date = null }: Asking,
): Promise<Asked | undefined> {
  const { maxOpenBookings, maxOpenBookingsPerDoctor } = visit.calendar;
  const bounds = { bounded, ownId, maxOpenBookings, maxOpenBookingsPerDoctor };
  const values = { ...valuesOfBooker(visit), ...bounds, doctorId, timeId, date };
  const row = oneOrNone(await asked(visit.db, kindOf(visit), bounded === 'own')(values));
  if (row === undefined) return undefined;
  const { id, startMinute, endMinute, hasHolds, bound } = row;
  const fault = date === null ? null : faultOf(row, visit.calendar);
  return { slot: { id, startMinute, endMinute }, fault, hasHolds, bound };
}

function faultOf(
  row: Awaited<ReturnType<ReturnType<typeof asked>>>[number],
  { horizonDays }: Calendar,
): DateFault | null {
  const firm = (text: string): DateFault => ({ text, isYielding: false });
  const yielding = (text: string): DateFault => ({ text, isYielding: true });
  if (row.isPast) return firm('must not be in the past');
  if (row.isFar) return firm(`must be at most ${horizonDays} days ahead`);
  if (!row.hasTime) return firm(OFF_DAYS.no_such_time);
  if (!row.isAhead) return yielding('must be a later day: the slot has begun');
  if (row.leave !== null) return yielding(OFF_DAYS[row.leave]);
  if (!row.isOpen) return yielding(`must be a later day: patients could book this one until ${row.until}`);
  return row.isWorked ? null : yielding(OFF_DAYS.not_working);
}

/** The bookable ones of the days from one to another. */
export const bookableDays = ({ from, to, where }: Days, calendar: Clock): SQL =>
  days(sql`greatest(${from}, ${today(calendar)})`, sql`least(${to}, ${horizon(calendar)})`, where);

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
  /** What is asked of each `days.day`, where not all are meant. */
  readonly where?: SQL;
}

/** Free slots as rows of `days`, `doctors` and `available_times`; for one doctor, or a few. */
export function freeSlots(days: Days, where: SQL | undefined, booker: Booker): { from: SQL; where: SQL } {
  const { calendar } = booker;
  return {
    from: sql`${bookableDays(days, calendar)}
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

/** Free slots of any of many doctors. */
interface Wanted {
  /** On `available_times`. */
  readonly slotIs: SQL | undefined;
  /** On `doctors`. */
  readonly doctorIs: SQL | undefined;
}

/** A row of `slots`. */
const eachSlot = { id: sql`slots.time`, startMinute: sql`slots.start_minute`, endMinute: sql`slots.end_minute` };
const slotOrder = sql`slots.start_minute nulls last, slots.time`;

/** Whether a doctor has one of the `slots` free. */
const isFreeOf = (doctorId: SQL, booker: Booker): SQL => {
  const slotDay = sql`slots.day`;
  return and(
    sql`exists (select from ${doctorAvailableTimes}
      where ${doctorAvailableTimes.doctorId} = ${doctorId} and ${doctorAvailableTimes.availableTimeId} = ${eachSlot.id})`,
    isOffered(slotDay, eachSlot, booker, doctorId),
    sql`not ${isTaken(sql`${appointments.doctorId} = ${doctorId}`, slotDay, eachSlot, booker.calendar)}`,
    sql`not ${isHeld(doctorId, slotDay, eachSlot, booker)}`,
  ) as SQL;
};

/** Forgets of days that are over that they were full. */
export async function forgetFullDays(db: Db, calendar: Calendar): Promise<void> {
  await db.delete(fullDays).where(sql`${fullDays.date} < ${today(calendar)} - 1`);
}

/**
 * Free slots of the first day from one to another on which any of the doctors can have some: as two queries, of which the
 * second, the rows of `free` in order, reads `first`. Whole days are judged for all doctors at once, and slots only as far
 * as so many free ones reach.
 */
export function freeSlotsOfFirstDay(
  days: Days,
  wanted: Wanted & { readonly most: Placeholder },
  booker: Booker,
): { first: SQL; free: SQL } {
  const { calendar } = booker;
  const isAway = (whose: SQL): SQL =>
    sql`exists (select from ${timeOff} where ${whose} and ${day} between ${timeOff.startsOn} and ${timeOff.endsOn})`;
  const mayWork = and(
    takesPatients,
    wanted.doctorIs,
    sql`not ${isFull(doctors.id, day)}`,
    worksOn(doctors.id, day),
    sql`not ${isAway(eq(timeOff.doctorId, doctors.id))}`,
  );
  // Staff and doctors give no notice; who is a doctor shows when there is one to compare with.
  const isAny = booker.caller === null ? isInTime(day, anySlot, calendar) : isAhead(day, anySlot, calendar);
  return {
    first: sql`select ${day}, ids from ${bookableDays(days, calendar)}
      cross join lateral (select array_agg(${doctors.id}) as ids from ${doctors} where ${mayWork}) as open
      where ids is not null and not ${isAway(isNull(timeOff.doctorId))} order by ${day} limit 1`,
    free: sql`select doctor, day, start_minute, time from (
        select ids, ${day}, ${availableTimes.id} as time, ${availableTimes.startMinute}, ${availableTimes.endMinute}
        from first as days cross join ${availableTimes} where ${and(isAny, wanted.slotIs)}
        order by ${availableTimes.startMinute} nulls last, ${availableTimes.id}
      ) as slots cross join lateral (
        select doctor from (select doctor from unnest(ids) as doctor order by doctor) as doctors
        where ${isFreeOf(sql`doctor`, booker)} order by doctor limit ${wanted.most}
      ) as doctors order by ${slotOrder}, doctor limit ${wanted.most}`,
  };
}

/** Soonest first; slots without clock times after those of the day that have one. */
export const soonestFirst = sql`${day}, ${availableTimes.startMinute} nulls last, ${availableTimes.id}, ${doctors.id}`;

/** One of the `freeSlots` as JSON. */
export const slotJson = ({ zone }: Clock): SQL<Slot> =>
  jsonObject<Slot>({
    date: sql<string>`${day}`,
    time: column(availableTimes.id),
    label: column(availableTimes.label),
    ...instantsOfSlot(day, anySlot, zone),
  });

const freeForPatient = direct((db, kind: Kind) => {
  const booker = placeholdersOfBooker(kind);
  const [from, to] = [sql`${sql.placeholder('from')}::date`, sql`${sql.placeholder('to')}::date`];
  const days = {
    from: sql`coalesce(${from}, ${today(booker.calendar)})`,
    to: sql`coalesce(${to}, ${horizon(booker.calendar)})`,
    where: isNotFullOf(sql.placeholder('doctorId')),
  };
  const isPatients = eq(appointments.patientId, sql.placeholder('patientId'));
  // The starts of the doctor's appointments are read at once: a full year of slots, each looked up, takes a second.
  const stands = sql`coalesce((${day} + make_interval(mins => ${anySlot.startMinute})) in (
    select lower(${appointments.period}) from ${appointments}
    where ${appointments.doctorId} = ${sql.placeholder('doctorId')} and ${isLive}
      and ${appointments.period} && tsrange(${days.from}, ${days.to} + 1)), false)`;
  const free = freeSlots(days, sql`not ${isTaken(isPatients, day, anySlot, booker.calendar)}`, booker);
  return db
    .select({ slot: sql<string>`${slotJson(booker.calendar)}::text`.as('slot') })
    .from(free.from)
    .where(and(eq(doctors.id, sql.placeholder('doctorId')), sql`case when ${stands} then false else ${free.where} end`))
    .orderBy(soonestFirst)
    .limit(sql.placeholder('most'));
});

/**
 * Up to 5 slots of a doctor that are free for the doctor and the patient: the soonest from the day that was asked for on,
 * and then those before it where these are fewer.
 */
export async function alternatives(visit: Visit, { doctorId, patientId, date }: Booking): Promise<Slot[]> {
  const search = async (from: string | null, to: string | null, most = 5): Promise<Slot[]> => {
    const values = { ...valuesOfBooker(visit), doctorId, patientId, from, to, most };
    const rows = await freeForPatient(visit.db, kindOf(visit))(values);
    return rows.map(({ slot }) => JSON.parse(slot) as Slot);
  };
  const asked = date ?? todayText(visit.calendar);
  // Most calendars have free slots soon; only a full one is searched to its end.
  const soon = await search(asked, plusDays(asked, 14));
  if (soon.length === 5) return soon;
  const later = await search(asked, null);
  if (later.length === 5 || date === undefined) return later;
  return [...later, ...(await search(null, plusDays(asked, -1), 5 - later.length))];
}
