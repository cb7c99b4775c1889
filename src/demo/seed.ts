import { eq, sql } from 'drizzle-orm';
import { createHash, randomBytes } from 'node:crypto';
import type { Db, Tx } from '../../db/client.js';
import { one } from '../../db/rows.js';
import {
  appointments,
  auditBlocks,
  auditEvents,
  availableTimes,
  contacts,
  designations,
  discardedPictures,
  doctorAvailableTimes,
  doctorDesignations,
  doctorHours,
  doctorHoursTimes,
  doctors,
  doctorSpecialisations,
  patients,
  profiles,
  serviceKeys,
  services,
  specialisations,
  timeOff,
  users,
  waitingEntries,
  waitingEntryTimes,
} from '../../db/tables/index.js';
import type { PictureStore } from '../../plugins/pictures/store.js';
import { hashPassword, NO_PASSWORD } from '../lib/passwords.js';
import { moment, todayText, type Calendar } from '../scheduling/calendar.js';
import { noteFreed, offerFreed } from '../scheduling/offers.js';
import { readClockRange } from '../resources/available-times/clock.js';
import { drawEmblem } from './emblems.js';
import * as people from './people.js';
import { dutyStarts, type Clinic, type Person, type PlannedDoctor, type Slot as PlannedSlot } from './plan.js';
import { drawPortrait } from './portraits.js';
import { CONTACTS, OWN_CONTACT, SERVICES } from './texts.js';
import { contentsOf, RECORDS, type Contents } from './contents.js';
import { addVisits } from './visits.js';

interface DemoUser {
  readonly username: string;
  readonly email: string;
  readonly firstName: string;
  readonly lastName: string;
}

interface DemoDoctor extends DemoUser {
  readonly data: (typeof people.DOCTORS)[number];
}

/** Ids by name or label. */
type Ids = ReadonlyMap<string, number>;

/** The stored users by user name. */
type StoredUsers = ReadonlyMap<string, { readonly id: number; readonly joined: Date }>;

const DAY = 86_400_000;

const fullName = ({ firstName, lastName }: { firstName: string; lastName: string }): string =>
  `${firstName} ${lastName}`;

const slug = (name: string): string => people.handle(name).replaceAll('.', '-');

const ofHospital = (name: string): DemoUser => {
  const username = people.handle(name);
  return { username, email: `${username}@hospital.example`, ...people.splitName(name) };
};

/** People choose their own user name, and seldom the same for their address. */
function ofTown(name: string, index: number): DemoUser {
  const { firstName, lastName } = people.splitName(name);
  const [first, last] = [firstName, lastName].map((part) => people.handle(part).replaceAll('.', '')) as [
    string,
    string,
  ];
  const mailbox = (at: number): string =>
    (people.MAILBOXES[at % people.MAILBOXES.length] as (typeof people.MAILBOXES)[number])(
      first,
      last,
      birthYear(index),
    );
  const domain = people.MAIL_DOMAINS[(index * 3) % people.MAIL_DOMAINS.length] as string;
  return { username: mailbox(index * 5), email: `${mailbox(index * 3 + 1)}@${domain}`, firstName, lastName };
}

const birthYear = (index: number): number => 1938 + ((index * 29) % 68);

const [patientAccount, doctorAccount, staffAccount] = people.ACCOUNTS;

const DOCTORS: readonly DemoDoctor[] = people.DOCTORS.map((data) => {
  const name = fullName(data);
  const user = name === fullName(doctorAccount) ? doctorAccount : ofHospital(name);
  return { ...user, data };
});

const PATIENTS: readonly DemoUser[] = [patientAccount, ...people.PATIENTS.map(ofTown)];

/** In the order in which they joined. Of every kind of record the first is the account's of whom it is about. */
const USERS: readonly DemoUser[] = [
  ...[patientAccount, doctorAccount, staffAccount],
  ...DOCTORS.filter(({ username }) => username !== doctorAccount.username),
  ...PATIENTS.slice(1),
];

