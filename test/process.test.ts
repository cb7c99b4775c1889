/** The built server as a process, over real HTTP. */
import t from 'tap';
import { randomUUID } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { PASSWORD } from './helpers/app.js';
import { createTestDatabase } from './helpers/database.js';
import { dataFolder, runProgram, startServerProcess } from './helpers/process.js';

const GENEROUS = { RATE_LIMIT_ANON: '1000000', RATE_LIMIT_AUTH: '1000000' };

const post = (url: string, body: unknown): Promise<Response> =>
  fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });

const registration = (username: string) => ({
  username,
  email: `${username}@example.com`,
  password: PASSWORD,
  confirm_password: PASSWORD,
});

t.test('a second server on one data folder stops with one line, and the first lives on', async (t) => {
  const DATA_DIR = dataFolder(t);
  const first = await startServerProcess(t, { DATA_DIR, ...GENEROUS });
  const second = await runProgram('dist/src/server.js', { DATA_DIR });
  t.equal(second.code, 1);
  t.equal(second.stderr.trim().split('\n').length, 1, second.stderr);
  t.ok(second.stderr.includes(DATA_DIR));
  t.equal((await post(`${first.url}/api/user/register/`, registration('after'))).status, 201);

  await t.test('npm run admin works beside it', async (t) => {
    const args = ['--username', 'chief', '--email', 'chief@example.com'];
    const made = await runProgram('dist/src/admin.js', { DATA_DIR }, args, `${PASSWORD}\n`);
    t.equal(made.code, 0, made.stderr);
    const login = await post(`${first.url}/api/user/login/`, { username: 'chief', password: PASSWORD });
    const { access } = (await login.json()) as { access: string };
    const answer = await fetch(`${first.url}/designations/`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${access}` },
      body: JSON.stringify({ name: 'Chief', slug: 'chief' }),
    });
    t.equal(answer.status, 201);
    const again = await runProgram('dist/src/admin.js', { DATA_DIR }, args, `${PASSWORD}\n`);
    t.equal(again.code, 1);
    t.match(again.stderr, /already/);
    t.equal((await runProgram('dist/src/admin.js', { DATA_DIR }, ['--username', 'after', '--promote'])).code, 0);
    t.equal((await runProgram('dist/src/admin.js', { DATA_DIR }, ['--username', 'nobody', '--promote'])).code, 1);
    const weak = await runProgram('dist/src/admin.js', { DATA_DIR }, ['--username', 'x', '--email', 'x@y.zz'], '123\n');
    t.equal(weak.code, 1);
    t.match(weak.stderr, /password/);
  });
});

t.test('kill -9 under registrations, ten times: every acknowledged user is there', async (t) => {
  const DATA_DIR = dataFolder(t);
  const acknowledged: string[] = [];
  for (let round = 0; round < 10; round++) {
    const server = await startServerProcess(t, { DATA_DIR, ...GENEROUS });
    for (const username of acknowledged.slice(-8)) {
      const answer = await post(`${server.url}/api/user/login/`, { username, password: PASSWORD });
      t.equal(answer.status, 200, `${username} is there after the restart`);
    }
    let isKilled = false;
    const before = acknowledged.length;
    const clients = Array.from({ length: 4 }, async () => {
      while (!isKilled) {
        const username = `u${randomUUID()}`;
        try {
          const answer = await post(`${server.url}/api/user/register/`, registration(username));
          if (answer.status === 201) acknowledged.push(username);
        } catch {
          return;
        }
        if (acknowledged.length >= before + 6 && !isKilled) {
          isKilled = true;
          server.child.kill('SIGKILL');
        }
      }
    });
    await Promise.all(clients);
    t.equal(await server.ended, 'SIGKILL');
  }
  const server = await startServerProcess(t, { DATA_DIR, ...GENEROUS });
  t.ok(acknowledged.length >= 60);
  for (const username of acknowledged) {
    t.equal((await post(`${server.url}/api/user/register/`, registration(username))).status, 409, username);
  }
});

t.test('a stop finishes what is in flight', async (t) => {
  const DATABASE_URL = await createTestDatabase(t);
  const server = await startServerProcess(t, { DATABASE_URL, DATA_DIR: dataFolder(t), ...GENEROUS });
  let received = 0;
  const answers = Array.from({ length: 12 }, (_, index) => {
    const body = JSON.stringify(registration(`inflight${index}`));
    return new Promise<number | undefined>((resolve, reject) => {
      // The server answers 100 when it has the headers; only then is the stop sent, and the bodies after it.
      const call = request(`${server.url}/api/user/register/`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'content-length': body.length, expect: '100-continue' },
      });
      call.on('continue', () => {
        received++;
        if (received === 12) server.child.kill('SIGTERM');
        setImmediate(() => call.end(body));
      });
      call.on('response', (answer) => {
        answer.resume();
        resolve(answer.statusCode);
      });
      call.on('error', reject);
      call.flushHeaders();
    });
  });
  t.strictSame(
    await Promise.all(answers),
    Array.from({ length: 12 }, () => 201),
  );
  t.equal(await server.ended, 0);
});

t.test('two servers start at once on one empty database', async (t) => {
  const DATABASE_URL = await createTestDatabase(t);
  const environment = {
    DATABASE_URL,
    JWT_SECRET: 'one secret of both servers, long enough',
    ADMIN_USERNAME: 'boss',
    ADMIN_EMAIL: 'boss@example.com',
    ADMIN_PASSWORD: PASSWORD,
    ...GENEROUS,
  };
  const [one, two] = await Promise.all(
    ['a', 'b'].map((name) => startServerProcess(t, { ...environment, DATA_DIR: t.testdir({ [name]: {} }) })),
  );
  const login = await post(`${one?.url}/api/user/login/`, { username: 'boss', password: PASSWORD });
  t.equal(login.status, 200);
  const { refresh } = (await login.json()) as { refresh: string };
  t.equal((await post(`${two?.url}/api/user/token/refresh/`, { refresh })).status, 200);
  t.equal((await post(`${one?.url}/api/user/logout/`, { refresh })).status, 200);
  t.equal((await post(`${two?.url}/api/user/token/refresh/`, { refresh })).status, 401, 'logged out everywhere');
});

t.test('secrets are changed one server at a time, and nobody has to log in again', async (t) => {
  const DATABASE_URL = await createTestDatabase(t);
  const DATA_DIR = dataFolder(t);
  const [old, next] = [''.padEnd(40, 'old'), ''.padEnd(40, 'next')];
  const serve = (JWT_SECRET: string) => startServerProcess(t, { DATABASE_URL, DATA_DIR, JWT_SECRET, ...GENEROUS });
  const list = (...secrets: string[]): string => JSON.stringify(secrets);
  const refreshAt = async ({ url }: { url: string }, refresh: string): Promise<number> =>
    (await post(`${url}/api/user/token/refresh/`, { refresh })).status;
  const first = await serve(old);
  const { tokens } = (await (await post(`${first.url}/api/user/register/`, registration('rotated'))).json()) as {
    tokens: { refresh: string };
  };
  const knowsBoth = await serve(list(old, next));
  const signsByNext = await serve(list(next, old));
  const login = await post(`${signsByNext.url}/api/user/login/`, { username: 'rotated', password: PASSWORD });
  const { refresh } = (await login.json()) as { refresh: string };
  for (const server of [knowsBoth, signsByNext]) {
    t.equal(await refreshAt(server, tokens.refresh), 200);
    t.equal(await refreshAt(server, refresh), 200);
  }
  const last = await serve(next);
  t.equal(await refreshAt(last, refresh), 200);
  t.equal(await refreshAt(last, tokens.refresh), 401, 'the old secret is gone');
  for (const { log } of [knowsBoth, signsByNext, last]) t.notMatch(log.join('\n'), /JWT_SECRET|oldold|nextnext/);
});

t.test('no level of the log shows a token, a password or what a patient wrote', async (t) => {
  const DATA_DIR = dataFolder(t);
  const { url, log, child, ended } = await startServerProcess(t, { DATA_DIR, LOG_LEVEL: 'trace', ...GENEROUS });
  const answer = await post(`${url}/api/user/register/`, registration('logged'));
  const { tokens } = (await answer.json()) as { tokens: { access: string; refresh: string } };
  const authorization = `Bearer ${tokens.access}`;
  const form = new FormData();
  form.append('phone', '+49 30 1234567');
  form.append('profile', new Blob(['no picture']), 'planted-name.png');
  for (const [path, init] of [
    ['/patients/', { method: 'POST', body: form, headers: { authorization } }],
    ['/patients/?search=planted-query', { headers: { authorization, cookie: 'planted-cookie' } }],
    ['/patients/999/', { headers: { authorization } }],
    [
      '/api/user/token/refresh/',
      { method: 'POST', body: `{"refresh": "${tokens.refresh}"`, headers: { authorization } },
    ],
  ] as const) {
    await fetch(url + path, init);
  }
  await post(`${url}/api/user/login/`, { username: 'logged', password: 'planted-password' });
  child.kill('SIGTERM');
  await ended;
  const text = log.join('\n');
  t.match(text, '"level":10', 'there are lines of the level trace');
  t.match(text, '/patients');
  for (const planted of [tokens.access, tokens.refresh, PASSWORD, '1234567', 'planted-']) {
    t.notOk(text.includes(planted), planted);
  }
});

t.test('secrets that come from files work, and show in no line, child process or help', async (t) => {
  const DATA_DIR = dataFolder(t);
  const planted = { JWT_SECRET: ''.padEnd(40, 'planted-jwt.'), ADMIN_PASSWORD: 'planted-Tractor-91' };
  const files: Record<string, string> = {};
  for (const [name, value] of Object.entries(planted)) {
    writeFileSync(join(DATA_DIR, name), `${value}\n`, { mode: 0o600 });
    files[`${name}_FILE`] = join(DATA_DIR, name);
  }
  const admin = { ADMIN_USERNAME: 'boss', ADMIN_EMAIL: 'boss@example.com' };
  const environment = { DATA_DIR, LOG_LEVEL: 'trace', NODE_ENV: 'production', ...files, ...admin, ...GENEROUS };
  const { url, log, child } = await startServerProcess(t, environment);
  const login = await post(`${url}/api/user/login/`, { username: 'boss', password: planted.ADMIN_PASSWORD });
  t.equal(login.status, 200);
  const made = await runProgram('dist/src/admin.js', environment, ['--username', 'chief', '--email', 'c@example.com']);
  t.match(made, { code: 0, stderr: '' });
  const help = await runProgram('dist/src/server.js', environment, ['--help']);
  const said = [...log, made.stdout, made.stderr, help.stdout];
  if (process.platform === 'linux') {
    const postmaster = readFileSync(join(DATA_DIR, 'postgres/data/postmaster.pid'), 'utf8').split('\n')[0] ?? '';
    for (const file of ['cmdline', 'environ']) said.push(readFileSync(`/proc/${postmaster}/${file}`, 'utf8'));
    said.push(readFileSync(`/proc/${child.pid}/cmdline`, 'utf8'), readFileSync(`/proc/${child.pid}/environ`, 'utf8'));
  }
  t.notMatch(said.join('\n'), /planted/);
});

t.test('production without PUBLIC_URL or ALLOWED_HOSTS warns once', async (t) => {
  const production = { NODE_ENV: 'production', JWT_SECRET: ''.padEnd(32, 's') };
  for (const [environment, warnings] of [
    [{}, 1],
    [{ ALLOWED_HOSTS: 'api.example' }, 0],
    [{ PUBLIC_URL: 'https://api.example' }, 0],
  ] as const) {
    const DATABASE_URL = await createTestDatabase(t);
    const { log } = await startServerProcess(t, {
      DATA_DIR: dataFolder(t),
      DATABASE_URL,
      ...production,
      ...environment,
    });
    t.equal(log.filter((line) => line.includes('ALLOWED_HOSTS')).length, warnings);
  }
});

t.test('a bad value in the environment stops the start with one line', async (t) => {
  for (const [name, value] of [
    ['PORT', 'http'],
    ['JWT_SECRET', 'short'],
    ['CLINIC_TIME_ZONE', 'Mars/Olympus'],
  ] as const) {
    const { code, stderr } = await runProgram('dist/src/server.js', { [name]: value, DATA_DIR: dataFolder(t) });
    t.equal(code, 1);
    t.match(stderr, new RegExp(`^${name} must [^\\n]+\\n$`));
  }
  const production = await runProgram('dist/src/server.js', { NODE_ENV: 'production', DATA_DIR: dataFolder(t) });
  t.match(production.stderr, /^JWT_SECRET must be set in production\n$/);
  const staff = await runProgram('dist/src/server.js', {
    ...{ DATABASE_URL: await createTestDatabase(t), DATA_DIR: dataFolder(t) },
    ...{ ADMIN_USERNAME: 'boss', ADMIN_EMAIL: 'boss@example.com', ADMIN_PASSWORD: 'boss1234' },
  });
  t.equal(staff.code, 1);
  t.match(staff.stderr, /^ADMIN_PASSWORD can not be used: the password [^\n]+\n$/);
});

t.test('a port that is taken stops the start with one line', async (t) => {
  const DATABASE_URL = await createTestDatabase(t);
  const server = await startServerProcess(t, { DATABASE_URL, DATA_DIR: dataFolder(t) });
  const PORT = new URL(server.url).port;
  const { code, stderr } = await runProgram('dist/src/server.js', { DATABASE_URL, DATA_DIR: dataFolder(t), PORT });
  t.equal(code, 1);
  t.match(stderr, new RegExp(`^PORT must be free, but something listens on ${PORT} already\n$`));
});

t.test('bytes that are no HTTP get a problem document', async (t) => {
  const DATABASE_URL = await createTestDatabase(t);
  const server = await startServerProcess(t, { DATABASE_URL, DATA_DIR: dataFolder(t) });
  const socket = createConnection(Number(new URL(server.url).port), '127.0.0.1');
  socket.end('\x00rubbish\r\n\r\n');
  let text = '';
  for await (const chunk of socket) text += String(chunk);
  t.match(text, /^HTTP\/1\.1 400 Bad Request\r\ncontent-type: application\/problem\+json/);
});
