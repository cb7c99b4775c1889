import { Type, type TSchema } from '@sinclair/typebox';
import Fastify, { type LightMyRequestResponse } from 'fastify';
import t, { type Test } from 'tap';
import errors from '../../plugins/errors.js';
import multipart, { readForm } from '../../plugins/multipart.js';
import validation, { type Rule } from '../../plugins/validation.js';
import { madeUp } from '../helpers/operations.js';

const MAX_ID = 9_007_199_254_740_991;
const NUL = 'must not contain control characters';
const NO_UNICODE = 'must be Unicode text in UTF-8';

const Body = Type.Object({
  id: Type.Optional(Type.Integer({ minimum: 1, maximum: MAX_ID })),
  count: Type.Optional(Type.Unsafe<number | null>({ type: ['integer', 'null'], maximum: 9 })),
  text: Type.Optional(Type.String({ minLength: 2, maxLength: 5 })),
  name: Type.Optional(Type.String({ minLength: 1, maxLength: 1 })),
  note: Type.Optional(Type.Unsafe<string | null>({ type: ['string', 'null'], maxLength: 5 })),
  flag: Type.Optional(Type.Boolean()),
  list: Type.Optional(Type.Array(Type.Integer({ minimum: 1 }), { minItems: 1, maxItems: 3, uniqueItems: true })),
  tags: Type.Optional(Type.Array(Type.String({ maxLength: 3 }), { maxItems: 9 })),
  kind: Type.Optional(Type.Unsafe<'Online' | 'Offline'>({ type: 'string', enum: ['Online', 'Offline'] })),
  slug: Type.Optional(Type.String({ pattern: '^[a-z]+$', 'x-pattern-message': 'may contain only letters' })),
  code: Type.Optional(Type.String({ pattern: '^[0-9]$' })),
  day: Type.Optional(Type.String({ format: 'date' })),
  moment: Type.Optional(Type.String({ format: 'date-time' })),
  email: Type.Optional(Type.String({ format: 'email' })),
  link: Type.Optional(Type.String({ format: 'uri' })),
  limits: Type.Integer({ minimum: 1, maximum: 1000, default: 100 }),
  picture: Type.Optional(Type.Unsafe<string | null>({ format: 'binary' })),
});

/** An app whose one route takes the schemas and answers what it has read. */
async function build(t: Test, schema: { body?: TSchema; querystring?: TSchema; params?: TSchema }, rules = {}) {
  const app = Fastify();
  t.teardown(() => app.close());
  await app.register(errors);
  await app.register(validation, { rules });
  await app.register(multipart);
  app.forms.route({
    method: schema.body === undefined ? 'GET' : 'POST',
    url: '/:id',
    schema,
    preValidation: readForm(madeUp({ consumes: ['multipart/form-data'] })) ?? [],
    handler: ({ body, query, params }) => ({ body, query, params }),
  });
  return app;
}

const answer = (response: LightMyRequestResponse) => ({
  status: response.statusCode,
  ...response.json<{ body: unknown; errors: Record<string, string[]> }>(),
});

/** A field, what is sent in it, and what it is read as; text that starts with `!` is the fault instead. */
type Case = readonly [field: string, sent: unknown, read: unknown];

const fault = (read: unknown): string | undefined =>
  typeof read === 'string' && read.startsWith('!') ? read.slice(1) : undefined;

