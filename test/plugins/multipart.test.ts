import Fastify from 'fastify';
import { once } from 'node:events';
import { connect } from 'node:net';
import t from 'tap';
import errors from '../../plugins/errors.js';
import multipart, { FormBody, readForm, Upload } from '../../plugins/multipart.js';
import { buildTestApp } from '../helpers/app.js';
import { sendAll } from '../helpers/exchange.js';
import { allOperations, madeUp, pathOf } from '../helpers/operations.js';

interface Part {
  readonly name: string;
  readonly value: string | Buffer;
  /** Makes a file of it; an empty name is that of a file input in which nothing was chosen. */
  readonly file?: string;
  readonly type?: string;
}

const BOUNDARY = '----form';

function encode(...parts: readonly Part[]): Buffer {
  const chunks = parts.flatMap(({ name, value, file, type }) => {
    const disposition = `Content-Disposition: form-data; name="${name}"${file === undefined ? '' : `; filename="${file}"`}`;
    const mediaType = type === undefined ? '' : `\r\nContent-Type: ${type}`;
    return [`--${BOUNDARY}\r\n${disposition}${mediaType}\r\n\r\n`, value, '\r\n'];
  });
  return Buffer.concat([...chunks, `--${BOUNDARY}--\r\n`].map((chunk) => Buffer.from(chunk)));
}

const text = (name: string, value: string): Part => ({ name, value });
const file = (name: string, size: number, fileName = 'a.png'): Part => ({
  name,
  value: Buffer.alloc(size, 7),
  file: fileName,
  type: 'image/png',
});

const NO_FORM = {
  status: 400,
  detail: 'The body is not valid multipart/form-data.',
  errors: { body: ['is not valid multipart/form-data'] },
};
const NO_NAME = {
  status: 400,
  errors: { body: ['has a field with a name that every object of JavaScript has, such as constructor'] },
};
const TOO_MANY = { status: 413, detail: 'The body has more than one file or more than 400 fields.' };
const MAX_FILE = 200_000;

t.test('forms', async (t) => {
  const app = Fastify();
  t.teardown(() => app.close());
  await app.register(errors);
  await app.register(multipart, { maxFileBytes: MAX_FILE });
  const operation = madeUp({ consumes: ['multipart/form-data'] });
  app.forms.post('/', { preValidation: readForm(operation) ?? [] }, ({ body }) => {
    if (!(body instanceof FormBody)) return { body };
    const entries = Object.entries(body.fields).map(([name, value]) => [
      name,
      [value].flat().map((item) => (item instanceof Upload ? { bytes: item.bytes.length } : item)),
    ]);
    return { fields: Object.fromEntries(entries) as object };
  });
  const send = async (payload: Buffer | string, type = `multipart/form-data; boundary=${BOUNDARY}`) => {
    const headers = { 'content-type': type };
    const response = await app.inject({ method: 'POST', url: '/', headers, payload });
    return { status: response.statusCode, ...response.json<object>() };
  };

  for (const [title, parts, fields] of [
    ['text', [text('a', '1'), text('b', '')], { a: ['1'], b: [''] }],
    ['text outside ASCII', [text('a', '⭐ é')], { a: ['⭐ é'] }],
    ['a field name outside ASCII', [text('ä', '1')], { ä: ['1'] }],
    [
      'a field that comes more than once',
      [text('a', '1'), text('b', '2'), text('a', '3')],
      { a: ['1', '3'], b: ['2'] },
    ],
    ['a file', [text('a', '1'), file('f', 10)], { a: ['1'], f: [{ bytes: 10 }] }],
    ['a file as large as it may be', [file('f', MAX_FILE)], { f: [{ bytes: MAX_FILE }] }],
    ['an empty file', [file('f', 0)], { f: [{ bytes: 0 }] }],
    ['a file input in which nothing was chosen', [file('f', 0, ''), text('a', '1')], { a: ['1'] }],
    [
      'a file beside inputs in which nothing was chosen',
      [file('f', 3), file('g', 0, ''), file('h', 0, '')],
      { f: [{ bytes: 3 }] },
    ],
    ['a picture without the name of a file', [{ name: 'f', value: 'GIF', type: 'image/gif' }], { f: [{ bytes: 3 }] }],
    ['an empty picture without the name of a file', [{ name: 'f', value: '', type: 'image/gif' }], {}],
    ['a file and text of one name', [text('f', 'a'), file('f', 3)], { f: ['a', { bytes: 3 }] }],
    ['a file that no operation knows', [file('unknown', 10), text('a', '1')], { unknown: [{ bytes: 10 }], a: ['1'] }],
    ['a file with a name that leads elsewhere', [file('f', 1, '../../etc/passwd')], { f: [{ bytes: 1 }] }],
    ['JSON by its own media type', [{ name: 'a', value: '[1,2]', type: 'application/json' }], { a: [1, 2] }],
    ['no field', [], {}],
    ['400 fields', Array.from({ length: 400 }, () => text('a', '1')), { a: Array.from({ length: 400 }, () => '1') }],
    ['a field of almost 32 KiB', [text('a', 'x'.repeat(32_767))], { a: ['x'.repeat(32_767)] }],
  ] as [string, Part[], object][]) {
    await t.test(`read ${title}`, async (t) => {
      t.strictSame(await send(encode(...parts)), { status: 200, fields });
    });
  }

  for (const [title, payload, expected] of [
    ['a part that ends too early', encode(text('a', '1')).subarray(0, -BOUNDARY.length - 10), NO_FORM],
    ['a file that ends too early', encode(file('f', 5000)).subarray(0, 3000), NO_FORM],
    ['headers that end too early', `--${BOUNDARY}\r\nContent-Dispo`, NO_FORM],
    ['another boundary', encode(text('a', '1')).toString().replaceAll(BOUNDARY, 'other'), NO_FORM],
    ['no form at all', '{"a":1}', NO_FORM],
    ['401 fields', encode(...Array.from({ length: 401 }, (_, index) => text(`a${index}`, '1'))), TOO_MANY],
    ['10,000 fields', encode(...Array.from({ length: 10_000 }, () => text('a', '1'))), TOO_MANY],
    ['two files', encode(file('f', 10), file('g', 10)), TOO_MANY],
    ['two files of one name', encode(file('f', 10), file('f', 10)), TOO_MANY],
    ['a file too large', encode(file('f', MAX_FILE + 1)), { status: 413, detail: 'The file is larger than 0.2 MB.' }],
    ['a file far too large before other fields', encode(file('f', 9_000_000), text('a', '1')), { status: 413 }],
    [
      'a field too large',
      encode(text('a', 'x'.repeat(40_000))),
      { status: 413, detail: 'A field of the body is larger than 32 KiB.' },
    ],
    ['broken JSON by its own media type', encode({ name: 'a', value: '{', type: 'application/json' }), NO_FORM],
    ...['__proto__', 'constructor', 'toString', 'hasOwnProperty'].flatMap((name) => [
      [`a field named ${name}`, encode(text(name, '1'), text('a', '1')), NO_NAME],
      [`a file named ${name}`, encode(file(name, 10), text('a', '1')), NO_NAME],
    ]),
  ] as [string, Buffer | string, object][]) {
    await t.test(`refuse ${title}`, async (t) => {
      t.match(await send(payload), expected);
      t.notOk('a' in {});
    });
  }

  for (const type of ['multipart/form-data', 'multipart/form-data; boundary', 'multipart/form-data; charset=utf-8']) {
    await t.test(`refuse ${type}`, async (t) => {
      t.match(await send(encode(text('a', '1')), type), NO_FORM);
    });
  }

  await t.test('bodies of other media types pass by', async (t) => {
    t.strictSame(await send('{"a":1}', 'application/json'), { status: 200, body: { a: 1 } });
  });
});

