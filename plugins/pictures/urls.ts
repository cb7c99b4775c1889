import { createHmac, timingSafeEqual } from 'node:crypto';

/** Seconds. */
const SIGNATURE_WINDOW = 900;

/** Names begin with who may see them: `p-` anyone, `s-` whoever has a signed URL. */
export type Prefix = 'p-' | 's-';

export interface PictureUrls {
  /** The URL of a stored picture; where it is signed, it works for 15 to 30 minutes and stays the same for 15. */
  url(base: string, name: string | null): string | null;
  /** The Cache-Control of a picture that was asked for so; undefined where it may not be shown. */
  cacheControl(name: string, query: { expires?: number; signature?: string }): string | undefined;
}

/**
 * Signs the URLs of pictures that are not public.
 * @param secrets the first signs, and all verify
 * @param now milliseconds since 1970
 */
export function pictureUrls(secrets: readonly string[], now: () => number): PictureUrls {
  const keys = secrets.map((secret) => createHmac('sha256', secret).update('picture URLs').digest());
  const signatures = (name: string, expires: number): string[] =>
    keys.map((key) => createHmac('sha256', key).update(`${name}.${expires}`).digest('base64url'));
  const seconds = (): number => Math.floor(now() / 1000);
  const isSigned = (name: string): boolean => name.startsWith('s-' satisfies Prefix);
  return {
    url: (base, name) => {
      if (name === null) return null;
      const url = `${base}/pictures/${name}`;
      if (!isSigned(name)) return url;
      const expires = (Math.floor(seconds() / SIGNATURE_WINDOW) + 2) * SIGNATURE_WINDOW;
      return `${url}?expires=${expires}&signature=${signatures(name, expires)[0]}`;
    },
    cacheControl: (name, { expires = 0, signature = '' }) => {
      if (!isSigned(name)) return 'public, max-age=31536000, immutable';
      const given = Buffer.from(signature);
      const isRight = signatures(name, expires)
        .map((signature) => Buffer.from(signature))
        .some((right) => given.length === right.length && timingSafeEqual(given, right));
      const left = expires - seconds();
      if (!isRight || left <= 0) return undefined;
      return `private, max-age=${left}`;
    },
  };
}
