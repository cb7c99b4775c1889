import { desc, inArray, lte, sql, type SQL } from 'drizzle-orm';
import { randomBytes } from 'node:crypto';
import type { Db } from '../../db/client.js';
import { discardedPictures } from '../../db/tables/index.js';
import { ProblemError } from '../../openapi/problem-error.js';
import type { Turn } from '../../openapi/turns.js';
import { type FormBody, Upload } from '../multipart.js';
import { encode, faultOf, loadSharp, type Encoded } from './encoder.js';
import type { PictureStore, StoreAction } from './store.js';
import type { Prefix } from './urls.js';

/** A field of a body that the contract calls `format: binary`. */
export interface FileField {
  readonly name: string;
  readonly prefix: Prefix;
}

/** Files that one request, or one step of a round, removes. */
const BATCH = 100;
/** Of those, as many as leave a store's connections to those who read. */
const AT_ONCE = 10;

const encoded = new WeakMap<Upload, Encoded>();

/** The files of a form that have bytes, of its fields for pictures. */
export const uploadsOf = (body: FormBody, fields: readonly FileField[]): Upload[] =>
  fields
    .map(({ name }) => body.fields[name])
    .filter((value): value is Upload => value instanceof Upload && value.size > 0);

/**
 * Encodes the pictures of a form; one that can't be is marked with its fault.
 * @throws ProblemError `unavailable` where too many wait to be encoded, in all or of one user's
 */
export async function encodeUploads(body: FormBody, fields: readonly FileField[], turn: Turn): Promise<void> {
  for (const upload of uploadsOf(body, fields)) {
    // What is wrong with it is no fault of the picture.
    await loadSharp();
    try {
      encoded.set(upload, await encode(upload.bytes, turn));
    } catch (error) {
      if (error instanceof ProblemError) throw error;
      upload.fault = faultOf(error);
    }
  }
}

/** The life of picture files: listed, written, taken by a row or not, let go, removed. */
export interface Uploads {
  /** Writes the encoded pictures of a body, in which their names take the place of the uploads. */
  store(body: Record<string, unknown>, fields: readonly FileField[], onStored: (name: string) => void): Promise<void>;
  /** Removes those of the names that no row has taken. */
  removeUntaken(names: readonly string[]): Promise<void>;
  /** Removes a batch of what rows have let go. */
  removeDue(): Promise<void>;
  /** Removes all of it, until `isStopped`. */
  removeAllDue(isStopped: () => boolean): Promise<void>;
}

export function pictureUploads(db: Db, store: Pick<PictureStore, StoreAction>): Uploads {
  const { name, dueAt } = discardedPictures;
  const isDue = lte(dueAt, sql`now()`);

  /** Removes a batch of what is listed, the latest first. Returns how many. */
  async function remove(which: SQL): Promise<number> {
    const rows = await db.select({ name }).from(discardedPictures).where(which).orderBy(desc(dueAt)).limit(BATCH);
    if (rows.length === 0) return 0;
    const names = rows.map((row) => row.name);
    for (let at = 0; at < names.length; at += AT_ONCE) {
      await Promise.all(names.slice(at, at + AT_ONCE).map((each) => store.remove(each)));
    }
    await db.delete(discardedPictures).where(inArray(name, names));
    return names.length;
  }

  return {
    store: async (body, fields, onStored) => {
      for (const field of fields) {
        const picture = encoded.get(body[field.name] as Upload);
        if (picture === undefined) continue;
        const file = `${field.prefix}${randomBytes(16).toString('base64url')}.${picture.format}`;
        // Listed first and for longer than any request lasts, so that a crash from here on leaves no unknown file.
        await db.insert(discardedPictures).values({ name: file, dueAt: sql`now() + interval '1 hour'` });
        onStored(file);
        await store.write(file, picture.bytes);
        body[field.name] = file;
      }
    },
    removeUntaken: async (names) => void (await remove(inArray(name, [...names]))),
    removeDue: async () => void (await remove(isDue)),
    removeAllDue: async (isStopped) => {
      while (!isStopped() && (await remove(isDue)) === BATCH);
    },
  };
}