t.test('the application', async (t) => {
  const api = await buildTestApp(t);
  const { token } = await api.register();
  const { origin } = new URL(await api.app.listen({ port: 0, host: '127.0.0.1' }));
  const headers = { authorization: `Bearer ${token}` };

  await t.test('createDoctor 413 for a file too large, whose rest is not sent', async (t) => {
    const socket = connect(Number(new URL(origin).port), '127.0.0.1');
    t.teardown(() => socket.destroy());
    socket.write(
      `POST /doctors/ HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${token}\r\nContent-Length: 20000000\r\n` +
        `Content-Type: multipart/form-data; boundary=${BOUNDARY}\r\n\r\n` +
        `--${BOUNDARY}\r\nContent-Disposition: form-data; name="profile"; filename="a.png"\r\n\r\n`,
    );
    socket.write(Buffer.alloc(6_000_000));
    const [answer] = (await once(socket, 'data')) as [Buffer];
    t.match(answer.toString(), /^HTTP\/1\.1 413 /);
  });

  await t.test('createDoctor 413 for a file too large, from fetch', async (t) => {
    const body = new FormData();
    body.append('profile', new Blob([Buffer.alloc(20_000_000)]), 'a.png');
    const response = await fetch(`${origin}/doctors/`, { method: 'POST', headers, body });
    t.equal(response.status, 413);
    t.match(await response.json(), { type: '/problems/too-large', detail: 'The file is larger than 5 MB.' });
    t.equal((await fetch(`${origin}/doctors/`)).status, 200);
  });

  await t.test('createDoctor survives a client that goes away in the middle of a file', async (t) => {
    const socket = connect(Number(new URL(origin).port), '127.0.0.1');
    await once(socket, 'connect');
    const closed = once(socket, 'close');
    socket.write(
      `POST /doctors/ HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${token}\r\nContent-Length: 100000\r\n` +
        `Content-Type: multipart/form-data; boundary=${BOUNDARY}\r\n\r\n`,
    );
    socket.write(encode(file('profile', 50_000)).subarray(0, 40_000), () => socket.destroy());
    await closed;
    t.match(await (await fetch(`${origin}/doctors/`)).json(), { count: 0 });
  });
});

t.test('a form of no bytes', async (t) => {
  const api = await buildTestApp(t);
  const { token } = await api.registerStaff();
  const { port } = new URL(await api.app.listen({ port: 0, host: '127.0.0.1' }));
  for (const operation of allOperations.filter(({ config }) => config.consumes.includes('multipart/form-data'))) {
    const { method, config } = operation;
    await t.test(`${config.operationId} 400 for a form of no bytes`, async (t) => {
      for (const [length, body] of [
        ['Content-Length: 0', ''],
        ['Transfer-Encoding: chunked', '0\r\n\r\n'],
      ] as const) {
        const head =
          `${method} ${pathOf(operation)} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: Bearer ${token}\r\n` +
          `Content-Type: multipart/form-data; boundary=B\r\n${length}`;
        const answer = await sendAll(Number(port), head, Buffer.from(body));
        t.equal(answer.status, 400, length);
        t.match(JSON.parse(answer.body), { errors: { body: ['is required'] } });
      }
    });
  }
});
