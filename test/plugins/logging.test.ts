import Fastify, { LogController } from 'fastify';
import { randomBytes } from 'node:crypto';
import t, { type Test } from 'tap';
import { InvalidInput, ProblemError } from '../../openapi/problem-error.js';
import errors from '../../plugins/errors.js';
import logging from '../../plugins/logging.js';
import { newServiceSecret } from '../../plugins/service-keys.js';
import { newCode, showCode } from '../../src/lib/codes.js';
import { newToken } from '../../src/lib/tokens.js';
import { forgeToken } from '../helpers/tokens.js';

/** An app that logs into a list. */
async function build(t: Test) {
  const lines: Record<string, unknown>[] = [];
  const stream = { write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>) };
  const app = Fastify({
    logger: { stream },
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: () => 'the id',
  });
  t.teardown(() => app.close());
  await app.register(logging);
  return { app, answered: () => lines.filter(({ msg }) => msg === 'answered') };
}

t.test('one line an answer, with the id that the answer carries, and nothing personal', async (t) => {
  const { app, answered } = await build(t);
  app.get('/patients/:id', (_request, reply) => reply.code(418).send({}));
  const options = {
    url: '/patients/4711?search=ada',
    headers: { authorization: 'Bearer secret', referer: 'ada.test' },
  };
  t.equal((await app.inject(options)).headers['x-request-id'], 'the id');
  await app.inject('/nothing/ada');

  t.match(answered(), [
    { reqId: 'the id', method: 'GET', route: '/patients/:id', status: 418, milliseconds: Number },
    { reqId: 'the id', method: 'GET', route: null, status: 404 },
  ]);
  t.equal(answered().length, 2);
  t.notMatch(JSON.stringify(answered()), /4711|ada|secret|127\.0\.0\.1/);
});

t.test('a refusal is told with its kind: the path of a 404, the fields of a 400, the code behind a 503', async (t) => {
  const { app, answered } = await build(t);
  await app.register(errors);
  app.get('/400', () => {
    throw new InvalidInput({ fee: ['must be at most 5', 'must be even'], name: ['is missing'] });
  });
  app.get('/409', () => {
    throw new ProblemError('in-use', 'Ada has it.');
  });
  app.get('/unknown', () => {
    throw new InvalidInput({ [newServiceSecret().secret]: ['is unknown'] });
  });
  app.get('/503', () => {
    throw Object.assign(new Error('Ada waits'), { code: '55P03' });
  });
  await app.inject('/400');
  await app.inject('/409');
  await app.inject('/503');
  await app.inject(`/nothing/${'long'.repeat(100)}?search=ada`);
  const token = randomBytes(24).toString('base64url');
  for (const path of [`/holds/${token}`, `/holds/${token}/`, `/holds/${token}/more`]) await app.inject(path);
  await app.inject('/unknown');
  await app.inject(`/x/${newServiceSecret().secret}`);
  t.match(answered(), [
    { status: 400, problem: 'invalid-input', reason: 'fee must be at most 5, must be even; name is missing' },
    { status: 409, problem: 'in-use', reason: undefined, code: undefined },
    { status: 503, problem: 'unavailable', code: '55P03' },
    { status: 404, problem: 'not-found', path: /^\/nothing\/(long){72}.{3}$/ },
    ...['/holds/...', '/holds/.../', '/holds/.../more'].map((path) => ({ path })),
    { reason: '... is unknown' },
    { path: '/x/...' },
  ]);
  t.notMatch(JSON.stringify(answered()), /ada/i);
});

t.test('no secret that this server gives is in a line, wherever it was sent to', async (t) => {
  const { app, answered } = await build(t);
  await app.register(errors);
  app.get('/unknown/:name', ({ params }) => {
    throw new InvalidInput({ [(params as { name: string }).name]: ['is unknown'] });
  });
  const session = { sub: '4711', use: 'refresh', jti: newToken(), iat: 1, exp: 2 };
  for (const [what, secret] of [
    ['the key of a service', newServiceSecret().secret],
    ['a token of a session', forgeToken(session)],
    ['a token with the name of its key', forgeToken(session, { header: { alg: 'HS256', kid: 'x'.repeat(16) } })],
    ['a token without its signature', forgeToken(session).replace(/[^.]*$/, '')],
    ['a recovery code', showCode(newCode(24))],
    ['a code for a new password', showCode(newCode(12))],
    ['the token of a hold', newToken()],
  ] as const) {
    const from = answered().length;
    for (const path of [`/${secret}`, `/x/${secret}/`, `/x/${secret}/more`]) await app.inject(path);
    if (what !== 'the token of a hold') {
      for (const path of [`/x/Bearer%20${secret}`, `/unknown/${secret}`]) await app.inject(path);
    }
    const lines = JSON.stringify(
      answered()
        .slice(from)
        .map(({ path, reason }) => path ?? reason),
    );
    // No part of it either, by which it could be told from others.
    for (const part of secret.split(/[.-]/).filter(({ length }) => length >= 4)) {
      t.notOk(lines.includes(part), `${what}: ${lines}`);
    }
  }
});
