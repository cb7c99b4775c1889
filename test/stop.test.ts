/** The server as a process that is told to stop, at every moment of its life. */
import { existsSync, readFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { PASSWORD } from './helpers/app.js';
import { exchange } from './helpers/exchange.js';
import { dataFolder, start, startServerProcess, type ServerProcess } from './helpers/process.js';
import { pictureFile } from './helpers/pictures.js';

const GENEROUS = { RATE_LIMIT_ANON: '1000000', RATE_LIMIT_USER: '1000000', RATE_LIMIT_AUTH: '1000000' };

/** The process id of the embedded PostgreSQL of a data folder, if it runs. */
function postmasterOf(dataDir: string): number | undefined {
  const file = join(dataDir, 'postgres/data/postmaster.pid');
  if (!existsSync(file)) return undefined;
  const pid = Number(readFileSync(file, 'utf8').split('\n')[0]);
  try {
    process.kill(pid, 0);
    return pid;
  } catch {
    return undefined;
  }
}

const open = async ({ url }: ServerProcess): Promise<Socket> => {
  const socket = connect(Number(new URL(url).port), '127.0.0.1').on('error', () => undefined);
  await new Promise((resolve) => socket.once('connect', resolve));
  return socket;
};

/** Calls over connections that are kept. */
function call(agent: Agent, url: string): Promise<{ status: number; connection: string | undefined }> {
  return new Promise((resolve, reject) => {
    request(url, { agent }, (answer) => {
      answer
        .resume()
        .on('end', () => resolve({ status: answer.statusCode ?? 0, connection: answer.headers.connection }));
    })
      .on('error', reject)
      .end();
  });
}

/** Tells a server that stops to hurry: not just after the first signal, which may come twice. */
async function hurry({ child, ended }: ServerProcess): Promise<number | string> {
  const timer = setInterval(() => child.kill('SIGTERM'), 50);
  const code = await ended;
  clearInterval(timer);
  return code;
}

/** Starts a server with an embedded database, a silent connection, and one whose request is half sent. */
async function startBusy(t: Test, environment: Record<string, string> = {}) {
  const DATA_DIR = dataFolder(t);
  const server = await startServerProcess(t, { DATA_DIR, ...GENEROUS, ...environment });
  const silent = await open(server);
  t.teardown(() => silent.destroy());
  t.type(postmasterOf(DATA_DIR), 'number');
  return { server, DATA_DIR };
}

t.test(
  'a stop beside a silent connection, keep-alive clients and an upload loses no request and leaves nothing',
  async (t) => {
    const { server, DATA_DIR } = await startBusy(t, {
      ADMIN_USERNAME: 'boss',
      ADMIN_EMAIL: 'boss@example.com',
      ADMIN_PASSWORD: PASSWORD,
    });
    const login = await fetch(`${server.url}/api/user/login/`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ username: 'boss', password: PASSWORD }),
    });
    const { access } = (await login.json()) as { access: string };

    // An upload of which half has arrived.
    const form = new FormData();
    form.set('profile', await pictureFile());
    const encoded = new Request('http://x', { method: 'POST', body: form });
    const body = Buffer.from(await encoded.arrayBuffer());
    const upload = request(`${server.url}/doctors/`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${access}`,
        'content-type': encoded.headers.get('content-type') as string,
        'content-length': body.length,
      },
    });
    const uploaded = new Promise<unknown[]>((resolve, reject) => {
      upload.on('response', (answer) => resolve([answer.resume().statusCode, answer.headers.connection]));
      upload.on('error', reject);
    });
    await new Promise<void>((resolve) => upload.write(body.subarray(0, body.length >> 1), () => resolve()));

    // Clients that go on until they are refused a connection.
    const agent = new Agent({ keepAlive: true });
    t.teardown(() => agent.destroy());
    let isTold = false;
    let isStopping = false;
    const afterwards = new Set<string | undefined>();
    const faults: unknown[] = [];
    const clients = Array.from({ length: 40 }, async () => {
      for (;;) {
        const [wasTold, wasStopping] = [isTold, isStopping];
        try {
          const { status, connection } = await call(agent, `${server.url}/doctors/`);
          if (status !== 200) faults.push(status);
          if (wasStopping) afterwards.add(connection);
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== 'ECONNREFUSED' || !wasTold) faults.push(error);
          return;
        }
      }
    });
    await call(agent, `${server.url}/doctors/`);
    isTold = true;
    server.child.kill('SIGTERM');
    while (!server.log.some((line) => line.includes('"stopping"'))) await sleep(5);
    isStopping = true;
    upload.end(body.subarray(body.length >> 1));
    t.strictSame(await uploaded, [201, 'close']);
    await Promise.all(clients);
    t.strictSame(faults, []);
    t.strictSame([...afterwards], ['close'], 'every answer meanwhile says so');
    const told = performance.now();
    t.equal(await server.ended, 0);
    t.ok(performance.now() - told < 10_000, 'within seconds');
    t.equal(postmasterOf(DATA_DIR), undefined);
  },
);

t.test('SHUTDOWN_DELAY: readiness fails, all else is served, and a second signal ends it', async (t) => {
  const { server, DATA_DIR } = await startBusy(t, { SHUTDOWN_DELAY: '10m' });
  server.child.kill('SIGTERM');
  while ((await fetch(`${server.url}/health/ready`)).status === 200);
  const ready = await fetch(`${server.url}/health/ready`);
  t.equal(ready.status, 503);
  t.match(((await ready.json()) as { detail: string }).detail, 'about to stop');
  for (const path of ['/health/live', '/doctors/', '/openapi.json']) {
    const answer = await fetch(`${server.url}${path}`);
    t.equal(answer.status, 200, path);
    t.equal(answer.headers.get('connection'), 'close');
  }
  const together = await exchange(
    Number(new URL(server.url).port),
    'GET /doctors/ HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(5),
  );
  t.equal(together.match(/HTTP\/1\.1 200/g)?.length, 5, 'requests that come together are all answered');
  t.equal(together.match(/^connection: close/gim)?.length, 1, 'the last of them says so');
  t.equal(await hurry(server), 0);
  t.equal(postmasterOf(DATA_DIR), undefined);
});

t.test('a request that never ends does not keep a hurried stop', async (t) => {
  const { server, DATA_DIR } = await startBusy(t);
  const socket = await open(server);
  t.teardown(() => socket.destroy());
  socket.write(
    'POST /api/user/login/ HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{',
  );
  while (socket.bytesWritten === 0) await sleep(5);
  await call(new Agent(), `${server.url}/doctors/`);
  server.child.kill('SIGTERM');
  t.equal(await hurry(server), 0);
  t.equal(postmasterOf(DATA_DIR), undefined);
});

t.test('a signal that comes twice at once, as from a terminal by way of npm, does not hurry the stop', async (t) => {
  const { server } = await startBusy(t);
  const body = JSON.stringify({ username: 'nobody', password: PASSWORD });
  const login = request(`${server.url}/api/user/login/`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'content-length': body.length, expect: '100-continue' },
  });
  const status = new Promise<number | undefined>((resolve, reject) => {
    login.on('response', (answer) => resolve(answer.resume().statusCode)).on('error', reject);
  });
  login.flushHeaders();
  await new Promise((resolve) => login.on('continue', resolve));
  for (const signal of ['SIGINT', 'SIGHUP'] as const) server.child.kill(signal);
  // Hurried, it would have ended.
  await Promise.race([server.ended, sleep(1_000)]);
  login.end(body);
  t.equal(await status, 401);
  t.equal(await server.ended, 0);
});

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  t.test(`${signal} during the start ends it, and leaves no database`, async (t) => {
    for (const phase of ['postgres', 'postgres/data/PG_VERSION', 'postgres/data/postmaster.pid']) {
      const DATA_DIR = dataFolder(t);
      const child = start(['dist/src/server.js'], { DATA_DIR });
      const ended = new Promise((resolve) => child.on('exit', (code, by) => resolve(code ?? by)));
      while (!existsSync(join(DATA_DIR, phase)) && child.exitCode === null) await sleep(2);
      child.kill(signal);
      t.equal(await ended, 0, phase);
      t.equal(postmasterOf(DATA_DIR), undefined);
    }
  });
}

/** Starts a program, gives it a signal when the embedded PostgreSQL has come as far as a file, and waits for its end. */
async function interrupt(program: string, DATA_DIR: string, phase: string): Promise<number | string> {
  const flags = program === 'admin' ? ['--username', 'boss', '--promote'] : [];
  const child = start([`dist/src/${program}.js`, ...flags], { DATA_DIR });
  const ended = new Promise<number | string>((resolve) => child.on('exit', (code, by) => resolve(code ?? by ?? '')));
  while (!existsSync(join(DATA_DIR, phase)) && child.exitCode === null) await sleep(2);
  child.kill('SIGTERM');
  return ended;
}

t.test('a signal ends npm run admin and npm run demo, and leaves no database', async (t) => {
  const folder = dataFolder(t);
  t.equal(await interrupt('server', folder, 'jwt-secret'), 0, 'an empty hospital');
  t.equal(await interrupt('demo', folder, 'postgres/data/postmaster.pid'), 143, 'whose users the demo looks at');
  t.equal(postmasterOf(folder), undefined);
  for (const phase of ['postgres', 'postgres/data/postmaster.pid']) {
    const DATA_DIR = dataFolder(t);
    t.equal(await interrupt('admin', DATA_DIR, phase), 143, phase);
    t.equal(postmasterOf(DATA_DIR), undefined);
  }
});

t.test('a stop while the database is away', async (t) => {
  const server = await startServerProcess(t, {
    DATABASE_URL: 'postgres://127.0.0.1:1/nowhere',
    DATA_DIR: dataFolder(t),
  });
  t.equal((await fetch(`${server.url}/health/live`)).status, 200);
  server.child.kill('SIGTERM');
  t.equal(await server.ended, 0);
});
