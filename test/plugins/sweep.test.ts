import Fastify from 'fastify';
import t from 'tap';
import database from '../../plugins/database.js';
import errors from '../../plugins/errors.js';
import sweep from '../../plugins/sweep.js';
import { openTestDatabase } from '../helpers/database.js';

t.test('every hour all that is old is removed, also beside what can not be', async (t) => {
  let hourly: (() => void) | undefined;
  const { setInterval } = globalThis;
  t.intercept(globalThis, 'setInterval', {
    value: (callback: () => void, milliseconds: number) => {
      if (milliseconds === 3_600_000) hourly = callback;
      return setInterval(callback, milliseconds);
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
  const done = new Promise<void>((resolve) => (removed = resolve));
  await app.register(sweep, {
    old: {
      secrets: async (db) => void (await db.execute('delete from nothing')),
      notes: async (db) => {
        await db.execute('delete from notes');
        removed();
      },
    },
  });
  t.equal((await opened.db.execute('select from notes')).length, 1);
  hourly?.();
  await done;
  t.equal((await opened.db.execute('select from notes')).length, 0);
  t.match(await line, { msg: 'old secrets could not be removed' });
});
