import t from 'tap';
import { readFileSync } from 'node:fs';
import { freePort } from '../../bench/servers.js';
import { METRICS } from '../../plugins/metrics/list.js';
import { buildTestApp, SECRET, type TestApp } from '../helpers/app.js';
import { clinic } from '../helpers/booking.js';
import { createTestDatabase } from '../helpers/database.js';
import { dataFolder, runProgram, startServerProcess } from '../helpers/process.js';

/** The values by name and labels, as they stand in the text. */
function read(text: string): Map<string, number> {
  const values = new Map<string, number>();
  for (const line of text.split('\n')) {
    const at = line.lastIndexOf(' ');
    if (line !== '' && !line.startsWith('#')) values.set(line.slice(0, at), Number(line.slice(at + 1)));
  }
  return values;
}

const metricsOf = async (api: TestApp) => read((await api.get('/metrics')).text);

t.test('GET /metrics 200: what is answered, by operation and status, and how long it took', async (t) => {
  const api = await buildTestApp(t);
  const before = await metricsOf(api);
  await api.get('/doctors/');
  await api.get('/doctors/');
  await api.get('/doctors/4711/');
  await api.get('/nothing/here/');
  const after = await metricsOf(api);
  const grown = (name: string) => (after.get(name) ?? 0) - (before.get(name) ?? 0);
  t.equal(grown('http_requests_total{operation="listDoctors",status="200"}'), 2);
  t.equal(grown('http_requests_total{operation="getDoctor",status="404"}'), 1);
  t.equal(grown('http_requests_total{operation="none",status="404"}'), 1);
  t.equal(grown('http_request_duration_seconds_count{operation="listDoctors"}'), 2);
  t.equal(grown('http_request_duration_seconds_bucket{le="+Inf",operation="listDoctors"}'), 2);
  const sum = grown('http_request_duration_seconds_sum{operation="listDoctors"}');
  t.ok(sum > 0 && sum < 60, `in seconds: ${sum}`);
  t.equal(grown('hospital_problems_total{problem="not-found"}'), 2);
  t.notMatch([...after.keys()].join('\n'), /nothing|4711/, 'nothing that a client made up');
});

t.test('GET /metrics 200: who took a slot, and what kept others from it', async (t) => {
  const { api, doctor, patient, setNow } = await clinic(t, ['10:00 - 10:30']);
  setNow('2026-03-02T12:00:00Z');
  const [ann, bob] = [await patient(), await patient()];
  const slot = { doctor: doctor.doctorId, time: 1, date: '2026-03-10' };
  const book = ({ token }: { token: string }, body: object, headers = {}) =>
    api.post('/appointments/', { token, headers, body: { appointment_type: 'Online', symptoms: 'Cough', ...body } });
  const key = { 'idempotency-key': 'one' };
  t.equal((await book(ann, slot, key)).status, 201);
  t.equal((await book(ann, slot, key)).headers['idempotent-replayed'], 'true');
  t.equal((await book(bob, slot)).status, 409);
  t.equal((await book(bob, {})).status, 400);
  t.equal((await api.post('/holds/', { token: bob.token, body: { ...slot, date: '2026-03-11' } })).status, 201);
  const metrics = await metricsOf(api);
  const bookings = (operation: string, outcome: string) =>
    metrics.get(`hospital_bookings_total{operation="${operation}",outcome="${outcome}"}`);
  t.equal(bookings('createAppointment', 'booked'), 1, 'a repeat is none');
  t.equal(bookings('createAppointment', 'slot-taken'), 1);
  t.equal(bookings('createAppointment', 'invalid-input'), 1);
  t.equal(bookings('createHold', 'booked'), 1);
});

