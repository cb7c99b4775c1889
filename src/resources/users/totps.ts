/** The second factor of a user: codes of an authenticator app (RFC 6238), and recovery codes in their place. */
import { and, eq, isNotNull, isNull, lt, ne, or, sql } from 'drizzle-orm';
import { Secret, TOTP } from 'otpauth';
import type { Db } from '../../../db/client.js';
import { oneOrNone } from '../../../db/rows.js';
import { sessions, totps, users } from '../../../db/tables/index.js';
import type { RecoveryCodes, TotpSecret, TotpState } from '../../../openapi/generated/schemas.js';
import type { Input } from '../../../openapi/operation.js';
import { ProblemError } from '../../../openapi/problem-error.js';
import { newCode, readCode, showCode } from '../../lib/codes.js';
import { InvalidInput, NotAllowed, NotFound } from '../../lib/errors.js';
import { verifyPassword } from '../../lib/passwords.js';
import type { Sealed, Seals } from '../../lib/seals.js';
import { hashToken } from '../../lib/tokens.js';
import { inTransaction, type PersonVisit, type Visit } from '../../lib/visit.js';
import { endSessions, voidTokens } from './sessions.js';

declare module 'fastify' {
  interface Visit {
    /** Encrypts the secrets of second factors. */
    readonly seals: Seals;
  }
}

/** Seconds; every app has this and the other parameters, and some no others. */
const PERIOD = 30;
const SECRET_BYTES = 20;
const RECOVERY_CODES = 10;
/** 120 bits: enough for a hash without salt (ASVS 6.5.2). */
const RECOVERY_SYMBOLS = 24;

/**
 * Of 10^6 codes three are good at a time, so ten guesses a day of somebody who knows the password find one in 90 years on
 * average, wherever they come from.
 */
const MAX_WRONG_CODES = 10;
/** Milliseconds. */
const WRONG_CODES_WINDOW = 86_400_000;

class TotpActive extends ProblemError {
  constructor() {
    const next = 'Remove it with POST /api/user/totp/remove/ before you set up another one.';
    super('already-exists', `You have a second factor already. ${next}`);
  }
}

const IS_WRONG = 'is wrong, was used before, or too many were wrong';
const IS_LOST = 'can not be checked any more: take a recovery code, or ask staff to remove the second factor';
const IS_FOR_NOTHING = 'is for a second factor that is not on';
const NOTHING_TO_CONFIRM = 'has nothing to confirm: begin with POST /api/user/totp/';

/** Of the app. */
const CODE = /^\d{6}$/;

/** What a sealed secret belongs to. */
const ofUser = (userId: number): string => `totp ${userId}`;

const newRecoveryCodes = (): { shown: RecoveryCodes; hashes: string[] } => {
  const codes = Array.from({ length: RECOVERY_CODES }, () => newCode(RECOVERY_SYMBOLS));
  return { shown: { recovery_codes: codes.map(showCode) }, hashes: codes.map(hashToken) };
};

const isActive = isNotNull(totps.confirmedAt);
const isPending = isNull(totps.confirmedAt);

/**
 * Judges a code of the app, for a second factor that is on, or one that waits for its first code. It is counted as wrong
 * before it is judged, of however many at once.
 * @returns the time step that the code is of, and the secret as it is stored, else what is wrong with it
 */
async function judgeCode(
  { db, seals, calendar: { now } }: Visit,
  userId: number,
  code: string,
  state: typeof isActive,
): Promise<{ step: number; sealed: string } | { fault: string }> {
  if (!CODE.test(code)) return { fault: IS_WRONG };
  const windowBegan = new Date(now.getTime() - WRONG_CODES_WINDOW).toISOString();
  const isNewWindow = sql`(${totps.wrongSince} is null or ${totps.wrongSince} <= ${windowBegan}::timestamptz)`;
  const totp = oneOrNone(
    await db
      .update(totps)
      .set({
        wrongCodes: sql`case when ${isNewWindow} then 1 else ${totps.wrongCodes} + 1 end`,
        wrongSince: sql`case when ${isNewWindow} then ${now.toISOString()}::timestamptz else ${totps.wrongSince} end`,
      })
      .where(and(eq(totps.userId, userId), state, or(isNewWindow, lt(totps.wrongCodes, MAX_WRONG_CODES))))
      .returning({ sealed: totps.sealedSecret, keyId: totps.keyId }),
  );
  if (totp === undefined) return { fault: IS_WRONG };
  const secret = seals.open(totp, ofUser(userId));
  if (secret === undefined) return { fault: IS_LOST };
  const generator = new TOTP({ secret: Secret.fromBase32(secret), period: PERIOD });
  const timestamp = now.getTime();
  const delta = generator.validate({ token: code, timestamp, window: 1 });
  return delta === null ? { fault: IS_WRONG } : { step: generator.counter({ timestamp }) + delta, sealed: totp.sealed };
}

