import type { Db, Tx } from './client.js';

/** Keeps a prepared query for each database handle, so that its SQL is written once and not for every request. */
export function prepared<Query>(build: (db: Db | Tx) => Query): (db: Db | Tx) => Query {
  const queries = new WeakMap<Db | Tx, Query>();
  return (db) => {
    let query = queries.get(db);
    if (query === undefined) queries.set(db, (query = build(db)));
    return query;
  };
}
