import { and, eq, gte, isNull, lte, sql, type SQL } from 'drizzle-orm';
import { column, jsonObject, JsonText } from '../../../db/json.js';
import { direct } from '../../../db/prepared.js';
import { oneOrNone } from '../../../db/rows.js';
import { availableTimes, doctors } from '../../../db/tables/index.js';
import type { ListDoctorAvailabilityQuery, SearchAvailabilityQuery } from '../../../openapi/generated/operations.js';
import type { DoctorSlot, DoctorSlotPage, FreeSlotList } from '../../../openapi/generated/schemas.js';
import type { Input } from '../../../openapi/operation.js';
import { kindOf, placeholdersOfBooker, valuesOfBooker, type Kind } from '../../scheduling/booker.js';
import { todayText, type Calendar } from '../../scheduling/calendar.js';
import { instantsOfSlot } from '../../scheduling/instants.js';
import { freeSlots, freeSlotsOfAll, slotJson, soonestFirst } from '../../scheduling/slots.js';
import { InvalidInput, NotFound } from '../../lib/errors.js';
import { filtered } from '../../lib/lists.js';
import { isLinkedTo, LINKS } from '../../lib/lookups.js';
import { nameOfDoctor } from '../../lib/names.js';
import { cutPage, itemOf, selectPage } from '../../lib/pages.js';
import type { Given } from '../../lib/patches.js';
import type { Visit } from '../../lib/visit.js';

const MAX_DAYS = 31;
const DEFAULT_DAYS = 7;
const DAY = 86_400_000;

/**
 * The days that a query asks for, both included.
 * @throws InvalidInput for more than 31, and for an end before the start
 */
function readDays({ from, to }: Given<ListDoctorAvailabilityQuery>, calendar: Calendar): { from: string; to: string } {
  const first = from ?? todayText(calendar);
  const weekLater = new Date(Date.parse(first) + (DEFAULT_DAYS - 1) * DAY).toISOString().slice(0, 10);
  const last = to ?? (weekLater.startsWith('+') ? first : weekLater);
  const count = (Date.parse(last) - Date.parse(first)) / DAY + 1;
  if (count < 1) throw new InvalidInput({ to: ['must not be before from'] });
  if (count > MAX_DAYS) throw new InvalidInput({ to: [`must be at most ${MAX_DAYS - 1} days after from`] });
  return { from: first, to: last };
}

const freeOfDoctor = direct((db, kind: Kind) => {
  const [id, from, to] = [
    sql.placeholder('id'),
    sql`${sql.placeholder('from')}::date`,
    sql`${sql.placeholder('to')}::date`,
  ];
  const booker = placeholdersOfBooker(kind);
  const free = freeSlots({ from, to }, eq(doctors.id, id), booker);
  return db
    .select({
      text: sql<string>`array_to_json(array(
        select ${slotJson(booker.calendar)} from ${free.from} where ${free.where} order by ${soonestFirst}))::text`.as(
        'text',
      ),
    })
    .from(doctors)
    .where(and(eq(doctors.id, id), isNull(doctors.archivedAt)));
});

/** @throws NotFound where there is no such doctor */
export async function listDoctorAvailability(
  visit: Visit,
  { params: { id }, query }: Input<'listDoctorAvailability'>,
): Promise<JsonText<FreeSlotList>> {
  const values = { ...valuesOfBooker(visit), ...readDays(query, visit.calendar), id };
  const row = oneOrNone(await freeOfDoctor(visit.db, kindOf(visit))(values));
  if (row === undefined) throw new NotFound();
  return new JsonText(row.text);
}

/** A row of `free`, with its entry of `available_times`. */
const doctorSlotJson = ({ zone }: Calendar): SQL<DoctorSlot> =>
  jsonObject<DoctorSlot>({
    doctor: sql<number>`doctor`,
    doctor_name: nameOfDoctor(sql`doctor`),
    fee: sql<number>`(select ${doctors.fee} from ${doctors} where ${doctors.id} = doctor)`,
    date: sql<string>`day`,
    time: column(availableTimes.id),
    label: column(availableTimes.label),
    ...instantsOfSlot(sql`day`, availableTimes, zone),
  });

const SOONEST_FIRST = sql`day, free.start_minute nulls last, time, doctor`;

export function searchAvailability(
  visit: Visit,
  { query }: Input<'searchAvailability'>,
): Promise<JsonText<DoctorSlotPage>> {
  const { db, calendar } = visit;
  const { from, to, time, per_doctor: isPerDoctor = false, ...aboutDoctor } = query;
  const slotIs = time === undefined ? undefined : eq(availableTimes.id, time);
  const doctorIs = filtered<Omit<SearchAvailabilityQuery, 'from' | 'to' | 'time' | 'per_doctor'>>(aboutDoctor, {
    doctor: (id) => eq(doctors.id, id),
    specialisation: (id) => isLinkedTo(LINKS.specialisation, id),
    designation: (id) => isLinkedTo(LINKS.designation, id),
    min_fee: (fee) => gte(doctors.fee, fee),
    max_fee: (fee) => lte(doctors.fee, fee),
  });
  const days = readDays({ from, to }, calendar);
  const free = freeSlotsOfAll(
    { from: sql`${days.from}::date`, to: sql`${days.to}::date` },
    { slotIs, doctorIs },
    visit,
  );
  const slots = isPerDoctor
    ? sql`(select distinct on (doctor) * from ${free} order by doctor, ${SOONEST_FIRST}) as free`
    : free;
  const rows = db
    // One pass for both; a page without rows has no count to show, be it the first or past the end.
    .select({ ...itemOf(doctorSlotJson(calendar)), total: sql<number>`count(*) over ()`.as('total') })
    .from(slots)
    .innerJoin(availableTimes, sql`${availableTimes.id} = time`)
    .orderBy(SOONEST_FIRST)
    .$dynamic();
  return selectPage<DoctorSlot>(visit, query, { rows: cutPage(rows, query), total: sql`coalesce(max(total), 0)` });
}
