/** That the fuzzer finds what is wrong: each of its rules, against answers that break it alone. */
import { createServer, request, type IncomingHttpHeaders } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import postgres from 'postgres';
import { chanceOf } from '../../src/demo/random.js';
import { promoteUser } from '../../src/resources/users/staff.js';
import { buildTestApp, SECRET, type TestApp } from '../helpers/app.js';
import { faultsOfLog, fuzz, Report, type Options } from './fuzz.js';
import { expireKey, fillHospital } from './hospital.js';
import { judge, judgeTwins, wrongRecords } from './judge.js';
import { fuzzedOperations } from './operations.js';
import { curlOf, written } from './report.js';
import { planRequest, wireOf, type Plan } from './requests.js';
import type { Received } from './send.js';
import { smaller } from './shrink.js';
import { File, Raw } from './values.js';
import { World, type Actor } from './world.js';

const ADA: Actor = { name: 'ada', role: 'user', id: 1, username: 'ada', password: 'x', access: 'a.b.c' };
const LAB: Actor = { ...ADA, name: 'lab', role: 'service', scopes: new Set(['patients:read']) };

function planOf(operationId: string, changes: Partial<Plan> = {}): Plan {
  const operation = fuzzedOperations.find((each) => each.operationId === operationId);
  if (operation === undefined) throw new Error(`there is no ${operationId}`);
  const path = operation.path.replace(/\{\w+\}/, '1');
  return {
    ...{ number: 0, operation, actor: ADA, token: 'a.b.c', isTokenBad: false, method: operation.method, path },
    ...{ query: [], headers: {}, body: undefined, intent: { rule: 'valid' } },
    ...changes,
  };
}

const ID = '5f3b8f0e-7a0c-4a9c-8d3e-0a4c1f6b2d11';
const HEADERS = {
  ...{ 'x-request-id': ID, 'cache-control': 'no-store', etag: '"x"' },
  ...{ 'ratelimit-limit': '9', 'ratelimit-remaining': '8', 'ratelimit-reset': '7' },
};

function answer(status: number, body: unknown, changes: Partial<Received> = {}): Received {
  const type = status < 400 ? 'application/json' : 'application/problem+json';
  return {
    ...{ status, text: JSON.stringify(body), milliseconds: 5, failure: undefined },
    ...changes,
    headers: { ...HEADERS, 'content-type': `${type}; charset=utf-8`, ...changes.headers },
  };
}

const problem = (status: number, slug: string, title: string, more: object = {}): Received =>
  answer(status, {
    ...{ type: `/problems/${slug}`, title, status, detail: 'So it is.', instance: `urn:uuid:${ID}` },
    ...more,
  });
const invalid = (errors: object): Received => problem(400, 'invalid-input', 'Invalid input', { errors });

const DESIGNATION = { id: 1, name: 'Chief', slug: 'chief' };
const SERVICE = { id: 1, image: null, name: 'Tea', description: 'Hot.' };

t.test('an answer that is right', (t) => {
  const judged = (plan: Plan, received: Received) => judge(plan, received, { isLimited: false });
  t.strictSame(judged(planOf('getDesignation'), answer(200, DESIGNATION)), []);
  t.strictSame(judged(planOf('getDesignation'), problem(404, 'not-found', 'Not found')), []);
  t.strictSame(
    judged(planOf('getService', { headers: { 'if-none-match': '"x"' } }), answer(304, '', { text: '' })),
    [],
  );
  t.strictSame(judged(planOf('createReview'), invalid({ doctor: ['has an unknown id'] })), []);
  const lacking = { actor: LAB, intent: { rule: 'valid', statuses: [403] } };
  const refused = (detail: string) => problem(403, 'not-allowed', 'Not allowed', { detail });
  t.strictSame(judged(planOf('listContacts', lacking), refused('The service key lacks the scope contacts:read.')), []);
  t.strictSame(judged(planOf('listUsers', lacking), refused('This is for no service key: sign in as a user.')), []);
  const broken = { intent: { rule: 'query type', statuses: [400], field: 'page' } };
  t.strictSame(judged(planOf('listServices', broken), invalid({ page: ['must be an integer'] })), []);
  t.end();
});