function lookUp<T>(map: ReadonlyMap<string, T>, name: string): T {
  const value = map.get(name);
  if (value === undefined) throw new Error(`the demo has no ${name}`);
  return value;
}

/** The columns that all records of a user share. */
function ownedBy(stored: StoredUsers, { username }: DemoUser) {
  const { id, joined } = lookUp(stored, username);
  return { userId: id, createdAt: joined, updatedAt: joined };
}

/**
 * Everybody with profile and patient record, over three years up to yesterday. Only the three accounts can sign in, and
 * that of the patient is as registration leaves it, for whoever tries the demo to fill.
 */
async function addUsers(tx: Tx, passwordHash: string, now: number): Promise<StoredUsers> {
  const canSignIn = new Set<string>(people.ACCOUNTS.map(({ username }) => username));
  const rows = await tx
    .insert(users)
    .values(
      USERS.map(({ username, email, firstName, lastName }, index) => ({
        ...{ username, email, firstName, lastName },
        passwordHash: canSignIn.has(username) ? passwordHash : NO_PASSWORD,
        isStaff: username === staffAccount.username,
        dateJoined: new Date(now - DAY - (1095 * DAY * (USERS.length - 1 - index)) / USERS.length),
      })),
    )
    .returning({ id: users.id, username: users.username, joined: users.dateJoined });
  const stored: StoredUsers = new Map(rows.map((row) => [row.username, row]));

  const patientNumber = new Map(PATIENTS.map(({ username }, index) => [username, index]));
  await tx.insert(patients).values(
    USERS.map((user) => {
      const number = patientNumber.get(user.username);
      if (number === undefined || user === patientAccount) return ownedBy(stored, user);
      return {
        ...ownedBy(stored, user),
        // A range of numbers that the regulator keeps for fiction.
        phone: `+44 20 7946 0${String(number + 101)}`,
        picture: pictureOf(user.username),
        filled: true,
      };
    }),
  );
  const doctorData = new Map(DOCTORS.map(({ username, data }) => [username, data]));
  await tx.insert(profiles).values(
    USERS.map((user, index) => {
      if (user === patientAccount) return ownedBy(stored, user);
      const data = doctorData.get(user.username);
      const bio = data && `${data.designations.join(', ')}; ${data.specialisations.join(' and ').toLowerCase()}.`;
      return {
        ...ownedBy(stored, user),
        bio: bio ?? '',
        address: `${1 + ((index * 17) % 90)} ${String(people.STREETS[index % people.STREETS.length])}, Fairhaven`,
        dateOfBirth: birthDate(user, index),
        filled: true,
      };
    }),
  );
  return stored;
}

/** Those without an account: a child of the patient's, and somebody whom the desk has taken down. */
async function addAccountless(tx: Tx, stored: StoredUsers): Promise<Pick<Clinic, 'dependant' | 'deskPatient'>> {
  const add = async (values: typeof patients.$inferInsert, { username }: DemoUser): Promise<Person> => {
    const { id: userId, joined } = lookUp(stored, username);
    const insertion = tx.insert(patients).values({ ...values, filled: true, createdAt: joined, updatedAt: joined });
    const { id } = one(await insertion.returning({ id: patients.id }));
    return { id, userId, joined };
  };
  const { id: managedBy } = lookUp(stored, patientAccount.username);
  return {
    dependant: await add({ ...people.DEPENDANT, managedBy }, patientAccount),
    deskPatient: await add(people.DESK_PATIENT, staffAccount),
  };
}

function birthDate({ username }: DemoUser, index: number): string {
  const patient = PATIENTS.findIndex((one) => one.username === username);
  const year = patient > 0 ? birthYear(patient - 1) : 1958 + ((index * 23) % 36);
  const [month, day] = [1 + ((index * 7) % 12), 1 + ((index * 11) % 28)].map((part) => String(part).padStart(2, '0'));
  return `${year}-${month}-${day}`;
}

async function addLookup(tx: Tx, table: typeof designations | typeof specialisations, names: string[]): Promise<Ids> {
  const values = names.map((name) => ({ name, slug: slug(name) }));
  const rows = await tx.insert(table).values(values).returning({ id: table.id, name: table.name });
  return new Map(rows.map((row) => [row.name, row.id]));
}

