import Fastify, { type FastifyInstance } from 'fastify';
import t, { type Test } from 'tap';
import type { Db, Tx } from '../../db/client.js';
import { JsonText } from '../../db/json.js';
import database from '../../plugins/database.js';
import errors from '../../plugins/errors.js';
import { hashBody, once, removeOldKeys } from '../../plugins/idempotency.js';
import { openTestDatabase } from '../helpers/database.js';
import { madeUp } from '../helpers/operations.js';

/** An app that stores each body it gets, and answers with how many there are. */
async function build(t: Test, { pool = 10 } = {}) {
  const { database: opened } = await openTestDatabase(t, { pool });
  const { db } = opened;
  await db.execute(`insert into users (username, email, password_hash)
    select 'user' || n, 'user' || n || '@example.com', '-' from generate_series(1, 2) n`);
  await db.execute('create table notes (id bigint generated always as identity, note text)');
  const app = Fastify();
  t.teardown(() => app.close());
  await app.register(errors);
  await app.register(database, { database: opened });
  app.setSerializerCompiler(() => (data) => (data instanceof JsonText ? data.text : JSON.stringify(data)));
  app.decorateRequest('caller', null);
  app.addHook('onRequest', (request, _reply, next) => {
    const id = Number(request.headers['user']);
    request.caller = id > 0 ? { id, isStaff: false, session: null } : null;
    next();
  });
  const operation = madeUp({ takesIdempotencyKey: true, consumes: ['application/json'] }, 'POST');
  const store = async (work: Db | Tx, note: string): Promise<object> => {
    if (note === 'fault') throw new Error('fault');
    await work.execute(`insert into notes (note) values ('${note}')`);
    return { count: (await work.execute('select from notes')).length };
  };
  const route = { preHandler: hashBody(operation) ?? [], config: operation.config, schema: { response: { 201: {} } } };
  app.post('/notes', route, (request, reply) =>
    once(request, reply.code(201), db, (work) => store(work, (request.body as { note: string }).note)),
  );
  return { app, db };
}

const send = async (app: FastifyInstance, note: string, headers: Record<string, string>) => {
  const {
    statusCode,
    body,
    headers: answered,
  } = await app.inject({
    method: 'POST',
    url: '/notes',
    headers,
    payload: { note },
  });
  return { status: statusCode, body, isReplayed: answered['idempotent-replayed'] === 'true' };
};

t.test('a repeat gets the first answer again, of the same user alone', async (t) => {
  const { app, db } = await build(t);
  const key = { user: '1', 'idempotency-key': 'k' };
  t.strictSame(await send(app, 'a', key), { status: 201, body: '{"count":1}', isReplayed: false });
  t.strictSame(await send(app, 'a', key), { status: 201, body: '{"count":1}', isReplayed: true });
  t.match(await send(app, 'b', key), { status: 422 });
  t.match(await send(app, 'a', { ...key, user: '2' }), { status: 201, body: '{"count":2}', isReplayed: false });
  t.match(await send(app, 'a', { user: '1' }), { body: '{"count":3}' }, 'without a key each counts');
  t.match(await send(app, 'a', { 'idempotency-key': 'k' }), { body: '{"count":4}' }, 'nor is there one of nobody');
  await db.execute(`update idempotency_keys set created_at = now() - interval '25 hours'`);
  t.match(await send(app, 'b', key), { body: '{"count":5}', isReplayed: false }, 'a day later the key is free');
  await removeOldKeys(db);
  t.strictSame([...(await db.execute('select user_id::int as user from idempotency_keys'))], [{ user: 1 }]);
});

t.test('what failed has left nothing, and its key is free', async (t) => {
  const { app, db } = await build(t);
  const key = { user: '1', 'idempotency-key': 'k' };
  t.match(await send(app, 'fault', key), { status: 500 });
  t.equal((await db.execute('select from idempotency_keys')).length, 0);
  t.match(await send(app, 'a', key), { status: 201, body: '{"count":1}' });
});

t.test('repeats at once are one, and more keys at once than connections are no trouble', async (t) => {
  const { app } = await build(t, { pool: 3 });
  const repeats = await Promise.all(
    Array.from({ length: 20 }, () => send(app, 'a', { user: '1', 'idempotency-key': 'k' })),
  );
  t.equal(repeats.filter(({ isReplayed }) => !isReplayed).length, 1);
  t.ok(repeats.every(({ status, body }) => status === 201 && body === '{"count":1}'));
  const others = await Promise.all(
    Array.from({ length: 20 }, (_, key) => send(app, 'a', { user: '1', 'idempotency-key': String(key) })),
  );
  t.ok(others.every(({ status, isReplayed }) => status === 201 && !isReplayed));
});
