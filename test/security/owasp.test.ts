/** The ten of the OWASP API Security Top 10 (2023), each as an attack; docs/security.md has the defence of each. */
import { createServer } from 'node:net';
import t from 'tap';
import { buildTestApp, type CallOptions, type TestApp } from '../helpers/app.js';
import { OpenIdServer, REDIRECT_URI } from '../helpers/openid.js';
import { ACTORS, backUp, buildClinic, TABLE, type Actor, type Clinic } from '../helpers/clinic.js';
import { allOperations, exampleOf, pathOf, type Operation } from '../helpers/operations.js';
import { forgeToken, now } from '../helpers/tokens.js';

/** Words that nobody but the owner, the doctor who treats the owner and staff may read. */
const PLANTED = [
  'planted-symptoms',
  'planted-bio',
  'planted-address',
  'planted-email',
  '+44 20 7777',
  'planted-massage',
];

/** Puts the words into every record of the owner's that holds something personal. */
async function plant(api: TestApp, { users: { owner }, ids }: Clinic): Promise<void> {
  const { token } = owner;
  const send = async (path: string, body: object) => {
    const { status, text } = await api.patch(path, { token, body });
    if (status !== 200) throw new Error(`${path} answered ${status}: ${text}`);
  };
  await send(`/api/user/profiles/${ids['profileId']}/`, {
    ...{ bio: 'planted-bio', address: 'planted-address', email: 'planted-email@example.com' },
  });
  await send(`/patients/${ids['patientId']}/`, { phone: '+44 20 7777' });
  await send(`/appointments/${ids['appointmentId']}/`, { symptoms: 'planted-symptoms' });
  await send(`/contacts/${ids['contactId']}/`, { massage: 'planted-massage' });
}

const tokenOf = ({ users }: Clinic, actor: Actor): string | undefined =>
  actor === 'anonymous' ? undefined : users[actor].token;

/** What the table of access has an actor send for an operation, and the statuses that the actors get. */
async function requestOf(clinic: Clinic, { config, url }: Operation, actor: Actor) {
  const [statuses, prepare] = TABLE[config.operationId as keyof typeof TABLE];
  const { path, ...options } = (await prepare?.(clinic, actor)) ?? {};
  const request: CallOptions = { ...options, token: tokenOf(clinic, actor) };
  return { url: url.replace(/:\w+/, path ?? ''), request, status: statuses[ACTORS.indexOf(actor)] };
}

t.test(
  'API1 object level authorization: no answer shows others what is personal, whatever id or filter is asked for',
  async (t) => {
    const api = await buildTestApp(t);
    const clinic = await buildClinic(api);
    await plant(api, clinic);
    const restore = await backUp(api);
    const found = new Set<string>();
    for (const actor of ['anonymous', 'other', 'doctor', 'owner', 'staff'] as const) {
      for (const operation of allOperations) {
        const { method, config } = operation;
        const { url, request } = await requestOf(clinic, operation, actor);
        const filters = Object.keys(operation.schema.querystring?.properties ?? {}).includes('search');
        const urls = [url, ...(filters ? ['planted', 'user'].map((word) => `${url}?search=${word}`) : [])];
        let isChanged = false;
        for (const each of urls) {
          const { text, status } = await api.call(method, each, request);
          isChanged ||= method !== 'GET' && status < 300;
          const seen = PLANTED.filter((word) => text.includes(word));
          if (actor === 'owner' || actor === 'staff') for (const word of seen) found.add(word);
          else t.strictSame(seen, [], `${config.operationId} of ${actor}`);
        }
        if (isChanged) {
          await restore();
          for (const user of Object.values(clinic.users)) api.app.tokens.forgetUser(user.id);
        }
      }
    }
    t.strictSame([...found].sort(), [...PLANTED].sort(), 'those who may see them do');
  },
);

