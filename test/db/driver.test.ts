/** What patches/README.md says of the driver, on plain connections of it: each test fails without its part of the patch. */
import { sql as query } from 'drizzle-orm';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { cp, readFile, writeFile } from 'node:fs/promises';
import { connect as connectSocket, createServer, type AddressInfo, type Socket } from 'node:net';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import postgres from 'postgres';
import t, { type Test } from 'tap';
import { isUnavailable, transaction } from '../../db/client.js';
import { directByKey } from '../../db/prepared.js';
import { createTestDatabase, openTestDatabase } from '../helpers/database.js';
import { runProgram } from '../helpers/process.js';

type Options = postgres.Options<Record<string, never>> & {
  // The driver's types do not know these.
  max_pipeline?: number;
  answer_timeout?: number;
  socket?: (options: { host: string[]; port: number[] }) => Socket;
};

function connect(t: Test, url: string, options: Options = {}): postgres.Sql {
  const client = postgres(url, { max: 1, fetch_types: false, backoff: () => 0, onnotice: () => undefined, ...options });
  t.teardown(() => client.end({ timeout: 1 }));
  return client;
}

const failsAsUnavailable = async (t: Test, work: PromiseLike<unknown>): Promise<void> => {
  const [result] = await Promise.allSettled([work]);
  t.ok(result.status === 'rejected' && isUnavailable(result.reason));
};

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
  const { database } = await openTestDatabase(t, { pool: 1 });
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

/** A message of PostgreSQL's protocol. */
function message(type: string, body: string | Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.write(type);
  head.writeInt32BE(4 + Buffer.byteLength(body), 1);
  return Buffer.concat([head, Buffer.from(body)]);
}

const READY = message('Z', 'I');
const SHUTDOWN = message('E', 'SFATAL\0VFATAL\0C57P01\0Mterminating connection\0\0');

