import Fastify from 'fastify';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { Type } from '@sinclair/typebox';
import { answerHeaders } from '../../plugins/answer-headers.js';
import { refuseConnection } from '../../plugins/errors.js';
import slowBodies, { watchBody } from '../../plugins/slow-bodies.js';
import { readAnswer } from '../helpers/exchange.js';
import { madeUp } from '../helpers/operations.js';

const MIN_BYTES = 100;
const LENGTH = 1_000;

/** An app that is looked at by hand, and a client in the middle of sending it a body. */
async function build(t: Test, window = 1e9) {
  const app = Fastify({ clientErrorHandler: refuseConnection(answerHeaders({ origins: true })) });
  t.teardown(() => app.close());
  await app.register(slowBodies, { window, minBytes: MIN_BYTES });
  const operation = madeUp({ consumes: ['text/plain'] }, 'POST', Type.String());
  let server: Socket | undefined;
  let served = 0;
  app.addHook('onRequest', (request, _reply, next) => {
    server = request.raw.socket;
    next();
  });
  app.post('/', { preParsing: watchBody(operation) ?? [] }, ({ body }) => {
    served++;
    return String((body as string).length);
  });
  const { port } = new URL(await app.listen({ port: 0, host: '127.0.0.1' }));

  const client = connect(Number(port), '127.0.0.1');
  let text = '';
  let sent = 0;
  client.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  const send = async (bytes: string): Promise<void> => {
    client.write(bytes);
    sent += bytes.length;
    while ((server?.bytesRead ?? 0) < sent) await new Promise(setImmediate);
  };
  await send(
    `POST / HTTP/1.1\r\nHost: a\r\nOrigin: https://a.example\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: ${LENGTH}\r\n\r\n`,
  );
  const answer = async () => {
    if (!client.closed) await once(client, 'close');
    return readAnswer(text);
  };
  return { app, send, answer, served: () => served };
}

t.test('a body that makes progress may take as long as it likes', async (t) => {
  const { app, send, answer } = await build(t);
  for (let sent = 0; sent < LENGTH; sent += MIN_BYTES) {
    t.equal(app.arrivals.look(), 1);
    await send('a'.repeat(MIN_BYTES));
  }
  t.match(await answer(), { status: 200, body: String(LENGTH) });
  t.equal(app.arrivals.look(), 0);
});

for (const [title, pieces] of [
  ['nothing comes', ['']],
  ['too little comes', ['a', 'b', 'c']],
  ['it stops', ['a'.repeat(MIN_BYTES), 'a'.repeat(MIN_BYTES - 1)]],
] as const) {
  t.test(`a body is ended where ${title}`, async (t) => {
    const { app, send, answer } = await build(t);
    t.equal(app.arrivals.look(), 1, 'the first look has nothing to compare with');
    for (const piece of pieces) {
      await send(piece);
      app.arrivals.look();
    }
    const { status, body, headers } = await answer();
    t.equal(status, 408);
    t.equal(headers['access-control-allow-origin'], 'https://a.example', 'a page can read it');
    t.match(JSON.parse(body), { type: '/problems/invalid-input', detail: 'The request did not arrive in time.' });
    t.equal(app.arrivals.look(), 0);
  });
}

t.test('bodies are looked at once a window', async (t) => {
  const { answer } = await build(t, 100);
  t.equal((await answer()).status, 408);
});

t.test('a body that makes no progress is ended soon while the server closes', async (t) => {
  const { app, answer } = await build(t, 8_000);
  const begun = performance.now();
  const closed = app.close();
  t.equal((await answer()).status, 408);
  await closed;
  t.ok(performance.now() - begun < 6_000);
});

t.test('a body that comes after it was ended is not served: its client has been told to send it again', async (t) => {
  const { app, send, answer, served } = await build(t);
  app.arrivals.look();
  app.arrivals.look();
  await send('a'.repeat(LENGTH));
  t.equal((await answer()).status, 408);
  t.equal(served(), 0);
});

t.test('watched is only what takes a body', (t) => {
  t.equal(watchBody(madeUp({})), undefined);
  t.end();
});
