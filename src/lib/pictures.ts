import { sql, type SQL } from 'drizzle-orm';
import type { PgColumn } from 'drizzle-orm/pg-core';
import { JsonText } from '../../db/json.js';
import type { Link } from './visit.js';

/** The URL of a public picture, from the column with its name. Its query takes `pictureValues`. */
export const publicPicture = (name: PgColumn): SQL<string | null> =>
  sql<string | null>`${sql.placeholder('pictures')}::text || ${name}`;

/** What a query with a `publicPicture` is run with. */
export const pictureValues = ({ link }: { readonly link: Link }) => ({ pictures: link.picture('') });

type Item<T> = T extends { results: (infer R)[] } | (infer R)[] ? R : T;

/**
 * Puts the URLs of pictures that are signed in the place of their names, in one record or in all of a list. Until then the
 * JSON, and with it the tag, depends on what is stored alone: such a URL changes with time.
 */
export function withPictureUrls<T>(json: JsonText<T>, field: keyof Item<T> & string, link: Link): JsonText<T> {
  // No text of a record can look so: a quotation mark in it has a backslash before it.
  const named = Buffer.from(`"${field}":"`);
  const { bytes } = json;
  const parts: Uint8Array[] = [];
  let from = 0;
  for (let at = bytes.indexOf(named); at >= 0; at = bytes.indexOf(named, from)) {
    const start = at + named.length;
    const end = bytes.indexOf('"', start);
    parts.push(
      bytes.subarray(from, start - 1),
      Buffer.from(JSON.stringify(link.picture(bytes.toString('latin1', start, end)))),
    );
    from = end + 1;
  }
  if (parts.length === 0) return json;
  return new JsonText(Buffer.concat([...parts, bytes.subarray(from)]), json.tag);
}
