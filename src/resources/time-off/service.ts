import { and, eq, sql, type SQL } from 'drizzle-orm';
import { column, jsonObject, JsonText, timestampText } from '../../../db/json.js';
import { directByKey } from '../../../db/prepared.js';
import { one, oneOrNone } from '../../../db/rows.js';
import { appointments, availableTimes, doctors, timeOff } from '../../../db/tables/index.js';
import type { ListTimeOffQuery } from '../../../openapi/generated/operations.js';
import type { DisplacedAppointments, NewTimeOff, TimeOff, TimeOffPage } from '../../../openapi/generated/schemas.js';
import { DryRun, type Input } from '../../../openapi/operation.js';
import { todayText, type Calendar } from '../../scheduling/calendar.js';
import { displaceAppointments } from '../../scheduling/displaced.js';
import { lockAllDoctors, lockDoctor } from '../../scheduling/locks.js';
import { noteFreed } from '../../scheduling/offers.js';
import { boundsJson, takesTimeOf } from '../../scheduling/working-time.js';
import { InvalidInput, NotAllowed, NotFound } from '../../lib/errors.js';
import { pagesOf } from '../../lib/lists.js';
import { itemOf, type PageQuery } from '../../lib/pages.js';
import { nothingElse } from '../../lib/patches.js';
import { inTransaction, inTrial, userIdOf, type UserVisit, type Within } from '../../lib/visit.js';

const DAY = 86_400_000;
const MAX_DAYS = 3 * 366;
const MAX_YEARS_AHEAD = 10;

export const timeOffJson = jsonObject<TimeOff>({
  id: column(timeOff.id),
  doctor: column(timeOff.doctorId),
  ...boundsJson,
  reason: column(timeOff.reason),
  created_at: timestampText(timeOff.createdAt),
});

/** The clinic's is for all, a doctor's for that doctor and for staff. */
const isSeenBy = (userId: SQL): SQL =>
  sql`(${timeOff.doctorId} is null or ${timeOff.doctorId} in (select ${doctors.id} from ${doctors}
    where ${doctors.userId} = ${userId} and ${doctors.archivedAt} is null))`;

const dayOf = (moment: SQL): SQL => sql`(${moment} at time zone ${sql.placeholder('zone')}::text)::date`;
const firstDay = sql`coalesce(${timeOff.startsOn}, ${dayOf(sql`${timeOff.startsAt}`)})`;
const lastDay = sql`coalesce(${timeOff.endsOn}, ${dayOf(sql`(${timeOff.endsAt} - interval '1 microsecond')`)})`;

/** What is asked for, and by whom, unless that is staff. */
type Asked = Omit<ListTimeOffQuery, keyof PageQuery> & { readonly seer: number | undefined };

const timeOffPages = pagesOf<Asked, TimeOff>({
  table: timeOff,
  filters: {
    doctor: (id) => eq(timeOff.doctorId, id),
    from: (day) => sql`${lastDay} >= ${day}::date`,
    to: (day) => sql`${firstDay} <= ${day}::date`,
    seer: isSeenBy,
  },
  rows: (db) => db.select(itemOf(timeOffJson)).from(timeOff).$dynamic(),
});

export const listTimeOff = (visit: UserVisit, { query }: Input<'listTimeOff'>): Promise<JsonText<TimeOffPage>> =>
  timeOffPages(
    visit,
    { ...query, seer: visit.caller.isStaff ? undefined : visit.caller.id },
    { zone: visit.calendar.zone },
  );

const timeOffById = directByKey((db, isStaff: boolean) =>
  db
    .select(itemOf(timeOffJson))
    .from(timeOff)
    .where(and(eq(timeOff.id, sql.placeholder('id')), isStaff ? undefined : isSeenBy(sql`${sql.placeholder('seer')}`))),
);

export async function getTimeOff(
  visit: UserVisit,
  { params: { id } }: Pick<Input<'getTimeOff'>, 'params'>,
): Promise<JsonText<TimeOff>> {
  const row = oneOrNone(await timeOffById(visit.db, visit.caller.isStaff)({ id, seer: userIdOf(visit.caller) }));
  if (row === undefined) throw new NotFound();
  return new JsonText(row.item);
}

/** From when to when; the columns that are not given are null. */
type Time = Pick<typeof timeOff.$inferInsert, 'startsOn' | 'endsOn' | 'startsAt' | 'endsAt'>;

