import { DrizzleQueryError, sql } from 'drizzle-orm';
import Fastify, { type FastifyHttpOptions } from 'fastify';
import type { Server } from 'node:http';
import { PassThrough } from 'node:stream';
import pino from 'pino';
import postgres from 'postgres';
import t, { type Test } from 'tap';
import { problems } from '../../openapi/generated/problems.js';
import { ProblemError, type ProblemSlug } from '../../openapi/problem-error.js';
import { answerHeaders } from '../../plugins/answer-headers.js';
import errors, { frameworkErrors, loggable, refuseConnection } from '../../plugins/errors.js';
import { buildTestApp } from '../helpers/app.js';
import { openTestDatabase } from '../helpers/database.js';
import { exchange, readAnswer, sendAll } from '../helpers/exchange.js';

const UUID = /^urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

interface Thrown {
  /** What the route throws next. */
  next: () => unknown;
}

/** An app whose route throws, and what it logs. */
async function build(t: Test, options: FastifyHttpOptions<Server> = {}) {
  const stream = new PassThrough({ encoding: 'utf8' });
  const thrown: Thrown = { next: () => new Error('nothing to throw') };
  const app = Fastify({
    loggerInstance: pino({ level: 'error' }, stream),
    genReqId: () => crypto.randomUUID(),
    bodyLimit: 100,
    frameworkErrors,
    clientErrorHandler: refuseConnection(answerHeaders({ origins: true })),
    ...options,
  });
  t.teardown(() => app.close());
  await app.register(errors);
  app.all('/throw', async () => {
    throw thrown.next();
  });
  app.get('/send', (_request, reply) => reply.send(thrown.next()));
  app.get('/path/:id', () => 'found');
  return { app, thrown, log: () => (stream.read() as string | null) ?? '' };
}

