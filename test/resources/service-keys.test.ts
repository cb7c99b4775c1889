import t from 'tap';
import { ServiceScope } from '../../openapi/generated/schemas.js';
import { anotherInstance, buildTestApp, MORNING, type Body, type CallOptions, type TestApp } from '../helpers/app.js';
import { backUp, buildClinic, TABLE } from '../helpers/clinic.js';
import { allOperations, type Operation } from '../helpers/operations.js';
import { race, RACING, untilQueued } from '../helpers/races.js';

const SCOPES = (ServiceScope as unknown as { anyOf?: { const: string }[]; enum?: string[] }).enum ?? [];
const DAY = 86_400_000;

/** The clock of a test, which stands still until it is moved. */
function clockOf() {
  let time = MORNING.getTime();
  return { now: () => new Date(time), pass: (milliseconds: number) => (time += milliseconds) };
}

/** A server with staff, and a way to make keys. */
async function build(
  t: Parameters<typeof buildTestApp>[0],
  environment: Record<string, string> = {},
  options: Parameters<typeof buildTestApp>[2] = {},
) {
  const api = await buildTestApp(t, environment, options);
  const { token } = await api.registerStaff({ username: 'reception' });
  let made = 0;
  const make = async (scopes: readonly string[], more: object = {}): Promise<{ id: number; secret: string }> => {
    const answer = await api.post('/service-keys/', { token, body: { name: `Key ${++made}`, scopes, ...more } });
    if (answer.status !== 201) throw new Error(answer.text);
    return answer.body;
  };
  return { api, token, make };
}

/** All that is stored, as text. */
async function dump({ database: { db } }: TestApp): Promise<string> {
  const tables = await db.execute<{ name: string }>(
    `select quote_ident(table_name) as name from information_schema.tables where table_schema = 'public' and table_type = 'BASE TABLE'`,
  );
  const texts: string[] = [];
  for (const { name } of tables) {
    texts.push(...(await db.execute<{ row: string }>(`select x::text as row from ${name} x`)).map(({ row }) => row));
  }
  return texts.join('\n');
}

