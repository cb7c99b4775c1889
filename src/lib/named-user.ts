import { and, eq } from 'drizzle-orm';
import { oneOrNone } from '../../db/rows.js';
import { caseless } from '../../db/tables/columns.js';
import { users } from '../../db/tables/index.js';
import { InvalidInput, NotAllowed } from './errors.js';
import type { UserVisit } from './visit.js';

const ID = /^[1-9]\d{0,15}$/;
const USERNAME = /^[\w.@+-]{1,150}$/;

/**
 * The id of the user that a record is made for: whom staff name by id, else the caller. Who is not staff may name
 * themselves, by user name too: so front ends in the field do.
 * @param sent the body's `user`, as it came
 * @throws InvalidInput where there is no such user
 * @throws NotAllowed where somebody who is not staff names somebody else
 */
export async function namedUser({ db, caller }: UserVisit, sent: unknown): Promise<number> {
  if (sent === undefined || sent === null || sent === '' || String(sent) === String(caller.id)) return caller.id;
  const given = typeof sent === 'string' || typeof sent === 'number' ? String(sent).trim() : '';
  const text = USERNAME.test(given) ? given : '';
  const id = ID.test(text) && Number(text) <= Number.MAX_SAFE_INTEGER ? Number(text) : null;
  if (caller.isStaff && id === null) throw new InvalidInput({ user: ['must be the id of a user'] });
  const isNamed = caller.isStaff
    ? eq(users.id, id as number)
    : and(eq(users.id, caller.id), eq(caseless(users.username), caseless(text)));
  const user = oneOrNone(await db.select({ id: users.id }).from(users).where(isNamed));
  if (user !== undefined) return user.id;
  if (caller.isStaff) throw new InvalidInput({ user: ['has an unknown id'] });
  throw new NotAllowed('Only staff may make a record for somebody else.');
}
