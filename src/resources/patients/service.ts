import { and, eq, isNull, sql, type SQL } from 'drizzle-orm';
import { Contention } from '../../../db/client.js';
import { JsonText } from '../../../db/json.js';
import { one, oneOrNone } from '../../../db/rows.js';
import { appointments, patients, users } from '../../../db/tables/index.js';
import type { Patient, PatientPage, PatientPatch } from '../../../openapi/generated/schemas.js';
import type { Input } from '../../../openapi/operation.js';
import { ProblemError } from '../../../openapi/problem-error.js';
import { cancelledFor } from '../../scheduling/cancellation.js';
import { lockDoctorsOf } from '../../scheduling/locks.js';
import { isLive, isTooLate, isUpcoming } from '../../scheduling/slots.js';
import { AlreadyFilled, AlreadyTaken, explain, InvalidInput, NotAllowed, NotFound } from '../../lib/errors.js';
import { namedUser } from '../../lib/named-user.js';
import type { Page } from '../../lib/pages.js';
import { nothingElse } from '../../lib/patches.js';
import { withPictureUrls } from '../../lib/pictures.js';
import { checkConditions } from '../../lib/preconditions.js';
import { searchTerms } from '../../lib/search.js';
import {
  claim,
  inTransaction,
  isUser,
  userIdOf,
  type PersonVisit,
  type UserVisit,
  type Visit,
  type Within,
} from '../../lib/visit.js';
import { ask, dependantsOf, MAX_DEPENDANTS, patientById, patientOfCaller, patientPages } from './queries.js';

class NoRecordOfYourOwn extends ProblemError {
  constructor() {
    super('not-found', 'You have no patient record. Create one with POST /patients/.');
  }
}

class TooManyDependants extends ProblemError {
  constructor() {
    super('too-many-dependants', `An account manages ${MAX_DEPENDANTS} patients at the most.`);
  }
}

/**
 * One patient, and whether the caller may change it.
 * @throws NotFound also for a patient that the caller may not see
 */
async function readPatient(
  { db, caller, link }: UserVisit,
  id: number,
): Promise<{ patient: JsonText<Patient>; isOwn: boolean }> {
  const row = oneOrNone(await patientById(db)({ id, caller: userIdOf(caller) }));
  const isOwn = caller.isStaff || row?.keeperId === caller.id;
  if (row === undefined || !(isOwn || row.isSeenByDoctor)) throw new NotFound();
  return { patient: withPictureUrls(new JsonText(row.patient, row.tag), 'profile', link), isOwn };
}

/**
 * A patient that the caller may change.
 * @throws NotFound, NotAllowed
 */
export async function readOwnPatient(visit: UserVisit, id: number): Promise<JsonText<Patient>> {
  const { patient, isOwn } = await readPatient(visit, id);
  if (!isOwn) throw new NotAllowed('Only the patient, who manages the record, and staff may do this.');
  return patient;
}

export async function getPatient(visit: UserVisit, { params }: Input<'getPatient'>): Promise<JsonText<Patient>> {
  return (await readPatient(visit, params.id)).patient;
}

/** @throws NoRecordOfYourOwn */
export async function getMyPatient({ db, caller, link }: PersonVisit): Promise<JsonText<Patient>> {
  const row = oneOrNone(await patientOfCaller(db)({ caller: caller.id }));
  if (row === undefined) throw new NoRecordOfYourOwn();
  return withPictureUrls(new JsonText(row.patient, row.tag), 'profile', link);
}

export async function listPatients(visit: UserVisit, { query }: Input<'listPatients'>): Promise<JsonText<PatientPage>> {
  const { db, caller, link } = visit;
  const page = await patientPages(visit, ask(query, await searchTerms(db, query.search), caller));
  return withPictureUrls<Page<Patient>>(page, 'profile', link);
}

/** What the database keeps of a body. */
const storedOf = ({ profile: picture, phone, managed_by: managedBy }: PatientPatch) => ({ picture, phone, managedBy });

/** What it keeps of who a patient is, who has no account to say so. */
const personOf = (body: PatientPatch) => ({
  firstName: body.first_name,
  lastName: body.last_name,
  email: body.email,
  dateOfBirth: body.date_of_birth,
});

/** What the refusals of the database come to. */
const REFUSALS = {
  patients_phone_key: () => new AlreadyTaken(['phone']),
  patients_dependant_check: () => new InvalidInput({ date_of_birth: ['is required of a patient who is managed'] }),
};

/**
 * Stores what is given.
 * @throws AlreadyTaken for the phone number of another patient
 */