t.test('service keys', async (t) => {
  const clock = clockOf();
  const { api, token } = await build(t, {}, { now: clock.now });
  const create = (body: object) => api.post('/service-keys/', { token, body });

  await t.test('createServiceKey 201 with a secret that is shown this once and stored nowhere', async (t) => {
    const answer = await create({ name: 'Labor ', scopes: ['patients:read', 'contacts:write'] });
    t.equal(answer.status, 201);
    const { secret, ...key } = answer.body;
    t.match(secret, /^hospital_key_[\w-]{43}$/);
    const { created_at, ...rest } = key;
    t.ok(created_at);
    t.strictSame(rest, {
      ...{ id: 1, name: 'Labor ', scopes: ['patients:read', 'contacts:write'], expires_at: null },
      ...{ limit_per_minute: null, last_used_at: null, old_secret_ends_at: null, created_by: 'reception' },
    });
    t.equal(answer.headers['location'], 'http://localhost:8000/service-keys/1/');
    t.strictSame((await api.get('/service-keys/1/', { token })).body, key);
    t.strictSame((await api.get('/service-keys/', { token })).body.results, [key]);
    t.notMatch(await dump(api), secret.slice('hospital_key_'.length));
  });

  await t.test('createServiceKey 400 names each fault', async (t) => {
    const faults = async (body: object) => (await create(body)).body.errors;
    t.match(await faults({ scopes: ['users:write', 'service-keys:write'] }), {
      name: [/required/],
      scopes: [/item 1/],
    });
    t.match(await faults({ name: 'x'.repeat(51), scopes: [] }), { name: [/50/], scopes: [/./] });
    t.match(await faults({ name: 'x', scopes: ['patients:read', 'patients:read'] }), { scopes: [/./] });
    const due = (expires_at: string) => faults({ name: 'x', scopes: ['patients:read'], expires_at });
    t.strictSame(await due(new Date(MORNING.getTime()).toISOString()), { expires_at: ['must not be in the past'] });
    t.strictSame(await due('2200-01-01T00:00:00Z'), { expires_at: ['must be at most 5 years ahead'] });
    t.match(await faults({ name: 'x', scopes: ['patients:read'], limit_per_minute: 0 }), { limit_per_minute: [/1/] });
  });

  await t.test('createServiceKey 409 when the name is taken, in any spelling, also by many at once', async (t) => {
    const answer = await create({ name: 'LÄBOR ', scopes: ['patients:read'] });
    t.equal(answer.status, 409);
    t.strictSame(answer.body.errors, { name: ['is taken already'] });
    const all = await Promise.all(Array.from({ length: 6 }, () => create({ name: 'Once', scopes: ['patients:read'] })));
    t.strictSame(all.map(({ status }) => status).sort(), [201, 409, 409, 409, 409, 409]);
  });

  await t.test('updateServiceKey 200 changes what is sent, 404, and 409 for the name of another', async (t) => {
    const change = (body: object, id = 1) => api.patch(`/service-keys/${id}/`, { token, body });
    const expires_at = new Date(MORNING.getTime() + DAY).toISOString();
    t.match((await change({ name: 'Lab', scopes: ['patients:read'], expires_at, limit_per_minute: 7 })).body, {
      ...{ id: 1, name: 'Lab', scopes: ['patients:read'], expires_at, limit_per_minute: 7 },
    });
    t.match((await change({ expires_at: null, limit_per_minute: null })).body, {
      ...{ name: 'Lab', scopes: ['patients:read'], expires_at: null, limit_per_minute: null },
    });
    t.match((await change({})).body, { name: 'Lab' });
    t.equal((await change({ name: 'ONCE' })).status, 409);
    t.equal((await change({ expires_at: '2020-01-01T00:00:00Z' })).status, 400);
    t.equal((await change({ name: 'x' }, 999)).status, 404);
    t.equal((await change({}, 999)).status, 404);
  });

  await t.test('deleteServiceKey 204 revokes it for good, and its name is free', async (t) => {
    const { id, secret } = (await create({ name: 'Gone', scopes: ['patients:read'] })).body;
    t.equal((await api.get('/patients/', { token: secret })).status, 200);
    t.equal((await api.delete(`/service-keys/${id}/`, { token })).status, 204);
    t.equal((await api.get('/patients/', { token: secret })).status, 401);
    for (const [method, path, body] of [
      ['GET', ''],
      ['PATCH', '', { name: 'x' }],
      ['DELETE', ''],
      ['POST', 'rotate/', {}],
      ['POST', 'rotate/', { old_ends_in: 0 }],
    ] as const) {
      t.equal((await api.call(method, `/service-keys/${id}/${path}`, { token, body })).status, 404);
    }
    t.equal((await create({ name: 'gone', scopes: ['patients:read'] })).status, 201);
    const kept = await api.database.db.execute(
      `select name, archived_by::int as by from service_keys where id = ${id}`,
    );
    t.strictSame([...kept], [{ name: 'Gone', by: 1 }]);
  });

  await t.test('listPatients 401 by a key past its time', async (t) => {
    const expires_at = new Date(clock.now().getTime() + 60_000).toISOString();
    const { secret } = (await create({ name: 'Short', scopes: ['patients:read'], expires_at })).body;
    t.equal((await api.get('/patients/', { token: secret })).status, 200);
    clock.pass(60_000);
    const answer = await api.get('/patients/', { token: secret });
    t.equal(answer.status, 401);
    t.equal(answer.headers['www-authenticate'], 'Bearer');
  });

  await t.test('rotateServiceKey 200 with two secrets until the older one ends', async (t) => {
    const { id, secret: first } = (await create({ name: 'Turned', scopes: ['patients:read'] })).body;
    const rotate = (body: object) => api.post(`/service-keys/${id}/rotate/`, { token, body });
    const status = async (secret: string) => (await api.get('/patients/', { token: secret })).status;
    const { body: rotated } = await rotate({ old_ends_in: 600 });
    const ends = new Date(clock.now().getTime() + 600_000).toISOString();
    t.equal(rotated.old_secret_ends_at, ends);
    t.not(rotated.secret, first);
    t.strictSame([await status(first), await status(rotated.secret)], [200, 200]);
    const refused = await rotate({});
    t.equal(refused.status, 409);
    t.equal(refused.body.type, '/problems/two-secrets');
    t.match(refused.body.detail, ends);
    clock.pass(600_000);
    t.strictSame([await status(first), await status(rotated.secret)], [401, 200]);
    t.equal((await api.get(`/service-keys/${id}/`, { token })).body.old_secret_ends_at, null);
    const { body: again } = await rotate({});
    t.equal(again.old_secret_ends_at, new Date(clock.now().getTime() + DAY).toISOString());
    t.strictSame([await status(rotated.secret), await status(again.secret)], [200, 200]);
    const { body: leaked } = await rotate({ old_ends_in: 0 });
    t.equal(leaked.old_secret_ends_at, null);
    t.strictSame(
      [await status(rotated.secret), await status(again.secret), await status(leaked.secret)],
      [401, 401, 200],
    );
    t.equal((await rotate({ old_ends_in: 2_592_001 })).status, 400);
  });

  await t.test('updateServiceKey 200 shows when the key was last used, to a minute', async (t) => {
    const { id, secret } = (await create({ name: 'Used', scopes: ['patients:read'] })).body;
    const used = async (): Promise<string | null> =>
      (await api.get(`/service-keys/${id}/`, { token })).body.last_used_at;
    const first = clock.now().toISOString();
    await api.get('/patients/', { token: secret });
    // It is written behind the answer.
    while ((await used()) === null);
    t.equal(await used(), first);
    clock.pass(59_999);
    await api.get('/patients/', { token: secret });
    t.equal(await used(), first);
    clock.pass(1);
    await api.get('/patients/', { token: secret });
    while ((await used()) === first);
    t.equal(await used(), clock.now().toISOString());
  });
});