async function addSlots(tx: Tx, slotMinutes: number): Promise<Slot[]> {
  const values = people.SLOTS.map((label) => {
    const range = readClockRange(label, slotMinutes);
    return { label, startMinute: range?.start ?? null, endMinute: range?.end ?? null };
  });
  return tx
    .insert(availableTimes)
    .values(values)
    .returning({ id: availableTimes.id, label: availableTimes.label, start: availableTimes.startMinute });
}

/** The slots in which a doctor sees patients every week, and a visit of some. */
function weekOf(index: number, { slots }: Lookups): Slot[] {
  const first = people.FIRST_HOURS[(index + 4) % people.FIRST_HOURS.length] as number;
  return slots.filter(
    ({ label, start }) =>
      (start !== null && start >= first && start < first + 180 && start % 30 === 0) ||
      (label === 'Evening visit' && index % 6 === 4) ||
      (label === 'Home visit' && index % 9 === 3),
  );
}

interface Slot extends PlannedSlot {
  readonly label: string;
}

interface Lookups {
  readonly designations: Ids;
  readonly specialisations: Ids;
  readonly slots: readonly Slot[];
}

async function addDoctors(tx: Tx, stored: StoredUsers, lookups: Lookups, calendar: Calendar): Promise<PlannedDoctor[]> {
  const rows = await tx
    .insert(doctors)
    .values(
      DOCTORS.map((doctor) => ({
        ...ownedBy(stored, doctor),
        picture: pictureOf(doctor.username),
        fee: doctor.data.fee,
        meetLink: `https://meet.example.com/${slug(fullName(doctor))}`,
      })),
    )
    .returning({ id: doctors.id, userId: doctors.userId });
  const idOfUser = new Map(rows.map(({ id, userId }) => [userId, id]));
  /** A pair of ids for each name that a doctor's list has. */
  const pairs = (ids: Ids, namesOf: (doctor: DemoDoctor, index: number) => readonly string[]) =>
    DOCTORS.flatMap((doctor, index) =>
      namesOf(doctor, index).map((name) => ({
        doctorId: idOfUser.get(lookUp(stored, doctor.username).id) as number,
        entryId: lookUp(ids, name),
      })),
    );
  await tx.insert(doctorDesignations).values(
    pairs(lookups.designations, ({ data }) => data.designations).map(({ doctorId, entryId }) => ({
      doctorId,
      designationId: entryId,
    })),
  );
  await tx.insert(doctorSpecialisations).values(
    pairs(lookups.specialisations, ({ data }) => data.specialisations).map(({ doctorId, entryId }) => ({
      doctorId,
      specialisationId: entryId,
    })),
  );
  const planned = DOCTORS.map((doctor, index): PlannedDoctor => {
    const { id: userId, joined } = lookUp(stored, doctor.username);
    const { specialisations } = doctor.data;
    const id = idOfUser.get(userId) as number;
    return { id, userId, joined, specialisations, slots: weekOf(index, lookups), isBooked: index > 0 };
  });
  const onDuty = new Set<number | null>(dutyStarts(calendar));
  const { id: userId } = lookUp(stored, doctorAccount.username);
  await tx.insert(doctorAvailableTimes).values(
    planned.flatMap((doctor) => {
      const isOnDuty = doctor.userId === userId;
      const offered = lookups.slots.filter(
        (slot) => doctor.slots.includes(slot) || (isOnDuty && onDuty.has(slot.start)),
      );
      return offered.map(({ id }) => ({ doctorId: doctor.id, availableTimeId: id }));
    }),
  );
  return planned;
}

