/** What a server tells a collector of traces, and what it does not. */
import t, { type Test } from 'tap';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import postgres from '../db/driver.js';
import { PASSWORD, SECRET } from './helpers/app.js';
import { openCollector, type Span } from './helpers/collector.js';
import { createTestDatabase } from './helpers/database.js';
import { freePort } from './helpers/ports.js';
import { dataFolder, startServerProcess, type ServerProcess } from './helpers/process.js';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** Long enough that nothing is sent before the end, but where a test waits for it. */
const LATE = { OTEL_BSP_SCHEDULE_DELAY: '600000' };

async function start(t: Test, environment: Record<string, string>, cwd?: string) {
  const DATABASE_URL = await createTestDatabase(t);
  const server = await startServerProcess(
    t,
    {
      ...{ DATABASE_URL, JWT_SECRET: SECRET, OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json' },
      // tap has one folder for a test.
      DATA_DIR: environment['DATA_DIR'] ?? dataFolder(t),
      ...{ RATE_LIMIT_ANON: '1000000', RATE_LIMIT_AUTH: '1000000', RATE_LIMIT_USER: '1000000' },
      ...environment,
    },
    cwd,
  );
  const stop = async () => {
    server.child.kill('SIGTERM');
    t.equal(await server.ended, 0);
  };
  return { ...server, stop, DATABASE_URL };
}

const post = ({ url }: Pick<ServerProcess, 'url'>, path: string, body: unknown, headers: Record<string, string> = {}) =>
  fetch(url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });

const register = (server: Pick<ServerProcess, 'url'>, username: string, more: object = {}) =>
  post(server, '/api/user/register/', {
    ...{ username, email: `${username}@example.com`, password: PASSWORD, confirm_password: PASSWORD },
    ...more,
  });

/** The second half goes when the first one has been there for as long as another request takes. */
async function sendInParts(server: Pick<ServerProcess, 'url'>, path: string, body: string): Promise<void> {
  const headers = { 'content-type': 'application/json', 'content-length': body.length };
  const request = httpRequest(server.url + path, { method: 'POST', headers });
  request.write(body.slice(0, 10));
  await fetch(`${server.url}/health/ready`);
  request.end(body.slice(10));
  const [answer] = (await once(request, 'response')) as [IncomingMessage];
  answer.resume();
  await once(answer, 'end');
}

/** Over one connection, without waiting for answers. */
async function sendAtOnce({ url }: Pick<ServerProcess, 'url'>, paths: readonly string[]): Promise<void> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  const heads = paths.map(
    (path, index) =>
      `GET ${path} HTTP/1.1\r\nHost: x\r\n${index === paths.length - 1 ? 'Connection: close\r\n' : ''}\r\n`,
  );
  socket.write(heads.join(''));
  socket.resume();
  await once(socket, 'end');
}

const lines = ({ log }: Pick<ServerProcess, 'log'>) =>
  log.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as Record<string, unknown>);

const ofRequest = (spans: readonly Span[], id: string | null): Span[] => {
  const span = spans.find(({ attributes }) => String(attributes['http.response.header.x-request-id']) === id);
  return spans.filter(({ traceId }) => traceId === span?.traceId);
};

t.test('a request, its statements, its line in the log and its problem have one trace', async (t) => {
  const collector = await openCollector(t);
  const server = await start(t, {
    ...LATE,
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test',
  });
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
  const read = await fetch(`${server.url}/doctors/`, { headers: { traceparent } });
  t.equal(read.status, 200);
  const written = await register(server, 'somebody');
  t.equal(written.status, 201);
  await sendInParts(server, '/contacts/', JSON.stringify({ name: 'Ada', phone: '030123456', massage: 'When?' }));
  await sendAtOnce(server, ['/doctors/', '/services/', '/nowhere/']);
  const missing = await fetch(`${server.url}/doctors/999/`);
  const { instance } = (await missing.json()) as { instance: string };
  await fetch(`${server.url}/health/ready`);
  t.strictSame(collector.bodies, [], 'nothing is sent while somebody waits');
  await server.stop();

  const spans = collector.spans();
  const [first, ...others] = ofRequest(spans, read.headers.get('x-request-id')).sort(
    (one, other) => other.took - one.took,
  );
  t.match(first, {
    traceId: '0af7651916cd43dd8448eb211c80319c',
    parentSpanId: 'b7ad6b7169203331',
    name: 'GET /doctors/',
    attributes: { 'http.request.method': 'GET', 'http.route': '/doctors/', 'http.response.status_code': 200 },
    status: 0,
  });
  t.ok(others.length > 0, 'it asks the database');
  for (const { parentSpanId, name, attributes } of others) {
    t.equal(parentSpanId, first?.spanId);
    t.match(name, /^(SELECT|WITH)$/);
    t.match(attributes, { 'db.system.name': 'postgresql', 'db.query.text': /^(select|with) /i });
  }

  const registration = ofRequest(spans, written.headers.get('x-request-id'));
  const transaction = registration.find(({ name }) => name === 'transaction');
  const parent = registration.find(({ name }) => name === 'POST /api/user/register/');
  t.equal(transaction?.parentSpanId, parent?.spanId);
  t.ok(registration.some(({ name, parentSpanId }) => name === 'INSERT' && parentSpanId === transaction?.spanId));

  const inParts = spans.find(({ name }) => name === 'POST /contacts/');
  t.ok(
    spans.some(({ name, traceId }) => name === 'INSERT' && traceId === inParts?.traceId),
    'after a body that came in parts too',
  );

  const id = instance.replace('urn:uuid:', '');
  const [refused] = ofRequest(spans, id).filter(({ name }) => name === 'GET /doctors/:id/');
  t.match(refused, { attributes: { 'http.response.status_code': 404 }, status: 0 });
  const answered = lines(server).filter(({ msg, route }) => msg === 'answered' && route !== '/health/ready');
  t.equal(answered.length, 7);
  for (const { reqId, trace_id, span_id } of answered) {
    const span = spans.find(({ attributes }) => String(attributes['http.response.header.x-request-id']) === reqId);
    t.strictSame([trace_id, span_id], [span?.traceId, span?.spanId]);
  }
  t.notOk(spans.some(({ name }) => name.includes('/health/')));
  const roots = spans.filter(({ parentSpanId }) => parentSpanId === undefined);
  t.equal(roots.length, 6, 'what nobody asked for is in no trace');
  t.match(collector.resources()[0], {
    'service.name': 'hospital-management-api',
    'service.version': /^\d+\.\d+\.\d+$/,
    'deployment.environment.name': 'test',
  });
});

