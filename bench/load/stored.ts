/** Holds what is stored against what was acknowledged. */
import type { Sql } from 'postgres';
import type { Booking } from './clinic.js';

const CHUNK = 10_000;

/** Nobody is booked twice at a time. */
const DOUBLE = (who: 'doctor_id' | 'patient_id', first: number): string => `
  select a.id from appointments a join appointments b on a.${who} = b.${who} and a.id <> b.id
  and a.date = b.date and (a.period && b.period or a.available_time_id = b.available_time_id)
  where a.id > ${first} and not a.is_cancelled and not b.is_cancelled and a.archived_at is null and b.archived_at is null`;

/**
 * @param first after which id the appointments of this run begin
 * @returns what is not as it should be, a line each
 */
export async function findFaults(sql: Sql, bookings: readonly Booking[], first: number): Promise<string[]> {
  const faults: string[] = [];
  const known = bookings.filter(({ isKnown }) => isKnown);
  for (let at = 0; at < known.length; at += CHUNK) {
    const chunk = known.slice(at, at + CHUNK);
    const rows = await sql<{ id: number; symptoms: string; isCancelled: boolean }[]>`
      select id::float8, symptoms, is_cancelled as "isCancelled" from appointments
      where id = any(${`{${chunk.map(({ id }) => id).join(',')}}`}::bigint[])`;
    const stored = new Map(rows.map((row) => [row.id, row]));
    for (const { id, symptoms, isCancelled } of chunk) {
      const row = stored.get(id);
      if (row === undefined) faults.push(`appointment ${id} was acknowledged and is not there`);
      else if (row.symptoms !== symptoms || row.isCancelled !== isCancelled) {
        faults.push(`appointment ${id} is not as it was acknowledged last`);
      }
    }
  }
  for (const who of ['doctor_id', 'patient_id'] as const) {
    for (const { id } of await sql.unsafe<{ id: number }[]>(DOUBLE(who, first))) {
      faults.push(`appointment ${id} is at the same time as another one with its ${who.replace('_id', '')}`);
    }
  }
  return faults;
}
