import { and, eq, lte, sql } from 'drizzle-orm';
import type { Db } from '../../../db/client.js';
import { column, jsonObject, JsonText } from '../../../db/json.js';
import { availableTimes, doctorDesignations, doctors, doctorSpecialisations, users } from '../../../db/tables/index.js';
import type { DoctorSlot, DoctorSlotPage, FreeSlot, FreeSlotList } from '../../../openapi/generated/schemas.js';
import { InvalidInput, NotFound } from '../../lib/errors.js';
import { selectPage, type Link, type PageQuery } from '../../lib/pages.js';
import { freeSlots, freeSlotsOfAll, soonestFirst, type Calendar } from '../appointments/booking.js';
import { linkedTo } from '../doctors/service.js';

interface Days {
  readonly from?: string;
  readonly to?: string;
}

const MAX_DAYS = 31;
const DEFAULT_DAYS = 7;
const DAY = 86_400_000;

/**
 * The days that a query asks for, both included.
 * @throws InvalidInput for more than 31, and for an end before the start
 */
function readDays({ from, to }: Days, { now, zone }: Calendar): { from: string; to: string } {
  // The Canadian format is that of ISO 8601.
  const first = from ?? new Intl.DateTimeFormat('en-CA', { timeZone: zone }).format(now);
  const weekLater = new Date(Date.parse(first) + (DEFAULT_DAYS - 1) * DAY).toISOString().slice(0, 10);
  const last = to ?? (weekLater.startsWith('+') ? first : weekLater);
  const count = (Date.parse(last) - Date.parse(first)) / DAY + 1;
  if (count < 1) throw new InvalidInput({ to: ['must not be before from'] });
  if (count > MAX_DAYS) throw new InvalidInput({ to: [`must be at most ${MAX_DAYS - 1} days after from`] });
  return { from: first, to: last };
}

const freeSlotJson = jsonObject<FreeSlot>({
  date: sql<string>`days.day`,
  time: column(availableTimes.id),
  label: column(availableTimes.label),
});

/** @throws NotFound where there is no such doctor */
export async function listDoctorAvailability(
  db: Db,
  doctorId: number,
  query: Days,
  calendar: Calendar,
): Promise<JsonText<FreeSlotList>> {
  const { from, to } = readDays(query, calendar);
  const free = freeSlots(sql`${from}::date`, sql`${to}::date`, eq(doctors.id, doctorId), calendar);
  const [row] = await db.execute<{ isThere: boolean; text: string }>(sql`
    select exists (select from ${doctors} where ${doctors.id} = ${doctorId} and ${doctors.archivedAt} is null) as "isThere",
      array_to_json(array(select ${freeSlotJson} from ${free.from} where ${free.where} order by ${soonestFirst}))::text
        as text`);
  if (row?.isThere !== true) throw new NotFound();
  return new JsonText(row.text);
}

const doctorSlotJson = jsonObject<DoctorSlot>({
  doctor: sql<number>`doctor`,
  doctor_name: sql<string>`(select ${users.displayName} from ${doctors} join ${users} on ${users.id} = ${doctors.userId}
    where ${doctors.id} = doctor)`,
  fee: sql<number>`(select ${doctors.fee} from ${doctors} where ${doctors.id} = doctor)`,
  date: sql<string>`day`,
  time: sql<number>`time`,
  label: sql<string>`(select ${availableTimes.label} from ${availableTimes} where ${availableTimes.id} = time)`,
});

export interface AvailabilityQuery extends PageQuery, Days {
  readonly specialisation?: number;
  readonly designation?: number;
  readonly max_fee?: number;
  readonly time?: number;
}

export async function searchAvailability(
  db: Db,
  query: AvailabilityQuery,
  calendar: Calendar,
  link: Link,
): Promise<JsonText<DoctorSlotPage>> {
  const { from, to } = readDays(query, calendar);
  const slotIs = query.time === undefined ? undefined : eq(availableTimes.id, query.time);
  const doctorIs = and(
    linkedTo(doctorSpecialisations.doctorId, doctorSpecialisations.specialisationId, query.specialisation),
    linkedTo(doctorDesignations.doctorId, doctorDesignations.designationId, query.designation),
    query.max_fee === undefined ? undefined : lte(doctors.fee, query.max_fee),
  );
  const free = freeSlotsOfAll(sql`${from}::date`, sql`${to}::date`, { slotIs, doctorIs }, calendar);
  return selectPage(
    db,
    doctorSlotJson,
    (columns) =>
      db
        // One pass for both; a page without rows has no count to show, be it the first or past the end.
        .select({ ...columns, total: sql<number>`count(*) over ()`.as('total') })
        .from(free)
        .orderBy(sql`day, start_minute nulls last, time, doctor`)
        .$dynamic(),
    sql`coalesce(max(total), 0)`,
    query,
    link,
  );
}
