import { and, eq, isNull } from 'drizzle-orm';
import { oneOrNone } from '../../db/rows.js';
import { users } from '../../db/tables/index.js';
import { InvalidInput, NotAllowed } from './errors.js';
import type { UserVisit } from './visit.js';

/** The id that a body's value is, as a number or in decimals; null for anything else. */
function idIn(value: unknown): number | null {
  const isId = (typeof value === 'number' || typeof value === 'string') && /^[1-9]\d{0,15}$/.test(String(value));
  return isId && Number(value) <= Number.MAX_SAFE_INTEGER ? Number(value) : null;
}

/**
 * The id of the user that a record is made for: whom staff name by id, else the caller. Who is not staff may name
 * themselves, as front ends in the field do, also by what answers call them.
 * @param sent the body's `user`, as it came
 * @throws InvalidInput where there is no such user
 * @throws NotAllowed where somebody who is not staff names somebody else
 */
export async function namedUser({ db, caller }: UserVisit, sent: unknown): Promise<number> {
  const id = idIn(sent);
  const isNone = sent === undefined || sent === null || sent === '';
  if ('id' in caller && (isNone || id === caller.id)) return caller.id;
  if (isNone) throw new InvalidInput({ user: ['is required of a service'] });
  if (caller.isStaff && id === null) throw new InvalidInput({ user: ['must be the id of a user'] });
  const user = oneOrNone(
    await db
      .select({ id: users.id, username: users.username, displayName: users.displayName })
      .from(users)
      .where(and(eq(users.id, caller.isStaff ? (id as number) : caller.id), isNull(users.erasedAt))),
  );
  if (caller.isStaff && user === undefined) throw new InvalidInput({ user: ['has an unknown id'] });
  const names = [user?.username.toLowerCase(), user?.displayName.toLowerCase()];
  const isNamed = caller.isStaff || (typeof sent === 'string' && names.includes(sent.trim().toLowerCase()));
  if (user === undefined || !isNamed) throw new NotAllowed('Only staff may make a record for somebody else.');
  return user.id;
}
