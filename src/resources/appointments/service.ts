import { and, asc, count, desc, eq, gte, inArray, isNull, lte, or, sql, type Placeholder, type SQL } from 'drizzle-orm';
import { alias } from 'drizzle-orm/pg-core';
import { transaction, violatedConstraint, type Db, type Tx } from '../../../db/client.js';
import { column, jsonObject, JsonText, timestampText } from '../../../db/json.js';
import { directByKey } from '../../../db/prepared.js';
import {
  appointmentChanges,
  appointments,
  availableTimes,
  doctorAvailableTimes,
  doctors,
  patients,
  users,
} from '../../../db/tables/index.js';
import { ProblemError } from '../../../openapi/generated/problems.js';
import type {
  Appointment,
  AppointmentChange,
  AppointmentChangePage,
  AppointmentInput,
  AppointmentPage,
  AppointmentPatch,
  AppointmentStatus,
  AppointmentType,
} from '../../../openapi/generated/schemas.js';
import { InvalidInput, NoPatientRecord, NotAllowed, NotFound } from '../../lib/errors.js';
import { selectPage, type Link, type PageQuery } from '../../lib/pages.js';
import { checkIfMatch } from '../../lib/preconditions.js';
import {
  alternatives,
  BOOKING_CONSTRAINTS,
  dateFault,
  periodOf,
  signTransaction,
  SlotTaken,
  soonestDate,
  type Calendar,
  type OfferedSlot,
} from './booking.js';
import { changeText, fieldText, STATUS, statusText, TYPE, typeText } from './wire.js';

interface Caller {
  readonly id: number;
  readonly isStaff: boolean;
}

export interface AppointmentQuery extends PageQuery {
  readonly patient_id?: number;
  readonly doctor_id?: number;
  readonly from?: string;
  readonly to?: string;
  readonly status?: AppointmentStatus;
  readonly type?: AppointmentType;
  readonly cancel?: boolean;
  readonly ordering: 'id' | 'date' | '-date';
}

class WrongStatus extends ProblemError {
  constructor(detail: string) {
    super('wrong-status', detail);
  }
}

const appointmentJson = jsonObject<Appointment>({
  id: column(appointments.id),
  patient: column(appointments.patientId),
  doctor: column(appointments.doctorId),
  appointment_type: typeText,
  appointment_status: statusText,
  symptoms: column(appointments.symptoms),
  time: column(appointments.availableTimeId),
  cancel: column(appointments.isCancelled),
  date: column(appointments.date),
});

/** What a caller may see: the own as a patient, those with them as a doctor, all as staff. */
function isVisibleTo({ id, isStaff }: { id: number | Placeholder; isStaff: boolean }): SQL | undefined {
  if (isStaff) return undefined;
  // Arrays, not joins: so both indexes serve the `or`.
  return sql`(${appointments.patientId} = any(array(select id from ${patients} where user_id = ${id}))
    or ${appointments.doctorId} = any(array(select id from ${doctors} where user_id = ${id} and archived_at is null)))`;
}

const byId = directByKey((db) =>
  db
    .select({ text: sql<string>`${appointmentJson}::text`.as('text') })
    .from(appointments)
    .where(eq(appointments.id, sql.placeholder('id'))),
);

async function readAppointment(tx: Tx, id: number): Promise<JsonText<Appointment>> {
  const [row] = await byId(tx)({ id });
  if (row === undefined) throw new NotFound();
  return new JsonText(row.text);
}

const visibleById = directByKey((db, isStaff: boolean) =>
  db
    .select({ text: sql<string>`${appointmentJson}::text`.as('text') })
    .from(appointments)
    .where(
      and(
        eq(appointments.id, sql.placeholder('id')),
        isNull(appointments.archivedAt),
        isVisibleTo({ id: sql.placeholder('caller'), isStaff }),
      ),
    ),
);

