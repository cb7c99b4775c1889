/**
 * Everything that is held of a person, in one file. A table with something of a person has its part in `partsOf`, and a
 * test that looks for what a person has written finds the one that has none.
 */
import { and, eq, isNull, or, sql, type SQL } from 'drizzle-orm';
import yazl from 'yazl';
import { column, jsonArray, jsonObject, timestampText } from '../../../db/json.js';
import { one, oneOrNone } from '../../../db/rows.js';
import {
  appointmentChanges,
  appointments,
  auditEvents,
  contacts,
  doctors,
  holds,
  idempotencyKeys,
  passwordResets,
  patientInvitations,
  patients,
  profiles,
  reviews,
  sessions,
  timeOff,
  totps,
  users,
  waitingEntries,
  waitingEntryTimes,
} from '../../../db/tables/index.js';
import type {
  Access,
  Contact,
  ExportedActivity,
  ExportedAnswer,
  ExportedAppointment,
  ExportedDoctor,
  ExportedHold,
  ExportedInvitation,
  ExportedPasswordReset,
  ExportedProfile,
  ExportedRecord,
  ExportedReview,
  ExportedSecondFactor,
  ExportedSession,
  ExportedWaitingEntry,
  PatientExport,
  TimeOff,
  User,
} from '../../../openapi/generated/schemas.js';
import { Download, type Input } from '../../../openapi/operation.js';
import { NotFound } from '../../lib/errors.js';
import { keeperId } from '../../lib/keepers.js';
import { nameOfDoctor, patientName } from '../../lib/names.js';
import type { UserVisit } from '../../lib/visit.js';
import { appointmentJson } from '../appointments/queries.js';
import { eventJson, isOfPatient } from '../appointments/service.js';
import { accessesTo, among, isBy } from '../audit-events/service.js';
import { contactJson } from '../contacts/service.js';
import { listsOfOne } from '../doctors/queries.js';
import { timeOffJson } from '../time-off/service.js';
import { userJson } from '../users/accounts.js';
import { identitiesOf } from '../users/identities.js';
import { isErased, recordsOf } from './erasure.js';
import { readOwnPatient } from './service.js';

declare module 'fastify' {
  interface Visit {
    /** The bytes of a stored picture; null if there is no such file. */
    readonly readPicture: (name: string) => Promise<Buffer | null>;
  }
}

/** The most events of the audit that are in each list. */
const MAX_EVENTS = 10_000;

/** Whose record it is, also one that was deleted. */
interface Person {
  readonly patientId: number;
  /** Null without an account. */
  readonly userId: number | null;
}

/**
 * A person whose data the caller may have.
 * @throws NotFound also of who was erased; NotAllowed for a doctor who sees the record
 */
async function findPerson(visit: UserVisit, patientId: number): Promise<Person> {
  const { db, caller } = visit;
  const row = oneOrNone(
    await db
      .select({ userId: patients.userId, keeperId })
      .from(patients)
      .where(and(eq(patients.id, patientId), sql`not ${isErased}`)),
  );
  if (row === undefined) throw new NotFound();
  if (!caller.isStaff && row.keeperId !== caller.id) await readOwnPatient(visit, patientId);
  return { patientId, userId: row.userId };
}

const profileJson = jsonObject<ExportedProfile>({
  id: column(profiles.id),
  bio: column(profiles.bio),
  address: column(profiles.address),
  date_of_birth: column(profiles.dateOfBirth),
  picture: column(profiles.picture),
  created_at: timestampText(profiles.createdAt),
  updated_at: timestampText(profiles.updatedAt),
});

const recordJson = jsonObject<ExportedRecord>({
  id: column(patients.id),
  name: patientName(),
  email: sql<string | null>`coalesce(${users.email}, ${patients.email})`,
  phone: column(patients.phone),
  date_of_birth: column(patients.dateOfBirth),
  managed_by: column(patients.managedBy),
  picture: column(patients.picture),
  created_at: timestampText(patients.createdAt),
  archived_at: timestampText<string | null>(patients.archivedAt),
});

const doctorJson = jsonObject<ExportedDoctor>({
  id: column(doctors.id),
  ...listsOfOne,
  fee: column(doctors.fee),
  meet_link: column(doctors.meetLink),
  is_approved: column(doctors.isApproved),
  picture: column(doctors.picture),
  created_at: timestampText(doctors.createdAt),
  archived_at: timestampText<string | null>(doctors.archivedAt),
});

