/** Keys by which programs of the clinic sign in: what staff make and see of them. plugins/service-keys.ts lets them in. */
import { and, eq, gt, isNull, not, or, sql, type SQL } from 'drizzle-orm';
import { column, jsonObject, JsonText, timestampText } from '../../../db/json.js';
import { directByKey } from '../../../db/prepared.js';
import { one, oneOrNone } from '../../../db/rows.js';
import { serviceKeys, users } from '../../../db/tables/index.js';
import type { NewServiceKey, ServiceKey, ServiceKeyPage } from '../../../openapi/generated/schemas.js';
import type { Input } from '../../../openapi/operation.js';
import { ProblemError } from '../../../openapi/problem-error.js';
import { AlreadyTaken, explain, InvalidInput, NotFound } from '../../lib/errors.js';
import { pagesOf } from '../../lib/lists.js';
import { itemOf } from '../../lib/pages.js';
import { nothingElse } from '../../lib/patches.js';
import { inTransaction, type PersonVisit, type Within } from '../../lib/visit.js';

const MAX_YEARS = 5;
/** Seconds. */
const DAY = 86_400;

class TwoSecrets extends ProblemError {
  constructor(until: Date) {
    super(
      'two-secrets',
      `The key has two secrets until ${until.toISOString()}. Rotate it then, or with old_ends_in 0, which ends both.`,
    );
  }
}

const isLive = isNull(serviceKeys.archivedAt);
const nameTaken = { service_keys_name_key: () => new AlreadyTaken(['name']) };

const keyJson = jsonObject<ServiceKey>({
  id: column(serviceKeys.id),
  name: column(serviceKeys.name),
  scopes: sql<ServiceKey['scopes']>`${serviceKeys.scopes}`,
  expires_at: timestampText<string | null>(serviceKeys.expiresAt),
  limit_per_minute: column(serviceKeys.limitPerMinute),
  last_used_at: timestampText<string | null>(serviceKeys.lastUsedAt),
  old_secret_ends_at: timestampText<string | null>(
    sql`case when ${serviceKeys.oldSecretEndsAt} > ${sql.placeholder('now')}::timestamptz
      then ${serviceKeys.oldSecretEndsAt} end`,
  ),
  created_by: sql<string>`(select ${users.username} from ${users} where ${users.id} = ${serviceKeys.createdBy})`,
  created_at: timestampText(serviceKeys.createdAt),
});

const nowOf = ({ calendar }: PersonVisit) => ({ now: calendar.now.toISOString() });

const keyPages = pagesOf<object, ServiceKey>({
  table: serviceKeys,
  where: isLive,
  filters: {},
  rows: (db) => db.select(itemOf(keyJson)).from(serviceKeys).$dynamic(),
});

export const listServiceKeys = (
  visit: PersonVisit,
  { query }: Input<'listServiceKeys'>,
): Promise<JsonText<ServiceKeyPage>> => keyPages(visit, query, nowOf(visit));

const keyById = directByKey((db) =>
  db
    .select(itemOf(keyJson))
    .from(serviceKeys)
    .where(and(isLive, eq(serviceKeys.id, sql.placeholder('id')))),
);

/** @throws NotFound */
async function readKey(visit: PersonVisit, id: number): Promise<JsonText<ServiceKey>> {
  const row = oneOrNone(await keyById(visit.db)({ id, ...nowOf(visit) }));
  if (row === undefined) throw new NotFound();
  return new JsonText(row.item);
}

export const getServiceKey = (visit: PersonVisit, { params }: Input<'getServiceKey'>): Promise<JsonText<ServiceKey>> =>
  readKey(visit, params.id);

/** The key with a secret that was made for it: it is told this one time. */
async function withSecret(visit: PersonVisit, id: number, secret: string): Promise<NewServiceKey> {
  const { text } = await readKey(visit, id);
  return { ...(JSON.parse(text) as ServiceKey), secret };
}

/** @throws InvalidInput */
function readExpiry({ calendar: { now } }: PersonVisit, sent: string | null | undefined): Date | null | undefined {
  if (typeof sent !== 'string') return sent;
  const expiresAt = new Date(sent);
  // RFC 3339 has leap seconds, which JavaScript has not.
  if (Number.isNaN(expiresAt.getTime())) throw new InvalidInput({ expires_at: ['must be a time (RFC 3339)'] });
  if (expiresAt <= now) throw new InvalidInput({ expires_at: ['must not be in the past'] });
  const last = new Date(now);
  last.setUTCFullYear(last.getUTCFullYear() + MAX_YEARS);
  if (expiresAt > last) throw new InvalidInput({ expires_at: [`must be at most ${MAX_YEARS} years ahead`] });
  return expiresAt;
}