async function setFields({ db }: Within, id: number, fields: Partial<typeof patients.$inferInsert>): Promise<void> {
  const change = db
    .update(patients)
    .set({ ...fields, filled: true })
    .where(eq(patients.id, id));
  await explain(change, REFUSALS);
}

const ofUser = (userId: number): SQL => and(eq(patients.userId, userId), isNull(patients.archivedAt)) as SQL;

const alreadyFilled = ({ caller, link }: UserVisit, id: number, userId: number): AlreadyFilled =>
  new AlreadyFilled('patient record', `${link.base}/patients/${id}/`, isUser(caller, userId));

/** Locks a user's patient record, which is made where there is none. */
async function openPatient({ db }: Within, userId: number): Promise<{ id: number; filled: boolean }> {
  const find = () =>
    db.select({ id: patients.id, filled: patients.filled }).from(patients).where(ofUser(userId)).for('no key update');
  let row = oneOrNone(await find());
  if (row === undefined) {
    await db.insert(patients).values({ userId }).onConflictDoNothing();
    row = oneOrNone(await find());
  }
  if (row === undefined) throw new Contention('the patient record was archived meanwhile');
  return row;
}

/** Makes a record of its own for somebody who has no account. */
async function insertPerson(
  visit: Within<UserVisit>,
  body: PatientPatch,
  managedBy: number | null,
): Promise<JsonText<Patient>> {
  const values = { ...storedOf(body), ...personOf(body), managedBy, filled: true };
  const insertion = visit.db.insert(patients).values(values).returning({ id: patients.id });
  const { id } = one(await explain(insertion, REFUSALS));
  return (await readPatient(visit, id)).patient;
}

/**
 * What a patient without an account has to have.
 * @throws InvalidInput naming each that is empty
 */
function checkPerson(fields: Readonly<Record<string, string | null | undefined>>): void {
  const empty = Object.keys(fields).filter((name) => (fields[name] ?? '') === '');
  if (empty.length === 0) return;
  throw new InvalidInput(Object.fromEntries(empty.map((name) => [name, ['is required of a patient without account']])));
}

/**
 * Fills the caller's empty record, or a new one after a delete. Staff do so for the user that they name, and by names they
 * make a record for somebody who has no account.
 * @throws AlreadyFilled
 */
export async function createPatient(visit: UserVisit, { body }: Input<'createPatient'>): Promise<JsonText<Patient>> {
  const { caller } = visit;
  const { user, ...fields } = body;
  const { first_name, last_name, email, date_of_birth, phone, profile: _profile, ...rest } = fields;
  nothingElse(rest);
  const isNamed = [first_name, last_name, email, date_of_birth].some((value) => (value ?? '') !== '');
  if (caller.isStaff && isNamed && (user ?? '') === '') {
    checkPerson({ first_name, last_name, phone });
    return inTransaction(visit, (visit) => insertPerson(visit, fields, null));
  }
  // Taken for any user's, it would fill their own record with somebody else's phone.
  if ('id' in caller && caller.lacksSecondFactor === true && isNamed)
    throw new NotAllowed('Only staff may make a record for somebody else.');
  const userId = await namedUser(visit, user);
  await claim(visit, phone);
  return inTransaction(visit, async (visit) => {
    const { id, filled } = await openPatient(visit, userId);
    if (filled) throw alreadyFilled(visit, id, userId);
    await setFields(visit, id, storedOf(fields));
    return (await readPatient(visit, id)).patient;
  });
}

/** Whether the caller may make a record. Staff may, in more ways than one. */
export async function admitNewPatient(visit: UserVisit, sent: Readonly<Record<string, unknown>>): Promise<void> {
  if (visit.caller.isStaff) return;
  const userId = await namedUser(visit, sent['user']);
  const filled = visit.db
    .select({ id: patients.id })
    .from(patients)
    .where(and(ofUser(userId), patients.filled));
  const row = oneOrNone(await filled);
  if (row !== undefined) throw alreadyFilled(visit, row.id, userId);
}

/**
 * Locks a user who is to manage one more patient: of two at once only one may be the last. Users are locked before
 * doctors and patients.
 * @throws InvalidInput where there is no such user
 */
async function lockManager({ db }: Within, id: number): Promise<void> {
  const isThere = and(eq(users.id, id), isNull(users.erasedAt));
  const rows = await db.select({ id: users.id }).from(users).where(isThere).for('no key update');
  if (rows.length === 0) throw new InvalidInput({ managed_by: ['has an unknown id'] });
}

const isManagedBy = (userId: number): SQL => and(eq(patients.managedBy, userId), isNull(patients.archivedAt)) as SQL;

