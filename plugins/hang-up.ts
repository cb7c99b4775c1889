import type { FastifyReply } from 'fastify';

const signals = new WeakMap<FastifyReply['raw'], AbortSignal>();

/**
 * Aborted when the client hangs up, and with the end of the answer. Fastify's own signal goes by the request, which closes as
 * soon as its body is read.
 */
export function hangUp({ raw }: FastifyReply): AbortSignal {
  const known = signals.get(raw);
  if (known !== undefined) return known;
  const gone = new AbortController();
  if (raw.destroyed) gone.abort();
  else raw.once('close', () => gone.abort());
  signals.set(raw, gone.signal);
  return gone.signal;
}
