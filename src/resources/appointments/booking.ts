/** Taking a slot, and what a refusal by the database comes to. */
import { sql } from 'drizzle-orm';
import { violatedConstraint } from '../../../db/client.js';
import { JsonText } from '../../../db/json.js';
import { direct } from '../../../db/prepared.js';
import { one } from '../../../db/rows.js';
import { appointments } from '../../../db/tables/index.js';
import type { Appointment, Slot } from '../../../openapi/generated/schemas.js';
import { ProblemError } from '../../../openapi/problem-error.js';
import { PLACEHOLDERS_OF_CLOCK, valuesOfClock } from '../../scheduling/calendar.js';
import { clearHolds } from '../../scheduling/holds.js';
import { lockDoctor, lockPatient, type LockedDoctor } from '../../scheduling/locks.js';
import {
  alternatives,
  askFor,
  BOOKING_CONSTRAINTS,
  HOLD_CONSTRAINTS,
  isDoctorTaken,
  periodOf,
  soonestDate,
  type Asked,
  type Booking,
  type Bound,
  type OfferedSlot,
} from '../../scheduling/slots.js';
import { InvalidInput, NoPatientRecord, NotAllowed } from '../../lib/errors.js';
import { inTransaction, isUser, type UserVisit, type Visit, type Within } from '../../lib/visit.js';
import { checkOverbooking } from './plan.js';
import { appointmentJson } from './queries.js';

/** What there is to say of a time that is taken. */
interface Circumstances {
  /** Whether somebody only holds it. */
  readonly isHeld?: boolean;
  /** Of a series, the dates on which it is. */
  readonly dates?: readonly string[];
}

class SlotTaken extends ProblemError {
  constructor(free: Slot[], { isHeld = false, dates }: Circumstances) {
    const when = dates === undefined ? '' : ` on ${dates.join(', ') || 'any of the dates'}`;
    const detail = isHeld
      ? 'Somebody holds the slot at present: it is booked or free again within minutes.'
      : `The doctor or the patient has an appointment at this time${when}.`;
    super('slot-taken', detail, { alternatives: free, ...(dates && { taken: dates }) });
  }
}

class TooManyBookings extends ProblemError {
  constructor(bound: Bound, limit: number) {
    const which = bound === 'doctor' ? ' with this doctor' : '';
    super(
      'too-many-bookings',
      `The patient has the ${limit} upcoming appointments${which} that a patient can book; staff can book more.`,
      { bound, limit },
    );
  }
}

/** A booking that the database refuses because the time is taken; the transaction is over, alternatives come after. */
export class Taken extends Error {
  readonly booking: Booking;
  readonly circumstances: Circumstances;

  constructor(booking: Booking, circumstances: Circumstances = {}) {
    super('the slot is taken');
    this.booking = booking;
    this.circumstances = circumstances;
  }
}

/** Gives a refusal by the database the free alternatives. */
export async function orAlternatives<T>(visit: Visit, transaction: Promise<T>): Promise<T> {
  try {
    return await transaction;
  } catch (error) {
    if (!(error instanceof Taken)) throw error;
    throw new SlotTaken(await alternatives(visit, error.booking), error.circumstances);
  }
}

/** Runs a booking. */
export function book<T>(visit: UserVisit, work: (visit: Within<UserVisit>) => Promise<T>): Promise<T> {
  return orAlternatives(visit, inTransaction(visit, work));
}

export async function refusedAsTaken<T>(statement: PromiseLike<T>, booking: Booking): Promise<T> {
  try {
    return await statement;
  } catch (error) {
    const constraint = violatedConstraint(error) ?? '';
    throw BOOKING_CONSTRAINTS.has(constraint)
      ? new Taken(booking, { isHeld: HOLD_CONSTRAINTS.includes(constraint) })
      : error;
  }
}

