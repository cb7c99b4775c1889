import { and, eq, isNull, sql, type SQL } from 'drizzle-orm';
import { alias } from 'drizzle-orm/pg-core';
import { Contention } from '../../../db/client.js';
import { column, jsonObject, JsonText, timestampText } from '../../../db/json.js';
import { directByKey } from '../../../db/prepared.js';
import { oneOrNone } from '../../../db/rows.js';
import { appointmentChanges, appointments, doctors, patients, serviceKeys, users } from '../../../db/tables/index.js';
import type {
  Appointment,
  AppointmentChange,
  AppointmentChangePage,
  AppointmentEvent,
  AppointmentEventPage,
  AppointmentPage,
} from '../../../openapi/generated/schemas.js';
import type { Input } from '../../../openapi/operation.js';
import { today } from '../../scheduling/calendar.js';
import { cancelledFor } from '../../scheduling/cancellation.js';
import { holdOf } from '../../scheduling/holds.js';
import { lockDoctor, lockPatient } from '../../scheduling/locks.js';
import { offerFreed } from '../../scheduling/offers.js';
import { askFor, changeableUntil, hasBegun, isTooLate, periodOf } from '../../scheduling/slots.js';
import { InvalidInput, NotAllowed, NotFound } from '../../lib/errors.js';
import { keeperId } from '../../lib/keepers.js';
import { pagesOf } from '../../lib/lists.js';
import { itemOf } from '../../lib/pages.js';
import { nothingElse } from '../../lib/patches.js';
import { checkConditions } from '../../lib/preconditions.js';
import { searchTerms } from '../../lib/search.js';
import { inTransaction, userIdOf, type UserVisit, type Within } from '../../lib/visit.js';
import { isSeenBy, seenParties } from './access.js';
import { book, bookSlot, findSlot, lockParties, refusedAsTaken } from './booking.js';
import {
  checkIsAhead,
  checkOverbooking,
  NOTING_IS_CLINICS,
  partiesOf,
  planChange,
  planReason,
  type Change,
  type Present,
} from './plan.js';
import { appointmentById, appointmentPages, searchFor } from './queries.js';
import {
  changeLabel,
  changeText,
  fieldText,
  firstFieldText,
  isFirstField,
  readStatus,
  reasonJson,
  STATUS,
  TYPE,
} from './wire.js';

/** Its tag is a digest: it shows something of five tables and of the zone, and `updated_at` is never the same twice. */
export async function getAppointment(
  { db, caller, calendar }: UserVisit,
  { params: { id } }: Pick<Input<'getAppointment'>, 'params'>,
): Promise<JsonText<Appointment>> {
  const row = oneOrNone(
    await appointmentById(db, caller.isStaff)({ id, caller: userIdOf(caller), zone: calendar.zone }),
  );
  if (row === undefined) throw new NotFound();
  return new JsonText(row.item);
}

export async function listAppointments(
  visit: UserVisit,
  { query }: Input<'listAppointments'>,
): Promise<JsonText<AppointmentPage>> {
  const { db, caller, calendar } = visit;
  const asked = {
    ...query,
    status: query.status && STATUS[query.status],
    type: query.type && TYPE[query.type],
    ...searchFor(await searchTerms(db, query.search), caller),
    parties: await seenParties(visit),
  };
  return appointmentPages(visit, asked, { zone: calendar.zone });
}

/**
 * Books a slot: for the caller or a patient whom the caller manages, or for any that staff name, or a doctor who overbooks.
 * @throws NoPatientRecord, NotAllowed, InvalidInput, TooManyBookings, SlotTaken
 */
export function createAppointment(
  visit: UserVisit,
  { body }: Input<'createAppointment'>,
): Promise<JsonText<Appointment>> {
  const { doctor: _doctor, time: _time, date: _date, hold: _hold, patient: namedPatient, ...details } = body;
  const {
    appointment_type: type,
    appointment_status: status,
    symptoms,
    cancel: isCancelled = false,
    cancel_reason: givenReason,
    attendance = null,
    overbook = false,
    ...rest
  } = details;
  nothingElse(rest);
  if (attendance !== null) {
    if (!visit.caller.isStaff) throw new NotAllowed(NOTING_IS_CLINICS);
    throw new InvalidInput({ attendance: ['can be noted once it is booked'] });
  }
  return book(visit, async (visit) => {
    const { caller } = visit;
    const held = await holdOf(visit, body);
    const asked = { ...body, ...held?.place };
    // The contract asks for both where there is no hold.
    const [doctorId, timeId] = [asked.doctor as number, asked.time as number];
    const locking = lockParties(visit, { doctorId, named: namedPatient, overbook });
    // Sent behind the locks, and so told of what is there once they are had.
    const bounded = isCancelled || caller.isStaff ? 0 : (namedPatient ?? 'own');
    const asking = askFor(visit, { doctorId, timeId, date: asked.date, bounded });
    asking.catch(() => undefined);
    const { isForAny, ...parties } = await locking;
    const reason = planReason({ isCancelled: false, reason: null }, givenReason, {
      isCancelled,
      side: isForAny ? (caller.isStaff ? 'clinic' : 'doctor') : 'patient',
    });
    return bookSlot(
      visit,
      {
        ...{ ...parties, doctorId, timeId, date: asked.date, holdId: held?.id, asking },
        ...{ isOverbooking: overbook, takesTime: !isCancelled, opens: !isCancelled },
      },
      {
        type: TYPE[type],
        status: caller.isStaff && status !== undefined ? readStatus(status) : 'pending',
        symptoms,
        ...(reason && cancelledFor(reason)),
      },
    );
  });
}

