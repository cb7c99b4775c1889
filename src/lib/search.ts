import { and, like, sql, type Column, type SQL } from 'drizzle-orm';
import type { Db, Tx } from '../../db/client.js';
import { directByKey } from '../../db/prepared.js';
import { one } from '../../db/rows.js';

/** The most words of a search that are looked for. */
const MAX_TERMS = 10;

/** A pattern for `like` that finds a text anywhere. */
export const containing = (text: string): string => `%${text.replaceAll(/[\\%_]/g, String.raw`\$&`)}%`;

const foldedText = directByKey((db) =>
  db.select({ text: sql<string>`text`.as('text') }).from(sql`folded(${sql.placeholder('text')}) as text`),
);

/**
 * The words of a search, folded as what they are looked for in. The database does that, once for a search: inside the
 * query it would for every row. Of ASCII only the letters change, and the grave accent, which is an apostrophe.
 */
export async function searchTerms(db: Db | Tx, search = ''): Promise<string[]> {
  const isPlain = /^[\t\n\r -_a-~]*$/.test(search);
  const text = isPlain ? search.toLowerCase() : one(await foldedText(db)({ text: search })).text;
  return text
    .split(/[\s,;،؛、]+/)
    .filter((term) => term !== '')
    .slice(0, MAX_TERMS);
}

/** The words of a search as patterns; undefined where there is nothing to search for. */
export async function searchPatterns(db: Db | Tx, search: string | undefined): Promise<string[] | undefined> {
  const terms = await searchTerms(db, search);
  return terms.length === 0 ? undefined : terms.map(containing);
}

/** Whether a folded text is like every pattern. */
export const hasAll = (text: Column, patterns: readonly SQL[]): SQL | undefined =>
  and(...patterns.map((pattern) => like(text, pattern)));
