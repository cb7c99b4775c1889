import type { AppointmentPatch } from '../../../openapi/generated/schemas.js';
import { ProblemError } from '../../../openapi/problem-error.js';
import type { Reason } from '../../scheduling/cancellation.js';
import { InvalidInput, NotAllowed } from '../../lib/errors.js';
import { nothingElse } from '../../lib/patches.js';
import { isUser, type Caller } from '../../lib/visit.js';
import { readStatus, TYPE, type Stored } from './wire.js';

export class WrongStatus extends ProblemError {
  constructor(detail: string) {
    super('wrong-status', detail);
  }
}

/** An appointment as it is, with the users who decide for its patient and its doctor. */
export interface Present extends Pick<
  Stored,
  'patientId' | 'doctorId' | 'date' | 'status' | 'isCancelled' | 'attendance' | 'isOverbooked'
> {
  readonly timeId: number;
  readonly reason: Reason | null;
  /** Whether its day has come. */
  readonly isDue: boolean;
  readonly hasBegun: boolean;
  /** Whether it is later than `changeableUntil`, which is for people. */
  readonly isTooLate: boolean;
  readonly changeableUntil: string;
  /** The patient's own, or who manages the record; null for a patient of the desk. */
  readonly keeperId: number | null;
  readonly doctorUserId: number;
}

/** What a change asks for. */
export interface Change {
  readonly body: AppointmentPatch;
  /** Whether the body replaces the record, so that a `date` that is left out may move with the slot. */
  readonly isReplacing: boolean;
}

/** What a change comes to. */
export interface Plan extends Pick<Stored, 'patientId' | 'doctorId' | 'status' | 'isCancelled' | 'attendance'> {
  readonly timeId: number;
  readonly reason: Reason | null;
  /** Whether the slot has to be had: it is another one, or a cancelled one is taken back. */
  readonly takesSlot: boolean;
  /** Whether the doctor's time has to be had with it: it is not the one that it has as it is. */
  readonly takesTime: boolean;
  /** Whether it adds to the patient's upcoming appointments, or to those with the doctor. */
  readonly opens: boolean;
  /** The date of that slot; undefined for the soonest one. */
  readonly date: string | undefined;
  readonly type: Stored['type'] | undefined;
  readonly symptoms: string | undefined;
}

export const NOTING_IS_CLINICS = 'Only the doctor and staff may note whether the patient came.';

/** @throws NotAllowed where somebody overbooks who has no say in the doctor's list */
export function checkOverbooking(overbook: boolean, doctor: { userId: number } | undefined, caller: Caller): void {
  if (overbook && !caller.isStaff && doctor?.userId !== caller.id) {
    throw new NotAllowed('Only staff may overbook, and doctors in their own list.');
  }
}

const RANK = { pending: 0, running: 1, completed: 2 } as const;

/** Who acts: the patient, the doctor, or others who act for the clinic. */
type Side = 'patient' | 'doctor' | 'clinic';

function sideOf({ keeperId, doctorUserId }: Present, caller: Caller): Side {
  if (isUser(caller, keeperId)) return 'patient';
  if (isUser(caller, doctorUserId)) return 'doctor';
  return caller.isStaff ? 'clinic' : 'patient';
}

/**
 * Whose appointment it will be.
 * @throws NotAllowed where somebody who is not staff gives it to another patient
 */
export function partiesOf(present: Present, { body }: Change, caller: Caller): { doctorId: number; patientId: number } {
  const { doctor: doctorId = present.doctorId, patient: patientId = present.patientId } = body;
  if (patientId !== present.patientId && !caller.isStaff) {
    throw new NotAllowed('Only staff may give an appointment to another patient.');
  }
  return { doctorId, patientId };
}

/**
 * What a patient may still change or delete: nothing that has begun, or will before the clinic's notice is over.
 * @throws WrongStatus
 */
export function checkIsAhead(present: Present, what: 'change' | 'delete'): void {
  const { status, attendance, hasBegun, isTooLate, changeableUntil } = present;
  if (status !== 'pending') throw new WrongStatus(`A patient can ${what} an appointment only while it is Pendding.`);
  if (hasBegun) throw new WrongStatus(`A patient can ${what} an appointment only before it begins.`);
  if (attendance !== null) throw new WrongStatus(`A patient can ${what} an appointment only before they have come.`);
  if (isTooLate) {
    throw new WrongStatus(
      `A patient could ${what} this appointment until ${changeableUntil} by the clinic's clock. Ask the clinic.`,
    );
  }
}

/** @throws WrongStatus where the status may not move so */
function planStatus(
  present: Present,
  { status, isCancelled }: Pick<Plan, 'status' | 'isCancelled'>,
  caller: Caller,
): void {
  if (status !== present.status) {
    if (RANK[status] < RANK[present.status] && !caller.isStaff) throw new WrongStatus('The status moves forward only.');
    if (isCancelled) throw new WrongStatus('The status of a cancelled appointment does not move.');
  }
  if (status === 'completed' && isCancelled && !present.isCancelled) {
    throw new WrongStatus('A Complated appointment can not be cancelled.');
  }
}