t.test('an answer with one thing wrong', (t) => {
  const without = (name: string): Received => answer(200, SERVICE, { headers: { [name]: undefined } });
  const broken = (field: string) => ({ intent: { rule: 'query type', statuses: [400], field } });
  const sent = { type: 'application/json', members: [['name', 'Tea']] } as const;
  for (const [what, plan, received, fault] of [
    ['none', planOf('getService'), answer(0, '', { failure: 'socket hang up' }), /^no answer/],
    ['after a long time', planOf('getService'), answer(200, SERVICE, { milliseconds: 20_001 }), /after more than 20 s/],
    ['500', planOf('getService'), problem(500, 'internal-error', 'Internal error'), /^answered 500/],
    ['503', planOf('getService'), problem(503, 'unavailable', 'Temporarily unavailable'), /^answered 503/],
    ['a status that is not documented', planOf('getService'), answer(202, SERVICE), /does not document/],
    [
      'a media type that is not documented',
      planOf('getService'),
      answer(200, SERVICE, { headers: { 'content-type': 'text/plain' } }),
      /as text\/plain/,
    ],
    ['a member too many', planOf('getService'), answer(200, { ...SERVICE, more: 1 }), /additional properties/],
    [
      'a member too few',
      planOf('getService'),
      answer(200, { ...SERVICE, name: undefined }),
      /required property 'name'/,
    ],
    ['a member of another type', planOf('getService'), answer(200, { ...SERVICE, id: '1' }), /id must be integer/],
    ['a value out of its bounds', planOf('getService'), answer(200, { ...SERVICE, id: 0 }), /must be >= 1/],
    [
      'a text too long',
      planOf('getService'),
      answer(200, { ...SERVICE, name: 'x'.repeat(51) }),
      /more than 50 characters/,
    ],
    ['another format', planOf('getReview'), answer(200, { created_on: 'today' }), /format "date"/],
    ['no ETag', planOf('getService'), without('etag'), /without the header ETag/],
    [
      'an ETag too long',
      planOf('getService'),
      answer(200, SERVICE, { headers: { etag: 'x'.repeat(101) } }),
      /the header ETag/,
    ],
    ['a private one for caches', planOf('getService'), without('cache-control'), /for anybody to keep/],
    ['no id', planOf('getService'), without('x-request-id'), /without an X-Request-Id/],
    ['no limit', planOf('getService'), without('ratelimit-reset'), /without ratelimit-reset/],
    [
      'a problem of another status',
      planOf('getService'),
      problem(404, 'not-found', 'Not found', { status: 400 }),
      /problem of status 400/,
    ],
    [
      'a problem of another request',
      planOf('getService'),
      problem(404, 'not-found', 'Not found', { instance: 'urn:uuid:0' }),
      /another status or request/,
    ],
    [
      'a problem with a title that the operation does not show',
      planOf('getService'),
      problem(404, 'not-found', 'Nowhere'),
      /\(Nowhere\), of which the contract shows no example/,
    ],
    ['a problem without a page', planOf('getService'), problem(404, 'gone', 'Gone'), /has no page/],
    [
      'a problem with another title',
      planOf('getService'),
      problem(404, 'not-found', 'Nowhere'),
      /with the title Nowhere/,
    ],
    [
      'a problem that the operation does not show',
      planOf('getService'),
      problem(404, 'slot-taken', 'Slot taken'),
      /no example/,
    ],
    [
      'an error that is no problem',
      planOf('getService', { path: '/nowhere/' }),
      answer(404, {}, { headers: { 'content-type': 'application/json' } }),
      /an error as application\/json/,
    ],
    [
      'a stack',
      planOf('getService'),
      problem(404, 'not-found', 'Not found', { detail: 'Error at f (/srv/dist/a.js:1:2)' }),
      /internal/,
    ],
    [
      'a query',
      planOf('getService'),
      problem(404, 'not-found', 'Not found', { detail: 'select 1 from users' }),
      /internal/,
    ],
    [
      'words of PostgreSQL',
      planOf('createReview'),
      invalid({ doctor: ['violates foreign key constraint'] }),
      /internal/,
    ],
    [
      'a refusal of what is right',
      planOf('createReview'),
      invalid({ body: ['must be a string'] }),
      /refuses what the schemas take: body/,
    ],
    [
      'a refusal that tells nothing',
      planOf('createReview'),
      problem(400, 'invalid-input', 'Invalid input'),
      /400 without errors/,
    ],
    [
      '200 to what is broken',
      planOf('getService', broken('id')),
      answer(200, SERVICE),
      /answered 200, where 400 is right/,
    ],
    [
      'another fault than that of what is broken',
      planOf('listServices', broken('page')),
      invalid({ limits: ['is bad'] }),
      /does not name page/,
    ],
    [
      '200 where none may come in',
      planOf('listContacts', { token: undefined, intent: { rule: 'valid', statuses: [401] } }),
      answer(200, []),
      /where 401 is right/,
    ],
    [
      '401 to a good token',
      planOf('getMyPatient'),
      problem(401, 'not-authenticated', 'Not authenticated'),
      /401 to a good token/,
    ],
    [
      '403 to a service in its scope',
      planOf('listPatients', { actor: LAB }),
      problem(403, 'not-allowed', 'Not allowed', { detail: 'The service key lacks the scope patients:read.' }),
      /refuses a service what its key is for/,
    ],
    [
      '200 to a service out of its scope',
      planOf('listContacts', { actor: LAB, intent: { rule: 'valid', statuses: [403] } }),
      answer(200, []),
      /answered 200, where 403 is right/,
    ],
    [
      '403 that names another scope',
      planOf('listContacts', { actor: LAB, intent: { rule: 'valid', statuses: [403] } }),
      problem(403, 'not-allowed', 'Not allowed', { detail: 'The service key lacks the scope patients:read.' }),
      /does not tell a service what it lacks/,
    ],
    [
      '403 that names a scope where no service may',
      planOf('listUsers', { actor: LAB, intent: { rule: 'valid', statuses: [403] } }),
      problem(403, 'not-allowed', 'Not allowed', { detail: 'Only staff may do this.' }),
      /does not tell a service what it lacks/,
    ],
    ['304 to who has nothing', planOf('getService'), answer(304, '', { text: '' }), /304 without/],
    [
      '412 to who asks for nothing',
      planOf('deleteService'),
      problem(412, 'precondition-failed', 'Changed meanwhile'),
      /412 without/,
    ],
    ['413 to what is small', planOf('createReview'), problem(413, 'too-large', 'Too large'), /answered 413/],
    [
      '415 to what is right',
      planOf('createReview'),
      problem(415, 'unsupported-media-type', 'Unsupported media type'),
      /answered 415/,
    ],
    [
      '422 to who names nothing',
      planOf('createReview'),
      problem(422, 'idempotency-key-reused', 'Idempotency-Key reused'),
      /answered 422/,
    ],
    [
      '429 within the limits',
      planOf('getService'),
      problem(429, 'too-many-requests', 'Too many requests'),
      /429 within/,
    ],
    ['HEAD with a body', planOf('getService', { method: 'HEAD' }), answer(200, SERVICE), /HEAD with a body/],
    [
      'a text that was changed',
      planOf('replaceService', { body: sent }),
      answer(200, { ...SERVICE, name: 'tea' }),
      /keeps name as "tea"/,
    ],
    [
      'no URL of what was made',
      planOf('createDesignation'),
      answer(201, DESIGNATION, { headers: { location: 'http://x:99999/designations/1/' } }),
      /URL/,
    ],
  ] as const) {
    const faults = judge(plan, received, { isLimited: false });
    t.ok(
      faults.some((each) => fault.test(each)),
      `${what}: ${faults.join('; ')}`,
    );
  }
  t.end();
});

