/** What is past its time, and the command that removes it. */
import t, { type Test } from 'tap';
import { countKind, kindsOf, removeKind } from '../src/purge/kinds.js';
import { buildTestApp, MORNING, PASSWORD, type Body, type TestApp, type User } from './helpers/app.js';
import { dataFolder, runProgram } from './helpers/process.js';

const DAY = 86_400_000;
const inDays = (days: number): string => new Date(MORNING.getTime() + days * DAY).toISOString().slice(0, 10);
const inYears = (years: number): Date => new Date(MORNING.getTime() + years * 366 * DAY);
const reason = 'Letter 17';

/** People who are gone in each way, and some who are not. */
async function open(t: Test) {
  const api = await buildTestApp(t);
  const staff = await api.registerStaff({ username: 'staff' });
  const { token } = staff;
  const time = (await api.post('/available-time/', { token, body: { time: '10:00' } })).body.id as number;
  const doctor = await api.registerDoctor({ available_time: [time] });
  const gone = await api.registerDoctor({ available_time: [time] });
  const [erased, deleted, live] = [await api.register(), await api.register(), await api.register()];
  const book = async (by: User, days: number): Promise<number> =>
    (
      await api.post('/appointments/', {
        token: by.token,
        body: { doctor: doctor.doctorId, time, appointment_type: 'Offline', symptoms: 'Cough', date: inDays(days) },
      })
    ).body.id as number;
  const series = {
    ...{ doctor: doctor.doctorId, time, appointment_type: 'Offline', symptoms: 'Cough' },
    ...{ date: inDays(20), count: 2 },
  };
  await api.post('/appointments/series/', { token: erased.token, body: series });
  await book(erased, 1);
  await book(deleted, 2);
  await book(live, 3);
  await api.delete(`/appointments/${await book(live, 4)}/`, { token: live.token });
  for (const id of [doctor.doctorId, gone.doctorId]) {
    await api.post('/reviews/', { token: live.token, body: { doctor: id, body: 'Kind.', rating: 5 } });
  }
  const recordOf = async (user: User): Promise<number> =>
    (await api.get('/patients/me/', { token: user.token })).body.id as number;
  const ids = { erased: await recordOf(erased), deleted: await recordOf(deleted), live: await recordOf(live) };
  await api.post(`/patients/${ids.erased}/erase/`, { token, body: { reason } });
  await api.delete(`/patients/${ids.deleted}/`, { token });
  await api.delete(`/doctors/${gone.doctorId}/`, { token });
  // Somebody of whom nothing has to be kept.
  const unseen = await recordOf(await api.register());
  await api.post(`/patients/${unseen}/erase/`, { token, body: { reason } });
  return { api, staff, ids: { ...ids, unseen }, doctor, gone };
}

const rows = async ({ database: { db } }: TestApp, query: string): Promise<Body[]> => [...(await db.execute(query))];

/** How much of each kind, those without any left out. */
async function each(
  { database: { db } }: TestApp,
  now: Date,
  work: typeof countKind | typeof removeKind,
  zone = 'UTC',
): Promise<Record<string, number>> {
  const totals: Record<string, number> = {};
  for (const kind of kindsOf({ years: 10, now, zone })) {
    const total = await work(db, kind);
    if (total > 0) totals[kind.name] = total;
  }
  return totals;
}

t.test('nothing that is clinical goes before its time, and what nobody needs at once', async (t) => {
  const { api, ids } = await open(t);
  t.strictSame(await each(api, MORNING, countKind), { 'deleted and erased patients': 1 });
  const later = await each(api, inYears(9), removeKind);
  t.notOk(Object.keys(later).some((name) => /appointment|doctor|series/.test(name)));
  t.strictSame(await rows(api, 'select id::int from patients where archived_at is not null order by id'), [
    { id: ids.erased },
    { id: ids.deleted },
  ]);
});

