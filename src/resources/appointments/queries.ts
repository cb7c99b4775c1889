import { and, eq, gte, isNull, lte, or, sql, type Placeholder, type SQL } from 'drizzle-orm';
import type { Db, Tx } from '../../../db/client.js';
import { column, jsonObject, timestampText } from '../../../db/json.js';
import { directByKey } from '../../../db/prepared.js';
import { appointments, availableTimes } from '../../../db/tables/index.js';
import type { ListAppointmentsQuery } from '../../../openapi/generated/operations.js';
import type { Appointment } from '../../../openapi/generated/schemas.js';
import { arrayOf, pagesOf, type Orders } from '../../lib/lists.js';
import {
  nameOfDoctor,
  doctorsNamed,
  isAmong,
  isDoctorNamed,
  isOfAny,
  isPatientNamed,
  nameOfPatient,
  patientsNamed,
} from '../../lib/names.js';
import { itemOf } from '../../lib/pages.js';
import { byLongest, containing } from '../../lib/search.js';
import type { Caller } from '../../lib/visit.js';
import { instantsOfAppointment } from '../../scheduling/instants.js';
import { isSeenBy, partsOf, type Parties } from './access.js';
import { counted, landing, spread } from './counts.js';
import { hasAttendance, reasonJson, statusText, typeText, type Stored } from './wire.js';

export const appointmentJson = (zone: string | Placeholder): SQL<Appointment> =>
  jsonObject<Appointment>({
    id: column(appointments.id),
    patient: column(appointments.patientId),
    doctor: column(appointments.doctorId),
    appointment_type: typeText,
    appointment_status: statusText,
    symptoms: column(appointments.symptoms),
    time: column(appointments.availableTimeId),
    cancel: column(appointments.isCancelled),
    cancel_reason: reasonJson,
    attendance: column(appointments.attendance),
    is_overbooked: column(appointments.isOverbooked),
    date: column(appointments.date),
    ...instantsOfAppointment(zone),
    label: sql<string>`(select ${availableTimes.label} from ${availableTimes}
      where ${availableTimes.id} = ${appointments.availableTimeId})`,
    doctor_name: nameOfDoctor(appointments.doctorId),
    patient_name: nameOfPatient(appointments.patientId),
    created_at: timestampText(appointments.createdAt),
    updated_at: timestampText(appointments.updatedAt),
    series: column(appointments.seriesId),
  });

const selectAppointments = (db: Db | Tx) =>
  db
    .select(itemOf(appointmentJson(sql.placeholder('zone'))))
    .from(appointments)
    .$dynamic();

export const appointmentById = directByKey((db, isStaff: boolean) =>
  selectAppointments(db).where(
    and(
      eq(appointments.id, sql.placeholder('id')),
      isNull(appointments.archivedAt),
      isStaff ? undefined : isSeenBy(sql.placeholder('caller')),
    ),
  ),
);

const start = sql`lower(${appointments.period})`;

const ORDERS: Orders<ListAppointmentsQuery> = {
  id: [],
  date: [
    { of: appointments.date, type: 'date' },
    { of: start, type: 'timestamp', isNullable: true },
  ],
  '-date': [
    { of: appointments.date, type: 'date', isDescending: true },
    { of: start, type: 'timestamp', isDescending: true, isNullable: true },
  ],
};

/** Whether the patient's or the doctor's name is like a pattern, judged appointment by appointment. */
const hasName = (pattern: SQL): SQL | undefined =>
  or(isPatientNamed(appointments.patientId, pattern), isDoctorNamed(appointments.doctorId, pattern));

/** Of a search, what the two names have to be like, by how it is best looked for. */
interface Search {
  readonly longest?: string;
  readonly others?: readonly string[];
  readonly ofEach?: readonly string[];
}

/** How a search is best made. Who is not staff sees few appointments; for staff, who see all, an index finds them. */
export function searchFor(terms: readonly string[], { isStaff }: Caller): Search {
  if (terms.length === 0) return {};
  if (!isStaff) return { ofEach: terms.map(containing) };
  const { longest, others } = byLongest(terms);
  return { ...(longest && { longest: containing(longest) }), ...(others && { others: others.map(containing) }) };
}

/** What is asked for, as the database has it. */
type Asked = Omit<ListAppointmentsQuery, 'status' | 'type' | 'search'> &
  Search & {
    readonly status: Stored['status'] | undefined;
    readonly type: Stored['type'] | undefined;
    /** Whose are seen by who is not staff. */
    readonly parties: Parties<string | number | null> | undefined;
  };

export const appointmentPages = pagesOf<Asked, Appointment>({
  table: appointments,
  where: isNull(appointments.archivedAt),
  filters: {
    patient_id: (id) => eq(appointments.patientId, id),
    doctor_id: (id) => eq(appointments.doctorId, id),
    date: (date) => eq(appointments.date, date),
    time: (id) => eq(appointments.availableTimeId, id),
    from: (date) => gte(appointments.date, date),
    to: (date) => lte(appointments.date, date),
    status: (status) => eq(appointments.status, status),
    type: (type) => eq(appointments.type, type),
    cancel: (isCancelled) => eq(appointments.isCancelled, isCancelled),
    attendance: hasAttendance,
    longest: (pattern) => isOfAny(appointments, patientsNamed(pattern), doctorsNamed(pattern)),
    others: (patterns) =>
      and(...patterns.map((pattern) => isAmong(appointments, patientsNamed(pattern), doctorsNamed(pattern)))),
    ofEach: (patterns) => and(...patterns.map(hasName)),
    series: (id) => eq(appointments.seriesId, id),
    parties: (parties) => or(...partsOf(parties)),
  },
  once: { longest: 'found', others: 'judged', ofEach: 'judged' },
  searches: ['longest', 'others', 'ofEach'],
  parts: { parties: partsOf },
  orders: ORDERS,
  spread,
  counted,
  landing,
  rows: selectAppointments,
});

/** The most dates of a series. */
const MAX_DATES = 26;

/** Those of a series that somebody sees, in the order of their dates. */
export const appointmentsOfSeries = arrayOf<
  { readonly series: number; readonly seer: number | undefined; readonly ordering: 'date' },
  Appointment
>(
  {
    table: appointments,
    where: isNull(appointments.archivedAt),
    filters: { series: (id) => eq(appointments.seriesId, id), seer: isSeenBy },
    orders: ORDERS,
    rows: selectAppointments,
  },
  MAX_DATES,
);
