import type { FastifyInstance, FastifyReply, FastifyRequest, PersonVisit, UserVisit, Visit } from 'fastify';
import fp from 'fastify-plugin';
import type { Db, Tx } from '../db/client.js';
import { JsonText } from '../db/json.js';
import type { operations } from '../openapi/generated/operations.js';
import type { Download } from '../openapi/operation.js';
import {
  DryRun,
  type Answer,
  type DryAnswer,
  type Input,
  type Operation,
  type OperationConfig,
  type OperationId,
  type Renderings,
} from '../openapi/operation.js';
import type { QueueState } from '../openapi/turns.js';
import { preferred } from './accept.js';
import { originOf } from './addresses.js';
import { guard, identify, nameOf, type Caller, type Person } from './auth.js';
import { expect } from './contract.js';
import { costlyReads } from './costly-reads.js';
import { available } from './database.js';
import { auditAnswer, auditable, noteShown } from './audit.js';
import { addEntityTag, answerNotModified, namedBy } from './entity-tags.js';
import { hangUp } from './hang-up.js';
import { hashBody, isRepeat, once } from './idempotency.js';
import { addLinks } from './links.js';
import { readForm } from './multipart.js';
import { admitPictures, discardPictures, encodePictures, needsAdmission, storePictures } from './pictures/hooks.js';
import { honorPreference } from './preferences.js';
import { mayLag, noteWriter, replicaFor } from './replica.js';
import { clientOf, endAttempt, forgive, limit } from './rate-limit/index.js';
import { watchBody } from './slow-bodies.js';
import { sendRendered } from './tables.js';

/** Where a request was sent, for the URLs in its answer. */
export interface Link {
  /** Scheme, host and any prefix, without a slash at the end. */
  readonly base: string;
  /** Path and query as sent. */
  readonly path: string;
  /** The URL of a stored picture by its name; null for none. */
  readonly picture: (name: string | null) => string | null;
}

declare module 'fastify' {
  /** What a service knows of the request that it serves, besides its input. The application adds what its rules need. */
  interface Visit {
    /** The database; where the request came with an Idempotency-Key, the transaction that its answer is kept in. */
    readonly db: Db | Tx;
    /** Runs a read whose cost grows with what is stored, on connections that few such reads have at once. */
    readonly costly: <T>(read: (db: Db) => PromiseLike<T>) => Promise<T>;
    /** Who calls; null for someone who is not signed in. */
    readonly caller: Caller | null;
    /** By its id, which the answer has too, and the operation that it is for. */
    readonly request: { readonly id: string; readonly operation: string };
    /** Whom the request's address stands for, as the rate limits count it. */
    readonly client: string;
    /** What the client's program says that it is. */
    readonly userAgent: string | undefined;
    /** Aborted when the client hangs up. */
    readonly signal: AbortSignal;
    readonly link: Link;
    /** Whether the request's If-Match names a record's state by its tag; undefined where it has none. */
    readonly ifMatch: ((tag: string) => boolean) | undefined;
    /** The same of its If-None-Match. */
    readonly ifNoneMatch: ((tag: string) => boolean) | undefined;
    readonly tokens: FastifyInstance['tokens'];
    readonly logins: FastifyRequest['logins'];
  }
  /** A visit of somebody who is signed in. */
  interface UserVisit extends Visit {
    readonly caller: Caller;
  }
  /** A visit of a person: operations that no service has are served so. */
  interface PersonVisit extends UserVisit {
    readonly caller: Person;
  }
  interface FastifyInstance {
    /** Serves an operation of the contract with a handler of Fastify's, for answers that are no JSON. */
    operate(operation: Operation, handler: Handler): void;
    /** Serves an operation of the contract with a function of values. */
    serve: Serve;
    /** The line of reads whose cost grows with what is stored. */
    readonly searchQueue: () => QueueState;
    /** Judges a request by what its operation's `admit` says of the fields of the form, as they came. */
    admit(request: FastifyRequest, reply: FastifyReply, sent: Sent): Promise<void>;
  }
}

type Handler = (request: FastifyRequest, reply: FastifyReply) => unknown;
/** What an operation may answer that has a form besides JSON which is no text. */
type DownloadAnswer<Id extends OperationId> =
  'application/zip' extends (typeof operations)[Id]['config']['produces'][number] ? Download : never;
type Access<Id extends OperationId> = (typeof operations)[Id]['config']['access'];

