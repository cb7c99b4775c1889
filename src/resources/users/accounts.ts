import { and, asc, count, eq, ne, sql } from 'drizzle-orm';
import { transaction, type Db } from '../../../db/client.js';
import { column, jsonObject, timestampText, type JsonText } from '../../../db/json.js';
import { sessions, users } from '../../../db/tables/index.js';
import type { Message, PasswordChange, User, UserPage, UserPatch } from '../../../openapi/generated/schemas.js';
import { InvalidInput, NotAllowed, NotFound } from '../../lib/errors.js';
import { selectPage, type Link, type PageQuery } from '../../lib/pages.js';
import { hashPassword, passwordFaults, verifyPassword } from '../../lib/passwords.js';
import { hasTerms } from '../../lib/search.js';
import { toUser, userColumns, type Logins } from './service.js';

interface Caller {
  readonly id: number;
  /** The hash that names the caller's session. */
  readonly session: string | null;
}

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

export function listUsers(db: Db, query: PageQuery & { search?: string }, link: Link): Promise<JsonText<UserPage>> {
  const where = hasTerms(users.searchText, query.search);
  return selectPage(
    db,
    userJson,
    (columns) => db.select(columns).from(users).where(where).orderBy(asc(users.id)).$dynamic(),
    sql`(${db.select({ count: count() }).from(users).where(where)})`,
    query,
    link,
  );
}

export async function getUser(db: Db, id: number): Promise<User> {
  const [row] = await db.select(userColumns).from(users).where(eq(users.id, id));
  if (row === undefined) throw new NotFound();
  return toUser(row);
}

/** @throws NotAllowed for the caller's own user, so that nobody locks themselves out */
export async function updateUser(db: Db, id: number, input: UserPatch, caller: Caller): Promise<User> {
  if (id === caller.id) throw new NotAllowed('You can not change this of yourself.');
  const isEnding = input.is_active === false;
  const changes = {
    ...(input.is_active !== undefined && { isActive: input.is_active }),
    ...(input.is_staff !== undefined && { isStaff: input.is_staff }),
    ...(isEnding && { tokenGeneration: sql`${users.tokenGeneration} + 1`, keptSession: null }),
  };
  if (Object.keys(changes).length === 0) return getUser(db, id);
  return transaction(db, async (tx) => {
    const [row] = await tx.update(users).set(changes).where(eq(users.id, id)).returning(userColumns);
    if (row === undefined) throw new NotFound();
    if (isEnding) await tx.delete(sessions).where(eq(sessions.userId, id));
    return toUser(row);
  });
}

/**
 * Changes the caller's password and ends the caller's other sessions.
 * @throws InvalidInput naming every fault, a wrong current password among them
 */
export async function changePassword(db: Db, input: PasswordChange, caller: Caller, logins: Logins): Promise<Message> {
  const [user] = await db
    .select({ ...userColumns, passwordHash: users.passwordHash })
    .from(users)
    .where(eq(users.id, caller.id));
  if (user === undefined) throw new NotFound();
  const errors: Record<string, string[]> = {};
  const isRight = await logins.judge(user.username, () => verifyPassword(user.passwordHash, input.current_password));
  if (!isRight) errors['current_password'] = ['is wrong'];
  const faults = passwordFaults(input.password, [user.username, user.email, user.firstName, user.lastName]);
  if (faults.length > 0) errors['password'] = faults;
  if (Object.keys(errors).length > 0) throw new InvalidInput(errors);
  const passwordHash = await hashPassword(input.password);
  await transaction(db, async (tx) => {
    await tx
      .update(users)
      .set({ passwordHash, tokenGeneration: sql`${users.tokenGeneration} + 1`, keptSession: caller.session })
      .where(eq(users.id, caller.id));
    await tx.delete(sessions).where(and(eq(sessions.userId, caller.id), ne(sessions.tokenHash, caller.session ?? '')));
  });
  return { message: 'Password changed successfully.' };
}
