import { and, eq, gt, lt, ne, or, sql } from 'drizzle-orm';
import { isIP } from 'node:net';
import { transaction, violatedConstraint, type Db, type Tx } from '../../../db/client.js';
import { one, oneOrNone } from '../../../db/rows.js';
import { caseless } from '../../../db/tables/columns.js';
import { patients, profiles, sessions, totps, users } from '../../../db/tables/index.js';
import type {
  AccessToken,
  Message,
  ProfilePatch,
  RegistrationResult,
  Tokens,
  User,
} from '../../../openapi/generated/schemas.js';
import type { Input } from '../../../openapi/operation.js';
import { ProblemError } from '../../../openapi/problem-error.js';
import type { Turn } from '../../../openapi/turns.js';
import { AlreadyTaken, explain, InvalidInput, NotAllowed } from '../../lib/errors.js';
import { hashPassword, NO_PASSWORD, passwordFaults, verifyPassword } from '../../lib/passwords.js';
import type { Given } from '../../lib/patches.js';
import { hashToken, newToken } from '../../lib/tokens.js';
import { signTransaction } from '../../lib/history.js';
import { inTransaction, type Person, type Visit, type Within } from '../../lib/visit.js';
import { takeOtp } from './totps.js';
import { takeInvitation, tieToAccount } from '../patients/invitations.js';

/** One and the same for a wrong name, a wrong password, an inactive user and a refresh token that opens nothing. */
export class BadCredentials extends ProblemError {
  constructor(detail: string) {
    super('not-authenticated', detail, {}, { 'www-authenticate': 'Bearer' });
  }
}

class WrongPassword extends BadCredentials {
  constructor() {
    super('User name or password is wrong, or the user is inactive.');
  }
}

export class OtpRequired extends ProblemError {
  constructor() {
    const detail = 'The user has a second factor: send the code of the app, or a recovery code, as otp.';
    super('otp-required', detail, {}, { 'www-authenticate': 'Bearer' });
  }
}

export class OtpWrong extends ProblemError {
  /** @param fault in words that follow the code's name */
  constructor(fault: string) {
    super('otp-wrong', `The code ${fault}.`, {}, { 'www-authenticate': 'Bearer' });
  }
}

class StaleRefreshToken extends BadCredentials {
  constructor() {
    super('The refresh token is not valid, has expired or was logged out.');
  }
}

declare module 'fastify' {
  interface Visit {
    /** Whether a refresh token is good once. */
    readonly refreshRotation: boolean;
  }
}

export const userColumns = {
  id: users.id,
  username: users.username,
  email: users.email,
  firstName: users.firstName,
  lastName: users.lastName,
  isStaff: users.isStaff,
  isActive: users.isActive,
  dateJoined: users.dateJoined,
};

interface UserRow {
  id: number;
  username: string;
  email: string;
  firstName: string;
  lastName: string;
  isStaff: boolean;
  isActive: boolean;
  dateJoined: Date;
}

export function toUser(row: UserRow): User {
  return {
    id: row.id,
    username: row.username,
    email: row.email,
    first_name: row.firstName,
    last_name: row.lastName,
    is_staff: row.isStaff,
    is_active: row.isActive,
    date_joined: row.dateJoined.toISOString(),
  };
}

/** Holds of a user while all is as it was when the password was judged. */
export const isUnchanged = ({ id, generation }: { id: number; generation: number }) =>
  and(eq(users.id, id), eq(users.tokenGeneration, generation), eq(users.isActive, true));

/** As much of what a program says of itself as a user needs to know it again. */
const shortened = (userAgent: string | undefined): string | null =>
  userAgent
    ?.replaceAll(/\p{Cc}/gu, '')
    .trim()
    .slice(0, 200) || null;

/**
 * Opens a session and gives its two tokens.
 * @param user with the generation that was read with the password
 * @param hasSecondFactor whether a code was sent too, which was right
 * @returns undefined where that is another one by now: the password was changed while it was judged, or the user has
 * become inactive
 */
