import { sql } from 'drizzle-orm';
import { randomBytes } from 'node:crypto';
import type { Db, Tx } from '../../db/client.js';
import {
  availableTimes,
  contacts,
  designations,
  discardedPictures,
  doctorAvailableTimes,
  doctorDesignations,
  doctors,
  doctorSpecialisations,
  patients,
  profiles,
  services,
  specialisations,
  users,
} from '../../db/tables/index.js';
import type { PictureStore } from '../../plugins/pictures/store.js';
import { hashPassword, NO_PASSWORD } from '../lib/passwords.js';
import type { Calendar } from '../scheduling/calendar.js';
import { readClockRange } from '../resources/available-times/clock.js';
import { drawEmblem } from './emblems.js';
import * as people from './people.js';
import { drawPortrait } from './portraits.js';
import { CONTACTS, OWN_CONTACT, SERVICES } from './texts.js';
import { usersOf, type Users } from './users.js';
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

/** The names of the stored pictures by whose they are: a user name, or the name of a service. */
type Pictures = ReadonlyMap<string, string>;

const DAY = 86_400_000;

const fullName = ({ firstName, lastName }: { firstName: string; lastName: string }): string =>
  `${firstName} ${lastName}`;

const slug = (name: string): string => people.handle(name).replaceAll('.', '-');

function userNamed(name: string, domain: string): DemoUser {
  const username = people.handle(name);
  return { username, email: `${username}@${domain}`, ...people.splitName(name) };
}

const [patientAccount, doctorAccount, staffAccount] = people.ACCOUNTS;

const DOCTORS: readonly DemoDoctor[] = people.DOCTORS.map((data) => {
  const name = fullName(data);
  const user = name === fullName(doctorAccount) ? doctorAccount : userNamed(name, 'hospital.example');
  return { ...user, data };
});

const PATIENTS: readonly DemoUser[] = [
  patientAccount,
  ...people.PATIENTS.map((name) => userNamed(name, 'mail.example')),
];

/** In the order in which they joined. */
const USERS: readonly DemoUser[] = [staffAccount, ...DOCTORS, ...PATIENTS];

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
async function addUsers(tx: Tx, passwordHash: string, pictures: Pictures, now: number): Promise<StoredUsers> {
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
        picture: pictures.get(user.username) ?? null,
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
        dateOfBirth: `${1958 + ((index * 23) % 36)}-0${1 + (index % 9)}-${10 + ((index * 7) % 18)}`,
        filled: true,
      };
    }),
  );
  return stored;
}

async function addLookup(tx: Tx, table: typeof designations | typeof specialisations, names: string[]): Promise<Ids> {
  const values = names.map((name) => ({ name, slug: slug(name) }));
  const rows = await tx.insert(table).values(values).returning({ id: table.id, name: table.name });
  return new Map(rows.map((row) => [row.name, row.id]));
}

async function addSlots(tx: Tx, slotMinutes: number): Promise<Ids> {
  const values = people.SLOTS.map((label) => {
    const range = readClockRange(label, slotMinutes);
    return { label, startMinute: range?.start ?? null, endMinute: range?.end ?? null };
  });
  const rows = await tx
    .insert(availableTimes)
    .values(values)
    .returning({ id: availableTimes.id, label: availableTimes.label });
  return new Map(rows.map((row) => [row.label, row.id]));
}

/** Six half hours on end, earlier or later in the day, and for some a visit. */
function slotsOf(index: number): string[] {
  const first = [0, 4, 8, 11, 14][index % 5] as number;
  return people.SLOTS.filter(
    (label, at) =>
      (at >= first && at < first + 6) ||
      (label === 'Evening visit' && index % 6 === 0) ||
      (label === 'Home visit' && index % 9 === 3),
  );
}

interface Lookups {
  readonly designations: Ids;
  readonly specialisations: Ids;
  readonly slots: Ids;
}

