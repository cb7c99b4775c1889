/** Appointments that are booked together, and of which the rest is cancelled together. */
import { and, asc, eq, gte, isNull, sql, type SQL } from 'drizzle-orm';
import { JsonText } from '../../../db/json.js';
import { one } from '../../../db/rows.js';
import { appointments, appointmentSeries } from '../../../db/tables/index.js';
import type {
  Appointment,
  AppointmentPatch,
  AppointmentSeries,
  ChangedAppointmentSeries,
  KeptAppointment,
  NewAppointmentSeries,
  SkippedDate,
} from '../../../openapi/generated/schemas.js';
import type { Input } from '../../../openapi/operation.js';
import { today } from '../../scheduling/calendar.js';
import { cancelledFor, type Reason } from '../../scheduling/cancellation.js';
import { lockDoctor } from '../../scheduling/locks.js';
import { offerFreed } from '../../scheduling/offers.js';
import { OFF_DAYS } from '../../scheduling/slots.js';
import { InvalidInput, NotFound } from '../../lib/errors.js';
import { nothingElse } from '../../lib/patches.js';
import { inTransaction, type UserVisit, type Within } from '../../lib/visit.js';
import { isSeenBy } from './access.js';
import { book, bookSlot, findSlot, lockParties, Taken } from './booking.js';
import { planChange, WrongStatus, type Present } from './plan.js';
import { appointmentsOfSeries } from './queries.js';
import { findVisible } from './service.js';
import { TYPE } from './wire.js';

const WEEK = 7 * 86_400_000;

/** A date that can not be booked. */
interface Refusal {
  readonly date: string;
  /** In words that follow the field's name. */
  readonly fault: string;
  /** Why it can be left out; undefined for what would be no better on the days around it. */
  readonly reason: SkippedDate['reason'] | undefined;
}

const REASONS: Readonly<Record<SkippedDate['reason'], string>> = {
  taken: 'must be another day: the doctor or the patient has an appointment at this time',
  ...OFF_DAYS,
};

/** What the refusal of a booking says of its date; any other error passes. */
function refusalOf(date: string, error: unknown): Refusal {
  if (error instanceof Taken) return { date, fault: REASONS.taken, reason: 'taken' };
  if (!(error instanceof InvalidInput)) throw error;
  const { date: [fault] = [], ...others } = error.members['errors'] as Record<string, string[]>;
  if (fault === undefined || Object.keys(others).length > 0) throw error;
  const [reason] = Object.entries(REASONS).find(([, text]) => text === fault) ?? [];
  return { date, fault, reason: reason as Refusal['reason'] };
}

/** All refusals as the faults of one field, each with its dates. */
function faultsOf(refusals: readonly Refusal[]): string[] {
  const faults = [...new Set(refusals.map(({ fault }) => fault))];
  return faults.map((fault) => {
    const dates = refusals.filter((refusal) => refusal.fault === fault).map(({ date }) => date);
    return `${fault} (${dates.join(', ')})`;
  });
}

/** Dates of the calendar, so that the slot stays at its time when the clocks change. */
function datesOf(first: string, count: number, everyWeeks: number): string[] {
  const dates = Array.from({ length: count }, (_, index) => new Date(Date.parse(first) + index * everyWeeks * WEEK));
  // A year of five digits is written otherwise; the first date is too far ahead then.
  return dates.map((date) => date.toISOString().slice(0, 10)).filter((date) => /^\d{4}-/.test(date));
}

/** The appointments of a series that the caller sees. */
const isOf = ({ caller }: UserVisit, id: number): SQL =>
  and(
    eq(appointments.seriesId, id),
    isNull(appointments.archivedAt),
    caller.isStaff ? undefined : isSeenBy(caller.id),
  ) as SQL;

/** These as JSON, in the order of their dates. */
const listOf = (visit: UserVisit, id: number): Promise<JsonText<Appointment[]>> =>
  appointmentsOfSeries(
    visit,
    { series: id, seer: visit.caller.isStaff ? undefined : visit.caller.id, ordering: 'date' },
    { zone: visit.calendar.zone },
  );

/** @throws NotFound where the caller sees none of it */
export async function getAppointmentSeries(
  visit: UserVisit,
  { params: { id } }: Pick<Input<'getAppointmentSeries'>, 'params'>,
): Promise<JsonText<AppointmentSeries>> {
  const { text } = await listOf(visit, id);
  if (text === '[]') throw new NotFound();
  return new JsonText(`{"id":${id},"appointments":${text}}`);
}

/**
 * Books a slot on several dates: all or none of them, or with `skip_taken` those that can be had.
 * @throws NoPatientRecord, NotAllowed, InvalidInput, TooManyBookings, SlotTaken
 */