t.test(
  'API2 authentication: nothing that is signed by others, out of date or of another kind is a token anywhere',
  async (t) => {
    const api = await buildTestApp(t);
    const clinic = await buildClinic(api);
    const { staff } = clinic.users;
    const claims = { sub: String(staff.id), use: 'access', exp: now() + 60 };
    const forged = {
      'alg none': forgeToken(claims, { header: { alg: 'none' } }).replace(/[^.]*$/, ''),
      'another secret': forgeToken(claims, { secret: 'x'.repeat(32) }),
      over: forgeToken({ ...claims, exp: now() - 1 }),
      'a refresh token': staff.refresh,
    };
    for (const operation of allOperations) {
      if (operation.config.access === 'public') continue;
      for (const [name, token] of Object.entries(forged)) {
        const { url, request } = await requestOf(clinic, operation, 'staff');
        const { status } = await api.call(operation.method, url, { ...request, token });
        const anonymous = await requestOf(clinic, operation, 'anonymous');
        if (operation.config.access !== 'optional')
          t.equal(status, 401, `${operation.config.operationId} with ${name}`);
        else t.ok(status === 401 || status === anonymous.status, `${operation.config.operationId} with ${name}`);
      }
    }
  },
);

/** What nobody changes by a field that the operation does not have: who somebody is, what they may do, and whose a record is. */
const rights = async ({ database: { db } }: TestApp, last: Readonly<Record<string, number>>): Promise<unknown[]> =>
  Promise.all(
    Object.entries({
      users: 'username, is_staff, is_active, password_hash, token_generation',
      profiles: 'user_id',
      patients: 'user_id, managed_by',
      doctors: 'user_id, is_active, is_approved',
      reviews: 'patient_id',
      appointments: 'patient_id, archived_at',
      contacts: 'user_id',
    }).map(([table, columns]) =>
      db.execute(`select id, ${columns} from ${table} where id <= ${last[table] ?? 1_000_000} order by id`),
    ),
  );

/** What these are for is to change what users may do, by which session. */
const CHANGING_RIGHTS = ['changePassword', 'resetPassword', 'logOut', 'removeTotp'];

t.test(
  'API3 object property level authorization: a field that an operation does not have changes nothing',
  async (t) => {
    const api = await buildTestApp(t);
    const clinic = await buildClinic(api);
    const restore = await backUp(api);
    const { staff, owner, other } = clinic.users;
    const extra = {
      ...{ id: 1, user: other.id, user_id: other.id, userId: other.id, owner: other.id, managed_by: other.id },
      ...{ is_staff: true, isStaff: true, is_active: true, is_superuser: true, role: 'staff', is_approved: false },
      ...{ password_hash: 'x', token_generation: 7, version: 7, archived_at: null, archivedAt: null, patient_id: 1 },
    };
    const last = Object.fromEntries(
      await Promise.all(
        ['users', 'profiles', 'patients', 'doctors', 'reviews', 'appointments', 'contacts'].map(async (table) => {
          const [row] = await api.database.db.execute<{ last: number }>(`select max(id)::int as last from ${table}`);
          return [table, row?.last ?? 0] as const;
        }),
      ),
    );
    const before = await rights(api, last);
    let tried = 0;
    for (const operation of allOperations) {
      const { body } = operation.schema;
      if (body === undefined || CHANGING_RIGHTS.includes(operation.config.operationId)) continue;
      for (const actor of ['owner', 'treating'] as const) {
        const { url, request } = await requestOf(clinic, operation, actor);
        if (request.form !== undefined) continue;
        const added = Object.fromEntries(Object.entries(extra).filter(([name]) => !(name in (body.properties ?? {}))));
        const { status } = await api.call(operation.method, url, {
          ...request,
          body: { ...added, ...(request.body as object | undefined) },
        });
        if (status >= 300) continue;
        tried += 1;
        t.strictSame(await rights(api, last), before, `${operation.config.operationId} of ${actor}`);
        await restore();
      }
    }
    t.ok(tried > 30, `${tried} requests were taken`);
    const page = await api.get('/doctors/', { token: owner.token });
    t.notMatch(page.text, /user_id|is_approved|username|email/);
    t.match((await api.get('/doctors/', { token: staff.token })).text, /user_id/);
  },
);

