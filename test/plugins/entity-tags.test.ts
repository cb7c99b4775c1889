import Fastify from 'fastify';
import t from 'tap';
import { JsonText } from '../../db/json.js';
import { addEntityTag, answerNotModified, entityTag, names } from '../../plugins/entity-tags.js';
import { madeUp } from '../helpers/operations.js';

t.test('a condition names a state by its tag, which a proxy may have changed, or by *', (t) => {
  for (const [condition, isNamed] of [
    ['"1-2"', true],
    ['"x", "1-2"', true],
    ['"x","1-2" ', true],
    ['W/"1-2"', true],
    ['"x", W/"1-2"', true],
    ['w/"1-2"', true],
    ...['-gzip', ';gzip', '--gzip', '-br', '-zstd', '-deflate'].map((end) => [`W/"1-2${end}"`, true] as const),
    ['"1-2-gzip"', true],
    ['"1-2-3-gzip"', false],
    ['"1-2gzip"', false],
    ['"1-2-gzip-gzip"', false],
    ['"1-2-identity"', false],
    ['*', true],
    [' * ', true],
    ['"*"', false],
    ['"x,*,y"', false],
    ['"x, *"', false],
    ['"x,"', false],
    ['W/1-2', false],
    ['1-2', false],
    ['"1-2', false],
    ['"1"', false],
    ['"1-2-3"', false],
    ['', false],
  ] as const) {
    t.equal(names(condition, '1-2'), isNamed, JSON.stringify(condition));
  }
  t.end();
});

t.test('the tag of an answer is that of its state, or a digest of it', (t) => {
  t.equal(entityTag(new JsonText('{"a":1}', '7-1')), '"7-1"');
  t.match(entityTag(new JsonText('{"a":1}')), /^"[\w-]{27}"$/);
  t.equal(entityTag({ a: 1 }), entityTag(new JsonText('{"a":1}')));
  t.not(entityTag({ a: 1 }), entityTag({ a: 2 }));
  t.end();
});

t.test('hooks', async (t) => {
  const app = Fastify();
  t.teardown(() => app.close());
  const operation = madeUp({ hasEntityTag: true });
  const hooks = {
    preSerialization: addEntityTag(operation) ?? [],
    onSend: answerNotModified(operation) ?? [],
  };
  app.setSerializerCompiler(() => (data) => (data instanceof JsonText ? data.text : JSON.stringify(data)));
  const schema = { response: { default: {} } };
  app.get('/', { ...hooks, schema }, () => new JsonText('{"a":1}', '7'));
  app.get('/replayed', { ...hooks, schema }, (_request, reply) => reply.header('etag', '"first"').send({ a: 1 }));
  app.get('/fault', { ...hooks, schema }, (_request, reply) => reply.code(404).send({}));
  const get = (url: string, condition?: string) =>
    app.inject({ url, headers: condition === undefined ? {} : { 'if-none-match': condition } });

  t.match(await get('/'), { statusCode: 200, body: '{"a":1}', headers: { etag: '"7"' } });
  for (const condition of ['"7"', 'W/"7"', '"x", "7"', '*']) {
    const answer = await get('/', condition);
    t.match(answer, { statusCode: 304, body: '', headers: { etag: '"7"' } }, condition);
    t.notOk('content-type' in answer.headers);
  }
  t.match(await get('/', '"8"'), { statusCode: 200 });
  const head = await app.inject({ method: 'HEAD', url: '/', headers: { 'if-none-match': '"7"' } });
  t.match(head, { statusCode: 304, body: '', headers: { etag: '"7"' } }, 'HEAD');
  t.match(await get('/replayed'), { headers: { etag: '"first"' } }, 'a tag that is there stays');
  const fault = await get('/fault', '*');
  t.equal(fault.statusCode, 404);
  t.notOk('etag' in fault.headers);

  t.equal(addEntityTag(madeUp({})), undefined, 'not where the contract has no tag');
  t.equal(answerNotModified(madeUp({ hasEntityTag: true }, 'PUT')), undefined, 'not for a change');
});
