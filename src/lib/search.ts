import { and, sql, type Column, type SQL } from 'drizzle-orm';

/** The most words of a search that are looked for. */
const MAX_TERMS = 10;

/** A pattern for `like` that finds a text anywhere. */
export const containing = (text: string): string => `%${text.replaceAll(/[\\%_]/g, String.raw`\$&`)}%`;

/** The words of a search in lower case. */
export function searchTerms(search: string | undefined): string[] {
  return (search ?? '')
    .toLowerCase()
    .split(/\s+/)
    .filter((term) => term !== '')
    .slice(0, MAX_TERMS);
}

/** The words of a search in lower case, each as a pattern for `like` that finds it anywhere. */
export function searchPatterns(search: string | undefined): string[] {
  return searchTerms(search).map(containing);
}

/** Whether a lower-case text has every word of the search; undefined where there is nothing to search for. */
export function hasTerms(text: Column | SQL, search: string | undefined): SQL | undefined {
  return and(...searchPatterns(search).map((pattern) => sql`${text} like ${pattern}`));
}