const ofAppointment = eq(appointmentChanges.appointmentId, appointments.id);

const exportedAppointment = (zone: string) =>
  jsonObject<ExportedAppointment>({
    appointment: appointmentJson(zone),
    archived_at: timestampText<string | null>(appointments.archivedAt),
    changes: jsonArray(sql`select ${eventJson} from ${appointmentChanges}
      where ${and(ofAppointment, isOfPatient(appointments.id))} order by ${appointmentChanges.id}`),
  });

const waitingJson = jsonObject<ExportedWaitingEntry>({
  id: column(waitingEntries.id),
  patient: column(waitingEntries.patientId),
  doctor: column(waitingEntries.doctorId),
  specialisation: column(waitingEntries.specialisationId),
  from: column(waitingEntries.startsOn),
  to: column(waitingEntries.endsOn),
  times: jsonArray<number>(sql`select ${waitingEntryTimes.availableTimeId} from ${waitingEntryTimes}
    where ${waitingEntryTimes.entryId} = ${waitingEntries.id} order by 1`),
  created_at: timestampText(waitingEntries.createdAt),
});

const holdJson = jsonObject<ExportedHold>({
  doctor: column(holds.doctorId),
  time: column(holds.availableTimeId),
  date: column(holds.date),
  expires_at: timestampText(holds.expiresAt),
  created_at: timestampText(holds.createdAt),
});

const reviewJson = jsonObject<ExportedReview>({
  id: column(reviews.id),
  doctor: column(reviews.doctorId),
  doctor_name: nameOfDoctor(reviews.doctorId),
  body: column(reviews.body),
  rating: column(reviews.rating),
  created_on: column(reviews.createdOn),
});

const sessionJson = jsonObject<ExportedSession>({
  id: column(sessions.id),
  created_at: timestampText(sessions.createdAt),
  refreshed_at: timestampText<string | null>(sessions.refreshedAt),
  expires_at: timestampText(sessions.expiresAt),
  address: column(sessions.address),
  user_agent: column(sessions.userAgent),
});

const invitationJson = jsonObject<ExportedInvitation>({
  patient: column(patientInvitations.patientId),
  created_at: timestampText(patientInvitations.createdAt),
  expires_at: timestampText(patientInvitations.expiresAt),
});

const passwordResetJson = jsonObject<ExportedPasswordReset>({
  created_at: timestampText(passwordResets.createdAt),
  expires_at: timestampText(passwordResets.expiresAt),
});

const secondFactorJson = jsonObject<ExportedSecondFactor>({
  created_at: timestampText(totps.createdAt),
  confirmed_at: timestampText<string | null>(totps.confirmedAt),
});

const answerJson = jsonObject<ExportedAnswer>({
  key: column(idempotencyKeys.key),
  status: column(idempotencyKeys.status),
  answer: column(idempotencyKeys.body),
  created_at: timestampText(idempotencyKeys.createdAt),
});

const activityJson = jsonObject<ExportedActivity>({
  at: timestampText(auditEvents.at),
  operation: column(auditEvents.operation),
  action: column(auditEvents.action),
  resource: column(auditEvents.resource),
  address: column(auditEvents.address),
  outcome: column(auditEvents.outcome),
});

const newest = sql`order by ${auditEvents.at} desc, ${auditEvents.id} desc limit ${MAX_EVENTS}`;

