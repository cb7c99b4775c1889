import { eq, sql } from 'drizzle-orm';
import { column, jsonArray, jsonObject, JsonText } from '../../../db/json.js';
import { one, oneOrNone } from '../../../db/rows.js';
import {
  appointments,
  doctorAvailableTimes,
  doctorHours,
  doctorHoursTimes,
  doctors,
} from '../../../db/tables/index.js';
import type { ChangedHours, DoctorHours, WorkingHours, WorkingHoursInput } from '../../../openapi/generated/schemas.js';
import type { Input } from '../../../openapi/operation.js';
import { todayText } from '../../scheduling/calendar.js';
import { displaceAppointments, upcomingIds } from '../../scheduling/displaced.js';
import { lockDoctor } from '../../scheduling/locks.js';
import { noteFreed } from '../../scheduling/offers.js';
import { isWorked } from '../../scheduling/working-time.js';
import { isShownTo } from '../../lib/doctors.js';
import { InvalidInput, NotAllowed, NotFound } from '../../lib/errors.js';
import { nothingElse } from '../../lib/patches.js';
import { checkConditions } from '../../lib/preconditions.js';
import { inTrial, type UserVisit, type Visit, type Within } from '../../lib/visit.js';

const entryJson = jsonObject<WorkingHours>({
  weekday: column(doctorHours.weekday),
  times: jsonArray(sql<number>`
    select ${doctorHoursTimes.availableTimeId} from ${doctorHoursTimes}
    where ${doctorHoursTimes.hoursId} = ${doctorHours.id} order by 1`),
  every_weeks: column(doctorHours.everyWeeks),
  starting: column(doctorHours.startsOn),
  until: column(doctorHours.endsOn),
});

/** @throws NotFound where there is no such doctor */
export async function getDoctorHours(
  { db, caller }: Visit,
  { params: { id } }: Pick<Input<'getDoctorHours'>, 'params'>,
): Promise<JsonText<DoctorHours>> {
  const row = oneOrNone(
    await db.execute<{ hours: string }>(sql`
      select ${jsonArray(sql`select ${entryJson} from ${doctorHours} where ${doctorHours.doctorId} = ${doctors.id}
        order by ${doctorHours.id}`)}::text as hours
      from ${doctors} where ${doctors.id} = ${id} and ${isShownTo(caller)}`),
  );
  if (row === undefined) throw new NotFound();
  return new JsonText(`{"hours":${row.hours}}`);
}

/** An entry as it is stored. */
interface Entry {
  readonly weekday: number;
  readonly times: readonly number[];
  readonly everyWeeks: number;
  readonly startsOn: string;
  readonly endsOn: string | null;
}

/** @throws InvalidInput naming every fault of every entry */
async function readEntries(
  { db, calendar }: Within,
  doctorId: number,
  hours: readonly WorkingHoursInput[],
): Promise<Entry[]> {
  const rows = await db
    .select({ id: doctorAvailableTimes.availableTimeId })
    .from(doctorAvailableTimes)
    .where(eq(doctorAvailableTimes.doctorId, doctorId));
  const offered = new Set(rows.map(({ id }) => id));
  const faults: string[] = [];
  const entries = hours.map((entry, at): Entry => {
    const {
      weekday,
      times,
      every_weeks: everyWeeks = 1,
      starting = todayText(calendar),
      until = null,
      ...rest
    } = entry;
    nothingElse(rest);
    const others = [...new Set(times)].filter((id) => !offered.has(id));
    if (others.length > 0) {
      faults.push(`item ${at + 1} times has ids that the doctor does not offer: ${others.slice(0, 10).join(', ')}`);
    }
    if (until !== null && until < starting) faults.push(`item ${at + 1} until must not be before starting`);
    return { weekday, times: [...new Set(times)], everyWeeks, startsOn: starting, endsOn: until };
  });
  if (faults.length > 0) throw new InvalidInput({ hours: faults });
  return entries;
}

async function storeEntries({ db }: Within, doctorId: number, entries: readonly Entry[]): Promise<void> {
  await db.delete(doctorHours).where(eq(doctorHours.doctorId, doctorId));
  for (const { times, ...entry } of entries) {
    const { id } = one(
      await db
        .insert(doctorHours)
        .values({ ...entry, doctorId })
        .returning({ id: doctorHours.id }),
    );
    await db
      .insert(doctorHoursTimes)
      .values(times.map((availableTimeId) => ({ hoursId: id, doctorId, availableTimeId })));
  }
}

/**
 * Replaces the hours.
 * @throws HasAppointments where upcoming appointments fall out of them, and they are to be refused
 */
export function replaceDoctorHours(
  visit: UserVisit,
  { params, query, body: { hours, displace, ...rest } }: Input<'replaceDoctorHours'>,
): Promise<JsonText<ChangedHours>> {
  nothingElse(rest);
  const { id } = params;
  const isDryRun = query.dry_run;
  return inTrial(visit, isDryRun, async (visit) => {
    const doctor = await lockDoctor(visit, id);
    if (doctor === undefined) throw new NotFound();
    if (!visit.caller.isStaff && doctor.userId !== visit.caller.id) {
      throw new NotAllowed('Only the doctor and staff may do this.');
    }
    const before = await getDoctorHours(visit, { params });
    checkConditions(visit, before.tag);
    const entries = await readEntries(visit, id, hours);
    const works = isWorked(id, sql`${appointments.date}`, { id: appointments.availableTimeId });
    // What is out of the present hours was kept on purpose, or overbooked.
    const inPlace = await upcomingIds(visit, sql`${eq(appointments.doctorId, id)} and ${works}`);
    await storeEntries(visit, id, entries);
    await noteFreed(visit, eq(doctors.id, id));
    const out = sql`${appointments.id} = any(${`{${inPlace.join()}}`}::bigint[]) and not ${works}`;
    const { displaced, appointments: list } = await displaceAppointments(visit, out, {
      displace,
      isDryRun,
      cancelCode: 'doctor',
    });
    const after = await getDoctorHours(visit, { params });
    const text = `${after.text.slice(0, -1)},"displaced":${displaced},"appointments":${JSON.stringify(list)}}`;
    return new JsonText<ChangedHours>(text, (isDryRun ? before : after).tag);
  });
}
