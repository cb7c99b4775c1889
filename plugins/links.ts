import type { FastifyReply, preSerializationHookHandler } from 'fastify';
import { JsonText, type Pages } from '../db/json.js';
import type { Operation } from '../openapi/operation.js';

/** What a URL has to be without in the header, as it came; all else in it stays so. */
const FOREIGN = /[^\x21-\x7e]|[<>"]/g;

/** Leads from an answer that has no place for it to the pages before and after (RFC 8288). */
export function linkPages(reply: FastifyReply, { previous, next }: Partial<Pages>): void {
  const links = Object.entries({ prev: previous, next }).flatMap(([relation, url]) =>
    url == null ? [] : [`<${url.replace(FOREIGN, encodeURIComponent)}>; rel="${relation}"`],
  );
  if (links.length > 0) reply.header('link', links.join(', '));
}

/** Does so for a bare array. */
export function addLinks({ config }: Operation): preSerializationHookHandler<unknown> | undefined {
  if (!config.hasLinks) return undefined;
  return function addPages(_request, reply, payload, done) {
    if (payload instanceof JsonText && payload.pages !== undefined) linkPages(reply, payload.pages);
    done(null, payload);
  };
}