t.test('a repeat', (t) => {
  const first = answer(201, DESIGNATION);
  const replayed = answer(201, DESIGNATION, { headers: { 'idempotent-replayed': 'true' } });
  t.strictSame(judgeTwins(first, replayed), []);
  t.match(judgeTwins(first, first), [/does not tell/]);
  t.match(judgeTwins(first, answer(201, { ...DESIGNATION, id: 2 })), [/answers a repeat/]);
  t.match(judgeTwins(first, problem(409, 'already-exists', 'Already exists')), [/and its repeat 409/]);
  t.end();
});

t.test('the log', (t) => {
  t.strictSame(faultsOfLog('{"level":30,"msg":"ready"}\n{"level":40,"msg":"slow"}\n'), []);
  t.match(faultsOfLog('{"level":50,"msg":"unexpected error"}\n'), [/unexpected error/]);
  t.match(faultsOfLog('(node:1) Warning: x\n'), [/the server says/]);
  t.end();
});

t.test('a request that is made smaller', async (t) => {
  const members = [
    ['name', 'x'],
    ['slug', 'y'],
  ] as const;
  const plan = planOf('createDesignation', {
    ...{
      headers: { a: '1', b: '2' },
      query: [
        ['q', 1],
        ['r', 2],
      ],
    },
    body: { type: 'application/json', members },
  });
  const small = await smaller(plan, async ({ headers, body }) =>
    Promise.resolve(
      'b' in headers && body !== undefined && 'type' in body && body.members.some(([name]) => name === 'slug'),
    ),
  );
  t.match(small, { query: [], headers: { b: '2' }, body: { members: [['slug', 'y']] } });
  t.strictSame(Object.keys(small?.headers ?? {}), ['b']);
  t.equal(await smaller(plan, () => Promise.resolve(false)), undefined, 'whose fault is gone');
  const broken = { ...plan, intent: { rule: 'json null', field: 'name' } };
  const left = await smaller(broken, () => Promise.resolve(true));
  t.match(left, { query: [], headers: {}, body: { members: [['name', 'x']] } }, 'what is broken stays');
  t.end();
});