/** @throws InvalidInput */
function readTime({ from, to }: Pick<TimeOff, 'from' | 'to'>, calendar: Calendar): Time {
  const [isFromDay, isToDay] = [from, to].map((text) => text.length === 10);
  const refuse = (fault: string): never => {
    throw new InvalidInput({ to: [fault] });
  };
  if (isFromDay !== isToDay) refuse('must be of the same kind as from: both are days, or both are times');
  const [start, end] = [Date.parse(from), Date.parse(to)];
  if (isToDay ? end < start : end <= start) refuse(isToDay ? 'must not be before from' : 'must be after from');
  const isFar = start > calendar.now.getTime() + MAX_YEARS_AHEAD * 366 * DAY;
  if (isFar) throw new InvalidInput({ from: [`must be at most ${MAX_YEARS_AHEAD} years ahead`] });
  if (end - start > MAX_DAYS * DAY) refuse('must be at most three years after from');
  if (isToDay ? to < todayText(calendar) : end <= calendar.now.getTime()) refuse('must not be in the past');
  return isToDay ? { startsOn: from, endsOn: to } : { startsAt: new Date(start), endsAt: new Date(end) };
}

/**
 * Whose leave may be entered by the caller, with what keeps bookings in that time away until it is entered.
 * @throws NotAllowed, InvalidInput
 */
async function lockWhose(visit: Within<UserVisit>, doctorId: number | null): Promise<void> {
  const { caller } = visit;
  if (doctorId === null) {
    if (!caller.isStaff) throw new NotAllowed('Only staff may close the clinic.');
    return lockAllDoctors(visit);
  }
  const doctor = await lockDoctor(visit, doctorId);
  if (!caller.isStaff && doctor?.userId !== caller.id) throw new NotAllowed('Only the doctor and staff may do this.');
  if (doctor === undefined) throw new InvalidInput({ doctor: ['does not exist'] });
}

/** Appointments that an entry takes the time of; the days around it are for the index. */
function standsIn(
  id: number,
  { doctorId, from, to }: { doctorId: number | null; from: string; to: string },
  calendar: Calendar,
): SQL {
  const near = (text: string, days: number): string => new Date(Date.parse(text) + days * DAY).toISOString();
  return and(
    doctorId === null ? undefined : eq(appointments.doctorId, doctorId),
    sql`${appointments.date} between ${near(from, -3)}::timestamptz::date and ${near(to, 2)}::timestamptz::date`,
    sql`exists (select from ${timeOff} where ${timeOff.id} = ${id}
      and ${takesTimeOf(sql`${appointments.date}`, availableTimes, calendar)})`,
  ) as SQL;
}

/**
 * Enters leave.
 * @throws HasAppointments where upcoming appointments stand in that time, and they are to be refused
 */
export function createTimeOff(
  visit: UserVisit,
  { query, body }: Input<'createTimeOff'>,
): Promise<NewTimeOff | DryRun<DisplacedAppointments>> {
  const { doctor: doctorId, from, to, reason = '', displace, ...rest } = body;
  nothingElse(rest);
  const isDryRun = query.dry_run;
  return inTrial(visit, isDryRun, async (visit) => {
    const { db, caller, calendar } = visit;
    const time = readTime({ from, to }, calendar);
    await lockWhose(visit, doctorId);
    const { id } = one(
      await db
        .insert(timeOff)
        .values({ ...time, doctorId, reason, createdBy: userIdOf(caller) })
        .returning({ id: timeOff.id }),
    );
    const cancelCode = doctorId === null ? 'clinic' : 'doctor';
    const inIt = standsIn(id, { doctorId, from, to }, calendar);
    const displaced = await displaceAppointments(visit, inIt, { displace, isDryRun, cancelCode });
    if (isDryRun) return new DryRun(displaced);
    const { text } = await getTimeOff(visit, { params: { id } });
    return { ...(JSON.parse(text) as TimeOff), ...displaced };
  });
}

/** What the clinic's clock shows meanwhile. */
const periodOfLeave = ({ startsOn, endsOn, startsAt, endsAt }: Required<Time>, { zone }: Calendar): SQL =>
  startsOn == null
    ? sql`tsrange(${startsAt?.toISOString()}::timestamptz at time zone ${zone}::text, ${endsAt?.toISOString()}::timestamptz at time zone ${zone}::text)`
    : sql`tsrange(${startsOn}::date, ${endsOn}::date + 1)`;

export async function deleteTimeOff(visit: UserVisit, { params }: Input<'deleteTimeOff'>): Promise<void> {
  await inTransaction(visit, async (visit) => {
    const { text } = await getTimeOff(visit, { params });
    if ((JSON.parse(text) as TimeOff).doctor === null && !visit.caller.isStaff) {
      throw new NotAllowed('Only staff may open the clinic.');
    }
    const rows = await visit.db.delete(timeOff).where(eq(timeOff.id, params.id)).returning();
    for (const { doctorId, ...time } of rows) {
      await noteFreed(
        visit,
        doctorId === null ? undefined : eq(doctors.id, doctorId),
        periodOfLeave(time, visit.calendar),
      );
    }
  });
}
