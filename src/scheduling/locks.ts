/**
 * What booking, holds, leave and hours lock, so that of two that exclude each other one sees what the other did. Users and
 * holders are locked before doctors, these before patients, and these before appointments, everywhere.
 */
import { and, eq, isNull, sql, type SQL } from 'drizzle-orm';
import { oneOrNone } from '../../db/rows.js';
import { doctors, patients } from '../../db/tables/index.js';
import type { Within } from '../lib/visit.js';

/** Locks a live doctor: bookings of one doctor go one after the other, so that nobody has to lose a race. */
export async function lockDoctor(
  { db }: Within,
  id: number,
): Promise<{ isActive: boolean; userId: number } | undefined> {
  return oneOrNone(
    await db
      .select({ isActive: doctors.isActive, userId: doctors.userId })
      .from(doctors)
      .where(and(eq(doctors.id, id), isNull(doctors.archivedAt)))
      .for('no key update'),
  );
}

/** Locks what a user, or somebody at an address, holds: it is counted. */
export async function lockHolder({ db }: Within, holder: string): Promise<void> {
  await db.execute(sql`select pg_advisory_xact_lock(hashtextextended(${`holds of ${holder}`}, 0))`);
}

/** Locks all doctors, those too that are only now being made: no booking is under way, and none begins. */
export async function lockAllDoctors({ db }: Within): Promise<void> {
  await db.execute(sql`lock table ${doctors} in exclusive mode`);
}

export async function lockPatient({ db }: Within, where: SQL): Promise<{ id: number } | undefined> {
  return oneOrNone(
    await db
      .select({ id: patients.id })
      .from(patients)
      .where(and(where, isNull(patients.archivedAt)))
      .for('no key update'),
  );
}