export async function openSession(
  { db, tokens, client, userAgent }: Pick<Visit, 'db' | 'tokens' | 'client' | 'userAgent'>,
  user: { id: number; generation: number },
  hasSecondFactor = false,
): Promise<Tokens | undefined> {
  const sessionId = newToken();
  const { token, expiresAt } = tokens.signRefresh(user.id, sessionId);
  const tokenHash = hashToken(sessionId);
  // Locked, the user is read as a change that is under way leaves it, or that change finds the session to end.
  const stored = await db.execute(sql`
    insert into ${sessions} (token_hash, user_id, expires_at, has_second_factor, address, user_agent)
    select ${tokenHash}, ${users.id}, ${expiresAt.toISOString()}::timestamptz, ${hasSecondFactor}::boolean,
      ${isIP(client) ? client : null}::text,
      ${shortened(userAgent)}::text
    from ${users}
    where ${isUnchanged(user)} for share
    returning user_id`);
  if (stored.length === 0) return undefined;
  return { refresh: token, access: tokens.signAccess(user.id, tokenHash, user.generation) };
}

export interface NewUser {
  username: string;
  email: string;
  /** Null: the user signs in by other means. */
  password: string | null;
  first_name?: string;
  last_name?: string;
  isStaff?: boolean;
  /** The token by which a patient record that waits for its account becomes the user's. */
  invitation?: string;
}

const USER_CONSTRAINTS = new Set(['users_username_key', 'users_email_key']);

/** Which of the unique fields are taken by another user than `ownId`; both, where both are. */
async function takenFields(
  db: Db | Tx,
  { username = null, email = null }: { username?: string | null | undefined; email?: string | null | undefined },
  ownId = 0,
): Promise<string[]> {
  const hasUsername = sql<boolean>`${caseless(users.username)} = ${caseless(username)}`;
  const hasEmail = sql<boolean>`${caseless(users.email)} = ${caseless(email)}`;
  const rows = await db
    .select({ username: hasUsername, email: hasEmail })
    .from(users)
    .where(and(ne(users.id, ownId), or(hasUsername, hasEmail)));
  return (['username', 'email'] as const).filter((field) => rows.some((row) => row[field]));
}

/** @throws InvalidInput where the password is much like the names that the user has by an invitation */
function checkPassword(password: string, own: readonly string[]): void {
  const faults = passwordFaults(password, own);
  if (faults.length > 0) throw new InvalidInput({ password: faults });
}

/**
 * Makes a user with an empty profile and an empty patient record, or the one that an invitation is of, all or nothing.
 * @param visit of a command of the operator's, the database alone
 * @param alsoDo further work of the same transaction
 * @throws AlreadyTaken where user name or email is taken, without regard to case
 */
export async function createUser<T>(
  { db, ...visit }: Pick<Visit, 'db'> & Partial<Pick<Visit, 'request' | 'client' | 'signal'>>,
  input: NewUser,
  alsoDo: (tx: Tx, user: User) => Promise<T>,
): Promise<{ user: User; result: T }> {
  const { request, client: by = '', signal } = visit;
  const { password } = input;
  const passwordHash = password === null ? NO_PASSWORD : await hashPassword(password, { by, signal });
  try {
    return await transaction(db, async (tx) => {
      if (request !== undefined) await signTransaction(tx, { caller: null, client: by, request });
      const invited = input.invitation === undefined ? undefined : await takeInvitation({ db: tx }, input.invitation);
      const firstName = input.first_name ?? invited?.firstName ?? '';
      const lastName = input.last_name ?? invited?.lastName ?? '';
      if (invited !== undefined && password !== null) checkPassword(password, [firstName, lastName]);
      const row = one(
        await tx
          .insert(users)
          .values({
            ...{ username: input.username, email: input.email, firstName, lastName },
            passwordHash,
            isStaff: input.isStaff ?? false,
          })
          .returning(userColumns),
      );
      const user = toUser(row);
      await tx.insert(profiles).values({ userId: user.id, dateOfBirth: invited?.dateOfBirth });
      if (invited === undefined) await tx.insert(patients).values({ userId: user.id });
      else await tieToAccount({ db: tx }, invited.patientId, user.id);
      return { user, result: await alsoDo(tx, user) };
    });
  } catch (error) {
    if (!USER_CONSTRAINTS.has(violatedConstraint(error) ?? '')) throw error;
    const taken = await takenFields(db, input);
    throw taken.length > 0 ? new AlreadyTaken(taken) : error;
  }
}

/**
 * Changes what is given, by registration's rules.
 * @throws AlreadyTaken where user name or email is another user's, without regard to case
 */
