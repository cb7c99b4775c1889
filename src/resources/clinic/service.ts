import { sql } from 'drizzle-orm';
import { jsonArray, jsonObject } from '../../../db/json.js';
import { one } from '../../../db/rows.js';
import { timeOff } from '../../../db/tables/index.js';
import type { Clinic, Closure } from '../../../openapi/generated/schemas.js';
import { moment, today, wallClock, wallClockAt } from '../../scheduling/calendar.js';
import { boundsJson } from '../../scheduling/working-time.js';
import type { Visit } from '../../lib/visit.js';

declare module 'fastify' {
  interface Visit {
    readonly clinicName: string;
  }
}

const MAX_CLOSURES = 100;

const closureJson = jsonObject<Closure>(boundsJson);

/** The clinic, how it books, and what its clock shows: to PostgreSQL, by whose zones appointments are booked. */
export async function getClinic({ db, clinicName, calendar }: Visit): Promise<Clinic> {
  const shown = one(
    await db.execute<{ today: string; clock: string; closures: Closure[] }>(sql`
      select ${today(calendar)}::text as today, to_char(${wallClock(calendar)}, 'HH24:MI') as clock,
        ${jsonArray(sql`select ${closureJson} from ${timeOff}
          where ${timeOff.doctorId} is null
            and coalesce(${timeOff.endsOn} >= ${today(calendar)}, ${timeOff.endsAt} > ${moment(calendar)})
          order by coalesce(${timeOff.startsAt}, ${wallClockAt(sql`${timeOff.startsOn}`, calendar)}), ${timeOff.id}
          limit ${MAX_CLOSURES}`)} as closures`),
  );
  return {
    name: clinicName,
    time_zone: calendar.zone,
    slot_minutes: calendar.slotMinutes,
    booking_horizon_days: calendar.horizonDays,
    booking_notice_seconds: calendar.bookingNotice,
    change_notice_seconds: calendar.changeNotice,
    closures: shown.closures,
    today: shown.today,
    clock: shown.clock,
    now: calendar.now.toISOString(),
    max_open_bookings: calendar.maxOpenBookings,
    max_open_bookings_per_doctor: calendar.maxOpenBookingsPerDoctor,
  };
}