/** @throws WrongStatus where what is noted of the patient's coming does not go with the rest */
function checkAttendance(
  present: Present,
  {
    attendance,
    status,
    isCancelled,
    isMoved,
  }: Pick<Plan, 'attendance' | 'status' | 'isCancelled'> & { isMoved: boolean },
): void {
  if (attendance === null) return;
  if (isCancelled) throw new WrongStatus('An appointment can not have an attendance and be cancelled.');
  if (isMoved) throw new WrongStatus('An appointment can not be moved with its attendance: set that to null.');
  if (attendance === 'no_show' && status !== 'pending') {
    throw new WrongStatus('Only a Pendding appointment can be a no_show.');
  }
  if (attendance === present.attendance) return;
  if (attendance === 'no_show' && !present.hasBegun) {
    throw new WrongStatus('An appointment is a no_show only once it has begun.');
  }
  if (!present.isDue) throw new WrongStatus('A patient has arrived only when the day of the appointment has come.');
}

/** The codes that a patient gives. */
const OF_PATIENTS: readonly Reason['code'][] = ['patient', 'other'];

/**
 * Why it will be cancelled. Without a reason it is by whom.
 * @throws InvalidInput, NotAllowed
 */
export function planReason(
  present: Pick<Present, 'isCancelled' | 'reason'>,
  given: AppointmentPatch['cancel_reason'],
  { isCancelled, side }: { isCancelled: boolean; side: Side },
): Reason | null {
  const { reason } = present;
  const { code = side, text = '' } = given ?? {};
  // Whoever sends back what they got sends the reason with it.
  const isSame = given != null && code === reason?.code && text === reason.text;
  if (!isCancelled) {
    if (given == null || isSame) return null;
    throw new InvalidInput({ cancel_reason: ['is for an appointment that is cancelled'] });
  }
  if (isSame || (given == null && present.isCancelled)) return reason;
  if (side === 'patient' && [reason?.code ?? code, code].some((each) => !OF_PATIENTS.includes(each))) {
    throw new NotAllowed(`A patient's reason has the code patient or other, and takes no other one's place.`);
  }
  return { code, text };
}

/**
 * What may change, by whom, from what to what. Whether the slot is offered and free is for the database to say.
 * @throws WrongStatus, NotAllowed, InvalidInput
 */
export function planChange(present: Present, change: Change, caller: Caller): Plan {
  const { doctorId, patientId } = partiesOf(present, change, caller);
  const { appointment_type: type, appointment_status: wanted, symptoms, time, date, cancel, ...others } = change.body;
  const { attendance = present.attendance, cancel_reason: given, ...ids } = others;
  const { doctor: _doctor, patient: _patient, hold: _hold, overbook = false, ...rest } = ids;
  nothingElse(rest);

  const isClinics = caller.isStaff || present.doctorUserId === caller.id;
  if (!isClinics && attendance !== present.attendance) {
    throw new NotAllowed(NOTING_IS_CLINICS);
  }
  if (!isClinics) checkIsAhead(present, 'change');
  if (!caller.isStaff && present.keeperId !== caller.id && doctorId !== present.doctorId) {
    throw new NotAllowed('Only the patient and staff may choose another doctor.');
  }

  const timeId = time ?? present.timeId;
  const isCancelled = cancel ?? present.isCancelled;
  const isOtherSlot = doctorId !== present.doctorId || timeId !== present.timeId || patientId !== present.patientId;
  const isOtherDate = date !== undefined && date !== present.date;
  const isMoved = isOtherSlot || isOtherDate;
  const isElsewhere = doctorId !== present.doctorId || timeId !== present.timeId || isOtherDate;
  const status = isClinics && wanted !== undefined ? readStatus(wanted) : present.status;
  const reason = planReason(present, given, { isCancelled, side: sideOf(present, caller) });
  planStatus(present, { status, isCancelled }, caller);
  if (present.status !== 'pending' && status !== 'pending' && isMoved)
    throw new WrongStatus('Only a Pendding appointment can be moved.');
  checkAttendance(present, { attendance, status, isCancelled, isMoved });

  return {
    doctorId,
    patientId,
    timeId,
    status,
    isCancelled,
    reason,
    attendance,
    takesSlot: isMoved || (present.isCancelled && !isCancelled),
    opens: !isCancelled && (present.isCancelled || doctorId !== present.doctorId),
    takesTime: !isCancelled && (isElsewhere || present.isCancelled || present.isOverbooked),
    date: date ?? (change.isReplacing && isOtherSlot && !overbook ? undefined : present.date),
    type: type && TYPE[type],
    symptoms,
  };
}