export function createAppointmentSeries(
  visit: UserVisit,
  { body }: Input<'createAppointmentSeries'>,
): Promise<JsonText<NewAppointmentSeries>> {
  const { doctor: doctorId, time: timeId, patient: named, appointment_type: type, symptoms, ...others } = body;
  const { date: wantedDate, count, every_weeks: everyWeeks = 1, skip_taken: skips = false, ...rest } = others;
  nothingElse(rest);
  return book(visit, async (visit) => {
    const parties = await lockParties(visit, { doctorId, named });
    const { id } = one(await visit.db.insert(appointmentSeries).values({}).returning({ id: appointmentSeries.id }));
    const booking = { ...parties, doctorId, timeId, isOverbooking: false, takesTime: true, opens: true };
    const first = wantedDate ?? (await findSlot(visit, booking)).date;
    const dates = datesOf(first, count, everyWeeks);
    const refusals: Refusal[] = [];
    for (const date of dates) {
      try {
        // What the database refuses undoes this date alone, so that the others are judged too.
        await inTransaction(visit, (visit) =>
          bookSlot(visit, { ...booking, date }, { type: TYPE[type], symptoms, seriesId: id }),
        );
      } catch (error) {
        refusals.push(refusalOf(date, error));
      }
    }
    const isFaulty = ({ reason }: Refusal): boolean => reason === undefined || (!skips && reason !== 'taken');
    if (refusals.some(isFaulty)) throw new InvalidInput({ date: faultsOf(refusals) });
    if (refusals.length === dates.length || (!skips && refusals.length > 0)) {
      const taken = refusals.filter(({ reason }) => reason === 'taken').map(({ date }) => date);
      throw new Taken({ ...booking, date: first }, { dates: taken });
    }
    const skipped = refusals.map(({ date, reason }) => ({ date, reason }));
    const { text } = await listOf(visit, id);
    return new JsonText(`{"id":${id},"appointments":${text},"skipped":${JSON.stringify(skipped)}}`);
  });
}

/** Those of a series that are to be cancelled, locked, in the order of their ids; the doctors of the series before them. */
async function lockRest(
  visit: Within<UserVisit>,
  id: number,
  from: string | undefined,
): Promise<{ ids: number[]; doctorIds: number[] }> {
  const { db, calendar } = visit;
  const ofSeries = await db.select({ doctorId: appointments.doctorId }).from(appointments).where(isOf(visit, id));
  if (ofSeries.length === 0) throw new NotFound();
  const doctorIds = [...new Set(ofSeries.map(({ doctorId }) => doctorId))].sort((a, b) => a - b);
  for (const doctorId of doctorIds) await lockDoctor(visit, doctorId);
  const first = from === undefined ? today(calendar) : sql`${from}::date`;
  const rest = await db
    .select({ id: appointments.id })
    .from(appointments)
    .where(and(isOf(visit, id), sql`not ${appointments.isCancelled}`, gte(appointments.date, first)))
    .orderBy(asc(appointments.id))
    .for('update');
  return { ids: rest.map((row) => row.id), doctorIds };
}

/**
 * Why an appointment is cancelled, by the rules of cancelling it alone.
 * @throws WrongStatus where it stays, NotAllowed, InvalidInput
 */
function planCancellation(present: Present, body: AppointmentPatch, { caller }: UserVisit): Reason {
  const { reason } = planChange(present, { body, isReplacing: false }, caller);
  if (present.hasBegun) throw new WrongStatus('It has begun.');
  if (present.status !== 'pending') throw new WrongStatus('It is not Pendding any more.');
  if (reason === null) throw new Error('a cancelled appointment has a reason');
  return reason;
}

/**
 * Cancels what is left of a series.
 * @throws NotFound, NotAllowed, InvalidInput
 */
export function updateAppointmentSeries(
  visit: UserVisit,
  { params: { id }, body }: Input<'updateAppointmentSeries'>,
): Promise<JsonText<ChangedAppointmentSeries>> {
  const { cancel, from, cancel_reason: reason, ...rest } = body;
  nothingElse(rest);
  if (!cancel) throw new InvalidInput({ cancel: ['must be true'] });
  return inTransaction(visit, async (visit) => {
    const { db } = visit;
    const { ids, doctorIds } = await lockRest(visit, id, from);
    const kept: KeptAppointment[] = [];
    for (const each of ids) {
      const present = await findVisible(visit, each);
      try {
        const given = { cancel, ...(reason !== undefined && { cancel_reason: reason }) };
        const why = planCancellation(present, given, visit);
        await db.update(appointments).set(cancelledFor(why)).where(eq(appointments.id, each));
      } catch (error) {
        if (!(error instanceof WrongStatus)) throw error;
        kept.push({ id: each, date: present.date, detail: error.message });
      }
    }
    for (const doctorId of doctorIds) await offerFreed(visit, doctorId);
    const { text } = await listOf(visit, id);
    const cancelled = ids.length - kept.length;
    return new JsonText(`{"id":${id},"appointments":${text},"cancelled":${cancelled},"kept":${JSON.stringify(kept)}}`);
  });
}