/** An appointment that the caller sees. */
export async function findVisible({ db, caller, calendar }: Within<UserVisit>, id: number): Promise<Present> {
  const row = oneOrNone(
    await db
      .select({
        patientId: appointments.patientId,
        doctorId: appointments.doctorId,
        timeId: appointments.availableTimeId,
        date: appointments.date,
        status: appointments.status,
        isCancelled: appointments.isCancelled,
        reason: reasonJson,
        attendance: appointments.attendance,
        isOverbooked: appointments.isOverbooked,
        isDue: sql<boolean>`${appointments.date} <= ${today(calendar)}`,
        hasBegun: hasBegun(calendar),
        isTooLate: isTooLate(calendar),
        changeableUntil: changeableUntil(calendar),
        keeperId,
        doctorUserId: doctors.userId,
      })
      .from(appointments)
      .innerJoin(patients, eq(patients.id, appointments.patientId))
      .innerJoin(doctors, eq(doctors.id, appointments.doctorId))
      .where(
        and(eq(appointments.id, id), isNull(appointments.archivedAt), caller.isStaff ? undefined : isSeenBy(caller.id)),
      ),
  );
  if (row === undefined) throw new NotFound();
  return row;
}

/**
 * The same, locked and held against the request's conditions. The lock comes first: what had to wait for it would join the
 * doctor and patient of before.
 */
async function lockVisible(visit: Within<UserVisit>, id: number): Promise<Present> {
  await visit.db.select({ id: appointments.id }).from(appointments).where(eq(appointments.id, id)).for('update');
  const present = await findVisible(visit, id);
  checkConditions(visit, (await getAppointment(visit, { params: { id } })).tag);
  return present;
}

function changeAppointment(visit: UserVisit, id: number, asked: Change): Promise<JsonText<Appointment>> {
  return book(visit, async (visit) => {
    const { db, caller, calendar } = visit;
    const held = await holdOf(visit, asked.body);
    const change = { ...asked, body: { ...asked.body, ...held?.place } };
    const { overbook = false } = change.body;
    const seen = await findVisible(visit, id);
    const parties = partiesOf(seen, change, caller);
    const doctor = await lockDoctor(visit, parties.doctorId, seen.doctorId);
    checkOverbooking(overbook, doctor, caller);
    const isPatientThere = (await lockPatient(visit, parties.patientId, true)) !== undefined;
    const present = await lockVisible(visit, id);
    // It went to another doctor or patient before it was locked: the wrong ones are.
    if (present.doctorId !== seen.doctorId || present.patientId !== seen.patientId) {
      throw new Contention('the appointment was moved meanwhile');
    }

    const planned = planChange(present, change, caller);
    const { timeId, takesSlot, takesTime, opens, date: wantedDate, isCancelled, reason, ...plan } = planned;
    const booking = { ...parties, date: wantedDate, ownId: id };
    const taken = takesSlot
      ? await findSlot(visit, {
          ...{ ...booking, timeId, doctor, isPatientThere, holdId: held?.id },
          ...{ isOverbooking: overbook, takesTime, opens },
        })
      : undefined;
    const update = db
      .update(appointments)
      .set({
        ...plan,
        ...(reason === null ? { isCancelled, cancelCode: null, cancelText: null } : cancelledFor(reason)),
        ...(taken && {
          availableTimeId: timeId,
          date: taken.date,
          isOverbooked: taken.isOverbooked,
          period: periodOf(sql`${taken.date}::date`, taken.slot, calendar),
        }),
      })
      .where(eq(appointments.id, id));
    await refusedAsTaken(update.execute(), booking);
    if (taken !== undefined || isCancelled !== present.isCancelled) await offerFreed(visit, present.doctorId);
    return getAppointment(visit, { params: { id } });
  });
}

/** Changes what is given. A change of the slot alone stays on its date. */
export const updateAppointment = (
  visit: UserVisit,
  { params, body }: Input<'updateAppointment'>,
): Promise<JsonText<Appointment>> => changeAppointment(visit, params.id, { body, isReplacing: false });

