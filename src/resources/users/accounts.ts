import { and, eq, isNull } from 'drizzle-orm';
import { column, jsonObject, timestampText, type JsonText } from '../../../db/json.js';
import { oneOrNone } from '../../../db/rows.js';
import { doctors, users } from '../../../db/tables/index.js';
import type { Message, User, UserPage } from '../../../openapi/generated/schemas.js';
import type { Input } from '../../../openapi/operation.js';
import { noteFreed } from '../../scheduling/offers.js';
import { InvalidInput, NotAllowed, NotFound } from '../../lib/errors.js';
import { pagesOf } from '../../lib/lists.js';
import { itemOf } from '../../lib/pages.js';
import { hashPassword, passwordFaults, verifyPassword } from '../../lib/passwords.js';
import { nothingElse } from '../../lib/patches.js';
import { hasAll, searchPatterns } from '../../lib/search.js';
import { inTransaction, type PersonVisit, type Visit } from '../../lib/visit.js';
import { isUnchanged, toUser, userColumns } from './service.js';
import { endSessions, voidTokens } from './sessions.js';

/** A user as JSON. */
export const userJson = jsonObject<User>({
  id: column(users.id),
  username: column(users.username),
  email: column(users.email),
  first_name: column(users.firstName),
  last_name: column(users.lastName),
  is_staff: column(users.isStaff),
  is_active: column(users.isActive),
  date_joined: timestampText(users.dateJoined),
});

const userPages = pagesOf<{ readonly search: readonly string[] | undefined }, User>({
  table: users,
  where: isNull(users.erasedAt),
  filters: { search: (patterns) => hasAll(users.searchText, patterns) },
  once: { search: 'judged' },
  searches: ['search'],
  rows: (db) => db.select(itemOf(userJson)).from(users).$dynamic(),
});

/** A user who was erased is gone. */
const byId = (id: number) => and(eq(users.id, id), isNull(users.erasedAt));

export const listUsers = async (visit: PersonVisit, { query }: Input<'listUsers'>): Promise<JsonText<UserPage>> =>
  userPages(visit, { ...query, search: await searchPatterns(visit.db, query.search) });

export async function getUser({ db }: Visit, { params: { id } }: Input<'getUser'>): Promise<User> {
  const row = oneOrNone(await db.select(userColumns).from(users).where(byId(id)));
  if (row === undefined) throw new NotFound();
  return toUser(row);
}

/** @throws NotAllowed for the caller's own user, so that nobody locks themselves out */
export async function updateUser(visit: PersonVisit, { params, body }: Input<'updateUser'>): Promise<User> {
  const { id } = params;
  if (id === visit.caller.id) throw new NotAllowed('You can not change this of yourself.');
  const { is_active: isActive, is_staff: isStaff, ...rest } = body;
  nothingElse(rest);
  if (isActive === undefined && isStaff === undefined) return getUser(visit, { params });
  const ending = isActive === false ? voidTokens() : undefined;
  const changed = await inTransaction(visit, async (visit) => {
    const { db } = visit;
    const row = oneOrNone(
      await db
        .update(users)
        .set({ isActive, isStaff, ...ending })
        .where(byId(id))
        .returning(userColumns),
    );
    if (row === undefined) throw new NotFound();
    if (ending !== undefined) await endSessions({ db }, id);
    if (isActive === true) await noteFreed(visit, eq(doctors.userId, id));
    return toUser(row);
  });
  visit.tokens.forgetUser(id);
  return changed;
}

/**
 * Changes the caller's password and ends the caller's other sessions.
 * @throws InvalidInput naming every fault, a wrong current password among them
 */
export async function changePassword(visit: PersonVisit, { body }: Input<'changePassword'>): Promise<Message> {
  const { db, caller, logins, tokens, signal } = visit;
  const turn = { by: caller.id, signal };
  const user = oneOrNone(
    await db
      .select({ ...userColumns, passwordHash: users.passwordHash, generation: users.tokenGeneration })
      .from(users)
      .where(eq(users.id, caller.id)),
  );
  if (user === undefined) throw new NotFound();
  const errors: Record<string, string[]> = {};
  const isRight = await logins.judge(user.username, () =>
    verifyPassword(user.passwordHash, body.current_password, turn),
  );
  if (!isRight) errors['current_password'] = ['is wrong'];
  const faults = passwordFaults(body.password, [user.username, user.email, user.firstName, user.lastName]);
  if (faults.length > 0) errors['password'] = faults;
  if (Object.keys(errors).length > 0) throw new InvalidInput(errors);
  const passwordHash = await hashPassword(body.password, turn);
  await inTransaction(visit, async ({ db }) => {
    const changed = await db
      .update(users)
      .set({ passwordHash, ...voidTokens(caller.session) })
      .where(isUnchanged(user))
      .returning({ id: users.id });
    // Changed by somebody else meanwhile, it is no longer what was judged.
    if (changed.length === 0) throw new InvalidInput({ current_password: ['is wrong'] });
    await endSessions({ db }, caller.id, caller.session);
  });
  tokens.forgetUser(caller.id);
  return { message: 'Password changed successfully.' };
}
