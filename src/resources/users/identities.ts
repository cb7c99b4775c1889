/**
 * Signing in by OpenID Connect: the code flow with PKCE, for a front end that sends its user to the provider and back. What
 * has to be remembered meanwhile goes with the user as `state`, sealed: the server stores nothing of a flow.
 */
import { and, eq, sql, type SQL } from 'drizzle-orm';
import { column, jsonArray, jsonObject, JsonText, timestampText } from '../../../db/json.js';
import { one, oneOrNone } from '../../../db/rows.js';
import { identities, totps, users } from '../../../db/tables/index.js';
import type { Identity, OidcSignInUrl, Tokens } from '../../../openapi/generated/schemas.js';
import type { Input } from '../../../openapi/operation.js';
import { ProblemError } from '../../../openapi/problem-error.js';
import { AlreadyTaken, explain, InUse, InvalidInput, NotAllowed, NotConfigured, NotFound } from '../../lib/errors.js';
import { NO_PASSWORD } from '../../lib/passwords.js';
import { newToken } from '../../lib/tokens.js';
import { inTransaction, type Person, type PersonVisit, type Visit, type Within } from '../../lib/visit.js';
import type { Claims, Confirmed, Flow, OpenIdProvider } from './openid-provider.js';
import {
  BadCredentials,
  createUser,
  openSession,
  OtpRequired,
  OtpWrong,
  signIn,
  signInColumns,
  type NewUser,
} from './service.js';
import { proveCaller, takeOtp } from './totps.js';

/** Milliseconds from the beginning of a flow to its end. */
const LIFETIME = 600_000;

type SomeVisit = Visit & { readonly caller: Person | null };

/** What goes with the user as `state`. */
interface State extends Flow {
  readonly expiresAt: number;
  /** Whose identity it is to be; null for who signs in. */
  readonly linkTo: number | null;
}

/** One and the same for whatever the provider, and what is known of the user, has against it. */
class NotConfirmed extends BadCredentials {
  constructor() {
    super('The provider does not confirm this sign-in, the code was used before, or the user is inactive.');
  }
}

class IdentityUnknown extends ProblemError {
  constructor() {
    const next = 'Sign in with user name and password, and link it from there.';
    super('identity-unknown', `Nobody here is linked to whom you are at the provider. ${next}`);
  }
}

class IdentityLinked extends ProblemError {
  constructor(detail: string) {
    super('already-exists', detail);
  }
}
const ofAnother = () => new IdentityLinked('Whom you are at the provider is linked to another user.');
const isSecond = () => new IdentityLinked('You are linked to somebody else at the provider. Remove that first.');

/** @throws NotConfigured */
function providerOf({ oidc }: Visit): OpenIdProvider {
  if (oidc === null) throw new NotConfigured('This server takes no sign-in by OpenID Connect: OIDC_ISSUER is not set.');
  return oidc;
}

const PURPOSE = 'oidc state';

function sealState({ seals }: Visit, state: State): string {
  const { sealed, keyId } = seals.seal(JSON.stringify(state), PURPOSE);
  return `${keyId}.${Buffer.from(sealed, 'base64').toString('base64url')}`;
}

/** @throws InvalidInput */
function openState({ seals, calendar: { now } }: Visit, text: string): State {
  const [, keyId = '', sealed = ''] = /^([\w-]{1,40})\.([\w-]+)$/.exec(text) ?? [];
  let opened: string | undefined;
  try {
    opened = seals.open({ keyId, sealed }, PURPOSE);
  } catch {
    // It was not sealed so.
  }
  const state = opened === undefined ? undefined : (JSON.parse(opened) as State);
  if (state === undefined || state.expiresAt <= now.getTime()) {
    throw new InvalidInput({ state: ['is not one of this server, or has expired: begin again'] });
  }
  return state;
}

/**
 * Begins a flow: for who is signed in, one that links.
 * @throws InvalidInput for a page that is not listed, or a wrong password
 * @throws NotConfigured
 */
