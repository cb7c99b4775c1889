import { Ajv } from 'ajv';
import fastJsonStringify from 'fast-json-stringify';
import Fastify, { type FastifyInstance, type RouteHandlerMethod } from 'fastify';
import t, { type Test } from 'tap';
import { JsonText } from '../../db/json.js';
import { operations } from '../../openapi/generated/operations.js';
import contract, { expect } from '../../plugins/contract.js';
import errors from '../../plugins/errors.js';
import { buildTestApp } from '../helpers/app.js';
import { allOperations, pathOf } from '../helpers/operations.js';

type Handlers = Partial<Record<keyof typeof operations, RouteHandlerMethod>>;

/** An app with the plugin, and a handler for every operation but those that are left out. */
async function build(
  t: Test,
  handlers: Handlers = {},
  { without = [] }: { without?: readonly string[] } = {},
): Promise<FastifyInstance> {
  const app = Fastify({ routerOptions: { ignoreTrailingSlash: true } });
  t.teardown(() => app.close());
  await app.register(errors);
  await app.register(contract, { outside: ['/health', '/docs*'] });
  app.setValidatorCompiler(() => () => true);
  for (const operation of allOperations) {
    const { operationId } = operation.config;
    if (without.includes(operationId)) continue;
    const handler = handlers[operationId as keyof Handlers] ?? (async () => undefined);
    app.route({ ...operation, onRequest: expect(operation), handler });
  }
  return app;
}

t.test('each schema of the contract can be compiled, as the server does when it is first needed', async (t) => {
  const ajv = new Ajv({ strict: false });
  for (const { config, schema } of allOperations) {
    const { response, ...parts } = schema;
    for (const [status, answer] of Object.entries(response)) {
      t.doesNotThrow(() => fastJsonStringify(answer as object), `${config.operationId} ${status}`);
    }
    for (const [part, node] of Object.entries(parts)) {
      t.equal(ajv.validateSchema(node as object), true, `${config.operationId} ${part}: ${ajv.errorsText()}`);
    }
  }
});

t.test('the start', async (t) => {
  await t.test('needs a handler for every operation', async (t) => {
    await (await build(t)).ready();
    const app = await build(t, {}, { without: ['getDoctor', 'logIn'] });
    await t.rejects(async () => app.ready(), new Error('operations without a handler: logIn, getDoctor'));
  });

  await t.test('is refused for a route outside the contract', async (t) => {
    const app = await build(t);
    const handler = () => ({});
    t.throws(() => app.get('/secret', handler), new Error('GET /secret is not in the contract'));
    t.throws(() => app.post('/doctors/more', handler), new Error('POST /doctors/more is not in the contract'));
    t.throws(() => app.get('/health/more', handler), new Error('GET /health/more is not in the contract'));
    t.throws(() => app.get('/doc', handler), new Error('GET /doc is not in the contract'));
    t.doesNotThrow(() => app.get('/health', handler));
    t.doesNotThrow(() => app.get('/docs/static/file', handler));
    t.doesNotThrow(() => app.options('/anything', handler), 'CORS answers OPTIONS everywhere');
  });

  await t.test('is refused for an operation at another path or with another method', async (t) => {
    const app = await build(t, {}, { without: ['getDoctor'] });
    const handler = () => ({}) as never;
    const { getDoctor } = operations;
    t.throws(
      () => app.route({ ...getDoctor, url: '/doctors/:other/', handler }),
      new Error('getDoctor is registered as GET /doctors/:other/'),
    );
    t.throws(
      () => app.route({ ...getDoctor, method: 'POST', handler }),
      new Error('getDoctor is registered as POST /doctors/:id/'),
    );
    await t.rejects(
      Promise.resolve(app.register(async (scope) => void scope.route({ ...getDoctor, handler }), { prefix: '/v1' })),
      new Error('getDoctor is registered as GET /v1/doctors/:id/'),
    );
  });
});

t.test('answers', async (t) => {
  await t.test("have the operation's status, and that of a problem where there is one", async (t) => {
    const app = await build(t, {
      createDesignation: () => ({ id: 1, name: 'n', slug: 's' }),
      deleteDesignation: async () => undefined,
      replaceDesignation: () => Promise.reject(new Error('fault')),
    });
    const statusOf = async (method: 'POST' | 'PUT' | 'DELETE' | 'GET', url: string) =>
      (await app.inject({ method, url })).statusCode;
    t.equal(await statusOf('POST', '/designations/'), 201);
    t.equal(await statusOf('DELETE', '/designations/1/'), 204);
    t.equal(await statusOf('PUT', '/designations/1/'), 500);
    t.equal(await statusOf('GET', '/nothing/'), 404);
  });

  await t.test('leave through the schema: fields that it does not name stay inside', async (t) => {
    const app = await build(t, {
      getDesignation: () => ({ id: 1, name: 'n', slug: 's', password: 'secret' }),
      listDesignations: () => new JsonText('[{"id":1,"name":"⭐","slug":"as it is"}]'),
      getSpecialisation: () => ({ id: 1 }),
    });
    t.equal((await app.inject('/designations/1/')).payload, '{"id":1,"name":"n","slug":"s"}');
    const list = await app.inject('/designations/');
    t.equal(list.payload, '[{"id":1,"name":"⭐","slug":"as it is"}]', 'JSON that PostgreSQL has built leaves as it is');
    t.equal(list.headers['content-type'], 'application/json; charset=utf-8');
    const missing = await app.inject('/specialisations/1/');
    t.equal(missing.statusCode, 500, 'an answer without a required field is a fault of the server');
    t.match(missing.json(), { type: '/problems/internal-error', status: 500 });
  });
});

