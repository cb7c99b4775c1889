import Fastify from 'fastify';
import { connect } from 'node:net';
import t, { type Test } from 'tap';
import unreadBodies, { type UnreadBodiesOptions } from '../../plugins/unread-bodies.js';
import { exchange, readAnswer, sendAll } from '../helpers/exchange.js';

const BODY = Buffer.alloc(3_000_000, 'a');
const head = (length: number): string =>
  `POST / HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: ${length}`;

async function build(t: Test, options: UnreadBodiesOptions = {}): Promise<number> {
  const app = Fastify({ bodyLimit: 1000 });
  t.teardown(() => app.close());
  await app.register(unreadBodies, options);
  app.post('/', ({ body }) => body);
  const { port } = new URL(await app.listen({ port: 0, host: '127.0.0.1' }));
  return Number(port);
}

t.test('who sends on after the answer can read it', async (t) => {
  const port = await build(t);
  const answer = await sendAll(port, head(BODY.length), BODY);
  t.equal(answer.status, 413);
  t.equal(answer.headers['connection'], 'close');
});

t.test('a connection stays open where all has arrived', async (t) => {
  const port = await build(t);
  for (const [title, request, status] of [
    ['no body, answered at once', 'GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n', 404],
    ['a body, answered at once', 'POST /nothing HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab', 404],
    ['a body that is read', `${head(2)}\r\n\r\nab`, 200],
  ] as const) {
    const text = await exchange(port, `${request}GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
    const answer = readAnswer(text);
    t.equal(answer.status, status, title);
    t.not(answer.headers['connection'], 'close', title);
    t.match(text, /GET:\/last/, 'the next request has its answer');
  }
});

t.test('no more is read than the bounds allow', async (t) => {
  for (const [title, options] of [
    ['bytes', { maxBytes: 500_000 }],
    ['milliseconds', { maxTime: 20 }],
  ] as const) {
    const port = await build(t, options);
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    socket.on('error', () => undefined).resume();
    const closed = new Promise((resolve) => socket.on('close', resolve));
    socket.write(`${head(1e12)}\r\n\r\n`);
    const send = (): void =>
      void (socket.writable && socket.write(BODY.subarray(0, 10_000), () => setTimeout(send, 1)));
    send();
    await closed;
    t.pass(`${title}: the connection is closed`);
  }
});