export async function changeUser(
  { db }: Within,
  id: number,
  input: Given<Pick<ProfilePatch, 'username' | 'email' | 'first_name' | 'last_name'>>,
): Promise<void> {
  const { username, email, first_name: firstName, last_name: lastName } = input;
  const changes = { username, email, firstName, lastName };
  if (Object.values(changes).every((value) => value === undefined)) return;
  // The constraints decide, but name one field only; and two users who swap names would wait for each other.
  const taken = await takenFields(db, input, id);
  if (taken.length > 0) throw new AlreadyTaken(taken);
  await explain(db.update(users).set(changes).where(eq(users.id, id)), {
    users_username_key: () => new AlreadyTaken(['username']),
    users_email_key: () => new AlreadyTaken(['email']),
  });
}

/** Of somebody who is not signed in yet. */
export const turnOf = ({ client, signal }: Visit): Turn => ({ by: client, signal });

export async function registerUser(visit: Visit, { body }: Input<'registerUser'>): Promise<RegistrationResult> {
  const { user, result } = await createUser(visit, body, async (db, { id }) => {
    const tokens = await openSession({ ...visit, db }, { id, generation: 0 });
    if (tokens === undefined) throw new Error('a user who was made here is another one');
    return tokens;
  });
  return { message: 'User registered successfully.', tokens: result, user };
}

/** What a sign-in goes by. */
export const signInColumns = {
  ...{ id: users.id, isActive: users.isActive, isStaff: users.isStaff, generation: users.tokenGeneration },
  hasTotp: sql<boolean>`${totps.confirmedAt} is not null`,
};

/**
 * Signs in whoever has proved to be a user.
 * @param alsoDo further work of the same transaction
 * @returns undefined where the user is not any more what was judged
 */
export async function signIn(
  visit: Visit,
  user: { id: number; isStaff: boolean; generation: number },
  hasSecondFactor: boolean,
  alsoDo: (visit: Within) => Promise<void> = async () => undefined,
): Promise<Tokens | undefined> {
  await visit.logins.succeed(user.id);
  const caller = { id: user.id, isStaff: user.isStaff, session: null };
  return inTransaction({ ...visit, caller }, async (visit) => {
    const pair = await openSession(visit, user, hasSecondFactor);
    if (pair === undefined) return undefined;
    await visit.db.delete(sessions).where(and(eq(sessions.userId, user.id), lt(sessions.expiresAt, sql`now()`)));
    await alsoDo(visit);
    return pair;
  });
}

/**
 * @throws BadCredentials, alike for whatever is wrong and in the same time
 * @throws OtpRequired, OtpWrong to whoever has the right password
 */
export async function logIn(visit: Visit, { body }: Input<'logIn'>): Promise<Tokens> {
  const { db, logins } = visit;
  const { otp = '' } = body;
  let refusal: ProblemError = new WrongPassword();
  const user = await logins.judge(body.username, async () => {
    const row = oneOrNone(
      await db
        .select({ ...signInColumns, passwordHash: users.passwordHash })
        .from(users)
        .leftJoin(totps, eq(totps.userId, users.id))
        .where(eq(caseless(users.username), caseless(body.username))),
    );
    const isRight = await verifyPassword(row?.passwordHash, body.password, turnOf(visit));
    if (!isRight || row?.isActive !== true) return undefined;
    if (!row.hasTotp) return row;
    if (otp.trim() === '') {
      // Of a clinic that shares an address, everybody may begin with the password.
      await logins.succeed(row.id);
      refusal = new OtpRequired();
      return undefined;
    }
    const caller = { id: row.id, isStaff: row.isStaff, session: null };
    const fault = await takeOtp({ ...visit, caller }, row.id, otp);
    if (fault === undefined) return row;
    refusal = new OtpWrong(fault);
    return undefined;
  });
  if (user === undefined) throw refusal;
  const tokens = await signIn(visit, user, user.hasTotp);
  if (tokens === undefined) throw new WrongPassword();
  return tokens;
}

class RefreshTokenReused extends ProblemError {
  constructor() {
    const detail = 'The refresh token was used before. Its session is ended.';
    super('refresh-token-reused', detail, {}, { 'www-authenticate': 'Bearer' });
  }
}

