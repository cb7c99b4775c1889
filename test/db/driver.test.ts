/** What patches/README.md says of the driver, on plain connections of it: each test fails without its part of the patch. */
import { sql as query } from 'drizzle-orm';
import postgres from 'postgres';
import t, { type Test } from 'tap';
import { isUnavailable, transaction } from '../../db/client.js';
import { directByKey } from '../../db/prepared.js';
import { createTestDatabase, openTestDatabase } from '../helpers/database.js';

type Options = Omit<postgres.Options<Record<string, never>>, 'max_pipeline'> & { max_pipeline?: number };

function connect(t: Test, url: string, options: Options = {}): postgres.Sql {
  const client = postgres(url, { max: 1, fetch_types: false, backoff: () => 0, onnotice: () => undefined, ...options });
  t.teardown(() => client.end({ timeout: 1 }));
  return client;
}

const codeOf = (error: unknown): unknown => (error as { code?: unknown }).code;

/** Leaves the transaction aborted without a query of its own having failed. */
const abortUnseen = (tx: postgres.TransactionSql): Promise<unknown> =>
  tx
    .savepoint(async (inner) => {
      await inner.unsafe('release savepoint s0');
      throw new Error('so that the driver goes back to a savepoint that is gone');
    })
    .catch(() => undefined);

t.test('a transaction that is reported as done is stored', async (t) => {
  const sql = connect(t, await createTestDatabase(t));
  await sql`create table bookings (id int)`;
  const book = (id: number, work: (tx: postgres.TransactionSql) => Promise<unknown>) =>
    sql.begin(async (tx) => {
      await tx`insert into bookings values (${id})`;
      await work(tx);
    });
  const stored = async () => (await sql`select id from bookings order by id`).map(({ id }) => id as number);
  const insert = (id: number) => (tx: postgres.TransactionSql) => tx`insert into bookings values (${id})`;
  // From here on the driver knows every statement of a transaction.
  await book(1, (tx) => tx.savepoint(insert(2)));
  await t.rejects(book(0, () => Promise.reject(new Error('changed my mind'))));
  await book(3, (tx) => tx.savepoint(() => Promise.reject(new Error('this part'))).catch(() => undefined));
  t.strictSame(await stored(), [1, 2, 3]);

  await t.test('when the server has forgotten its statements', async (t) => {
    await book(4, (tx) => tx.unsafe('deallocate all'));
    t.ok((await stored()).includes(4));
    await book(5, async (tx) => {
      await tx.unsafe('deallocate all');
      await tx.savepoint((inner) => inner.unsafe('insert into bookings values (6)'));
      await tx.unsafe('deallocate all');
      await tx.savepoint(() => Promise.reject(new Error('this part'))).catch(() => undefined);
    });
    t.strictSame((await stored()).slice(-2), [5, 6]);
    await t.rejects(
      book(0, async (tx) => {
        await tx.unsafe('deallocate all');
        throw new Error('changed my mind');
      }),
      /changed my mind/,
    );
    t.notOk((await stored()).includes(0));
  });

  await t.test('and fails when the server answers COMMIT with ROLLBACK', async (t) => {
    await t.rejects(book(7, abortUnseen), { code: '40000' });
    await t.rejects(
      sql.begin(async (tx) => {
        await tx.prepare('somewhere');
        await abortUnseen(tx);
      }),
      { code: '40000' },
    );
    t.notOk((await stored()).includes(7));
    await book(8, () => Promise.resolve());
    t.ok((await stored()).includes(8), 'the connection is as good as before');
  });

  await t.test('of which nothing but its own statements is prepared', async (t) => {
    const prepared = await sql<{ statement: string }[]>`select statement from pg_prepared_statements`;
    t.ok(prepared.length > 0);
    for (const { statement } of prepared) t.match(statement, /^\s*(insert|select)/);
  });
});

t.test('the transactions of the database are tried again where nothing was stored', async (t) => {
  const { database } = await openTestDatabase(t, 1);
  const { db } = database;
  await db.execute(query`create table bookings (id int unique)`);
  await t.test('as the server answered COMMIT with ROLLBACK', async (t) => {
    let tries = 0;
    const book = (id: number, failures: number) =>
      transaction(db, async (tx) => {
        await tx.execute(query`insert into bookings values (${id})`);
        if (tries++ >= failures) return;
        const part = tx.transaction(async (inner) => {
          await inner.execute(query`rollback to savepoint s0`);
          await inner.execute(query`release savepoint s0`);
          throw new Error('so that the driver goes back to a savepoint that is gone');
        });
        await part.catch(() => undefined);
      });
    await book(1, 2);
    t.equal(tries, 3);
    t.equal((await db.execute(query`select 1 from bookings where id = 1`)).length, 1);
    const error: unknown = await book(2, Infinity).catch((error: unknown) => error);
    t.equal(codeOf(error), '40000');
    t.notOk(isUnavailable(error), 'a fault that shows again and again is for the log, and no absence');
    t.equal((await db.execute(query`select 1 from bookings where id = 2`)).length, 0);
  });

  await t.test('as the server knew a statement no more, or as it was', async (t) => {
    const values = [query`deallocate all`, query`alter table bookings add column note text`];
    for (const [index, change] of values.entries()) {
      const id = 10 + index;
      const book = (value: number) =>
        transaction(db, async (tx) => {
          await tx.execute(query`insert into bookings (id) values (${value})`);
          return tx.execute(query`select * from bookings where id = ${value}`);
        });
      await book(id);
      await db.execute(change);
      t.strictSame(
        (await book(id + 10)).map((row) => row['id']),
        [id + 10],
      );
    }
  });
});

