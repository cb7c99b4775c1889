/** What becomes of connections while the server closes. */
import Fastify from 'fastify';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import drain from '../../plugins/drain.js';
import { exchange } from '../helpers/exchange.js';

t.test('clients that go on connecting while the server closes are all answered, or refused', async (t) => {
  const app = Fastify({ return503OnClosing: false });
  await app.register(drain);
  app.get('/', () => 'here');
  const { port } = new URL(await app.listen({ port: 0, host: '127.0.0.1' }));
  const got = new Map<string, number>();
  const count = (what: string): void => void got.set(what, (got.get(what) ?? 0) + 1);
  const clients: Promise<void>[] = [];
  const closing = app.close();
  for (const end = Date.now() + 1_500; Date.now() < end; await sleep(1)) {
    clients.push(
      exchange(Number(port), 'GET / HTTP/1.1\r\nHost: x\r\n\r\n').then(
        (answer) => count(answer.split('\r\n')[0] as string),
        (error: NodeJS.ErrnoException) => count(String(error.code)),
      ),
    );
  }
  await Promise.all(clients);
  await closing;
  t.match([...got.keys()].sort(), ['ECONNREFUSED', 'HTTP/1.1 200 OK'], JSON.stringify([...got]));
});