/** Replaces the appointment. Where doctor or slot change and no date is given, it moves to the soonest one. */
export const replaceAppointment = (
  visit: UserVisit,
  { params, body }: Input<'replaceAppointment'>,
): Promise<JsonText<Appointment>> =>
  changeAppointment(visit, params.id, { body: { cancel: false, ...body }, isReplacing: true });

/** Archives the appointment and frees its slot. */
export async function deleteAppointment(
  visit: UserVisit,
  { params: { id } }: Input<'deleteAppointment'>,
): Promise<void> {
  await inTransaction(visit, async (visit) => {
    const { db, caller } = visit;
    const seen = await findVisible(visit, id);
    await lockDoctor(visit, seen.doctorId);
    const appointment = await lockVisible(visit, id);
    if (appointment.doctorId !== seen.doctorId) throw new Contention('the appointment was moved meanwhile');
    if (!caller.isStaff) {
      if (appointment.keeperId !== caller.id) throw new NotAllowed('Only the patient and staff may do this.');
      checkIsAhead(appointment, 'delete');
    }
    await db
      .update(appointments)
      .set({ archivedAt: new Date(), archivedBy: userIdOf(caller) })
      .where(eq(appointments.id, id));
    await offerFreed(visit, appointment.doctorId);
  });
}

const changers = alias(users, 'changers');

const changeFields = {
  id: column(appointmentChanges.id),
  changed_at: timestampText(appointmentChanges.changedAt),
  changed_by: sql<string | null>`coalesce(
    (select ${changers.username} from ${users} ${sql.identifier('changers')}
      where ${changers.id} = ${appointmentChanges.changedBy}),
    (select ${serviceKeys.name} from ${serviceKeys} where ${serviceKeys.id} = ${appointmentChanges.changedByService}))`,
  from: changeText(sql`${appointmentChanges.before}`),
  to: changeText(sql`${appointmentChanges.after}`),
  from_label: changeLabel(sql`${appointmentChanges.before}`),
  to_label: changeLabel(sql`${appointmentChanges.after}`),
};

/** Changes of an appointment: all, or those since it was given to the patient who has it. */
interface ChangesAsked {
  readonly of: number;
  readonly ofPatient: number | undefined;
}

/** Whether a change of an appointment is not of before it was given to the patient who has it. */
export const isOfPatient = (appointmentId: unknown): SQL =>
  sql`${appointmentChanges.id} > coalesce((select max(given.id)
    from ${appointmentChanges} as given where given.appointment_id = ${appointmentId} and given.field = 'patient'), 0)`;

/** How pages of changes are read, the oldest first. */
const changePages = <T extends object>(item: SQL<T>, where?: SQL) =>
  pagesOf<ChangesAsked, T>({
    table: appointmentChanges,
    ...(where && { where }),
    filters: {
      of: (id) => eq(appointmentChanges.appointmentId, id),
      ofPatient: isOfPatient,
    },
    rows: (db) => db.select(itemOf(item)).from(appointmentChanges).$dynamic(),
  });
const historyPages = changePages(
  jsonObject<AppointmentChange>({ ...changeFields, field: firstFieldText }),
  isFirstField,
);
/** A change as JSON. */
export const eventJson = jsonObject<AppointmentEvent>({ ...changeFields, field: fieldText });
const eventPages = changePages(eventJson);

const ownerOfChanges = directByKey((db, isStaff: boolean) =>
  db
    .select({ doctorUserId: sql<number>`${doctors.userId}::float8`.as('doctorUserId') })
    .from(appointments)
    .innerJoin(doctors, eq(doctors.id, appointments.doctorId))
    .where(
      and(
        eq(appointments.id, sql.placeholder('id')),
        isStaff ? undefined : and(isNull(appointments.archivedAt), isSeenBy(sql.placeholder('caller'))),
      ),
    ),
);

/**
 * The changes of an appointment that the caller sees; staff also one that is archived. What was before it was given to a
 * patient is not theirs to read.
 * @throws NotFound
 */
async function changesOf({ db, caller }: UserVisit, id: number): Promise<ChangesAsked> {
  const row = oneOrNone(await ownerOfChanges(db, caller.isStaff)({ id, caller: userIdOf(caller) }));
  if (row === undefined) throw new NotFound();
  return { of: id, ofPatient: caller.isStaff || row.doctorUserId === caller.id ? undefined : id };
}

export const listAppointmentHistory = async (
  visit: UserVisit,
  { params, query }: Input<'listAppointmentHistory'>,
): Promise<JsonText<AppointmentChangePage>> =>
  historyPages(visit, { ...query, ...(await changesOf(visit, params.id)) });

export const listAppointmentChanges = async (
  visit: UserVisit,
  { params, query }: Input<'listAppointmentChanges'>,
): Promise<JsonText<AppointmentEventPage>> => eventPages(visit, { ...query, ...(await changesOf(visit, params.id)) });