export async function getAppointment(db: Db | Tx, id: number, caller: Caller): Promise<JsonText<Appointment>> {
  const [row] = await visibleById(db, caller.isStaff)({ id, caller: caller.id });
  if (row === undefined) throw new NotFound();
  return new JsonText(row.text);
}

const ORDERS = {
  id: [asc(appointments.id)],
  date: [asc(appointments.date), asc(appointments.id)],
  '-date': [desc(appointments.date), asc(appointments.id)],
};

/** The same as `isVisibleTo`, in values: else PostgreSQL plans for a doctor's many rows, and reads all for a patient. */
async function whatIsVisibleTo(db: Db, caller: Caller): Promise<SQL | undefined> {
  if (caller.isStaff) return undefined;
  const [asPatient, asDoctor] = await Promise.all([
    db.select({ id: patients.id }).from(patients).where(eq(patients.userId, caller.id)),
    db
      .select({ id: doctors.id })
      .from(doctors)
      .where(and(eq(doctors.userId, caller.id), isNull(doctors.archivedAt))),
  ]);
  const ids = (rows: { id: number }[]): number[] => rows.map(({ id }) => id);
  return or(inArray(appointments.patientId, ids(asPatient)), inArray(appointments.doctorId, ids(asDoctor)));
}

export async function listAppointments(
  db: Db,
  query: AppointmentQuery,
  caller: Caller,
  link: Link,
): Promise<JsonText<AppointmentPage>> {
  const where = and(
    isNull(appointments.archivedAt),
    await whatIsVisibleTo(db, caller),
    query.patient_id === undefined ? undefined : eq(appointments.patientId, query.patient_id),
    query.doctor_id === undefined ? undefined : eq(appointments.doctorId, query.doctor_id),
    query.from === undefined ? undefined : gte(appointments.date, query.from),
    query.to === undefined ? undefined : lte(appointments.date, query.to),
    query.status === undefined ? undefined : eq(appointments.status, STATUS[query.status]),
    query.type === undefined ? undefined : eq(appointments.type, TYPE[query.type]),
    query.cancel === undefined ? undefined : eq(appointments.isCancelled, query.cancel),
  );
  return selectPage(
    db,
    appointmentJson,
    (columns) =>
      db
        .select(columns)
        .from(appointments)
        .where(where)
        .orderBy(...ORDERS[query.ordering])
        .$dynamic(),
    sql`(${db.select({ count: count() }).from(appointments).where(where)})`,
    query,
    link,
  );
}

/**
 * Locks a live doctor: bookings of one doctor go one after the other, so that nobody has to lose a race. Doctors are
 * locked before patients and these before appointments, everywhere.
 */
async function lockDoctor(tx: Tx, id: number): Promise<{ userId: number } | undefined> {
  const [row] = await tx
    .select({ userId: doctors.userId })
    .from(doctors)
    .where(and(eq(doctors.id, id), isNull(doctors.archivedAt)))
    .for('no key update');
  return row;
}

async function lockPatient(tx: Tx, where: SQL): Promise<{ id: number } | undefined> {
  const [row] = await tx
    .select({ id: patients.id })
    .from(patients)
    .where(and(where, isNull(patients.archivedAt)))
    .for('no key update');
  return row;
}

async function offeredSlot(tx: Tx, doctorId: number, timeId: number): Promise<OfferedSlot | undefined> {
  const [row] = await tx
    .select({
      id: availableTimes.id,
      startMinute: availableTimes.startMinute,
      endMinute: availableTimes.endMinute,
    })
    .from(doctorAvailableTimes)
    .innerJoin(availableTimes, eq(availableTimes.id, doctorAvailableTimes.availableTimeId))
    .where(and(eq(doctorAvailableTimes.doctorId, doctorId), eq(availableTimes.id, timeId)))
    .for('share', { of: availableTimes });
  return row;
}

/** A booking that the database refuses because the time is taken; the transaction is over, alternatives come after. */
class Taken extends Error {
  readonly doctorId: number;
  readonly patientId: number;

