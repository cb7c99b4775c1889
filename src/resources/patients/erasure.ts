/**
 * Erasing a person: who somebody is goes, from everything that they had here; what was wrong with whom stays without a
 * name, for as long as it has to be kept. A table with something of a person has its line in `erase`, and a test that
 * looks through all of the database finds the one that has none.
 */
import { and, eq, inArray, isNotNull, isNull, ne, or, sql, type SQL } from 'drizzle-orm';
import { Contention } from '../../../db/client.js';
import { oneOrNone } from '../../../db/rows.js';
import {
  appointmentChanges,
  appointments,
  contacts,
  doctors,
  erasures,
  holds,
  idempotencyKeys,
  identities,
  passwordResets,
  patientInvitations,
  patients,
  profiles,
  reviews,
  sessions,
  timeOff,
  totps,
  users,
  waitingEntries,
} from '../../../db/tables/index.js';
import type { Erasure } from '../../../openapi/generated/schemas.js';
import type { Input } from '../../../openapi/operation.js';
import { ProblemError } from '../../../openapi/problem-error.js';
import { NotAllowed, NotFound } from '../../lib/errors.js';
import { NO_PASSWORD } from '../../lib/passwords.js';
import { nothingElse } from '../../lib/patches.js';
import { inTransaction, type PersonVisit, type Visit, type Within } from '../../lib/visit.js';
import { cancelledFor } from '../../scheduling/cancellation.js';
import { lockDoctorsOf } from '../../scheduling/locks.js';
import { isLive, isUpcoming } from '../../scheduling/slots.js';
import { checkHasNoAppointments } from '../doctors/service.js';
import { voidTokens } from '../users/sessions.js';

class HasDependants extends ProblemError {
  constructor(ids: readonly number[]) {
    super(
      'has-dependants',
      `The person manages the patients ${ids.join(', ')}. Hand them over to somebody else with PATCH /patients/{id}/ and ` +
        'managed_by, or erase or delete them first.',
    );
  }
}

/** Whether a patient's record was erased. */
export const isErased = sql`exists (select from ${erasures} where ${erasures.patientId} = ${patients.id})`;

/** @throws NotFound where there is no such record, deleted or not, or it was erased */
async function findUserOf({ db }: Pick<Visit, 'db'>, patientId: number): Promise<number | null> {
  const row = oneOrNone(
    await db
      .select({ userId: patients.userId })
      .from(patients)
      .where(and(eq(patients.id, patientId), sql`not ${isErased}`)),
  );
  if (row === undefined) throw new NotFound();
  return row.userId;
}

/**
 * Locks a person's user against all that refers to it, and the caller against being erased: of two members of staff who
 * erase each other one stays.
 * @throws NotAllowed
 */
async function lockUsers({ db, caller }: Within<PersonVisit>, userId: number | null): Promise<void> {
  if (userId === caller.id) throw new NotAllowed('Nobody erases themselves: another member of staff has to do it.');
  for (const id of [caller.id, userId ?? caller.id].sort((a, b) => a - b)) {
    const user = oneOrNone(
      await db
        .select({ isStaff: users.isStaff, isActive: users.isActive })
        .from(users)
        .where(eq(users.id, id))
        .for(id === userId ? 'update' : 'key share'),
    );
    if (id === caller.id && !(user?.isStaff === true && user.isActive)) throw new NotAllowed('Only staff may do this.');
  }
}

/** The records of a person, of whom there are several where some were deleted. */
export const recordsOf = (patientId: number, userId: number | null): SQL =>
  userId === null ? eq(patients.id, patientId) : eq(patients.userId, userId);

/** @throws HasDependants */
async function checkManagesNobody({ db }: Within, userId: number): Promise<void> {
  const managed = await db
    .select({ id: patients.id })
    .from(patients)
    .where(and(eq(patients.managedBy, userId), isNull(patients.archivedAt)))
    .orderBy(patients.id);
  if (managed.length > 0) throw new HasDependants(managed.map(({ id }) => id));
}