t.test('API4 resource consumption: every path has a limit, every list a bound, every body a size', async (t) => {
  const strict = await buildTestApp(t, { RATE_LIMIT_ANON: '3', RATE_LIMIT_USER: '3', RATE_LIMIT_AUTH: '3' });
  const paths = ['/', '/docs/', '/guide/', '/reference/', '/openapi.json', '/openapi.yaml', '/nothing/', '/doctors/'];
  for (const [index, path] of paths.entries()) {
    const from = { remoteAddress: `192.0.2.${index}` };
    const statuses = [];
    for (let n = 0; n < 4; n += 1) statuses.push((await strict.get(path, from)).status);
    t.equal(statuses[3], 429, path);
    t.notOk(statuses.slice(0, 3).includes(429), path);
  }
  const api = await buildTestApp(t);
  const { token } = await api.registerStaff();
  for (const operation of allOperations) {
    const { method, schema, config } = operation;
    if (schema.querystring?.properties['limits'] !== undefined) {
      t.equal((await api.get(`${pathOf(operation)}?limits=1001`, { token })).status, 400, config.operationId);
    }
    if (!config.consumes.includes('application/json')) continue;
    const body = JSON.stringify({ text: 'x'.repeat(300_000) });
    t.equal((await api.call(method, pathOf(operation), { token, body })).status, 413, config.operationId);
  }
});

/** A digest of each table but the audit, which refusals are for. */
async function allRows({ database: { db } }: TestApp): Promise<unknown[]> {
  const tables = await db.execute<{ name: string }>(
    `select table_name as name from information_schema.tables
     where table_schema = 'public' and table_name not like 'audit%' order by 1`,
  );
  return Promise.all(
    tables.map(async ({ name }) => [
      name,
      await db.execute(`select md5(string_agg(x::text, ',' order by x::text)) as md5 from "${name}" x`),
    ]),
  );
}

/** Keys of services: with all scopes, and with all but one. */
async function serviceKeys(api: TestApp, { users: { staff } }: Clinic) {
  const scopes = [...new Set(allOperations.flatMap(({ config }) => config.serviceScope ?? []))];
  const make = async (name: string, scopes: readonly string[]): Promise<string> =>
    (await api.post('/service-keys/', { token: staff.token, body: { name, scopes } })).body.secret;
  const without: Record<string, string> = {};
  for (const scope of scopes) {
    without[scope] = await make(
      `all but ${scope}`,
      scopes.filter((each) => each !== scope),
    );
  }
  return { all: await make('all', scopes), without };
}

/** What a service with every scope must never have: it would become somebody, or let others in. */
const NO_SERVICES = [
  ...['service-keys', 'users'],
  ...['createProfile', 'getMyProfile', 'replaceProfile', 'updateProfile', 'deleteProfile'],
  ...[
    'getMyPatient',
    'listMyAccesses',
    'listDependants',
    'createDependant',
    'createInvitation',
    'erasePatient',
    'exportPatient',
    'getMyDoctor',
  ],
  ...['createReview', 'replaceReview', 'updateReview'],
];

t.test('API5 function level authorization of services: a key has what its scopes name, and no more', async (t) => {
  const api = await buildTestApp(t);
  const clinic = await buildClinic(api);
  const { all, without } = await serviceKeys(api, clinic);
  // That a key is in use is noted in its row.
  const stored = async () => [
    ...(await allRows(api)).filter((row) => (row as [string])[0] !== 'service_keys'),
    await api.database.db.execute('select id, name, scopes, secret_hash, archived_at from service_keys order by id'),
  ];
  const before = await stored();
  const refused = async (operation: Operation, token: string): Promise<number> => {
    const { url, request } = await requestOf(clinic, operation, 'staff');
    return (await api.call(operation.method, url, { ...request, token })).status;
  };
  const closed: string[] = [];
  for (const operation of allOperations) {
    const { operationId, access, serviceScope, ignoredTokens } = operation.config;
    // What is for anyone is for services too: as anyone has it.
    if (access === 'public' || ignoredTokens === 'all') continue;
    if (serviceScope === null) {
      closed.push(operationId);
      t.equal(await refused(operation, all), 403, `${operationId} by a key with all scopes`);
    } else t.equal(await refused(operation, without[serviceScope] as string), 403, `${operationId} without its scope`);
  }
  const isClosed = ({ config: { operationId, tag, access } }: Operation) =>
    access !== 'public' && (NO_SERVICES.includes(tag) || NO_SERVICES.includes(operationId));
  t.strictSame(
    closed,
    allOperations.filter(isClosed).map(({ config }) => config.operationId),
  );
  t.strictSame(await stored(), before, 'nothing is stored, made or let in');
});