  constructor(doctorId: number, patientId: number) {
    super('the slot is taken');
    this.doctorId = doctorId;
    this.patientId = patientId;
  }
}

/** Runs a booking and gives its refusal by the database the free alternatives. */
async function book<T>(db: Db | Tx, calendar: Calendar, work: (tx: Tx) => Promise<T>): Promise<T> {
  try {
    return await transaction(db, work);
  } catch (error) {
    if (!(error instanceof Taken)) throw error;
    throw new SlotTaken(await alternatives(db, error.doctorId, error.patientId, calendar));
  }
}

async function refusedAsTaken<T>(statement: Promise<T>, doctorId: number, patientId: number): Promise<T> {
  try {
    return await statement;
  } catch (error) {
    throw BOOKING_CONSTRAINTS.has(violatedConstraint(error) ?? '') ? new Taken(doctorId, patientId) : error;
  }
}

/** Throws the faults of a body all at once. */
function throwFaults(faults: Readonly<Record<string, string | null | undefined>>): void {
  const errors = Object.entries(faults).flatMap(([field, fault]) =>
    fault ? [[field, [fault]] as [string, string[]]] : [],
  );
  if (errors.length > 0) throw new InvalidInput(Object.fromEntries(errors));
}

const UNKNOWN = 'does not exist';
const NOT_OFFERED = 'is not offered by this doctor';

/**
 * Books a slot: for the caller, or for the patient that staff names.
 * @throws NoPatientRecord, InvalidInput, SlotTaken
 */
export function createAppointment(
  db: Db | Tx,
  input: AppointmentInput,
  caller: Caller,
  calendar: Calendar,
): Promise<JsonText<Appointment>> {
  return book(db, calendar, async (tx) => {
    const named = caller.isStaff ? input.patient : undefined;
    const doctor = await lockDoctor(tx, input.doctor);
    const patient = await lockPatient(
      tx,
      named === undefined ? eq(patients.userId, caller.id) : eq(patients.id, named),
    );
    if (patient === undefined && named === undefined) throw new NoPatientRecord();
    const slot = doctor && (await offeredSlot(tx, input.doctor, input.time));
    throwFaults({
      doctor: doctor ? null : UNKNOWN,
      patient: patient ? null : UNKNOWN,
      time: doctor && !slot ? NOT_OFFERED : null,
      date: slot && input.date !== undefined ? await dateFault(tx, slot, input.date, calendar) : null,
    });
    const patientId = (patient as { id: number }).id;
    const offered = slot as OfferedSlot;
    const date = input.date ?? (await soonestDate(tx, offered, input.doctor, patientId, calendar));
    if (date === null) throw new Taken(input.doctor, patientId);
    const insertion = tx
      .insert(appointments)
      .values({
        patientId,
        doctorId: input.doctor,
        availableTimeId: offered.id,
        date,
        period: periodOf(sql`${date}::date`, offered, calendar),
        type: TYPE[input.appointment_type],
        status: caller.isStaff && input.appointment_status ? STATUS[input.appointment_status] : 'pending',
        symptoms: input.symptoms,
        isCancelled: input.cancel ?? false,
      })
      .returning({ id: appointments.id });
    const [row] = await refusedAsTaken(insertion, input.doctor, patientId);
    return readAppointment(tx, (row as { id: number }).id);
  });
}

/** An appointment that the caller sees, with whose it is. */
async function findVisible(tx: Tx, id: number, caller: Caller) {
  const [row] = await tx
    .select({
      patientId: appointments.patientId,
      doctorId: appointments.doctorId,
      timeId: appointments.availableTimeId,
      date: appointments.date,
      status: appointments.status,
      isCancelled: appointments.isCancelled,
      patientUserId: patients.userId,
      doctorUserId: doctors.userId,
    })
    .from(appointments)
    .innerJoin(patients, eq(patients.id, appointments.patientId))
    .innerJoin(doctors, eq(doctors.id, appointments.doctorId))
    .where(and(eq(appointments.id, id), isNull(appointments.archivedAt), isVisibleTo(caller)));
  if (row === undefined) throw new NotFound();
  return row;
}