/** Who is not on duty on all days works on workdays. The clinic closes for a day that nobody has booked yet. */
async function addWorkingTime(tx: Tx, planned: readonly PlannedDoctor[], calendar: Calendar): Promise<void> {
  const { id: chiefsUser } = one(
    await tx.select({ id: users.id }).from(users).where(eq(users.username, doctorAccount.username)),
  );
  const regular = planned.filter(
    ({ userId, specialisations }) => userId !== chiefsUser && !specialisations.includes('Emergency Medicine'),
  );
  const entries = regular.flatMap((doctor) => [1, 2, 3, 4, 5].map((weekday) => ({ doctor, weekday })));
  const rows = await tx
    .insert(doctorHours)
    .values(
      entries.map(({ doctor: { id, joined }, weekday }) => ({
        ...{ doctorId: id, weekday, everyWeeks: 1 },
        startsOn: joined.toISOString().slice(0, 10),
      })),
    )
    .returning({ id: doctorHours.id });
  await tx.insert(doctorHoursTimes).values(
    rows.flatMap(({ id: hoursId }, index) => {
      const { id: doctorId, slots } = (entries[index] as (typeof entries)[number]).doctor;
      return slots.map(({ id: availableTimeId }) => ({ hoursId, doctorId, availableTimeId }));
    }),
  );
  const day = (days: number): string =>
    new Date(Date.parse(todayText(calendar)) + days * DAY).toISOString().slice(0, 10);
  const { id: unbooked } = planned.find(({ isBooked }) => !isBooked) as PlannedDoctor;
  await tx.insert(timeOff).values([
    { startsOn: day(60), endsOn: day(60), reason: 'Staff training', createdAt: calendar.now },
    { doctorId: unbooked, startsOn: day(30), endsOn: day(44), reason: 'Annual leave', createdAt: calendar.now },
  ]);
}

/** Somebody whom the desk took in between: over another appointment to come. */
async function addOverbooked(tx: Tx, { patients: all, chief }: Clinic, calendar: Calendar): Promise<void> {
  const { id } = all[9] as Person;
  const symptoms = sql`'Second opinion: ' || lower(left(symptoms, 1)) || substr(symptoms, 2)`;
  await tx.execute(sql`
    insert into ${appointments} (patient_id, doctor_id, available_time_id, date, period, type, symptoms, is_overbooked, created_at,
      updated_at)
    select ${id}, doctor_id, available_time_id, date, period, 'offline', ${symptoms}, true, ${moment(calendar)}, ${moment(calendar)}
    from ${appointments}
    where not is_cancelled and archived_at is null and doctor_id <> ${chief.id} and date > ${todayText(calendar)}::date
      and date not in (select date from ${appointments} where patient_id = ${id})
      and symptoms not like '%: %' and ${symptoms} not in (select symptoms from ${appointments})
    order by date, id limit 1`);
}

/** Somebody waits for a busy doctor, and is offered a time for as long as a tester may look. */
async function addWaitingList(
  tx: Tx,
  { patients: [patient], doctors: planned }: Clinic,
  calendar: Calendar,
): Promise<void> {
  const doctor = planned[2] as PlannedDoctor;
  const [slot] = doctor.slots as [PlannedSlot];
  const startsOn = todayText(calendar);
  const endsOn = new Date(Date.parse(startsOn) + 28 * DAY).toISOString().slice(0, 10);
  const { id: entryId } = one(
    await tx
      .insert(waitingEntries)
      .values({ patientId: (patient as Person).id, doctorId: doctor.id, startsOn, endsOn, createdAt: calendar.now })
      .returning({ id: waitingEntries.id }),
  );
  await tx.insert(waitingEntryTimes).values({ entryId, availableTimeId: slot.id });
  await noteFreed({ db: tx }, eq(doctors.id, doctor.id));
  await offerFreed({ db: tx, calendar: { ...calendar, waitingOffer: 86_400 } }, doctor.id);
}

async function addServices(tx: Tx): Promise<void> {
  await tx
    .insert(services)
    .values(SERVICES.map(({ name, description }) => ({ name, description, picture: pictureOf(name) })));
}

/** So that there is one to see: nobody has its secret, and to rotate it gives one. */
async function addServiceKey(tx: Tx, stored: StoredUsers): Promise<void> {
  const secretHash = createHash('sha256').update(randomBytes(32)).digest('hex');
  const { id: createdBy } = lookUp(stored, 'staff');
  await tx
    .insert(serviceKeys)
    .values({ name: 'Laboratory', scopes: ['appointments:read', 'patients:read'], secretHash, createdBy });
}

