import type { FastifyInstance, onSendHookHandler, preSerializationHookHandler } from 'fastify';
import fp from 'fastify-plugin';
import { JsonText } from '../db/json.js';

/** The tags of a condition, without the mark of weakness: it does not count for If-None-Match (RFC 9110, 13.1.2). */
function namesTag(condition: string, tag: string): boolean {
  return condition.split(',').some((part) => {
    const named = part.trim().replace(/^W\//, '');
    return named === '*' || named === tag;
  });
}

const addTag: preSerializationHookHandler<unknown> = (_request, reply, payload, done) => {
  // A replayed answer has the tag it had at first.
  if (reply.statusCode < 300 && !reply.hasHeader('etag')) {
    const answer = payload instanceof JsonText ? payload : new JsonText(JSON.stringify(payload));
    reply.header('etag', answer.entityTag);
  }
  done(null, payload);
};

const sendNotModified: onSendHookHandler<unknown> = (request, reply, payload, done) => {
  const condition = request.headers['if-none-match'];
  const tag = reply.getHeader('etag');
  if (condition === undefined || reply.statusCode !== 200 || typeof tag !== 'string' || !namesTag(condition, tag)) {
    done(null, payload);
    return;
  }
  reply.statusCode = 304;
  reply.removeHeader('content-type').removeHeader('content-length');
  done(null, null);
};

/** Gives the answers that the contract says so of an ETag, and answers 304 where the client has that state already. */
export default fp(
  function entityTags(app: FastifyInstance, _options, done) {
    app.addHook('onRoute', (route) => {
      if (route.config?.hasEntityTag !== true) return;
      route.preSerialization = [route.preSerialization ?? []].flat().concat(addTag as never);
      if (route.method === 'GET') route.onSend = [route.onSend ?? []].flat().concat(sendNotModified as never);
    });
    done();
  },
  { name: 'entity-tags' },
);
