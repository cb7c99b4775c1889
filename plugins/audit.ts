/**
 * The audit of answers: who was shown or refused what. Changes are the database's to write, in their own transactions. An
 * answer waits for nothing: events are kept here until they are written together, a second later at the latest.
 */
import { sql } from 'drizzle-orm';
import type {
  FastifyInstance,
  FastifyReply,
  onRequestHookHandler,
  onResponseHookHandler,
  preSerializationHookHandler,
} from 'fastify';
import fp from 'fastify-plugin';
import type { Db } from '../db/client.js';
import { JsonText } from '../db/json.js';
import type { AuditedOperation, Operation } from '../openapi/operation.js';
import { ProblemError } from '../openapi/problem-error.js';
import type { Caller } from './auth.js';
import { clientOf } from './rate-limit/index.js';

/** Milliseconds from an event until those that wait are written. */
const DELAY = 1_000;
/** Events that are written at once, without waiting for more. */
const BATCH = 500;
/** Events that wait, at the most: what would be one more is not answered. */
const MAX_WAITING = 10_000;

type Actor = 'staff' | 'user' | 'service' | 'anonymous';

/** What is recorded of an answer. */
interface Event {
  readonly time: number;
  readonly actor: Actor;
  readonly actorId: number | null;
  readonly operation: string;
  readonly action: string;
  readonly resource: string;
  readonly ids: readonly number[];
  readonly address: string;
  readonly requestId: string;
  readonly outcome: 'answered' | 'refused' | 'failed';
  readonly status: number;
  total: number;
}

interface Audit {
  /** Whether there is room for one more event. */
  isOpen(): boolean;
  add(event: Event): void;
  /** Writes what waits. */
  flush(): Promise<void>;
  /** Events that wait, and those that were lost, since the start. */
  state(): { readonly waiting: number; readonly lost: number };
}

declare module 'fastify' {
  interface FastifyInstance {
    readonly audit: Audit;
  }
  interface FastifyRequest {
    /** What the answer shows, where that is audited. */
    shown: unknown;
  }
}

/** Refuses what could not be recorded. */
export function auditable({ config }: Operation): onRequestHookHandler | undefined {
  if (config.audit === null) return undefined;
  return function refuseUnrecorded(request, _reply, next) {
    if (request.server.audit.isOpen()) {
      next();
      return;
    }
    const detail = 'The audit can not be written at the moment.';
    next(new ProblemError('unavailable', detail, {}, { 'retry-after': '5' }));
  };
}

/** Keeps what an answer shows until it is recorded. */
export function noteShown({ config }: Operation): preSerializationHookHandler<unknown> | undefined {
  if (config.audit === null || config.audit.ids === null || config.audit.ids === 'path') return undefined;
  return function noteAnswer(request, reply, payload, done) {
    if (reply.statusCode < 300) request.shown = payload;
    done(null, payload);
  };
}

const DIGITS = /\d+/y;

/** The numbers that stand in a JSON text behind what a record begins with, each once. */
function idsIn(json: string, before: string, isElement: boolean): number[] {
  const ids = new Set<number>();
  for (let at = json.indexOf(before); at >= 0; at = json.indexOf(before, at + before.length)) {
    // A record inside of another one is a field of it.
    if (isElement && at > 0 && json[at - 1] === ':') continue;
    DIGITS.lastIndex = at + before.length;
    const digits = DIGITS.exec(json);
    if (digits) ids.add(Number(digits[0]));
  }
  return [...ids];
}

/**
 * The ids of the records that an answer shows. They are looked for in the text: to parse a page would take longer than all
 * else that happens to it. In JSON no text of a field can hold what is looked for, as its quotes would be escaped.
 */
export function idsOf(ids: AuditedOperation['ids'], shown: unknown, params: unknown): readonly number[] {
  const inPath = (): number[] => {
    const id = Number((params as { id?: unknown } | null)?.id);
    return Number.isSafeInteger(id) && id > 0 ? [id] : [];
  };
  if (ids === 'path') return inPath();
  if (shown === undefined || shown === null) return ids === 'answer' ? inPath() : [];
  const json = shown instanceof JsonText ? shown.bytes.toString('latin1') : JSON.stringify(shown);
  switch (ids) {
    case 'answer':
      return idsIn(json.slice(0, 30), '{"id":', true);
    case 'elements':
      return idsIn(json.slice(1), '{"id":', true);
    case 'patients':
      return idsIn(json, '"patient":', false);
    case null:
      return [];
  }
}

const ACTIONS: Readonly<Record<string, string>> = {
  GET: 'read',
  POST: 'create',
  PUT: 'update',
  PATCH: 'update',
  DELETE: 'delete',
};

const REFUSALS = new Set([401, 403, 404, 429]);

const outcomeOf = (status: number): Event['outcome'] =>
  status < 400 ? 'answered' : REFUSALS.has(status) ? 'refused' : 'failed';

