import Fastify from 'fastify';
import t, { type Test } from 'tap';
import type { Database } from '../../db/client.js';
import database from '../../plugins/database.js';
import drain from '../../plugins/drain.js';
import errors from '../../plugins/errors.js';
import health from '../../plugins/health.js';
import { buildTestApp } from '../helpers/app.js';

const AWAY = { status: 503, detail: 'The database can not be reached at the moment.' };

/** An app on a database that is as `state` says. */
async function build(t: Test, state: { isMigrated: boolean; ping: () => Promise<void> }) {
  const app = Fastify({ return503OnClosing: false });
  t.teardown(() => app.close());
  await app.register(drain);
  await app.register(errors);
  const stub: Partial<Database> = { isMigrated: () => state.isMigrated, ping: () => state.ping() };
  await app.register(database, { database: stub as Database });
  await app.register(health);
  return async (path: string) => {
    const response = await app.inject(path);
    return { status: response.statusCode, retry: response.headers['retry-after'], ...response.json<object>() };
  };
}

t.test('health', async (t) => {
  const state = { isMigrated: false, ping: () => Promise.resolve() };
  const get = await build(t, state);

  await t.test('/health/live 200 whatever the database does', async (t) => {
    t.match(await get('/health/live'), { status: 'ok' });
  });

  await t.test('/health/ready 503 before the database is migrated', async (t) => {
    t.match(await get('/health/ready'), { ...AWAY, retry: '5', type: '/problems/unavailable' });
  });

  await t.test('/health/ready 200 once it is', async (t) => {
    state.isMigrated = true;
    t.match(await get('/health/ready'), { status: 'ok' });
  });

  await t.test('/health/ready 503 when the database does not answer, whatever the reason', async (t) => {
    for (const reason of [new Error('secret'), Object.assign(new Error('secret'), { code: 'ECONNREFUSED' })]) {
      state.ping = () => Promise.reject(reason);
      const answer = await get('/health/ready');
      t.match(answer, AWAY);
      t.notMatch(JSON.stringify(answer), 'secret');
    }
    state.ping = () => Promise.resolve();
    t.match(await get('/health/ready'), { status: 'ok' });
  });
});

t.test('/health/ready 503 and /health/live 200 while the server stops', async (t) => {
  const { app } = await buildTestApp(t);
  let finish = (): void => undefined;
  const held = new Promise<void>((resolve) => (finish = resolve));
  // Another part of the program that takes its time to stop.
  app.addHook('preClose', () => held);
  const { origin } = new URL(await app.listen({ port: 0, host: '127.0.0.1' }));
  t.equal((await fetch(`${origin}/health/ready`)).status, 200);
  const closed = app.close();
  await new Promise(setImmediate);
  const answer = await fetch(`${origin}/health/ready`);
  t.equal(answer.status, 503);
  t.match(await answer.json(), { type: '/problems/unavailable', detail: 'The server is about to stop.' });
  t.equal((await fetch(`${origin}/health/live`)).status, 200);
  finish();
  await closed;
  await t.rejects(fetch(`${origin}/health/live`));
});