async function addContacts(tx: Tx, stored: StoredUsers, now: number): Promise<void> {
  const { id } = lookUp(stored, patientAccount.username);
  const own = { userId: id, name: fullName(patientAccount), phone: '+44 20 7946 0101', message: OWN_CONTACT };
  const all = [own, ...CONTACTS.map((contact) => ({ userId: null, ...contact }))];
  await tx.insert(contacts).values(
    all.map((contact, index) => {
      const createdAt = new Date(now - (all.length - index) * 0.7 * DAY);
      return { ...contact, createdAt, updatedAt: createdAt };
    }),
  );
}

const PORTRAITS_OF_PATIENTS = ['long', 'short', 'curls', 'bun', 'short', 'scarf'] as const;

interface Picture {
  readonly name: string;
  readonly draw: () => Promise<Buffer>;
}

/** Always the same name for the same picture, so that the contract can show one that can be had. */
function named(visibility: 'p' | 's', subject: string, draw: Picture['draw']): [string, Picture] {
  const digest = createHash('sha256').update(subject).digest();
  return [subject, { name: `${visibility}-${digest.subarray(0, 16).toString('base64url')}.jpeg`, draw }];
}

/** The pictures of doctors, patients and services, by user name or name. */
const PICTURES: ReadonlyMap<string, Picture> = new Map([
  ...DOCTORS.map(({ username, data }) =>
    named('p', username, () =>
      drawPortrait({ name: fullName(data), hair: data.hair, skin: data.skin, isDoctor: true }),
    ),
  ),
  // Every second patient has sent a picture.
  ...PATIENTS.slice(1)
    .filter((_patient, index) => index % 2 === 0)
    .map((user, index) =>
      named('s', user.username, () =>
        drawPortrait({
          name: fullName(user),
          hair: PORTRAITS_OF_PATIENTS[index % PORTRAITS_OF_PATIENTS.length] as people.Hair,
          skin: index % 5,
          isDoctor: false,
        }),
      ),
    ),
  ...SERVICES.map(({ name, emblem }) => named('p', name, () => drawEmblem(emblem))),
]);

function pictureOf(subject: string): string | null {
  return PICTURES.get(subject)?.name ?? null;
}

/** The names of the pictures that records have. */
async function picturesInUse(db: Db | Tx): Promise<Set<string>> {
  const names = [doctors, patients, profiles, services].map((table) => sql`select ${table.picture} from ${table}`);
  const rows = await db.execute<{ picture: string | null }>(sql.join(names, sql` union `));
  return new Set(rows.flatMap(({ picture }) => picture ?? []));
}

/** Draws and stores those of the demo's pictures that records have and the store has not. */
async function storePictures(db: Db, store: PictureStore, report: (step: string) => void): Promise<void> {
  const used = await picturesInUse(db);
  const isMissing = async ({ name }: { name: string }): Promise<boolean> => (await store.read(name)) === null;
  const missing = await filterAsync(
    [...PICTURES.values()].filter(({ name }) => used.has(name)),
    isMissing,
  );
  if (missing.length === 0) return;
  report(`Drawing ${missing.length} pictures`);
  const drawn = await Promise.all(missing.map(async ({ name, draw }) => ({ name, bytes: await draw() })));
  await db.transaction(async (tx) => {
    // Of two demos that start at once one writes them.
    await tx.execute(sql`select pg_advisory_xact_lock(hashtext('pictures of the demo'))`);
    for (const { name, bytes } of await filterAsync(drawn, isMissing)) {
      // A demo that was killed may have left a part of it.
      await store.remove(name);
      await store.write(name, bytes);
    }
  });
}

async function filterAsync<T>(list: readonly T[], isWanted: (entry: T) => Promise<boolean>): Promise<T[]> {
  const wanted = await Promise.all(list.map(isWanted));
  return list.filter((_entry, index) => wanted[index]);
}

