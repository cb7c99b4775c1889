import { sql } from 'drizzle-orm';
import t from 'tap';
import { isUnavailable, type Tx } from '../../db/client.js';
import { openTestDatabase } from '../helpers/database.js';

const backend = async (tx: Tx): Promise<number> =>
  Number((await tx.execute<{ pid: number }>(sql`select pg_backend_pid() as pid`))[0]?.pid);

t.test('a connection that ends inside a transaction fails that transaction and nothing else', async (t) => {
  const { database } = await openTestDatabase(t, 12);
  const { db } = database;
  for (let round = 0; round < 5; round++) {
    const works = Array.from({ length: 4 }, () =>
      db.transaction(async (tx) => {
        await db.execute(sql`select pg_terminate_backend(${await backend(tx)}, 5000)`).catch(() => undefined);
        // The driver learns of the end between two queries.
        await new Promise(setImmediate);
        await tx.execute(sql`select 1`);
        await tx.execute(sql`select 2`);
      }),
    );
    for (const result of await Promise.allSettled(works)) {
      t.equal(result.status, 'rejected');
      t.ok(result.status === 'rejected' && isUnavailable(result.reason), 'is told apart from a bad statement');
    }
    // A connection whose end is still on its way may fail a first query, and then is gone.
    let isServing = false;
    for (let tries = 0; !isServing && tries < 20; tries++) {
      const queries = await Promise.allSettled(Array.from({ length: 12 }, () => db.execute(sql`select 1`)));
      isServing = queries.every(({ status }) => status === 'fulfilled');
    }
    t.ok(isServing, 'the pool serves again');
  }
});
