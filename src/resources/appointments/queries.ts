import { and, asc, desc, eq, isNull, or, sql, type Placeholder, type SQL } from 'drizzle-orm';
import { column, jsonObject, timestampText } from '../../../db/json.js';
import { directByKey } from '../../../db/prepared.js';
import { appointments, availableTimes } from '../../../db/tables/index.js';
import type { ListAppointmentsQuery } from '../../../openapi/generated/operations.js';
import type { Appointment } from '../../../openapi/generated/schemas.js';
import type { Orders } from '../../lib/lists.js';
import {
  nameOfDoctor,
  doctorsNamed,
  isDoctorNamed,
  isPatientNamed,
  nameOfPatient,
  patientsNamed,
} from '../../lib/names.js';
import { containing } from '../../lib/search.js';
import type { Caller } from '../../lib/visit.js';
import { instantsOfAppointment } from '../../scheduling/instants.js';
import { isSeenBy } from './access.js';
import { reasonJson, statusText, typeText } from './wire.js';

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

export const appointmentById = directByKey((db, isStaff: boolean) =>
  db
    .select({ text: sql<string>`${appointmentJson(sql.placeholder('zone'))}::text`.as('text') })
    .from(appointments)
    .where(
      and(
        eq(appointments.id, sql.placeholder('id')),
        isNull(appointments.archivedAt),
        isStaff ? undefined : isSeenBy(sql.placeholder('caller')),
      ),
    ),
);

const start = sql`lower(${appointments.period})`;

export const ORDERS: Orders<ListAppointmentsQuery> = {
  id: [asc(appointments.id)],
  date: [asc(appointments.date), asc(start), asc(appointments.id)],
  '-date': [desc(appointments.date), sql`${start} desc nulls last`, asc(appointments.id)],
};

/** Whether the patient's or the doctor's name has a word, judged appointment by appointment. */
function hasName(term: string): SQL | undefined {
  const pattern = containing(term);
  return or(isPatientNamed(appointments.patientId, pattern), isDoctorNamed(appointments.doctorId, pattern));
}

/** The same, judged by all patients and doctors who have it. */
function hasNameOfAll(term: string): SQL {
  const pattern = containing(term);
  const { patientId, doctorId } = appointments;
  return sql`(${patientId} in ${patientsNamed(pattern)} or ${doctorId} in ${doctorsNamed(pattern)})`;
}

/** The ids of appointments of which that is so: a union, as each name has its own index. */
function candidates(term: string): SQL {
  const pattern = containing(term);
  const { id, patientId, doctorId } = appointments;
  return sql`(select ${id} from ${appointments} where ${patientId} in ${patientsNamed(pattern)}
    union select ${id} from ${appointments} where ${doctorId} in ${doctorsNamed(pattern)})`;
}

/**
 * Whether the two names have every word. Who is not staff sees few appointments. For staff, who see all, an index finds
 * those that have the longest word; one of trigrams has nothing for less than three characters.
 */
export function hasNames(terms: readonly string[], { isStaff }: Caller): SQL | undefined {
  if (!isStaff) return and(...terms.map(hasName));
  const [longest = '', ...others] = terms.toSorted((a, b) => b.length - a.length);
  if (longest.length < 3) return and(...terms.map(hasNameOfAll));
  // As an array: by a guess at the number of rows PostgreSQL may rather go through all appointments in their order.
  return and(sql`${appointments.id} = any(array${candidates(longest)})`, ...others.map(hasNameOfAll));
}
