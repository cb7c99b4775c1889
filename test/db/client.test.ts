import { sql } from 'drizzle-orm';
import postgres from 'postgres';
import t from 'tap';
import { isUnavailable, type Tx } from '../../db/client.js';
import { directByKey } from '../../db/prepared.js';
import { openTestDatabase } from '../helpers/database.js';

const backend = async (tx: Tx): Promise<number> =>
  Number((await tx.execute<{ pid: number }>(sql`select pg_backend_pid() as pid`))[0]?.pid);

t.test('a connection that ends inside a transaction fails that transaction and nothing else', async (t) => {
  const { database } = await openTestDatabase(t, { pool: 12 });
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

/** A read by a key: what it was given, and the connection it ran on. A zero fails in PostgreSQL. */
const echo = directByKey((db) =>
  db
    .select({
      key: sql<number>`${sql.placeholder('key')}::int`.as('key'),
      share: sql<number>`1 / ${sql.placeholder('key')}::int`.as('share'),
      pid: sql<number>`pg_backend_pid()`.as('pid'),
    })
    .from(sql`(values (1)) one`),
);

t.test('reads by a key share two connections, and each gets its own answer', async (t) => {
  const { database } = await openTestDatabase(t);
  const { db } = database;
  const keys = Array.from({ length: 500 }, (_, index) => index + 1);
  const answers = await Promise.all(keys.map((key) => echo(db)({ key })));
  t.strictSame(
    answers.map(([row]) => row?.key),
    keys,
  );
  t.equal(new Set(answers.map(([row]) => row?.pid)).size, 2);
  const [pid] = await db.execute<{ pid: number }>(sql`select pg_backend_pid() as pid`);
  t.notOk(
    answers.some(([row]) => row?.pid === pid?.pid),
    'what may take long does not stand in their way',
  );

  const results = await Promise.allSettled(keys.map((key) => echo(db)({ key: key % 5 })));
  t.ok(
    results.every((result, index) =>
      (index + 1) % 5 === 0
        ? result.status === 'rejected' && !isUnavailable(result.reason)
        : result.status === 'fulfilled' && result.value[0]?.key === (index + 1) % 5,
    ),
    'one that fails leaves its neighbours alone',
  );

  await db.transaction(async (tx) => {
    const [row] = await echo(tx)({ key: 7 });
    t.match(row, { key: 7, pid: await backend(tx) }, 'in a transaction it is part of that');
  });
});

t.test('reads by a key fail with a connection that ends, and find the next one', async (t) => {
  const { database } = await openTestDatabase(t);
  const { db } = database;
  for (let round = 0; round < 5; round++) {
    const pids = new Set((await Promise.all([1, 2, 3].map((key) => echo(db)({ key })))).map(([row]) => row?.pid));
    const reads = Array.from({ length: 100 }, () => echo(db)({ key: 1 }));
    for (const pid of pids) await db.execute(sql`select pg_terminate_backend(${pid}, 5000)`);
    for (const result of await Promise.allSettled(reads)) {
      if (result.status === 'rejected') t.ok(isUnavailable(result.reason));
    }
    let isServing = false;
    for (let tries = 0; !isServing && tries < 20; tries++) {
      const tried = await Promise.allSettled(Array.from({ length: 10 }, () => echo(db)({ key: 1 })));
      isServing = tried.every(({ status }) => status === 'fulfilled');
    }
    t.ok(isServing, 'the connections are back');
  }
});

t.test('reads by a key get their own answers while their statement has to be prepared anew', async (t) => {
  const { database } = await openTestDatabase(t);
  const { db } = database;
  await db.execute(sql`create table numbers as select key, key as value from generate_series(1, 1000) key`);
  const valueOf = directByKey((handle) =>
    handle
      .select({ key: sql<number>`key`.as('key'), value: sql<string | number>`value`.as('value') })
      .from(sql`numbers`)
      .where(sql`key = ${sql.placeholder('key')}::int`),
  );
  for (const type of ['text', 'int', 'text', 'int']) {
    // What a second instance does that brings a newer schema: the answer's type is another one from here on.
    await db.execute(sql`alter table numbers alter value type ${sql.raw(type)} using value::${sql.raw(type)}`);
    const keys = Array.from({ length: 300 }, (_, index) => index + 1);
    const answers = await Promise.all(
      keys.flatMap((key) => [
        valueOf(db)({ key }).then(([row]) => row?.key),
        echo(db)({ key }).then(([row]) => row?.key),
      ]),
    );
    t.strictSame(
      answers,
      keys.flatMap((key) => [key, key]),
      `as ${type}`,
    );
  }
});

t.test('a transaction whose connection is lost takes no connection of the pool with it', async (t) => {
  const { database, url } = await openTestDatabase(t, { pool: 3 });
  const { db } = database;
  const admin = postgres(url, { max: 1 });
  t.teardown(() => admin.end());
  for (let round = 0; round < 6; round++) {
    const work = db.transaction(async (tx) => {
      const pid = await backend(tx);
      await Promise.all([tx.execute(sql`select pg_sleep(20)`), admin`select pg_terminate_backend(${pid}, 5000)`]);
    });
    await t.rejects(work);
  }
  let isServing = false;
  for (let tries = 0; !isServing && tries < 20; tries++) {
    const works = Array.from({ length: 10 }, () => db.transaction((tx) => tx.execute(sql`select 1`)));
    isServing = (await Promise.allSettled(works)).every(({ status }) => status === 'fulfilled');
  }
  t.ok(isServing);
});

t.test('closing settles what waits for a connection', async (t) => {
  const { database } = await openTestDatabase(t, { pool: 2 });
  const { db } = database;
  await db.execute(sql`select 1`);
  let settled = 0;
  const works = Array.from({ length: 5 }, () =>
    db.execute(sql`select pg_sleep(0.05)`).then(
      () => settled++,
      (error: unknown) => {
        t.ok(isUnavailable(error));
        settled++;
      },
    ),
  );
  await new Promise(setImmediate);
  await database.close();
  await Promise.all(works);
  t.equal(settled, 5);
});

t.test('a query waits for the first free connection, not behind a slow one', async (t) => {
  const { database } = await openTestDatabase(t);
  const { db } = database;
  const lock = sql`select pg_advisory_xact_lock(1)`;
  // Every connection knows the statement by then; a first time is of another kind.
  await Promise.all(Array.from({ length: 40 }, () => db.execute(lock)));
  let isSlowDone = false;
  let release = (): void => undefined;
  const done = new Promise<void>((resolve) => (release = resolve));
  let holder: Promise<void> | undefined;
  await new Promise<void>((hold, fail) => {
    holder = db.transaction(async (tx) => {
      await tx.execute(lock);
      hold();
      await done;
    });
    holder.catch(fail);
  });
  const slow = db.execute(lock).then(() => (isSlowDone = true));
  // More than there are connections, again and again; any behind the slow one would never end.
  for (let round = 0; round < 20; round++) {
    await Promise.all(Array.from({ length: 40 }, () => db.execute(sql`select 1`)));
    await Promise.all(Array.from({ length: 4 }, () => db.transaction((tx) => tx.execute(sql`select 1`))));
  }
  t.notOk(isSlowDone);
  release();
  await Promise.all([holder, slow]);
});

t.test('ping waits for no work that has the other connections', async (t) => {
  const { database } = await openTestDatabase(t, { pool: 10 });
  let release = (): void => undefined;
  const released = new Promise<void>((resolve) => (release = resolve));
  let begun = 0;
  const works = await new Promise<Promise<void>[]>((resolve) => {
    // Six are for work of any kind; the others wait.
    const all = Array.from({ length: 12 }, (_, index) =>
      database.of(String(index % 3)).transaction(async () => {
        if (++begun === 6) setImmediate(() => resolve(all));
        await released;
      }),
    );
  });
  await database.ping(900);
  t.equal(begun, 6);
  release();
  await Promise.all(works);
});

for (const pool of [1, 2, 3, 10]) {
  t.test(`a pool of ${pool} never opens more connections`, async (t) => {
    const { database } = await openTestDatabase(t, { pool });
    const { db } = database;
    const works = Array.from({ length: 40 }, (_, index) => [
      echo(db)({ key: index + 1 }),
      // Of one kind there is always less work than connections.
      database.of(String(index % 2)).execute(sql`select pg_sleep(0.001)`),
      database.costly.db.execute(sql`select pg_sleep(0.001)`),
    ]);
    await Promise.all(works.flat());
    const [row] = await db.execute<{ count: number }>(
      sql`select count(*)::int as count from pg_stat_activity
        where datname = current_database() and application_name = 'hospital-management-api'`,
    );
    t.equal(row?.count, pool);
  });
}

t.test('the patched driver takes no longer for a connection while the load never pauses', async (t) => {
  const file = new URL('queue.js', import.meta.resolve('postgres')).href;
  const { default: createQueue } = (await import(file)) as {
    default: (items: object[]) => {
      length: number;
      push(item: object): void;
      shift(): object;
      remove(item: object): object | null;
    };
  };
  const connections = [{ id: 1 }, { id: 2 }, { id: 3 }];
  const queue = createQueue(connections);
  const before = process.cpuUsage();
  // As the driver does it for each query: the array behind the queue once grew with every one.
  for (let round = 0; round < 300_000; round++) {
    const connection = queue.shift();
    if (connection !== connections[round % 3]) t.fail(`round ${round}: not the one that waits longest`);
    if (queue.remove(connection) !== null) t.fail(`round ${round}: still there`);
    queue.push(connection);
  }
  const { user } = process.cpuUsage(before);
  t.ok(user < 2_000_000, `${user} microseconds, not minutes`);
  t.equal(queue.length, 3);
  t.equal(queue.remove(connections[1] as object), connections[1]);
  t.strictSame([queue.shift(), queue.shift(), queue.length], [connections[0], connections[2], 0]);
});