t.test('ten years after it goes what was told beforehand, and what is of the living stays', async (t) => {
  const { api, staff, ids } = await open(t);
  const { count } = (await api.get('/appointments/', { token: staff.token })).body;
  t.equal(count, 5);
  const told = await each(api, inYears(11), countKind);
  t.match(told, {
    'appointments of deleted and erased patients': 5,
    'series without appointments': 1,
    'reviews of deleted doctors': 1,
    'deleted and erased doctors': 1,
    'deleted and erased patients': 3,
    'sessions that have ended': Number,
  });
  t.strictSame(await each(api, inYears(11), removeKind), told);
  t.strictSame(await each(api, inYears(11), removeKind), {});
  t.strictSame(await rows(api, 'select patient_id::int as id, is_cancelled from appointments'), [
    { id: ids.live, is_cancelled: false },
  ]);
  t.strictSame(
    await rows(api, `select from appointment_changes where appointment_id not in (select id from appointments)`),
    [],
  );
  // The session has ended by then.
  const login = await api.post('/api/user/login/', { body: { username: 'staff', password: PASSWORD } });
  const token = login.body.access as string;
  t.equal((await api.get('/appointments/', { token })).body.count, 1, 'the counts are right');
  t.equal((await api.get('/reviews/')).body.count, 1);
  t.equal((await rows(api, 'select from erasures')).length, 2, 'that they were erased is known');
  const again = await api.post(`/patients/${ids.erased}/erase/`, { token, body: { reason } });
  t.equal(again.status, 404);
});

/** Changes what was, as nobody can by a request. */
const rewrite = ({ database: { db } }: TestApp, ...changes: string[]): Promise<unknown> =>
  db.transaction(async (tx) => {
    await tx.execute(`select set_config('hospital.user_id', 'system', true)`);
    for (const change of changes) await tx.execute(change);
  });

t.test('ten years are over to the second', async (t) => {
  const { api } = await open(t);
  const patients = 'deleted and erased patients';
  // One of them is erased, of whom nothing has to be kept.
  await rewrite(api, 'delete from appointments', 'delete from appointment_series', 'delete from reviews');
  for (const [archived, last, first] of [
    ['2015-06-01T12:00:00Z', '2025-06-01T12:00:00Z', '2025-06-01T12:00:01Z'],
    // An hour that is there twice, and one that is not, in much of Europe.
    ['2015-10-25T00:30:00Z', '2025-10-25T00:30:00Z', '2025-10-25T00:30:01Z'],
    ['2015-03-29T01:30:00Z', '2025-03-29T01:30:00Z', '2025-03-29T01:30:01Z'],
    ['2016-12-31T23:59:59Z', '2026-12-31T23:59:59Z', '2027-01-01T00:00:00Z'],
    // Of a day that the tenth year does not have.
    ['2016-02-29T12:00:00Z', '2026-02-28T23:59:59Z', '2026-03-01T00:00:00Z'],
    ['2018-02-28T12:00:00Z', '2028-02-28T12:00:00Z', '2028-02-28T12:00:01Z'],
  ] as const) {
    await rewrite(
      api,
      `update patients set archived_at = '${archived}' where archived_at is not null`,
      `update doctors set archived_at = '${archived}' where archived_at is not null`,
    );
    const at = async (now: string) => {
      const totals = await each(api, new Date(now), countKind);
      return [totals[patients], totals['deleted and erased doctors']];
    };
    t.strictSame(await at(last), [2, undefined], `${archived} at ${last}`);
    t.strictSame(await at(first), [3, 1], `${archived} at ${first}`);
  }
});