/** Whether it is the one that the code was judged by: meanwhile another may have been set up. */
const hasSecret = ({ sealed }: { sealed: string }) => eq(totps.sealedSecret, sealed);

/** What the use of a code changes: it is not wrong, and neither it nor one before it is good again. */
const useOf = (step: number) => ({
  lastStep: step,
  wrongCodes: sql`greatest(${totps.wrongCodes} - 1, 0)`,
  wrongSince: sql`case when ${totps.wrongCodes} > 1 then ${totps.wrongSince} end`,
});

async function takeCode(visit: Visit, userId: number, code: string): Promise<string | undefined> {
  const judged = await judgeCode(visit, userId, code, isActive);
  if ('fault' in judged) return judged.fault;
  const isUnused = or(isNull(totps.lastStep), lt(totps.lastStep, judged.step));
  const used = await visit.db
    .update(totps)
    .set(useOf(judged.step))
    .where(and(eq(totps.userId, userId), isActive, hasSecret(judged), isUnused))
    .returning({ userId: totps.userId });
  return used.length > 0 ? undefined : IS_WRONG;
}

async function takeRecoveryCode(visit: Visit, userId: number, code: string): Promise<string | undefined> {
  const hash = hashToken(readCode(code));
  const used = await inTransaction(visit, ({ db }) =>
    db
      .update(totps)
      .set({ recoveryHashes: sql`array_remove(${totps.recoveryHashes}, ${hash})` })
      .where(and(eq(totps.userId, userId), isActive, sql`${hash} = any(${totps.recoveryHashes})`))
      .returning({ userId: totps.userId }),
  );
  return used.length > 0 ? undefined : IS_WRONG;
}

/**
 * Uses up a code of the app or a recovery code.
 * @returns what is wrong with it, in words that follow its name; undefined where it is right
 */
export function takeOtp(visit: Visit, userId: number, otp: string): Promise<string | undefined> {
  const digits = digitsOf(otp);
  return CODE.test(digits) ? takeCode(visit, userId, digits) : takeRecoveryCode(visit, userId, otp);
}

/** Of how somebody has typed a code of the app. */
const digitsOf = (typed: string): string => typed.normalize('NFKC').replaceAll(/[\s-]/g, '');

/**
 * Makes sure that it is the caller who calls, and not somebody who has found the access token.
 * @param otp undefined where none is asked for
 * @throws InvalidInput
 */
export async function proveCaller(visit: PersonVisit, password: string, otp?: string): Promise<{ username: string }> {
  const { db, caller, logins, signal } = visit;
  const user = oneOrNone(
    await db
      .select({
        username: users.username,
        passwordHash: users.passwordHash,
        hasTotp: sql<boolean>`${totps.confirmedAt} is not null`,
      })
      .from(users)
      .leftJoin(totps, eq(totps.userId, users.id))
      .where(eq(users.id, caller.id)),
  );
  if (user === undefined) throw new NotFound();
  let errors: Record<string, string[]> = { current_password: ['is wrong'] };
  const isProved = await logins.judge(user.username, async () => {
    if (!(await verifyPassword(user.passwordHash, password, { by: caller.id, signal }))) return false;
    if (otp === undefined) return true;
    const fault = user.hasTotp ? await takeOtp(visit, caller.id, otp) : IS_FOR_NOTHING;
    if (fault === undefined) return true;
    errors = { otp: [fault] };
    return false;
  });
  if (!isProved) throw new InvalidInput(errors);
  return user;
}

export async function getTotp({ db, caller }: PersonVisit): Promise<TotpState> {
  const totp = oneOrNone(
    await db
      .select({ left: sql<number>`cardinality(${totps.recoveryHashes})` })
      .from(totps)
      .where(and(eq(totps.userId, caller.id), isActive)),
  );
  return { is_active: totp !== undefined, recovery_codes_left: totp?.left ?? 0 };
}

/**
 * @throws InvalidInput for a wrong password
 * @throws TotpActive
 */
export async function createTotp(visit: PersonVisit, { body }: Input<'createTotp'>): Promise<TotpSecret> {
  const { caller, seals, clinicName } = visit;
  const { username } = await proveCaller(visit, body.current_password);
  const secret = new Secret({ size: SECRET_BYTES });
  const { sealed, keyId } = seals.seal(secret.base32, ofUser(caller.id));
  const fresh = { sealedSecret: sealed, keyId, wrongCodes: 0, wrongSince: null, createdAt: sql`now()` };
  const made = await inTransaction(visit, ({ db }) =>
    db
      .insert(totps)
      .values({ userId: caller.id, ...fresh })
      .onConflictDoUpdate({ target: totps.userId, set: fresh, setWhere: isPending })
      .returning({ userId: totps.userId }),
  );
  if (made.length === 0) throw new TotpActive();
  const uri = new TOTP({ issuer: clinicName, label: username, secret, period: PERIOD }).toString();
  return { secret: secret.base32, uri };
}