/** A server that lets everybody in and leaves each query of the simple protocol to `answer`. */
async function openServer(
  t: Test,
  answer: (query: string, socket: Socket) => void,
  accept = (socket: Socket): void => void socket.write(Buffer.concat([message('R', Buffer.alloc(4)), READY])),
): Promise<{ url: string; count: () => number }> {
  const sockets = new Set<Socket>();
  let count = 0;
  const server = createServer((socket) => {
    count++;
    sockets.add(socket.on('error', () => undefined));
    socket.once('data', () => {
      accept(socket);
      socket.on('data', (bytes) => {
        if (bytes.toString('latin1', 0, 1) === 'Q') answer(bytes.toString('utf8', 5, bytes.length - 1), socket);
      });
    });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { url: `postgres://user@127.0.0.1:${(server.address() as AddressInfo).port}/name`, count: () => count };
}

const done = (socket: Socket): void => void socket.write(Buffer.concat([message('C', 'SELECT 0\0'), READY]));

t.test('a connection that is closed or refused while it opens fails what waits for it, at once', async (t) => {
  for (const [title, accept] of [
    ['closed', (socket: Socket) => void socket.end()],
    ['reset', (socket: Socket) => void socket.resetAndDestroy()],
  ] as const) {
    const { url, count } = await openServer(t, (_query, socket) => done(socket), accept);
    const sql = connect(t, url);
    const results = await Promise.allSettled(Array.from({ length: title === 'closed' ? 1 : 5 }, () => sql.unsafe('x')));
    for (const result of results) t.ok(result.status === 'rejected' && isUnavailable(result.reason), title);
    t.equal(count(), 1, 'after one try');
  }
});

t.test('a connection that is lost leaves nothing to the one after it', async (t) => {
  let lost = 0;
  const { url, count } = await openServer(t, (query, socket) => {
    if (query === 'lose me') {
      lost++;
      socket.end(SHUTDOWN);
    } else done(socket);
  });
  const sql = connect(t, url);
  for (let round = 1; round <= 3; round++) {
    const queries = [sql.unsafe('lose me'), sql.unsafe('keep me')];
    await t.rejects(queries[0] as Promise<unknown>);
    await queries[1]?.catch(() => undefined);
    t.strictSame([...(await sql.unsafe('then me'))], []);
    t.strictSame([lost, count()], [round, round + 1]);
  }
  await t.rejects(sql.unsafe('lose me'));
  await sql.end();
});

t.test('a transaction whose connection is lost', async (t) => {
  const url = await createTestDatabase(t);
  const admin = connect(t, url);
  await admin`create table bookings (id int)`;
  const pidOf = async (sql: postgres.Sql) => (await sql<{ pid: number }[]>`select pg_backend_pid() as pid`)[0]?.pid;
  const terminate = (pid: number | undefined) => admin`select pg_terminate_backend(${pid as number}, 5000)`;

  await t.test('runs no further statement, and least of all outside a transaction', async (t) => {
    const sql = connect(t, url);
    const pid = await pidOf(sql);
    let late: unknown;
    let isOver = (): void => undefined;
    const over = new Promise<void>((resolve) => (isOver = resolve));
    const work = sql.begin(async (tx) => {
      await tx`insert into bookings values (1)`;
      await terminate(pid);
      // On the same connection of the pool, by then to another backend.
      while ((await pidOf(sql).catch(() => pid)) === pid);
      late = await tx`insert into bookings values (2)`.catch((error: unknown) => error);
      isOver();
    });
    await failsAsUnavailable(t, work);
    await over;
    t.ok(isUnavailable(late));
    t.equal((await admin`select 1 from bookings`).length, 0);
    t.equal((await sql`select 1 as one`).length, 1, 'the pool has the connection back');
  });

  await t.test('settles what waits for its turn', async (t) => {
    const sql = connect(t, url);
    const pid = await pidOf(sql);
    let statements: Promise<PromiseSettledResult<unknown>[]> | undefined;
    const work = sql.begin((tx) => {
      statements = Promise.allSettled([tx`select pg_sleep(60), ${1}::int`, tx`select ${2}::int`, tx`select 3`]);
      return statements;
    });
    const rejection = failsAsUnavailable(t, work);
    while ((await admin`select 1 from pg_stat_activity where pid = ${pid as number} and query ~ 'sleep'`).length === 0);
    await terminate(pid);
    await rejection;
    for (const { status } of (await statements) ?? []) t.equal(status, 'rejected');
  });
});

t.test('what writes to a connection that is lost fails by itself and ends no process', async (t) => {
  const url = await createTestDatabase(t);
  const admin = connect(t, url);
  const terminate = (pid: number) => admin`select pg_terminate_backend(${pid}, 5000)`;
  const open = () => {
    let resolve = (): void => undefined;
    const closed = new Promise<void>((done) => (resolve = done));
    return [connect(t, url, { onclose: () => resolve() }), closed] as const;
  };

  await t.test('a reserved connection', async (t) => {
    const [sql, closed] = open();
    await sql`select 1`;
    const reserved = await sql.reserve();
    const [row] = await reserved<{ pid: number }[]>`select pg_backend_pid() as pid`;
    await terminate(row?.pid as number);
    await closed;
    await failsAsUnavailable(t, reserved`select 1`);
  });

  for (const outcome of ['goes on', 'throws']) {
    await t.test(`a cursor whose reader ${outcome}, while the next connection is at work`, async (t) => {
      const [sql, closed] = open();
      let next: Promise<object[]> | undefined;
      const read = async ([row]: readonly { pid: number }[]) => {
        await terminate(row?.pid as number);
        await closed;
        next = sql`select pg_sleep(0.5), 7 as seven`.execute();
        while ((await admin`select 1 from pg_stat_activity where query ~ 'as seven$' and state = 'active'`).length < 1);
        if (outcome === 'throws') throw new Error('done with it');
      };
      // The driver waits for it, which its types do not know.
      const rows = sql`select pg_backend_pid() as pid from generate_series(1, 5)`.cursor(
        read as never,
      ) as unknown as Promise<unknown>;
      await failsAsUnavailable(t, rows);
      while (next === undefined) await new Promise(setImmediate);
      t.match(await next, [{ seven: 7 }]);
      t.match(await sql`select 8 as eight`, [{ eight: 8 }]);
    });
  }
});

t.test('a connection that owes an answer for too long is given up, one that is idle is not', async (t) => {
  const { url, count } = await openServer(t, (query, socket) => (query === 'x' ? done(socket) : undefined));
  const sockets: Socket[] = [];
  const sql = connect(t, url, {
    max_pipeline: 0,
    answer_timeout: 1000,
    socket: ({ host, port }) => {
      const socket = connectSocket(port[0] as number, host[0]);
      sockets.push(socket);
      return socket;
    },
  });
  await sql.unsafe('x');
  // As the clock of the socket does, again and again.
  for (let times = 0; times < 3; times++) sockets[0]?.emit('timeout');
  await sql.unsafe('x');
  t.equal(count(), 1);
  t.equal(sockets[0]?.timeout, 1_000_000);
  const silence = sql.unsafe('silence');
  await Promise.all([
    failsAsUnavailable(t, silence),
    new Promise(setImmediate).then(() => sockets[0]?.emit('timeout')),
  ]);
  await sql.unsafe('x');
  t.equal(count(), 2);
});

t.test('a transaction has its connection to itself from BEGIN on, however much a connection is given', async (t) => {
  const url = await createTestDatabase(t);
  for (const max_pipeline of [0, 1, 100]) {
    const sql = connect(t, url, { max_pipeline });
    await sql`select 1`;
    const inside = sql.begin((tx) => tx<{ at: string }[]>`select now()::text as at`);
    // BEGIN is on its way by then, and its answer is not here yet.
    await new Promise(setImmediate);
    const outside = sql<{ at: string }[]>`select now()::text as at`.execute();
    t.not((await inside)[0]?.at, (await outside)[0]?.at, `max_pipeline ${max_pipeline}`);
  }
});

t.test('the queries of a transaction that are asked at once travel together, and are run in their order', async (t) => {
  const writes: string[] = [];
  const sql = connect(t, await createTestDatabase(t), {
    max_pipeline: 0,
    socket: ({ host: [host], port: [port] }) => {
      const socket = connectSocket(port as number, host);
      const write = socket.write.bind(socket) as (...args: unknown[]) => boolean;
      socket.write = (...args: unknown[]) => {
        writes.push(String(args[0]));
        return write(...args);
      };
      return socket;
    },
  });
  await sql`create table bookings (id int primary key)`;
  const insert = (ids: number[]) =>
    sql.begin((tx) => Promise.all(ids.map((id) => tx`insert into bookings values (${id})`)));
  // The first one of a connection is described before.
  await insert([1, 2, 3]);
  writes.length = 0;
  await insert([4, 5, 6]);
  t.equal(writes.length, 3, 'BEGIN, the queries, COMMIT');
  t.strictSame(
    (await sql`select id from bookings order by ctid`).map(({ id }) => id as number),
    [1, 2, 3, 4, 5, 6],
  );

  await t.test('and after one that fails, none is stored', async (t) => {
    for (const ids of [
      [6, 7, 8],
      [7, 6, 8],
      [7, 8, 6],
    ]) {
      await t.rejects(insert(ids), { code: '23505' }, String(ids));
    }
    const failing = sql.begin(async (tx) => {
      const [first, second] = [tx`insert into bookings values (${6})`, tx`insert into bookings values (${7})`];
      first.catch(() => undefined);
      await second;
    });
    await t.rejects(failing, { code: '23505' }, 'the error is that of the first, though the second is waited for');
    t.equal((await sql`select from bookings`).length, 6);
  });
});

t.test('the end of a client fails what waits for a connection, and opens none', async (t) => {
  const sql = connect(t, await createTestDatabase(t), { max_pipeline: 0 });
  await sql`select 1`;
  const works = Promise.allSettled(Array.from({ length: 5 }, () => sql`select pg_sleep(0.05)`));
  await new Promise(setImmediate);
  const end = sql.end();
  const [first, ...others] = await works;
  t.equal(first?.status, 'fulfilled');
  for (const other of others) t.match(other, { status: 'rejected', reason: { code: 'CONNECTION_ENDED' } });
  await end;
});

const PATCH = 'patches/postgres+3.4.9.patch';

t.test('the patch is called by a digest of its contents, so that an older one is told from it', async (t) => {
  const lines = (await readFile(PATCH, 'utf8')).split('\n').filter((line) => /^[+-]/.test(line));
  const contents = lines.filter((line) => !line.startsWith('+  patch: '));
  const digest = createHash('sha256').update(contents.join('\n')).digest('hex').slice(0, 12);
  t.equal((postgres as { patch?: string }).patch, digest, 'patches/README.md says where to change it');
});

t.test('no program starts on a driver that is not patched, or not as it should be', async (t) => {
  const folder = t.testdir({
    'package.json': '{}',
    'hooks.mjs': "import { register } from 'node:module'; register('./resolve.mjs', import.meta.url);",
    'resolve.mjs': `export const resolve = (name, context, next) => name === 'postgres'
      ? { url: new URL('node_modules/postgres/src/index.js', import.meta.url).href, shortCircuit: true }
      : next(name, context);`,
  });
  await cp('node_modules/postgres', join(folder, 'node_modules/postgres'), { recursive: true });
  await cp(PATCH, join(folder, PATCH));
  const hooks = pathToFileURL(join(folder, 'hooks.mjs')).href;
  // By the port and the argument no program gets far that does not refuse.
  const environment = { DATA_DIR: join(folder, 'data'), PORT: 'none', NODE_OPTIONS: `--import=${hooks}` };
  const refuses = async (t: Test, program: string) => {
    const { code, stderr, stdout } = await runProgram(program, environment, ['--help']);
    t.match(stderr, /^node_modules\/postgres lacks the changes of patches\/: run `npm ci`[^\n]*\n$/, program);
    t.strictSame([code, stdout], [1, ''], program);
  };

  await t.test('an older patch', async (t) => {
    const index = join(folder, 'node_modules/postgres/src/index.js');
    const text = await readFile(index, 'utf8');
    await writeFile(index, text.replace(/^ {2}patch: '.*'/m, "  patch: 'older'"));
    await refuses(t, 'dist/src/server.js');
    await writeFile(index, text);
  });

  await t.test('none', async (t) => {
    const tool = join(process.cwd(), 'node_modules/patch-package/index.js');
    await promisify(execFile)(process.execPath, [tool, '--reverse', '--error-on-fail'], { cwd: folder });
    for (const program of ['src/server', 'src/demo', 'src/admin', 'bench/run', 'bench/floor', 'test/run'])
      if (t.passing()) await refuses(t, `dist/${program}.js`);
  });
});

t.test('a table that is copied out leaves its connection to the next query', async (t) => {
  const sql = postgres(await createTestDatabase(t), { max: 1 });
  t.teardown(() => sql.end());
  // What fills the stream may come in one piece with the end of it.
  for (const length of [10, 16_000, 17_000, 70_000]) {
    const rows = await sql
      .unsafe(`copy (select repeat('x', ${length}) from generate_series(1, 3)) to stdout`)
      .readable();
    let bytes = 0;
    for await (const chunk of rows) bytes += (chunk as Buffer).length;
    t.equal(bytes, 3 * (length + 1));
    t.strictSame([...(await sql`select 1 as one`)], [{ one: 1 }]);
  }
});