t.test('errors become problem documents', async (t) => {
  const { app, thrown, log } = await build(t);
  const json = { 'content-type': 'application/json' };
  const withCode = (code: string, more: object = {}) => Object.assign(new Error('secret'), { code }, more);
  const wrapped = (code: string) => new DrizzleQueryError('select secret', ['secret'], withCode(code));
  const cases: readonly [title: string, request: object, thrown: unknown, slug: ProblemSlug, detail: string][] = [
    ['an unknown path', { url: '/nothing' }, null, 'not-found', 'There is nothing at this path.'],
    ['an unknown method', { method: 'PUT', url: '/path/1' }, null, 'not-found', 'There is nothing at this path.'],
    ['bad URL encoding', { url: '/path/%ff' }, null, 'not-found', 'There is nothing at this path.'],
    ['half a URL escape', { url: '/path/%e' }, null, 'not-found', 'There is nothing at this path.'],
    ['a parameter too long', { url: `/path/${'1'.repeat(101)}` }, null, 'not-found', 'There is nothing at this path.'],
    ['QUERY', { method: 'QUERY', url: '/path/1' }, null, 'not-found', 'There is nothing at this path.'],
    ...['{', '{"a":}', "{'a':1}", 'undefined', '{"a":1}}', '\0', '{"__proto__":1}'].map(
      (payload): [string, object, unknown, ProblemSlug, string] => [
        `broken JSON ${JSON.stringify(payload)}`,
        { method: 'POST', url: '/throw', headers: json, payload },
        null,
        'invalid-input',
        'The body is not valid JSON.',
      ],
    ),
    [
      'an empty JSON body',
      { method: 'POST', url: '/throw', headers: json },
      null,
      'invalid-input',
      'The body is not valid JSON.',
    ],
    [
      'a body larger than the limit',
      { method: 'POST', url: '/throw', headers: json, payload: `"${'x'.repeat(100)}"` },
      null,
      'too-large',
      'The body is larger than this operation takes.',
    ],
    ...['text/xml', 'application/x-www-form-urlencoded', 'nonsense', ';'].map(
      (type): [string, object, unknown, ProblemSlug, string] => [
        `the media type ${type}`,
        { method: 'POST', url: '/throw', headers: { 'content-type': type }, payload: 'x' },
        null,
        'unsupported-media-type',
        'The operation does not take a body of this media type.',
      ],
    ),
    ...['ECONNREFUSED', 'ECONNRESET', 'CONNECT_TIMEOUT', 'CONNECTION_CLOSED', '57P01', '53100', '08006'].map(
      (code): [string, object, unknown, ProblemSlug, string] => [
        `a database that is away (${code})`,
        { url: '/throw' },
        wrapped(code),
        'unavailable',
        'The database can not be reached at the moment.',
      ],
    ),
    ...Object.entries({
      40001: 'Others change the same at the moment.',
      '40P01': 'Others change the same at the moment.',
      53200: 'This needs more memory than there is.',
      53300: 'Too much is under way at the moment.',
      '55P03': 'Something else holds what this needs at the moment.',
      57014: 'This took longer than it may.',
    }).map(([code, detail]): [string, object, unknown, ProblemSlug, string] => [
      `a database that is busy (${code})`,
      { url: '/throw' },
      wrapped(code),
      'unavailable',
      detail,
    ]),
    [
      'a body that breaks off',
      { url: '/throw' },
      withCode('ECONNRESET', { statusCode: 400 }),
      'invalid-input',
      'The request is not valid.',
    ],
    [
      'a range that a static file does not have',
      { url: '/throw' },
      Object.assign(new Error('secret'), { status: 416, statusCode: 416, expose: true }),
      'invalid-input',
      'The request is not valid.',
    ],
    ...(
      [
        ['an error', new Error('secret')],
        ['a refused statement', wrapped('22012')],
        ['an error that names a status', Object.assign(new Error('secret'), { statusCode: 404 })],
        ['a server error of a library', Object.assign(new Error('secret'), { statusCode: 502, expose: false })],
        ['a text', 'secret'],
        ['an object', { message: 'secret', detail: 'secret' }],
        ['null', null],
        ['undefined', undefined],
      ] as const
    ).map(([title, error]): [string, object, unknown, ProblemSlug, string] => [
      title,
      { url: '/throw' },
      error,
      'internal-error',
      'The server met an unexpected fault.',
    ]),
  ];
  for (const [title, request, error, slug, detail] of cases) {
    await t.test(`${title} ${problems[slug].status}`, async (t) => {
      thrown.next = () => error;
      const response = await app.inject(request);
      const { status, title } = problems[slug];
      const { errors, ...document } = response.json<Record<string, unknown>>();
      t.equal(response.statusCode, status);
      t.equal(response.headers['content-type'], 'application/problem+json; charset=utf-8');
      t.match(document, { instance: UUID });
      t.strictSame(
        { ...document, instance: '' },
        { type: `/problems/${slug}`, title, status, detail, instance: '' },
        'and nothing else',
      );
      t.strictSame(errors, detail.includes('JSON') ? { body: ['is not valid JSON'] } : undefined);
      t.equal(response.headers['retry-after'], status === 503 ? '5' : undefined);
      t.equal(log().includes('unexpected error'), status === 500, 'only the unexpected is logged');
    });
  }

  await t.test('an error that is sent is as one that is thrown', async (t) => {
    thrown.next = () => new ProblemError('in-use', 'A doctor has it.');
    t.match((await app.inject('/send')).json(), { status: 409, type: '/problems/in-use' });
    thrown.next = () => new Error('secret');
    const response = await app.inject('/send');
    t.equal(response.statusCode, 500);
    t.notMatch(response.payload, /secret/);
  });

  await t.test('a ProblemError keeps its members and headers', async (t) => {
    thrown.next = () => new ProblemError('invalid-input', 'No.', { errors: { a: ['is bad'] } }, { 'x-more': '1' });
    const response = await app.inject('/throw');
    t.match(response.json(), { status: 400, detail: 'No.', errors: { a: ['is bad'] } });
    t.equal(response.headers['x-more'], '1');
  });
});

t.test('the log of an unexpected error', async (t) => {
  await t.test('has the place and the constraint, and no value of a refused statement', async (t) => {
    const { database } = await openTestDatabase(t, { pool: 1 });
    const { app, thrown, log } = await build(t);
    const row = { username: 'ada.lovelace', email: 'ada@example.org\n    at ada@example.org (private.js:1:1)' };
    const insert = () =>
      database.db.execute(
        sql`insert into users (username, email, password_hash) values (${row.username}, ${row.email}, ${'hash-of-ada'})`,
      );
    await insert();
    const error = await insert().catch((reason: unknown) => reason);
    thrown.next = () => error;
    const response = await app.inject('/throw');
    const text = log();
    t.match(text, /users_(username|email)_key/);
    t.match(text, /PostgresError/);
    t.match(text, /errors\.test/, 'the place');
    for (const secret of ['lovelace', 'example', 'hash-of', 'private', 'insert', 'already exists']) {
      t.notMatch(text, new RegExp(secret, 'i'));
      t.notMatch(response.payload, new RegExp(secret, 'i'));
    }
    t.match(
      response.json(),
      { instance: `urn:uuid:${JSON.parse(text).reqId}` },
      'and the id that the client was given',
    );
  });

  await t.test('loggable', async (t) => {
    const query = new DrizzleQueryError('select $1', ['private'], new postgres.PostgresError('private'));
    t.notMatch(JSON.stringify(loggable(query)), /private/);
    t.match(loggable(new Error('outer', { cause: Object.assign(new TypeError('inner'), { code: 'E' }) })), {
      chain: [
        { type: 'Error', message: 'outer', at: [/errors\.test/] },
        { type: 'TypeError', message: 'inner', code: 'E' },
      ],
    });
    const loop = new Error('loop');
    loop.cause = loop;
    t.equal((loggable(loop)['chain'] as unknown[]).length, 5, 'a chain without end is cut');
    t.ok((loggable(new Error('deep'))['chain'] as { at: string[] }[])[0]!.at.length <= 12);
    const bare = new Error('bare');
    delete bare.stack;
    t.strictSame(loggable(bare), { chain: [{ type: 'Error', message: 'bare', at: [] }] });
    for (const nothing of ['text', null, undefined, { message: 'private' }]) {
      t.strictSame(loggable(nothing), { chain: [] });
    }
  });
});