t.test(
  'API2 authentication of services: what is no key, no more a key, or a key of others is 401 anywhere',
  async (t) => {
    const api = await buildTestApp(t);
    const clinic = await buildClinic(api);
    const { staff } = clinic.users;
    const scopes = [...new Set(allOperations.flatMap(({ config }) => config.serviceScope ?? []))];
    const make = async (name: string) =>
      (await api.post('/service-keys/', { token: staff.token, body: { name, scopes } })).body as {
        id: number;
        secret: string;
      };
    const [revoked, rotated] = [await make('revoked'), await make('rotated')];
    await api.delete(`/service-keys/${revoked.id}/`, { token: staff.token });
    await api.post(`/service-keys/${rotated.id}/rotate/`, { token: staff.token, body: { old_ends_in: 0 } });
    const [{ hash }] = (await api.database.db.execute<{ hash: string }>(
      `select secret_hash as hash from service_keys where id = ${rotated.id}`,
    )) as unknown as [{ hash: string }];
    const bad = {
      revoked: revoked.secret,
      'rotated away': rotated.secret,
      'what is stored': hash,
      'what is stored, like a secret': `hospital_key_${hash}`,
      'cut short': rotated.secret.slice(0, -1),
      'the prefix': 'hospital_key_',
      odd: `hospital_key_'${'x'.repeat(500)}`,
    };
    for (const operation of allOperations) {
      const { operationId, access, ignoredTokens } = operation.config;
      if (access === 'public' || ignoredTokens !== 'none') continue;
      for (const [name, token] of Object.entries(bad)) {
        const { url, request } = await requestOf(clinic, operation, 'staff');
        t.equal(
          (await api.call(operation.method, url, { ...request, token })).status,
          401,
          `${operationId} with ${name}`,
        );
      }
    }
  },
);

t.test(
  'API5 function level authorization: what is for staff is refused to all others, and stores nothing',
  async (t) => {
    const api = await buildTestApp(t);
    const clinic = await buildClinic(api);
    const before = await allRows(api);
    let tried = 0;
    for (const operation of allOperations) {
      if (operation.config.access !== 'staff') continue;
      for (const actor of ['anonymous', 'owner', 'other', 'treating', 'doctor', 'inactive'] as const) {
        const { url, request } = await requestOf(clinic, operation, actor);
        const { status } = await api.call(operation.method, url, request);
        tried += 1;
        t.equal(
          status,
          actor === 'anonymous' || actor === 'inactive' ? 401 : 403,
          `${operation.config.operationId} of ${actor}`,
        );
      }
    }
    t.ok(tried > 100);
    t.strictSame(await allRows(api), before);
  },
);