t.test('GET /metrics 200: the database, its connections and what waits', async (t) => {
  const api = await buildTestApp(t, { DATABASE_POOL: '10' });
  const { app, database } = api;
  t.match(
    await metricsOf(api),
    new Map([
      ['hospital_database_up', 1],
      ['hospital_pictures_up', 1],
    ]),
  );
  let release = (): void => undefined;
  const held = new Promise<void>((resolve) => (release = resolve));
  let holding = (): void => undefined;
  const isHeld = new Promise<void>((resolve) => (holding = resolve));
  const work = database.db.transaction(async () => {
    holding();
    await held;
  });
  await isHeld;
  const busy = await metricsOf(api);
  const of = (lane: string, state: string) =>
    busy.get(`hospital_database_connections{lane="${lane}",state="${state}"}`) ?? 0;
  // Other work of the start may be under way.
  t.ok(of('brief', 'busy') + of('patient', 'busy') >= 1);
  t.strictSame(
    ['brief', 'patient'].map((lane) => of(lane, 'busy') + of(lane, 'free')),
    [3, 3],
  );
  t.equal(busy.get('hospital_database_waiting'), 0);
  release();
  await work;

  const user = await api.register();
  const read = await api.get(`/api/user/profiles/${user.id}/`, { token: user.token });
  t.equal(read.status, 200);
  t.ok(((await metricsOf(api)).get('hospital_audit_waiting') as number) > 0);
  await app.audit.flush();
  t.equal((await metricsOf(api)).get('hospital_audit_waiting'), 0);
  for (const queue of ['passwords', 'pictures', 'searches']) {
    t.equal((await metricsOf(api)).get(`hospital_queue_waiting{queue="${queue}"}`), 0, queue);
  }

  await database.close();
  await api.get('/doctors/');
  const away = await metricsOf(api);
  t.equal(away.get('hospital_database_errors_total{code="CONNECTION_ENDED"}'), 1);
});

t.test('GET /metrics 401 and 403: for staff and programs on this machine alone', async (t) => {
  const api = await buildTestApp(t);
  const [user, staff] = [await api.register(), await api.registerStaff()];
  const remoteAddress = '192.0.2.7';
  t.equal((await api.get('/metrics')).status, 200);
  t.equal((await api.get('/metrics', { remoteAddress: '::1' })).status, 200);
  t.equal((await api.get('/metrics', { remoteAddress })).status, 401);
  for (const name of ['x-forwarded-for', 'forwarded', 'via', 'x-real-ip']) {
    t.equal((await api.get('/metrics', { headers: { [name]: '192.0.2.7' } })).status, 401, `a proxy's ${name}`);
  }
  t.equal((await api.get('/metrics', { remoteAddress, token: user.token })).status, 403);
  const answer = await api.get('/metrics', { remoteAddress, token: staff.token });
  t.equal(answer.status, 200);
  t.match(answer.headers, { 'content-type': /^text\/plain; version=0\.0\.4/, 'cache-control': 'no-store' });
});

t.test('a server with METRICS_PORT tells them there and not on PORT, all that the list has and no other', async (t) => {
  const environment = { DATABASE_URL: await createTestDatabase(t), DATA_DIR: dataFolder(t), JWT_SECRET: SECRET };
  const port = await freePort();
  const server = await startServerProcess(t, { ...environment, METRICS_PORT: String(port) });
  t.equal((await fetch(`${server.url}/metrics`)).status, 404);
  const response = await fetch(`http://127.0.0.1:${port}/metrics`);
  t.equal(response.status, 200);
  const text = await response.text();
  const told = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name = '', kind = '']): [string, string] => [
    name,
    kind,
  ]);
  const listed = Object.entries(METRICS).map(([name, { kind }]): [string, string] => [name, kind]);
  // Without REDIS_URL and DATABASE_REPLICA_URL there are none.
  t.strictSame(
    new Set(told.filter(([name]) => /^(http|hospital)_/.test(name))),
    new Set(listed.filter(([name]) => !['hospital_redis_up', 'hospital_replica_lag_seconds'].includes(name))),
  );
  // What is watched is there: a rule of a metric that is gone would never fire.
  for (const file of ['alerts.yaml', 'grafana.json']) {
    const watched = readFileSync(new URL(`../../../deploy/${file}`, import.meta.url), 'utf8');
    for (const [name] of watched.matchAll(/\b(http|hospital|process|nodejs)_\w+/g)) {
      const base = name.replace(/_bucket$/, '');
      t.ok(base in METRICS || told.some(([each]) => each === base), `${file}: ${name}`);
    }
  }
  t.equal((await fetch(`http://127.0.0.1:${port}/doctors/`)).status, 404);
  t.equal((await fetch(`http://127.0.0.1:${port}/metrics`, { method: 'POST' })).status, 404);

  const second = await runProgram('dist/src/server.js', { ...environment, METRICS_PORT: String(port) });
  t.equal(second.stderr, `METRICS_PORT must be free, but something listens on ${port} already\n`);
  t.equal(second.code, 1);
});
