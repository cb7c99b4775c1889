import { and, asc, count, eq, sql, type SQL } from 'drizzle-orm';
import { transaction, type Db, type Tx } from '../../../db/client.js';
import { column, jsonObject, JsonText, timestampText } from '../../../db/json.js';
import { directByKey } from '../../../db/prepared.js';
import { profiles, users } from '../../../db/tables/index.js';
import type { Profile, ProfileInput, ProfilePage, ProfilePatch } from '../../../openapi/generated/schemas.js';
import { AlreadyFilled, NotFound } from '../../lib/errors.js';
import { selectPage, type Link, type PageQuery } from '../../lib/pages.js';
import { withPictureUrls, type PictureUrl } from '../../lib/pictures.js';
import { checkIfMatch } from '../../lib/preconditions.js';
import { hasTerms } from '../../lib/search.js';
import { userJson } from '../users/accounts.js';
import { changeUser } from '../users/service.js';

interface Caller {
  readonly id: number;
  readonly isStaff: boolean;
}

export interface ProfileQuery extends PageQuery {
  readonly search?: string;
}

/** A profile as JSON, with the picture's name where the answer has its URL. */
const profileJson = jsonObject<Profile>({
  id: column(profiles.id),
  user: userJson,
  bio: column(profiles.bio),
  address: column(profiles.address),
  date_of_birth: column(profiles.dateOfBirth),
  profile_picture: column(profiles.picture),
  created_at: timestampText(profiles.createdAt),
  updated_at: timestampText(profiles.updatedAt),
});

const profileBy = (which: SQL) =>
  directByKey((db) =>
    db
      .select({
        userId: sql<number>`${profiles.userId}::float8`.as('userId'),
        profile: sql<string>`${profileJson}::text`.as('profile'),
      })
      .from(profiles)
      .innerJoin(users, eq(users.id, profiles.userId))
      .where(which),
  );
const profileById = profileBy(eq(profiles.id, sql.placeholder('id')));
const profileByUser = profileBy(eq(profiles.userId, sql.placeholder('id')));

/** @throws NotFound also for a profile that the caller may not see */
async function readProfile(
  db: Db | Tx,
  by: typeof profileById,
  id: number,
  caller: Caller,
): Promise<JsonText<Profile>> {
  const [row] = await by(db)({ id });
  if (row === undefined || (row.userId !== caller.id && !caller.isStaff)) throw new NotFound();
  return new JsonText(row.profile);
}

export async function getProfile(
  db: Db,
  id: number,
  caller: Caller,
  pictureUrl: PictureUrl,
): Promise<JsonText<Profile>> {
  return withPictureUrls(await readProfile(db, profileById, id, caller), 'profile_picture', pictureUrl);
}

export async function getMyProfile(db: Db, caller: Caller, pictureUrl: PictureUrl): Promise<JsonText<Profile>> {
  return withPictureUrls(await readProfile(db, profileByUser, caller.id, caller), 'profile_picture', pictureUrl);
}

export async function listProfiles(
  db: Db,
  query: ProfileQuery,
  caller: Caller,
  link: Link,
  pictureUrl: PictureUrl,
): Promise<JsonText<ProfilePage>> {
  const found = hasTerms(users.searchText, query.search);
  const where = and(caller.isStaff ? undefined : eq(profiles.userId, caller.id), found);
  const ofUser = eq(users.id, profiles.userId);
  const counted = db.select({ count: count() }).from(profiles).$dynamic();
  const page = await selectPage(
    db,
    profileJson,
    (columns) =>
      db.select(columns).from(profiles).innerJoin(users, ofUser).where(where).orderBy(asc(profiles.id)).$dynamic(),
    sql`(${(found === undefined ? counted : counted.innerJoin(users, ofUser)).where(where)})`,
    query,
    link,
  );
  return withPictureUrls(page, 'profile_picture', pictureUrl);
}

/** Stores what is given, of the profile and of its user. */
async function setFields(tx: Tx, id: number, userId: number, input: ProfilePatch): Promise<void> {
  await tx
    .update(profiles)
    .set({
      filled: true,
      ...(input.bio !== undefined && { bio: input.bio }),
      ...(input.address !== undefined && { address: input.address }),
      ...(input.date_of_birth !== undefined && { dateOfBirth: input.date_of_birth }),
      ...(input.profile_picture !== undefined && { picture: input.profile_picture }),
    })
    .where(eq(profiles.id, id));
  await changeUser(tx, userId, input);
}

/** Locks the user's profile, which is made where there is none. */
async function openProfile(tx: Tx, userId: number): Promise<{ id: number; filled: boolean }> {
  for (;;) {
    const [row] = await tx
      .select({ id: profiles.id, filled: profiles.filled })
      .from(profiles)
      .where(eq(profiles.userId, userId))
      .for('update');
    if (row !== undefined) return row;
    await tx.insert(profiles).values({ userId }).onConflictDoNothing();
  }
}

/**
 * Fills the caller's empty profile, or a new one after a delete.
 * @throws AlreadyFilled
 */
export async function createProfile(
  db: Db | Tx,
  input: ProfileInput,
  caller: Caller,
  link: Link,
  pictureUrl: PictureUrl,
): Promise<JsonText<Profile>> {
  const profile = await transaction(db, async (tx) => {
    const { id, filled } = await openProfile(tx, caller.id);
    if (filled) throw new AlreadyFilled('profile', `${link.base}/api/user/profiles/${id}/`);
    await setFields(tx, id, caller.id, input);
    return readProfile(tx, profileById, id, caller);
  });
  return withPictureUrls(profile, 'profile_picture', pictureUrl);
}

/** Locks a profile that the caller may see, and so change. */
async function lockProfile(tx: Tx, id: number, caller: Caller): Promise<{ userId: number }> {
  const [row] = await tx
    .select({ userId: profiles.userId })
    .from(profiles)
    .where(and(eq(profiles.id, id), caller.isStaff ? undefined : eq(profiles.userId, caller.id)))
    .for('update');
  if (row === undefined) throw new NotFound();
  return row;
}

/** Changes what is given. */
export async function updateProfile(
  db: Db,
  id: number,
  input: ProfilePatch,
  caller: Caller,
  pictureUrl: PictureUrl,
  ifMatch?: string,
): Promise<JsonText<Profile>> {
  const profile = await transaction(db, async (tx) => {
    const { userId } = await lockProfile(tx, id, caller);
    await checkIfMatch(ifMatch, () => readProfile(tx, profileById, id, caller));
    if (Object.keys(input).length > 0) await setFields(tx, id, userId, input);
    return readProfile(tx, profileById, id, caller);
  });
  return withPictureUrls(profile, 'profile_picture', pictureUrl);
}

/** Replaces the profile: what is left out becomes empty, but for user name, email and picture. */
export function replaceProfile(
  db: Db,
  id: number,
  input: ProfileInput,
  caller: Caller,
  pictureUrl: PictureUrl,
  ifMatch?: string,
): Promise<JsonText<Profile>> {
  const empty = { first_name: '', last_name: '', bio: '', address: '', date_of_birth: null };
  return updateProfile(db, id, { ...empty, ...input }, caller, pictureUrl, ifMatch);
}

export async function deleteProfile(db: Db, id: number, caller: Caller, ifMatch?: string): Promise<void> {
  await transaction(db, async (tx) => {
    await lockProfile(tx, id, caller);
    await checkIfMatch(ifMatch, () => readProfile(tx, profileById, id, caller));
    await tx.delete(profiles).where(eq(profiles.id, id));
  });
}
