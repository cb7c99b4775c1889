import Fastify from 'fastify';
import t from 'tap';
import database from '../../plugins/database.js';
import errors from '../../plugins/errors.js';
import sweep from '../../plugins/sweep.js';
import { openTestDatabase } from '../helpers/database.js';

t.test('each round comes in its time and again, also after one that failed', async (t) => {
  const due: Record<number, () => void> = {};
  const { setTimeout } = globalThis;
  t.intercept(globalThis, 'setTimeout', {
    value: (callback: () => void, milliseconds: number) => {
      if (milliseconds >= 3_600_000) due[milliseconds] = callback;
      return setTimeout(callback, milliseconds);
    },
  });
  const { database: opened } = await openTestDatabase(t);
  await opened.db.execute('create table notes as select 1 as note');
  let told = (_line: object): void => undefined;
  const line = new Promise<object>((resolve) => (told = resolve));
  const app = Fastify({
    logger: { stream: { write: (text: string) => told(JSON.parse(text) as object) }, level: 'warn' },
  });
  t.teardown(() => app.close());
  await app.register(errors);
  await app.register(database, { database: opened });
  let removed = (): void => undefined;
  await app.register(sweep, {
    rounds: [
      { name: 'removing secrets', seconds: 3600, run: async (db) => void (await db.execute('delete from nothing')) },
      {
        name: 'removing notes',
        seconds: 7200,
        run: async (db) => {
          await db.execute('delete from notes');
          removed();
        },
      },
    ],
  });
  t.strictSame(due, {}, 'nothing before the server listens');
  await app.listen({ host: '127.0.0.1', port: 0 });
  for (const _round of [1, 2]) {
    await opened.db.execute('insert into notes values (1)');
    const done = new Promise<void>((resolve) => (removed = resolve));
    due[7_200_000]?.();
    await done;
    t.equal((await opened.db.execute('select from notes')).length, 0);
  }
  due[3_600_000]?.();
  t.match(await line, { msg: 'removing secrets failed' });
});
