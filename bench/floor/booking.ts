/** A booking: the statements that the rules come to, under the constraints that the database has, in one transaction. */
import type { TransactionSql } from 'postgres';
import { APPOINTMENT } from './resources.js';
import { sql, type Answer, type Value } from './sql.js';

interface Booking {
  readonly doctor: number;
  readonly time: number;
  readonly patient: number;
  readonly date?: string;
  readonly symptoms: string;
  readonly appointment_type: string;
}

const TODAY = `(now() at time zone 'UTC')::date`;
const PERIOD = (day: string) =>
  `tsrange(${day} + make_interval(mins => start_minute), ${day} + make_interval(mins => end_minute))`;
const IS_AHEAD = (day: string) => `${day} + make_interval(mins => start_minute) > now() at time zone 'UTC'`;

const ofDoctor = (doctor: string, day: string): string => `
  ((not exists (select from doctor_hours where doctor_id = ${doctor}) or exists (
    select from doctor_hours h join doctor_hours_times ht on ht.hours_id = h.id
    where h.doctor_id = ${doctor} and ht.available_time_id = t.id and h.weekday = extract(isodow from ${day})
      and ${day} >= h.starts_on and ${day} <= coalesce(h.ends_on, 'infinity')
      and ((${day} - h.starts_on) / 7) % h.every_weeks = 0))
  and not exists (select from time_off where (doctor_id = ${doctor} or doctor_id is null) and
    tsrange(coalesce(starts_on::timestamp, starts_at at time zone 'UTC'), coalesce(ends_on + interval '1 day', ends_at at time zone 'UTC'))
    && ${PERIOD(day)}))`;

const STATEMENTS = {
  sign: `select set_config('hospital.user_id', $1::text, true)`,
  doctor: 'select is_active from doctors where id = $1::bigint and archived_at is null for no key update',
  patient: 'select user_id from patients where id = $1::bigint and archived_at is null for no key update',
  slot: `select t.id from doctor_available_times join available_times t on t.id = available_time_id
    where doctor_id = $1::bigint and t.id = $2::bigint for share of t`,
  date: `select ${IS_AHEAD('$3::date')} and $3::date <= ${TODAY} + 365 and ${ofDoctor('$1::bigint', '$3::date')}
    from available_times t where id = $2::bigint`,
  soonest: `
    select day::text from available_times t, (select ${TODAY} + n as day from generate_series(0, 365) n order by 1) days
    where t.id = $2::bigint and ${IS_AHEAD('day')} and ${ofDoctor('$1::bigint', 'day')}
      and not exists (select from appointments where doctor_id = $1::bigint and period && ${PERIOD('day')}
        and not is_cancelled and archived_at is null)
      and not exists (select from appointments where patient_id = $3::bigint and period && ${PERIOD('day')}
        and not is_cancelled and archived_at is null)
      and not exists (select from holds where doctor_id = $1::bigint and expires_at > now() and period && ${PERIOD('day')})
    order by day limit 1`,
  holds: `delete from holds where doctor_id = $1::bigint and expires_at <= now()`,
  insert: `
    insert into appointments (doctor_id, patient_id, available_time_id, date, period, type, status, symptoms)
    select $1::bigint, $2::bigint, id, $4::date, ${PERIOD('$4::date')}, $5::appointment_type, 'pending', $6::text
    from available_times where id = $3::bigint returning id`,
  read: `select row_to_json(item)::text from (select ${APPOINTMENT.fields} from appointments t where id = $1::bigint) item`,
};

export async function book(text: string): Promise<Answer> {
  const { doctor, time, patient, date, symptoms, appointment_type: type } = JSON.parse(text) as Booking;
  const body = await sql.begin(async (tx: TransactionSql) => {
    const one = async (statement: keyof typeof STATEMENTS, ...values: Value[]): Promise<unknown> => {
      const [row = []] = (await tx
        .unsafe(STATEMENTS[statement], values, { prepare: true })
        .values()) as unknown as unknown[][];
      return row[0];
    };
    const isActive = await one('doctor', doctor);
    const user = await one('patient', patient);
    if (isActive !== true || user === undefined) return undefined;
    await one('sign', user as string);
    if ((await one('slot', doctor, time)) === undefined) return undefined;
    if (date !== undefined && (await one('date', doctor, time, date)) !== true) return undefined;
    const day = date ?? (await one('soonest', doctor, time, patient));
    await one('holds', doctor);
    const id = await one('insert', doctor, patient, time, day as string, type.toLowerCase(), symptoms);
    return (await one('read', id as string)) as string;
  });
  return body === undefined ? { status: 400, body: '{"title":"Invalid input"}' } : { status: 201, body };
}
