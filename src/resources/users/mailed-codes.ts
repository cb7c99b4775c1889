/**
 * A code for a new password by mail. The request only joins a line: whether there is a user, and everything that takes
 * time for one, comes after the answer, which so tells nobody who has an account.
 */
import { and, eq, isNotNull, sql } from 'drizzle-orm';
import { transaction } from '../../../db/client.js';
import { oneOrNone } from '../../../db/rows.js';
import { caseless } from '../../../db/tables/columns.js';
import { passwordResets, users } from '../../../db/tables/index.js';
import type { Message } from '../../../openapi/generated/schemas.js';
import type { Input } from '../../../openapi/operation.js';
import { NotConfigured } from '../../lib/errors.js';
import { signTransaction } from '../../lib/history.js';
import type { SendMail } from '../../lib/mail.js';
import type { Visit } from '../../lib/visit.js';
import { isGood, makeCode } from './password-resets.js';

declare module 'fastify' {
  interface Visit {
    /** Null where the server sends none. */
    readonly mail: {
      readonly send: SendMail;
      /** The page of the clinic's on which a new password is chosen; null: mails name none. */
      readonly passwordResetUrl: string | null;
    } | null;
    readonly errands: Pick<FastifyInstance['errands'], 'add'>;
  }
}

/** Mails to a user, of codes that were not used. */
const MAX_AN_HOUR = 3;
const HOUR = 3_600_000;

/** What is left of a visit when its request is answered. */
type Asked = Pick<Visit, 'db' | 'client' | 'request' | 'clinicName'> & {
  readonly now: Date;
  readonly mail: NonNullable<Visit['mail']>;
};

/** Nothing in it but the clinic's words and what a user name may have: others who know an address choose no word of it. */
function textOf({ clinicName, mail: { passwordResetUrl } }: Asked, username: string, code: string): string {
  const link = `${passwordResetUrl}#code=${code}&username=${encodeURIComponent(username)}`;
  return `Somebody, most likely you, has asked for a new password at ${clinicName}.

User name: ${username}
Code: ${code}

${passwordResetUrl === null ? 'Send both with the new password, where you have asked for it.' : `Choose the new password here:\n${link}`}

The code is good once and for an hour, and ends one of an earlier mail.
If it was not you, do nothing: the password stays as it is.
`;
}

/**
 * Makes a code of the user whose email it is, and mails it to the address that the user has: not to the one that was
 * typed, which the database may only take for the same. A code that staff have made stays while it is good.
 */
async function mailCode(asked: Asked, email: string, stop: AbortSignal): Promise<void> {
  const { db, now, mail, client, request } = asked;
  const user = oneOrNone(
    await db
      .select({ id: users.id, username: users.username, email: users.email, generation: users.tokenGeneration })
      .from(users)
      .where(and(eq(caseless(users.email), caseless(email)), eq(users.isActive, true))),
  );
  if (user === undefined) return;
  const { code, row } = makeCode({ generation: user.generation, createdBy: null, now });
  const hourAgo = new Date(now.getTime() - HOUR).toISOString();
  const recent = sql`array(select at from unnest(${passwordResets.mailedAt}) at where at > ${hourAgo}::timestamptz)`;
  const isStaffs = and(
    isNotNull(passwordResets.createdBy),
    eq(passwordResets.generation, user.generation),
    isGood(now),
  );
  const stored = await transaction(db, async (db) => {
    await signTransaction(db, { caller: null, client, request });
    return db
      .insert(passwordResets)
      .values({ userId: user.id, ...row, mailedAt: [now] })
      .onConflictDoUpdate({
        target: passwordResets.userId,
        set: { ...row, mailedAt: sql`${recent} || ${now.toISOString()}::timestamptz` },
        setWhere: sql`cardinality(${recent}) < ${MAX_AN_HOUR} and not (${isStaffs})`,
      })
      .returning({ userId: passwordResets.userId });
  });
  if (stored.length === 0) return;
  await mail.send({ to: user.email, subject: 'A new password', text: textOf(asked, user.username, code) }, stop);
}

/** @throws NotConfigured where the server sends no mail */
export async function forgotPassword(visit: Visit, { body: { email } }: Input<'forgotPassword'>): Promise<Message> {
  const { db, mail, client, request, clinicName, errands, calendar } = visit;
  if (mail === null) throw new NotConfigured("This server sends no mail. Ask the clinic's staff, who can make a code.");
  const asked = { db, mail, client, request, clinicName, now: calendar.now };
  errands.add({ name: 'a mail with a code', by: client, run: (stop) => mailCode(asked, email, stop) });
  return { message: 'If a user has this email, a mail with a code is on its way.' };
}
