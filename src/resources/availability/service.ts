import { and, eq, gte, lte, sql, type Placeholder, type SQL } from 'drizzle-orm';
import type { Db, Tx } from '../../../db/client.js';
import { column, jsonObject, JsonText } from '../../../db/json.js';
import { direct } from '../../../db/prepared.js';
import { availableTimes, doctors } from '../../../db/tables/index.js';
import type { ListDoctorAvailabilityQuery, SearchAvailabilityQuery } from '../../../openapi/generated/operations.js';
import type { DoctorSlot, DoctorSlotPage, FreeSlotList } from '../../../openapi/generated/schemas.js';
import type { Input } from '../../../openapi/operation.js';
import { kindOf, placeholdersOfBooker, valuesOfBooker, type Kind } from '../../scheduling/booker.js';
import { todayText, type Calendar } from '../../scheduling/calendar.js';
import { instantsOfSlot } from '../../scheduling/instants.js';
import { freeSlotsOfDoctor } from '../../scheduling/free-slots.js';
import { freeSlotsOfFirstDay } from '../../scheduling/slots.js';
import { InvalidInput, NotFound } from '../../lib/errors.js';
import { plusDays } from '../../lib/dates.js';
import type { Filters } from '../../lib/lists.js';
import { isLinkedTo, LINKS } from '../../lib/lookups.js';
import { nameOfDoctor } from '../../lib/names.js';
import { readPage } from '../../lib/pages.js';
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
  const weekLater = plusDays(first, DEFAULT_DAYS - 1);
  const last = to ?? (weekLater.startsWith('+') ? first : weekLater);
  const count = (Date.parse(last) - Date.parse(first)) / DAY + 1;
  if (count < 1) throw new InvalidInput({ to: ['must not be before from'] });
  if (count > MAX_DAYS) throw new InvalidInput({ to: [`must be at most ${MAX_DAYS - 1} days after from`] });
  return { from: first, to: last };
}

/** @throws NotFound where there is no such doctor */
export async function listDoctorAvailability(
  visit: Visit,
  { params: { id }, query }: Input<'listDoctorAvailability'>,
): Promise<JsonText<FreeSlotList>> {
  const slots = await freeSlotsOfDoctor(visit, { doctorId: id, ...readDays(query, visit.calendar) });
  if (slots === undefined) throw new NotFound();
  return new JsonText(JSON.stringify(slots));
}

/** A row of `free`, with its entry of `available_times`. */
const doctorSlotJson = (zone: string | Placeholder): SQL<DoctorSlot> =>
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

/** What narrows a search, but for its days. */
type Narrowing = Pick<
  SearchAvailabilityQuery,
  'time' | 'doctor' | 'specialisation' | 'designation' | 'min_fee' | 'max_fee' | 'type'
>;

const ABOUT_DOCTOR: Filters<Omit<Narrowing, 'time'>> = {
  doctor: (id) => eq(doctors.id, id),
  specialisation: (id) => isLinkedTo(LINKS.specialisation, id),
  designation: (id) => isLinkedTo(LINKS.designation, id),
  min_fee: (fee) => gte(doctors.fee, fee),
  max_fee: (fee) => lte(doctors.fee, fee),
  type: (type) => sql`(${type} = 'Offline' or ${doctors.meetLink} <> '')`,
};

/** What a search's queries depend on besides their values. */
interface Shape {
  readonly kind: Kind;
  readonly given: readonly (keyof Narrowing)[];
  /** Whether each doctor has one slot, the soonest. */
  readonly isPerDoctor: boolean;
}

/** What a day has of a page. */
interface DayOfSlots {
  readonly day: string;
  /** How many are free, as far as they were looked for. */
  readonly free: number;
  /** How many of these are listed. */
  readonly listed: number;
  /** Whose, as a JSON array; null where there are none. */
  readonly doctors: string | null;
  /** In JSON, with commas between them. */
  readonly items: string;
}

