import Fastify from 'fastify';
import { once } from 'node:events';
import { createConnection } from 'node:net';
import t from 'tap';
import { hangUp } from '../../plugins/hang-up.js';

t.test('a signal of a request, one however often it is asked for, and aborted when the client hangs up', async (t) => {
  const app = Fastify();
  t.teardown(() => app.close());
  let tell = (_signal: AbortSignal): void => undefined;
  const asked = new Promise<AbortSignal>((resolve) => (tell = resolve));
  app.post('/', (_request, reply) => {
    const signal = hangUp(reply);
    t.equal(hangUp(reply), signal);
    tell(signal);
    return new Promise((resolve) => signal.addEventListener('abort', () => resolve({})));
  });
  const { port } = new URL(await app.listen({ port: 0, host: '127.0.0.1' }));
  const client = createConnection(Number(port), '127.0.0.1');
  client.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}');
  const signal = await asked;
  t.notOk(signal.aborted, 'the body has come, and the client waits');
  const aborted = once(signal, 'abort');
  client.destroy();
  await aborted;
});