const WORD = 'Zq9Planted';

/** Sends it wherever a client can. */
async function plant(server: Pick<ServerProcess, 'url'>, databaseUrl: string): Promise<number[]> {
  const headers = {
    traceparent: '00-0af7651916cd43dd8448eb211c80319d-b7ad6b7169203331-01',
    tracestate: `zq9planted=${WORD}`,
    baggage: `name=${WORD}`,
    'user-agent': WORD,
    'x-forwarded-for': WORD,
    'x-request-id': WORD,
  };
  const registered = await register(server, `${WORD}user`, { first_name: WORD, last_name: `${WORD}'s`, address: WORD });
  const { tokens } = (await registered.json()) as { tokens: { access: string } };
  const authorization = `Bearer ${tokens.access}`;
  const mine = '/appointments/?status=Pending&search=';
  const get = (path: string, more: object = {}) => fetch(server.url + path, { headers: { ...headers, ...more } });
  const answers = [
    registered,
    await register(server, `${WORD}user`),
    await post(server, '/api/user/login/', { username: `${WORD}user`, password: WORD }, headers),
    await get(`/doctors/?search=${WORD}`),
    await get(`/doctors/${WORD}/`),
    await get(`/doctors/?${WORD}=1`),
    await get(`/${WORD}/${WORD}?${WORD}`),
    await get('/patients/', { authorization }),
    await get(mine + WORD, { authorization }),
    await get('/patients/', { authorization: `Bearer ${WORD}` }),
    await post(server, '/contacts/', `{"name": "${WORD}`, headers),
    await fetch(`${server.url}/${WORD}`, { method: 'OPTIONS', headers }),
  ];
  const sql = postgres(databaseUrl, { max: 1, onnotice: () => undefined });
  const contact = { name: WORD, phone: '030123456', massage: WORD };
  answers.push(await post(server, '/contacts/', contact));
  // The error has the statement and its values, and so has PostgreSQL's message.
  await sql.unsafe(`alter table contacts add check (name <> '${WORD}') not valid`);
  answers.push(await post(server, '/contacts/', contact));
  await sql.end();
  return answers.map(({ status }) => status);
}

