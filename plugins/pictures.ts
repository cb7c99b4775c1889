import { desc, inArray, lte, sql, type SQL } from 'drizzle-orm';
import type { FastifyInstance, FastifyReply, FastifyRequest, RouteOptions } from 'fastify';
import fp from 'fastify-plugin';
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { discardedPictures } from '../db/tables/index.js';
import { operations } from '../openapi/generated/operations.js';
import { ProblemError } from '../openapi/generated/problems.js';
import { loggable } from './errors.js';
import { FormBody, Upload } from './multipart.js';

export interface PicturesOptions {
  /** Where the files are kept; made if it is absent. */
  readonly folder: string;
  /** Signs the URLs of pictures that are not public. */
  readonly secret: string;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

export interface Pictures {
  /** The URL of a stored picture; where it is signed, it works for 15 to 30 minutes and stays the same for 15. */
  url(base: string, name: string | null): string | null;
}

/** Keeps files under names that are unique and never used again. */
export interface PictureStore {
  /** Once it resolves, the whole file outlives a crash. */
  write(name: string, bytes: Buffer): Promise<void>;
  /** Null if there is no such file. */
  read(name: string): Promise<Buffer | null>;
  /** Removes also what an interrupted write has left; no such file is fine. */
  remove(name: string): Promise<void>;
}

declare module 'fastify' {
  interface FastifyInstance {
    readonly pictures: Pictures;
  }
}

const MAX_PIXELS = 40_000_000;
const LONG_SIDE = 1600;
const DECODE_SECONDS = 20;
/** Pictures in work at once: one of 40 megapixels can take some 400 MB. */
const CONCURRENCY = 2;
/** Files that one request, or one step of the hourly round, removes. */
const BATCH = 100;
const HOUR = 3_600_000;
/** Seconds. */
const SIGNATURE_WINDOW = 900;
const NAME = /^[ps]-[\w-]{22}\.(jpeg|png|webp|gif)$/;

export async function openFolder(folder: string): Promise<PictureStore> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const path = (name: string): string => join(folder, name);
  const unfinished = (name: string): string => path(`${name}.part`);
  return {
    write: async (name, bytes) => {
      await writeFile(unfinished(name), bytes, { mode: 0o600, flag: 'wx', flush: true });
      await rename(unfinished(name), path(name));
    },
    read: (name) =>
      readFile(path(name)).catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return null;
        throw error;
      }),
    remove: async (name) => {
      await rm(unfinished(name), { force: true });
      await rm(path(name), { force: true });
    },
  };
}

interface Encoded {
  readonly bytes: Buffer;
  readonly format: string;
}

/** The first frame, upright and no larger than need be; sharp makes it sRGB and leaves all metadata out. */
async function encode(bytes: Buffer): Promise<Encoded> {
  // Phones write JPEGs that libjpeg warns of ("extraneous bytes"), so warnings pass; a file that is cut short does not.
  const { data, info } = await sharp(bytes, { failOn: 'error', limitInputPixels: MAX_PIXELS })
    .timeout({ seconds: DECODE_SECONDS })
    .autoOrient()
    .resize({ width: LONG_SIDE, height: LONG_SIDE, fit: 'inside', withoutEnlargement: true })
    .toBuffer({ resolveWithObject: true });
  return { bytes: data, format: info.format };
}

function faultOf(error: unknown): string {
  const text = String(error);
  if (text.includes('unsupported image format')) return 'must be a JPEG, PNG, WebP or GIF picture';
  if (text.includes('exceeds pixel limit')) return `must have at most ${MAX_PIXELS / 1_000_000} megapixels`;
  if (text.includes('timeout')) return 'takes too long to decode';
  return 'is damaged or cut short';
}

/** Lets `count` tasks run at once; further ones wait in line. */
function inTurn(count: number): <T>(task: () => Promise<T>) => Promise<T> {
  const line: (() => void)[] = [];
  let free = count;
  return async (task) => {
    if (free > 0) free--;
    else await new Promise<void>((resolve) => line.push(resolve));
    try {
      return await task();
    } finally {
      const next = line.shift();
      if (next === undefined) free++;
      else next();
    }
  };
}

interface FileField {
  readonly name: string;
  readonly prefix: 'p-' | 's-';
}

/** The fields of a route's body that the contract calls `format: binary`. */
function fileFields(route: RouteOptions): FileField[] {
  const body = route.schema?.body as { properties?: Record<string, Record<string, unknown>> } | undefined;
  return Object.entries(body?.properties ?? {})
    .filter(([, property]) => property['format'] === 'binary')
    .map(([name, property]) => ({ name, prefix: property['x-visibility'] === 'signed' ? 's-' : 'p-' }));
}

/**
 * Stores uploaded pictures and serves them. A handler finds the new file's name in the field of the upload; the file
 * goes if the request fails, and a file that a row let go is gone before the client has its answer.
 */
