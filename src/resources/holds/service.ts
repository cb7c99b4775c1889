import { and, eq, gt, sql } from 'drizzle-orm';
import { one, oneOrNone } from '../../../db/rows.js';
import { availableTimes, holds } from '../../../db/tables/index.js';
import type { Hold } from '../../../openapi/generated/schemas.js';
import type { Input } from '../../../openapi/operation.js';
import { ProblemError } from '../../../openapi/problem-error.js';
import { NotFound } from '../../lib/errors.js';
import { nothingElse } from '../../lib/patches.js';
import { hashToken, newToken } from '../../lib/tokens.js';
import { inTransaction, userIdOf, type Visit, type Within } from '../../lib/visit.js';
import { hasToken } from '../../scheduling/holds.js';
import { instantsOfSlot } from '../../scheduling/instants.js';
import { lockDoctor, lockHolder } from '../../scheduling/locks.js';
import { offerFreed } from '../../scheduling/offers.js';
import { periodOf } from '../../scheduling/slots.js';
import { findSlot, orAlternatives, refusedAsTaken } from '../appointments/booking.js';

const DEFAULT_MINUTES = 5;
const MAX_HOLDS = 3;

/** The patient of a hold: whom it will be booked for shows when it is. */
const NOBODY = { patientId: 0, isPatientThere: true, isOverbooking: false, takesTime: false, opens: false };

class TooManyHolds extends ProblemError {
  constructor(next: Date) {
    super(
      'too-many-holds',
      `You hold ${MAX_HOLDS} slots already, and more can not be held at once: the next of these holds ends at ${next.toISOString()}.`,
    );
  }
}

type Holder = Pick<typeof holds.$inferInsert, 'userId' | 'addressHash'>;

/** @throws TooManyHolds */
async function checkNumber({ db, calendar }: Within, { userId, addressHash }: Holder): Promise<void> {
  const isTheirs = userId == null ? eq(holds.addressHash, addressHash ?? '') : eq(holds.userId, userId);
  const live = await db
    .select({ expiresAt: holds.expiresAt })
    .from(holds)
    .where(and(isTheirs, gt(holds.expiresAt, calendar.now)))
    .orderBy(holds.expiresAt);
  const [next] = live;
  if (next !== undefined && live.length >= MAX_HOLDS) throw new TooManyHolds(next.expiresAt);
}

/**
 * Holds a slot, for the caller or, as far as their number goes, for an address.
 * @throws InvalidInput, SlotTaken, TooManyHolds
 */
export function createHold(visit: Visit, { body }: Input<'createHold'>): Promise<Hold> {
  const { doctor: doctorId, time: timeId, date: wantedDate, minutes = DEFAULT_MINUTES, ...rest } = body;
  nothingElse(rest);
  const work = inTransaction(visit, async (visit) => {
    const { db, caller, calendar, client } = visit;
    // A service has the token alone, as whoever is not signed in has; but it shares its number with nobody.
    const other = caller === null ? client : 'id' in caller ? null : `service:${caller.serviceId}`;
    const holder = other === null ? { userId: userIdOf(caller) } : { addressHash: hashToken(other) };
    await lockHolder(visit, other ?? String(userIdOf(caller)));
    const doctor = await lockDoctor(visit, doctorId);
    const wanted = { doctorId, timeId, doctor, date: wantedDate, ...NOBODY };
    const { slot, date } = await findSlot(visit, wanted);
    await checkNumber(visit, holder);
    const token = newToken();
    const day = sql`${date}::date`;
    const insertion = db
      .insert(holds)
      .values({
        ...holder,
        tokenHash: hashToken(token),
        doctorId,
        availableTimeId: timeId,
        date,
        period: periodOf(day, slot, calendar),
        expiresAt: new Date(calendar.now.getTime() + minutes * 60_000),
      })
      .returning({
        expiresAt: holds.expiresAt,
        ...instantsOfSlot(day, slot, calendar.zone),
        label: sql<string>`(select ${availableTimes.label} from ${availableTimes} where ${availableTimes.id} = ${timeId})`,
      });
    const { expiresAt, start, end, label } = one(await refusedAsTaken(insertion.execute(), wanted));
    return { token, expires_at: expiresAt.toISOString(), doctor: doctorId, time: timeId, date, start, end, label };
  });
  return orAlternatives(visit, work);
}

/** @throws NotFound also where it has ended */
export async function deleteHold(visit: Visit, { params: { token } }: Input<'deleteHold'>): Promise<void> {
  await inTransaction(visit, async (visit) => {
    const { db } = visit;
    const isIt = hasToken(token, visit);
    const hold = oneOrNone(await db.select({ doctorId: holds.doctorId }).from(holds).where(isIt));
    if (hold === undefined) throw new NotFound();
    await lockDoctor(visit, hold.doctorId);
    const rows = await db.delete(holds).where(isIt).returning({ id: holds.id });
    if (rows.length === 0) throw new NotFound();
    await offerFreed(visit, hold.doctorId);
  });
}
