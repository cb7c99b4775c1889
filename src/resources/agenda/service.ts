import { and, asc, count, eq, inArray, isNull, sql, type SQL } from 'drizzle-orm';
import { alias } from 'drizzle-orm/pg-core';
import { column, jsonArray, jsonObject, JsonText, timestampText } from '../../../db/json.js';
import { oneOrNone } from '../../../db/rows.js';
import { appointments, availableTimes, doctors, patients, timeOff } from '../../../db/tables/index.js';
import type { Agenda, AgendaDay, AgendaEntry } from '../../../openapi/generated/schemas.js';
import type { Input } from '../../../openapi/operation.js';
import { todayText, type Calendar } from '../../scheduling/calendar.js';
import { instantsOfAppointment, instantsOfSlot } from '../../scheduling/instants.js';
import { freeSlots, isLive } from '../../scheduling/slots.js';
import { boundsJson, leaveOf, partOfDay } from '../../scheduling/working-time.js';
import { NotAllowed } from '../../lib/errors.js';
import { nameOfDoctor, nameOfPatient } from '../../lib/names.js';
import { cutPage, itemOf, selectPage } from '../../lib/pages.js';
import type { UserVisit } from '../../lib/visit.js';
import { statusText, typeText } from '../appointments/wire.js';

const MAX_ENTRIES = 1000;

const none = sql<null>`null`;

/** Of an entry, what it has nothing of. */
const NOTHING = {
  ...{ id: none, start: none, end: none, time: none, label: none, patient: none, patient_name: none, phone: none },
  ...{ appointment_type: none, appointment_status: none, attendance: none, symptoms: none },
  ...{ from: none, to: none, reason: none },
};

type Fields = Parameters<typeof jsonObject<AgendaEntry>>[0];

/** An entry as JSON, with its place in the day: in order of the start, what has none at the end. */
const entry = (fields: Pick<Fields, 'kind'> & Partial<Fields>, rank: number, tie: SQL): SQL =>
  sql`${jsonObject<AgendaEntry>({ ...NOTHING, ...fields })} as entry,
    ${fields.start ?? none} as starts, ${rank}::int as rank, ${tie} as tie`;

/** Who has the day: `doctors` itself is in the queries of free slots. */
const whose = alias(doctors, 'whose');

/** The appointments of the day, as booking looks for what is in its way: by the doctor, and the period if there is one. */
const appointmentEntries = (day: SQL, calendar: Calendar): SQL => sql`
  select ${entry(
    {
      kind: sql`'appointment'`,
      id: column(appointments.id),
      ...instantsOfAppointment(calendar.zone),
      time: column(appointments.availableTimeId),
      label: column(availableTimes.label),
      patient: column(appointments.patientId),
      patient_name: nameOfPatient(appointments.patientId),
      phone: column(patients.phone),
      appointment_type: typeText,
      appointment_status: statusText,
      attendance: column(appointments.attendance),
      symptoms: column(appointments.symptoms),
    },
    1,
    sql`${appointments.availableTimeId}`,
  )}
  from ${appointments}
  join ${availableTimes} on ${availableTimes.id} = ${appointments.availableTimeId}
  join ${patients} on ${patients.id} = ${appointments.patientId}
  where ${appointments.doctorId} = ${whose.id} and ${isLive} and ${appointments.date} = ${day}
    and (${appointments.period} is null or ${appointments.period} && tsrange(${day}, ${day} + 1))`;

const freeEntries = (day: SQL, visit: UserVisit): SQL => {
  const free = freeSlots({ from: day, to: day }, eq(doctors.id, whose.id), visit);
  return sql`
    select ${entry(
      {
        kind: sql`'free'`,
        ...instantsOfSlot(day, availableTimes, visit.calendar.zone),
        time: column(availableTimes.id),
        label: column(availableTimes.label),
      },
      2,
      sql`${availableTimes.id}`,
    )}
    from ${free.from} where ${free.where}`;
};

const leaveEntries = (day: SQL, calendar: Calendar): SQL => {
  const part = partOfDay(day, calendar);
  return sql`
    select ${entry(
      {
        kind: sql`case when ${timeOff.doctorId} is null then 'closure' else 'leave' end`,
        id: column(timeOff.id),
        start: timestampText(part.start),
        end: timestampText(part.end),
        ...boundsJson,
        reason: column(timeOff.reason),
      },
      0,
      sql`${timeOff.id}`,
    )}
    from ${timeOff} where ${leaveOf(whose.id)} and ${part.isAny}`;
};

const dayJson = (day: SQL, visit: UserVisit): SQL<AgendaDay> =>
  jsonObject<AgendaDay>({
    doctor: column(whose.id),
    doctor_name: nameOfDoctor(whose.id),
    entries: jsonArray(sql<AgendaEntry>`
      select entry from (
        ${appointmentEntries(day, visit.calendar)}
        union all ${freeEntries(day, visit)}
        union all ${leaveEntries(day, visit.calendar)}
      ) as entries order by starts nulls last, rank, tie limit ${MAX_ENTRIES}`),
  });

/**
 * Whose days somebody sees: staff those of all doctors or of one, a doctor the own.
 * @throws NotAllowed
 */
async function isSeen({ db, caller }: UserVisit, doctorId: number | undefined): Promise<SQL | undefined> {
  if (caller.isStaff) return doctorId === undefined ? undefined : eq(doctors.id, doctorId);
  const own = oneOrNone(
    await db
      .select({ id: doctors.id })
      .from(doctors)
      .where(and(eq(doctors.userId, caller.id), isNull(doctors.archivedAt))),
  );
  if (own === undefined) throw new NotAllowed('Only doctors and staff may see an agenda.');
  if (doctorId !== undefined && doctorId !== own.id) {
    throw new NotAllowed("Only staff may see another doctor's agenda.");
  }
  return eq(doctors.id, own.id);
}

/** @throws NotAllowed */
export async function getAgenda(visit: UserVisit, { query }: Input<'getAgenda'>): Promise<JsonText<Agenda>> {
  const { db, calendar } = visit;
  const { date = todayText(calendar), doctor: doctorId } = query;
  const where = and(isNull(doctors.archivedAt), await isSeen(visit, doctorId));
  const page = db.select({ id: doctors.id }).from(doctors).where(where).orderBy(asc(doctors.id)).$dynamic();
  const rows = db
    .select(itemOf(dayJson(sql`${date}::date`, visit)))
    .from(whose)
    .where(inArray(whose.id, cutPage(page, query)))
    .orderBy(asc(whose.id))
    .$dynamic();
  const total = sql`(${db.select({ count: count() }).from(doctors).where(where)})`;
  const { text, tag } = await selectPage<AgendaDay>(visit, query, { rows, total });
  const about = JSON.stringify({ date, time_zone: calendar.zone }).slice(1);
  return new JsonText(`${text.slice(0, -1)},${about}`, new JsonText(`${about} ${tag}`).tag);
}
