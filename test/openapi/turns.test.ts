import t from 'tap';
import { setImmediate as nextRound } from 'node:timers/promises';
import { inTurn } from '../../openapi/turns.js';

/** A task that ends when it is told to. */
function held(begun: string[], name: string) {
  let end = (): void => undefined;
  const ended = new Promise<void>((resolve) => (end = resolve));
  const task = async (): Promise<string> => {
    begun.push(name);
    await ended;
    if (name.startsWith('bad')) throw new Error(name);
    return name;
  };
  return { task, end };
}

t.test('two run, two wait in line, and the fifth is refused', async (t) => {
  const takeTurn = inTurn({ running: 2, waiting: 2, detail: 'Too many tests.' });
  const begun: string[] = [];
  const make = (name: string) => {
    const { task, end } = held(begun, name);
    return { end, result: takeTurn(task) };
  };
  const [a, b, c, bad] = [make('a'), make('b'), make('c'), make('bad')];
  await nextRound();
  t.strictSame(begun, ['a', 'b']);
  const late = held(begun, 'late');
  await t.rejects(takeTurn(late.task), {
    slug: 'unavailable',
    statusCode: 503,
    message: 'Too many tests.',
    headers: { 'retry-after': '5' },
  });
  b.end();
  t.equal(await b.result, 'b');
  await nextRound();
  t.strictSame(begun, ['a', 'b', 'c'], 'first come, first served');
  const last = make('last');
  await t.rejects(takeTurn(late.task), new Error('Too many tests.'));
  c.end();
  bad.end();
  t.equal(await c.result, 'c');
  await t.rejects(bad.result, new Error('bad'));
  await nextRound();
  t.strictSame(begun, ['a', 'b', 'c', 'bad', 'last'], 'one that fails gives its place up too');
  a.end();
  last.end();
  t.strictSame(await Promise.all([a.result, last.result]), ['a', 'last']);
  late.end();
  t.equal(await takeTurn(late.task), 'late', 'and there is room again');
});

t.test('of a hundred at once never more than three run', async (t) => {
  const takeTurn = inTurn({ running: 3, waiting: 97, detail: '' });
  let running = 0;
  let most = 0;
  const task = async (): Promise<void> => {
    most = Math.max(most, ++running);
    await nextRound();
    running--;
  };
  await Promise.all(Array.from({ length: 100 }, () => takeTurn(task)));
  t.equal(most, 3);
});

t.test('one has so many places, which who has gone gives up', async (t) => {
  const takeTurn = inTurn({ running: 1, waiting: 9, each: 3, detail: 'Too many tests.' });
  const begun: string[] = [];
  const make = (name: string, by: string, signal?: AbortSignal) => {
    const { task, end } = held(begun, name);
    return { end, result: takeTurn(task, { by, signal }) };
  };
  const leaving = new AbortController();
  const a = make('a', 'ada');
  const left = [make('b', 'ada', leaving.signal), make('c', 'ada', leaving.signal)];
  await t.rejects(make('late', 'ada').result, { slug: 'unavailable', message: 'Too many tests.' });
  const other = make('other', 'bob');
  const all = Promise.allSettled(left.map(({ result }) => result));
  leaving.abort();
  for (const each of await all) t.match(each, { status: 'rejected', reason: { slug: 'unavailable' } });
  await t.rejects(make('gone', 'ada', leaving.signal).result, {
    slug: 'unavailable',
    message: 'The client did not wait.',
  });
  const d = make('d', 'ada');
  for (const { end } of [a, other, d]) end();
  t.strictSame(await Promise.all([a.result, other.result, d.result]), ['a', 'other', 'd']);
  t.strictSame(begun, ['a', 'other', 'd']);
  const staying = new AbortController();
  const e = make('e', 'ada', staying.signal);
  staying.abort();
  e.end();
  t.equal(await e.result, 'e', 'what runs ends');
});