/**
 * How long the token before the newest may be sent again, in milliseconds: a client whose answer was lost hears of it by
 * its time limit, mostly 30 s, and is not to be shut out. Whoever has copied a token does not get past RFC 9700 (4.14.2)
 * by it: they are given the successor that the client has too, and one of the two is the second to use that.
 */
const REPEAT_WITHIN = 60_000;

/**
 * Spends a refresh token, for the next one of its session. Of one that was spent before it ends the session.
 * @returns how many tokens came before the next one; undefined where the session has ended
 * @throws RefreshTokenReused
 */
async function rotate(visit: Visit, tokenHash: string, rotation: number): Promise<number | undefined> {
  const {
    db,
    tokens,
    calendar: { now },
  } = visit;
  const next = rotation + 1;
  const isNewest = eq(sessions.rotations, rotation);
  const isRepeat = and(eq(sessions.rotations, next), gt(sessions.refreshedAt, new Date(now.getTime() - REPEAT_WITHIN)));
  const refreshedAt = sql`case when ${isNewest} then ${now.toISOString()}::timestamptz else ${sessions.refreshedAt} end`;
  const session = eq(sessions.tokenHash, tokenHash);
  const rotated = await db
    .update(sessions)
    .set({ rotations: next, refreshedAt })
    .where(and(session, or(isNewest, isRepeat)))
    .returning({ rotations: sessions.rotations });
  if (rotated.length > 0) return next;
  const ended = await inTransaction(visit, ({ db }) =>
    db
      .delete(sessions)
      .where(and(session, gt(sessions.rotations, rotation)))
      .returning({ rotations: sessions.rotations }),
  );
  if (ended.length === 0) return undefined;
  tokens.forgetSession(tokenHash);
  throw new RefreshTokenReused();
}

/** Notes when a session was refreshed, where its one refresh token stays good. */
async function noteRefresh({ db, calendar: { now } }: Visit, tokenHash: string): Promise<void> {
  await db.update(sessions).set({ refreshedAt: now }).where(eq(sessions.tokenHash, tokenHash));
}

/** @throws RefreshTokenReused */
export async function refreshToken(visit: Visit, { body }: Input<'refreshToken'>): Promise<AccessToken> {
  const { db, tokens, logins, refreshRotation } = visit;
  const claims = tokens.readRefresh(body.refresh, false);
  const found =
    claims === null
      ? []
      : await db
          .select({
            userId: sessions.userId,
            tokenHash: sessions.tokenHash,
            expiresAt: sessions.expiresAt,
            generation: users.tokenGeneration,
          })
          .from(sessions)
          .innerJoin(users, eq(users.id, sessions.userId))
          .where(
            and(
              eq(sessions.tokenHash, hashToken(claims.sessionId)),
              eq(sessions.userId, claims.userId),
              gt(sessions.expiresAt, sql`now()`),
              eq(users.isActive, true),
            ),
          );
  const session = oneOrNone(found);
  if (claims === null || session === undefined) throw new StaleRefreshToken();
  const { userId, tokenHash, expiresAt, generation } = session;
  await logins.succeed(userId);
  const access = tokens.signAccess(userId, tokenHash, generation);
  if (!refreshRotation) {
    await noteRefresh(visit, tokenHash);
    return { access };
  }
  const rotation = await rotate(visit, tokenHash, claims.rotation);
  if (rotation === undefined) throw new StaleRefreshToken();
  return { access, refresh: tokens.signSuccessor(userId, claims.sessionId, rotation, expiresAt) };
}

/**
 * Ends a session. One that has ended already is no error, as RFC 7009 (section 2.2) has it.
 * @throws InvalidInput where the token is no refresh token of this server
 * @throws NotAllowed where the caller is another user than the token's
 */
export async function logOut(
  visit: Visit & { readonly caller: Person | null },
  { body }: Input<'logOut'>,
): Promise<Message> {
  const { tokens, caller } = visit;
  const claims = tokens.readRefresh(body.refresh, true);
  if (claims === null) throw new InvalidInput({ refresh: ['must be a refresh token of this server'] });
  if (caller !== null && caller.id !== claims.userId) throw new NotAllowed('The refresh token is of another user.');
  const session = hashToken(claims.sessionId);
  await inTransaction(visit, ({ db }) => db.delete(sessions).where(eq(sessions.tokenHash, session)));
  tokens.forgetSession(session);
  return { message: 'Logged out successfully.' };
}
