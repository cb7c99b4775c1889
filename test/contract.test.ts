/** The answers that all operations share, asked of each operation of the contract. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { openDatabase } from '../db/client.js';
import { buildApp } from '../src/app.js';
import { buildTestApp, SECRET, TestApp, testConfig } from './helpers/app.js';
import { allOperations, exampleOf, pathOf, type Operation } from './helpers/operations.js';

const documenting = (status: number): Operation[] =>
  allOperations.filter(({ config }) => config.problems.includes(status));

t.test('operations without valid credentials', async (t) => {
  const api = await buildTestApp(t);
  const { token } = await api.register();
  for (const operation of documenting(401).filter(({ config }) => config.access !== 'public')) {
    const { method, config } = operation;
    await t.test(`${config.operationId} 401`, async (t) => {
      const answer = await api.call(method, pathOf(operation), { token: 'rubbish' });
      t.equal(answer.status, 401);
      t.equal(answer.headers['www-authenticate'], 'Bearer');
      if (config.access !== 'optional') t.equal((await api.call(method, pathOf(operation))).status, 401);
    });
  }
  for (const operation of allOperations.filter(({ config }) => config.access === 'staff')) {
    await t.test(`${operation.config.operationId} 403 for a user who is not staff`, async (t) => {
      t.equal((await api.call(operation.method, pathOf(operation), { token })).status, 403);
    });
  }
});

t.test('records and pages that do not exist', async (t) => {
  const api = await buildTestApp(t);
  const { token } = await api.registerStaff();
  for (const operation of documenting(404).filter(({ url }) => url.includes(':'))) {
    const { method, config } = operation;
    await t.test(`${config.operationId} 404`, async (t) => {
      const body = config.consumes.length > 0 ? { body: exampleOf(operation) } : {};
      for (const id of [
        '999999',
        '0',
        '-1',
        '1.5',
        'abc',
        '9007199254740991',
        '9007199254740992',
        '%00',
        'x'.repeat(99),
      ]) {
        t.equal((await api.call(method, pathOf(operation, id), { token, ...body })).status, 404, id);
      }
    });
  }
  for (const operation of allOperations.filter(({ schema }) => schema.querystring?.properties['page'] !== undefined)) {
    await t.test(`${operation.config.operationId} 404 for a page past the end`, async (t) => {
      t.equal((await api.call('GET', `${operation.url}?page=1000`, { token })).status, 404);
    });
  }
});

t.test('bodies that can not be read', async (t) => {
  const api = await buildTestApp(t);
  const { token } = await api.registerStaff();
  for (const operation of allOperations.filter(({ config }) => config.consumes.length > 0)) {
    const { method, config } = operation;
    const send = (body: string, type: string) =>
      api.call(method, pathOf(operation), { token, body, headers: { 'content-type': type } });

    await t.test(`${config.operationId} 400 for what is no JSON object`, async (t) => {
      for (const body of ['', '{', 'null', '[]', '"x"', '7', '{"a":', '\0', '{"__proto__":{"a":1}}x']) {
        const answer = await send(body, 'application/json');
        t.equal(answer.status, 400, JSON.stringify(body));
        t.ok(answer.body.errors, 'says what to change');
      }
      t.equal((await api.call(method, pathOf(operation), { token })).status, 400, 'no body at all');
    });
    await t.test(`${config.operationId} 413`, async (t) => {
      t.equal((await send(JSON.stringify({ x: 'x'.repeat(1_000_000) }), 'application/json')).status, 413);
    });
    await t.test(`${config.operationId} 415`, async (t) => {
      for (const type of [
        'text/plain',
        'application/xml',
        'application/x-www-form-urlencoded',
        'rubbish',
        'application/jsonx',
      ]) {
        t.equal((await send('{}', type)).status, 415, type);
      }
      if (!config.consumes.includes('multipart/form-data')) {
        t.equal((await api.call(method, pathOf(operation), { token, form: { name: 'x' } })).status, 415, 'multipart');
      } else {
        t.equal((await send('x', 'multipart/form-data')).status, 400, 'multipart without a boundary');
        t.equal((await send('--x\r\nrubbish', 'multipart/form-data; boundary=x')).status, 400, 'broken multipart');
      }
    });
  }
});

t.test('queries that are not valid', async (t) => {
  const api = await buildTestApp(t);
  const { token } = await api.registerStaff();
  for (const operation of allOperations) {
    const { operationId } = operation.config;
    const [name] =
      Object.entries(operation.schema.querystring?.properties ?? {}).find(([, schema]) =>
        /integer|date/.test(JSON.stringify(schema)),
      ) ?? [];
    if (name === undefined) continue;
    await t.test(`${operationId} 400`, async (t) => {
      const whole = await api.call(operation.method, pathOf(operation), { token });
      const empty = await api.call(operation.method, `${pathOf(operation)}?${name}=`, { token });
      t.equal(empty.status, whole.status, 'an empty one counts as left out');
      for (const value of ['x', '+1', '01', '1.5', '-9007199254740993', '99999999999999999999', '%00', 'null']) {
        const answer = await api.call(operation.method, `${pathOf(operation)}?${name}=${value}`, { token });
        t.equal(answer.status, 400, value);
        t.strictSame(Object.keys(answer.body.errors), [name]);
      }
    });
  }
});

t.test('a server with a fault of its own', async (t) => {
  const api = await buildTestApp(t);
  const staff = await api.registerStaff();
  // As if somebody had dropped them: a fault that waiting does not mend.
  await api.database.db.execute(`do $$ declare t text; begin
    for t in select tablename from pg_tables where schemaname = 'public' loop
      execute format('alter table %I rename to %I', t, t || '_gone');
    end loop; end $$`);
  const picture = `p-${'x'.repeat(22)}.png`;
  mkdirSync(join(t.testdirName, 'pictures', picture), { recursive: true });
  for (const operation of documenting(500)) {
    const { method, config } = operation;
    const path = pathOf(operation, config.operationId === 'getPicture' ? picture : 1);
    await t.test(`${config.operationId} 500`, async (t) => {
      const refresh = operation.schema.body?.properties['refresh'] && { refresh: staff.refresh };
      const body = config.consumes.length > 0 ? { body: { ...exampleOf(operation), ...refresh } } : {};
      const answer = await api.call(method, path, { token: staff.token, ...body });
      t.match(answer, { status: 500, body: { detail: 'The server met an unexpected fault.' } });
    });
  }
});

t.test('limits', async (t) => {
  const limits = { RATE_LIMIT_ANON: '1', RATE_LIMIT_USER: '1', RATE_LIMIT_AUTH: '1' };
  const api = await buildTestApp(t, limits);
  for (const [index, operation] of documenting(429).entries()) {
    await t.test(`${operation.config.operationId} 429`, async (t) => {
      const call = () => api.call(operation.method, pathOf(operation), { remoteAddress: `10.1.0.${index}` });
      t.not((await call()).status, 429);
      const answer = await call();
      t.equal(answer.status, 429);
      t.ok(Number(answer.headers['retry-after']) > 0);
    });
  }
});

t.test('while the database is away', async (t) => {
  const config = testConfig(t);
  // Nothing listens on this port.
  const database = await openDatabase({ url: 'postgres://x:x@127.0.0.1:1/x', dataDir: config.dataDir, pool: 2 });
  const app = await buildApp({ config, database, secrets: [SECRET], logger: false });
  t.teardown(() => database.close());
  t.teardown(() => app.close());
  const api = new TestApp(app, database, '');
  for (const operation of documenting(503)) {
    await t.test(`${operation.config.operationId} 503`, async (t) => {
      const answer = await api.call(operation.method, pathOf(operation));
      t.equal(answer.status, 503);
      t.ok(Number(answer.headers['retry-after']) > 0);
    });
  }
  t.equal((await api.get('/health/ready')).status, 503);
  t.equal((await api.get('/health/live')).status, 200);
});
