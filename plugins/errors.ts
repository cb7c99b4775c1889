import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import type { Socket } from 'node:net';
import { isUnavailable } from '../db/client.js';
import { ProblemError, problems } from '../openapi/generated/problems.js';

/** Seconds after which a client may try again while the database is away. */
const RETRY_AFTER = '5';

/** Whatever was thrown, as the problem that a client may see; undefined where only the log may know more. */
function asProblem(error: unknown): ProblemError | undefined {
  if (error instanceof ProblemError) return error;
  if (isUnavailable(error)) {
    const detail = 'The database can not be reached at the moment.';
    return new ProblemError('unavailable', detail, {}, { 'retry-after': RETRY_AFTER });
  }
  const { code } = error as FastifyError;
  switch (code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new ProblemError('too-large', 'The body is larger than this operation takes.');
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
    case 'FST_ERR_CTP_INVALID_CONTENT_TYPE':
      return new ProblemError('unsupported-media-type', 'The operation does not take a body of this media type.');
    case 'FST_ERR_BAD_URL':
    case 'FST_ERR_MAX_PARAM_LENGTH':
      return new ProblemError('not-found', 'There is nothing at this path.');
    case 'FST_ERR_CTP_EMPTY_JSON_BODY':
    case 'FST_ERR_CTP_INVALID_JSON_BODY':
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
      return invalidBody('is not valid JSON');
  }
  if (error instanceof SyntaxError && (error as FastifyError).statusCode === 400)
    return invalidBody('is not valid JSON');
  return undefined;
}

function invalidBody(fault: string): ProblemError {
  return new ProblemError('invalid-input', `The body ${fault}.`, { errors: { body: [fault] } });
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
      at: cause.stack
        ?.split('\n')
        .filter((line) => line.startsWith('    at '))
        .slice(0, 12)
        .map((line) => line.trim()),
    });
  }
  return { chain };
}

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
    request.log.error({ error: loggable(error) }, 'unexpected error');
    problem = new ProblemError('internal-error', 'The server met an unexpected fault.');
  }
  return reply
    .code(problem.statusCode)
    .headers(problem.headers)
    .type('application/problem+json')
    .send(problemDocument(problem, request.id));
}

/** For requests that Fastify refuses before it has a route for them. */
export function frameworkErrors(error: FastifyError, request: FastifyRequest, reply: FastifyReply): void {
  void sendError(error, request, reply);
}

/** For bytes that are no HTTP request, of which there is no request object. */
export function clientErrorHandler(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const [line, slug, detail] =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? ([
          '431 Request Header Fields Too Large',
          'too-large',
          'The headers are larger than this server takes.',
        ] as const)
      : (['400 Bad Request', 'invalid-input', 'This is not a valid HTTP request.'] as const);
  const body = JSON.stringify({
    ...problemDocument(new ProblemError(slug, detail), crypto.randomUUID()),
    status: Number(line.slice(0, 3)),
  });
  socket.end(
    `HTTP/1.1 ${line}\r\nContent-Type: application/problem+json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}

/** One handler for whatever is thrown, and the pages that explain the problem types. */
export default fp(
  function errors(app: FastifyInstance, _options, done) {
    app.setErrorHandler(sendError);
    app.setNotFoundHandler((request, reply) =>
      sendError(new ProblemError('not-found', 'There is nothing at this path.'), request, reply),
    );
    done();
  },
  { name: 'errors' },
);