/** Whom a booking is for. */
interface Parties {
  /** Undefined where there is none. */
  readonly doctor: LockedDoctor | undefined;
  /** 0 where there is none. */
  readonly patientId: number;
  readonly isPatientThere: boolean;
  /** Whether it is for whomever the caller names. */
  readonly isForAny: boolean;
}

/**
 * The patient whom the caller names, locked: the own record, one that the caller manages, or any for who may name all.
 * @param named undefined for the own
 * @returns undefined where who may name all names one that is not there
 * @throws NotAllowed, NoPatientRecord
 */
export async function lockNamedPatient(
  visit: Within<UserVisit>,
  named: number | undefined,
  mayNameAll = visit.caller.isStaff,
): Promise<{ id: number } | undefined> {
  if (named === undefined && !('id' in visit.caller)) {
    throw new InvalidInput({ patient: ['is required of a service'] });
  }
  const patient = await lockPatient(visit, named, mayNameAll);
  if (patient !== undefined || (mayNameAll && named !== undefined)) return patient;
  // Taken for one's own, what is for somebody else would become the caller's.
  if (named !== undefined) throw new NotAllowed('Only staff may book for another patient.');
  throw new NoPatientRecord();
}

/**
 * The doctor and the patient of a booking, locked.
 * @throws NotAllowed, NoPatientRecord
 */
export async function lockParties(
  visit: Within<UserVisit>,
  { doctorId, named, overbook = false }: { doctorId: number; named: number | undefined; overbook?: boolean },
): Promise<Parties> {
  const { caller } = visit;
  const mayNameAll = caller.isStaff || overbook;
  // One after the other, but in one go.
  const lockingDoctor = lockDoctor(visit, doctorId);
  const lockingPatient = lockNamedPatient(visit, named, mayNameAll);
  lockingPatient.catch(() => undefined);
  const doctor = await lockingDoctor;
  checkOverbooking(overbook, doctor, caller);
  const patient = await lockingPatient;
  const isForAny = mayNameAll && named !== undefined;
  return { doctor, patientId: patient?.id ?? 0, isPatientThere: patient !== undefined, isForAny };
}

/** What a slot is wanted for, with what of it is there. */
interface Wanted extends Booking {
  readonly timeId: number;
  readonly doctor: Parties['doctor'];
  readonly isPatientThere: boolean;
  /** The hold by which it is wanted. */
  readonly holdId?: number | undefined;
  /** Whether it goes past what is in the doctor's way. */
  readonly isOverbooking: boolean;
  /** Whether the doctor's time is taken by it, and was not before. */
  readonly takesTime: boolean;
  /** Whether it adds to the patient's upcoming appointments, or to those with the doctor. */
  readonly opens: boolean;
  /** What `askFor` tells of it, where it was asked together with the locks. */
  readonly asking?: Promise<Asked | undefined>;
}

/** What is found for it. */
interface Found {
  readonly slot: OfferedSlot;
  readonly date: string;
  /** Whether it had to go past something. */
  readonly isOverbooked: boolean;
}

/**
 * The slot and its date, for a doctor and a patient that are locked; what is held of it is no more in the way of the caller.
 * @throws InvalidInput naming all faults at once
 * @throws TooManyBookings where patients book no more; the doctor in the own list and staff know what they do
 * @throws Taken where no date within the horizon is free
 */
