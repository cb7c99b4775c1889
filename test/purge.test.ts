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
): Promise<Record<string, number>> {
  const totals: Record<string, number> = {};
  for (const kind of kindsOf({ years: 10, now })) {
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

t.test('what was stopped goes on where it was', async (t) => {
  const { api } = await open(t);
  const [kind] = kindsOf({ years: 10, now: inYears(11) });
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
  await api.database.db.transaction(async (tx) => {
    await tx.execute(`select set_config('hospital.user_id', 'system', true)`);
    await tx.execute(`update appointments set date = date - 730, period = null where patient_id <> ${ids.live}`);
  });
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
