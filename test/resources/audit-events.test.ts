import { readFileSync } from 'node:fs';
import postgres from 'postgres';
import t from 'tap';
import { parse } from 'yaml';
import { transaction } from '../../db/client.js';
import { operations } from '../../openapi/generated/operations.js';
import { inTransaction } from '../../src/lib/visit.js';
import { sealEvents, verifyEvents } from '../../src/resources/audit-events/chain.js';
import { buildTestApp, PASSWORD, type Body, type TestAnswer, type TestApp } from '../helpers/app.js';
import { clinic } from '../helpers/booking.js';
import { backUp, buildClinic, TABLE } from '../helpers/clinic.js';
import { allOperations, type Operation } from '../helpers/operations.js';
import { visitOf } from '../helpers/visit.js';

const NOT_FOUND = 999_999;

/** The events of a query, as staff see them, with all that waits written. */
async function eventsOf(api: TestApp, token: string, query = ''): Promise<Body[]> {
  await api.app.audit.flush();
  const answer = await api.get(`/audit-events/?limits=1000${query}`, { token });
  if (answer.status !== 200) throw new Error(answer.text);
  return answer.body.results;
}

/** Those of a request. */
const eventsFor = async (api: TestApp, token: string, { headers }: TestAnswer): Promise<Body[]> =>
  (await eventsOf(api, token)).filter((event) => event.request_id === headers['x-request-id']);

/** What of events tells of a rule. */
const gist = (events: Body[]) =>
  events
    .map(({ actor, actor_id, action, resource, records, outcome, status }) =>
      [actor, actor_id, action, resource, records.join(), outcome, status].join(' '),
    )
    .sort();

interface Documented {
  readonly operationId: string;
  readonly tags: readonly string[];
  readonly responses: Readonly<Record<string, { content?: Record<string, { schema: object }> }>>;
}
const document = parse(readFileSync(new URL('../../../openapi/openapi.yaml', import.meta.url), 'utf8')) as {
  paths: Record<string, Record<string, Documented>>;
  components: { schemas: Record<string, object> };
};

/** All that a schema says, with what it refers to. */
function whole(schema: object, seen = new Set<string>()): string {
  const text = JSON.stringify(schema);
  return [...text.matchAll(/#\/components\/schemas\/(\w+)/g)].reduce((all, [, name = '']) => {
    if (seen.has(name)) return all;
    seen.add(name);
    return all + whole(document.components.schemas[name] ?? {}, seen);
  }, text);
}

/** Operations that are about patients and people, and yet not audited, each with the reason. */
const EXCEPTIONS: Readonly<Record<string, string>> = {
  createReview: 'the patient in it is who writes it, and all the world reads it',
};

