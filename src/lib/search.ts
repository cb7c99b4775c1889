import { and, sql, type Column, type SQL } from 'drizzle-orm';
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
  const terms = new Set(text.split(/[\s,;،؛、]+/));
  return [...terms].filter((term) => term !== '').slice(0, MAX_TERMS);
}

/**
 * The words of a search, by how they are best looked for where an index would have to find rows by each: it finds those
 * that have the longest, which are then judged by the others. An index of trigrams has nothing for less than three
 * characters.
 */
export function byLongest(terms: readonly string[]): Partial<{ longest: string; others: readonly string[] }> {
  const [longest] = terms.filter((term) => /[\p{L}\p{M}\p{N}]{3}/u.test(term)).toSorted((a, b) => b.length - a.length);
  const others = terms.filter((term) => term !== longest);
  return { ...(longest !== undefined && { longest }), ...(others.length > 0 && { others }) };
}

/** The words of a search as patterns; undefined where there is nothing to search for. */
export async function searchPatterns(db: Db | Tx, search: string | undefined): Promise<string[] | undefined> {
  const terms = await searchTerms(db, search);
  return terms.length === 0 ? undefined : terms.map(containing);
}

/**
 * Whether a folded text is like a pattern. The plan is one for all of them, as PostgreSQL does not know the pattern when
 * it plans: by what it expects of one, it may rather compare each row with all that something else has found.
 */
export const isLike = (text: Column, pattern: SQL): SQL => sql`${text} like (select ${pattern}::text)`;

/** Whether a folded text is like every pattern. */
export const hasAll = (text: Column, patterns: readonly SQL[]): SQL | undefined =>
  and(...patterns.map((pattern) => isLike(text, pattern)));