/** All that is held of a person, of which one statement sees one moment. */
function partsOf({ patientId, userId }: Person, { calendar: { now, zone } }: UserVisit): SQL<PatientExport> {
  const which = recordsOf(patientId, userId);
  const ids = sql`(select ${patients.id} from ${patients} where ${which})`;
  const user = sql`${userId}::bigint`;
  const own = sql`(select ${doctors.id} from ${doctors} where ${doctors.userId} = ${user})`;
  const waiting = sql`(select ${waitingEntries.id} from ${waitingEntries} where ${waitingEntries.patientId} in ${ids})`;
  const accesses = accessesTo(which, userId);
  return jsonObject<PatientExport>({
    exported_at: sql<string>`${now.toISOString()}::text`,
    users: jsonArray<User>(sql`select ${userJson} from ${users} where ${users.id} = ${user}`),
    profiles: jsonArray<ExportedProfile>(
      sql`select ${profileJson} from ${profiles} where ${profiles.userId} = ${user}`,
    ),
    records: jsonArray<ExportedRecord>(sql`select ${recordJson} from ${patients}
      left join ${users} on ${users.id} = ${patients.userId} where ${which} order by ${patients.id}`),
    manages: jsonArray<number>(sql`select ${patients.id} from ${patients}
      where ${and(sql`${patients.managedBy} = ${user}`, isNull(patients.archivedAt))} order by 1`),
    doctors: jsonArray<ExportedDoctor>(sql`select ${doctorJson} from ${doctors}
      where ${doctors.userId} = ${user} order by ${doctors.id}`),
    time_off: jsonArray<TimeOff>(sql`select ${timeOffJson} from ${timeOff}
      where ${timeOff.doctorId} in ${own} order by ${timeOff.id}`),
    appointments: jsonArray<ExportedAppointment>(sql`select ${exportedAppointment(zone)} from ${appointments}
      where ${appointments.patientId} in ${ids} order by ${appointments.id}`),
    waiting_list: jsonArray<ExportedWaitingEntry>(sql`select ${waitingJson} from ${waitingEntries}
      where ${waitingEntries.patientId} in ${ids} order by ${waitingEntries.id}`),
    holds: jsonArray<ExportedHold>(sql`select ${holdJson} from ${holds}
      where ${or(sql`${holds.userId} = ${user}`, sql`${holds.waitingEntryId} in ${waiting}`)} order by ${holds.id}`),
    reviews: jsonArray<ExportedReview>(sql`select ${reviewJson} from ${reviews}
      where ${reviews.patientId} in ${ids} order by ${reviews.id}`),
    contacts: jsonArray<Contact>(sql`select ${contactJson} from ${contacts}
      where ${contacts.userId} = ${user} order by ${contacts.id}`),
    sessions: jsonArray<ExportedSession>(sql`select ${sessionJson} from ${sessions}
      where ${sessions.userId} = ${user} order by ${sessions.id}`),
    invitations: jsonArray<ExportedInvitation>(sql`select ${invitationJson} from ${patientInvitations}
      where ${patientInvitations.patientId} in ${ids}`),
    password_resets: jsonArray<ExportedPasswordReset>(sql`select ${passwordResetJson} from ${passwordResets}
      where ${passwordResets.userId} = ${user}`),
    second_factors: jsonArray<ExportedSecondFactor>(sql`select ${secondFactorJson} from ${totps}
      where ${totps.userId} = ${user}`),
    identities: identitiesOf(user),
    stored_answers: jsonArray<ExportedAnswer>(sql`select ${answerJson} from ${idempotencyKeys}
      where ${idempotencyKeys.userId} = ${user} order by ${idempotencyKeys.createdAt}, ${idempotencyKeys.key}`),
    accesses: jsonArray<Access>(
      sql`select ${accesses.item} from ${among(accesses.found)} where ${accesses.where} ${newest}`,
    ),
    activity: jsonArray<ExportedActivity>(
      sql`select ${activityJson} from ${auditEvents} where ${isBy(user)} ${newest}`,
    ),
    pictures: jsonArray<string>(sql`
      select ${profiles.picture} from ${profiles} where ${profiles.userId} = ${user} and ${profiles.picture} is not null
      union all select ${patients.picture} from ${patients} where ${which} and ${patients.picture} is not null
      union all select ${doctors.picture} from ${doctors}
        where ${doctors.userId} = ${user} and ${doctors.picture} is not null`),
  });
}

/** A ZIP of the JSON and of the pictures that it names; one that was taken away meanwhile is left out. */
async function zip(json: string, { readPicture, calendar: { now: mtime } }: UserVisit): Promise<NodeJS.ReadableStream> {
  const file = new yazl.ZipFile();
  file.addBuffer(Buffer.from(json), 'export.json', { mtime });
  for (const name of (JSON.parse(json) as PatientExport).pictures) {
    const bytes = await readPicture(name);
    if (bytes !== null) file.addBuffer(bytes, `pictures/${name}`, { mtime, compress: false });
  }
  file.end();
  return file.outputStream;
}

/** Gives everything that is held of a person. */
export async function exportPatient(
  visit: UserVisit,
  { params: { id }, query: { as } }: Input<'exportPatient'>,
): Promise<Download> {
  const person = await findPerson(visit, id);
  const { json } = one(
    await visit.costly((db) => db.execute<{ json: string }>(sql`select ${partsOf(person, visit)}::text as json`)),
  );
  return as === 'zip'
    ? new Download(`patient-${id}.zip`, 'application/zip', await zip(json, visit))
    : new Download(`patient-${id}.json`, 'application/json; charset=utf-8', Buffer.from(json));
}
