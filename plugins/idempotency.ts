import { and, eq, lt, sql, type SQL } from 'drizzle-orm';
import type { FastifyReply, FastifyRequest, preHandlerHookHandler } from 'fastify';
import { createHash } from 'node:crypto';
import { transaction, type Db, type Tx } from '../db/client.js';
import { JsonText } from '../db/json.js';
import { one, oneOrNone } from '../db/rows.js';
import { idempotencyKeys } from '../db/tables/index.js';
import type { Operation } from '../openapi/operation.js';
import { ProblemError } from '../openapi/problem-error.js';
import type { Caller } from './auth.js';
import { entityTag } from './entity-tags.js';
import { Upload } from './multipart.js';

const hashes = new WeakMap<FastifyRequest, string>();

/**
 * Names what a request asks for; two with the same hash ask for the same.
 * @throws ProblemError invalid-input for fields that nobody knows, nested deeper than can be written
 */
function hashRequest(request: FastifyRequest): string {
  let body: string;
  try {
    body = JSON.stringify(request.body, (_name, value: unknown) =>
      value instanceof Upload ? createHash('sha256').update(value.bytes).digest('hex') : value,
    );
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new ProblemError('invalid-input', 'The body is nested too deep.', {
      errors: { body: ['is nested too deep'] },
    });
  }
  const { operationId } = request.routeOptions.config;
  return createHash('sha256').update(`${operationId} ${body}`).digest('hex');
}

/** A service has keys of its own, as a user has. */
const holderOf = (caller: Caller) => ('id' in caller ? { userId: caller.id } : { serviceKeyId: caller.serviceId });

const isKeyOf = (caller: Caller, key: string): SQL | undefined =>
  and(
    'id' in caller ? eq(idempotencyKeys.userId, caller.id) : eq(idempotencyKeys.serviceKeyId, caller.serviceId),
    eq(idempotencyKeys.key, key),
  );

/** The row of a key, made here and now, or what is stored under it. */
async function claimKey(tx: Tx, caller: Caller, key: string, requestHash: string) {
  const table = idempotencyKeys;
  // While another transaction holds the key this waits; afterwards the key is there, or free again if that one failed.
  const mine = oneOrNone(
    await tx
      .insert(table)
      .values({ ...holderOf(caller), key, requestHash })
      .onConflictDoUpdate({
        target: ['id' in caller ? table.userId : table.serviceKeyId, table.key],
        set: { requestHash, status: null, headers: null, body: null, createdAt: sql`now()` },
        setWhere: lt(table.createdAt, sql`now() - interval '24 hours'`),
      })
      .returning({ key: table.key }),
  );
  if (mine !== undefined) return null;
  return one(
    await tx
      .select({ requestHash: table.requestHash, status: table.status, headers: table.headers, body: table.body })
      .from(table)
      .where(isKeyOf(caller, key)),
  );
}

/** Whether an answer is kept under the request's key. */
export async function isRepeat({ caller, headers }: FastifyRequest, db: Db): Promise<boolean> {
  const key = headers['idempotency-key'] as string | undefined;
  if (key === undefined || caller === null) return false;
  return (await db.$count(idempotencyKeys, isKeyOf(caller, key))) > 0;
}

/** Notes what the body is before its pictures are stored, and so named at random. */
export function hashBody({ config }: Operation): preHandlerHookHandler | undefined {
  if (!config.takesIdempotencyKey) return undefined;
  return function noteHash(request, _reply, next) {
    if (request.headers['idempotency-key'] !== undefined) hashes.set(request, hashRequest(request));
    next();
  };
}

/**
 * Answers a creating request once: where it came with an Idempotency-Key, the answer is kept in the transaction of what
 * it creates, and given again to a repeat (draft-ietf-httpapi-idempotency-key-header). Only answers of requests that
 * succeeded are kept: what failed has left nothing, and may be tried again.
 * @param work has to do all its queries on the database that it is given: another connection may not be had
 */
export async function once(
  request: FastifyRequest,
  reply: FastifyReply,
  db: Db,
  work: (db: Db | Tx) => unknown,
): Promise<unknown> {
  const { caller } = request;
  const key = request.headers['idempotency-key'] as string | undefined;
  const requestHash = hashes.get(request);
  if (key === undefined || requestHash === undefined || caller === null) return work(db);
  return transaction(db, async (tx) => {
    const stored = await claimKey(tx, caller, key, requestHash);
    if (stored !== null) {
      if (stored.requestHash !== requestHash) {
        throw new ProblemError('idempotency-key-reused', 'This Idempotency-Key came before with another body.');
      }
      void reply
        .code(stored.status ?? 200)
        .headers(stored.headers ?? {})
        .header('idempotent-replayed', 'true');
      return new JsonText(stored.body ?? '');
    }
    const result = await work(tx);
    const answer = result instanceof JsonText ? result : new JsonText(reply.serialize(result) as string);
    const headers = request.routeOptions.config.hasEntityTag === true ? { etag: entityTag(answer) } : {};
    await tx
      .update(idempotencyKeys)
      .set({ status: reply.statusCode, headers, body: answer.text })
      .where(isKeyOf(caller, key));
    return answer;
  });
}

/** Removes the keys that are older than their promise. */
export async function removeOldKeys(db: Db): Promise<void> {
  await db.delete(idempotencyKeys).where(lt(idempotencyKeys.createdAt, sql`now() - interval '24 hours'`));
}
