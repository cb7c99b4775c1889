/** Slots that are kept free for somebody. When a hold ends is judged by the clock of whoever looks. */
import { and, eq, gt, inArray, lte, or, sql, type Placeholder, type SQL } from 'drizzle-orm';
import { oneOrNone } from '../../db/rows.js';
import { holds, patients, waitingEntries } from '../../db/tables/index.js';
import { InvalidInput } from '../lib/errors.js';
import { isKeptBy } from '../lib/keepers.js';
import { hashToken } from '../lib/tokens.js';
import type { Visit, Within } from '../lib/visit.js';
import type { Booker } from './booker.js';
import { moment } from './calendar.js';

class HoldEnded extends InvalidInput {
  constructor() {
    super({ hold: ['has ended or does not exist; hold the slot again, or book it without'] });
  }
}

/** Whether a hold is of the time of a slot on a day: of what passes then, or of the same label. */
export const isOfTime = (period: SQL, day: SQL, slotId: unknown): SQL =>
  sql`coalesce(${holds.period} && ${period}, ${holds.date} = ${day} and ${holds.availableTimeId} = ${slotId})`;

/** Whether a hold is somebody's own, or an offer to a patient for whom they decide. */
const isOwn = (userId: number | Placeholder): SQL =>
  sql`(${holds.userId} = ${userId} or ${holds.waitingEntryId} in (select ${waitingEntries.id} from ${waitingEntries}
    join ${patients} on ${patients.id} = ${waitingEntries.patientId} where ${isKeptBy(userId)}))`;

/** Whether a hold keeps its slot from somebody: it has not ended, and is not their own. */
export const isHeldFrom = ({ calendar, caller }: Booker): SQL =>
  and(
    sql`${holds.expiresAt} > ${moment(calendar)}`,
    caller === null || !('id' in caller) ? undefined : sql`${isOwn(caller.id)} is not true`,
  ) as SQL;

/** Names a hold that has not ended. */
export const hasToken = (token: string, { calendar }: Pick<Visit, 'calendar'>): SQL =>
  and(eq(holds.tokenHash, hashToken(token)), gt(holds.expiresAt, calendar.now)) as SQL;

/** A slot that is held, by the names of the contract. */
interface Held {
  readonly doctor: number;
  readonly time: number;
  readonly date: string;
}

/**
 * The hold that a body names, with its slot; undefined where it names none.
 * @throws InvalidInput where there is none, it has ended, or the body asks for another slot
 */
export async function holdOf(
  visit: Within,
  { hold: token, ...asked }: { readonly [Name in keyof Held]?: Held[Name] | undefined } & { hold?: string | undefined },
): Promise<{ id: number; place: Held } | undefined> {
  if (token === undefined) return undefined;
  const { doctorId, availableTimeId, date } = holds;
  const found = oneOrNone(
    await visit.db
      .select({ id: holds.id, place: { doctor: doctorId, time: availableTimeId, date } })
      .from(holds)
      .where(hasToken(token, visit)),
  );
  if (found === undefined) throw new HoldEnded();
  const { place } = found;
  const isAsked = (['doctor', 'time', 'date'] as const).every((name) => (asked[name] ?? place[name]) === place[name]);
  if (!isAsked) throw new InvalidInput({ hold: ['is for another slot'] });
  return found;
}

/** A time of a doctor, who is locked, that somebody is about to take. */
interface Taking {
  readonly doctorId: number;
  /** 0 as long as it is nobody's. */
  readonly patientId: number;
  readonly timeId: number;
  readonly date: string;
  readonly period: SQL;
  /** The hold by which it is taken. */
  readonly holdId?: number | undefined;
}

/**
 * Deletes what is not in the way of taking a time: the doctor's holds that have ended, the hold by which it is taken, and
 * of that time the own ones and what is offered to the patient, who then waits no more. The database knows no clock and no
 * caller, and refuses a time for any hold that it has.
 * @returns whether just this slot was held for whoever takes it
 * @throws InvalidInput where the hold is gone: whoever had the doctor before has used it, or found that it has ended
 */
export async function clearHolds({ db, calendar, caller }: Within, taking: Taking): Promise<boolean> {
  const { doctorId, patientId, timeId, date, period, holdId } = taking;
  const isOfPatient = sql`${holds.waitingEntryId} in (select ${waitingEntries.id} from ${waitingEntries}
    where ${waitingEntries.patientId} = ${patientId})`;
  const deleted = await db
    .delete(holds)
    .where(
      and(
        eq(holds.doctorId, doctorId),
        or(
          lte(holds.expiresAt, calendar.now),
          holdId === undefined ? undefined : eq(holds.id, holdId),
          and(
            or(isOfPatient, caller !== null && 'id' in caller ? isOwn(caller.id) : undefined),
            isOfTime(period, sql`${date}::date`, timeId),
          ),
        ),
      ),
    )
    .returning({
      ...{ id: holds.id, timeId: holds.availableTimeId, date: holds.date },
      ...{ entryId: holds.waitingEntryId, hasEnded: sql<boolean>`${holds.expiresAt} <= ${moment(calendar)}` },
    });
  const live = deleted.filter(({ hasEnded }) => !hasEnded);
  const accepted = live.flatMap(({ entryId }) => entryId ?? []);
  if (accepted.length > 0) {
    await db
      .delete(waitingEntries)
      .where(and(inArray(waitingEntries.id, accepted), eq(waitingEntries.patientId, patientId)));
  }
  if (holdId !== undefined && !deleted.some(({ id }) => id === holdId)) throw new HoldEnded();
  return live.some((hold) => hold.timeId === timeId && hold.date === date);
}
