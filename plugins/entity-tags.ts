import type { onSendHookHandler, preSerializationHookHandler } from 'fastify';
import { JsonText } from '../db/json.js';
import type { Operation } from '../openapi/operation.js';

const quoted = (tag: string): string => `"${tag}"`;

/** What proxies that compress an answer put behind its tag. */
const ENCODING = /^(?:(?:--?|;)(?:gzip|br|zstd|deflate))?$/;

/**
 * Whether a condition names a state (RFC 9110, section 8.8.3), by `*` or by a list of tags. The mark of weakness does not
 * count, for If-Match neither: it is not ours, but that of a proxy that compressed the answer.
 */
export function names(condition: string, tag: string): boolean {
  if (condition.trim() === '*') return true;
  const listed = condition.match(/"[^"]*"/g) ?? [];
  return listed.some((named) => named.startsWith(`"${tag}`) && ENCODING.test(named.slice(tag.length + 1, -1)));
}

/** What a condition names, if there is one. */
export const namedBy = (condition: string | undefined): ((tag: string) => boolean) | undefined =>
  condition === undefined ? undefined : (tag) => names(condition, tag);

/** The ETag header of an answer. */
export function entityTag(answer: unknown): string {
  return quoted((answer instanceof JsonText ? answer : new JsonText(JSON.stringify(answer))).tag);
}

/** Gives the answers that the contract says so of an ETag. */
export function addEntityTag({ config }: Operation): preSerializationHookHandler<unknown> | undefined {
  if (!config.hasEntityTag) return undefined;
  return function addTag(_request, reply, payload, done) {
    // A replayed answer has the tag it had at first.
    if (reply.statusCode < 300 && !reply.hasHeader('etag')) reply.header('etag', entityTag(payload));
    done(null, payload);
  };
}

/** Answers 304 to a GET or HEAD where the client has that state already. */
export function answerNotModified({ method, config }: Operation): onSendHookHandler<unknown> | undefined {
  if (!config.hasEntityTag || method !== 'GET') return undefined;
  return function sendNotModified(request, reply, payload, done) {
    const condition = request.headers['if-none-match'];
    const tag = reply.getHeader('etag');
    const isKnown = condition !== undefined && typeof tag === 'string' && names(condition, tag.slice(1, -1));
    if (!isKnown || reply.statusCode !== 200) {
      done(null, payload);
      return;
    }
    reply.statusCode = 304;
    reply.removeHeader('content-type').removeHeader('content-length');
    // Of HEAD, Fastify takes the body off after this and tells its length.
    done(null, request.method === 'HEAD' ? payload : null);
  };
}
