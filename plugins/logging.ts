import type { FastifyInstance, FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import { codeOf } from '../db/client.js';
import type { FieldErrors } from '../openapi/problem-error.js';
import { SERVICE_SECRETS } from './service-keys.js';

/** The longest path and reason in a line, in UTF-16 code units. */
const MAX_TEXT = 300;

/** What this server gives that lets in whoever has it: somebody may have sent it where it does not belong. */
const SECRETS = new RegExp(
  [
    SERVICE_SECRETS.source,
    // Access and refresh tokens: JSON Web Tokens.
    String.raw`eyJ[\w-]+\.[\w-]+(\.[\w-]*)?`,
    // Of a hold or an invitation, in a path.
    String.raw`(?<=\/)[\w-]{32}(?=\/|$)`,
    // For a new password, or in the place of an app's code (src/lib/codes.ts).
    String.raw`([\dA-Z]{4}-){2,}[\dA-Z]{4}`,
  ].join('|'),
  'g',
);

/** What leaves of a text. */
const cut = (text: string): string => text.replace(SECRETS, '...').slice(0, MAX_TEXT);

/** What whoever reads the log needs to know of a refusal: its kind, what was not found, what was wrong with the input or the database. */
function refusalOf({ problem, url }: FastifyRequest): Record<string, unknown> | undefined {
  if (!problem) return undefined;
  const { slug, statusCode, message, members } = problem;
  if (statusCode === 404) return { problem: slug, path: cut(url.replace(/\?.*/s, '')) };
  if (slug !== 'invalid-input') {
    return { problem: slug, ...(problem.cause !== undefined && { code: codeOf(problem.cause) }) };
  }
  const errors = Object.entries((members['errors'] ?? {}) as FieldErrors);
  const reason = errors.map(([field, messages]) => `${field} ${messages.join(', ')}`).join('; ');
  return { problem: slug, reason: cut(reason || message) };
}

/**
 * One line for each answer, with the request's id, which the answer carries too. It names the route and no query, header,
 * address or value that was sent: they can hold personal data.
 */
export default fp(
  function logging(app: FastifyInstance, _options, done) {
    app.addHook('onRequest', (request, reply, next) => {
      reply.header('x-request-id', request.id);
      next();
    });
    app.addHook('onResponse', (request, reply, next) => {
      request.log.info(
        {
          reqId: request.id,
          method: request.method,
          route: request.routeOptions.url ?? null,
          status: reply.statusCode,
          milliseconds: Math.round(reply.elapsedTime * 10) / 10,
          ...refusalOf(request),
        },
        'answered',
      );
      next();
    });
    done();
  },
  { name: 'logging' },
);