const NO_INTEGER = '!must be an integer';
const JSON_CASES: readonly Case[] = [
  ['id', 7, 7],
  ['id', 7.0, 7],
  ['id', '7', 7],
  ['id', String(MAX_ID), MAX_ID],
  ...[
    '',
    ' 7',
    '7 ',
    '7\n',
    '1.5',
    '7.0',
    '0x7',
    '1e3',
    '٧',
    'seven',
    '9'.repeat(21),
    '1_000',
    '--7',
    '+7',
    '007',
    '-0',
    '00',
    '７',
  ].map((text): Case => ['id', text, NO_INTEGER]),
  ...[null, true, false, 1.5, [], [7], {}, { id: 7 }].map((value): Case => ['id', value, NO_INTEGER]),
  ['id', 0, '!must be at least 1'],
  ['id', '-7', '!must be at least 1'],
  ['id', MAX_ID + 1, `!must be at most ${MAX_ID}`],
  ['id', '9'.repeat(20), `!must be at most ${MAX_ID}`],
  ['count', null, null],
  ['count', '', null],
  ['count', '9', 9],
  ['count', 10, '!must be at most 9'],
  ['count', 'x', '!must be an integer or null'],
  ['text', 'ab', 'ab'],
  ['text', '⭐⭐⭐⭐⭐', '⭐⭐⭐⭐⭐'],
  ['text', '👩‍⚕️'.repeat(2), '!must have at most 5 characters'],
  ['text', 'a', '!must have at least 2 characters'],
  ['text', 'abcdef', '!must have at most 5 characters'],
  ['text', 7, '!must be a string'],
  ['text', null, '!must be a string'],
  ['text', ['ab'], '!must be a string'],
  ['text', 'a\0', `!${NUL}`],
  ['text', 'a\ud800', `!${NO_UNICODE}`],
  ['text', '\udc00a', `!${NO_UNICODE}`],
  ['name', '', '!must not be empty'],
  ['name', 'ab', '!must have at most 1 character'],
  ['note', null, null],
  ['note', '', null],
  ['note', 'abc', 'abc'],
  ['note', '\0', `!${NUL}`],
  ['note', 7, '!must be a string or null'],
  ['flag', true, true],
  ['flag', 'true', '!must be true or false'],
  ['flag', 1, '!must be true or false'],
  ['flag', null, '!must be true or false'],
  ['list', [1, '2'], [1, 2]],
  ['list', '1,2', '!must be a list'],
  ['list', 1, '!must be a list'],
  ['list', null, '!must be a list'],
  ['list', { 0: 1, length: 1 }, '!must be a list'],
  ['list', [1, ''], '!item 2 must be an integer'],
  ['list', [0], '!item 1 must be at least 1'],
  ['list', [[1]], '!item 1 must be an integer'],
  ['list', [], '!must have at least 1 items'],
  ['list', [1, 1], '!must not have an item twice'],
  ['list', [1, 2, 3, 4], '!must have at most 3 items'],
  ['tags', ['a', '\0'], `!${NUL}`],
  ['tags', ['abcd'], '!item 1 must have at most 3 characters'],
  ['kind', 'Online', 'Online'],
  ['kind', 'online', '!must be one of: Online, Offline'],
  ['slug', 'A', '!may contain only letters'],
  ['code', 'A', '!does not have the right form'],
  ['day', '2024-02-29', '2024-02-29'],
  ...['2023-02-29', '2024-13-01', '2024-00-10', '2024-1-1', '24-01-01', '0000-01-01', '2024-01-01T00:00:00Z', ''].map(
    (text): Case => ['day', text, '!must be a calendar date (YYYY-MM-DD)'],
  ),
  ['moment', '2024-02-29T10:00:00Z', '2024-02-29T10:00:00Z'],
  ['moment', '2024-02-29 25:00', '!must be a time (RFC 3339)'],
  ['email', 'ada@example.org', 'ada@example.org'],
  ...['ada', 'ada@', '@example.org', 'a b@example.org', 'ada@example', 'ada@ex ample.org'].map((text): Case => [
    'email',
    text,
    '!must be an email address',
  ]),
  ['link', 'no link', '!does not have the right form'],
  ['picture', null, null],
  ['picture', '', null],
  ...['aGk=', 7, {}, []].map((value): Case => [
    'picture',
    value,
    '!must be a file in multipart/form-data, or empty to remove the picture',
  ]),
];

t.test('JSON bodies', async (t) => {
  const app = await build(t, { body: Body });
  for (const [field, sent, read] of JSON_CASES) {
    await t.test(`${field} ${JSON.stringify(sent)}`, async (t) => {
      const { status, body, errors } = answer(
        await app.inject({ method: 'POST', url: '/1', payload: { [field]: sent } }),
      );
      const message = fault(read);
      if (message === undefined) t.strictSame({ status, body }, { status: 200, body: { limits: 100, [field]: read } });
      else t.strictSame({ status, errors }, { status: 400, errors: { [field]: [message] } });
    });
  }
});

