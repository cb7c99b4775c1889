import { sql } from 'drizzle-orm';
import { randomBytes } from 'node:crypto';
import type { Db, Tx } from '../../db/client.js';
import {
  availableTimes,
  designations,
  discardedPictures,
  doctorAvailableTimes,
  doctorDesignations,
  doctors,
  doctorSpecialisations,
  patients,
  profiles,
  specialisations,
  users,
} from '../../db/tables/index.js';
import type { PictureStore } from '../../plugins/pictures.js';
import { hashPassword, NO_PASSWORD } from '../lib/passwords.js';
import { readClockRange } from '../resources/available-times/clock.js';
import * as people from './people.js';
import { drawPortrait } from './portraits.js';
import { usersOf, type Users } from './users.js';

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

/** Everybody with profile and patient record, over three years up to yesterday. Only the three accounts can sign in. */
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
      if (number === undefined) return ownedBy(stored, user);
      // A range of numbers that the regulator keeps for fiction.
      return { ...ownedBy(stored, user), phone: `+44 20 7946 0${String(number + 101)}`, filled: true };
    }),
  );
  const doctorData = new Map(DOCTORS.map(({ username, data }) => [username, data]));
  await tx.insert(profiles).values(
    USERS.map((user, index) => {
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

/** @param pictures the stored picture of each doctor, by user name */
async function addDoctors(
  tx: Tx,
  stored: StoredUsers,
  lookups: Lookups,
  pictures: ReadonlyMap<string, string>,
): Promise<void> {
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

/**
 * Draws and stores the doctors' pictures. They are on the list of pictures to be removed until the doctors take them.
 * @returns their names by user name
 */
async function storePortraits(db: Db, store: PictureStore): Promise<Map<string, string>> {
  const drawn = await Promise.all(
    DOCTORS.map(async ({ username, data }) => ({
      username,
      name: `p-${randomBytes(16).toString('base64url')}.jpeg`,
      bytes: await drawPortrait({ name: fullName(data), hair: data.hair, skin: data.skin }),
    })),
  );
  await db.insert(discardedPictures).values(drawn.map(({ name }) => ({ name, dueAt: sql`now() + interval '1 hour'` })));
  await Promise.all(drawn.map(({ name, bytes }) => store.write(name, bytes)));
  return new Map(drawn.map(({ username, name }) => [username, name]));
}

/**
 * Fills a database that has no users with the demo's hospital, all or nothing; one that has users stays as it is.
 * @param slotMinutes the length of a slot whose label has only a start
 * @returns whose users the database has now
 */
export async function seedDemo(db: Db, store: PictureStore, slotMinutes: number): Promise<Users> {
  const present = await usersOf(db);
  if (present.owner !== 'nobody') return present;
  const [pictures, passwordHash] = await Promise.all([storePortraits(db, store), hashPassword(people.PASSWORD)]);
  return db.transaction(async (tx) => {
    // Nobody registers between the look and the commit, and of two demos that start at once one waits for the other.
    await tx.execute(sql`lock table ${users} in share row exclusive mode`);
    const late = await usersOf(tx);
    if (late.owner !== 'nobody') return late;
    const stored = await addUsers(tx, passwordHash, Date.now());
    const lookups = {
      designations: await addLookup(tx, designations, people.DESIGNATIONS),
      specialisations: await addLookup(tx, specialisations, people.SPECIALISATIONS),
      slots: await addSlots(tx, slotMinutes),
    };
    await addDoctors(tx, stored, lookups, pictures);
    return usersOf(tx);
  });
}