t.test('API6 business flows: nobody takes what is for all by asking often', async (t) => {
  // As it comes out of the box.
  const api = await buildTestApp(t, {
    ...{ MAX_OPEN_BOOKINGS: '20', MAX_OPEN_BOOKINGS_PER_DOCTOR: '5', RATE_LIMIT_AUTH: '20' },
  });
  const staff = await api.registerStaff();
  const { id: time } = (await api.post('/available-time/', { token: staff.token, body: { time: '10:00' } })).body;
  const doctors = await Promise.all(
    Array.from({ length: 5 }, async () => (await api.registerDoctor({ available_time: [time] })).doctorId),
  );
  const { token } = await api.register();
  const book = (doctor: number) =>
    api.post('/appointments/', { token, body: { doctor, time, appointment_type: 'Offline', symptoms: 'Cough' } });
  const booked: number[] = [];
  for (const doctor of doctors) {
    for (let n = 0; n < 6; n += 1) {
      const { status } = await book(doctor);
      t.ok(status === 201 || status === 403);
      if (status === 201) booked.push(doctor);
    }
  }
  t.strictSame(booked.length, 20, 'in all');
  t.strictSame(booked.filter((doctor) => doctor === doctors[0]).length, 5, 'with one doctor');
  for (const path of ['/contacts/', '/api/user/register/']) {
    const statuses = [];
    for (let n = 0; n < 21; n += 1) {
      statuses.push((await api.post(path, { body: {}, remoteAddress: `198.51.100.${path.length}` })).status);
    }
    t.strictSame(statuses.slice(19), [400, 429], path);
  }
});