export async function findSlot(visit: Within, wanted: Wanted): Promise<Found> {
  const { doctorId, patientId, timeId, doctor, isPatientThere, isOverbooking, takesTime, opens, ownId } = wanted;
  const { caller, calendar } = visit;
  const isClinics = caller?.isStaff === true || isUser(caller, doctor?.userId);
  const bounded = opens && !isClinics ? patientId : 0;
  const asked = doctor?.isActive === true ? await (wanted.asking ?? askFor(visit, { ...wanted, bounded })) : undefined;
  const { slot, fault = null, hasHolds = false, bound = null } = asked ?? {};
  const isPassed = isOverbooking && fault?.isYielding === true;
  const faults = {
    doctor: doctor === undefined ? 'does not exist' : doctor.isActive ? null : 'takes no appointments at present',
    patient: isPatientThere ? null : 'does not exist',
    time: doctor?.isActive === true && slot === undefined ? 'is not offered by this doctor' : null,
    date:
      isOverbooking && wanted.date === undefined
        ? 'is needed to overbook'
        : fault === null || isPassed
          ? null
          : fault.text,
  };
  const errors = Object.entries(faults).flatMap(([field, fault]): [string, string[]][] =>
    fault === null ? [] : [[field, [fault]]],
  );
  if (slot === undefined || errors.length > 0) throw new InvalidInput(Object.fromEntries(errors));
  if (bound !== null && bounded !== 0) {
    throw new TooManyBookings(
      bound,
      bound === 'patient' ? calendar.maxOpenBookings : calendar.maxOpenBookingsPerDoctor,
    );
  }
  const date = wanted.date ?? (await soonestDate(visit, slot, wanted));
  if (date === null) throw new Taken(wanted);
  const { holdId } = wanted;
  const period = periodOf(sql`${date}::date`, slot, calendar);
  // Who books what is cancelled from the start waits on.
  const taking = { doctorId, patientId: takesTime ? patientId : 0, timeId, date, period, holdId };
  const isHeld = (hasHolds || holdId !== undefined) && (await clearHolds(visit, taking));
  // Who holds a time has it, also where somebody was overbooked over it meanwhile.
  const mayPass = takesTime && (isOverbooking || isHeld);
  const isOverbooked = isPassed || (mayPass && (await isDoctorTaken(visit, slot, { doctorId, date, ownId })));
  return { slot, date, isOverbooked };
}

/** What else is stored of a booking. */
type Details = Pick<typeof appointments.$inferInsert, 'type' | 'symptoms'> & Partial<typeof appointments.$inferInsert>;

const appointmentInserted = direct((db) => {
  const value = (name: keyof typeof appointments.$inferInsert) => sql.placeholder(name);
  const slot = { startMinute: sql.placeholder('startMinute'), endMinute: sql.placeholder('endMinute') };
  return db
    .insert(appointments)
    .values({
      patientId: value('patientId'),
      doctorId: value('doctorId'),
      availableTimeId: value('availableTimeId'),
      date: value('date'),
      period: periodOf(sql`${value('date')}::date`, slot, PLACEHOLDERS_OF_CLOCK),
      type: value('type'),
      status: value('status'),
      symptoms: value('symptoms'),
      isCancelled: value('isCancelled'),
      cancelCode: value('cancelCode'),
      cancelText: value('cancelText'),
      isOverbooked: value('isOverbooked'),
      seriesId: value('seriesId'),
    })
    .returning({ text: sql<string>`${appointmentJson(PLACEHOLDERS_OF_CLOCK.zone)}::text`.as('text') });
});

/** What is stored where the details say nothing of it. */
const ORDINARY = { status: 'pending', isCancelled: false, cancelCode: null, cancelText: null, seriesId: null };

/**
 * Books a slot for a doctor and a patient that are locked.
 * @throws InvalidInput, Taken
 */
export async function bookSlot(visit: Within, wanted: Wanted, details: Details): Promise<JsonText<Appointment>> {
  const { doctorId, patientId, timeId: availableTimeId } = wanted;
  const { slot, date, isOverbooked } = await findSlot(visit, wanted);
  const { startMinute, endMinute } = slot;
  const insertion = appointmentInserted(visit.db)({
    ...{ ...ORDINARY, ...details, ...valuesOfClock(visit.calendar) },
    ...{ doctorId, patientId, availableTimeId, date, isOverbooked, startMinute, endMinute },
  });
  return new JsonText(one(await refusedAsTaken(insertion, wanted)).text);
}
