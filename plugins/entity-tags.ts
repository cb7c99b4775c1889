import type { onSendHookHandler, preSerializationHookHandler } from 'fastify';
import { JsonText } from '../db/json.js';
import type { Operation } from '../openapi/operation.js';

const quoted = (tag: string): string => `"${tag}"`;

/** The entity tags that a condition lists (RFC 9110, section 8.8.3), or `*`. */
const listed = (condition: string): string[] => condition.split(',').map((part) => part.trim());

/** Whether an If-Match names a state (RFC 9110, section 13.1.1): a weak tag never does. */
export const matches = (condition: string, tag: string): boolean =>
  listed(condition).some((named) => named === '*' || named === quoted(tag));

/** Whether an If-None-Match names the tag of an answer: the mark of weakness does not count (section 13.1.2). */
const namesTag = (condition: string, entityTag: string): boolean =>
  listed(condition).some((named) => named === '*' || named.replace(/^W\//, '') === entityTag);

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

/** Answers 304 to a GET where the client has that state already. */
export function answerNotModified({ method, config }: Operation): onSendHookHandler<unknown> | undefined {
  if (!config.hasEntityTag || method !== 'GET') return undefined;
  return function sendNotModified(request, reply, payload, done) {
    const condition = request.headers['if-none-match'];
    const tag = reply.getHeader('etag');
    const isAsked = condition !== undefined && request.method === 'GET';
    if (!isAsked || reply.statusCode !== 200 || typeof tag !== 'string' || !namesTag(condition, tag)) {
      done(null, payload);
      return;
    }
    reply.statusCode = 304;
    reply.removeHeader('content-type').removeHeader('content-length');
    done(null, null);
  };
}