t.test('bodies', async (t) => {
  const handlers: Handlers = {
    createDesignation: ({ body }) => ({ id: 1, name: JSON.stringify(body) ?? 'no body', slug: 's' }),
    deleteDesignation: async () => undefined,
  };
  const app = await build(t, handlers);
  const send = async (method: 'POST' | 'DELETE', url: string, headers: Record<string, string>, payload?: string) => {
    const response = await app.inject({ method, url, headers, ...(payload !== undefined && { payload }) });
    return { status: response.statusCode, ...(response.payload && response.json<{ name: string; detail: string }>()) };
  };

  for (const type of [
    undefined,
    'text/plain',
    'application/xml',
    'application/jsonx',
    'multipart/form-data',
    '',
    ';',
  ]) {
    await t.test(`createDesignation 415 for ${type ?? 'a body without a media type'}`, async (t) => {
      const headers = type === undefined ? {} : { 'content-type': type };
      t.match(await send('POST', '/designations/', headers, '{}'), {
        status: 415,
        detail: 'Send the body as application/json.',
      });
      t.match(await send('POST', '/designations/', { ...headers, 'transfer-encoding': 'chunked' }, '{}'), {
        status: 415,
      });
    });
  }

  for (const coding of ['gzip', 'br', 'Deflate', 'identity, gzip', 'x-none']) {
    await t.test(`createDesignation 415 for a body coded as ${coding}`, async (t) => {
      const headers = { 'content-type': 'application/json', 'content-encoding': coding };
      const answer = await send('POST', '/designations/', headers, '{"a":1}');
      t.match(answer, { status: 415, detail: 'Send the body as it is, without a Content-Encoding.' });
    });
  }
  await t.test('createDesignation takes a body coded as Identity', async (t) => {
    const headers = { 'content-type': 'application/json', 'content-encoding': 'Identity' };
    t.equal((await send('POST', '/designations/', headers, '{"a":1}')).status, 201);
  });

  for (const type of [
    'application/json',
    'Application/JSON',
    'application/json; charset=utf-8',
    'application/json ;x',
  ]) {
    await t.test(`createDesignation takes ${type}`, async (t) => {
      t.match(await send('POST', '/designations/', { 'content-type': type }, '{"a":1}'), {
        status: 201,
        name: '{"a":1}',
      });
    });
  }

  await t.test('an operation without a body does not look at one', async (t) => {
    for (const [type, payload] of [
      ['application/json', undefined],
      ['application/json', ''],
      ['application/json', '{'],
      ['application/json', 'x'.repeat(2_000_000)],
      ['application/xml', '<a/>'],
      ['multipart/form-data', 'x'],
      ['nonsense', 'x'],
    ] as const) {
      t.equal((await send('DELETE', '/designations/1/', { 'content-type': type }, payload)).status, 204, type);
      t.equal((await send('POST', '/nothing/', { 'content-type': type }, payload)).status, 404, type);
    }
  });

  await t.test('nor does its connection suffer from a body that nobody has read', async (t) => {
    const { origin } = new URL(await app.listen({ port: 0, host: '127.0.0.1' }));
    for (const size of [0, 10, 3_000_000]) {
      const response = await fetch(`${origin}/designations/1/`, {
        method: 'DELETE',
        headers: { 'content-type': 'application/json' },
        body: 'x'.repeat(size),
      });
      t.equal(response.status, 204);
      t.equal((await fetch(`${origin}/nothing`)).status, 404);
    }
  });
});

t.test('the application', async (t) => {
  const api = await buildTestApp(t);
  const { token } = await api.registerStaff();
  for (const operation of allOperations) {
    const { operationId } = operation.config;
    await t.test(`${operationId} answers the same with and without a slash at the end`, async (t) => {
      const url = pathOf(operation, 999_999).replace(/\/$/, '');
      const call = async (path: string) => {
        const { status, body, headers } = await api.call(operation.method, path, {
          token,
          ...(operation.config.consumes.length > 0 && { body: { refresh: 'x' } }),
        });
        return {
          status,
          body: { ...body, instance: '' },
          type: headers['content-type'],
          location: headers['location'],
        };
      };
      const first = await call(url);
      t.not(first.body.detail, 'There is nothing at this path.');
      const second = await call(`${url}/`);
      // What the first has created may stand in the way of the second.
      if (first.status === 201) t.ok([201, 409].includes(second.status));
      else t.strictSame(second, first);
    });
  }
});
