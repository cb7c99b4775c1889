import type { AppointmentPatch } from '../../../openapi/generated/schemas.js';
import { ProblemError } from '../../../openapi/problem-error.js';
import { NotAllowed } from '../../lib/errors.js';
import { nothingElse } from '../../lib/patches.js';
import type { Caller } from '../../lib/visit.js';
import { readStatus, TYPE, type Stored } from './wire.js';

export class WrongStatus extends ProblemError {
  constructor(detail: string) {
    super('wrong-status', detail);
  }
}

/** An appointment as it is, with the users who decide for its patient and its doctor. */
export interface Present extends Pick<Stored, 'patientId' | 'doctorId' | 'date' | 'status' | 'isCancelled'> {
  readonly timeId: number;
  readonly hasBegun: boolean;
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
export interface Plan extends Pick<Stored, 'patientId' | 'doctorId' | 'status' | 'isCancelled'> {
  readonly timeId: number;
  /** Whether the slot has to be had: it is another one, or a cancelled one is taken back. */
  readonly takesSlot: boolean;
  /** The date of that slot; undefined for the soonest one. */
  readonly date: string | undefined;
  readonly type: Stored['type'] | undefined;
  readonly symptoms: string | undefined;
}

const RANK = { pending: 0, running: 1, completed: 2 } as const;

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
 * What a patient may still change or delete: nothing that has begun.
 * @throws WrongStatus
 */
export function checkIsAhead(
  { status, hasBegun }: Pick<Present, 'status' | 'hasBegun'>,
  what: 'change' | 'delete',
): void {
  if (status !== 'pending') throw new WrongStatus(`A patient can ${what} an appointment only while it is Pendding.`);
  if (hasBegun) throw new WrongStatus(`A patient can ${what} an appointment only before it begins.`);
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

/**
 * What may change, by whom, from what to what. Whether the slot is offered and free is for the database to say.
 * @throws WrongStatus, NotAllowed, InvalidInput
 */
export function planChange(present: Present, change: Change, caller: Caller): Plan {
  const { doctorId, patientId } = partiesOf(present, change, caller);
  const { appointment_type: type, appointment_status: wanted, symptoms, time, date, cancel, ...others } = change.body;
  const { doctor: _doctor, patient: _patient, ...rest } = others;
  nothingElse(rest);

  const mayMoveStatus = caller.isStaff || present.doctorUserId === caller.id;
  if (!mayMoveStatus) checkIsAhead(present, 'change');
  if (!caller.isStaff && present.keeperId !== caller.id && doctorId !== present.doctorId) {
    throw new NotAllowed('Only the patient and staff may choose another doctor.');
  }

  const timeId = time ?? present.timeId;
  const isCancelled = cancel ?? present.isCancelled;
  const isOtherSlot = doctorId !== present.doctorId || timeId !== present.timeId || patientId !== present.patientId;
  const isMoved = isOtherSlot || (date !== undefined && date !== present.date);
  const status = mayMoveStatus && wanted !== undefined ? readStatus(wanted) : present.status;
  planStatus(present, { status, isCancelled }, caller);
  if (present.status !== 'pending' && status !== 'pending' && isMoved)
    throw new WrongStatus('Only a Pendding appointment can be moved.');

  return {
    doctorId,
    patientId,
    timeId,
    status,
    isCancelled,
    takesSlot: isMoved || (present.isCancelled && !isCancelled),
    date: date ?? (change.isReplacing && isOtherSlot ? undefined : present.date),
    type: type && TYPE[type],
    symptoms,
  };
}
