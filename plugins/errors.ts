import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import type { Socket } from 'node:net';
import { codeOf, isOfErasedUser, isUnavailable } from '../db/client.js';
import { problems } from '../openapi/generated/problems.js';
import { ProblemError, type ProblemSlug } from '../openapi/problem-error.js';
import { isHost } from './addresses.js';
import type { AnswerHeaders } from './answer-headers.js';
import { prefersPage, sendNotFoundPage } from './docs/pages.js';

/** Seconds after which a client may try again while the database is away. */
const RETRY_AFTER = '5';

declare module 'fastify' {
  interface FastifyRequest {
    /** Why it was refused, once it is. */
    problem: ProblemError | null;
  }
}

export const INVALID_TOKEN = 'The access token is not valid.';

export const unauthenticated = (detail: string): ProblemError =>
  new ProblemError('not-authenticated', detail, {}, { 'www-authenticate': 'Bearer' });

/** What is told of a database that answers, and did not do what it was asked, by SQLSTATE. */
const BUSY = new Map([
  ...['40001', '40P01'].map((code): [string, string] => [code, 'Others change the same at the moment.']),
  ['53200', 'This needs more memory than there is.'],
  ...['53300', '53400'].map((code): [string, string] => [code, 'Too much is under way at the moment.']),
  ['55P03', 'Something else holds what this needs at the moment.'],
  ['57014', 'This took longer than it may.'],
]);

/** Whatever was thrown, as the problem that a client may see; undefined where only the log may know more. */
function asProblem(error: unknown): ProblemError | undefined {
  if (error instanceof ProblemError) return error;
  const { code, statusCode, expose } = (error ?? {}) as FastifyError & { expose?: boolean };
  switch (code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new ProblemError('too-large', 'The body is larger than this operation takes.');
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
    case 'FST_ERR_CTP_INVALID_CONTENT_TYPE':
      return new ProblemError('unsupported-media-type', 'The operation does not take a body of this media type.');
    case 'FST_ERR_ROUTE_MISSING_CONTENT_TYPE': // of a QUERY request, which no path takes
      return new ProblemError('not-found', 'There is nothing at this path.');
    case 'FST_ERR_CTP_EMPTY_JSON_BODY':
    case 'FST_ERR_CTP_INVALID_JSON_BODY':
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
      return invalidBody('is not valid JSON');
  }
  // Fastify's mark on a body that broke off, and that of the static files on a range they do not have.
  if (statusCode === 400 || expose === true) return new ProblemError('invalid-input', 'The request is not valid.');
  // The token was valid when the request came.
  if (isOfErasedUser(error)) return unauthenticated(INVALID_TOKEN);
  if (isUnavailable(error)) {
    const detail = BUSY.get(codeOf(error) ?? '') ?? 'The database can not be reached at the moment.';
    const problem = new ProblemError('unavailable', detail, {}, { 'retry-after': RETRY_AFTER });
    return Object.assign(problem, { cause: error });
  }
  return undefined;
}

function invalidBody(fault: string): ProblemError {
  return new ProblemError('invalid-input', `The body ${fault}.`, { errors: { body: [fault] } });
}

/** Where the error arose. Its message stands before the frames, and may have lines that look like one. */
function framesOf({ stack = '', message }: Error): string[] {
  return stack
    .slice(stack.indexOf(message) + message.length)
    .split('\n')
    .filter((line) => line.startsWith('    at '))
    .slice(0, 12)
    .map((line) => line.trim());
}

/** What an error may leave in the log: where it arose, never the values it arose from. */
export function loggable(error: unknown): Record<string, unknown> {
  const chain: unknown[] = [];
  for (let cause: unknown = error; cause instanceof Error && chain.length < 5; cause = cause.cause) {
    // Messages of the database and its layers quote the query's parameters.
    const quotesValues = 'severity' in cause || 'query' in cause;
    chain.push({
      type: cause.name,
      ...('code' in cause && { code: cause.code }),
      ...('constraint_name' in cause && { constraint: cause.constraint_name }),
      ...(quotesValues ? {} : { message: cause.message }),
      at: framesOf(cause),
    });
  }
  return { chain };
}

/** As Fastify writes it, with the charset it adds to every JSON. */
const PROBLEM_TYPE = 'application/problem+json; charset=utf-8';

function problemDocument(problem: ProblemError, requestId: string): Record<string, unknown> {
  return {
    type: `/problems/${problem.slug}`,
    title: problems[problem.slug].title,
    status: problem.statusCode,
    detail: problem.message,
    instance: `urn:uuid:${requestId}`,
    ...problem.members,
  };
}