t.test('a request as it is sent and shown', (t) => {
  const body = { type: 'application/json', members: [['fee', new Raw('1e400')]] } as const;
  t.equal(wireOf(planOf('createDoctor', { body })).body?.toString(), '{"fee":1e400}');
  const form = {
    type: 'multipart/form-data',
    members: [
      ['fee', new Raw('%ff')],
      ['profile', new File(Buffer.from('x'))],
    ],
  } as const;
  const { body: bytes } = wireOf(planOf('createDoctor', { body: form }));
  t.ok(bytes?.includes(Buffer.from([0x0d, 0x0a, 0xff, 0x0d, 0x0a])), 'bytes that are no UTF-8');
  t.match(bytes?.toString(), /name="profile"; filename="a.png"\r\nContent-Type: image\/png\r\n\r\nx\r\n/);
  t.equal(
    curlOf(planOf('getDoctor', { query: [['a', "it's"]] })),
    `curl -i -X GET --path-as-is $'http://localhost:8000/doctors/1/?a=it\\x27s' \\\n  -H 'authorization: Bearer <ada>'`,
  );
  t.end();
});

t.test('the same seed makes the same requests, of each operation and kind', (t) => {
  const made = (seed: number) => {
    const world = new World();
    world.actors.push({ ...ADA, name: 'nobody', role: 'nobody' }, ADA, LAB, { ...ADA, name: 'staff', role: 'staff' });
    return fuzzedOperations.flatMap((operation) =>
      Array.from({ length: 40 }, (_, at) => planRequest(world, operation, at, chanceOf(seed + at))),
    );
  };
  const one = made(1);
  t.strictSame(made(1).map(wireOf), one.map(wireOf));
  t.notSame(made(2).map(wireOf), one.map(wireOf));
  for (const { operationId } of fuzzedOperations) {
    const rules = one.filter(({ operation }) => operation.operationId === operationId).map(({ intent }) => intent.rule);
    t.ok(rules.includes('valid') && rules.some((rule) => rule !== 'valid' && !rule.startsWith('odd')), operationId);
  }
  t.end();
});

interface Reply {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
}
interface Asked {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
}
type Tamper = (reply: Reply, asked: Asked) => void;

