import { and, eq, sql, type SQL } from 'drizzle-orm';
import { Contention } from '../../../db/client.js';
import { column, jsonObject, JsonText, timestampText, versionTag } from '../../../db/json.js';
import { directByKey } from '../../../db/prepared.js';
import { one, oneOrNone } from '../../../db/rows.js';
import { profiles, users } from '../../../db/tables/index.js';
import type { Profile, ProfilePage } from '../../../openapi/generated/schemas.js';
import type { Input } from '../../../openapi/operation.js';
import { AlreadyFilled, NotFound } from '../../lib/errors.js';
import { pagesOf } from '../../lib/lists.js';
import { itemOf, type Page } from '../../lib/pages.js';
import { nothingElse } from '../../lib/patches.js';
import { withPictureUrls } from '../../lib/pictures.js';
import { checkConditions } from '../../lib/preconditions.js';
import { hasAll, searchPatterns } from '../../lib/search.js';
import { claim, inTransaction, type PersonVisit, type UserVisit, type Within } from '../../lib/visit.js';
import { userJson } from '../users/accounts.js';
import { changeUser } from '../users/service.js';

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

const ofUser = eq(users.id, profiles.userId);

const profileBy = (which: SQL) =>
  directByKey((db) =>
    db
      .select({
        userId: sql<number>`${profiles.userId}::float8`.as('userId'),
        profile: sql<string>`${profileJson}::text`.as('profile'),
        tag: versionTag(profiles.id, profiles.version, users.version).as('tag'),
      })
      .from(profiles)
      .innerJoin(users, ofUser)
      .where(which),
  );
const profileById = profileBy(eq(profiles.id, sql.placeholder('id')));
const profileByUser = profileBy(eq(profiles.userId, sql.placeholder('id')));

/** @throws NotFound also for a profile that the caller may not see */
async function readProfile(
  { db, caller, link }: UserVisit,
  by: typeof profileById,
  id: number,
): Promise<JsonText<Profile>> {
  const row = oneOrNone(await by(db)({ id }));
  if (row === undefined || (!caller.isStaff && row.userId !== caller.id)) throw new NotFound();
  return withPictureUrls(new JsonText(row.profile, row.tag), 'profile_picture', link);
}

export const getProfile = (
  visit: UserVisit,
  { params }: Pick<Input<'getProfile'>, 'params'>,
): Promise<JsonText<Profile>> => readProfile(visit, profileById, params.id);

export const getMyProfile = (visit: PersonVisit): Promise<JsonText<Profile>> =>
  readProfile(visit, profileByUser, visit.caller.id);

/** What is asked for: `owner` by who sees the own alone, whom a search is for then, too. */
interface Asked {
  readonly search: { readonly patterns: readonly string[]; readonly owner?: number | undefined } | undefined;
  readonly owner: number | undefined;
}

const profilePages = pagesOf<Asked, Profile>({
  table: profiles,
  filters: {
    search: ({ patterns, owner }) =>
      sql`${profiles.userId} = any(array(select ${users.id} from ${users}
        where ${and(hasAll(users.searchText, patterns), owner && eq(users.id, owner))}))`,
    owner: (userId) => eq(profiles.userId, userId),
  },
  once: { search: 'found' },
  searches: ['search'],
  rows: (db) => db.select(itemOf(profileJson)).from(profiles).innerJoin(users, ofUser).$dynamic(),
});

export async function listProfiles(visit: UserVisit, { query }: Input<'listProfiles'>): Promise<JsonText<ProfilePage>> {
  const { db, caller, link } = visit;
  const owner = caller.isStaff ? undefined : caller.id;
  const patterns = await searchPatterns(db, query.search);
  const page = await profilePages(visit, { ...query, search: patterns && { patterns, owner }, owner });
  return withPictureUrls<Page<Profile>>(page, 'profile_picture', link);
}

type ProfileChanges = Input<'updateProfile'>['body'];

