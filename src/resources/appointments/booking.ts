/** Taking a slot, and what a refusal by the database comes to. */
import { and, eq, sql, type SQL } from 'drizzle-orm';
import { violatedConstraint } from '../../../db/client.js';
import { one, oneOrNone } from '../../../db/rows.js';
import { appointments, availableTimes, doctorAvailableTimes, patients } from '../../../db/tables/index.js';
import type { Slot } from '../../../openapi/generated/schemas.js';
import { ProblemError } from '../../../openapi/problem-error.js';
import { lockDoctor, lockPatient } from '../../scheduling/locks.js';
import {
  alternatives,
  BOOKING_CONSTRAINTS,
  dateFault,
  periodOf,
  soonestDate,
  type Booking,
  type OfferedSlot,
} from '../../scheduling/slots.js';
import { InvalidInput, NoPatientRecord, NotAllowed } from '../../lib/errors.js';
import { signTransaction } from '../../lib/history.js';
import { isKeptBy } from '../../lib/keepers.js';
import { inTransaction, type UserVisit, type Within } from '../../lib/visit.js';

class SlotTaken extends ProblemError {
  /** @param taken of a series, the dates on which it is */
  constructor(free: Slot[], taken: readonly string[] | undefined) {
    const when = taken === undefined ? '' : ` on ${taken.join(', ') || 'any of the dates'}`;
    super('slot-taken', `The doctor or the patient has an appointment at this time${when}.`, {
      alternatives: free,
      ...(taken && { taken }),
    });
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
export class Taken extends Error {
  readonly booking: Booking;
  /** Of a series, the dates on which it is. */
  readonly dates: readonly string[] | undefined;

  constructor(booking: Booking, dates?: readonly string[]) {
    super('the slot is taken');
    this.booking = booking;
    this.dates = dates;
  }
}

/** Runs a booking, under the caller's name, and gives its refusal by the database the free alternatives. */
export async function book<T>(visit: UserVisit, work: (visit: Within<UserVisit>) => Promise<T>): Promise<T> {
  try {
    return await inTransaction(visit, async (visit) => {
      await signTransaction(visit);
      return work(visit);
    });
  } catch (error) {
    if (!(error instanceof Taken)) throw error;
    throw new SlotTaken(await alternatives(visit, error.booking), error.dates);
  }
}

export async function refusedAsTaken<T>(statement: Promise<T>, booking: Booking): Promise<T> {
  try {
    return await statement;
  } catch (error) {
    throw BOOKING_CONSTRAINTS.has(violatedConstraint(error) ?? '') ? new Taken(booking) : error;
  }
}

/** Whom a booking is for. */
interface Parties {
  /** Undefined where there is none. */
  readonly doctor: { readonly isActive: boolean } | undefined;
  /** 0 where there is none. */
  readonly patientId: number;
  readonly isPatientThere: boolean;
  /** Whether staff book for whomever they name. */
  readonly isForAny: boolean;
}

/**
 * The doctor and the patient of a booking, locked: the caller's own record, one that the caller manages, or for staff any.
 * @param named undefined for the own
 * @throws NotAllowed, NoPatientRecord
 */
export async function lockParties(
  visit: Within<UserVisit>,
  { doctorId, named }: { doctorId: number; named: number | undefined },
): Promise<Parties> {
  const { caller } = visit;
  const doctor = await lockDoctor(visit, doctorId);
  const isMine = named === undefined ? eq(patients.userId, caller.id) : isKeptBy(caller.id);
  const isNamed = named === undefined ? undefined : eq(patients.id, named);
  const isForAny = caller.isStaff && isNamed !== undefined;
  const patient = await lockPatient(visit, isForAny ? isNamed : (and(isMine, isNamed) as SQL));
  if (patient === undefined && !isForAny) {
    // Taken for one's own, a booking for somebody else would become the caller's.
    if (isNamed !== undefined) throw new NotAllowed('Only staff may book for another patient.');
    throw new NoPatientRecord();
  }
  return { doctor, patientId: patient?.id ?? 0, isPatientThere: patient !== undefined, isForAny };
}

/** What a slot is wanted for, with what of it is there. */
interface Wanted extends Booking {
  readonly timeId: number;
  readonly doctor: Parties['doctor'];
  readonly isPatientThere: boolean;
}

/**
 * The slot and its date, for a doctor and a patient that are locked.
 * @throws InvalidInput naming all faults at once
 * @throws Taken where no date within the horizon is free
 */
export async function findSlot(visit: Within, wanted: Wanted): Promise<{ slot: OfferedSlot; date: string }> {
  const { doctorId, timeId, doctor, isPatientThere } = wanted;
  const slot = doctor?.isActive === true ? await offeredSlot(visit, doctorId, timeId) : undefined;
  const faults = {
    doctor: doctor === undefined ? 'does not exist' : doctor.isActive ? null : 'takes no appointments at present',
    patient: isPatientThere ? null : 'does not exist',
    time: doctor?.isActive === true && slot === undefined ? 'is not offered by this doctor' : null,
    date:
      slot !== undefined && wanted.date !== undefined
        ? await dateFault(visit, slot, { doctorId, date: wanted.date })
        : null,
  };
  const errors = Object.entries(faults).flatMap(([field, fault]): [string, string[]][] =>
    fault === null ? [] : [[field, [fault]]],
  );
  if (slot === undefined || errors.length > 0) throw new InvalidInput(Object.fromEntries(errors));
  const date = wanted.date ?? (await soonestDate(visit, slot, wanted));
  if (date === null) throw new Taken(wanted);
  return { slot, date };
}

/** What else is stored of a booking. */
type Details = Pick<typeof appointments.$inferInsert, 'type' | 'symptoms'> & Partial<typeof appointments.$inferInsert>;

/**
 * Books a slot for a doctor and a patient that are locked.
 * @returns the appointment's id
 * @throws InvalidInput, Taken
 */
export async function bookSlot(visit: Within, wanted: Wanted, details: Details): Promise<number> {
  const { doctorId, patientId, timeId } = wanted;
  const { slot, date } = await findSlot(visit, wanted);
  const insertion = visit.db
    .insert(appointments)
    .values({
      ...details,
      ...{ doctorId, patientId, availableTimeId: timeId, date },
      period: periodOf(sql`${date}::date`, slot, visit.calendar),
    })
    .returning({ id: appointments.id });
  return one(await refusedAsTaken(insertion, wanted)).id;
}