/** Whose visits an operation has: those of persons alone, unless the contract has a scope of services for it. */
type VisitOf<Id extends OperationId> = (typeof operations)[Id]['config']['serviceScope'] extends null
  ? Access<Id> extends 'user' | 'staff'
    ? PersonVisit
    : Visit & { readonly caller: Person | null }
  : Access<Id> extends 'user' | 'staff'
    ? UserVisit
    : Visit;

/** What serves an operation: from the visit and the validated input to the answer, which may be JSON of PostgreSQL's. */
export type Service<Id extends OperationId> = (
  visit: VisitOf<Id>,
  input: Input<Id>,
) => Promise<Answer<Id> | JsonText<Answer<Id>> | DryAnswer<Id> | DownloadAnswer<Id>>;

/** The fields of a form before they are validated. */
type Sent = Readonly<Record<string, unknown>>;

/** What an operation has besides the function that serves it. */
export interface Besides<Id extends OperationId> {
  readonly renderings?: Renderings<Answer<Id>>;
  /** Throws what the service would throw at a caller who may not do it, where that is known without the whole body. */
  readonly admit?: (
    visit: VisitOf<Id> & UserVisit,
    input: Pick<Input<Id>, keyof Input<Id> & 'params'>,
    sent: Sent,
  ) => Promise<unknown>;
}

export type Serve = <Id extends OperationId>(
  operation: { readonly config: { readonly operationId: Id } },
  service: NoInfer<Service<Id>>,
  besides?: NoInfer<Besides<Id>>,
) => void;

export interface OperationOptions {
  /** Base of absolute URLs; null: as the request names its server. */
  readonly publicUrl: string | null;
  /** By which names requests may do so; null: by any. */
  readonly allowedHosts: readonly string[] | null;
  /** What the application adds to each visit. */
  readonly more: () => Omit<
    Visit,
    | 'db'
    | 'costly'
    | 'caller'
    | 'request'
    | 'client'
    | 'userAgent'
    | 'signal'
    | 'link'
    | 'ifMatch'
    | 'ifNoneMatch'
    | 'tokens'
    | 'logins'
  >;
}

const isNeeded = <Hook>(hook: Hook | undefined): hook is Hook => hook !== undefined;

/** Gives the answer of a dry run its status. */
const dry = (run: (db: Db | Tx) => unknown, reply: FastifyReply) => async (db: Db | Tx) => {
  const answered = await run(db);
  if (!(answered instanceof DryRun)) return answered;
  reply.statusCode = 200;
  return answered.answer as unknown;
};

/** What answers so gives a file to keep in each form. */
const ARCHIVE = 'application/zip';

const sendFile = (reply: FastifyReply, { name, type, content }: Download): FastifyReply =>
  reply.header('content-disposition', `attachment; filename="${name}"`).type(type).send(content);

const isRendered = (type: string): type is keyof Renderings<object> => type === 'text/csv' || type === 'text/html';

/** The path of the record that an answer shows. */
function pathOf({ url, id }: NonNullable<OperationConfig['location']>, answer: unknown): string {
  const record: unknown = answer instanceof JsonText ? JSON.parse(answer.text) : answer;
  const value = id.reduce((part, name) => (part as Record<string, unknown>)[name], record);
  return url.replace('{id}', String(value));
}

/**
 * What happens to a request for an operation, in order, before and after its handler. A hook that the operation has no
 * use for is left out. In front of these come, for every request, its id and log line, the security headers and CORS.
 */
export function hooksOf(operation: Operation) {
  return {
    onRequest: [
      ...[identify, limit(operation), expect(operation), available(operation), auditable(operation)],
      guard(operation),
    ].filter(isNeeded),
    preParsing: [watchBody(operation)].filter(isNeeded),
    preValidation: [
      readForm(operation),
      honorPreference(operation),
      admitPictures(operation),
      encodePictures(operation),
    ].filter(isNeeded),
    preHandler: [hashBody(operation), storePictures(operation)].filter(isNeeded),
    preSerialization: [noteShown(operation), addEntityTag(operation), addLinks(operation)].filter(isNeeded),
    onSend: [
      answerNotModified(operation),
      forgive(operation),
      discardPictures(operation),
      endAttempt(operation),
    ].filter(isNeeded),
    onResponse: [auditAnswer(operation)],
  };
}