const FORM_CASES: readonly Case[] = [
  ['id', '7', 7],
  ...['', 'true', '1.5', 'null', '7,8'].map((text): Case => ['id', text, NO_INTEGER]),
  ['id', ['7', '8'], NO_INTEGER],
  ['count', '', null],
  ['note', '', null],
  ['text', ['ab', 'cd'], '!must be a string'],
  ['text', '12', '12'],
  ['text', 'a\0', `!${NUL}`],
  ...['true', 'True', '1'].map((text): Case => ['flag', text, true]),
  ...['false', 'False', '0'].map((text): Case => ['flag', text, false]),
  ...['', 'yes', 'TRUE', '01'].map((text): Case => ['flag', text, '!must be true or false']),
  ['list', '1', [1]],
  ['list', ['1', '2'], [1, 2]],
  ['list', ['1', '', '2'], [1, 2]],
  ['list', ['1,2', '3'], [1, 2, 3]],
  ['list', ['[1]', '2'], [1, 2]],
  ['list', ['', ''], '!must have at least 1 items'],
  ['list', '1,2', [1, 2]],
  ['list', ' 1 , 2 ', [1, 2]],
  ['list', '[1,"2"]', [1, 2]],
  ['list', ' [ 1 ]', [1]],
  ['list', '', '!must have at least 1 items'],
  ['list', '[]', '!must have at least 1 items'],
  ['list', '[1', '!must be a list'],
  ['list', '[1.5]', '!item 1 must be an integer'],
  ['list', '[true]', '!item 1 must be an integer'],
  ['list', '[[1]]', '!item 1 must be an integer'],
  ['list', '1,x', '!item 2 must be an integer'],
  ['list', '1,1', '!must not have an item twice'],
  ['tags', '', []],
  ['tags', 'a,b', ['a', 'b']],
  ['picture', '', null],
  ['picture', 'text', '!must be a file in multipart/form-data, or empty to remove the picture'],
  ['picture', new Blob([]), '!must not be an empty file'],
  ['text', new Blob([]), '!must be text, not a file'],
  ['text', new Blob(['ab']), '!must be text, not a file'],
  ['list', new Blob(['1']), '!must be text, not a file'],
];

async function form(...fields: readonly (readonly [string, unknown])[]) {
  const data = new FormData();
  for (const [name, value] of fields) {
    if (value instanceof Blob) data.append(name, value, 'file');
    else for (const item of [value].flat()) data.append(name, String(item));
  }
  const request = new Response(data);
  const payload = Buffer.from(await request.arrayBuffer());
  return { payload, headers: { 'content-type': request.headers.get('content-type') as string } };
}

t.test('multipart bodies', async (t) => {
  const app = await build(t, { body: Body });
  for (const [field, sent, read] of FORM_CASES) {
    await t.test(`${field} ${sent instanceof Blob ? 'a file' : JSON.stringify(sent)}`, async (t) => {
      const request = await form([field, sent]);
      const { status, body, errors } = answer(await app.inject({ method: 'POST', url: '/1', ...request }));
      const message = fault(read);
      if (message === undefined) t.strictSame({ status, body }, { status: 200, body: { limits: 100, [field]: read } });
      else t.strictSame({ status, errors }, { status: 400, errors: { [field]: [message] } });
    });
  }

  for (const [fields, read] of [
    [[['list[]', '1']], [1]],
    [[['list[0]', '1']], [1]],
    [
      [
        ['list[]', '1'],
        ['list[]', '2'],
      ],
      [1, 2],
    ],
    [
      [
        ['list[0]', '1'],
        ['list[1]', '2'],
      ],
      [1, 2],
    ],
    [
      [
        ['list', '1'],
        ['list[]', '2'],
        ['list[7]', '3'],
      ],
      [1, 2, 3],
    ],
    [[['list[]', '1, 2']], [1, 2]],
    [[['list[0]', '[1,2]']], [1, 2]],
    [[['list[]', 'x']], '!item 1 must be an integer'],
    [[['list[]', '']], '!must have at least 1 items'],
    [[['list[]', new Blob(['1'])]], '!must be text, not a file'],
    [[['list[x]', '1']], undefined],
    [[['list[0][id]', '1']], undefined],
    [[['[]', '1']], undefined],
  ] as [[string, unknown][], unknown][]) {
    await t.test(`a list as ${fields.map(([name]) => name).join(', ')}`, async (t) => {
      const { status, body, errors } = answer(
        await app.inject({ method: 'POST', url: '/1', ...(await form(...fields)) }),
      );
      const message = fault(read);
      if (message !== undefined) t.strictSame({ status, errors }, { status: 400, errors: { list: [message] } });
      else t.strictSame(body, { limits: 100, ...(read === undefined ? {} : { list: read }) });
    });
  }

  await t.test('only a list is named so', async (t) => {
    const request = await form(['id[]', '7'], ['text[0]', 'ab'], ['picture[]', new Blob(['x'])], ['__proto__[]', '1']);
    t.strictSame(answer(await app.inject({ method: 'POST', url: '/1', ...request })).body, { limits: 100 });
  });

  await t.test('parts that are JSON by their own media type', async (t) => {
    const part = (value: string) => ({
      method: 'POST' as const,
      url: '/1',
      headers: { 'content-type': 'multipart/form-data; boundary=B' },
      payload: `--B\r\nContent-Disposition: form-data; name="list"\r\nContent-Type: application/json\r\n\r\n${value}\r\n--B--\r\n`,
    });
    t.strictSame(answer(await app.inject(part('[1]'))).body, { list: [1], limits: 100 });
    t.strictSame(answer(await app.inject(part('["1",2]'))).body, { list: [1, 2], limits: 100 });
    const deep = answer(await app.inject(part('['.repeat(15_000) + ']'.repeat(15_000))));
    t.strictSame([deep.status, deep.errors], [400, { list: ['item 1 must be an integer'] }]);
  });
});

