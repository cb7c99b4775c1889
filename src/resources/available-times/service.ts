import { and, asc, eq, isNull, sql } from 'drizzle-orm';
import { oneOrNone } from '../../../db/rows.js';
import { appointments, availableTimes } from '../../../db/tables/index.js';
import type { AvailableTime } from '../../../openapi/generated/schemas.js';
import type { Input } from '../../../openapi/operation.js';
import type { Calendar } from '../../scheduling/calendar.js';
import { BOOKING_CONSTRAINTS, isUpcoming, periodOf } from '../../scheduling/slots.js';
import { explain, InUse, NotFound } from '../../lib/errors.js';
import { filtered } from '../../lib/lists.js';
import { LINKS, MAX_LOOKUPS, unlinkArchivedDoctors } from '../../lib/lookups.js';
import { nothingElse } from '../../lib/patches.js';
import { inTransaction, type Visit } from '../../lib/visit.js';
import { readClockRange } from './clock.js';

const columns = { id: availableTimes.id, time: availableTimes.label };

function values(label: string, { slotMinutes }: Calendar) {
  const range = readClockRange(label, slotMinutes);
  return { label, startMinute: range?.start ?? null, endMinute: range?.end ?? null };
}

function one(rows: AvailableTime[]): AvailableTime {
  const row = oneOrNone(rows);
  if (row === undefined) throw new NotFound();
  return row;
}

export function listAvailableTimes({ db }: Visit, { query }: Input<'listAvailableTimes'>): Promise<AvailableTime[]> {
  return db
    .select(columns)
    .from(availableTimes)
    .where(filtered(query, { id: (id) => eq(availableTimes.id, id) }))
    .orderBy(asc(availableTimes.id))
    .limit(MAX_LOOKUPS);
}

export async function getAvailableTime(
  { db }: Visit,
  { params: { id } }: Input<'getAvailableTime'>,
): Promise<AvailableTime> {
  return one(await db.select(columns).from(availableTimes).where(eq(availableTimes.id, id)));
}

export async function createAvailableTime(
  { db, calendar }: Visit,
  { body: { time, ...rest } }: Input<'createAvailableTime'>,
): Promise<AvailableTime> {
  nothingElse(rest);
  return one(await db.insert(availableTimes).values(values(time, calendar)).returning(columns));
}

/**
 * Changes the label and with it the clock times, also of the upcoming appointments.
 * @throws InUse where these would then overlap others
 */
export async function updateAvailableTime(
  visit: Visit,
  { params, body: { time, ...rest } }: Input<'updateAvailableTime'>,
): Promise<AvailableTime> {
  nothingElse(rest);
  if (time === undefined) return getAvailableTime(visit, { params });
  const { calendar } = visit;
  const changes = values(time, calendar);
  const update = inTransaction(visit, async (visit) => {
    const { db } = visit;
    const rows = await db
      .update(availableTimes)
      .set(changes)
      .where(eq(availableTimes.id, params.id))
      .returning(columns);
    await db
      .update(appointments)
      .set({ period: periodOf(sql`${appointments.date}`, changes, calendar) })
      .where(and(eq(appointments.availableTimeId, params.id), isNull(appointments.archivedAt), isUpcoming(calendar)));
    return one(rows);
  });
  const overlap = () => new InUse('Upcoming appointments in this slot would overlap others.');
  return explain(update, Object.fromEntries([...BOOKING_CONSTRAINTS].map((name) => [name, overlap])));
}

export async function deleteAvailableTime(
  visit: Visit,
  { params: { id } }: Input<'deleteAvailableTime'>,
): Promise<void> {
  const removal = inTransaction(visit, async (visit) => {
    await unlinkArchivedDoctors(visit, LINKS.available_time, id);
    return visit.db.delete(availableTimes).where(eq(availableTimes.id, id)).returning({ id: availableTimes.id });
  });
  const rows = await explain(removal, {
    appointments_available_time_id_available_times_id_fk: () => new InUse('Appointments are booked in it.'),
    doctor_available_times_available_time_id_available_times_id_fk: () => new InUse('A doctor offers it.'),
  });
  if (rows.length === 0) throw new NotFound();
}
