import sharp from 'sharp';

const MAX_PIXELS = 40_000_000;
const LONG_SIDE = 1600;
const DECODE_SECONDS = 20;
/** Pictures in work at once: one of 40 megapixels can take some 400 MB. */
const CONCURRENCY = 2;

sharp.cache(false);
sharp.concurrency(1);
sharp.block({ operation: ['VipsForeignLoad'] });
sharp.unblock({ operation: ['Jpeg', 'Png', 'Webp', 'Nsgif'].map((loader) => `VipsForeignLoad${loader}Buffer`) });

export interface Encoded {
  readonly bytes: Buffer;
  readonly format: string;
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

const takeTurn = inTurn(CONCURRENCY);

/**
 * The first frame of a picture, upright and no larger than need be; sharp makes it sRGB and leaves all metadata out.
 * @throws whatever sharp throws, which `faultOf` explains
 */
export function encode(bytes: Buffer): Promise<Encoded> {
  return takeTurn(async () => {
    // Phones write JPEGs that libjpeg warns of ("extraneous bytes"), so warnings pass; a file that is cut short does not.
    const { data, info } = await sharp(bytes, { failOn: 'error', limitInputPixels: MAX_PIXELS })
      .timeout({ seconds: DECODE_SECONDS })
      .autoOrient()
      .resize({ width: LONG_SIDE, height: LONG_SIDE, fit: 'inside', withoutEnlargement: true })
      .toBuffer({ resolveWithObject: true });
    return { bytes: data, format: info.format };
  });
}

/** What is wrong with a picture that could not be encoded, in words that follow the field's name. */
export function faultOf(error: unknown): string {
  const text = String(error);
  if (text.includes('unsupported image format')) return 'must be a JPEG, PNG, WebP or GIF picture';
  if (text.includes('exceeds pixel limit')) return `must have at most ${MAX_PIXELS / 1_000_000} megapixels`;
  if (text.includes('timeout')) return 'takes too long to decode';
  return 'is damaged or cut short';
}