/** @throws TooManyDependants */
async function checkMayManage({ db }: Pick<Visit, 'db'>, id: number): Promise<void> {
  if ((await db.$count(patients, isManagedBy(id))) >= MAX_DEPENDANTS) throw new TooManyDependants();
}

export async function listDependants(visit: PersonVisit): Promise<JsonText<Patient[]>> {
  return withPictureUrls(await dependantsOf(visit, { manager: visit.caller.id }), 'profile', visit.link);
}

export const admitNewDependant = (visit: PersonVisit): Promise<void> => checkMayManage(visit, visit.caller.id);

/**
 * Makes a record that the caller manages.
 * @throws TooManyDependants
 */
export function createDependant(visit: PersonVisit, { body }: Input<'createDependant'>): Promise<JsonText<Patient>> {
  return inTransaction(visit, async (visit) => {
    const { id } = visit.caller;
    await lockManager(visit, id);
    await checkMayManage(visit, id);
    return insertPerson(visit, body, id);
  });
}

/** Locks a patient that the caller may change, and holds it against the request's conditions. */
async function lockPatient(
  visit: Within<UserVisit>,
  id: number,
): Promise<{ hasAccount: boolean; managedBy: number | null }> {
  const row = oneOrNone(
    await visit.db
      .select({ hasAccount: sql<boolean>`${patients.userId} is not null`, managedBy: patients.managedBy })
      .from(patients)
      .where(and(eq(patients.id, id), isNull(patients.archivedAt)))
      .for('no key update'),
  );
  if (row === undefined) throw new NotFound();
  checkConditions(visit, (await readOwnPatient(visit, id)).tag);
  return row;
}

/**
 * Hands a patient without an account over to another one that manages it, or to none.
 * @throws NotAllowed, InvalidInput, TooManyDependants
 */
async function checkHandover(
  visit: Within<UserVisit>,
  { hasAccount }: { hasAccount: boolean },
  managerId: number | null,
): Promise<void> {
  if (!visit.caller.isStaff) throw new NotAllowed('Only staff may hand a patient over to another account.');
  if (hasAccount) throw new InvalidInput({ managed_by: ['is for patients without an account'] });
  if (managerId !== null) await checkMayManage(visit, managerId);
}

/** Changes what is given. Who a patient with an account is stays with the account. */
export async function updatePatient(
  visit: UserVisit,
  { params, body }: Input<'updatePatient'>,
): Promise<JsonText<Patient>> {
  const { first_name, last_name, email: _email, date_of_birth: _birth, ...others } = body;
  const { profile: _profile, phone: _phone, managed_by: managerId, ...rest } = others;
  nothingElse(rest);
  await claim(visit, body.phone);
  return inTransaction(visit, async (visit) => {
    if (visit.caller.isStaff && typeof managerId === 'number') await lockManager(visit, managerId);
    const patient = await lockPatient(visit, params.id);
    if (managerId !== undefined && managerId !== patient.managedBy) await checkHandover(visit, patient, managerId);
    if (!patient.hasAccount) {
      checkPerson({ ...(first_name !== undefined && { first_name }), ...(last_name !== undefined && { last_name }) });
    }
    const person = patient.hasAccount ? {} : personOf(body);
    if (Object.keys(body).length > 0) await setFields(visit, params.id, { ...storedOf(body), ...person });
    return (await readPatient(visit, params.id)).patient;
  });
}

/** Replaces the record: a phone number that is left out is removed; a picture, and who the patient is, stay. */
export const replacePatient = (
  visit: UserVisit,
  { params, body: { user: _user, ...body } }: Input<'replacePatient'>,
): Promise<JsonText<Patient>> => updatePatient(visit, { params, body: { phone: null, ...body } });

/**
 * Archives the record, whose picture is removed, and cancels its upcoming appointments; by the patient only those that a
 * patient may cancel.
 */
export async function deletePatient(visit: UserVisit, { params: { id } }: Input<'deletePatient'>): Promise<void> {
  await inTransaction(visit, async (visit) => {
    const { db, caller, calendar } = visit;
    await lockDoctorsOf(visit, eq(patients.id, id));
    await lockPatient(visit, id);
    await db
      .update(patients)
      .set({ archivedAt: new Date(), archivedBy: userIdOf(caller), picture: null })
      .where(eq(patients.id, id));
    const mayCancel = caller.isStaff
      ? undefined
      : and(eq(appointments.status, 'pending'), isNull(appointments.attendance), sql`not ${isTooLate(calendar)}`);
    await db
      .update(appointments)
      .set(cancelledFor({ code: caller.isStaff ? 'clinic' : 'patient', text: '' }))
      .where(and(eq(appointments.patientId, id), isLive, isUpcoming(calendar), mayCancel));
  });
}