export async function startOidcSignIn(visit: SomeVisit, { body }: Input<'startOidcSignIn'>): Promise<OidcSignInUrl> {
  const { caller, calendar } = visit;
  const provider = providerOf(visit);
  const { redirect_uri: redirectUri, current_password: password } = body;
  if (!provider.redirectUris.includes(redirectUri)) {
    throw new InvalidInput({ redirect_uri: ['is not one of those that the server is set up with'] });
  }
  if (caller !== null) {
    // A stolen access token must not become a way in that stays.
    if (password === undefined) throw new InvalidInput({ current_password: ['is required of who is signed in'] });
    await proveCaller({ ...visit, caller }, password);
  }
  const flow = provider.begin(redirectUri);
  const expiresAt = calendar.now.getTime() + LIFETIME;
  const state = sealState(visit, { ...flow, expiresAt, linkTo: caller?.id ?? null });
  return { authorization_url: await provider.urlOf(flow, state), state };
}

/** Somebody who signs in, with the identity by which, if it is linked. */
async function findUser({ db }: Visit, { issuer, subject }: Confirmed, linkTo: number | null) {
  const isIdentity = and(eq(identities.issuer, issuer), eq(identities.subject, subject));
  const linked = oneOrNone(
    await db.select({ id: identities.id, userId: identities.userId }).from(identities).where(isIdentity),
  );
  if (linked !== undefined && linkTo !== null && linked.userId !== linkTo) throw ofAnother();
  const userId = linkTo ?? linked?.userId;
  if (userId === undefined) return undefined;
  const user = oneOrNone(
    await db.select(signInColumns).from(users).leftJoin(totps, eq(totps.userId, users.id)).where(eq(users.id, userId)),
  );
  return { identityId: linked?.id, user };
}

const link = ({ db }: Pick<Within, 'db'>, userId: number, { issuer, subject }: Confirmed, lastUsedAt: Date) =>
  explain(db.insert(identities).values({ userId, issuer, subject, lastUsedAt }), {
    identities_subject_key: ofAnother,
    identities_user_key: isSecond,
  });

/** @throws NotConfirmed where it was taken away meanwhile */
async function noteUse({ db, calendar: { now } }: Within, identityId: number): Promise<void> {
  const used = await db
    .update(identities)
    .set({ lastUsedAt: now })
    .where(eq(identities.id, identityId))
    .returning({ id: identities.id });
  if (used.length === 0) throw new NotConfirmed();
}

/** A claim that is a text, as it may stand in a name. */
const textOf = (claim: unknown): string =>
  typeof claim === 'string' ? claim.normalize('NFC').replaceAll(/\p{C}/gu, '').trim().slice(0, 150).trim() : '';