t.test('others have their turn between those of one', async (t) => {
  const takeTurn = inTurn({ running: 1, waiting: 9, detail: 'Too many tests.' });
  const begun: string[] = [];
  const tasks = (['a1 ada', 'a2 ada', 'a3 ada', 'a4 ada', 'b1 bob', 'c1 cy', 'n1', 'n2'] as const).map((name) => {
    const { task, end } = held(begun, name);
    return { end, result: takeTurn(task, { by: name.split(' ')[1] }) };
  });
  for (const { end } of tasks) end();
  await Promise.all(tasks.map(({ result }) => result));
  t.strictSame(begun, ['a1 ada', 'b1 bob', 'c1 cy', 'n1', 'a2 ada', 'n2', 'a3 ada', 'a4 ada']);
});

t.test('who asks seldom waits for nobody who asks without end', async (t) => {
  const takeTurn = inTurn({ running: 1, waiting: 900, detail: 'Too many tests.' });
  let turns = 0;
  let isOver = false;
  const many = Array.from({ length: 12 }, (_, client) =>
    Array.from({ length: 50 }, async () => {
      while (!isOver) await takeTurn(async () => void (turns++, await nextRound()), { by: client });
    }),
  ).flat();
  // New to the server, and then every so often.
  for (let call = 0; call < 5; call += 1) {
    while (turns < 100 * (call + 1)) await nextRound();
    const begun = turns;
    await takeTurn(async () => nextRound(), { by: 'ada' });
    t.ok(turns - begun <= 1, `waited for ${turns - begun}`);
  }
  isOver = true;
  await Promise.all(many);
});

t.test('of a full line the last of who has the most makes room for others', async (t) => {
  const takeTurn = inTurn({ running: 1, waiting: 4, detail: 'Too many tests.' });
  const begun: string[] = [];
  const tasks = (['a1 ada', 'a2 ada', 'a3 ada', 'b1 bob', 'a4 ada', 'c1 cy', 'b2 bob', 'd1 dan'] as const).map(
    (name) => {
      const { task, end } = held(begun, name);
      return { end, result: takeTurn(task, { by: name.split(' ')[1] }) };
    },
  );
  const settled = Promise.allSettled(tasks.map(({ result }) => result));
  for (const { end } of tasks) end();
  t.strictSame(
    (await settled).map((each) => (each.status === 'fulfilled' ? each.value : (each.reason as Error).message)),
    ['a1 ada', 'a2 ada', 'Too many tests.', 'b1 bob', 'Too many tests.', 'c1 cy', 'Too many tests.', 'd1 dan'],
  );
  const { task, end } = held(begun, 'e');
  end();
  t.equal(await takeTurn(task), 'e', 'and no place is lost');
});

t.test('who is favoured has every second turn, and a place in a full line', async (t) => {
  const takeTurn = inTurn({ running: 1, waiting: 7, detail: 'Too many tests.' });
  const begun: string[] = [];
  const make = (name: string) => {
    const { task, end } = held(begun, name);
    return { end, result: takeTurn(task, { by: name.split(' ')[1] }) };
  };
  for (const by of ['ada', 'eve', 'bob']) takeTurn.favour(by, true);
  takeTurn.favour('eve', false);
  takeTurn.favour(undefined, true);
  const turn = async (by: string) => takeTurn(async () => undefined, { by });
  for (const by of ['ada', 'bob']) await turn(by);
  const tasks = ['1 gus', '2 hal', '3 eve', '4 ada', '5 ada', '6 bob', '7 kim', '8 lea', '9 bob', '10 max'].map(make);
  tasks.push(make('11 ada'));
  const settled = Promise.allSettled(tasks.map(({ result }) => result));
  for (const { end } of tasks) end();
  const refused = (await settled).flatMap(({ status }, at) => (status === 'rejected' ? [at + 1] : []));
  t.strictSame(begun, ['1 gus', '4 ada', '2 hal', '6 bob', '3 eve', '5 ada', '7 kim', '11 ada']);
  t.strictSame(refused, [8, 9, 10], 'for bob, for max who had fewer than bob, for ada');
});
