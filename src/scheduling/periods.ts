/** Keeps what is stored of upcoming appointments on the clinic's clock, whatever has become of its zone. */
import { sql, type SQL } from 'drizzle-orm';
import { transaction, violatedConstraint, type Db, type Tx } from '../../db/client.js';
import { oneOrNone } from '../../db/rows.js';
import { appointments, availableTimes, holds } from '../../db/tables/index.js';
import { today, type Calendar } from './calendar.js';
import { BOOKING_CONSTRAINTS, isLive, isUpcoming, periodOf } from './slots.js';

/** Appointments that two have at once as the clock shows it. The message is one line. */
export class OverlappingAppointments extends Error {
  override readonly name = 'OverlappingAppointments';
}

/** Upcoming appointments with the period that they should have, as `due`. A time that the clocks now skip is kept. */
const due = (calendar: Calendar): SQL => sql`
  slots as materialized (
    select distinct date, available_time_id from ${appointments}
    where archived_at is null and date >= ${today(calendar)} - 1
  ), periods as materialized (
    select slots.date as day, ${availableTimes.id} as time, coalesce(
      ${periodOf(sql`slots.date`, availableTimes, calendar)},
      tsrange(slots.date + make_interval(mins => start_minute), slots.date + make_interval(mins => end_minute))) as period
    from slots join ${availableTimes} on ${availableTimes.id} = available_time_id where start_minute is not null
  ), due as materialized (
    select ${appointments.id}, periods.period from ${appointments} join periods on day = date and time = available_time_id
    where archived_at is null and ${isUpcoming(calendar)} and ${appointments.period} is distinct from periods.period
  )`;

/** The first of those that would overlap, in words. What is overbooked may overlap others of the doctor. */
async function overlapOf(db: Db | Tx, calendar: Calendar): Promise<string> {
  const pair = oneOrNone(
    await db.execute<{ one: number; other: number; date: string }>(sql`
    with ${due(calendar)}, live as materialized (
      select ${appointments.id}, patient_id, case when not is_overbooked then doctor_id end as doctor_id, date,
        coalesce(due.period, ${appointments.period}) as period
      from ${appointments} left join due on due.id = ${appointments.id}
      where ${isLive} and date >= ${today(calendar)} - 2
    )
    select one.id::float8 as one, other.id::float8 as other, other.date::text
    from live as one join live as other on one.id < other.id and one.period && other.period
      and (one.doctor_id = other.doctor_id or one.patient_id = other.patient_id)
    order by one.id, other.id limit 1`),
  );
  return pair === undefined ? 'two of them' : `${pair.one} and ${pair.other} on ${pair.date}`;
}

/**
 * Gives upcoming appointments the periods that the clinic's clock shows for their slots. They have others where
 * CLINIC_TIME_ZONE was another when they were written as instants, or where the zone's rules have changed.
 * @returns how many had others
 * @throws OverlappingAppointments where the same time has been booked twice meanwhile; nothing is changed then
 */
export async function alignPeriods(db: Db, calendar: Calendar): Promise<number> {
  const found = await db.execute<{ id: number; period: string }>(
    sql`with ${due(calendar)} select id::float8 as id, period::text as period from due order by id`,
  );
  if (found.length === 0) return 0;
  const changes = JSON.stringify(found);
  try {
    await transaction(db, async (tx) => {
      // They are of the old clock, and last minutes.
      await tx.delete(holds);
      // Constraints are checked row by row: one that moves first would meet another that has not yet.
      await tx.execute(sql`update ${appointments} set period = null
        where id in (select id from json_to_recordset(${changes}::json) as change (id bigint))`);
      await tx.execute(sql`update ${appointments} set period = change.period
        from json_to_recordset(${changes}::json) as change (id bigint, period tsrange) where change.id = ${appointments.id}`);
    });
  } catch (error) {
    if (!BOOKING_CONSTRAINTS.has(violatedConstraint(error) ?? '')) throw error;
    throw new OverlappingAppointments(
      `By the clock of CLINIC_TIME_ZONE (${calendar.zone}) appointments overlap, ${await overlapOf(db, calendar)}: ` +
        'start with the zone they were booked in, cancel one of them, and start again',
    );
  }
  return found.length;
}