/** The same, locked. The lock comes first: what had to wait for it would join the doctor and patient of before. */
async function lockVisible(tx: Tx, id: number, caller: Caller) {
  await tx.select({ id: appointments.id }).from(appointments).where(eq(appointments.id, id)).for('update');
  return findVisible(tx, id, caller);
}

/** The appointment went to another doctor or patient before it was locked: the wrong ones are. */
class MovedMeanwhile extends Error {}

const RANK = { pending: 0, running: 1, completed: 2 } as const;

interface Change {
  readonly input: AppointmentPatch;
  /** Whether the body replaces the record, so that a `date` that is left out may move with the slot. */
  readonly isReplacing: boolean;
  readonly ifMatch: string | undefined;
}

async function tryChange(
  db: Db,
  id: number,
  { input, isReplacing, ifMatch }: Change,
  caller: Caller,
  calendar: Calendar,
): Promise<JsonText<Appointment>> {
  return book(db, calendar, async (tx) => {
    await signTransaction(tx, caller);
    const seen = await findVisible(tx, id, caller);
    const doctorId = input.doctor ?? seen.doctorId;
    const patientId = (caller.isStaff ? input.patient : undefined) ?? seen.patientId;
    const doctor = await lockDoctor(tx, doctorId);
    const patient = await lockPatient(tx, eq(patients.id, patientId));
    const before = await lockVisible(tx, id, caller);
    if (before.doctorId !== seen.doctorId || before.patientId !== seen.patientId) throw new MovedMeanwhile();
    await checkIfMatch(ifMatch, () => readAppointment(tx, id));

    const isDoctors = before.doctorUserId === caller.id;
    const mayMoveStatus = caller.isStaff || isDoctors;
    if (!mayMoveStatus && before.status !== 'pending') {
      throw new WrongStatus('A patient can change an appointment only while it is Pendding.');
    }
    if (!caller.isStaff && before.patientUserId !== caller.id && doctorId !== before.doctorId) {
      throw new NotAllowed('Only the patient and staff may choose another doctor.');
    }

    const timeId = input.time ?? before.timeId;
    const isCancelled = input.cancel ?? before.isCancelled;
    const isOtherSlot = doctorId !== before.doctorId || timeId !== before.timeId || patientId !== before.patientId;
    const isMoved = isOtherSlot || (input.date !== undefined && input.date !== before.date);
    const isTakenBack = before.isCancelled && !isCancelled;
    const status = (mayMoveStatus && input.appointment_status && STATUS[input.appointment_status]) || before.status;

    if (status !== before.status) {
      if (RANK[status] < RANK[before.status]) throw new WrongStatus('The status moves forward only.');
      if (isCancelled) throw new WrongStatus('The status of a cancelled appointment does not move.');
    }
    if (before.status !== 'pending' && isMoved) throw new WrongStatus('Only a Pendding appointment can be moved.');
    if (status === 'completed' && isCancelled && !before.isCancelled) {
      throw new WrongStatus('A Complated appointment can not be cancelled.');
    }

    let slot: OfferedSlot | undefined;
    let date = before.date;
    if (isMoved || isTakenBack) {
      slot = doctor && (await offeredSlot(tx, doctorId, timeId));
      const given = input.date ?? (isReplacing && isOtherSlot ? undefined : before.date);
      throwFaults({
        doctor: doctor ? null : UNKNOWN,
        patient: patient ? null : UNKNOWN,
        time: doctor && !slot ? NOT_OFFERED : null,
        date: slot && given !== undefined ? await dateFault(tx, slot, given, calendar) : null,
      });
      const soonest = given ?? (await soonestDate(tx, slot as OfferedSlot, doctorId, patientId, calendar, id));
      if (soonest === null) throw new Taken(doctorId, patientId);
      date = soonest;
    }
    const update = tx
      .update(appointments)
      .set({
        updatedAt: new Date(),
        ...(input.appointment_type !== undefined && { type: TYPE[input.appointment_type] }),
        ...(input.symptoms !== undefined && { symptoms: input.symptoms }),
        status,
        isCancelled,
        ...(slot !== undefined && {
          doctorId,
          patientId,
          availableTimeId: timeId,
          date,
          period: periodOf(sql`${date}::date`, slot, calendar),
        }),
      })
      .where(eq(appointments.id, id));
    await refusedAsTaken(update.execute(), doctorId, patientId);
    return readAppointment(tx, id);
  });
}

