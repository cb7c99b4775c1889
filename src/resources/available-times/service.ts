import { and, asc, eq, isNull, sql } from 'drizzle-orm';
import { transaction, type Db, type Tx } from '../../../db/client.js';
import { appointments, availableTimes, doctorAvailableTimes } from '../../../db/tables/index.js';
import type { AvailableTime, AvailableTimeInput, AvailableTimePatch } from '../../../openapi/generated/schemas.js';
import { explain, InUse, NotFound } from '../../lib/errors.js';
import { MAX_LOOKUPS, unlinkArchivedDoctors } from '../../lib/lookups.js';
import { BOOKING_CONSTRAINTS, isUpcoming, periodOf, type Calendar } from '../appointments/booking.js';
import { readClockRange } from './clock.js';

const columns = { id: availableTimes.id, time: availableTimes.label };

function values(label: string, slotMinutes: number) {
  const range = readClockRange(label, slotMinutes);
  return { label, startMinute: range?.start ?? null, endMinute: range?.end ?? null };
}

function one(rows: AvailableTime[]): AvailableTime {
  if (rows[0] === undefined) throw new NotFound();
  return rows[0];
}

export function listAvailableTimes(db: Db, { id }: { id?: number }): Promise<AvailableTime[]> {
  return db
    .select(columns)
    .from(availableTimes)
    .where(id === undefined ? undefined : eq(availableTimes.id, id))
    .orderBy(asc(availableTimes.id))
    .limit(MAX_LOOKUPS);
}

export async function getAvailableTime(db: Db, id: number): Promise<AvailableTime> {
  return one(await db.select(columns).from(availableTimes).where(eq(availableTimes.id, id)));
}

/** @param slotMinutes the length of a slot whose label has only a start */
export async function createAvailableTime(
  db: Db | Tx,
  input: AvailableTimeInput,
  slotMinutes: number,
): Promise<AvailableTime> {
  return one(await db.insert(availableTimes).values(values(input.time, slotMinutes)).returning(columns));
}

/**
 * Changes the label and with it the clock times, also of the upcoming appointments.
 * @throws InUse where these would then overlap others
 */
export async function updateAvailableTime(
  db: Db,
  id: number,
  input: AvailableTimePatch,
  slotMinutes: number,
  calendar: Calendar,
): Promise<AvailableTime> {
  if (input.time === undefined) return getAvailableTime(db, id);
  const changes = values(input.time, slotMinutes);
  const update = transaction(db, async (tx) => {
    const rows = await tx.update(availableTimes).set(changes).where(eq(availableTimes.id, id)).returning(columns);
    await tx
      .update(appointments)
      .set({ period: periodOf(sql`${appointments.date}`, changes, calendar) })
      .where(and(eq(appointments.availableTimeId, id), isNull(appointments.archivedAt), isUpcoming(calendar)));
    return one(rows);
  });
  const overlap = () => new InUse('Upcoming appointments in this slot would overlap others.');
  return explain(update, Object.fromEntries([...BOOKING_CONSTRAINTS].map((name) => [name, overlap])));
}

export async function deleteAvailableTime(db: Db, id: number): Promise<void> {
  const removal = transaction(db, async (tx) => {
    await unlinkArchivedDoctors(tx, doctorAvailableTimes.doctorId, doctorAvailableTimes.availableTimeId, id);
    return tx.delete(availableTimes).where(eq(availableTimes.id, id)).returning({ id: availableTimes.id });
  });
  const rows = await explain(removal, {
    appointments_available_time_id_available_times_id_fk: () => new InUse('Appointments are booked in it.'),
    doctor_available_times_available_time_id_available_times_id_fk: () => new InUse('A doctor offers it.'),
  });
  if (rows.length === 0) throw new NotFound();
}
