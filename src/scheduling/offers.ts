/**
 * Offering what becomes free to those who wait for it. An offer is a hold of the patient's: the database lets nobody else
 * book it, and no two have the same.
 */
import { and, eq, isNull, lte, or, sql, type SQL } from 'drizzle-orm';
import { transaction, type Db } from '../../db/client.js';
import { oneOrNone } from '../../db/rows.js';
import {
  appointments,
  doctors,
  doctorSpecialisations,
  freedTimes,
  holds,
  patients,
  waitingEntries,
  waitingEntryTimes,
  waitingOffers,
} from '../../db/tables/index.js';
import type { Visit, Within } from '../lib/visit.js';
import { horizon, moment, today, type Calendar } from './calendar.js';
import { lockDoctor } from './locks.js';
import { day, freeSlots, isTaken, periodOf, anySlot, soonestFirst } from './slots.js';

type Timed = Pick<Within, 'db' | 'calendar'>;

/** Whether somebody waits for a doctor. */
const waitsFor = (doctorId: unknown): SQL =>
  sql`(${waitingEntries.doctorId} = ${doctorId} or ${waitingEntries.specialisationId} in (
    select ${doctorSpecialisations.specialisationId} from ${doctorSpecialisations}
    where ${doctorSpecialisations.doctorId} = ${doctorId}))`;

/** Whether an entry of the waiting list is for a free slot of a doctor, has no offer, and was not offered this one. */
const suits = (doctorId: number, calendar: Calendar): SQL =>
  and(
    waitsFor(doctorId),
    sql`${day} between ${waitingEntries.startsOn} and ${waitingEntries.endsOn}`,
    sql`(${anySlot.id} in (select ${waitingEntryTimes.availableTimeId} from ${waitingEntryTimes}
        where ${waitingEntryTimes.entryId} = ${waitingEntries.id})
      or not exists (select from ${waitingEntryTimes} where ${waitingEntryTimes.entryId} = ${waitingEntries.id}))`,
    sql`not exists (select from ${holds} where ${holds.waitingEntryId} = ${waitingEntries.id})`,
    sql`not exists (select from ${waitingOffers} where ${waitingOffers.entryId} = ${waitingEntries.id}
      and ${waitingOffers.doctorId} = ${doctorId} and ${waitingOffers.date} = ${day}
      and ${waitingOffers.availableTimeId} = ${anySlot.id})`,
    sql`exists (select from ${patients}
      where ${patients.id} = ${waitingEntries.patientId} and ${patients.archivedAt} is null)`,
    sql`not ${isTaken(eq(appointments.patientId, waitingEntries.patientId), day, anySlot, calendar)}`,
  ) as SQL;

/** Whether a free slot is of a time that has become free. */
const isOf = ({ period, date, availableTimeId }: typeof freedTimes.$inferSelect, calendar: Calendar): SQL =>
  period === null
    ? (and(sql`${day} = ${date}::date`, eq(anySlot.id, availableTimeId as number)) as SQL)
    : // A slot without clock times may be at any time of its day.
      sql`coalesce(${periodOf(day, anySlot, calendar)} && ${period}::tsrange,
        ${period}::tsrange @> tsrange(${day}::timestamp, (${day} + 1)::timestamp))`;

/**
 * Offers the times of a doctor that have become free to those who wait for them, the first who fits first; times whose
 * hold has ended are free. The doctor is locked, so no time is offered twice.
 */
export async function offerFreed({ db, calendar }: Timed, doctorId: number): Promise<void> {
  await db.delete(holds).where(and(eq(holds.doctorId, doctorId), lte(holds.expiresAt, calendar.now)));
  const freed = await db.delete(freedTimes).where(eq(freedTimes.doctorId, doctorId)).returning();
  if (freed.length === 0) return;
  const free = freeSlots(
    { from: today(calendar), to: horizon(calendar) },
    and(eq(doctors.id, doctorId), or(...freed.map((each) => isOf(each, calendar)))),
    { calendar, caller: null },
  );
  const expiresAt = new Date(calendar.now.getTime() + calendar.waitingOffer * 1000);
  for (;;) {
    // Another doctor's time may at this moment be offered to somebody who is passed over.
    const next = oneOrNone(
      await db.execute<{ entryId: number; date: string; availableTimeId: number; period: string | null }>(sql`
        select ${waitingEntries.id}::float8 as "entryId", ${day}::text as date, ${anySlot.id}::float8 as "availableTimeId",
          ${periodOf(day, anySlot, calendar)}::text as period
        from ${free.from} join ${waitingEntries} on ${suits(doctorId, calendar)}
        where ${free.where} order by ${soonestFirst}, ${waitingEntries.id} limit 1
        for no key update of ${waitingEntries} skip locked`),
    );
    if (next === undefined) return;
    const { entryId, ...time } = next;
    // Nothing is inserted where another doctor's time was offered to them since the look.
    const offers = await db
      .insert(holds)
      .values({ ...time, doctorId, waitingEntryId: entryId, expiresAt })
      .onConflictDoNothing({ target: holds.waitingEntryId })
      .returning({ id: holds.id });
    if (offers.length > 0) await db.insert(waitingOffers).values({ ...time, doctorId, entryId });
  }
}

/** Any time. */
const ALWAYS = sql`tsrange(null, null)`;

/**
 * Notes that time of doctors can be booked that could not, for those who wait for it.
 * @param where on `doctors`
 * @param period by the clinic's clock
 */
export async function noteFreed({ db }: Pick<Visit, 'db'>, where: SQL | undefined, period = ALWAYS): Promise<void> {
  await db.execute(sql`insert into ${freedTimes} (doctor_id, period)
    select ${doctors.id}, ${period} from ${doctors}
    where ${and(where, isNull(doctors.archivedAt), sql`exists (select from ${waitingEntries} where ${waitsFor(doctors.id)})`)}`);
}

/** Offers all that is free and not offered yet, and takes off the list who waits in vain. */
export async function offerAllFreed(db: Db, calendar: Calendar): Promise<void> {
  const rows = await db.execute<{ id: number }>(sql`
    select ${holds.doctorId}::float8 as id from ${holds} where ${holds.expiresAt} <= ${moment(calendar)}
    union select ${freedTimes.doctorId}::float8 from ${freedTimes} order by 1`);
  for (const { id } of rows) {
    await transaction(db, async (tx) => {
      await lockDoctor({ db: tx }, id);
      await offerFreed({ db: tx, calendar }, id);
    });
  }
  await db.execute(sql`delete from ${waitingEntries} where ${waitingEntries.endsOn} < ${today(calendar)}
    or exists (select from ${doctors} where ${doctors.id} = ${waitingEntries.doctorId} and ${doctors.archivedAt} is not null)
    or exists (select from ${patients} where ${patients.id} = ${waitingEntries.patientId} and ${patients.archivedAt} is not null)`);
}