t.test('rotateServiceKey 200 once, of several at once, and 409', async (t) => {
  const { api, token, make } = await build(t, RACING);
  const { id } = await make(['patients:read']);
  const rotate = () => api.post(`/service-keys/${id}/rotate/`, { token, body: {} });
  const lock = `select from service_keys for update`;
  const statuses = (await race(api, lock, [rotate, rotate, rotate])).map(({ status }) => status);
  t.strictSame(statuses.sort(), [200, 409, 409]);
});

t.test('deleteServiceKey 204 while the key is being looked up: what was found then is not kept', async (t) => {
  const { api, token, make } = await build(t, RACING);
  for (let round = 0; round < 5; round++) {
    const { id, secret } = await make(['patients:read']);
    const [, revoked] = await race(api, 'lock table service_keys in access exclusive mode', [
      () => api.get('/patients/', { token: secret }),
      () => api.delete(`/service-keys/${id}/`, { token }),
    ]);
    t.equal(revoked?.status, 204);
    t.equal((await api.get('/patients/', { token: secret })).status, 401);
  }
});

t.test('listPatients 200, 401 also where keys are changed while one is looked up', async (t) => {
  const { api, make } = await build(t, RACING);
  const { secret } = await make(['patients:read']);
  const secrets = [secret, secret, `hospital_key_${'x'.repeat(43)}`, `hospital_key_${'x'.repeat(43)}`, 'hospital_key_'];
  const { answers } = await api.database.db.transaction(async (tx) => {
    await tx.execute('lock table service_keys in access exclusive mode');
    const asked = secrets.map((token) => api.get('/patients/', { token }));
    await untilQueued(tx, () => new Set(secrets).size);
    api.app.tokens.forgetServiceKeys();
    return { answers: Promise.all(asked) };
  });
  t.strictSame(
    (await answers).map(({ status }) => status),
    [200, 200, 401, 401, 401],
  );
});

t.test('what is done to a key is known within 5 s on another instance', async (t) => {
  const { api, token, make } = await build(t);
  const other = await anotherInstance(t, api);
  const until = async (secret: string, status: number): Promise<number> => {
    const began = performance.now();
    while ((await other.get('/patients/', { token: secret })).status !== status);
    return performance.now() - began;
  };
  const keys = await Promise.all([1, 2, 3].map(() => make(['patients:read'])));
  for (const { secret } of keys) t.equal((await other.get('/patients/', { token: secret })).status, 200);
  const [revoked, narrowed, rotated] = keys as [(typeof keys)[0], (typeof keys)[0], (typeof keys)[0]];
  await api.delete(`/service-keys/${revoked.id}/`, { token });
  t.ok((await until(revoked.secret, 401)) < 5_000);
  await api.patch(`/service-keys/${narrowed.id}/`, { token, body: { scopes: ['contacts:read'] } });
  t.ok((await until(narrowed.secret, 403)) < 5_000);
  await api.post(`/service-keys/${rotated.id}/rotate/`, { token, body: { old_ends_in: 0 } });
  t.ok((await until(rotated.secret, 401)) < 5_000);
});

/** What the table of access has staff send for an operation. */
async function requestOf(world: Awaited<ReturnType<typeof buildClinic>>, { config, url }: Operation, token: string) {
  const [, prepare] = TABLE[config.operationId as keyof typeof TABLE];
  const { path, ...options } = (await prepare?.(world, 'staff')) ?? {};
  return { url: url.replace(/:\w+/, path ?? ''), options: { ...options, token } as CallOptions };
}

