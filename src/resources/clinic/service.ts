import { sql } from 'drizzle-orm';
import { one } from '../../../db/rows.js';
import type { Clinic } from '../../../openapi/generated/schemas.js';
import { today, wallClock } from '../../scheduling/calendar.js';
import type { Visit } from '../../lib/visit.js';

declare module 'fastify' {
  interface Visit {
    readonly clinicName: string;
  }
}

/** The clinic, how it books, and what its clock shows: to PostgreSQL, by whose zones appointments are booked. */
export async function getClinic({ db, clinicName, calendar }: Visit): Promise<Clinic> {
  const shown = one(
    await db.execute<{ today: string; clock: string }>(sql`
      select ${today(calendar)}::text as today, to_char(${wallClock(calendar)}, 'HH24:MI') as clock`),
  );
  return {
    name: clinicName,
    time_zone: calendar.zone,
    slot_minutes: calendar.slotMinutes,
    booking_horizon_days: calendar.horizonDays,
    today: shown.today,
    clock: shown.clock,
    now: calendar.now.toISOString(),
  };
}
