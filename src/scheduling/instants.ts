/** When appointments and slots begin and end, as answers have it: in UTC, and null for a slot without clock times. */
import { sql, type Placeholder, type SQL } from 'drizzle-orm';
import { timestampText } from '../../db/json.js';
import { appointments } from '../../db/tables/index.js';

interface Instants {
  readonly start: SQL<string | null>;
  readonly end: SQL<string | null>;
}

export const instantsOfAppointment = (zone: string | Placeholder): Instants => ({
  start: timestampText(sql`lower(${appointments.period}) at time zone ${zone}::text`),
  end: timestampText(sql`slot_end(${appointments.period}, ${zone}::text)`),
});

/** Of a slot on a day that has its time. */
export function instantsOfSlot(
  day: SQL,
  { startMinute, endMinute }: { startMinute: unknown; endMinute: unknown },
  zone: string | Placeholder,
): Instants {
  const start = sql`slot_start(${day}, ${startMinute}::int, ${zone}::text)`;
  return {
    start: timestampText(start),
    end: timestampText(sql`(${start} + make_interval(mins => ${endMinute}::int - ${startMinute}::int))`),
  };
}