/** A service has no patient record, no user and no list of its own: it names whom it acts for. */
const NAMED: Readonly<Record<string, (ids: Readonly<Record<string, number | string>>) => object>> = {
  createPatient: () => ({ first_name: 'Rosa', last_name: 'Marsh', phone: '555 1234', user: undefined }),
  createAppointment: ({ patientId }) => ({ patient: patientId }),
  createAppointmentSeries: ({ patientId }) => ({ patient: patientId }),
  createWaitingEntry: ({ deskPatientId }) => ({ patient: deskPatientId }),
  createDoctor: ({ userId }) => ({ user: userId }),
};

t.test('every operation by a key of each group', async (t) => {
  const { api, make } = await build(t);
  const world = await buildClinic(api);
  t.ok(SCOPES.length > 15);
  const keys: Record<string, string> = {};
  for (const scope of SCOPES) keys[scope] = (await make([scope])).secret;
  const restore = await backUp(api);

  for (const operation of allOperations) {
    const { operationId, access, serviceScope, ignoredTokens } = operation.config;
    await t.test(`${operationId} by services, and 403 without its scope`, async (t) => {
      // A request that anyone may send is the same by each.
      const tried = access === 'public' && operation.method !== 'GET' ? SCOPES.slice(0, 1) : SCOPES;
      for (const scope of tried) {
        const { url, options } = await requestOf(world, operation, keys[scope] as string);
        const isTheirs = scope === serviceScope;
        const named = isTheirs ? NAMED[operationId]?.(world.ids) : undefined;
        const body = named === undefined ? options.body : { ...(options.body as object), ...named };
        const answer = await api.call(operation.method, url, { ...options, body });
        if (access === 'public' || ignoredTokens === 'all') {
          t.ok(![401, 403].includes(answer.status) || operationId === 'logIn' || operationId === 'refreshToken', scope);
        } else if (!isTheirs) {
          t.equal(answer.status, 403, scope);
          const why = serviceScope === null ? 'no service key' : `lacks the scope ${serviceScope}.`;
          t.match(answer.body.detail, why);
        } else t.equal(answer.status, operation.config.success, `${scope}: ${answer.text}`);
        if (operation.method !== 'GET' && answer.status < 300) {
          await restore();
          for (const user of Object.values(world.users)) api.app.tokens.forgetUser(user.id);
        }
      }
    });
  }
});

t.test('what a service acts for is named', async (t) => {
  const { api, make } = await build(t);
  const { ids } = await buildClinic(api);
  const { secret: token } = await make(SCOPES);
  for (const [path, body, field] of [
    [
      '/appointments/',
      { doctor: ids['doctorId'], appointment_type: 'Online', symptoms: 'x', time: ids['timeId'] },
      'patient',
    ],
    ['/waiting-list/', { doctor: ids['doctorId'] }, 'patient'],
    ['/doctors/', {}, 'user'],
    ['/patients/', { phone: '12345' }, 'user'],
  ] as const) {
    const answer = await api.post(path, { token, body });
    t.equal(answer.status, 400, path);
    t.strictSame(answer.body.errors, { [field]: ['is required of a service'] });
  }
});

t.test('a key without a scope reads what is for anyone as anyone does', async (t) => {
  const { api, token, make } = await build(t, { DOCTOR_APPROVAL: 'staff' });
  const doctor = await api.registerDoctor();
  const status = async (secret: string) => (await api.get(`/doctors/${doctor.doctorId}/`, { token: secret })).status;
  t.equal(await status((await make(['contacts:read'])).secret), 404);
  t.equal(await status((await make(['doctors:read'])).secret), 200);
  t.equal(await status(token), 200);
});