t.test("an appointment's day is over where the clinic is", async (t) => {
  const { api, ids } = await open(t);
  for (const [day, zone, last, first] of [
    ['2015-06-01', 'UTC', '2025-06-01T23:59:59Z', '2025-06-02T00:00:00Z'],
    ['2015-06-01', 'America/Los_Angeles', '2025-06-02T06:59:59Z', '2025-06-02T07:00:00Z'],
    ['2015-06-01', 'Pacific/Kiritimati', '2025-06-01T09:59:59Z', '2025-06-01T10:00:00Z'],
    // Clocks are set that night, forth and back, of the one and of the other year.
    ['2015-03-28', 'Europe/Berlin', '2025-03-28T22:59:59Z', '2025-03-28T23:00:00Z'],
    ['2015-10-26', 'Europe/Berlin', '2025-10-26T22:59:59Z', '2025-10-26T23:00:00Z'],
    ['2015-03-30', 'Europe/Berlin', '2025-03-30T21:59:59Z', '2025-03-30T22:00:00Z'],
    ['2016-02-29', 'UTC', '2026-02-28T23:59:59Z', '2026-03-01T00:00:00Z'],
    ['2018-02-28', 'UTC', '2028-02-28T23:59:59Z', '2028-03-01T00:00:00Z'],
  ] as const) {
    await rewrite(
      api,
      `update appointments set period = null, date = '${day}'
        where id = (select min(id) from appointments where patient_id = ${ids.erased})`,
    );
    const at = async (now: string) =>
      (await each(api, new Date(now), countKind, zone))['appointments of deleted and erased patients'];
    t.strictSame([await at(last), await at(first)], [undefined, 1], `${day} in ${zone}`);
  }
});

t.test('answers stored for a day go, whoever has them', async (t) => {
  const { api, staff } = await open(t);
  const { token } = staff;
  const made = await api.post('/service-keys/', { token, body: { name: 'Lab', scopes: ['contacts:write'] } });
  for (const each of [token, made.body.secret as string]) {
    const body = { name: 'Ada', phone: '555 1234', massage: 'Call me.' };
    const answer = await api.post('/contacts/', { token: each, headers: { 'idempotency-key': 'k' }, body });
    t.equal(answer.status, 201);
  }
  const [stored] = await rows(api, 'select max(created_at)::text as at, count(*)::int as n from idempotency_keys');
  t.equal(stored?.['n'], 2);
  const name = 'answers stored for more than a day';
  const after = (milliseconds: number): Date => new Date(new Date(stored?.['at']).getTime() + DAY + milliseconds);
  t.equal((await each(api, after(-1_000), countKind))[name], undefined);
  t.equal((await each(api, after(1_000), countKind))[name], 2);
  t.equal((await each(api, after(1_000), removeKind))[name], 2);
  t.strictSame(await rows(api, 'select from idempotency_keys'), []);
});

t.test('what was stopped goes on where it was', async (t) => {
  const { api } = await open(t);
  const [kind] = kindsOf({ years: 10, now: inYears(11), zone: 'UTC' });
  if (kind === undefined) throw new Error('no kind');
  const { db } = api.database;
  const steps: number[] = [];
  const tell = (total: number): void => {
    steps.push(total);
    if (steps.length === 2) throw new Error('stopped');
  };
  await t.rejects(removeKind(db, kind, { batch: 2, tell }), /stopped/);
  t.strictSame(steps, [2, 4]);
  t.equal(await countKind(db, kind), 1);
  t.equal(await removeKind(db, kind, { batch: 2 }), 1);
});

t.test('npm run purge', async (t) => {
  const { api, staff, ids } = await open(t);
  const environment = { DATABASE_URL: api.databaseUrl, DATA_DIR: dataFolder(t), RETENTION_YEARS: '1' };
  await rewrite(api, `update appointments set date = date - 730, period = null where patient_id <> ${ids.live}`);
  const before = await rows(api, 'select max(id)::int as id from audit_events');
  const tried = await runProgram('dist/src/purge.js', environment, ['--dry-run']);
  t.match(tried, { code: 0, stdout: / would be removed\n.*appointments of deleted and erased patients +4\n/ });
  t.equal((await rows(api, 'select from appointments')).length, 6, 'a dry run removes nothing');
  const done = await runProgram('dist/src/purge.js', environment);
  t.match(done, { code: 0, stdout: / removed\n.*appointments of deleted and erased patients +4\n/ });
  t.match(done.stderr, /appointments of deleted and erased patients \.\.\./);
  t.equal((await rows(api, 'select from appointments')).length, 2);
  const { body } = await api.get('/audit-events/?action=delete&resource=appointments&outcome=stored', {
    token: staff.token,
  });
  t.equal(body.results.length, 4);
  for (const { actor, id } of body.results) {
    t.equal(actor, 'database');
    t.ok(id > before[0].id);
  }
});
