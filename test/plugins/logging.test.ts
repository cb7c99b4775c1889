import Fastify, { LogController } from 'fastify';
import t from 'tap';
import logging from '../../plugins/logging.js';

t.test('one line an answer, with the id that the answer carries, and nothing personal', async (t) => {
  const lines: Record<string, unknown>[] = [];
  const stream = { write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>) };
  const app = Fastify({
    logger: { stream },
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: () => 'the id',
  });
  t.teardown(() => app.close());
  await app.register(logging);
  app.get('/patients/:id', (_request, reply) => reply.code(418).send({}));
  const options = {
    url: '/patients/4711?search=ada',
    headers: { authorization: 'Bearer secret', referer: 'ada.test' },
  };
  t.equal((await app.inject(options)).headers['x-request-id'], 'the id');
  await app.inject('/nothing/ada');

  const answered = lines.filter(({ msg }) => msg === 'answered');
  t.match(answered, [
    { reqId: 'the id', method: 'GET', route: '/patients/:id', status: 418, milliseconds: Number },
    { reqId: 'the id', method: 'GET', route: null, status: 404 },
  ]);
  t.equal(answered.length, 2);
  t.notMatch(JSON.stringify(answered), /4711|ada|secret|127\.0\.0\.1/);
});