/** Turns operations of the contract into routes: the one place that knows what happens to a request, and when. */
export default fp(
  function operation(app: FastifyInstance, { publicUrl, allowedHosts, more }: OperationOptions, done) {
    app.decorate('operate', (each: Operation, handler: Handler) => {
      // Forms have a scope of their own, since their parser's hooks would run for every request.
      const scope = each.config.consumes.includes('multipart/form-data') ? app.forms : app;
      scope.route({ ...each, ...hooksOf(each), handler });
    });

    const linkOf = (request: FastifyRequest): Link => {
      const base = publicUrl ?? originOf(request, allowedHosts);
      // A proxy's form of the request's target has the server in it.
      const path = request.url.replace(/^https?:\/\/[^/?#]*/i, '');
      return { base, path, picture: (name) => app.pictures.url(base, name) };
    };
    // What costs something and few need is made when it is asked for.
    const runCostly = costlyReads(app.database);
    app.decorate('searchQueue', runCostly.state);
    const visitOf = (request: FastifyRequest, reply: FastifyReply, db: Db | Tx, costlyDb?: Db): Visit => ({
      db,
      costly: (read) => {
        const { caller } = request;
        const by = caller === null ? clientOf(request) : nameOf(caller);
        const reader = { by, isAnonymous: caller === null, signal: hangUp(reply) };
        return runCostly(reader, (db) => read(costlyDb ?? db));
      },
      caller: request.caller,
      request: { id: request.id, operation: request.routeOptions.config.operationId ?? '' },
      get client() {
        return clientOf(request);
      },
      userAgent: request.headers['user-agent'],
      get signal() {
        return hangUp(reply);
      },
      get link() {
        return linkOf(request);
      },
      get ifMatch() {
        return namedBy(request.headers['if-match']);
      },
      get ifNoneMatch() {
        return namedBy(request.headers['if-none-match']);
      },
      tokens: app.tokens,
      get logins() {
        return request.logins;
      },
      ...more(),
    });

    type Admit = (visit: Visit, input: object, sent: Sent) => Promise<unknown>;
    const admissions = new Map<string | undefined, Admit>();
    app.decorate('admit', async (request, reply, sent) => {
      const { operationId } = request.routeOptions.config;
      // plugins/validation.ts gives more than Fastify's types know.
      const read: unknown = request.getValidationFunction('params')?.(request.params);
      const { value: params, error } = (read ?? {}) as { value?: unknown; error?: Error };
      if (error !== undefined) throw error;
      try {
        await admissions.get(operationId)?.(visitOf(request, reply, app.db), { params }, sent);
      } catch (refusal) {
        // It is refused for what it has done itself.
        if (!(await isRepeat(request, app.db))) throw refusal;
      }
    });

    const serve = (
      each: Operation,
      service: (visit: Visit, input: object) => unknown,
      { renderings, admit }: { renderings?: Renderings<object>; admit?: Admit } = {},
    ): void => {
      const { operationId, produces } = each.config;
      if (needsAdmission(each) !== (admit !== undefined)) {
        throw new Error(
          `${operationId} needs an admission where, and only where, it takes pictures of others than staff`,
        );
      }
      if (admit !== undefined) admissions.set(operationId, admit);
      if (produces.some(isRendered) !== (renderings !== undefined)) {
        throw new Error(`${operationId} needs renderings where, and only where, it answers text`);
      }
      const isFile = produces.includes(ARCHIVE);
      const ofOperation = app.database.of(operationId);
      const mayBeOld = mayLag(each);
      app.operate(each, (request, reply) => {
        const { params, query, body } = request;
        const { location, takesIdempotencyKey } = each.config;
        const run = (db: Db | Tx, costlyDb?: Db) =>
          service(visitOf(request, reply, db, costlyDb), { params, query, body });
        const answer = each.schema.response[200] === undefined || location === null ? run : dry(run, reply);
        if (each.method !== 'GET') noteWriter(request);
        const replica = mayBeOld ? replicaFor(request) : undefined;
        const answered =
          replica !== undefined
            ? run(replica.of(operationId), replica.of('costly'))
            : takesIdempotencyKey
              ? once(request, reply, ofOperation, answer)
              : answer(ofOperation);
        if (renderings !== undefined) {
          const type = preferred(request, reply, produces);
          if (isRendered(type))
            return Promise.resolve(answered).then((value) => {
              request.shown = value;
              return sendRendered(reply, type, renderings, value);
            });
        }
        if (isFile) return Promise.resolve(answered).then((file) => sendFile(reply, file as Download));
        if (location === null) return answered;
        return Promise.resolve(answered).then((record) => {
          if (reply.statusCode !== 201) return record;
          reply.header('location', linkOf(request).base + pathOf(location, record));
          return record;
        });
      });
    };
    app.decorate('serve', serve as Serve);
    done();
  },
  {
    name: 'operation',
    dependencies: ['contract', 'database', 'auth', 'rate-limit', 'replica', 'audit', 'multipart', 'slow-bodies'],
  },
);
