import { fillPlaceholders } from 'drizzle-orm';
import { LRUCache } from 'lru-cache';
import type { Sql } from 'postgres';
import { pipelineOf, type Db, type Tx } from './client.js';

/** More than any one query has in practice; each is a few kilobytes. */
const MAX_SHAPES = 500;

/** A select, insert, update or delete of Drizzle's. */
interface Selection<Row> extends PromiseLike<Row[]> {
  toSQL(): { sql: string; params: unknown[] };
}

/** Runs a query with the values of its placeholders. */
type Run<Row> = (values: Record<string, unknown>) => PromiseLike<Row[]>;

/** The bytes of each of a row's columns, as PostgreSQL wrote them. */
type Bytes = readonly (Buffer | null)[];

/** What Drizzle itself sends its queries by; of a transaction, the one connection that it has. */
const clientOf = (db: Db | Tx): Sql =>
  '$client' in db ? (db.$client as Sql) : (db as unknown as { session: { client: Sql } }).session.client;

/** Begins the query of a shape, written once, with the values of its placeholders. */
function begin<Shape extends readonly unknown[]>(
  build: (db: Db | Tx, ...shape: Shape) => Selection<unknown>,
  clientOf: (db: Db | Tx) => Sql,
) {
  const queries = new LRUCache<string, { sql: string; params: unknown[] }>({ max: MAX_SHAPES });
  return (db: Db | Tx, shape: Shape, values: Record<string, unknown>) => {
    const key = JSON.stringify(shape);
    let query = queries.get(key);
    if (query === undefined) queries.set(key, (query = build(db, ...shape).toSQL()));
    return clientOf(db).unsafe(query.sql, fillPlaceholders(query.params, values) as never[]);
  };
}

const runOn =
  (clientOf: (db: Db | Tx) => Sql) =>
  <Row, Shape extends readonly unknown[]>(build: (db: Db | Tx, ...shape: Shape) => Selection<Row>) => {
    const query = begin(build, clientOf);
    return (db: Db | Tx, ...shape: Shape): Run<Row> =>
      (values) =>
        query(db, shape, values) as PromiseLike<unknown> as PromiseLike<Row[]>;
  };

/**
 * Writes a query's SQL once and not for every request, and runs it without Drizzle's way there and back, which costs as much as a small query itself.
 * So each column has to be selected `as` what the row calls it, and as a type that the driver reads by itself: text,
 * boolean, int or float8. Inside a transaction it is part of that.
 * @param build writes the query; where it depends on more than placeholders, such as which filters there are, that is
 * its shape, and each shape has a query of its own
 */
export const direct = runOn(clientOf);

/** As `direct`, for rows with JSON that leaves as it is: their columns, in the order of the selection, come as bytes. */
export function directBytes<Shape extends readonly unknown[]>(
  build: (db: Db | Tx, ...shape: Shape) => Selection<unknown>,
) {
  const query = begin(build, clientOf);
  return (db: Db | Tx, ...shape: Shape): Run<Bytes> =>
    (values) =>
      query(db, shape, values).raw() as PromiseLike<unknown> as PromiseLike<Bytes[]>;
}

/** As `direct`, for reads by a key that never take long: they share connections. */
export const directByKey = runOn((db) => pipelineOf(db) ?? clientOf(db));
