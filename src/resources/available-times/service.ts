import { and, eq, isNull, sql, type SQL } from 'drizzle-orm';
import type { PgColumn } from 'drizzle-orm/pg-core';
import type { Db, Tx } from '../../../db/client.js';
import { column, jsonObject, JsonText } from '../../../db/json.js';
import { directByKey } from '../../../db/prepared.js';
import { oneOrNone } from '../../../db/rows.js';
import { appointments, availableTimes, holds } from '../../../db/tables/index.js';
import type { ListAvailableTimesQuery } from '../../../openapi/generated/operations.js';
import type { AvailableTime } from '../../../openapi/generated/schemas.js';
import type { Input } from '../../../openapi/operation.js';
import type { Calendar } from '../../scheduling/calendar.js';
import { isLive, isUpcoming, periodOf } from '../../scheduling/slots.js';
import { explain, InUse, InvalidInput, NotFound } from '../../lib/errors.js';
import { arrayOf } from '../../lib/lists.js';
import { LINKS, MAX_LOOKUPS, unlinkArchivedDoctors } from '../../lib/lookups.js';
import { itemOf } from '../../lib/pages.js';
import { nothingElse } from '../../lib/patches.js';
import { inTransaction, type Visit } from '../../lib/visit.js';
import { namesWeekday, readClockRange } from './clock.js';

const clockText = (minute: PgColumn): SQL<string | null> =>
  sql<string | null>`to_char(make_interval(mins => ${minute} % 1440), 'HH24:MI')`;

const columns = {
  id: availableTimes.id,
  time: availableTimes.label,
  start: clockText(availableTimes.startMinute),
  end: clockText(availableTimes.endMinute),
};

/** @throws InvalidInput for a weekday's name: a slot is offered on all days */
function values(label: string, { slotMinutes }: Calendar) {
  if (namesWeekday(label)) {
    throw new InvalidInput({
      time: ['must not name a weekday: a slot is a time of the day, and is offered on every day'],
    });
  }
  const range = readClockRange(label, slotMinutes);
  return { label, startMinute: range?.start ?? null, endMinute: range?.end ?? null };
}

function one(rows: AvailableTime[]): AvailableTime {
  const row = oneOrNone(rows);
  if (row === undefined) throw new NotFound();
  return row;
}

const timeJson = jsonObject<AvailableTime>({
  ...columns,
  id: column(availableTimes.id),
  time: column(availableTimes.label),
});

const selectTimes = (db: Db | Tx) => db.select(itemOf(timeJson)).from(availableTimes).$dynamic();

const timeList = arrayOf<ListAvailableTimesQuery, AvailableTime>(
  { table: availableTimes, filters: { id: (id) => eq(availableTimes.id, id) }, rows: selectTimes },
  MAX_LOOKUPS,
);

export const listAvailableTimes = (
  visit: Visit,
  { query }: Input<'listAvailableTimes'>,
): Promise<JsonText<AvailableTime[]>> => timeList(visit, query);

const timeById = directByKey((db) => selectTimes(db).where(eq(availableTimes.id, sql.placeholder('id'))));

export async function getAvailableTime(
  { db }: Visit,
  { params }: Input<'getAvailableTime'>,
): Promise<JsonText<AvailableTime>> {
  const row = oneOrNone(await timeById(db)(params));
  if (row === undefined) throw new NotFound();
  return new JsonText(row.item);
}

export async function createAvailableTime(
  { db, calendar }: Visit,
  { body: { time, ...rest } }: Input<'createAvailableTime'>,
): Promise<AvailableTime> {
  nothingElse(rest);
  return one(await db.insert(availableTimes).values(values(time, calendar)).returning(columns));
}

/**
 * Changes the label and with it the clock times.
 * @throws InUse where upcoming appointments stand in the slot and its clock times would be others: people hold them
 */
export async function updateAvailableTime(
  visit: Visit,
  { params, body: { time, ...rest } }: Input<'updateAvailableTime'>,
): Promise<AvailableTime | JsonText<AvailableTime>> {
  nothingElse(rest);
  if (time === undefined) return getAvailableTime(visit, { params });
  const { calendar } = visit;
  const changes = values(time, calendar);
  return inTransaction(visit, async ({ db }) => {
    const { startMinute, endMinute } = availableTimes;
    const inSlot = and(
      eq(appointments.availableTimeId, params.id),
      isNull(appointments.archivedAt),
      isUpcoming(calendar),
    );
    // Bookings lock the slot too: none comes between this look and the change.
    const present = oneOrNone(
      await db
        .select({ startMinute, endMinute })
        .from(availableTimes)
        .where(eq(availableTimes.id, params.id))
        .for('no key update'),
    );
    if (present === undefined) throw new NotFound();
    if (present.startMinute !== changes.startMinute || present.endMinute !== changes.endMinute) {
      const held = oneOrNone(
        await db.select({ id: appointments.id }).from(appointments).where(and(inSlot, isLive)).limit(1),
      );
      if (held !== undefined) {
        throw new InUse(
          'Upcoming appointments stand in this slot, so its clock times can not change; its spelling can.',
        );
      }
      // A hold is of the time that the slot had.
      await db.delete(holds).where(eq(holds.availableTimeId, params.id));
      // What is cancelled has the slot's times, in case it is taken back.
      await db
        .update(appointments)
        .set({ period: periodOf(sql`${appointments.date}`, changes, calendar) })
        .where(inSlot);
    }
    return one(await db.update(availableTimes).set(changes).where(eq(availableTimes.id, params.id)).returning(columns));
  });
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
    waiting_entry_times_available_time_id_available_times_id_fk: () => new InUse('A patient waits for it.'),
  });
  if (rows.length === 0) throw new NotFound();
}