async function addDoctors(tx: Tx, stored: StoredUsers, lookups: Lookups, pictures: Pictures): Promise<void> {
  const rows = await tx
    .insert(doctors)
    .values(
      DOCTORS.map((doctor) => ({
        ...ownedBy(stored, doctor),
        picture: lookUp(pictures, doctor.username),
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
  await tx.insert(doctorAvailableTimes).values(
    pairs(lookups.slots, (_doctor, index) => slotsOf(index)).map(({ doctorId, entryId }) => ({
      doctorId,
      availableTimeId: entryId,
    })),
  );
}

async function addServices(tx: Tx, pictures: Pictures): Promise<void> {
  await tx
    .insert(services)
    .values(SERVICES.map(({ name, description }) => ({ name, description, picture: lookUp(pictures, name) })));
}

async function addContacts(tx: Tx, stored: StoredUsers, now: number): Promise<void> {
  const { id } = lookUp(stored, patientAccount.username);
  const own = { userId: id, name: fullName(patientAccount), phone: '+44 20 7946 0101', message: OWN_CONTACT };
  const all = [...CONTACTS.map((contact) => ({ userId: null, ...contact })), own];
  await tx.insert(contacts).values(
    all.map((contact, index) => {
      const createdAt = new Date(now - (all.length - index) * 0.4 * DAY);
      return { ...contact, createdAt, updatedAt: createdAt };
    }),
  );
}

async function addAppointmentsAndReviews(tx: Tx, stored: StoredUsers, calendar: Calendar): Promise<void> {
  const userOf = new Map([...stored.values()].map((user) => [user.id, user]));
  const personOf = <T extends { userId: number }>(row: T) => ({
    ...row,
    joined: (userOf.get(row.userId) as { joined: Date }).joined,
  });
  const isPatient = new Set(PATIENTS.map(({ username }) => lookUp(stored, username).id));
  const patientRows = await tx.select({ id: patients.id, userId: patients.userId }).from(patients).orderBy(patients.id);
  const doctorRows = await tx
    .select({
      id: doctors.id,
      userId: doctors.userId,
      slots: sql<number[]>`(select json_agg(${doctorAvailableTimes.availableTimeId} order by 1)
        from ${doctorAvailableTimes} where ${doctorAvailableTimes.doctorId} = ${doctors.id})`,
    })
    .from(doctors)
    .orderBy(doctors.id);
  await addVisits(
    tx,
    patientRows.filter(({ userId }) => isPatient.has(userId)).map(personOf),
    doctorRows.map(personOf),
    calendar,
  );
}

const PORTRAITS_OF_PATIENTS = ['long', 'short', 'curls', 'bun', 'short', 'scarf'] as const;

/**
 * Draws and stores the pictures of doctors, patients and services. They are on the list of pictures to be removed until
 * the records take them.
 */
async function storePictures(db: Db, store: PictureStore): Promise<Pictures> {
  const portraits = [
    ...DOCTORS.map(({ username, data }) => ({
      of: username,
      visibility: 'p',
      draw: () => drawPortrait({ name: fullName(data), hair: data.hair, skin: data.skin, isDoctor: true }),
    })),
    // Every second patient has sent a picture.
    ...PATIENTS.slice(1)
      .filter((_patient, index) => index % 2 === 0)
      .map((user, index) => ({
        of: user.username,
        visibility: 's',
        draw: () =>
          drawPortrait({
            name: fullName(user),
            hair: PORTRAITS_OF_PATIENTS[index % PORTRAITS_OF_PATIENTS.length] as people.Hair,
            skin: index % 5,
            isDoctor: false,
          }),
      })),
    ...SERVICES.map(({ name, emblem }) => ({ of: name, visibility: 'p', draw: () => drawEmblem(emblem) })),
  ];
  const drawn = await Promise.all(
    portraits.map(async ({ of, visibility, draw }) => ({
      of,
      name: `${visibility}-${randomBytes(16).toString('base64url')}.jpeg`,
      bytes: await draw(),
    })),
  );
  await db.insert(discardedPictures).values(drawn.map(({ name }) => ({ name, dueAt: sql`now() + interval '1 hour'` })));
  await Promise.all(drawn.map(({ name, bytes }) => store.write(name, bytes)));
  return new Map(drawn.map(({ of, name }) => [of, name]));
}

/**
 * Fills a database that has no users with the demo's hospital, all or nothing; one that has users stays as it is.
 * @returns whose users the database has now
 */
export async function seedDemo(db: Db, store: PictureStore, calendar: Calendar): Promise<Users> {
  const present = await usersOf(db);
  if (present.owner !== 'nobody') return present;
  const [pictures, passwordHash] = await Promise.all([storePictures(db, store), hashPassword(people.PASSWORD)]);
  return db.transaction(async (tx) => {
    // Nobody registers between the look and the commit, and of two demos that start at once one waits for the other.
    await tx.execute(sql`lock table ${users} in share row exclusive mode`);
    const late = await usersOf(tx);
    if (late.owner !== 'nobody') return late;
    const now = calendar.now.getTime();
    const stored = await addUsers(tx, passwordHash, pictures, now);
    const lookups = {
      designations: await addLookup(tx, designations, people.DESIGNATIONS),
      specialisations: await addLookup(tx, specialisations, people.SPECIALISATIONS),
      slots: await addSlots(tx, calendar.slotMinutes),
    };
    await addDoctors(tx, stored, lookups, pictures);
    await addServices(tx, pictures);
    await addAppointmentsAndReviews(tx, stored, calendar);
    await addContacts(tx, stored, now);
    return usersOf(tx);
  });
}