t.test('API7 request forgery: no field and no header makes the server connect anywhere', async (t) => {
  let connections = 0;
  const listener = createServer((socket) => {
    connections += 1;
    socket.destroy();
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  t.teardown(() => listener.close());
  const { port } = listener.address() as { port: number };
  const url = `http://127.0.0.1:${port}/planted`;
  const headers = {
    ...{ host: `127.0.0.1:${port}`, 'x-forwarded-host': `127.0.0.1:${port}`, referer: url, origin: url },
    ...{ 'x-forwarded-for': `127.0.0.1:${port}`, 'x-original-url': url, 'x-rewrite-url': url, destination: url },
  };
  const api = await buildTestApp(t, { TRUST_PROXY: 'on' });
  const clinic = await buildClinic(api);
  const restore = await backUp(api);
  let taken = 0;
  for (const operation of allOperations) {
    const { url: path, request } = await requestOf(clinic, operation, 'staff');
    const texts = Object.entries(operation.schema.body?.properties ?? {}).filter(([, { type }]) => type === 'string');
    const body = request.form === undefined && operation.schema.body !== undefined ? exampleOf(operation) : undefined;
    const bodies = texts.map(([name]) => ({ ...body, ...(request.body as object | undefined), [name]: url }));
    for (const each of bodies.length > 0 ? bodies : [request.body]) {
      const { status } = await api.call(operation.method, path, { ...request, body: each, headers });
      if (status < 300) {
        taken += 1;
        await restore();
      }
    }
  }
  t.ok(taken > 50, `${taken} requests were taken`);

  const provider = await OpenIdServer.start(t);
  const signingIn = await buildTestApp(t, provider.environment());
  const start = (redirect_uri: string) => signingIn.post('/api/user/oidc/start/', { body: { redirect_uri }, headers });
  t.equal((await start(url)).status, 400);
  provider.before = (_request, response) => response.writeHead(307, { location: url }).end();
  t.equal((await start(REDIRECT_URI)).status, 503);
  provider.before = () => undefined;
  const { state } = (await start(REDIRECT_URI)).body;
  const body = { code: url, state };
  t.equal((await signingIn.post('/api/user/oidc/callback/', { body, headers })).status, 401);
  // Whatever would be sent in the background had as long as it takes to get here.
  await new Promise((resolve) => setImmediate(resolve));
  t.equal(connections, 0);
});

t.test('API8 configuration: every answer has the security headers, and none shows what is inside', async (t) => {
  const api = await buildTestApp(t);
  const clinic = await buildClinic(api);
  const check = ({ headers, text }: { headers: Readonly<Record<string, unknown>>; text: string }, what: string) => {
    t.match(
      headers,
      {
        'content-security-policy': /default-src 'none'/,
        'x-content-type-options': 'nosniff',
        'referrer-policy': 'no-referrer',
        'strict-transport-security': /max-age=\d{8}/,
        'x-request-id': /./,
      },
      what,
    );
    for (const name of ['server', 'x-powered-by', 'via']) t.notOk(name in headers, `${what}: ${name}`);
    t.notMatch(text, /node_modules|\.[jt]s:\d|at Object|postgres|drizzle|\bselect .* from\b|ECONN|stack/i, what);
  };
  const odd: CallOptions = { body: '{"a":', headers: { 'if-match': '"', prefer: 'handling=strict' } };
  for (const operation of allOperations) {
    const { method, config } = operation;
    const { url, request } = await requestOf(clinic, operation, 'anonymous');
    check(await api.call(method, url, request), config.operationId);
    const { token } = clinic.users.staff;
    check(await api.call(method, pathOf(operation, "1'%00"), { token }), `${config.operationId} with a bad id`);
    check(await api.call(method, `${pathOf(operation)}?page=x&limits=-1&x[]=1`, { ...odd, token }), config.operationId);
  }
  for (const path of ['/nothing', '/%00', '/..%2f..%2fetc/passwd', '/pictures/..%2f..%2fsecret']) {
    check(await api.get(path), path);
  }
  t.equal((await api.call('TRACE', '/doctors/')).status, 404);
  const { headers } = await api.get('/doctors/', { headers: { origin: 'null' } });
  t.notOk('access-control-allow-credentials' in headers, 'a page in a sandbox is nobody');
});

t.test('API9 inventory: what is served is what the contract has, and nothing else', async (t) => {
  const api = await buildTestApp(t);
  const methods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'];
  const paths = [...new Set(allOperations.map(({ url }) => url))];
  for (const url of paths) {
    const path = url.replaceAll(/:\w+/g, '1');
    for (const method of methods) {
      const isThere = allOperations.some((operation) => operation.url === url && operation.method === method);
      const { status, body } = await api.call(method, path, { body: method === 'GET' ? undefined : {} });
      // A path of fixed words may be of a form with an id as well, such as /patients/me/.
      const isOther = allOperations.some(
        (operation) =>
          operation.method === method && new RegExp(`^${operation.url.replaceAll(/:\w+/g, '[^/]+')}$`).test(path),
      );
      if (isThere) t.notMatch(body, { type: '/problems/no-such-path' }, `${method} ${url}`);
      else if (!isOther) t.ok(status === 404 || status === 405, `${method} ${url} ${status}`);
    }
  }
  for (const path of [
    ...['/admin/', '/debug/', '/.env', '/.git/config', '/graphql', '/swagger.json', '/server-status'],
    ...['/api/', '/v1/doctors/', '/api/v2/user/login/', '/actuator/health', '/console', '/phpinfo.php', '/backup.sql'],
  ]) {
    t.equal((await api.get(path)).status, 404, path);
  }
  t.equal(
    (await api.get('/metrics', { remoteAddress: '192.0.2.7' })).status,
    401,
    'metrics are for staff and this machine',
  );
});

t.test('API10 consumption of what others say: headers of proxies count only from those that are named', async (t) => {
  const direct = await buildTestApp(t, { RATE_LIMIT_ANON: '5' });
  const ask = (api: TestApp, n: number, remoteAddress: string) =>
    api.get('/doctors/', {
      remoteAddress,
      headers: { 'x-forwarded-for': `203.0.113.${n}`, 'x-forwarded-host': 'evil.example' },
    });
  const statuses = [];
  for (let n = 0; n < 6; n += 1) statuses.push((await ask(direct, n, '192.0.2.1')).status);
  t.strictSame(statuses, [200, 200, 200, 200, 200, 429], 'without a proxy all are one');
  const { status } = await direct.get('/services/', { headers: { 'x-forwarded-host': 'evil.example' } });
  t.equal(status, 200);
  const behind = await buildTestApp(t, { RATE_LIMIT_ANON: '5', TRUST_PROXY: '10.0.0.1' });
  for (let n = 0; n < 6; n += 1) t.equal((await ask(behind, n, '10.0.0.1')).status, 200, 'of the proxy they are six');
  const others = [];
  for (let n = 0; n < 6; n += 1) others.push((await ask(behind, n, '10.0.0.2')).status);
  t.equal(others[5], 429, 'of another address one');
});
