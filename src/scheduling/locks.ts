/**
 * What booking, holds, leave and hours lock, so that of two that exclude each other one sees what the other did. Users and
 * holders are locked before doctors, these before patients, and these before appointments, everywhere.
 */
import { and, eq, inArray, isNull, sql, type SQL } from 'drizzle-orm';
import { direct } from '../../db/prepared.js';
import { oneOrNone } from '../../db/rows.js';
import { appointments, doctors, patients } from '../../db/tables/index.js';
import { isKeptBy } from '../lib/keepers.js';
import { userIdOf, type UserVisit, type Within } from '../lib/visit.js';
import { isLive, isUpcoming } from './slots.js';

export interface LockedDoctor {
  readonly isActive: boolean;
  readonly userId: number;
}

const doctorsForUpdate = direct((db) =>
  db
    .select({
      id: sql<number>`${doctors.id}::float8`.as('id'),
      isActive: sql<boolean>`${doctors.isActive}`.as('isActive'),
      userId: sql<number>`${doctors.userId}::float8`.as('userId'),
    })
    .from(doctors)
    .where(and(inArray(doctors.id, [sql.placeholder('id'), sql.placeholder('otherId')]), isNull(doctors.archivedAt)))
    .orderBy(doctors.id)
    .for('no key update'),
);

/**
 * Locks a live doctor, and another one whose time may become free: bookings of one doctor go one after the other, so that
 * nobody has to lose a race.
 */
export async function lockDoctor(
  { db }: Pick<Within, 'db'>,
  id: number,
  otherId = id,
): Promise<LockedDoctor | undefined> {
  const rows = await doctorsForUpdate(db)({ id, otherId });
  return rows.find((doctor) => doctor.id === id);
}

/**
 * Locks the doctors of patients' upcoming appointments, whose time may become free.
 * @param which on `patients`
 * @param userId a user who may be a doctor, who is locked too
 */
export async function lockDoctorsOf({ db, calendar }: Within, which: SQL, userId: number | null = null): Promise<void> {
  await db.execute(sql`select from ${doctors} where ${doctors.userId} = ${userId}::bigint or ${doctors.id} in (
      select ${appointments.doctorId} from ${appointments}
      where ${appointments.patientId} in (select ${patients.id} from ${patients} where ${which})
        and ${isLive} and ${isUpcoming(calendar)})
    order by ${doctors.id} for no key update`);
}

/** Locks what a user, or somebody at an address, holds: it is counted. */
export async function lockHolder({ db }: Within, holder: string): Promise<void> {
  await db.execute(sql`select pg_advisory_xact_lock(hashtextextended(${`holds of ${holder}`}, 0))`);
}

/** Locks all doctors, those too that are only now being made: no booking is under way, and none begins. */
export async function lockAllDoctors({ db }: Within): Promise<void> {
  await db.execute(sql`lock table ${doctors} in exclusive mode`);
}

/** Who names a patient: anybody, or one for whom they have to decide; or nobody does, and it is the caller's own. */
type Naming = 'any' | 'kept' | 'own';

const patientForUpdate = direct((db, naming: Naming) => {
  const [named, caller] = [sql.placeholder('named'), sql.placeholder('caller')];
  const which = {
    any: [eq(patients.id, named)],
    kept: [eq(patients.id, named), isKeptBy(caller)],
    own: [eq(patients.userId, caller)],
  };
  return db
    .select({ id: sql<number>`${patients.id}::float8`.as('id') })
    .from(patients)
    .where(and(...which[naming], isNull(patients.archivedAt)))
    .for('no key update');
});

/** Locks a live patient: a named one, for whom the caller has to decide if so it is asked, or the caller's own. */
export async function lockPatient(
  { db, caller }: Within<UserVisit>,
  named: number | undefined,
  mayNameAll: boolean,
): Promise<{ id: number } | undefined> {
  const naming = named === undefined ? 'own' : mayNameAll ? 'any' : 'kept';
  return oneOrNone(await patientForUpdate(db, naming)({ named, caller: userIdOf(caller) }));
}