t.test('bodies as a whole', async (t) => {
  const app = await build(t, { body: Type.Object({ a: Type.Integer(), b: Type.Optional(Type.String()) }) });
  const send = async (payload: string) =>
    answer(await app.inject({ method: 'POST', url: '/1', headers: { 'content-type': 'application/json' }, payload }));

  await t.test('no body, null and what is no object', async (t) => {
    const nothing = answer(await app.inject({ method: 'POST', url: '/1' }));
    t.match(nothing, { status: 400, detail: 'The request needs a body.', errors: { body: ['is required'] } });
    t.match(await send('null'), { status: 400, errors: { body: ['is required'] } });
    for (const payload of ['[]', '"a"', '7', 'true', '[{"a":1}]']) {
      t.match(await send(payload), { status: 400, errors: { body: ['must be an object'] } }, payload);
    }
  });

  await t.test('all faults at once, in fields and as a sentence', async (t) => {
    t.match(await send('{"b":7}'), {
      type: '/problems/invalid-input',
      detail: 'The request has invalid input: a, b.',
      errors: { a: ['is required'], b: ['must be a string'] },
    });
  });

  await t.test('unknown fields are dropped, whatever they hold', async (t) => {
    const deep = '{"x":'.repeat(20_000) + '1' + '}'.repeat(20_000);
    t.strictSame((await send(`{"a":1,"c":${deep},"toString":7,"hasOwnProperty":1}`)).body, { a: 1 });
    const { payload, headers } = await form(['a', '1'], ['c', 'x'], ['file', new Blob(['x'])]);
    t.strictSame(answer(await app.inject({ method: 'POST', url: '/1', payload, headers })).body, { a: 1 });
  });

  await t.test('nothing pollutes a prototype', async (t) => {
    for (const payload of [
      '{"a":1,"__proto__":{"polluted":1}}',
      '{"a":1,"constructor":{"prototype":{"polluted":1}}}',
      '{"a":1,"b":{"__proto__":{"polluted":1}}}',
    ]) {
      const { status, body } = await send(payload);
      t.ok(status === 400 || JSON.stringify(body) === '{"a":1}', payload);
      t.notOk('polluted' in {});
    }
  });

  await t.test('a long list of faults is read no further than its bound', async (t) => {
    const lists = await build(t, { body: Type.Object({ list: Type.Array(Type.Integer(), { maxItems: 2 }) }) });
    const payload = { list: Array.from({ length: 100_000 }, () => 1.5) };
    t.strictSame(answer(await lists.inject({ method: 'POST', url: '/1', payload })).errors, {
      list: ['must have at most 2 items', ...[1, 2, 3].map((item) => `item ${item} must be an integer`)],
    });
  });

  await t.test('a field has at most 20 messages', async (t) => {
    const lists = await build(t, { body: Type.Object({ list: Type.Array(Type.Integer()) }) });
    const payload = { list: Array.from({ length: 50 }, () => 1.5) };
    t.equal(answer(await lists.inject({ method: 'POST', url: '/1', payload })).errors['list']?.length, 20);
  });
});

