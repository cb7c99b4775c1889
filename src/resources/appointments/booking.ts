/** Taking a slot, and what a refusal by the database comes to. */
import { and, eq, sql } from 'drizzle-orm';
import { violatedConstraint } from '../../../db/client.js';
import { oneOrNone } from '../../../db/rows.js';
import { availableTimes, doctorAvailableTimes } from '../../../db/tables/index.js';
import type { Slot } from '../../../openapi/generated/schemas.js';
import { ProblemError } from '../../../openapi/problem-error.js';
import { clearHolds } from '../../scheduling/holds.js';
import {
  alternatives,
  BOOKING_CONSTRAINTS,
  dateFault,
  HOLD_CONSTRAINTS,
  isDoctorTaken,
  periodOf,
  soonestDate,
  type Booking,
  type OfferedSlot,
} from '../../scheduling/slots.js';
import { InvalidInput } from '../../lib/errors.js';
import { signTransaction } from '../../lib/history.js';
import { inTransaction, type UserVisit, type Visit, type Within } from '../../lib/visit.js';

class SlotTaken extends ProblemError {
  constructor(free: Slot[], isHeld: boolean) {
    const detail = isHeld
      ? 'Somebody holds the slot at present: it is booked or free again within minutes.'
      : 'The doctor or the patient has an appointment at this time.';
    super('slot-taken', detail, { alternatives: free });
  }
}

async function offeredSlot({ db }: Within, doctorId: number, timeId: number): Promise<OfferedSlot | undefined> {
  const row = oneOrNone(
    await db
      .select({
        id: availableTimes.id,
        startMinute: availableTimes.startMinute,
        endMinute: availableTimes.endMinute,
      })
      .from(doctorAvailableTimes)
      .innerJoin(availableTimes, eq(availableTimes.id, doctorAvailableTimes.availableTimeId))
      .where(and(eq(doctorAvailableTimes.doctorId, doctorId), eq(availableTimes.id, timeId)))
      .for('share', { of: availableTimes }),
  );
  return row;
}

/** A booking that the database refuses because the time is taken; the transaction is over, alternatives come after. */
class Taken extends Error {
  readonly booking: Booking;
  readonly isHeld: boolean;

  constructor(booking: Booking, isHeld: boolean) {
    super('the slot is taken');
    this.booking = booking;
    this.isHeld = isHeld;
  }
}

/** Gives a refusal by the database the free alternatives. */
export async function orAlternatives<T>(visit: Visit, transaction: Promise<T>): Promise<T> {
  try {
    return await transaction;
  } catch (error) {
    if (!(error instanceof Taken)) throw error;
    throw new SlotTaken(await alternatives(visit, error.booking), error.isHeld);
  }
}

/** Runs a booking, under the caller's name. */
export function book<T>(visit: UserVisit, work: (visit: Within<UserVisit>) => Promise<T>): Promise<T> {
  const transaction = inTransaction(visit, async (visit) => {
    await signTransaction(visit);
    return work(visit);
  });
  return orAlternatives(visit, transaction);
}

export async function refusedAsTaken<T>(statement: Promise<T>, booking: Booking): Promise<T> {
  try {
    return await statement;
  } catch (error) {
    const constraint = violatedConstraint(error) ?? '';
    throw BOOKING_CONSTRAINTS.has(constraint) ? new Taken(booking, HOLD_CONSTRAINTS.includes(constraint)) : error;
  }
}

/** What a slot is wanted for, with what of it is there. */
interface Wanted extends Booking {
  readonly timeId: number;
  /** Undefined where there is none. */
  readonly doctor: { readonly isActive: boolean } | undefined;
  readonly isPatientThere: boolean;
  /** The hold by which it is wanted. */
  readonly holdId?: number | undefined;
  /** Whether it goes past what is in the doctor's way. */
  readonly isOverbooking: boolean;
  /** Whether the doctor's time is taken by it, and was not before. */
  readonly takesTime: boolean;
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
 * @throws Taken where no date within the horizon is free
 */
export async function findSlot(visit: Within, wanted: Wanted): Promise<Found> {
  const { doctorId, timeId, doctor, isPatientThere, isOverbooking, takesTime, ownId } = wanted;
  const slot = doctor?.isActive === true ? await offeredSlot(visit, doctorId, timeId) : undefined;
  const fault =
    slot !== undefined && wanted.date !== undefined
      ? await dateFault(visit, slot, { doctorId, date: wanted.date })
      : null;
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
  const date = wanted.date ?? (await soonestDate(visit, slot, wanted));
  if (date === null) throw new Taken(wanted, false);
  const period = periodOf(sql`${date}::date`, slot, visit.calendar);
  const isHeld = await clearHolds(visit, { doctorId, timeId, date, period, holdId: wanted.holdId });
  // Who holds a time has it, also where somebody was overbooked over it meanwhile.
  const mayPass = takesTime && (isOverbooking || isHeld);
  const isOverbooked = isPassed || (mayPass && (await isDoctorTaken(visit, slot, { doctorId, date, ownId })));
  return { slot, date, isOverbooked };
}
