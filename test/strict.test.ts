/** `Prefer: handling=strict` on every operation. */
import t from 'tap';
import type { operations } from '../openapi/generated/operations.js';
import { buildTestApp, type CallOptions } from './helpers/app.js';
import { ACTORS, backUp, buildClinic, isPossible, TABLE, type Request } from './helpers/clinic.js';
import { allOperations, exampleOf, type Operation } from './helpers/operations.js';

const STRICT = { prefer: 'handling=strict' };

t.test('strict handling', async (t) => {
  const api = await buildTestApp(t);
  const clinic = await buildClinic(api);
  const restoreTables = await backUp(api);
  const restore = async (): Promise<void> => {
    await restoreTables();
    for (const user of Object.values(clinic.users)) api.app.tokens.forgetUser(user.id);
  };

  /** The row's request, of a caller who may make it. */
  const requestOf = async ({ config }: Operation): Promise<Request> => {
    const [statuses, prepare] = TABLE[config.operationId as keyof typeof operations];
    const actor = ACTORS.findLast((name, index) => name !== 'anonymous' && statuses[index] === config.success);
    if (actor === undefined || actor === 'anonymous') throw new Error(`nobody may ${config.operationId}`);
    return { ...(await prepare?.(clinic, actor)), token: clinic.users[actor].token };
  };
  const send = (
    { method, url }: Operation,
    { path = '', ...options }: Request,
    headers: CallOptions['headers'],
    query = '',
  ) => api.call(method, url.replace(/:\w+/, path) + query, { ...options, headers: headers ?? {} });

  for (const operation of allOperations.filter(({ config }) => isPossible(config.operationId))) {
    const { operationId, success, consumes } = operation.config;
    const parameters = Object.keys(operation.schema.querystring?.properties ?? {});
    const fields = Object.keys(operation.schema.body?.properties ?? {});

    await t.test(`${operationId} 400 for unknown parameters, ${success} where nobody asked`, async (t) => {
      const request = await requestOf(operation);
      const names = [...parameters.map((name) => `${name}x`), 'constructor'];
      const query = `?${names.map((name) => `${name}=1`).join('&')}`;
      const refused = await send(operation, request, STRICT, query);
      t.equal(refused.status, 400);
      t.equal(refused.headers['preference-applied'], 'handling=strict');
      t.strictSame(Object.keys(refused.body.errors).sort(), names.sort());
      for (const name of parameters) {
        t.strictSame(refused.body.errors[`${name}x`], [`is not known here; the nearest known name is "${name}"`]);
      }
      const asEver = await send(operation, request, {}, query);
      t.equal(asEver.status, success);
      t.notOk('preference-applied' in asEver.headers);
      await restore();
    });

    await t.test(`${operationId} ${success} where all is known`, async (t) => {
      const query = parameters.length === 0 ? '' : `?${parameters[0]}=`;
      const answer = await send(operation, await requestOf(operation), STRICT, query);
      t.equal(answer.status, success);
      t.equal(answer.headers['preference-applied'], 'handling=strict');
      await restore();
    });

    for (const type of consumes) {
      await t.test(`${operationId} 400 for unknown fields in ${type}, beside all other faults`, async (t) => {
        const { body, form, ...request } = await requestOf(operation);
        const known = { ...(form ?? (body as object | undefined) ?? exampleOf(operation)) } as Record<string, unknown>;
        const names = ['unknown', ...fields.map((name) => `${name}x`)];
        const values = { ...known, ...Object.fromEntries(names.map((name) => [name, '1'])) };
        const content = (all: object): Request =>
          type === 'application/json' ? { ...request, body: all } : { ...request, form: all as never };
        const refused = await send(operation, content(values), STRICT);
        t.equal(refused.status, 400);
        for (const name of fields) {
          t.match(refused.body.errors[`${name}x`], [`is not known here; the nearest known name is "${name}"`]);
        }
        t.match(refused.body.errors['unknown'], [/^is not known here; the nearest known name is "\w+"$/]);
        const properties = Object.values((operation.schema.body?.properties ?? {}) as Record<string, object>);
        const replaced = properties.flatMap((each) => (each as { 'x-in-place-of'?: string[] })['x-in-place-of'] ?? []);
        const required = [...((operation.schema.body?.['required'] as string[] | undefined) ?? []), ...replaced];
        const faults = (await send(operation, content({ firstname: 'x' }), STRICT)).body.errors;
        t.strictSame(Object.keys(faults).sort(), ['firstname', ...required].sort());
        await restore();
      });
    }
  }

  await t.test('createDoctor 201 with a list under a name of form encoders', async (t) => {
    const { token } = await api.register();
    const form = { 'available_time[]': String(clinic.ids['timeId']), 'designation[0]': '' };
    t.equal((await api.post('/doctors/', { token, form, headers: STRICT })).status, 201);
    const other = { 'fee[]': '1' };
    const refused = await api.post('/doctors/', { token, form: other, headers: STRICT });
    t.match(refused, {
      status: 400,
      body: { errors: { 'fee[]': ['is not known here; the nearest known name is "fee"'] } },
    });
  });

  await t.test('listDoctors 400 however the preference is written, and 200 for others', async (t) => {
    for (const [prefer, status] of [
      ['handling=strict', 400],
      ['Handling=Strict', 400],
      ['handling="strict"', 400],
      ['handling = strict', 400],
      ['return=minimal, handling=strict; x=1', 400],
      ['wait=10; handling=lenient, handling=strict', 400],
      ['handling=strict, handling=lenient', 400],
      ['handling=lenient, handling=strict', 200],
      ['handling=lenient', 200],
      ['handling', 200],
      ['handling=stricter', 200],
      ['x-handling=strict', 200],
      ['return=minimal', 200],
      ['', 200],
    ] as const) {
      t.equal((await api.get('/doctors/?pages=2', { headers: { prefer } })).status, status, prefer);
    }
  });

  await t.test('listDoctors 400 with a bounded answer to many and long names', async (t) => {
    const query = Array.from({ length: 300 }, (_, index) => `${'x'.repeat(index)}=1`).join('&');
    const { status, text, body } = await api.get(`/doctors/?${query}`, { headers: STRICT });
    t.equal(status, 400);
    t.ok(Object.keys(body.errors).length <= 50);
    t.ok(text.length < 20_000);
  });
});
