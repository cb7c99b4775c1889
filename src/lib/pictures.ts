import { JsonText } from '../../db/json.js';
import type { Link } from './visit.js';

type Item<T> = T extends { results: (infer R)[] } | (infer R)[] ? R : T;

/**
 * Puts the URLs of pictures in the place of their names, in one record or in all of a list. Until then the JSON, and
 * with it the tag, depends on what is stored alone: a URL has the name of the host, and one that is signed changes with
 * time.
 */
export function withPictureUrls<T>(json: JsonText<T>, field: keyof Item<T> & string, link: Link): JsonText<T> {
  // No text of a record can look so: a quotation mark in it has a backslash before it.
  const named = new RegExp(`"${field}":"([^"\\\\]+)"`, 'g');
  const text = json.text.replace(named, (_all, name: string) => `"${field}":${JSON.stringify(link.picture(name))}`);
  return new JsonText(text, json.tag);
}
