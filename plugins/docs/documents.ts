import { negotiate } from '@fastify/accept-negotiator';
import type { FastifyInstance } from 'fastify';
import { createHash } from 'node:crypto';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import { names } from '../entity-tags.js';

/** By the names of content codings (RFC 9110, section 8.4.1), the best first. */
const CODINGS: Readonly<Record<string, (bytes: Buffer) => Buffer>> = {
  br: (bytes) => brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 6 } }),
  gzip: (bytes) => gzipSync(bytes),
};

export interface ServedDocument {
  readonly path: string;
  readonly type: string;
  readonly text: string;
}

/** Serves a text that stays as it is while the server runs to whoever asks, pages of every origin included. */
export function serveDocument(app: FastifyInstance, { path, type, text }: ServedDocument): void {
  const bytes = Buffer.from(text);
  const tag = createHash('sha256').update(bytes).digest('base64url').slice(0, 22);
  const coded = Object.fromEntries(Object.entries(CODINGS).map(([coding, code]) => [coding, code(bytes)]));
  app.get(path, (request, reply) => {
    // A page of an origin that is allowed by name may send credentials, which no `*` takes.
    if (!reply.hasHeader('access-control-allow-origin')) {
      reply.header('access-control-allow-origin', '*').removeHeader('access-control-allow-credentials');
    }
    const varying = reply.getHeader('vary');
    reply.headers({
      'cache-control': 'no-cache',
      // Weak, since each coding has other bytes.
      etag: `W/"${tag}"`,
      vary: varying === undefined ? 'Accept-Encoding' : `${String(varying)}, Accept-Encoding`,
    });
    const known = request.headers['if-none-match'];
    if (known !== undefined && names(known, tag)) return reply.code(304).send();
    const coding = negotiate(request.headers['accept-encoding'] ?? '', Object.keys(CODINGS)) ?? '';
    reply.type(type);
    const body = coded[coding];
    return body === undefined ? reply.send(bytes) : reply.header('content-encoding', coding).send(body);
  });
}