async function changeAppointment(...parameters: Parameters<typeof tryChange>): Promise<JsonText<Appointment>> {
  for (;;) {
    try {
      return await tryChange(...parameters);
    } catch (error) {
      if (!(error instanceof MovedMeanwhile)) throw error;
    }
  }
}

/** Changes what is given. A change of the slot alone stays on its date. */
export function updateAppointment(
  db: Db,
  id: number,
  input: AppointmentPatch,
  caller: Caller,
  calendar: Calendar,
  ifMatch?: string,
): Promise<JsonText<Appointment>> {
  return changeAppointment(db, id, { input, isReplacing: false, ifMatch }, caller, calendar);
}

/** Replaces the appointment. Where doctor or slot change and no date is given, it moves to the soonest one. */
export function replaceAppointment(
  db: Db,
  id: number,
  input: AppointmentInput,
  caller: Caller,
  calendar: Calendar,
  ifMatch?: string,
): Promise<JsonText<Appointment>> {
  const whole = { cancel: false, ...input };
  return changeAppointment(db, id, { input: whole, isReplacing: true, ifMatch }, caller, calendar);
}

/** Archives the appointment and frees its slot. */
export async function deleteAppointment(db: Db, id: number, caller: Caller, ifMatch?: string): Promise<void> {
  await transaction(db, async (tx) => {
    await signTransaction(tx, caller);
    const appointment = await lockVisible(tx, id, caller);
    await checkIfMatch(ifMatch, () => readAppointment(tx, id));
    if (!caller.isStaff) {
      if (appointment.patientUserId !== caller.id) throw new NotAllowed('Only the patient and staff may do this.');
      if (appointment.status !== 'pending') {
        throw new WrongStatus('A patient can delete an appointment only while it is Pendding.');
      }
    }
    await tx.update(appointments).set({ archivedAt: new Date(), archivedBy: caller.id }).where(eq(appointments.id, id));
  });
}

const changers = alias(users, 'changers');

const changeJson = jsonObject<AppointmentChange>({
  id: column(appointmentChanges.id),
  changed_at: timestampText(appointmentChanges.changedAt),
  changed_by: sql<string | null>`(select ${changers.username} from ${users} ${sql.identifier('changers')}
    where ${changers.id} = ${appointmentChanges.changedBy})`,
  field: fieldText,
  from: changeText(sql`${appointmentChanges.before}`),
  to: changeText(sql`${appointmentChanges.after}`),
});

export async function listAppointmentHistory(
  db: Db,
  id: number,
  query: PageQuery,
  caller: Caller,
  link: Link,
): Promise<JsonText<AppointmentChangePage>> {
  await getAppointment(db, id, caller);
  const where = eq(appointmentChanges.appointmentId, id);
  return selectPage(
    db,
    changeJson,
    (columns) =>
      db.select(columns).from(appointmentChanges).where(where).orderBy(asc(appointmentChanges.id)).$dynamic(),
    sql`(${db.select({ count: count() }).from(appointmentChanges).where(where)})`,
    query,
    link,
  );
}