/** Passes requests on, and changes some answers. */
async function tampering(t: Test, url: string, tamper: Tamper): Promise<string> {
  const server = createServer((asked, reply) => {
    const { method = '', url: path = '', headers } = asked;
    const passed = request(new URL(url), { method, path, headers }, (answered) => {
      const chunks: Buffer[] = [];
      answered.on('data', (chunk: Buffer) => chunks.push(chunk));
      answered.on('end', () => {
        const changed = {
          status: answered.statusCode ?? 0,
          headers: { ...answered.headers },
          body: Buffer.concat(chunks),
        };
        tamper(changed, { method, url: path, headers });
        delete changed.headers['transfer-encoding'];
        delete changed.headers['connection'];
        if (method !== 'HEAD' && changed.status !== 204 && changed.status !== 304) {
          changed.headers['content-length'] = String(changed.body.length);
        }
        reply.writeHead(changed.status, changed.headers).end(changed.body);
      });
    });
    passed.on('error', () => reply.destroy());
    asked.pipe(passed);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.closeAllConnections());
  t.teardown(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

t.test('a server that is asked', async (t) => {
  const api: TestApp = await buildTestApp(t, {}, { now: () => new Date() });
  await fillHospital({ db: api.database.db, timeZone: () => 'UTC' }, t.testdirName);
  const url = await api.app.listen({ port: 0, host: '127.0.0.1' });
  const sql = postgres(api.databaseUrl, { max: 1 });
  t.teardown(() => sql.end());
  const run = async (through: string, options: Partial<Options> = {}): Promise<{ report: Report; world: World }> => {
    const report = new Report();
    const promote = (username: string) => promoteUser(api.database.db, username);
    const expire = (key: number) => expireKey(api.database.db, key);
    const world = await fuzz(
      { url: through, sql, secret: SECRET, log: undefined, promote, expire },
      { seed: 1, from: 0, to: 400, ...options },
      report,
    );
    return { report, world };
  };
  const only = (operationId: string) => fuzzedOperations.filter((each) => each.operationId === operationId);
  const whats = ({ faults }: Report): string[] => [...faults.values()].map(({ what }) => what);

  await t.test('has nothing wrong', async (t) => {
    const { report } = await run(await tampering(t, url, () => undefined));
    t.strictSame(whats(report), []);
    t.ok(
      report.answers.size > 80 && report.rules.size > 40,
      `${report.answers.size} operations, ${report.rules.size} rules`,
    );
    t.match(written(report, fuzzedOperations, true), /400 requests in .*\nNothing is wrong\.$/);
  });

  await t.test('answers a field that the contract does not have', async (t) => {
    const through = await tampering(t, url, (reply, { url: path }) => {
      if (!path.startsWith('/clinic') || reply.status !== 200) return;
      reply.body = Buffer.from(JSON.stringify({ ...(JSON.parse(reply.body.toString()) as object), secret: 1 }));
    });
    const { report } = await run(through, { operations: only('getClinic'), to: 30 });
    t.match(whats(report)[0], /getClinic answered 200: against the contract/);
    t.match(written(report, [], false), /curl -i -X GET .*\/clinic\/[^]* kinds of faults\.$/);
  });

  await t.test('refuses a good token', async (t) => {
    const through = await tampering(t, url, (reply, { url: path }) => {
      if (!path.startsWith('/agenda')) return;
      const { body } = problem401(reply);
      Object.assign(reply, { status: 401, body });
      reply.headers['www-authenticate'] = 'Bearer';
      reply.headers['content-type'] = 'application/problem+json';
    });
    const { report } = await run(through, { operations: only('getAgenda'), to: 40 });
    t.ok(
      whats(report).some((what) => what.startsWith('answered 401 to a good token')),
      whats(report).join('; '),
    );
  });

  await t.test('lets in a service without the scope, or by a secret that has ended', async (t) => {
    const lacking = new Set<string>();
    const through = await tampering(t, url, (reply, { url: path, headers: { authorization = '' } }) => {
      if (!authorization.startsWith('Bearer hospital_key_') || !path.startsWith('/patients/me/accesses')) return;
      if (reply.status !== 403 && reply.status !== 401) return;
      if (reply.status === 403) lacking.add(authorization);
      Object.assign(reply, { status: 200, body: Buffer.from('{"next":null,"results":[]}') });
      reply.headers['content-type'] = 'application/json';
    });
    const { report, world } = await run(through, { operations: only('listMyAccesses') });
    for (const status of [401, 403]) {
      t.ok(whats(report).includes(`answered 200, where ${status} is right`), `${status}: ${whats(report).join('; ')}`);
    }
    t.equal(lacking.size, 2, 'keys with all scopes, and with one');
    const ended = world.badTokens.filter((token) => token.startsWith('hospital_key_'));
    t.equal(ended.length, 4, 'secrets that were revoked, have expired, were rotated away, and never were');
    for (const token of ended) {
      const { status } = await fetch(`${url}/patients/`, { headers: { authorization: `Bearer ${token}` } });
      t.equal(status, 401);
    }
  });

  await t.test('acknowledges what it does not keep', async (t) => {
    const through = await tampering(t, url, (reply) => {
      if (reply.status === 201) reply.headers.location = String(reply.headers.location).replace(/\d+\/$/, '777777/');
    });
    const { report } = await run(through, { operations: only('createDesignation'), to: 60 });
    t.ok(
      whats(report).some((what) => /\/777777\/, which createDesignation .* answers 404/.test(what)),
      'lost',
    );
  });

  await t.test('has booked a doctor and a patient twice', async (t) => {
    t.strictSame(await wrongRecords(sql), []);
    await sql.unsafe(`
      alter table appointments drop constraint appointments_doctor_period_excl, drop constraint appointments_patient_period_excl;
      alter table appointments disable trigger user;
      insert into appointments (patient_id, doctor_id, available_time_id, date, period, type, symptoms)
        select patient_id, doctor_id, available_time_id, date, period, type, symptoms from appointments
        where not is_cancelled and archived_at is null and not is_overbooked and period is not null order by id limit 1`);
    t.match(await wrongRecords(sql), [/a doctor is booked twice/, /a patient is booked twice/]);
  });
});

function problem401({ headers }: Reply): Pick<Reply, 'body'> {
  const id = String(headers['x-request-id']);
  const { text } = problem(401, 'not-authenticated', 'Not authenticated', { instance: `urn:uuid:${id}` });
  return { body: Buffer.from(text) };
}
