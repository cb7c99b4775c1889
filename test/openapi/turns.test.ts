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