const firstDay = direct((db, { kind, given, isPerDoctor }: Shape) => {
  const value = (name: string): SQL => sql`${sql.placeholder(name)}`;
  const about = given.flatMap((name) => (name === 'time' ? [] : [ABOUT_DOCTOR[name](value(name))]));
  if (isPerDoctor) about.push(sql`${doctors.id} <> all(${value('known')}::bigint[])`);
  const booker = placeholdersOfBooker(kind);
  const { first, free } = freeSlotsOfFirstDay(
    { from: sql`${value('from')}::date`, to: sql`${value('to')}::date` },
    {
      slotIs: given.includes('time') ? eq(availableTimes.id, value('time')) : undefined,
      doctorIs: and(...about),
      most: sql.placeholder('most'),
    },
    booker,
  );
  const once = isPerDoctor ? sql`distinct on (doctor)` : sql``;
  const columns = { day: sql`day` };
  return db
    .with(
      db.$with('first', columns).as(first),
      db.$with('free', columns).as(free),
      db.$with('listed', columns).as(sql`select ${once} * from free order by doctor, ${SOONEST_FIRST}`),
    )
    .select({
      day: sql<string>`first.day::text`.as('day'),
      free: sql<number>`(select count(*) from free)::int`.as('free'),
      listed: sql<number>`(select count(*) from listed)::int`.as('listed'),
      doctors: sql<string>`(select json_agg(doctor) from listed)::text`.as('doctors'),
      items: sql<string>`(select coalesce(string_agg(item, ','), '') from (
        select ${doctorSlotJson(booker.calendar.zone)}::text as item
        from listed as free join ${availableTimes} on ${availableTimes.id} = time
        order by ${SOONEST_FIRST} limit ${sql.placeholder('limits')} offset ${sql.placeholder('skipped')}
      ) as items)`.as('items'),
    })
    .from(sql`first`);
});

/** Slots that are judged as soon as somebody asks; more take their turn. */
const MANY = 500;

/**
 * Goes day by day, and no further than the page reaches and a slot more, which tells whether there is another page: not all
 * that is free is counted.
 */
export async function searchAvailability(
  visit: Visit,
  { query }: Input<'searchAvailability'>,
): Promise<JsonText<DoctorSlotPage>> {
  const { db, calendar, link } = visit;
  const { from, to, per_doctor: isPerDoctor = false, page, limits, ...narrowing } = query;
  const given = (Object.keys(narrowing) as (keyof Narrowing)[]).filter((name) => narrowing[name] !== undefined).sort();
  const { from: firstDate, to: last } = readDays({ from, to }, calendar);
  const offset = (page - 1) * limits;
  // All slots before the page are judged, and those of it.
  const isCostly = offset + limits > MANY;
  const items: string[] = [];
  const known: number[] = [];
  let count = 0;
  for (let date: string | undefined = firstDate; date !== undefined && date <= last && count <= offset + limits;) {
    const most = offset + limits + 1 - count;
    const values = {
      ...{ ...valuesOfBooker(visit), ...narrowing, from: date, to: last, most },
      ...{ skipped: Math.max(0, offset - count), limits: limits - Math.max(0, count - offset) },
      known: `{${known.join()}}`,
    };
    const ask = (db: Db | Tx) => firstDay(db, { kind: kindOf(visit), given, isPerDoctor })(values);
    const rows: readonly DayOfSlots[] = await (isCostly ? visit.costly(ask) : ask(db));
    const [row] = rows;
    if (row === undefined) break;
    count += row.listed;
    if (row.items !== '') items.push(row.items);
    if (isPerDoctor) known.push(...(JSON.parse(row.doctors ?? '[]') as number[]));
    // Where each doctor has one, some of those that were looked for are further ones of the same: the day may have more.
    date = row.free < most ? plusDays(row.day, 1) : row.day;
  }
  return readPage({ count, results: `[${items.join(',')}]` }, query, link);
}
