/** How a user who has forgotten the password comes to a new one. */
import { and, eq, gt, isNull, lt, sql } from 'drizzle-orm';
import { one, oneOrNone } from '../../../db/rows.js';
import { caseless } from '../../../db/tables/columns.js';
import { passwordResets, users } from '../../../db/tables/index.js';
import type { PasswordReset } from '../../../openapi/generated/schemas.js';
import type { Input } from '../../../openapi/operation.js';
import { newCode, readCode, showCode } from '../../lib/codes.js';
import { InvalidInput, NotAllowed, NotFound } from '../../lib/errors.js';
import { hashPassword, passwordFaults } from '../../lib/passwords.js';
import { hashToken } from '../../lib/tokens.js';
import { inTransaction, type PersonVisit, type Visit } from '../../lib/visit.js';
import { isUnchanged, turnOf } from './service.js';
import { endSessions, voidTokens } from './sessions.js';

/** Milliseconds. */
const LIFETIME = 3_600_000;
const MAX_TRIES = 5;
/** 60 bits, which the hour is too short to find by a copy of the hash. */
const CODE_SYMBOLS = 12;

/** A code, and what is stored of it. */
export function makeCode({ generation, createdBy, now }: { generation: number; createdBy: number | null; now: Date }) {
  const code = newCode(CODE_SYMBOLS);
  const expiresAt = new Date(now.getTime() + LIFETIME);
  return {
    code: showCode(code),
    row: { codeHash: hashToken(code), generation, tries: 0, expiresAt, createdBy, createdAt: sql`now()` },
  };
}

/** Holds of a code that may still be used at a moment. */
export const isGood = (now: Date) => and(gt(passwordResets.expiresAt, now), lt(passwordResets.tries, MAX_TRIES));

/** @throws NotAllowed for the caller's own user: a stolen access token must not become a password */
export async function createPasswordReset(
  visit: PersonVisit,
  { params: { id: userId } }: Input<'createPasswordReset'>,
): Promise<PasswordReset> {
  const {
    db,
    caller,
    calendar: { now },
  } = visit;
  if (userId === caller.id) throw new NotAllowed('Change your own password with POST /api/user/password/.');
  const user = oneOrNone(
    await db
      .select({ generation: users.tokenGeneration })
      .from(users)
      .where(and(eq(users.id, userId), isNull(users.erasedAt))),
  );
  if (user === undefined) throw new NotFound();
  const { code, row } = makeCode({ generation: user.generation, createdBy: caller.id, now });
  const { expiresAt } = one(
    await inTransaction(visit, ({ db }) =>
      db
        .insert(passwordResets)
        .values({ userId, ...row })
        .onConflictDoUpdate({ target: passwordResets.userId, set: row })
        .returning({ expiresAt: passwordResets.expiresAt }),
    ),
  );
  return { code, expires_at: expiresAt.toISOString() };
}

/**
 * Uses a code up and gives its user the new password.
 * @returns the user's id; undefined where the code is not the user's, which counts
 * @throws InvalidInput where the password is much like the user's own data: the code stays good
 */
function takeCode(
  visit: Visit,
  { username, code, password }: Input<'resetPassword'>['body'],
  passwordHash: string,
): Promise<number | undefined> {
  return inTransaction(visit, async ({ db, calendar: { now } }) => {
    // Counted before it is judged, of however many at once.
    const tried = oneOrNone(
      await db
        .update(passwordResets)
        .set({ tries: sql`${passwordResets.tries} + 1` })
        .from(users)
        .where(and(eq(users.id, passwordResets.userId), eq(caseless(users.username), caseless(username)), isGood(now)))
        .returning({
          ...{ id: users.id, generation: passwordResets.generation, codeHash: passwordResets.codeHash },
          ...{ username: users.username, email: users.email },
          ...{ firstName: users.firstName, lastName: users.lastName },
        }),
    );
    if (tried?.codeHash !== hashToken(readCode(code))) return undefined;
    const faults = passwordFaults(password, [tried.username, tried.email, tried.firstName, tried.lastName]);
    if (faults.length > 0) throw new InvalidInput({ password: faults });
    // Unless the user is inactive, or all sessions were ended since the code was made.
    const changed = await db
      .update(users)
      .set({ passwordHash, ...voidTokens() })
      .where(isUnchanged(tried))
      .returning({ id: users.id });
    if (changed.length === 0) return undefined;
    await endSessions({ db }, tried.id);
    await db.delete(passwordResets).where(eq(passwordResets.userId, tried.id));
    return tried.id;
  });
}

/** @throws InvalidInput, alike for whatever is wrong with user and code */
export async function resetPassword(visit: Visit, { body }: Input<'resetPassword'>): Promise<void> {
  const userId = await visit.logins.judge(
    body.username,
    async () => {
      // Also for nobody: it is what takes the time.
      const passwordHash = await hashPassword(body.password, turnOf(visit));
      return takeCode(visit, body, passwordHash);
    },
    'code',
  );
  if (userId === undefined) {
    throw new InvalidInput({ code: ['is not valid: it is wrong, was used or replaced, or has expired'] });
  }
  visit.tokens.forgetUser(userId);
}