function sendError(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  let problem = asProblem(error);
  if (problem === undefined) {
    request.log.error({ reqId: request.id, error: loggable(error) }, 'unexpected error');
    problem = new ProblemError('internal-error', 'The server met an unexpected fault.');
  }
  request.problem = problem;
  return reply
    .code(problem.statusCode)
    .headers(problem.headers)
    .type(PROBLEM_TYPE)
    .send(problemDocument(problem, request.id));
}

/** A path that nobody has. */
const NOWHERE = '/404';

/** A path that Fastify can not read is routed as one that is not there, so that its answer is like all others. */
export function frameworkErrors(_error: FastifyError, { raw, server }: FastifyRequest, reply: FastifyReply): void {
  raw.url = NOWHERE;
  server.routing(raw, reply.raw);
}

/** Status line, problem type and detail for bytes that are no HTTP request. */
function refusalOf(code: string | undefined): [line: string, slug: ProblemSlug, detail: string] {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return ['431 Request Header Fields Too Large', 'too-large', 'The headers are larger than this server takes.'];
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return ['408 Request Timeout', 'invalid-input', 'The request did not arrive in time.'];
    default:
      return ['400 Bad Request', 'invalid-input', 'This is not a valid HTTP request.'];
  }
}

/** Milliseconds that a refused connection has to read why. */
const LINGER = 1000;

/**
 * Makes the handler of bytes that are no HTTP request, of which there is no request object.
 * @param headersFor what every answer has
 */
export function refuseConnection(headersFor: AnswerHeaders) {
  const refused = new WeakSet<Socket>();
  return (error: Error & { code?: string; rawPacket?: unknown; origin?: string }, socket: Socket): void => {
    // What follows the bytes that were refused is no request either, but to break off now would take the answer away.
    if (refused.has(socket) && error.code !== 'ECONNRESET') return;
    refused.add(socket);
    if (error.code === 'ECONNRESET' || !socket.writable) {
      socket.destroy();
      return;
    }
    const [line, slug, detail] = refusalOf(error.code);
    const id = crypto.randomUUID();
    const problem = problemDocument(new ProblemError(slug, detail), id);
    const body = JSON.stringify({ ...problem, status: Number(line.slice(0, 3)) });
    const origin = error.origin ?? /^origin: *(\S+)/im.exec(String(error.rawPacket))?.[1];
    const headers = {
      'content-type': PROBLEM_TYPE,
      'content-length': Buffer.byteLength(body),
      connection: 'close',
      'x-request-id': id,
      ...headersFor(origin),
    };
    const head = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    socket.end(`HTTP/1.1 ${line}\r\n${head.join('')}\r\n${body}`);
    // To a client that goes on sending the connection would stay open; at once, it would lose the answer.
    setTimeout(() => socket.destroy(), LINGER).unref();
  };
}

export interface ErrorsOptions {
  /** Is told of errors that say that the database is away. */
  readonly onUnavailable?: (error: unknown) => void;
  /** What a refusal is to who asks; by default what it is to all. */
  readonly refusalTo?: (request: FastifyRequest, problem: ProblemError) => ProblemError;
}

/** One handler for whatever is thrown, and for what is refused without a route. Comes after what every answer has. */
export default fp(
  function errors(app: FastifyInstance, { onUnavailable, refusalTo }: ErrorsOptions, done) {
    app.decorateRequest('problem', null);
    app.setErrorHandler((error, request, reply) => {
      if (isUnavailable(error)) onUnavailable?.(error);
      const isRefusal = error instanceof ProblemError && refusalTo !== undefined;
      return sendError(isRefusal ? refusalTo(request, error) : error, request, reply);
    });
    // RFC 9112, section 3.2. What names no host would else get into the URLs of an answer.
    app.addHook('onRequest', ({ raw }, _reply, next) => {
      const { host } = raw.headers;
      if (host === undefined ? raw.httpVersion !== '1.1' : host === '' || isHost(host)) next();
      else if (host === undefined) next(new ProblemError('invalid-input', 'The request has no Host header.'));
      else next(new ProblemError('invalid-input', 'The Host header names no host.'));
    });
    // Whatever a client expects, Node would refuse it with an answer that is not like ours (RFC 9110, section 10.1.1).
    app.server.on('checkExpectation', app.routing);
    app.server.on('connect', (_request, socket: Socket) =>
      app.server.emit('clientError', new Error('no proxy'), socket),
    );
    app.setNotFoundHandler((request, reply) =>
      prefersPage(request, reply)
        ? sendNotFoundPage(reply)
        : sendError(new ProblemError('not-found', 'There is nothing at this path.'), request, reply),
    );
    done();
  },
  { name: 'errors' },
);
