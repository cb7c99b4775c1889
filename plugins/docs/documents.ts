import { negotiate } from '@fastify/accept-negotiator';
import type { FastifyInstance } from 'fastify';
import { createHash } from 'node:crypto';
import { accessSync, constants as modes } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip, type InputType } from 'node:zlib';
import { names } from '../entity-tags.js';

/** By the names of content codings (RFC 9110, section 8.4.1), the best first. */
const CODINGS: Readonly<Record<string, (bytes: InputType) => Promise<Buffer>>> = {
  br: (bytes) => promisify(brotliCompress)(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 6 } }),
  gzip: promisify<InputType, Buffer>(gzip),
};

export interface ServedDocument {
  readonly path: string;
  readonly type: string;
  readonly file: URL;
}

/** What `make` makes when it is first asked for; again where it failed. */
function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () =>
    (made ??= make().catch((error: unknown) => {
      made = undefined;
      throw error;
    }));
}

/**
 * What is made of a file that stays as it is while the server runs, for the first who asks.
 * @throws Error where there is no such file
 */
export function fromFile<T>(file: URL, make: (bytes: Buffer) => T): () => Promise<T> {
  accessSync(file, modes.R_OK);
  return once(async () => make(await readFile(file)));
}

/**
 * Serves a file that stays as it is while the server runs to whoever asks, pages of every origin included. It is read, and
 * compressed in each way, for the first who asks for that: most servers show few of their documents.
 * @throws Error where there is no such file
 */
export function serveDocument(app: FastifyInstance, { path, type, file }: ServedDocument): void {
  const read = fromFile(file, (bytes) => ({
    bytes,
    tag: createHash('sha256').update(bytes).digest('base64url').slice(0, 22),
  }));
  const coded = Object.fromEntries(
    Object.entries(CODINGS).map(([coding, code]) => [coding, once(async () => code((await read()).bytes))]),
  );
  app.get(path, async (request, reply) => {
    const { bytes, tag } = await read();
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
    const body = await coded[coding]?.();
    return body === undefined ? reply.send(bytes) : reply.header('content-encoding', coding).send(body);
  });
}
