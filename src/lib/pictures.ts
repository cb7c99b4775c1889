import { JsonText } from '../../db/json.js';

/** The URL of a stored picture by its name; null for none. */
export type PictureUrl = (name: string | null) => string | null;

type Item<T> = T extends { results: (infer R)[] } ? R : T;

/**
 * Puts the URLs of pictures in the place of their names, in one record or in all of a page. Until then the JSON depends
 * on what is stored alone; a signed URL changes with time.
 */
export function withPictureUrls<T>(
  json: JsonText<T>,
  field: keyof Item<T> & string,
  pictureUrl: PictureUrl,
): JsonText<T> {
  type Record = { [name: string]: string | null };
  const value = JSON.parse(json.text) as Record | { results: Record[] };
  for (const record of Array.isArray(value.results) ? value.results : [value as Record]) {
    record[field] = pictureUrl(record[field] ?? null);
  }
  return new JsonText(JSON.stringify(value), json.text);
}