t.test(
  'every operation that shows or changes what is a patient, profile, appointment or user is audited',
  async (t) => {
    const documented = Object.values(document.paths).flatMap((item) => Object.values(item));
    for (const { operationId, tags, responses } of documented.filter((each) => each.operationId !== undefined)) {
      const success = Object.entries(responses).find(([status]) => status.startsWith('2'))?.[1];
      const shown = whole(success?.content?.['application/json']?.schema ?? {});
      const isAbout =
        ['users', 'profiles', 'patients', 'appointments', 'waiting-list'].includes(tags[0] ?? '') ||
        /"(patient|patient_name|symptoms|date_of_birth|username)":\{/.test(shown);
      const { audit } = operations[operationId as keyof typeof operations].config;
      if (isAbout && EXCEPTIONS[operationId] === undefined) t.not(audit, null, operationId);
    }
  },
);

/** The ids of what an answer shows, by way of its JSON. */
function idsIn(value: unknown, { audit }: Operation['config'], isElement = true): number[] {
  if (Array.isArray(value)) return value.flatMap((each) => idsIn(each, { audit } as Operation['config']));
  if (typeof value !== 'object' || value === null) return [];
  const { id, patient } = value as Record<string, unknown>;
  const own = audit?.ids === 'patients' ? patient : isElement ? id : undefined;
  const inner =
    audit?.ids === 'answer'
      ? []
      : Object.values(value).flatMap((part) => idsIn(part, { audit } as Operation['config'], false));
  return [...(typeof own === 'number' ? [own] : []), ...inner];
}

t.test('what every audited operation shows is recorded: who, what, which, whence, for which request', async (t) => {
  const api = await buildTestApp(t);
  const built = await buildClinic(api);
  const { staff } = built.users;
  const dependant = { first_name: 'Nils', last_name: 'Byron', date_of_birth: '2017-05-09' };
  await api.post('/patients/dependants/', { token: staff.token, body: dependant });
  const restore = await backUp(api);
  for (const { method, url, config } of allOperations.filter(({ config }) => config.audit !== null)) {
    const { audit, operationId } = config;
    const [, prepare] = TABLE[operationId as keyof typeof TABLE];
    const actor = operationId === 'logOut' ? 'owner' : 'staff';
    const { path, ...options } = (await prepare?.(built, actor)) ?? {};
    const { token, id } = built.users[actor];
    const remoteAddress = '203.0.113.7';
    const [last] = await api.database.db.execute<{ id: number }>('select max(id) as id from audit_events');
    const answer = await api.call(method, url.replace(/:\w+/, path ?? ''), { ...options, token, remoteAddress });
    await api.app.audit.flush();
    const unsigned = await api.database.db.execute(
      `select action, resource from audit_events where id > ${last?.id} and actor = 'database'`,
    );
    t.strictSame([...unsigned], [], `${operationId} says whose its changes are`);
    const rows = await api.database.db.execute<Body>(
      `select *, array_to_json(record_ids) as ids from audit_events where request_id = '${answer.headers['x-request-id']}' and outcome <> 'stored'`,
    );
    t.equal(rows.length, 1, operationId);
    const ids =
      audit?.ids === null || answer.status >= 300
        ? undefined
        : audit?.ids === 'path'
          ? [Number(path)]
          : [...new Set(idsIn(answer.body, config, audit?.ids === 'answer'))].sort((a, b) => a - b);
    const [row] = rows;
    t.match(
      row,
      {
        operation: operationId,
        resource: audit?.resource,
        address: remoteAddress,
        status: answer.status,
        outcome: answer.status < 400 ? 'answered' : /./,
        ...(config.access !== 'public' && { actor: actor === 'staff' ? 'staff' : 'user', actor_id: String(id) }),
      },
      operationId,
    );
    if (ids !== undefined) {
      const recorded = (row.ids as number[]).sort((a, b) => a - b);
      t.strictSame(recorded, ids, `${operationId} records what it shows`);
      if (!['replaceDoctorHours', 'createTimeOff', 'registerUser'].includes(operationId)) {
        t.ok(ids.length > 0, `${operationId} shows something here`);
      }
    }
    if (method !== 'GET' && answer.status < 300) {
      await restore();
      for (const user of Object.values(built.users)) api.app.tokens.forgetUser(user.id);
    }
  }
  await eventsOf(api, staff.token);
  t.equal((await eventsOf(api, staff.token))[0].operation, 'listAuditEvents', 'who reads the audit, too');
});

t.test('an export is one', async (t) => {
  const api = await buildTestApp(t);
  const { users } = await buildClinic(api);
  const { token, id } = users.staff;
  const answer = await api.get('/agenda/', { token, headers: { accept: 'text/csv' } });
  const [event] = await eventsFor(api, token, answer);
  t.match(event, { action: 'export', resource: 'patients', actor_id: id, operation: 'getAgenda', outcome: 'answered' });
});

t.test('changes are stored in their transactions, under the name of who made them', async (t) => {
  const { api, staff, doctor, patient, book } = await clinic(t, ['10:00', '11:00']);
  const [ann, ben] = [await patient(), await patient()];
  const booked = await book(ann);
  t.strictSame(gist(await eventsFor(api, staff.token, booked)), [
    `user ${ann.id} create appointments ${booked.body.id} answered 201`,
    `user ${ann.id} create appointments ${booked.body.id} stored `,
  ]);
  const taken = await book(ben, { date: booked.body.date });
  t.equal(taken.status, 409);
  t.strictSame(gist(await eventsFor(api, staff.token, taken)), [`user ${ben.id} create appointments  failed 409`]);
  const keyed = await api.post('/appointments/', {
    token: ben.token,
    headers: { 'idempotency-key': 'k' },
    body: { doctor: doctor.doctorId, appointment_type: 'Online', symptoms: 'Cough', time: 2 },
  });
  t.match(gist(await eventsFor(api, staff.token, keyed)), [/answered 201/, / create appointments \d+ stored /]);

  const deleted = await api.delete(`/patients/${ann.patientId}/`, { token: staff.token });
  t.strictSame(gist(await eventsFor(api, staff.token, deleted)), [
    `staff ${staff.id} archive patients ${ann.patientId} stored `,
    `staff ${staff.id} delete patients ${ann.patientId} answered 204`,
    `staff ${staff.id} update appointments ${booked.body.id} stored `,
  ]);
});

t.test('sign-ins, failures, ends, roles and passwords', async (t) => {
  const api = await buildTestApp(t);
  const staff = await api.registerStaff();
  const ann = await api.register({ username: 'ann' });
  const ofDatabase = (await eventsOf(api, staff.token, '&action=grant-staff')).map(({ actor, records }) => [
    actor,
    ...records,
  ]);
  t.strictSame(ofDatabase, [['database', staff.id]], 'past the API');
  const steps: [TestAnswer, string[]][] = [];
  const step = async (answer: Promise<TestAnswer>, expected: string[]) => steps.push([await answer, expected.sort()]);
  await step(api.post('/api/user/login/', { body: { username: 'ann', password: 'wrong-Apple-1' } }), [
    'anonymous  sign-in sessions  refused 401',
  ]);
  const login = api.post('/api/user/login/', { body: { username: 'ann', password: PASSWORD } });
  await step(login, ['anonymous  sign-in sessions  answered 200', `user ${ann.id} sign-in sessions ${ann.id} stored `]);
  const { refresh } = (await login).body;
  await step(api.post('/api/user/token/refresh/', { body: { refresh } }), [
    'anonymous  refresh sessions  answered 200',
  ]);
  await step(api.post('/api/user/logout/', { token: ann.token, body: { refresh } }), [
    `user ${ann.id} sign-out sessions  answered 200`,
    `user ${ann.id} sign-out sessions ${ann.id} stored `,
  ]);
  const changed = { current_password: PASSWORD, password: 'walnut-Bicycle-7', confirm_password: 'walnut-Bicycle-7' };
  await step(api.post('/api/user/password/', { token: ann.token, body: changed }), [
    `user ${ann.id} change-password users  answered 200`,
    `user ${ann.id} change-password users ${ann.id} stored `,
  ]);
  for (const [body, action] of [
    [{ is_staff: true }, 'grant-staff'],
    [{ is_staff: false }, 'revoke-staff'],
  ] as const) {
    await step(api.patch(`/api/user/users/${ann.id}/`, { token: staff.token, body }), [
      `staff ${staff.id} ${action} users ${ann.id} stored `,
      `staff ${staff.id} update users ${ann.id} answered 200`,
    ]);
  }
  await step(api.patch(`/api/user/users/${ann.id}/`, { token: staff.token, body: { is_active: false } }), [
    `staff ${staff.id} deactivate users ${ann.id} stored `,
    `staff ${staff.id} sign-out sessions ${ann.id} stored `,
    `staff ${staff.id} update users ${ann.id} answered 200`,
  ]);
  for (const [answer, expected] of steps) t.strictSame(gist(await eventsFor(api, staff.token, answer)), expected);
});

t.test('refusals: of what is audited, and of all else; a flood of those that are alike is one event', async (t) => {
  const api = await buildTestApp(t, { RATE_LIMIT_USER: '30' });
  const [staff, ann, ben] = [await api.registerStaff(), await api.register(), await api.register()];
  const hidden = await api.get(`/patients/${NOT_FOUND}/`, { token: ann.token });
  const anonymous = await api.get('/patients/1/');
  const forbidden = await api.post('/designations/', { token: ann.token, body: { name: 'a', slug: 'a' } });
  for (let count = 0; count < 40; count++) await api.get('/clinic/', { token: ben.token });
  const found = async (answer: TestAnswer) => gist(await eventsFor(api, staff.token, answer));
  t.strictSame(await found(hidden), [`user ${ann.id} read patients ${NOT_FOUND} refused 404`]);
  t.strictSame(await found(anonymous), ['anonymous  read patients 1 refused 401']);
  t.strictSame(await found(forbidden), [`user ${ann.id} create designations  refused 403`]);
  const limited = (await eventsOf(api, staff.token, '&outcome=refused')).filter(({ status }) => status === 429);
  t.match(limited, [{ operation: 'getClinic', total: 10 }]);
});

t.test('a change that is undone leaves no event, on every way', async (t) => {
  const { api, patient } = await clinic(t, ['10:00']);
  const ann = await patient();
  const { db } = api.database;
  const count = async () =>
    (await db.execute<{ n: number }>(`select count(*)::int as n from audit_events where outcome = 'stored'`))[0]?.n;
  const before = await count();
  const change = `update patients set phone = '12345' where id = ${ann.patientId}`;
  await t.rejects(
    transaction(db, async (tx) => {
      await inTransaction(visitOf(tx), ({ db }) => db.execute(change));
      t.equal((await tx.execute(`select from audit_events where outcome = 'stored'`)).length, (before ?? 0) + 1);
      throw new Error('undone');
    }),
    /undone/,
  );
  t.equal(await count(), before);
  await inTransaction(visitOf(db), ({ db }) => db.execute(change));
  t.equal(await count(), (before ?? 0) + 1);
  await db.execute(change);
  const [event] = await db.execute(`select actor, request_id from audit_events order by id desc limit 1`);
  t.strictSame({ ...event }, { actor: 'database', request_id: null }, 'past the API');
});

t.test('it only takes additions', async (t) => {
  const {
    database: { db },
  } = await buildTestApp(t);
  for (const table of ['audit_events', 'audit_blocks']) {
    for (const statement of [`delete from ${table}`, `truncate ${table}`, `update ${table} set hash = '', total = 2`]) {
      const [column] = table === 'audit_blocks' ? ["hash = ''"] : ['total = 2'];
      const sql = statement.replace(/set .*/, `set ${column}`);
      await t.rejects(db.execute(sql), { cause: { code: '23001' } }, sql);
    }
  }
});

t.test('listAuditEvents 200 by filters and in pages', async (t) => {
  const { api, staff, patient, book } = await clinic(t, ['10:00', '11:00']);
  const [ann, ben] = [await patient(), await patient()];
  const { body: appointment } = await book(ann);
  await book(ben);
  await api.get('/appointments/', { token: staff.token });
  await api.get(`/patients/${ann.patientId}/`, { token: ben.token });
  const profile = (await api.get('/api/user/profiles/me/', { token: ann.token })).body.id;
  const all = await eventsOf(api, staff.token);
  const last = Math.max(...all.map(({ id }) => id as number));
  const filter = async (query: string) => (await eventsOf(api, staff.token, query)).filter(({ id }) => id <= last);
  const same = async (query: string, holds: (event: Body) => boolean) => {
    const expected = all.filter(holds).map(({ id }) => id);
    t.strictSame(
      (await filter(query)).map(({ id }) => id),
      expected,
      query,
    );
    t.ok(expected.length > 0, query);
  };
  const isAnns = ({ resource, records }: Body) =>
    records.includes({ patients: ann.patientId, profiles: profile, appointments: appointment.id }[resource as string]);
  await same(`&actor=${ann.id}`, ({ actor_id }) => actor_id === ann.id);
  await same(`&patient=${ann.patientId}`, isAnns);
  await same(`&patient=${ann.patientId}&actor=${staff.id}`, (event) => isAnns(event) && event.actor_id === staff.id);
  await same('&resource=profiles', ({ resource }) => resource === 'profiles');
  await same(
    `&resource=appointments&record=${appointment.id}`,
    ({ resource, records }) => resource === 'appointments' && records.includes(appointment.id),
  );
  await same(`&record=${ann.patientId}`, ({ records }) => records.includes(ann.patientId));
  await same('&action=list', ({ action }) => action === 'list');
  await same('&outcome=refused', ({ outcome }) => outcome === 'refused');
  const [from, to] = [all[5].at, all[2].at];
  await same(`&from=${from}&to=${to}`, ({ at }) => at >= from && at < to);
  t.strictSame(
    all,
    [...all].sort((a, b) => (a.at === b.at ? b.id - a.id : a.at < b.at ? 1 : -1)),
    'the newest first',
  );

  for (const query of ['', `&patient=${ann.patientId}`]) {
    const expected = (await filter(query)).map(({ id }) => id);
    const paged: number[] = [];
    let url: string | null = `/audit-events/?limits=2${query}&to=2100-01-01T00:00:00Z`;
    while (url !== null) {
      const { body }: TestAnswer = await api.get(url.replace(/^https?:\/\/[^/]+/, ''), { token: staff.token });
      paged.push(...body.results.map(({ id }: Body) => id));
      url = body.next;
    }
    t.strictSame(
      paged.filter((id) => id <= last),
      expected,
      'pages',
    );
  }
  t.equal((await api.get('/audit-events/?after=bm90aGluZw', { token: staff.token })).status, 400);
  t.equal((await api.get('/audit-events/?from=yesterday', { token: staff.token })).status, 400);
});

t.test("listMyAccesses 200: who looked at what is the caller's, and at no other's", async (t) => {
  const { api, staff, doctor, patient, book } = await clinic(t, ['10:00', '11:00']);
  const [ann, ben] = [await patient(), await patient()];
  const child = (
    await api.post('/patients/dependants/', {
      token: ann.token,
      body: { first_name: 'Cy', last_name: 'A', date_of_birth: '2019-01-01' },
    })
  ).body.id;
  const { body: appointment } = await book(ann);
  const { body: other } = await book(ben);
  await api.get('/appointments/', { token: staff.token });
  await api.get(`/patients/${ann.patientId}/`, { token: doctor.token });
  await api.get(`/patients/${ann.patientId}/`, { token: ben.token });
  await api.get(`/patients/${child}/`, { token: staff.token });
  await api.patch(`/patients/${child}/`, { token: staff.token, body: { last_name: 'B' } });
  await api.get(`/patients/${ann.patientId}/`, { token: ann.token });
  await api.app.audit.flush();
  const { body } = await api.get('/patients/me/accesses/', { token: ann.token });
  const results = body.results as Body[];
  t.strictSame(
    results
      .map(({ actor, actor_name, action, resource, records }) =>
        [actor, actor_name, action, resource, ...records].join(),
      )
      .sort(),
    [
      ['doctor', doctor.username, 'read', 'patients', ann.patientId].join(),
      ['staff', staff.username, 'list', 'appointments', appointment.id].join(),
      ['staff', staff.username, 'read', 'patients', child].join(),
      ['staff', staff.username, 'update', 'patients', child].join(),
    ],
  );
  const times = results.map(({ at }) => at as string);
  t.strictSame(times, [...times].sort().reverse(), 'the newest first');
  const bens = (await api.get('/patients/me/accesses/?limits=1', { token: ben.token })).body;
  t.match(bens, { next: null, results: [{ action: 'list', records: [other.id] }] });
});

t.test('the chain', async (t) => {
  const { api, staff, patient, book } = await clinic(t, ['10:00', '11:00']);
  const { db } = api.database;
  const ann = await patient();
  await book(ann);
  await api.app.audit.flush();
  await sealEvents(db);
  await api.get('/appointments/', { token: staff.token });
  await api.app.audit.flush();
  const whole = await verifyEvents(db);
  t.match(whole, { fault: null, blocks: 2 });
  t.equal(whole.events, (await db.execute('select from audit_events')).length);
  t.strictSame(await verifyEvents(db), whole, 'again');
  t.equal((await verifyEvents(db, whole.head)).fault, null);
  t.match((await verifyEvents(db, { number: 2, hash: '0'.repeat(64) })).fault, /block 2 is not the one/);
  t.match((await verifyEvents(db, { number: 9, hash: '0'.repeat(64) })).fault, /block 9, which was noted, is missing/);

  /** What is found of a deed that only who passes the triggers can do. */
  const after = async (deed: string): Promise<string | null> => {
    let fault: string | null = null;
    await db
      .transaction(async (tx) => {
        await tx.execute('set local session_replication_role = replica');
        await tx.execute(deed);
        ({ fault } = await verifyEvents(tx));
        throw new Error('undone');
      })
      .catch((error: Error) => t.equal(error.message, 'undone'));
    return fault;
  };
  t.match(
    await after(`update audit_events set actor_id = 77 where id = 3`),
    /^block 1 or one of its \d+ events was changed$/,
  );
  for (const column of [
    'at = now()',
    "actor = 'system'",
    "operation = 'x'",
    "action = 'x'",
    "resource = 'x'",
    "record_ids = '{}'",
    "address = 'x'",
    'request_id = gen_random_uuid()',
    "outcome = 'failed'",
    'status = 1',
    'total = 9',
  ]) {
    t.match(
      await after(`update audit_events set ${column} where id = (select max(id) from audit_events)`),
      /changed$/,
      column,
    );
  }
  t.match(await after('delete from audit_events where id = 2'), /^event 2 of block 1 is missing$/);
  t.match(await after('delete from audit_blocks where number = 1'), /^a block before block 2 is missing$/);
  t.match(await after(`update audit_blocks set hash = repeat('0', 64) where number = 1`), /^block 1 or/);
  t.match(
    await after(
      `delete from audit_events where id = 2; update audit_blocks set event_ids = array_remove(event_ids, 2) where number = 1`,
    ),
    /^block 1 or/,
  );
  await book(ann, { time: 2 });
  await verifyEvents(db);
  t.match(
    await after(`insert into audit_events (id, at, actor, action, resource, outcome)
      overriding system value values (-1, now(), 'staff', 'read', 'patients', 'answered')`),
    /^event -1 is in no block$/,
  );
});

t.test('the chain holds what 32 writers add at once, also what commits late', async (t) => {
  const { database, databaseUrl } = await buildTestApp(t);
  const { db } = database;
  const sql = postgres(databaseUrl, { max: 32 });
  t.teardown(() => sql.end());
  const add = (sql: postgres.Sql | postgres.TransactionSql) =>
    sql`insert into audit_events (at, actor, action, resource, outcome) values (now(), 'user', 'read', 'patients', 'answered')`;
  let isOver = false;
  const sealing = (async () => {
    while (!isOver) await sealEvents(db, 50);
  })();
  let letGo = (): void => undefined;
  const held = new Promise<void>((resolve) => (letGo = resolve));
  const late = sql.begin(async (tx) => {
    await add(tx);
    await held;
  });
  const writers = Array.from({ length: 31 }, async () => {
    for (let count = 0; count < 40; count++) await sql.begin((tx) => add(tx));
  });
  await Promise.all(writers);
  await sealEvents(db, 50);
  letGo();
  await late;
  isOver = true;
  await sealing;
  const { events, fault } = await verifyEvents(db);
  t.equal(fault, null);
  t.equal(events, 31 * 40 + 1);
  const [state] = await db.execute<{ behind: number }>(
    `select (select max(id) from audit_events) - max(sealed_to) as behind from audit_blocks`,
  );
  t.ok(Number(state?.behind) >= 0);
});

t.test('what waits is written when the application closes', async (t) => {
  const api = await buildTestApp(t);
  const { token } = await api.register();
  await api.app.audit.flush();
  const read = await api.get('/patients/me/', { token });
  await api.app.close();
  const rows = await api.database.db.execute(
    `select from audit_events where request_id = '${read.headers['x-request-id']}'`,
  );
  t.equal(rows.length, 1);
});

t.test('503 for what could not be recorded; what waits is written when the database is back', async (t) => {
  const api = await buildTestApp(t);
  const staff = await api.registerStaff();
  await api.app.audit.flush();
  await api.database.db.execute('alter table audit_events rename to audit_events_away');
  let answered = 0;
  // 10,000 wait at the most.
  const { audit } = api.app;
  while (audit.isOpen()) {
    audit.add({
      time: Date.now(),
      actor: 'staff',
      actorId: staff.id,
      operation: 'getMyPatient',
      action: 'read',
      resource: 'patients',
      ids: [1],
      address: '::1',
      requestId: crypto.randomUUID(),
      outcome: 'answered',
      status: 200,
      total: 1,
    });
    answered++;
  }
  t.equal(answered, 10_000);
  const refused = await api.get('/patients/me/', { token: staff.token });
  t.equal(refused.status, 503);
  t.equal(refused.headers['retry-after'], '5');
  t.equal((await api.get('/clinic/')).status, 200, 'what is not audited goes on');
  await api.database.db.execute('alter table audit_events_away rename to audit_events');
  await audit.flush();
  t.equal((await api.get('/patients/me/', { token: staff.token })).status, 200);
  const rows = await api.database.db.execute(
    `select from audit_events where operation = 'getMyPatient' and address = '::1'`,
  );
  t.equal(rows.length, 10_000);
});