/** Empties the tables of what a demo has left; its pictures go as those of any record that is gone. */
async function emptyTables(tx: Tx): Promise<void> {
  const left = await picturesInUse(tx);
  for (const { name } of PICTURES.values()) left.delete(name);
  const names = sql.join(
    RECORDS.map((table) => sql`${table}`),
    sql`, `,
  );
  // The audit only takes additions, but for who owns its tables.
  const audits = [auditEvents, auditBlocks];
  for (const table of audits) await tx.execute(sql`alter table ${table} disable trigger refuse_change`);
  // Ids start at 1 again: the contract's examples name some.
  await tx.execute(sql`truncate ${names} restart identity`);
  for (const table of audits) await tx.execute(sql`alter table ${table} enable trigger refuse_change`);
  if (left.size === 0) return;
  await tx
    .insert(discardedPictures)
    .values([...left].map((name) => ({ name })))
    .onConflictDoNothing();
}

export interface SeedOptions {
  /** Whether a demo that is there is made anew. Default false. */
  readonly isReset?: boolean;
  /** Another one gives other visits. */
  readonly seed?: number;
  /** Hears what is about to be done. */
  readonly report?: (step: string) => void;
}

/**
 * Fills an empty database with the demo's hospital, all or nothing; one with data stays as it is.
 * @returns whose the database is now
 */
export async function seedDemo(
  db: Db,
  store: PictureStore,
  calendar: Calendar,
  { isReset = false, seed = 1, report = () => undefined }: SeedOptions = {},
): Promise<Contents> {
  const isDue = ({ owner }: Contents): boolean => owner === 'nobody' || (owner === 'demo' && isReset);
  let present = await contentsOf(db);
  if (isDue(present)) {
    report(`Making ${DOCTORS.length} doctors, ${PATIENTS.length} patients and their appointments`);
    const passwordHash = await hashPassword(people.PASSWORD);
    present = await db.transaction(async (tx) => {
      // Nobody registers between the look and the commit, and of two demos that start at once one waits for the other.
      await tx.execute(sql`lock table ${users} in share row exclusive mode`);
      const late = await contentsOf(tx);
      if (!isDue(late)) return late;
      await emptyTables(tx);
      await addEverything(tx, passwordHash, calendar, seed);
      return contentsOf(tx);
    });
  }
  if (present.owner === 'demo') await storePictures(db, store, report);
  return present;
}

async function addEverything(tx: Tx, passwordHash: string, calendar: Calendar, seed: number): Promise<void> {
  const now = calendar.now.getTime();
  const stored = await addUsers(tx, passwordHash, now);
  const lookups = {
    designations: await addLookup(tx, designations, people.DESIGNATIONS),
    specialisations: await addLookup(tx, specialisations, people.SPECIALISATIONS),
    slots: await addSlots(tx, calendar.slotMinutes),
  };
  const planned = await addDoctors(tx, stored, lookups, calendar);
  const applicant = PATIENTS.find((user) => fullName(user) === people.APPLICANT) as DemoUser;
  await tx.insert(doctors).values({ ...ownedBy(stored, applicant), isApproved: false });
  await addWorkingTime(tx, planned, calendar);
  await addServices(tx);
  await addContacts(tx, stored, now);
  await addServiceKey(tx, stored);
  const patientRows = await tx.select({ id: patients.id, userId: patients.userId }).from(patients);
  const idOfUser = new Map(patientRows.map(({ id, userId }) => [userId, id]));
  const clinic = {
    patients: PATIENTS.map(({ username }) => {
      const { id: userId, joined } = lookUp(stored, username);
      return { id: idOfUser.get(userId) as number, userId, joined };
    }),
    ...(await addAccountless(tx, stored)),
    doctors: planned,
    chief: planned[DOCTORS.findIndex(({ username }) => username === doctorAccount.username)] as PlannedDoctor,
    slots: lookups.slots,
  };
  await addVisits(tx, clinic, calendar, seed);
  await addOverbooked(tx, clinic, calendar);
  await addWaitingList(tx, clinic, calendar);
}