t.test('a statement that the server knows no more', async (t) => {
  const sql = connect(t, await createTestDatabase(t));
  await sql`create table bookings (id int unique)`;
  const insert = (to: postgres.Sql | postgres.TransactionSql, id: number) => to`insert into bookings values (${id})`;
  const change = async (to: postgres.Sql | postgres.TransactionSql) => await to.unsafe('deallocate all');

  await t.test('is prepared anew', async (t) => {
    await insert(sql, 1);
    await change(sql);
    t.equal((await insert(sql, 2)).count, 1);
    t.equal((await sql`select 1 from bookings`).length, 2);
  });

  await t.test('says by what it fails then', async (t) => {
    await change(sql);
    await t.rejects(insert(sql, 2), { code: '23505', constraint_name: 'bookings_id_key' });
  });

  await t.test('fails a transaction with that, and the next one works, whatever its statements', async (t) => {
    const book = (id: number, before: (tx: postgres.TransactionSql) => Promise<unknown>) =>
      sql.begin(async (tx) => {
        await before(tx);
        await insert(tx, id);
        await tx`select ${id}::int as id`;
        return 'done';
      });
    await book(3, () => Promise.resolve());
    await t.rejects(book(4, change), { code: '26000' });
    t.equal(await book(5, () => Promise.resolve()), 'done');
  });

  await t.test('takes its parameters as they are', async (t) => {
    const select = () =>
      sql.unsafe(
        'select $1::boolean as yes, $2::bytea as bytes, $3::jsonb as data, $4::timestamptz as at, $5::text as text',
        [true, Buffer.from('bytes'), { a: ['b'] }, new Date(0), 'text'] as never[],
        { prepare: true },
      );
    const [before] = await select();
    t.match(before, { yes: true, bytes: Buffer.from('bytes'), data: { a: ['b'] } });
    await change(sql);
    const [after] = await select();
    t.strictSame(after, before);
  });
});

const LATE_FAILURE = 'select 6 / (3 - x) as late from generate_series(1, 5) x';

t.test('an error in the middle of a result leaves the next result whole', async (t) => {
  const url = await createTestDatabase(t);
  const isWhole = (t: Test, rows: readonly object[], message: string) =>
    t.strictSame([...rows], [{ x: 1 }, { x: 2 }, { x: 3 }], message);
  const SERIES = 'select x from generate_series(1, 3) x';

  await t.test('on a plain connection', async (t) => {
    const sql = connect(t, url);
    for (const prepare of [false, true]) {
      const run = (text: string, simple: boolean) => sql.unsafe(text, [], { prepare, ...{ simple } });
      for (const simple of [true, false]) {
        await t.rejects(run(LATE_FAILURE, simple), { code: '22012' });
        isWhole(t, await run(SERIES, simple), `prepare ${prepare}, simple ${simple}`);
      }
    }
    await t.rejects(sql.unsafe(`${LATE_FAILURE}; ${SERIES}`));
    isWhole(t, await sql.unsafe(SERIES), 'several statements in one');
    await t.rejects(
      sql.unsafe(LATE_FAILURE).cursor(2, () => undefined),
      { code: '22012' },
    );
    isWhole(t, await sql.unsafe(SERIES), 'cursor');
  });

  await t.test('on a connection that queries share', async (t) => {
    const { database } = await openTestDatabase(t);
    const late = directByKey((db) =>
      db
        .select({ late: query<number>`${query.placeholder('key')}::int / (3 - x)`.as('late') })
        .from(query`generate_series(1, 5) x`),
    );
    const series = directByKey((db) =>
      db
        .select({ x: query<number>`x`.as('x') })
        .from(query`generate_series(1, 3) x`)
        .where(query`${query.placeholder('key')}::int = 6`),
    );
    for (let round = 0; round < 3; round++) {
      const pairs = Array.from({ length: 50 }, () => {
        const failure = late(database.db)({ key: 6 });
        return [failure, series(database.db)({ key: 6 })] as const;
      });
      for (const [failure, rows] of pairs) {
        await t.rejects(Promise.resolve(failure), { code: '22012' });
        isWhole(t, await rows, 'pipelined');
      }
    }
  });

  await t.test('in a transaction', async (t) => {
    const sql = connect(t, url);
    await sql.begin(async (tx) => {
      await t.rejects(
        tx.savepoint((inner) => inner.unsafe(LATE_FAILURE)),
        { code: '22012' },
      );
      isWhole(t, await tx.unsafe(SERIES), 'after a savepoint');
    });
    await t.rejects(sql.begin((tx) => tx.unsafe(LATE_FAILURE)));
    isWhole(t, await sql.unsafe(SERIES), 'after a transaction');
  });
});

t.test('a statement that can not be sent fails alone', async (t) => {
  const url = await createTestDatabase(t);
  for (const max_pipeline of [0, 100]) {
    const sql = connect(t, url, { max_pipeline });
    const echo = (value: unknown) =>
      sql.unsafe<{ at: Date }[]>('select $1::timestamptz as at', [value] as never[], { prepare: true });
    const invalid = new Date(Number.NaN);
    await echo(new Date(0));
    const values = [new Date(1000), invalid, new Date(2000), undefined, new Date(3000), invalid, new Date(4000)];
    for (const order of [values, values.slice(1)]) {
      const results = await Promise.allSettled(order.map(async (value) => (await echo(value))[0]?.at));
      for (const [index, result] of results.entries()) {
        const value = order[index];
        if (value === undefined || value === invalid) t.equal(result.status, 'rejected');
        else t.match(result, { status: 'fulfilled', value });
      }
    }
  }
});