t.test('limits', async (t) => {
  const environment = { RATE_LIMIT_ANON: '5', RATE_LIMIT_USER: '8' };
  const left = ({ headers }: { headers: Readonly<Record<string, string>> }) => [
    headers['ratelimit-policy'],
    headers['ratelimit-remaining'],
  ];

  await t.test('listPatients 429 past the limit of the key, whatever the address', async (t) => {
    const { api, make } = await build(t, environment);
    const [own, general] = [await make(['patients:read'], { limit_per_minute: 2 }), await make(['patients:read'])];
    const get = (token: string, remoteAddress: string) => api.get('/patients/', { token, remoteAddress });
    t.strictSame(left(await get(own.secret, '192.0.2.1')), ['"service";q=2;w=60', '1']);
    t.equal((await get(own.secret, '192.0.2.2')).status, 200);
    const refused = await get(own.secret, '192.0.2.3');
    t.equal(refused.status, 429);
    t.ok(Number(refused.headers['retry-after']) > 0);
    t.strictSame(left(await get(general.secret, '192.0.2.1')), ['"service";q=8;w=60', '7']);
    // What is for anyone counts by the key as well, and nothing is left of the address's limit but what it used itself.
    const open = await api.get('/designations/', { token: general.secret, remoteAddress: '192.0.2.1' });
    t.strictSame(left(open), ['"service";q=8;w=60', '6']);
    const anonymous = await api.get('/designations/', { remoteAddress: '192.0.2.1' });
    t.strictSame(left(anonymous), ['"anonymous";q=5;w=60', '4']);
  });

  await t.test('listPatients 304 does not count', async (t) => {
    const { api, make } = await build(t, environment);
    const { secret: token } = await make(['patients:read'], { limit_per_minute: 3 });
    const path = '/patients/';
    const first = await api.get(path, { token });
    t.strictSame(left(first), ['"service";q=3;w=60', '2']);
    const headers = { 'if-none-match': first.headers['etag'] as string };
    for (let count = 0; count < 10; count++) {
      const answer = await api.get(path, { token, headers });
      t.equal(answer.status, 304);
      t.strictSame(left(answer), ['"service";q=3;w=60', '2']);
    }
    t.equal((await api.get(path, { token })).status, 200);
    t.equal((await api.get(path, { token })).status, 200);
    t.equal((await api.get(path, { token, headers })).status, 429, 'past the limit it is refused, changed or not');
  });

  await t.test(
    "listPatients 401 for what is no key counts as the address's, and then 429 without a look",
    async (t) => {
      const { api } = await build(t, environment);
      const remoteAddress = '192.0.2.9';
      const secret = (index: number) => `hospital_key_${String(index).padEnd(43, 'x')}`;
      const statuses: number[] = [];
      for (let index = 0; index < 7; index++) {
        statuses.push((await api.get('/patients/', { token: secret(index), remoteAddress })).status);
      }
      t.strictSame(statuses, [401, 401, 401, 401, 401, 429, 429]);
      await api.database.db.execute('alter table service_keys rename to hidden');
      t.equal((await api.get('/patients/', { token: secret(8), remoteAddress })).status, 429);
    },
  );

  await t.test("listPatients 401 for a key that was good counts as the address's", async (t) => {
    const { api, token, make } = await build(t, environment);
    const remoteAddress = '192.0.2.9';
    const { id, secret } = await make(['patients:read']);
    t.equal((await api.get('/patients/', { token: secret, remoteAddress })).status, 200);
    await api.delete(`/service-keys/${id}/`, { token });
    const statuses: number[] = [];
    for (let index = 0; index < 6; index++) {
      statuses.push((await api.get('/patients/', { token: secret, remoteAddress })).status);
    }
    t.strictSame(statuses, [401, 401, 401, 401, 401, 429]);
  });
});