function actionOf({ method, config }: Operation, reply: FastifyReply): string {
  const type = reply.getHeader('content-type');
  if (method === 'GET' && typeof type === 'string' && /^text\/(csv|html)/.test(type)) return 'export';
  return config.audit?.action ?? ACTIONS[method] ?? 'call';
}

function actorOf(caller: Caller | null): Pick<Event, 'actor' | 'actorId'> {
  if (caller === null) return { actor: 'anonymous', actorId: null };
  if (!('id' in caller)) return { actor: 'service', actorId: caller.serviceId };
  return { actor: caller.isStaff ? 'staff' : 'user', actorId: caller.id };
}

/** Records an answer: of what is audited each, of all else who may not have it. */
export function auditAnswer(operation: Operation): onResponseHookHandler {
  const { operationId, tag, audit } = operation.config;
  return function recordAnswer(request, reply, next) {
    const { statusCode: status } = reply;
    if (audit !== null || status === 401 || status === 403 || status === 429) {
      const { caller } = request;
      request.server.audit.add({
        time: Date.now(),
        ...actorOf(caller),
        operation: operationId,
        action: actionOf(operation, reply),
        resource: audit?.resource ?? tag,
        ids: audit === null ? [] : idsOf(audit.ids, request.shown, request.params),
        address: clientOf(request),
        requestId: request.id,
        outcome: outcomeOf(status),
        status,
        total: 1,
      });
    }
    next();
  };
}

/** Writes events, at the times of the database's clock. */
async function write(db: Db, events: readonly Event[]): Promise<void> {
  const now = Date.now();
  const rows = events.map(({ time, ids, ...event }) => ({ ...event, ago: now - time, ids: `{${ids.join()}}` }));
  await db.execute(sql`
    insert into audit_events
      (at, actor, actor_id, operation, action, resource, record_ids, address, request_id, outcome, status, total)
    select statement_timestamp() - ago * interval '1 millisecond', actor, "actorId", operation, action, resource, ids::bigint[],
      address, "requestId", outcome, status, total
    from json_to_recordset(${JSON.stringify(rows)}::json) as event (ago bigint, actor text, "actorId" bigint,
      operation text, action text, resource text, ids text, address text, "requestId" uuid, outcome text,
      status smallint, total integer)`);
}

/** Collects what is to be recorded, and writes it. What can not be written is tried again, and at the end said to be lost. */
export default fp(
  function audit(app: FastifyInstance, _options, done) {
    const db = app.database.of('audit');
    let waiting: Event[] = [];
    /** Refusals among them: a flood of those that are alike is one event. */
    let refusals = new Map<string, Event>();
    let timer: NodeJS.Timeout | undefined;
    let writing: Promise<void> | undefined;
    /** Of these, how many the log has not told of yet. */
    let untold = 0;
    let lost = 0;
    /** Whether the last attempt failed: the next one takes its time. */
    let isBehind = false;

    const schedule = (): void => {
      timer ??= setTimeout(() => void flush().catch(() => undefined), DELAY).unref();
    };
    async function writeAll(): Promise<void> {
      while (waiting.length > 0) {
        const events = waiting.slice(0, BATCH);
        refusals = new Map();
        await write(db, events);
        waiting = waiting.slice(events.length);
      }
    }
    const flush = async (): Promise<void> => {
      clearTimeout(timer);
      timer = undefined;
      if (!app.database.isMigrated()) return;
      try {
        await (writing ??= writeAll());
        if (untold > 0) app.log.warn({ events: untold }, 'audit events were lost while the database was away');
        untold = 0;
        isBehind = false;
      } catch {
        isBehind = true;
        app.log.warn({ events: waiting.length }, 'audit events could not be written: they are tried again');
        if (waiting.length > 0) schedule();
      } finally {
        writing = undefined;
      }
    };
    app.decorate('audit', {
      isOpen: () => waiting.length < MAX_WAITING,
      add: (event) => {
        if (event.outcome === 'refused') {
          const { actor, actorId, operation, address, status, ids } = event;
          const key = [actor, actorId, operation, address, status, ids].join();
          const alike = refusals.get(key);
          if (alike !== undefined) {
            alike.total++;
            return;
          }
          refusals.set(key, event);
        }
        if (waiting.length >= MAX_WAITING) {
          lost++;
          untold++;
        } else waiting.push(event);
        if (waiting.length >= BATCH && writing === undefined && !isBehind) void flush();
        else schedule();
      },
      flush,
      state: () => ({ waiting: waiting.length, lost }),
    });
    app.decorateRequest('shown', undefined);
    app.addHook('onClose', async () => {
      await flush();
      clearTimeout(timer);
      if (waiting.length > 0) app.log.error({ events: waiting.length + untold }, 'audit events are lost');
    });
    done();
  },
  { name: 'audit', dependencies: ['database', 'rate-limit'] },
);