/** @throws InvalidInput, AlreadyTaken */
export async function createServiceKey(
  visit: PersonVisit,
  { body }: Input<'createServiceKey'>,
): Promise<NewServiceKey> {
  const { name, scopes, expires_at, limit_per_minute: limitPerMinute, ...rest } = body;
  nothingElse(rest);
  const { secret, hash: secretHash } = visit.tokens.newServiceSecret();
  const values = { name, scopes, expiresAt: readExpiry(visit, expires_at), limitPerMinute, secretHash };
  const work = inTransaction(visit, async (visit) => {
    const { id } = one(
      await visit.db
        .insert(serviceKeys)
        .values({ ...values, createdBy: visit.caller.id })
        .returning({ id: serviceKeys.id }),
    );
    return withSecret(visit, id, secret);
  });
  return explain(work, nameTaken);
}

type Change = Parameters<ReturnType<Within['db']['update']>['set']>[0];

/** Changes a key, of which this instance knows nothing more afterwards. @returns whether there is such a one */
async function change({ db }: Within<PersonVisit>, which: SQL | undefined, values: Change): Promise<boolean> {
  const rows = await db.update(serviceKeys).set(values).where(and(isLive, which)).returning({ id: serviceKeys.id });
  return rows.length > 0;
}

/** @throws InvalidInput, AlreadyTaken */
export async function updateServiceKey(
  visit: PersonVisit,
  { params: { id }, body }: Input<'updateServiceKey'>,
): Promise<JsonText<ServiceKey>> {
  const { name, scopes, expires_at, limit_per_minute: limitPerMinute, ...rest } = body;
  nothingElse(rest);
  if (Object.values(body).every((value) => value === undefined)) return readKey(visit, id);
  const values = { name, scopes, expiresAt: readExpiry(visit, expires_at), limitPerMinute };
  const work = inTransaction(visit, async (visit) => {
    if (!(await change(visit, eq(serviceKeys.id, id), values))) throw new NotFound();
    return readKey(visit, id);
  });
  const changed = await explain(work, nameTaken);
  visit.tokens.forgetServiceKeys();
  return changed;
}

/**
 * Two secrets are good at most. What would end the one in use without anybody having said so is refused: of two rotations
 * at once one is made.
 * @throws TwoSecrets
 */
export async function rotateServiceKey(
  visit: PersonVisit,
  { params: { id }, body }: Input<'rotateServiceKey'>,
): Promise<NewServiceKey> {
  const { old_ends_in: seconds = DAY, ...rest } = body;
  nothingElse(rest);
  const { now } = visit.calendar;
  const { secret, hash: secretHash } = visit.tokens.newServiceSecret();
  const hasOne = or(isNull(serviceKeys.oldSecretEndsAt), not(gt(serviceKeys.oldSecretEndsAt, now)));
  const rotated = await inTransaction(visit, async (visit) => {
    const isDone = await change(
      visit,
      and(eq(serviceKeys.id, id), seconds === 0 ? undefined : hasOne),
      seconds === 0
        ? { secretHash, oldSecretHash: null, oldSecretEndsAt: null }
        : {
            secretHash,
            oldSecretHash: sql`${serviceKeys.secretHash}`,
            oldSecretEndsAt: new Date(now.getTime() + seconds * 1000),
          },
    );
    if (isDone) return withSecret(visit, id, secret);
    const { oldSecretEndsAt } = serviceKeys;
    const found = oneOrNone(
      await visit.db
        .select({ oldSecretEndsAt })
        .from(serviceKeys)
        .where(and(isLive, eq(serviceKeys.id, id))),
    );
    throw found?.oldSecretEndsAt == null ? new NotFound() : new TwoSecrets(found.oldSecretEndsAt);
  });
  visit.tokens.forgetServiceKeys();
  return rotated;
}

/** Revokes a key: the row stays, for those who read of it in the audit. */
export async function deleteServiceKey(
  visit: PersonVisit,
  { params: { id } }: Input<'deleteServiceKey'>,
): Promise<void> {
  const values = { archivedAt: visit.calendar.now, archivedBy: visit.caller.id };
  await inTransaction(visit, async (visit) => {
    if (!(await change(visit, eq(serviceKeys.id, id), values))) throw new NotFound();
  });
  visit.tokens.forgetServiceKeys();
}
