/**
 * What booking, holds, leave and hours lock, so that of two that exclude each other one sees what the other did. Users and
 * holders are locked before doctors, these before patients, and these before appointments, everywhere.
 */
import { and, inArray, isNull, sql, type SQL } from 'drizzle-orm';
import { oneOrNone } from '../../db/rows.js';
import { doctors, patients } from '../../db/tables/index.js';
import type { Within } from '../lib/visit.js';

interface LockedDoctor {
  readonly isActive: boolean;
  readonly userId: number;
}

/**
 * Locks a live doctor, and another one whose time may become free: bookings of one doctor go one after the other, so that
 * nobody has to lose a race.
 */
export async function lockDoctor(
  { db }: Pick<Within, 'db'>,
  id: number,
  otherId = id,
): Promise<LockedDoctor | undefined> {
  const rows = await db
    .select({ id: doctors.id, isActive: doctors.isActive, userId: doctors.userId })
    .from(doctors)
    .where(and(inArray(doctors.id, [id, otherId]), isNull(doctors.archivedAt)))
    .orderBy(doctors.id)
    .for('no key update');
  return rows.find((doctor) => doctor.id === id);
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