/** Cancels what is ahead, and takes from all what was said of why it was cancelled: that is no clinical fact. */
async function clearAppointments({ db, calendar }: Within, ids: readonly number[]) {
  const isTheirs = inArray(appointments.patientId, [...ids]);
  const cancelled = await db
    .update(appointments)
    .set(cancelledFor({ code: 'clinic', text: '' }))
    .where(and(isTheirs, isLive, isUpcoming(calendar)))
    .returning({ id: appointments.id });
  await db
    .update(appointments)
    .set({ cancelText: '' })
    .where(and(isTheirs, ne(appointments.cancelText, '')));
  const theirs = sql`${appointmentChanges.appointmentId} in (select ${appointments.id} from ${appointments} where ${isTheirs})`;
  const codeOf = (text: SQL): SQL => sql`split_part(${text}, ': ', 1)`;
  await db
    .update(appointmentChanges)
    .set({
      before: codeOf(sql`${appointmentChanges.before}`),
      after: codeOf(sql`${appointmentChanges.after}`),
    })
    .where(and(theirs, eq(appointmentChanges.field, 'cancel_reason')));
  return {
    cancelled_appointments: cancelled.length,
    kept_appointments: await db.$count(appointments, isTheirs),
  };
}

/** Answers that name the person, whoever got them: for a day they are kept to be given again. */
const namesPerson = (ids: readonly number[], userId: number | null): SQL => {
  const anyOf = `(${ids.join('|')})`;
  return or(
    sql`${idempotencyKeys.body} ~ ${`"patient": ?${anyOf}[,}]`}`,
    sql`${idempotencyKeys.body} ~ ${`^\\{"id": ?${anyOf}, ?"user":`}`,
    userId === null ? undefined : sql`${idempotencyKeys.body} ~ ${`"user_id": ?${userId}[,}]`}`,
    userId === null ? undefined : eq(idempotencyKeys.userId, userId),
  ) as SQL;
};

/** Of a user who is erased: no such name can be registered, since it has a colon, and no password opens it. */
const nobody = (userId: number) => ({
  username: `erased:${userId}`,
  email: `erased:${userId}@erased.invalid`,
  ...{ firstName: '', lastName: '', passwordHash: NO_PASSWORD, isActive: false, isStaff: false },
  erasedAt: sql`now()`,
  ...voidTokens(),
});

/** What a user has besides patients' records. */
async function eraseUser(visit: Within<PersonVisit>, userId: number) {
  const { db, caller } = visit;
  const ofUser = eq(doctors.userId, userId);
  const own = db.select({ id: doctors.id }).from(doctors).where(ofUser);
  await checkHasNoAppointments(visit, inArray(appointments.doctorId, own));
  const pictures =
    (await db.$count(doctors, and(ofUser, isNotNull(doctors.picture)))) +
    (await db.$count(profiles, and(eq(profiles.userId, userId), isNotNull(profiles.picture))));
  await db.delete(timeOff).where(inArray(timeOff.doctorId, own));
  const ofThem = await db.delete(reviews).where(inArray(reviews.doctorId, own)).returning({ id: reviews.id });
  const erased = await db
    .update(doctors)
    .set({
      ...{ picture: null, meetLink: '' },
      archivedAt: sql`coalesce(${doctors.archivedAt}, now())`,
      archivedBy: sql`coalesce(${doctors.archivedBy}, ${caller.id})`,
    })
    .where(ofUser)
    .returning({ id: doctors.id });
  const deleted = await db.delete(profiles).where(eq(profiles.userId, userId)).returning({ id: profiles.id });
  const sent = await db.delete(contacts).where(eq(contacts.userId, userId)).returning({ id: contacts.id });
  const held = await db.delete(holds).where(eq(holds.userId, userId)).returning({ id: holds.id });
  const ended = await db.delete(sessions).where(eq(sessions.userId, userId)).returning({ id: sessions.id });
  await db.delete(passwordResets).where(eq(passwordResets.userId, userId));
  await db.delete(totps).where(eq(totps.userId, userId));
  await db.delete(identities).where(eq(identities.userId, userId));
  // Of whom the person managed once, a phone number and an email may be the person's.
  await db.update(patients).set({ phone: null, email: null, managedBy: null }).where(eq(patients.managedBy, userId));
  await db.update(users).set(nobody(userId)).where(eq(users.id, userId));
  return {
    ...{ reviews: ofThem.length, doctors: erased.length, profiles: deleted.length, contacts: sent.length },
    ...{ holds: held.length, sessions: ended.length, pictures },
  };
}

