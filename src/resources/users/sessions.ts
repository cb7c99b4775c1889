/** What a user sees of their own sessions, and how sessions end. */
import { and, eq, gt, ne, sql } from 'drizzle-orm';
import { column, jsonObject, timestampText, type JsonText } from '../../../db/json.js';
import { oneOrNone } from '../../../db/rows.js';
import { sessions, users } from '../../../db/tables/index.js';
import type { Session, SessionPage } from '../../../openapi/generated/schemas.js';
import type { Input } from '../../../openapi/operation.js';
import { NotFound } from '../../lib/errors.js';
import { pagesOf } from '../../lib/lists.js';
import { itemOf } from '../../lib/pages.js';
import { inTransaction, type PersonVisit, type Within } from '../../lib/visit.js';

const sessionJson = jsonObject<Session>({
  id: column(sessions.id),
  created_at: timestampText(sessions.createdAt),
  refreshed_at: timestampText<string | null>(sessions.refreshedAt),
  expires_at: timestampText(sessions.expiresAt),
  address: column(sessions.address),
  user_agent: column(sessions.userAgent),
  is_current: sql<boolean>`${sessions.tokenHash} = ${sql.placeholder('current')}`,
});

const sessionPages = pagesOf<{ readonly user: number }, Session>({
  table: sessions,
  where: gt(sessions.expiresAt, sql`now()`),
  filters: { user: (id) => eq(sessions.userId, id) },
  rows: (db) => db.select(itemOf(sessionJson)).from(sessions).$dynamic(),
});

export const listSessions = (visit: PersonVisit, { query }: Input<'listSessions'>): Promise<JsonText<SessionPage>> =>
  sessionPages(visit, { ...query, user: visit.caller.id }, { current: visit.caller.session ?? '' });

/** What a change of a user has to set, for access tokens to be void but those of one session, if any. */
export const voidTokens = (kept: string | null = null) => ({
  tokenGeneration: sql`${users.tokenGeneration} + 1`,
  keptSession: kept,
});

/** Ends a user's sessions but one, if any, in the transaction of a change by `voidTokens`. */
export async function endSessions({ db }: Pick<Within, 'db'>, userId: number, kept: string | null = null) {
  await db.delete(sessions).where(and(eq(sessions.userId, userId), ne(sessions.tokenHash, kept ?? '')));
}

/** A login that is under way opens none either: the user is another one then. */
export async function deleteOtherSessions(visit: PersonVisit): Promise<void> {
  const { id, session } = visit.caller;
  await inTransaction(visit, async ({ db }) => {
    await db.update(users).set(voidTokens(session)).where(eq(users.id, id));
    await endSessions({ db }, id, session);
  });
  visit.tokens.forgetUser(id);
}

/** @throws NotFound also for another user's */
export async function deleteSession(visit: PersonVisit, { params: { id } }: Input<'deleteSession'>): Promise<void> {
  const isOwn = and(eq(sessions.id, id), eq(sessions.userId, visit.caller.id));
  const ended = oneOrNone(
    await inTransaction(visit, ({ db }) =>
      db.delete(sessions).where(isOwn).returning({ tokenHash: sessions.tokenHash }),
    ),
  );
  if (ended === undefined) throw new NotFound();
  visit.tokens.forgetSession(ended.tokenHash);
}