/** @throws InvalidInput for a code that is not the app's */
export async function confirmTotp(visit: PersonVisit, { body }: Input<'confirmTotp'>): Promise<RecoveryCodes> {
  const { db, caller, tokens, calendar } = visit;
  const { id: userId, session } = caller;
  const pending = and(eq(totps.userId, userId), isPending);
  if ((await db.$count(totps, pending)) === 0) throw new InvalidInput({ code: [NOTHING_TO_CONFIRM] });
  const judged = await judgeCode(visit, userId, digitsOf(body.code), isPending);
  if ('fault' in judged) throw new InvalidInput({ code: [judged.fault] });
  const { shown, hashes } = newRecoveryCodes();
  await inTransaction(visit, async ({ db }) => {
    const confirmed = await db
      .update(totps)
      .set({ ...useOf(judged.step), confirmedAt: calendar.now, recoveryHashes: hashes })
      .where(and(pending, hasSecret(judged)))
      .returning({ userId: totps.userId });
    if (confirmed.length === 0) throw new InvalidInput({ code: [IS_WRONG] });
    await db
      .update(sessions)
      .set({ hasSecondFactor: true })
      .where(and(eq(sessions.userId, userId), eq(sessions.tokenHash, session ?? '')));
  });
  if (session !== null) tokens.forgetSession(session);
  return shown;
}

/** @throws InvalidInput for a wrong password or code */
export async function createRecoveryCodes(
  visit: PersonVisit,
  { body }: Input<'createRecoveryCodes'>,
): Promise<RecoveryCodes> {
  const { caller } = visit;
  await proveCaller(visit, body.current_password, body.otp);
  const { shown, hashes } = newRecoveryCodes();
  const changed = await inTransaction(visit, ({ db }) =>
    db
      .update(totps)
      .set({ recoveryHashes: hashes })
      .where(and(eq(totps.userId, caller.id), isActive))
      .returning({ userId: totps.userId }),
  );
  if (changed.length === 0) throw new InvalidInput({ otp: [IS_FOR_NOTHING] });
  return shown;
}

/**
 * Removes a second factor, with all sessions but one, if any, which is none with a second factor any more. Logins that
 * are under way open none either.
 * @returns whether there was one
 */
function remove(visit: PersonVisit, userId: number, kept: string | null): Promise<boolean> {
  return inTransaction(visit, async ({ db }) => {
    const removed = await db
      .delete(totps)
      .where(and(eq(totps.userId, userId), isActive))
      .returning({ userId: totps.userId });
    if (removed.length === 0) return false;
    await db.update(users).set(voidTokens(kept)).where(eq(users.id, userId));
    await endSessions({ db }, userId, kept);
    await db.update(sessions).set({ hasSecondFactor: false }).where(eq(sessions.userId, userId));
    return true;
  });
}

/** @throws InvalidInput for a wrong password or code */
export async function removeTotp(visit: PersonVisit, { body }: Input<'removeTotp'>): Promise<void> {
  const { caller, tokens } = visit;
  await proveCaller(visit, body.current_password, body.otp);
  await remove(visit, caller.id, caller.session);
  tokens.forgetUser(caller.id);
  if (caller.session !== null) tokens.forgetSession(caller.session);
}

/** @throws NotAllowed for the caller's own: a stolen access token must not take it away */
export async function deleteUserTotp(visit: PersonVisit, { params: { id } }: Input<'deleteUserTotp'>): Promise<void> {
  if (id === visit.caller.id) throw new NotAllowed('Remove your own with POST /api/user/totp/remove/.');
  if (!(await remove(visit, id, null))) throw new NotFound();
  visit.tokens.forgetUser(id);
}

/**
 * Seals with the present key what an older one has sealed.
 * @returns how many can not be opened, as their key is of a secret that is not among the server's any more
 */
export async function resealTotps(db: Db, seals: Seals): Promise<number> {
  const old: (Sealed & { userId: number })[] = await db
    .select({ userId: totps.userId, sealed: totps.sealedSecret, keyId: totps.keyId })
    .from(totps)
    .where(ne(totps.keyId, seals.keyId));
  let lost = 0;
  for (const { userId, ...before } of old) {
    const secret = seals.open(before, ofUser(userId));
    if (secret === undefined) {
      lost++;
      continue;
    }
    const { sealed, keyId } = seals.seal(secret, ofUser(userId));
    // Set up anew meanwhile, it is another one.
    const isSame = and(eq(totps.userId, userId), eq(totps.sealedSecret, before.sealed));
    await db.update(totps).set({ sealedSecret: sealed, keyId }).where(isSame);
  }
  return lost;
}