const NO_USER = { reviews: 0, doctors: 0, profiles: 0, contacts: 0, holds: 0, sessions: 0, pictures: 0 };

/** Erases the person with some records, which are locked. */
async function erase(
  visit: Within<PersonVisit>,
  ids: readonly number[],
  userId: number | null,
): Promise<Omit<Erasure, 'patient' | 'user'>> {
  const { db, caller } = visit;
  const isTheirs = inArray(patients.id, [...ids]);
  const ofUser = userId === null ? NO_USER : await eraseUser(visit, userId);
  const ofAppointments = await clearAppointments(visit, ids);
  const waiting = inArray(waitingEntries.patientId, [...ids]);
  const offers = await db.$count(
    holds,
    inArray(holds.waitingEntryId, db.select({ id: waitingEntries.id }).from(waitingEntries).where(waiting)),
  );
  const given = await db.delete(waitingEntries).where(waiting).returning({ id: waitingEntries.id });
  const written = await db
    .delete(reviews)
    .where(inArray(reviews.patientId, [...ids]))
    .returning({ id: reviews.id });
  const invited = await db
    .delete(patientInvitations)
    .where(inArray(patientInvitations.patientId, [...ids]))
    .returning({ id: patientInvitations.patientId });
  const stored = await db
    .delete(idempotencyKeys)
    .where(namesPerson(ids, userId))
    .returning({ key: idempotencyKeys.key });
  const shown = await db.$count(patients, and(isTheirs, isNotNull(patients.picture)));
  const nameless = (name: string) => sql`case when ${patients.userId} is null then ${name} end`;
  await db
    .update(patients)
    .set({
      ...{ picture: null, phone: null, email: null, dateOfBirth: null, managedBy: null },
      ...{ firstName: nameless('Erased'), lastName: nameless('patient') },
      archivedAt: sql`coalesce(${patients.archivedAt}, now())`,
      archivedBy: sql`coalesce(${patients.archivedBy}, ${caller.id})`,
    })
    .where(isTheirs);
  return {
    ...ofAppointments,
    ...ofUser,
    records: ids.length,
    reviews: ofUser.reviews + written.length,
    holds: ofUser.holds + offers,
    pictures: ofUser.pictures + shown,
    ...{ waiting_entries: given.length, invitations: invited.length, stored_answers: stored.length },
  };
}

/**
 * Takes away for good who a patient is.
 * @throws NotFound also of who was erased; NotAllowed, HasDependants, HasAppointments
 */
export async function erasePatient(
  visit: PersonVisit,
  { params: { id }, body: { reason, ...rest } }: Input<'erasePatient'>,
): Promise<Erasure> {
  nothingElse(rest);
  const erasure = await inTransaction(visit, async (visit): Promise<Erasure> => {
    const { db, caller } = visit;
    const userId = await findUserOf(visit, id);
    await lockUsers(visit, userId);
    if (userId !== null) await checkManagesNobody(visit, userId);
    const which = recordsOf(id, userId);
    await lockDoctorsOf(visit, which, userId);
    const records = await db
      .select({ id: patients.id, userId: patients.userId })
      .from(patients)
      .where(which)
      .orderBy(patients.id)
      .for('no key update');
    // Whoever came first has erased them, or they were invited and have an account now.
    if ((await findUserOf(visit, id)) !== userId) throw new Contention('the patient has got an account meanwhile');
    const ids = records.map((record) => record.id);
    const done = await erase(visit, ids, userId);
    await db.insert(erasures).values(ids.map((patientId) => ({ patientId, userId, reason, erasedBy: caller.id })));
    return { patient: id, user: userId, ...done };
  });
  if (erasure.user !== null) visit.tokens.forgetUser(erasure.user);
  return erasure;
}