t.test('nothing that a client says is in a trace', async (t) => {
  const collector = await openCollector(t);
  const server = await start(t, { ...LATE, OTEL_EXPORTER_OTLP_ENDPOINT: collector.url });
  const statuses = await plant(server, server.DATABASE_URL);
  await server.stop();
  t.equal(statuses.at(-1), 500, 'by an error with values');
  t.ok(statuses.filter((status) => status < 300).length > 3);
  const spans = collector.spans();
  t.ok(spans.length > 20);
  const failed = spans.find(({ attributes }) => attributes['http.response.status_code'] === 500);
  t.match(failed, { name: 'POST /contacts/', status: 2, attributes: { 'error.type': 'internal-error' } });
  const statement = spans.find(({ attributes }) => attributes['db.response.status_code'] === '23514');
  t.match(statement, { name: 'INSERT', status: 2, attributes: { 'error.type': '23514' } });
  const sent = Buffer.concat(collector.bodies.map(({ bytes }) => bytes)).toString();
  t.notMatch(sent, /zq9planted/i);
  t.notMatch(sent, /eyJ|030123456|127\.0\.0\.1/);
  const texts = spans.flatMap(({ attributes }) => (attributes['db.query.text'] as string | undefined) ?? []);
  t.ok(texts.length > 10);
  t.notMatch(texts.join('\n'), /'/, 'a statement has no literals');
});

t.test('traces go as protobuf unless the variable says otherwise', async (t) => {
  const collector = await openCollector(t);
  const server = await start(t, {
    ...LATE,
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_EXPORTER_OTLP_PROTOCOL: '',
    OTEL_SERVICE_NAME: 'clinic-of-the-north',
  });
  await plant(server, server.DATABASE_URL);
  await server.stop();
  t.strictSame(new Set(collector.bodies.map(({ type }) => type)), new Set(['application/x-protobuf']));
  // Texts stand in it as they are.
  const sent = Buffer.concat(collector.bodies.map(({ bytes }) => bytes)).toString();
  t.match(sent, 'POST /contacts/');
  t.match(sent, 'clinic-of-the-north');
  t.notMatch(sent, /zq9planted/i);
});

t.test('a collector that is away costs no request, and one line of the log until it is back', async (t) => {
  const port = await freePort();
  const server = await start(t, {
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
    OTEL_BSP_SCHEDULE_DELAY: '50',
    // Each try is a short one.
    OTEL_EXPORTER_OTLP_TIMEOUT: '200',
  });
  const said = (pattern: RegExp) => server.log.filter((line) => pattern.test(line)).length;
  const ask = async () => t.equal((await fetch(`${server.url}/doctors/`)).status, 200);
  const goOn = async (until: () => boolean) => {
    while (!until()) {
      await ask();
      await sleep(20);
    }
  };
  await goOn(() => said(/traces can not be sent to 127\.0\.0\.1:\d+, and are dropped: .*ECONNREFUSED/) > 0);
  for (let more = 0; more < 100; more++) {
    await ask();
    await sleep(20);
  }
  t.equal(said(/traces/), 1, 'one line');
  const collector = await openCollector(t, port);
  await goOn(() => said(/traces are sent to .* again/) > 0);
  t.ok(collector.spans().length > 0);
  await collector.close();
  await goOn(() => said(/traces can not be sent/) > 1);
  await server.stop();
  t.equal(said(/trace/) - lines(server).filter(({ msg }) => msg === 'answered').length, 3);
});

t.test('what waits for a collector that does not answer is bounded, and so is the wait of a stop', async (t) => {
  const collector = await openCollector(t);
  collector.hold();
  const server = await start(t, {
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_BSP_MAX_QUEUE_SIZE: '50',
    OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '10',
    OTEL_BSP_SCHEDULE_DELAY: '50',
  });
  for (let round = 0; round < 40; round++) {
    const answers = await Promise.all(Array.from({ length: 10 }, () => fetch(`${server.url}/doctors/`)));
    t.ok(answers.every(({ ok }) => ok));
  }
  const begun = performance.now();
  await server.stop();
  t.ok(performance.now() - begun < 15_000);
  collector.letGo();
  await collector.close();
  t.ok(collector.spans().length <= 60, `${collector.spans().length} of hundreds`);
});

t.test('a value that OpenTelemetry does not know is told at the start', async (t) => {
  const collector = await openCollector(t);
  const server = await start(t, {
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_TRACES_SAMPLER: 'sometimes',
  });
  t.ok(server.log.some((line) => /traces: .*OTEL_TRACES_SAMPLER/.test(line)));
});

t.test('without a collector nothing of OpenTelemetry is loaded', async (t) => {
  const DATA_DIR = dataFolder(t);
  // Elsewhere, since modules are looked for in the folders above too.
  const image = mkdtempSync(join(tmpdir(), 'hospital-image-'));
  t.teardown(() => rmSync(image, { recursive: true }));
  for (const name of ['package.json', 'dist', 'openapi', 'db/migrations', 'plugins/docs']) {
    mkdirSync(dirname(join(image, name)), { recursive: true });
    cpSync(join(root, name), join(image, name), { recursive: true });
  }
  const isOfTraces = (name: string) => name === '@opentelemetry' || name === '@fastify/otel';
  const modules = join(root, 'node_modules');
  for (const name of readdirSync(modules)) {
    const names = name.startsWith('@') ? readdirSync(join(modules, name)).map((each) => `${name}/${each}`) : [name];
    mkdirSync(join(image, 'node_modules', dirname(names[0] ?? '')), { recursive: true });
    for (const each of names.filter((each) => !isOfTraces(each) && !isOfTraces(dirname(each)))) {
      symlinkSync(join(modules, each), join(image, 'node_modules', each));
    }
  }
  const server = await start(t, { DATA_DIR }, image);
  t.equal((await fetch(`${server.url}/doctors/`)).status, 200);
  await server.stop();
  t.notOk(lines(server).some((line) => 'trace_id' in line));
  await t.rejects(start(t, { DATA_DIR, OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1' }, image), {
    message: /opentelemetry|@fastify\/otel/,
  });
});
