import { LRUCache } from 'lru-cache';
import type { Db, Tx } from './client.js';

/** More than any one query has in practice; each is a few kilobytes. */
const MAX_SHAPES = 500;

/**
 * Keeps prepared queries for each database handle, so that their SQL is written once and not for every request.
 * @param build writes the query; where it depends on more than placeholders, such as which filters there are, that is
 * its shape, and each shape has a query of its own
 */
export function prepared<Query extends object, Shape extends readonly unknown[]>(
  build: (db: Db | Tx, ...shape: Shape) => Query,
): (db: Db | Tx, ...shape: Shape) => Query {
  const handles = new WeakMap<Db | Tx, LRUCache<string, Query>>();
  return (db, ...shape) => {
    let queries = handles.get(db);
    if (queries === undefined) handles.set(db, (queries = new LRUCache({ max: MAX_SHAPES })));
    const key = JSON.stringify(shape);
    let query = queries.get(key);
    if (query === undefined) queries.set(key, (query = build(db, ...shape)));
    return query;
  };
}