t.test('queries and paths', async (t) => {
  const querystring = Type.Object({
    page: Type.Integer({ minimum: 1, default: 1 }),
    search: Type.Optional(Type.String({ maxLength: 5 })),
    cancel: Type.Optional(Type.Boolean()),
    ids: Type.Optional(Type.Array(Type.Integer())),
  });
  const app = await build(t, {
    querystring,
    params: Type.Object({ id: Type.Integer({ minimum: 1, maximum: MAX_ID }) }),
  });

  for (const [query, read] of [
    ['', { page: 1 }],
    ['page=2&search=&unknown=1&__proto__=2&constructor=3', { page: 2 }],
    ['page=&search&cancel=&ids=', { page: 1 }],
    ['page=&page=2&search=&search=', { page: 2 }],
    ['ids=1&ids=&ids=2', { page: 1, ids: [1, 2] }],
    ['cancel=true&ids=1,2', { page: 1, cancel: true, ids: [1, 2] }],
    ['ids=1&ids=2', { page: 1, ids: [1, 2] }],
    ['search=%E2%AD%90', { page: 1, search: '⭐' }],
  ] as const) {
    await t.test(`?${query}`, async (t) => {
      t.strictSame((await app.inject(`/1?${query}`)).json<{ query: unknown }>().query, read);
    });
  }

  for (const [query, errors] of [
    ['page=x&search=toolong', { page: ['must be an integer'], search: ['must have at most 5 characters'] }],
    ['page=%20', { page: ['must be an integer'] }],
    ['page=+1', { page: ['must be an integer'] }],
    ['page=01', { page: ['must be an integer'] }],
    ['page=1&page=2', { page: ['must be an integer'] }],
    ['page=0', { page: ['must be at least 1'] }],
    ['page=1.5', { page: ['must be an integer'] }],
    ['search=a&search=b', { search: ['must be a string'] }],
    ['search=%00', { search: [NUL] }],
    ['cancel=maybe', { cancel: ['must be true or false'] }],
  ] as const) {
    await t.test(`?${query} 400`, async (t) => {
      t.match(answer(await app.inject(`/1?${query}`)), { status: 400, errors });
    });
  }

  await t.test('a path that holds no possible id is 404', async (t) => {
    t.strictSame((await app.inject(`/${MAX_ID}`)).json<{ params: unknown }>().params, { id: MAX_ID });
    for (const id of [
      '0',
      '-1',
      'x',
      '1.5',
      '1e3',
      'null',
      '%00',
      '%20',
      '1%20',
      '+1',
      '01',
      '1%2C2',
      MAX_ID + 1,
      '9'.repeat(30),
    ]) {
      const { status, errors, ...document } = answer(await app.inject(`/${id}`));
      t.match(
        { status, errors, ...document },
        { status: 404, errors: undefined, type: '/problems/not-found' },
        `${id}`,
      );
    }
  });
});

t.test('a field in the place of others, which are required without it', async (t) => {
  const body = Type.Object({
    first: Type.Optional(Type.Integer()),
    name: Type.String(),
    second: Type.Optional(Type.Integer()),
    both: Type.Optional(Type.String({ minLength: 1, 'x-in-place-of': ['first', 'second'] })),
  });
  const app = await build(t, { body });
  const send = async (payload: object) => answer(await app.inject({ method: 'POST', url: '/1', payload }));
  t.match(await send({ name: 'a', both: 'b' }), { status: 200, body: { name: 'a', both: 'b' } });
  t.match(await send({ name: 'a', both: 'b', second: 2 }), { status: 200, body: { second: 2 } });
  t.match(await send({ name: 'a', first: 1, second: 2 }), { status: 200 });
  const required = ['is required'];
  const { errors } = await send({});
  t.strictSame(Object.entries(errors), [
    ['first', required],
    ['name', required],
    ['second', required],
  ]);
  t.strictSame((await send({ name: 'a', first: 1 })).errors, { second: required });
  t.strictSame((await send({ both: '' })).errors, { name: required, both: ['must not be empty'] });
  t.strictSame((await send([])).errors, { body: ['must be an object'] });
});

t.test('rules', async (t) => {
  const schema = Type.Object({
    password: Type.String({ minLength: 3, 'x-not-of': ['user'] }),
    again: Type.String({ 'x-same-as': 'password' }),
    user: Type.Optional(Type.String()),
  });
  const notOf: Rule = (value, names, siblings) =>
    (names as string[]).some((name) => siblings[name] === value) ? ['must not be your name', 'must differ'] : [];
  const app = await build(t, { body: schema }, { 'x-not-of': notOf });
  const send = async (payload: object) => answer(await app.inject({ method: 'POST', url: '/1', payload })).errors;

  t.equal(await send({ password: 'abc', again: 'abc', user: 'ab' }), undefined);
  t.strictSame(await send({ password: 'ab', again: 'abd', user: 'ab' }), {
    password: ['must have at least 3 characters', 'must not be your name', 'must differ'],
    again: ['must be the same as password'],
  });
  t.strictSame(await send({ password: 7, again: 'abc' }), {
    password: ['must be a string'],
    again: ['must be the same as password'],
  });
  t.strictSame(await send({ again: 7 }), { password: ['is required'], again: ['must be a string'] });
});