t.test('the audit of services', async (t) => {
  const { api, token, make } = await build(t);
  const { ids, users } = await buildClinic(api);
  const key = await make(SCOPES, { name: 'Befunde' });
  const events = async (query: string): Promise<Body[]> => {
    await api.app.audit.flush();
    return (await api.get(`/audit-events/?limits=1000&${query}`, { token })).body.results;
  };

  await t.test('listAuditEvents 200 with what is done to a key, by whom', async (t) => {
    await api.patch(`/service-keys/${key.id}/`, { token, body: { limit_per_minute: 500 } });
    await api.post(`/service-keys/${key.id}/rotate/`, { token, body: {} });
    const other = await make(['patients:read']);
    await api.delete(`/service-keys/${other.id}/`, { token });
    const done = (await events(`resource=service-keys&outcome=stored`)).map(
      ({ actor, actor_id, action, records }) => `${actor} ${actor_id} ${action} ${records.join()}`,
    );
    for (const action of ['create', 'update', 'rotate']) t.ok(done.includes(`staff 1 ${action} ${key.id}`), action);
    t.ok(done.includes(`staff 1 revoke ${other.id}`));
  });

  await t.test('listAuditEvents 200 with what a service read, changed and was refused, as itself', async (t) => {
    const { secret } = key;
    t.equal((await api.get(`/patients/${ids['patientId']}/`, { token: secret })).status, 200);
    const change = { token: secret, body: { symptoms: 'by a service' } };
    t.equal((await api.patch(`/appointments/${ids['appointmentId']}/`, change)).status, 200);
    t.equal((await api.get('/service-keys/', { token: secret })).status, 403);
    const found = (await events(`service=${key.id}`)).map(({ actor, actor_id, operation, outcome, records }) =>
      [actor, actor_id, operation, outcome, records.join()].join(' '),
    );
    t.strictSame(found.sort(), [
      `service ${key.id} getPatient answered ${ids['patientId']}`,
      `service ${key.id} listServiceKeys refused `,
      `service ${key.id} updateAppointment answered ${ids['appointmentId']}`,
      `service ${key.id} updateAppointment stored ${ids['appointmentId']}`,
    ]);
    t.ok(
      (await events(`actor=${key.id}`)).every(({ actor }) => actor !== 'service'),
      'a user may have the same id',
    );
  });

  await t.test('listMyAccesses 200 with the name of the service', async (t) => {
    const { results } = (await api.get('/patients/me/accesses/', { token: users.owner.token })).body;
    const named = results.filter(({ actor }: Body) => actor === 'service');
    t.ok(named.length >= 2);
    t.ok(named.every(({ actor_name }: Body) => actor_name === 'Befunde'));
  });

  await t.test("listMyAccesses 200 also with a service whose id is the caller's", async (t) => {
    let service = key;
    while (service.id < users.owner.id) service = await make(['patients:read']);
    t.equal(service.id, users.owner.id);
    await api.get(`/patients/${ids['patientId']}/`, { token: service.secret });
    await api.app.audit.flush();
    const { results } = (await api.get('/patients/me/accesses/?limits=1', { token: users.owner.token })).body;
    t.match(results, [{ actor: 'service', action: 'read', resource: 'patients' }]);
  });

  await t.test('listAppointmentChanges 200 with the name of the service', async (t) => {
    const { results } = (await api.get(`/appointments/${ids['appointmentId']}/changes/`, { token })).body;
    t.match(results.at(-1), { changed_by: 'Befunde', field: 'symptoms' });
  });

  await t.test('deleteAppointment 204 by a service, which the audit has', async (t) => {
    t.equal((await api.delete(`/appointments/${ids['appointmentId']}/`, { token: key.secret })).status, 204);
    const archived = (await events(`service=${key.id}`)).filter(({ action }) => action === 'archive');
    t.match(archived, [{ actor: 'service', resource: 'appointments', records: [ids['appointmentId']] }]);
    const db = api.database.db;
    t.strictSame(
      [
        ...(await db.execute(
          `select count(*)::int as n from audit_events where actor = 'database' and operation is not null`,
        )),
      ],
      [{ n: 0 }],
    );
  });
});

t.test('createAppointment 201 once under an Idempotency-Key of the service, and 422', async (t) => {
  const { api, token, make } = await build(t, RACING);
  const { patientId } = await (async () => {
    const body = { first_name: 'Rosa', last_name: 'Marsh', phone: '555 1234' };
    return { patientId: (await api.post('/patients/', { token, body })).body.id };
  })();
  const { doctorId, timeIds } = await clinicOf(api, token);
  const [one, two] = [await make(['appointments:write']), await make(['appointments:write'])];
  const book = (secret: string, symptoms = 'x') =>
    api.post('/appointments/', {
      token: secret,
      headers: { 'idempotency-key': 'k' },
      body: { doctor: doctorId, patient: patientId, time: timeIds[0], appointment_type: 'Online', symptoms },
    });
  const all = await Promise.all([book(one.secret), book(one.secret), book(one.secret)]);
  t.strictSame(
    all.map(({ status, body }) => [status, body.id]),
    Array.from({ length: 3 }, () => [201, all[0]?.body.id]),
  );
  t.equal(all.filter(({ headers }) => headers['idempotent-replayed'] === 'true').length, 2);
  t.equal((await book(one.secret, 'y')).status, 422);
  const others = await book(two.secret);
  t.equal(others.status, 201, 'another service has keys of its own');
  t.not(others.body.id, all[0]?.body.id);
});

async function clinicOf(api: TestApp, token: string): Promise<{ doctorId: number; timeIds: number[] }> {
  const { id } = (await api.post('/available-time/', { token, body: { time: '10:00 - 10:30' } })).body;
  const { doctorId } = await api.registerDoctor({ available_time: [id] });
  return { doctorId, timeIds: [id] };
}