/** What somebody is registered as, by what the provider says. */
function newUserOf(claims: Claims, subject: string): Omit<NewUser, 'email'> & { email: string | undefined } {
  const nameOf = (claim: unknown) =>
    textOf(claim)
      .replaceAll(/[^\w.@+-]/g, '')
      .slice(0, 140);
  const email = claims['email_verified'] === true ? textOf(claims['email']) : '';
  return {
    username: nameOf(claims['preferred_username']) || nameOf(subject) || 'user',
    email: /^[\w.!#$%&'*+/=?^`{|}~-]{1,64}@[a-z\d-]+(\.[a-z\d-]+)+$/i.test(email) ? email : undefined,
    password: null,
    first_name: textOf(claims['given_name']),
    last_name: textOf(claims['family_name']),
  };
}

/**
 * Registers somebody: under another name where that is taken, and without an email that is.
 * @returns undefined where that has happened at the same time
 */
async function register(visit: Visit, confirmed: Confirmed): Promise<Tokens | undefined> {
  const { calendar } = visit;
  const { email, ...wanted } = newUserOf(await confirmed.profile(), confirmed.subject);
  const suffix = newToken().slice(0, 8);
  // A reserved name (RFC 2606), to which no mail can be sent.
  const nobody = `user-${newToken()}@oidc.invalid`;
  const attempts = [wanted.username, `${wanted.username}-${suffix}`].flatMap((username) =>
    [email, nobody].flatMap((address) => (address === undefined ? [] : [{ ...wanted, username, email: address }])),
  );
  for (const input of attempts) {
    try {
      const { result } = await createUser(visit, input, async (db, { id }) => {
        await link({ db }, id, confirmed, calendar.now);
        return openSession({ ...visit, db }, { id, generation: 0 }, confirmed.hasSecondFactor);
      });
      return result;
    } catch (error) {
      if (error instanceof IdentityLinked) return undefined;
      if (!(error instanceof AlreadyTaken)) throw error;
    }
  }
  throw new Error('a name made by chance is taken');
}

/**
 * Ends a flow: signs in whom the provider confirms, and links before where it was begun by somebody who is signed in.
 * @throws InvalidInput, NotConfirmed, OtpRequired, OtpWrong, NotAllowed, IdentityUnknown, IdentityLinked, NotConfigured
 */
export async function finishOidcSignIn(visit: SomeVisit, { body }: Input<'finishOidcSignIn'>): Promise<Tokens> {
  const { caller, calendar } = visit;
  const provider = providerOf(visit);
  const state = openState(visit, body.state);
  const { linkTo } = state;
  if (linkTo !== null) {
    if (caller === null) throw new BadCredentials('To link needs the access token of the user who has begun it.');
    if (caller.id !== linkTo) throw new NotAllowed('Another user has begun this.');
  }
  const confirmed = await provider.confirm(state, body.code);
  if (confirmed === undefined || confirmed.subject.length > 255) throw new NotConfirmed();
  let found = await findUser(visit, confirmed, linkTo);
  if (found === undefined) {
    if (!provider.createUsers) throw new IdentityUnknown();
    const tokens = await register(visit, confirmed);
    if (tokens !== undefined) return tokens;
    found = await findUser(visit, confirmed, linkTo);
  }
  const { user, identityId } = found ?? {};
  if (user?.isActive !== true) throw new NotConfirmed();
  const { otp = '' } = body;
  // To link, a second factor elsewhere is none: whose it is has yet to be shown.
  const needsOtp = user.hasTotp && (linkTo !== null || !confirmed.hasSecondFactor);
  if (needsOtp) {
    if (otp.trim() === '') throw new OtpRequired();
    const fault = await takeOtp({ ...visit, caller: { ...user, session: null } }, user.id, otp);
    if (fault !== undefined) throw new OtpWrong(fault);
  }
  const tokens = await signIn(visit, user, needsOtp || confirmed.hasSecondFactor, async (within) => {
    if (identityId === undefined) await link(within, user.id, confirmed, calendar.now);
    else await noteUse(within, identityId);
  });
  if (tokens === undefined) throw new NotConfirmed();
  return tokens;
}

export const identityJson = jsonObject<Identity>({
  id: column(identities.id),
  issuer: column(identities.issuer),
  subject: column(identities.subject),
  linked_at: timestampText(identities.linkedAt),
  last_used_at: timestampText<string | null>(identities.lastUsedAt),
});

/** A user's identities as a JSON array: one of each provider that there ever was. */
export const identitiesOf = (userId: SQL | number): SQL<Identity[]> =>
  jsonArray<Identity>(
    sql`select ${identityJson} from ${identities} where ${identities.userId} = ${userId} order by ${identities.id}`,
  );

export async function listIdentities({ db, caller }: PersonVisit): Promise<JsonText<Identity[]>> {
  const { list } = one(await db.execute<{ list: string }>(sql`select ${identitiesOf(caller.id)}::text as list`));
  return new JsonText(list);
}

/**
 * @throws NotFound also for another user's
 * @throws InUse where it is the only way in
 * @throws InvalidInput for a wrong password
 */
export async function removeIdentity(
  visit: PersonVisit,
  { params: { id }, body }: Input<'removeIdentity'>,
): Promise<void> {
  const isOwn = and(eq(identities.id, id), eq(identities.userId, visit.caller.id));
  const found = oneOrNone(
    await visit.db
      .select({ passwordHash: users.passwordHash })
      .from(identities)
      .innerJoin(users, eq(users.id, identities.userId))
      .where(isOwn),
  );
  if (found === undefined) throw new NotFound();
  if (found.passwordHash === NO_PASSWORD) {
    throw new InUse('It is your only way in. Choose a password first, by a code that staff make for you.');
  }
  await proveCaller(visit, body.current_password);
  const removed = await inTransaction(visit, ({ db }) =>
    db.delete(identities).where(isOwn).returning({ id: identities.id }),
  );
  if (removed.length === 0) throw new NotFound();
}
