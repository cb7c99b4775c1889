import { fillPlaceholders } from 'drizzle-orm';
import { LRUCache } from 'lru-cache';
import type { Sql } from 'postgres';
import { pipelineOf, type Db, type Tx } from './client.js';

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

/** A select of Drizzle's. */
interface Selection<Row> extends PromiseLike<Row[]> {
  toSQL(): { sql: string; params: unknown[] };
  prepare(name: string): { execute(values: Record<string, unknown>): Promise<Row[]> };
}

/** Runs a query with the values of its placeholders. */
type Run<Row> = (values: Record<string, unknown>) => PromiseLike<Row[]>;

const runOn =
  (clientOf: (db: Db | Tx) => Sql | undefined) =>
  <Row, Shape extends readonly unknown[]>(
    build: (db: Db | Tx, ...shape: Shape) => Selection<Row>,
  ): ((db: Db | Tx, ...shape: Shape) => Run<Row>) =>
    prepared((db, ...shape: Shape): Run<Row> => {
      const query = build(db, ...shape);
      const client = clientOf(db);
      if (client === undefined) {
        const inTransaction = query.prepare('');
        return (values) => inTransaction.execute(values);
      }
      const { sql, params } = query.toSQL();
      return (values) => client.unsafe<Row[] & never[]>(sql, fillPlaceholders(params, values) as never[]);
    });

/**
 * As `prepared`, for what is asked for most: runs the query without Drizzle's way there and back, which costs as much as
 * a small query itself. So each column has to be selected `as` what the row calls it, and as a type that the driver
 * reads by itself: text, boolean, int or float8.
 */
export const direct = runOn((db) => ('$client' in db ? (db.$client as Sql) : undefined));

/** As `direct`, for reads by a key that never take long: they share connections. */
export const directByKey = runOn(pipelineOf);
