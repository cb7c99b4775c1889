import { and, eq, lt, sql } from 'drizzle-orm';
import type { FastifyInstance, FastifyReply, FastifyRequest, preHandlerHookHandler } from 'fastify';
import fp from 'fastify-plugin';
import { createHash } from 'node:crypto';
import { transaction, type Db, type Tx } from '../db/client.js';
import { JsonText } from '../db/json.js';
import { idempotencyKeys } from '../db/tables/index.js';
import { ProblemError } from '../openapi/generated/problems.js';
import { Upload } from './multipart.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** The database for a creating request: its transaction, where an Idempotency-Key came with it. */
    db: Db | Tx;
  }
}

const HOUR = 3_600_000;

/** Names what a request asks for; two with the same hash ask for the same. */
function hashRequest(request: FastifyRequest): string {
  const body = JSON.stringify(request.body, (_name, value: unknown) =>
    value instanceof Upload ? createHash('sha256').update(value.bytes).digest('hex') : value,
  );
  const { operationId } = request.routeOptions.config;
  return createHash('sha256').update(`${operationId} ${body}`).digest('hex');
}

/** The row of a key, made here and now, or what is stored under it. */
async function claimKey(tx: Tx, userId: number, key: string, requestHash: string) {
  const table = idempotencyKeys;
  // While another transaction holds the key this waits; afterwards the key is there, or free again if that one failed.
  const [mine] = await tx
    .insert(table)
    .values({ userId, key, requestHash })
    .onConflictDoUpdate({
      target: [table.userId, table.key],
      set: { requestHash, status: null, headers: null, body: null, createdAt: sql`now()` },
      setWhere: lt(table.createdAt, sql`now() - interval '24 hours'`),
    })
    .returning({ userId: table.userId });
  if (mine !== undefined) return null;
  const [stored] = await tx
    .select({ requestHash: table.requestHash, status: table.status, headers: table.headers, body: table.body })
    .from(table)
    .where(and(eq(table.userId, userId), eq(table.key, key)));
  if (stored === undefined) throw new Error('the idempotency key is gone');
  return stored;
}

/**
 * Keeps the answer of a creating request that came with an Idempotency-Key, in the transaction of what it creates, and
 * gives it again to a repeat (draft-ietf-httpapi-idempotency-key-header). Only answers of requests that succeeded are
 * kept: what failed has left nothing, and may be tried again.
 */
export default fp(
  function idempotency(app: FastifyInstance, _options, done) {
    app.decorateRequest('db', {
      getter(this: FastifyRequest) {
        return transactions.get(this) ?? app.db;
      },
    });
    const transactions = new WeakMap<FastifyRequest, Tx>();
    const hashes = new WeakMap<FastifyRequest, string>();

    app.addHook('onRoute', (route) => {
      if (route.config?.takesIdempotencyKey !== true) return;
      // Before the pictures of the body are stored, and so named at random.
      const noteHash: preHandlerHookHandler = (request, _reply, next) => {
        if (request.headers['idempotency-key'] !== undefined) hashes.set(request, hashRequest(request));
        next();
      };
      route.preHandler = [noteHash, ...[route.preHandler ?? []].flat()];
      const handle = route.handler as (request: FastifyRequest, reply: FastifyReply) => Promise<unknown>;
      route.handler = async function keyed(request: FastifyRequest, reply: FastifyReply) {
        const key = request.headers['idempotency-key'] as string | undefined;
        const requestHash = hashes.get(request);
        if (key === undefined || requestHash === undefined || request.caller === null) {
          return handle.call(app, request, reply);
        }
        const { id: userId } = request.caller;
        return transaction(app.db, async (tx) => {
          const stored = await claimKey(tx, userId, key, requestHash);
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
          transactions.set(request, tx);
          const result = await handle.call(app, request, reply);
          const answer = result instanceof JsonText ? result : new JsonText(reply.serialize(result) as string);
          const headers = route.config?.hasEntityTag === true ? { etag: answer.entityTag } : {};
          await tx
            .update(idempotencyKeys)
            .set({ status: reply.statusCode, headers, body: answer.text })
            .where(and(eq(idempotencyKeys.userId, userId), eq(idempotencyKeys.key, key)));
          return answer;
        });
      };
    });

    const sweep = async (): Promise<void> => {
      if (!app.database.isMigrated()) return;
      await app.db.delete(idempotencyKeys).where(lt(idempotencyKeys.createdAt, sql`now() - interval '24 hours'`));
    };
    const timer = setInterval(
      () => void sweep().catch(() => app.log.warn('old idempotency keys could not be removed')),
      HOUR,
    );
    timer.unref();
    app.addHook('onClose', (_app, next) => {
      clearInterval(timer);
      next();
    });
    done();
  },
  { name: 'idempotency', dependencies: ['errors', 'database', 'auth', 'multipart'] },
);