/** Stores what is given, of the profile and of its user. */
async function setFields(visit: Within<UserVisit>, id: number, changes: ProfileChanges): Promise<void> {
  const { bio, address, date_of_birth: dateOfBirth, profile_picture: picture, ...others } = changes;
  const { username, email, first_name, last_name, ...rest } = others;
  nothingElse(rest);
  const { userId } = one(
    await visit.db
      .update(profiles)
      .set({ filled: true, bio, address, dateOfBirth, picture })
      .where(eq(profiles.id, id))
      .returning({ userId: profiles.userId }),
  );
  await changeUser(visit, userId, { username, email, first_name, last_name });
}

/** Locks the caller's profile, which is made where there is none. */
async function openProfile({ db, caller }: Within<PersonVisit>): Promise<{ id: number; filled: boolean }> {
  const { id: userId } = caller;
  const find = () =>
    db
      .select({ id: profiles.id, filled: profiles.filled })
      .from(profiles)
      .where(eq(profiles.userId, userId))
      .for('update');
  let row = oneOrNone(await find());
  if (row === undefined) {
    await db.insert(profiles).values({ userId }).onConflictDoNothing();
    row = oneOrNone(await find());
  }
  if (row === undefined) throw new Contention('the profile was deleted meanwhile');
  return row;
}

const alreadyFilled = ({ link }: UserVisit, id: number): AlreadyFilled =>
  new AlreadyFilled('profile', `${link.base}/api/user/profiles/${id}/`);

export async function admitNewProfile(visit: PersonVisit): Promise<void> {
  const isFilled = and(eq(profiles.userId, visit.caller.id), profiles.filled);
  const row = oneOrNone(await visit.db.select({ id: profiles.id }).from(profiles).where(isFilled));
  if (row !== undefined) throw alreadyFilled(visit, row.id);
}

/**
 * Fills the caller's empty profile, or a new one after a delete.
 * @throws AlreadyFilled
 */
export async function createProfile(visit: PersonVisit, { body }: Input<'createProfile'>): Promise<JsonText<Profile>> {
  await claim(visit, body.username, body.email);
  return inTransaction(visit, async (visit) => {
    const { id, filled } = await openProfile(visit);
    if (filled) throw alreadyFilled(visit, id);
    await setFields(visit, id, body);
    return readProfile(visit, profileById, id);
  });
}

/** Locks a profile that the caller may see, and so change, and holds it against the request's conditions. */
async function lockProfile(visit: Within<UserVisit>, id: number): Promise<void> {
  const { db, caller } = visit;
  const rows = await db
    .select({ id: profiles.id })
    .from(profiles)
    .where(and(eq(profiles.id, id), caller.isStaff ? undefined : eq(profiles.userId, caller.id)))
    .for('update');
  if (rows.length === 0) throw new NotFound();
  checkConditions(visit, (await readProfile(visit, profileById, id)).tag);
}

/** Changes what is given. */
export async function updateProfile(
  visit: UserVisit,
  { params, body }: Input<'updateProfile'>,
): Promise<JsonText<Profile>> {
  await claim(visit, body.username, body.email);
  return inTransaction(visit, async (visit) => {
    await lockProfile(visit, params.id);
    if (Object.keys(body).length > 0) await setFields(visit, params.id, body);
    return readProfile(visit, profileById, params.id);
  });
}

/** Replaces the profile: what is left out becomes empty, but for user name, email and picture. */
export function replaceProfile(
  visit: UserVisit,
  { params, body }: Input<'replaceProfile'>,
): Promise<JsonText<Profile>> {
  const empty = { first_name: '', last_name: '', bio: '', address: '', date_of_birth: null };
  return updateProfile(visit, { params, body: { ...empty, ...body } });
}

export async function deleteProfile(visit: UserVisit, { params: { id } }: Input<'deleteProfile'>): Promise<void> {
  await inTransaction(visit, async (visit) => {
    await lockProfile(visit, id);
    await visit.db.delete(profiles).where(eq(profiles.id, id));
  });
}
