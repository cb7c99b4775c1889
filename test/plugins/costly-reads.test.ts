import { sql } from 'drizzle-orm';
import t from 'tap';
import { setImmediate as nextRound } from 'node:timers/promises';
import { costlyReads } from '../../plugins/costly-reads.js';
import { buildTestApp } from '../helpers/app.js';
import { openTestDatabase } from '../helpers/database.js';

const notToBegin = () => Promise.reject(new Error('it should not have begun'));

const of = (by: number | string) => ({ by, isAnonymous: typeof by === 'string' });

/** Reads that end when they are told to, and the names of those that have begun. */
function heldReads(size: number) {
  const run = costlyReads({ costly: { db: undefined as never, size } });
  const begun: string[] = [];
  const ends: (() => void)[] = [];
  const done: Promise<void>[] = [];
  const read = (by: number | string, name: string) => {
    const ended = new Promise<void>((resolve) => ends.push(resolve));
    done.push(run(of(by), () => (begun.push(name), ended)));
  };
  const finish = async () => {
    for (const end of ends) end();
    await Promise.all(done);
  };
  return { begun, read, ends, finish };
}

t.test('one caller has no more than half of the connections, and is in the line once', async (t) => {
  const { begun, read, ends, finish } = heldReads(2);
  for (const name of ['a1', 'a2', 'a3']) read(1, name);
  read(2, 'b1');
  read(3, 'c1');
  await nextRound();
  t.strictSame(begun, ['a1', 'b1']);
  ends[0]?.();
  await nextRound();
  t.strictSame(begun, ['a1', 'b1', 'c1'], 'before what the first has still to do');
  await finish();
  t.strictSame(begun, ['a1', 'b1', 'c1', 'a2', 'a3']);
});

t.test('those who are not signed in leave a connection to the others', async (t) => {
  const { begun, read, finish } = heldReads(2);
  for (let n = 1; n <= 12; n++) read(`address ${n}`, `anonymous ${n}`);
  read(7, 'signed in');
  await nextRound();
  t.strictSame(begun, ['anonymous 1', 'signed in']);
  await finish();
  t.equal(begun.length, 13);
});

t.test('where there is one connection, all take turns', async (t) => {
  const { begun, read, finish } = heldReads(1);
  read('address', 'anonymous');
  read(7, 'signed in');
  await nextRound();
  t.strictSame(begun, ['anonymous']);
  await finish();
  t.strictSame(begun, ['anonymous', 'signed in']);
});

t.test(
  'what has waited for ten seconds is not begun, nor is more than a hundred of one caller in the line',
  async (t) => {
    const clock = { now: 0 };
    const run = costlyReads({ costly: { db: undefined as never, size: 2 } }, () => clock.now);
    const busy = {
      slug: 'unavailable',
      statusCode: 503,
      message: /^Too many searches/,
      headers: { 'retry-after': '5' },
    };
    let end = (): void => undefined;
    const first = run(of(1), () => new Promise<void>((resolve) => (end = resolve)));
    const others = Promise.allSettled(Array.from({ length: 100 }, () => run(of(1), notToBegin)));
    await t.rejects(run(of(1), notToBegin), busy);
    await run(of(2), async () => undefined);
    clock.now = 10_001;
    end();
    await first;
    for (const each of await others) t.match(each, { status: 'rejected', reason: busy });
    t.equal(await run(of(1), async () => 'served'), 'served');
  },
);

t.test('what takes too long is 503, and tells what takes less', async (t) => {
  const { database } = await openTestDatabase(t, { pool: 10 });
  const run = costlyReads(database);
  const settings = await run(of('address'), (db) =>
    db.execute(
      sql`select current_setting('statement_timeout') as time, current_setting('max_parallel_workers_per_gather') as helpers`,
    ),
  );
  t.match([...settings], [{ time: '5s', helpers: '0' }]);
  const slow = run(of('address'), (db) =>
    db.transaction(async (tx) => {
      await tx.execute(sql`set local statement_timeout = 50`);
      await tx.execute(sql`select pg_sleep(9)`);
    }),
  );
  await t.rejects(slow, {
    slug: 'unavailable',
    statusCode: 503,
    message: /longer words/,
    headers: { 'retry-after': '5' },
  });
});

t.test('searches for short or many words and far pages take turns, and no other read', async (t) => {
  const app = await buildTestApp(t);
  const { token } = await app.registerStaff();
  const { costly } = app.database;
  let count = 0;
  const unsafe = (costly.db as unknown as { $client: { unsafe: (...args: unknown[]) => unknown } }).$client;
  const send = unsafe.unsafe;
  unsafe.unsafe = (...args) => (count++, send.apply(unsafe, args));
  const asked = async (path: string) => {
    count = 0;
    await app.call('GET', path, { token });
    return count;
  };
  for (const path of [
    '/reviews/',
    '/doctors/',
    '/patients/',
    '/appointments/',
    '/api/user/profiles/',
    '/api/user/users/',
  ]) {
    t.equal(await asked(path), 0, path);
    t.equal(await asked(`${path}?search=a`), 1, `${path} search`);
    t.equal(await asked(`${path}?search=anna%20a`), 1, `${path} search`);
    t.equal(await asked(`${path}?search=an_%25`), 1, `${path} search`);
    t.equal(await asked(`${path}?search=ann%20bea%20cyd%20dan%20eva%20fay`), 1, `${path} search`);
    t.equal(await asked(`${path}?search=anna`), 0, `${path} search`);
    t.equal(await asked(`${path}?search=ann%20bea%20cyd%20dan%20eva`), 0, `${path} search`);
    t.equal(await asked(`${path}?page=6&limits=1000`), 1, `${path} far`);
  }
  t.equal(await asked('/availability/'), 0);
  t.not(await asked('/availability/?page=6'), 0);
});