export default fp(
  async function pictures(app: FastifyInstance, { folder, secret, now = Date.now }: PicturesOptions) {
    sharp.cache(false);
    sharp.concurrency(1);
    sharp.block({ operation: ['VipsForeignLoad'] });
    sharp.unblock({ operation: ['Jpeg', 'Png', 'Webp', 'Nsgif'].map((loader) => `VipsForeignLoad${loader}Buffer`) });

    const store = await openFolder(folder);
    const takeTurn = inTurn(CONCURRENCY);
    const encoded = new WeakMap<Upload, Encoded>();
    const stored = new WeakMap<FastifyRequest, string[]>();
    const tags = new Set<string>();

    async function encodeUploads(body: unknown, fields: FileField[]): Promise<void> {
      if (!(body instanceof FormBody)) return;
      for (const { name } of fields) {
        const upload = body.fields[name];
        if (!(upload instanceof Upload) || upload.bytes.length === 0) continue;
        try {
          encoded.set(upload, await takeTurn(() => encode(upload.bytes)));
        } catch (error) {
          upload.fault = faultOf(error);
        }
      }
    }

    async function storeUploads(request: FastifyRequest, fields: FileField[]): Promise<void> {
      const body = request.body as Record<string, unknown>;
      for (const field of fields) {
        const picture = encoded.get(body[field.name] as Upload);
        if (picture === undefined) continue;
        const name = `${field.prefix}${randomBytes(16).toString('base64url')}.${picture.format}`;
        // Listed first and for longer than any request lasts, so that a crash from here on leaves no unknown file.
        await app.db.insert(discardedPictures).values({ name, dueAt: sql`now() + interval '1 hour'` });
        stored.set(request, [...(stored.get(request) ?? []), name]);
        await store.write(name, picture.bytes);
        body[field.name] = name;
      }
    }

    /** Removes a batch of what is listed, the latest first. Returns how many. */
    async function remove(which: SQL): Promise<number> {
      const { name, dueAt } = discardedPictures;
      const rows = await app.db.select({ name }).from(discardedPictures).where(which).orderBy(desc(dueAt)).limit(BATCH);
      if (rows.length === 0) return 0;
      const names = rows.map((row) => row.name);
      await Promise.all(names.map((each) => store.remove(each)));
      await app.db.delete(discardedPictures).where(inArray(name, names));
      return names.length;
    }
    const isDue = lte(discardedPictures.dueAt, sql`now()`);

    const removeHook = async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
      const own = stored.get(request);
      let which: SQL | undefined;
      // Of a failed request only what is still listed goes: a name that a row took is off the list.
      if (reply.statusCode >= 400) which = own && inArray(discardedPictures.name, own);
      else if (tags.has(request.routeOptions.config.tag ?? '')) which = isDue;
      if (which === undefined) return;
      try {
        await remove(which);
      } catch (error) {
        request.log.warn({ reqId: request.id, error: loggable(error) }, 'pictures stay until the hourly removal');
      }
    };

    app.addHook('onRoute', (route) => {
      if (route.config?.operationId === undefined || route.method === 'GET' || route.method === 'HEAD') return;
      route.onSend = [route.onSend ?? []].flat().concat(removeHook as never);
      const fields = fileFields(route);
      if (fields.length === 0) return;
      if (route.config?.tag !== undefined) tags.add(route.config.tag);
      const encodeHook = async (request: FastifyRequest): Promise<void> => encodeUploads(request.body, fields);
      const storeHook = async (request: FastifyRequest): Promise<void> => storeUploads(request, fields);
      route.preValidation = [route.preValidation ?? []].flat().concat(encodeHook as never);
      route.preHandler = [route.preHandler ?? []].flat().concat(storeHook as never);
    });

    let timer: NodeJS.Timeout | undefined;
    let round = Promise.resolve();
    let isClosing = false;
    async function removeAllDue(): Promise<void> {
      try {
        while (!isClosing && (await remove(isDue)) === BATCH);
      } catch (error) {
        app.log.warn({ error: loggable(error) }, 'pictures stay until the next hourly removal');
      }
    }
    const startRound = (): void => void (round = round.then(removeAllDue));
    app.addHook('onReady', (done) => {
      // The database may be away at the start. If it can't be migrated, the process ends elsewhere.
      app.database.migrated.then(startRound, () => undefined);
      timer = setInterval(() => app.database.isMigrated() && startRound(), HOUR).unref();
      done();
    });
    app.addHook('onClose', async () => {
      isClosing = true;
      clearInterval(timer);
      await round;
    });

    const key = createHmac('sha256', secret).update('picture URLs').digest();
    const sign = (name: string, expires: number): string =>
      createHmac('sha256', key).update(`${name}.${expires}`).digest('base64url');
    const seconds = (): number => Math.floor(now() / 1000);

    app.decorate('pictures', {
      url: (base, name) => {
        if (name === null) return null;
        const url = `${base}/pictures/${name}`;
        if (!name.startsWith('s-')) return url;
        const expires = (Math.floor(seconds() / SIGNATURE_WINDOW) + 2) * SIGNATURE_WINDOW;
        return `${url}?expires=${expires}&signature=${sign(name, expires)}`;
      },
    });

    /** The headers that let a picture be cached; undefined where it may not be shown. */
    function cacheControl(name: string, { expires = 0, signature = '' }): string | undefined {
      if (!name.startsWith('s-')) return 'public, max-age=31536000, immutable';
      const [given, right] = [Buffer.from(signature), Buffer.from(sign(name, expires))];
      const left = expires - seconds();
      if (given.length !== right.length || !timingSafeEqual(given, right) || left <= 0) return undefined;
      return `private, max-age=${left}`;
    }

    app.route({
      ...operations.getPicture,
      handler: async (request, reply) => {
        const { name } = request.params as { name: string };
        const format = NAME.exec(name)?.[1];
        const caching = format && cacheControl(name, request.query as { expires?: number; signature?: string });
        const bytes = caching ? await store.read(name) : null;
        if (!caching || bytes === null) throw new ProblemError('not-found', 'There is no such picture.');
        reply.headers({
          etag: `"${name}"`,
          'cache-control': caching,
          'x-content-type-options': 'nosniff',
          'content-disposition': 'inline',
          'cross-origin-resource-policy': 'cross-origin',
        });
        return reply.type(`image/${format}`).send(bytes);
      },
    });
  },
  { name: 'pictures', dependencies: ['errors', 'multipart', 'database', 'entity-tags'] },
);
