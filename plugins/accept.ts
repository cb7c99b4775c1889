import { negotiate } from '@fastify/accept-negotiator';
import type { FastifyReply, FastifyRequest } from 'fastify';

/**
 * Which of the media types that there are of an answer somebody gets: the first where they name none of them. The answer
 * says that it hangs on that.
 */
export function preferred({ headers }: FastifyRequest, reply: FastifyReply, types: readonly string[]): string {
  const varying = reply.getHeader('vary');
  reply.header('vary', varying === undefined ? 'Accept' : `${String(varying)}, Accept`);
  return negotiate(headers.accept ?? '', [...types]) ?? types[0] ?? '';
}
