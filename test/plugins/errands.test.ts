import fastify from 'fastify';
import t from 'tap';
import errands from '../../plugins/errands.js';

/** An application whose log is kept. */
async function build() {
  const lines: string[] = [];
  const app = fastify({ logger: { level: 'info', stream: { write: (line: string) => void lines.push(line) } } });
  await app.register(errands);
  await app.ready();
  return { app, lines };
}

/** Errands that do not end until they are let. */
function holding() {
  let release = (): void => undefined;
  const held = new Promise<void>((resolve) => (release = resolve));
  const begun: string[] = [];
  const errand = (name: string, by = name) => ({
    ...{ name, by },
    run: async () => {
      begun.push(name);
      await held;
    },
  });
  return { errand, begun, release };
}

/** Turns are given in microtasks. */
const turns = () => new Promise(setImmediate);

t.test('four run at once, a thousand wait, and what is more is told to the log', async (t) => {
  const { app, lines } = await build();
  t.teardown(() => app.close());
  const { errand, begun, release } = holding();
  for (let index = 0; index < 1004; index++) app.errands.add(errand(`errand ${index}`, `client ${index}`));
  await turns();
  t.equal(begun.length, 4);
  t.strictSame(lines, []);
  app.errands.add(errand('one more', 'another client'));
  await turns();
  t.match(lines, [/one more was left: too many wait already/]);
  release();
  await app.errands.settled();
  t.equal(begun.length, 1004);
});

t.test('who asks for much leaves others their place and their turn', async (t) => {
  const { app, lines } = await build();
  t.teardown(() => app.close());
  const { errand, begun, release } = holding();
  for (let index = 0; index < 1004; index++) app.errands.add(errand(`flood ${index}`, 'flood'));
  app.errands.add(errand('one', 'somebody else'));
  await turns();
  t.match(lines, [/flood 1003 was left: too many wait already/]);
  release();
  await app.errands.settled();
  t.ok(begun.indexOf('one') < 10, `it was number ${begun.indexOf('one')}`);
});

t.test('one that fails is told to the log, and the next one runs', async (t) => {
  const { app, lines } = await build();
  t.teardown(() => app.close());
  const fail = async () => {
    throw Object.assign(new Error('secret'), { query: 'select secret' });
  };
  app.errands.add({ name: 'an errand', by: 'x', run: fail });
  let isDone = false;
  app.errands.add({ name: 'another', by: 'x', run: async () => void (isDone = true) });
  await app.errands.settled();
  t.ok(isDone);
  t.match(lines, [/an errand failed/]);
  t.notMatch(lines.join(), /secret/);
});

t.test('a stop waits for what has begun, which hears of it, and leaves what waits', async (t) => {
  const { app, lines } = await build();
  const { errand, begun, release } = holding();
  let heard = false;
  app.errands.add({
    ...{ name: 'listener', by: 'x' },
    run: (stop) =>
      new Promise((resolve) =>
        stop.addEventListener('abort', () => {
          heard = true;
          resolve();
        }),
      ),
  });
  for (let index = 0; index < 5; index++) app.errands.add(errand(`errand ${index}`));
  await turns();
  let isClosed = false;
  const closed = app.close().then(() => (isClosed = true));
  await turns();
  t.ok(heard);
  t.notOk(isClosed);
  release();
  await closed;
  t.equal(begun.length, 3);
  t.equal(lines.filter((line) => line.includes('was left: the server stops')).length, 2);
});
