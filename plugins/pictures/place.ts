import type { Bucket } from './bucket.js';
import { openFolder } from './folder.js';
import type { PictureStore } from './store.js';

export type PicturePlace = { readonly folder: string } | { readonly bucket: Bucket };

/** Opens where pictures are kept: a folder, which is made if it is absent, or a bucket. */
export async function openStore(place: PicturePlace): Promise<PictureStore> {
  if ('folder' in place) return openFolder(place.folder);
  // Where there is none, nobody has to load the client of S3.
  const { openBucket } = await import('./bucket.js');
  return openBucket(place.bucket);
}

/** Says where pictures are kept, and whether nobody can read them on their way. */
export function describeBucket({ name, endpoint }: Bucket): { readonly line: string; readonly isSafe: boolean } {
  const { protocol, hostname } = new URL(endpoint ?? 'https://amazonaws.com');
  const isEncrypted = protocol === 'https:';
  return {
    line:
      `pictures are kept in the bucket ${name}${endpoint === null ? '' : ` at ${endpoint}`}` +
      (isEncrypted ? '' : ', and are not encrypted on their way: let nobody else listen there, or use https'),
    isSafe: isEncrypted || /^(localhost|127\.[\d.]+|\[::1\])$/.test(hostname),
  };
}
