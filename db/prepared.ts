import { fillPlaceholders } from 'drizzle-orm';
import { LRUCache } from 'lru-cache';
import type { Sql } from 'postgres';
import { pipelineOf, type Db, type Tx } from './client.js';

/** More than any one query has in practice; each is a few kilobytes. */
const MAX_SHAPES = 500;

/** A select of Drizzle's. */
interface Selection<Row> extends PromiseLike<Row[]> {
  toSQL(): { sql: string; params: unknown[] };
  prepare(name: string): { execute(values: Record<string, unknown>): Promise<Row[]> };
}

/** Runs a query with the values of its placeholders. */
type Run<Row> = (values: Record<string, unknown>) => PromiseLike<Row[]>;

const runOn =
  (clientOf: (db: Db | Tx) => Sql | undefined) =>
  <Row, Shape extends readonly unknown[]>(build: (db: Db | Tx, ...shape: Shape) => Selection<Row>) => {
    const runs = new WeakMap<Sql, LRUCache<string, Run<Row>>>();
    return (db: Db | Tx, ...shape: Shape): Run<Row> => {
      const client = clientOf(db);
      if (client === undefined)
        return (values) =>
          build(db, ...shape)
            .prepare('')
            .execute(values);
      let ofClient = runs.get(client);
      if (ofClient === undefined) runs.set(client, (ofClient = new LRUCache({ max: MAX_SHAPES })));
      const key = JSON.stringify(shape);
      let run = ofClient.get(key);
      if (run === undefined) {
        const { sql, params } = build(db, ...shape).toSQL();
        run = (values) => client.unsafe<Row[] & never[]>(sql, fillPlaceholders(params, values) as never[]);
        ofClient.set(key, run);
      }
      return run;
    };
  };

/**
 * Writes a query's SQL once and not for every request, and runs it without Drizzle's way there and back, which costs as much as a small query itself.
 * So each column has to be selected `as` what the row calls it, and as a type that the driver reads by itself: text,
 * boolean, int or float8. Inside a transaction it is part of that.
 * @param build writes the query; where it depends on more than placeholders, such as which filters there are, that is
 * its shape, and each shape has a query of its own
 */
export const direct = runOn((db) => ('$client' in db ? (db.$client as Sql) : undefined));

/** As `direct`, for reads by a key that never take long: they share connections. */
export const directByKey = runOn(pipelineOf);
