import type { FastifyInstance } from 'fastify';
import fp from 'fastify-plugin';
import { isUtf8 } from 'node:buffer';
import { parse } from 'node:querystring';
import { ProblemError } from '../openapi/problem-error.js';
import { NO_TEXT } from '../openapi/text.js';

/** The text of bytes; `NO_TEXT` where they are no UTF-8, which whoever decodes it would show as U+FFFD, like any others. */
export const decodeUtf8 = (bytes: Buffer): string => (isUtf8(bytes) ? bytes.toString() : NO_TEXT);

/** Decodes percent-encoded UTF-8. A `%` that encodes nothing stands for itself. */
function decodePercent(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll(/%(?![\da-f]{2})/gi, '%25'));
  } catch {
    return NO_TEXT;
  }
}

/** Parses the query of a URL, for Fastify's router. */
export const parseQuery = (query: string): Record<string, unknown> =>
  query === '' ? {} : parse(query, '&', '=', { decodeURIComponent: decodePercent });

/** Refuses JSON that is no UTF-8 (RFC 8259, section 8.1). */
export default fp(
  function utf8(app: FastifyInstance, _options, done) {
    // As everywhere, a field that nobody knows is dropped; so is one by which a prototype could be changed.
    const parseJson = app.getDefaultJsonParser('remove', 'remove');
    app.addContentTypeParser<Buffer>('application/json', { parseAs: 'buffer' }, (request, body, next) => {
      if (isUtf8(body)) {
        void parseJson(request, body.toString(), next);
        return;
      }
      next(new ProblemError('invalid-input', 'The body is not UTF-8.', { errors: { body: ['is not UTF-8'] } }));
    });
    done();
  },
  { name: 'utf8', dependencies: ['errors'] },
);
