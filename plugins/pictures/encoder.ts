import { createRequire } from 'node:module';
import type sharp from 'sharp';
import { inTurn, type Bounds, type Turn } from '../../openapi/turns.js';

const MAX_PIXELS = 40_000_000;
/** What a JPEG can have. A line is decoded as a whole, and a column line by line, so that few pixels could cost much. */
const MAX_SIDE = 65_535;
const LONG_SIDE = 1600;
const DECODE_SECONDS = 20;
/**
 * One of 40 megapixels can take some 400 MB, and each that waits up to 5 MB. With passwords (src/lib/passwords.ts) they
 * take at most three of libuv's four threads, so that files and names of hosts do not wait for them.
 */
const IN_WORK: Bounds = {
  running: 1,
  waiting: 40,
  each: 30,
  detail: 'Too many pictures are being taken in at the moment.',
};

let loading: Promise<typeof sharp> | undefined;

/** Loads sharp for the first picture: it takes a sixth of what the server holds after its start. */
export function loadSharp(): Promise<typeof sharp> {
  return (loading ??= import('sharp').then(({ default: loaded }) => {
    loaded.cache(false);
    loaded.concurrency(1);
    loaded.block({ operation: ['VipsForeignLoad'] });
    const loaders = ['Jpeg', 'Png', 'Webp', 'Nsgif'].map((name) => `VipsForeignLoad${name}Buffer`);
    loaded.unblock({ operation: loaders });
    return loaded;
  }));
}

/**
 * Makes sure that pictures can be encoded, at the start rather than with the first.
 * @throws Error where the library or its binary is not installed
 */
export async function findEncoder(): Promise<void> {
  const { resolve } = createRequire(import.meta.resolve('sharp'));
  const isThere = (libc: string): boolean => {
    try {
      resolve(`@img/sharp-${process.platform}${libc}-${process.arch}/sharp.node`);
      return true;
    } catch {
      return false;
    }
  };
  // Where it has another place, sharp itself knows.
  if (!isThere('') && !isThere('musl')) await loadSharp();
}

export interface Encoded {
  readonly bytes: Buffer;
  readonly format: string;
}

const takeTurn = inTurn(IN_WORK);
export const pictureQueue = takeTurn.state;

/** A picture with more pixels on a side than are taken. */
class TooLong extends Error {}

/**
 * The first frame of a picture, upright and no larger than need be; sharp makes it sRGB and leaves all metadata out.
 * @throws ProblemError `unavailable` where too many wait, in all or of one user's; else whatever sharp throws, which `faultOf` explains
 */
export function encode(bytes: Buffer, turn?: Turn): Promise<Encoded> {
  return takeTurn(async () => {
    const open = await loadSharp();
    // Phones write JPEGs that libjpeg warns of ("extraneous bytes"), so warnings pass; a file that is cut short does not.
    const picture = open(bytes, { failOn: 'error', limitInputPixels: MAX_PIXELS });
    const { width, height } = await picture.metadata();
    if (width > MAX_SIDE || height > MAX_SIDE) throw new TooLong();
    const { data, info } = await picture
      .timeout({ seconds: DECODE_SECONDS })
      .autoOrient()
      .resize({ width: LONG_SIDE, height: LONG_SIDE, fit: 'inside', withoutEnlargement: true })
      .toBuffer({ resolveWithObject: true });
    return { bytes: data, format: info.format };
  }, turn);
}

/** What is wrong with a picture that could not be encoded, in words that follow the field's name. */
export function faultOf(error: unknown): string {
  if (error instanceof TooLong) return `must have at most ${MAX_SIDE.toLocaleString('en')} pixels on a side`;
  const text = String(error);
  if (text.includes('unsupported image format')) return 'must be a JPEG, PNG, WebP or GIF picture';
  if (text.includes('exceeds pixel limit')) return `must have at most ${MAX_PIXELS / 1_000_000} megapixels`;
  if (text.includes('timeout')) return 'takes too long to decode';
  return 'is damaged or cut short';
}