t.test('bytes that are no HTTP request', async (t) => {
  const { app } = await build(t, { requestTimeout: 100, http: { connectionsCheckingInterval: 50 } });
  const { port } = new URL(await app.listen({ port: 0, host: '127.0.0.1' }));
  const head = 'POST /throw HTTP/1.1\r\nHost: a\r\n';
  for (const [title, bytes, line, slug] of [
    ['garbage', 'garbage\r\n\r\n', '400 Bad Request', 'invalid-input'],
    ['TLS', '\x16\x03\x01\x02\x00\x01\x00\x01', '400 Bad Request', 'invalid-input'],
    ['an unknown method', 'FETCH / HTTP/1.1\r\nHost: a\r\n\r\n', '400 Bad Request', 'invalid-input'],
    ['two lengths', `${head}Content-Length: 1\r\nContent-Length: 2\r\n\r\n`, '400 Bad Request', 'invalid-input'],
    [
      'a length and chunks, as smuggled requests have them',
      `${head}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      '400 Bad Request',
      'invalid-input',
    ],
    ['a header with a line break', 'GET / HTTP/1.1\r\nHost: a\r\nX: a\nb\r\n\r\n', '400 Bad Request', 'invalid-input'],
    [
      'headers larger than 16 KiB',
      `GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${'a'.repeat(17_000)}\r\n\r\n`,
      '431 Request Header Fields Too Large',
      'too-large',
    ],
    ['a request that does not end', head, '408 Request Timeout', 'invalid-input'],
  ] as const) {
    await t.test(`${title} ${line.slice(0, 3)}`, async (t) => {
      const text = await exchange(Number(port), bytes);
      const { headers, body } = readAnswer(text);
      t.ok(text.startsWith(`HTTP/1.1 ${line}\r\n`));
      t.match(headers, { 'content-length': String(body.length), connection: 'close' });
      t.match(JSON.parse(body), { type: `/problems/${slug}`, status: Number(line.slice(0, 3)), instance: UUID });
    });
  }
});

t.test('the application', async (t) => {
  const api = await buildTestApp(t);
  await t.test('what is no HTTP request is answered to who sends 8 MB of it before reading', async (t) => {
    const { port } = new URL(await api.app.listen({ port: 0, host: '127.0.0.1' }));
    const filler = Buffer.alloc(8_000_000, 'a');
    const post = 'POST /contacts/ HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n';
    for (const [title, head, status] of [
      ['a header', `GET /doctors/ HTTP/1.1\r\nHost: a\r\nX: ${'a'.repeat(20_000)}`, 431],
      ['a query', `GET /doctors/?${'a'.repeat(20_000)}`, 431],
      ['a body after a bad header', `${post}Bad Header: 1\r\nContent-Length: 8000000`, 400],
      ['a body after a bad chunk', `${post}Transfer-Encoding: chunked\r\n\r\nzz`, 400],
    ] as const) {
      t.equal((await sendAll(Number(port), head, filler)).status, status, title);
    }
  });
  for (const [title, url, headers, status] of [
    ['a range past the end of a static file', '/docs/static/swagger-ui.css', { range: 'bytes=99999999-' }, 400],
    ['a precondition on a static file', '/docs/static/swagger-ui.css', { 'if-match': '"x"' }, 400],
    ['NUL in a path', '/docs/static/%00', {}, 400],
    ['a path out of the static files', '/docs/static/%2e%2e/%2e%2e/package.json', {}, 404],
    ['bad URL encoding', '/doctors/%ff/', {}, 404],
  ] as const) {
    await t.test(`${title} ${status}`, async (t) => {
      const response = await api.app.inject({ url, headers });
      t.equal(response.statusCode, status);
      t.match(response.json(), { status, instance: UUID });
    });
  }
});
