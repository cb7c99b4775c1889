import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { buildTestApp, MORNING, PASSWORD, type Body, type TestApp, type User } from '../helpers/app.js';
import { pictureFile } from '../helpers/pictures.js';
import { race, RACING, untilQueued, untilWaiting } from '../helpers/races.js';

const inDays = (days: number): string => new Date(MORNING.getTime() + days * 86_400_000).toISOString().slice(0, 10);
const reason = 'Letter 17.';

/** A clinic with a doctor and ways to erase and to book. */
async function open(t: Test, environment: Record<string, string> = {}) {
  const api = await buildTestApp(t, environment);
  const staff = await api.registerStaff({ username: 'staff' });
  const { token } = staff;
  const time = (await api.post('/available-time/', { token, body: { time: '10:00 - 10:30' } })).body.id as number;
  const doctor = await api.registerDoctor({ available_time: [time] });
  const book = (by: User, days: number, more: object = {}) =>
    api.post('/appointments/', {
      token: by.token,
      body: {
        ...{ doctor: doctor.doctorId, time, appointment_type: 'Offline', symptoms: 'Cough', date: inDays(days) },
        ...more,
      },
    });
  const recordOf = async (user: User): Promise<number> =>
    (await api.get('/patients/me/', { token: user.token })).body.id as number;
  const erase = (id: number, by: User = staff) =>
    api.post(`/patients/${id}/erase/`, { token: by.token, body: { reason } });
  return { api, staff, doctor, time, book, recordOf, erase };
}

const rows = async ({ database: { db } }: TestApp, query: string): Promise<Body[]> => [...(await db.execute(query))];

t.test('erasePatient 200 takes away who somebody is, and says what was done', async (t) => {
  const { api, staff, doctor, book, recordOf, erase } = await open(t);
  const ann = await api.register({ username: 'ann', first_name: 'Ann', last_name: 'Byron' });
  const { token } = ann;
  const form = { bio: 'I climb.', profile_picture: await pictureFile() };
  await api.post('/api/user/profiles/', { token, form });
  await api.post('/patients/', { token, form: { phone: '555 1234', profile: await pictureFile() } });
  const id = await recordOf(ann);
  await api.post('/api/user/login/', { body: { username: 'ann', password: PASSWORD } });
  await book(ann, 2);
  await book(ann, 3, { cancel: false });
  await api.post('/reviews/', { token, body: { doctor: doctor.doctorId, body: 'Ann was here.', rating: 1 } });
  await api.post('/contacts/', { token, body: { name: 'Ann', phone: '555 1234', massage: 'Hello?' } });
  await api.post('/waiting-list/', { token, body: { doctor: doctor.doctorId } });
  await api.post('/holds/', { token, body: { doctor: doctor.doctorId, time: 1, date: inDays(9) } });
  const pictures = (): string[] => readdirSync(join(t.testdirName, 'pictures'));
  t.equal(pictures().length, 2);

  const { status, body } = await erase(id);
  t.equal(status, 200);
  t.strictSame(body, {
    ...{ patient: id, user: ann.id, cancelled_appointments: 2, kept_appointments: 2, records: 1, profiles: 1 },
    ...{ doctors: 0, pictures: 2, reviews: 1, contacts: 1, waiting_entries: 1, holds: 1, sessions: 2, invitations: 0 },
    stored_answers: 0,
  });
  t.strictSame(pictures(), [], 'files too, before the answer');
  t.equal((await api.get('/patients/me/', { token })).status, 401, 'tokens are void at once');
  t.equal((await api.post('/api/user/login/', { body: { username: 'ann', password: PASSWORD } })).status, 401);
  t.equal((await api.post('/api/user/token/refresh/', { body: { refresh: ann.refresh } })).status, 401);
  t.equal((await api.get('/reviews/')).body.count, 0);
  t.equal((await erase(id)).status, 404, 'a second time');
  t.equal((await api.get(`/patients/${id}/`, { token: staff.token })).status, 404);
  const kept = (await api.get('/appointments/', { token: doctor.token })).body.results as Body[];
  t.strictSame(
    kept.map(({ symptoms, patient_name, cancel }) => [symptoms, patient_name, cancel]),
    [
      ['Cough', `erased:${ann.id}`, true],
      ['Cough', `erased:${ann.id}`, true],
    ],
  );
  const again = await api.register({ username: 'ann' });
  t.not(again.id, ann.id, 'the name is free for somebody else');
});

t.test('erasePatient 200 says why and by whom in a table of its own, and in the audit', async (t) => {
  const { api, staff, recordOf, erase } = await open(t);
  const id = await recordOf(await api.register());
  const answer = await erase(id);
  t.match(await rows(api, 'select * from erasures'), [{ patient_id: String(id), reason, erased_by: String(staff.id) }]);
  await api.app.audit.flush();
  const events = (await api.get('/audit-events/?action=erase', { token: staff.token })).body.results as Body[];
  t.strictSame(events.map(({ outcome, records, actor_id }) => [outcome, records, actor_id]).sort(), [
    ['answered', [id], staff.id],
    ['stored', [id], staff.id],
  ]);
  for (const { request_id } of events) t.equal(request_id, answer.headers['x-request-id']);
  t.strictSame(await rows(api, `select from audit_events where actor = 'database' and operation is not null`), []);
});

t.test('erasePatient 200 for whom has no account, and for who was deleted, with all records', async (t) => {
  const { api, staff, recordOf, erase } = await open(t);
  const { token } = staff;
  const desk = await api.post('/patients/', { token, body: { first_name: 'Rosa', last_name: 'Marsh', phone: '555' } });
  await api.post(`/patients/${desk.body.id}/invitation/`, { token });
  t.match((await erase(desk.body.id)).body, { user: null, records: 1, invitations: 1 });
  t.strictSame(await rows(api, `select first_name, last_name, phone, email from patients where id = ${desk.body.id}`), [
    { first_name: 'Erased', last_name: 'patient', phone: null, email: null },
  ]);
  const ann = await api.register();
  const first = await recordOf(ann);
  await api.delete(`/patients/${first}/`, { token: ann.token });
  const second = await api.post('/patients/', { token: ann.token, body: { phone: '556' } });
  t.match((await erase(first)).body, { user: ann.id, records: 2 });
  t.equal((await erase(second.body.id)).status, 404, 'erased with the other');
});

t.test('erasePatient 409 while the person manages others', async (t) => {
  const { api, staff, recordOf, erase } = await open(t);
  const ann = await api.register();
  const child = { first_name: 'Nils', last_name: 'Byron', date_of_birth: '2017-05-09', phone: '555' };
  const nils = await api.post('/patients/dependants/', { token: ann.token, body: child });
  const liv = await api.post('/patients/dependants/', { token: ann.token, body: { ...child, first_name: 'Liv' } });
  const refused = await erase(await recordOf(ann));
  t.equal(refused.status, 409);
  t.match(refused.body, { type: '/problems/has-dependants', detail: `${nils.body.id}, ${liv.body.id}.` });
  const handed = await api.patch(`/patients/${nils.body.id}/`, { token: staff.token, body: { managed_by: null } });
  t.equal(handed.status, 200);
  await api.delete(`/patients/${liv.body.id}/`, { token: ann.token });
  t.equal((await erase(await recordOf(ann))).status, 200);
  t.strictSame(
    await rows(api, 'select first_name, phone, managed_by from patients where user_id is null order by id'),
    [
      { first_name: 'Nils', phone: '555', managed_by: null },
      { first_name: 'Liv', phone: null, managed_by: null },
    ],
    'what is left of one who was deleted says nothing of whom it was managed by',
  );
});

t.test('erasePatient 409 while the person has appointments as a doctor; else the record is nobody’s', async (t) => {
  const { api, staff, doctor, book, recordOf, erase } = await open(t);
  const { token } = doctor;
  await api.patch(`/doctors/${doctor.doctorId}/`, { token, body: { meet_link: 'https://meet.example.com/okafor' } });
  await api.patch(`/doctors/${doctor.doctorId}/`, { token, form: { profile: await pictureFile() } });
  await api.post('/time-off/', {
    token,
    body: { doctor: doctor.doctorId, from: inDays(20), to: inDays(21), reason: 'Surgery' },
  });
  const ann = await api.register();
  await api.post('/reviews/', {
    token: ann.token,
    body: { doctor: doctor.doctorId, body: 'Dr. O. is kind.', rating: 5 },
  });
  const booked = await book(ann, 2);
  const id = await recordOf(doctor);
  t.match(await erase(id), { status: 409, body: { type: '/problems/has-appointments' } });
  t.equal((await api.get('/patients/me/', { token })).status, 200, 'and nothing was done');
  await api.patch(`/appointments/${booked.body.id}/`, { token: staff.token, body: { cancel: true } });
  t.match((await erase(id)).body, { doctors: 1, reviews: 1, pictures: 1, kept_appointments: 0 });
  t.equal((await api.get(`/doctors/${doctor.doctorId}/`)).status, 404);
  t.match((await api.get(`/appointments/${booked.body.id}/`, { token: ann.token })).body, {
    doctor_name: `erased:${doctor.id}`,
  });
  t.strictSame(await rows(api, 'select from time_off'), []);
});

t.test('erasePatient 403 of oneself', async (t) => {
  const { api, staff, recordOf, erase } = await open(t);
  const own = await recordOf(staff);
  t.equal((await erase(own)).status, 403);
  const other = await api.registerStaff();
  t.equal((await erase(own, other)).status, 200, 'somebody else may');
});

t.test('erasePatient of each other at once: one stays', async (t) => {
  const { api, staff, recordOf, erase } = await open(t, RACING);
  const other = await api.registerStaff();
  const ids = [await recordOf(staff), await recordOf(other)] as const;
  const answers = await race(api, `select from users where id in (${staff.id}, ${other.id}) for update`, [
    () => erase(ids[1], staff),
    () => erase(ids[0], other),
  ]);
  t.strictSame(answers.map(({ status }) => status).sort(), [200, 403]);
  t.equal((await rows(api, 'select from users where is_staff and is_active')).length, 1);
});

t.test('erasePatient twice at once: 200 and 404', async (t) => {
  const { api, staff, recordOf, erase } = await open(t, RACING);
  const ann = await api.register();
  const id = await recordOf(ann);
  const other = await api.registerStaff();
  const answers = await race(api, `select from users where id = ${ann.id} for update`, [
    () => erase(id, staff),
    () => erase(id, other),
  ]);
  t.strictSame(answers.map(({ status }) => status).sort(), [200, 404]);
});

t.test('what was under way when a person was erased leaves nothing', async (t) => {
  const { api, doctor, time, recordOf, erase } = await open(t, RACING);
  const { db } = api.database;
  const requests: Record<string, (user: User) => Promise<{ status: number }>> = {
    createContact: ({ token }) => api.post('/contacts/', { token, body: { name: 'A', phone: '12345', massage: 'Hi' } }),
    createReview: ({ token }) =>
      api.post('/reviews/', { token, body: { doctor: doctor.doctorId, body: 'Hi', rating: 1 } }),
    createProfile: ({ token }) => api.post('/api/user/profiles/', { token, body: { bio: 'x' } }),
    updateProfile: async ({ token }) => {
      const { body } = await api.get('/api/user/profiles/me/', { token });
      return api.patch(`/api/user/profiles/${body.id}/`, { token, body: { first_name: 'Ann' } });
    },
    createPatient: ({ token }) => api.post('/patients/', { token, body: { phone: '557' } }),
    createDoctor: ({ token }) => api.post('/doctors/', { token, body: {} }),
    createHold: ({ token }) =>
      api.post('/holds/', { token, body: { doctor: doctor.doctorId, time, date: inDays(30) } }),
    createAppointment: ({ token }) =>
      api.post('/appointments/', {
        token,
        headers: { 'idempotency-key': 'k' },
        body: { doctor: doctor.doctorId, time, appointment_type: 'Offline', symptoms: 'x', date: inDays(40) },
      }),
    createDependant: ({ token }) =>
      api.post('/patients/dependants/', {
        token,
        body: { first_name: 'Nils', last_name: 'B', date_of_birth: '2017-05-09' },
      }),
    logIn: ({ username }) => api.post('/api/user/login/', { body: { username, password: PASSWORD } }),
  };
  for (const [name, request] of Object.entries(requests)) {
    const user = await api.register();
    const id = await recordOf(user);
    const { erased, other } = await db.transaction(async (tx) => {
      // The erasure comes first to what the request then waits for.
      await tx.execute(`select from users where id = ${user.id} for update`);
      let left = 1;
      const erased = erase(id).finally(() => left--);
      await untilQueued(tx, () => left);
      left++;
      const other = request(user).finally(() => left--);
      await untilWaiting(tx, () => left);
      return { erased, other };
    });
    t.equal((await erased).status, 200, name);
    const { status } = await other;
    t.ok([201, 200, 400, 401, 403, 404, 409].includes(status), `${name} ${status}`);
    const found = await rows(
      api,
      `select 'contacts' as what from contacts where user_id = ${user.id}
      union all select 'reviews' from reviews join patients on patients.id = patient_id where user_id = ${user.id}
      union all select 'profiles' from profiles where user_id = ${user.id}
      union all select 'patients' from patients where (user_id = ${user.id} or managed_by = ${user.id})
        and (archived_at is null or phone is not null)
      union all select 'doctors' from doctors where user_id = ${user.id} and archived_at is null
      union all select 'holds' from holds where user_id = ${user.id}
      union all select 'sessions' from sessions where user_id = ${user.id}
      union all select 'keys' from idempotency_keys where user_id = ${user.id}
      union all select 'users' from users where id = ${user.id} and first_name <> ''
      union all select 'upcoming' from appointments join patients on patients.id = patient_id
        where user_id = ${user.id} and not is_cancelled`,
    );
    t.strictSame(found, [], name);
  }
});

t.test('a review that is being written when its author is erased goes with the others', async (t) => {
  const { api, doctor, recordOf, erase } = await open(t, RACING);
  const { id: userId, token } = await api.register();
  const id = await recordOf({ token } as User);
  const answers = await api.database.db.transaction(async (tx) => {
    await tx.execute(`select from doctors where id = ${doctor.doctorId} for update`);
    let left = 1;
    const body = { doctor: doctor.doctorId, body: 'Hi', rating: 1 };
    const written = api.post('/reviews/', { token, body }).finally(() => left--);
    await untilWaiting(tx, () => left);
    left++;
    const erased = erase(id).finally(() => left--);
    await untilWaiting(tx, () => left);
    return [written, erased];
  });
  const [written, erased] = await Promise.all(answers);
  t.equal(erased?.status, 200);
  t.ok([201, 409].includes(written?.status ?? 0));
  t.strictSame(
    await rows(api, `select user_id from reviews join patients on patients.id = patient_id`),
    [],
    `${userId}`,
  );
});

t.test('an erased user is none of those that there are', async (t) => {
  const { api, staff, recordOf, erase } = await open(t);
  const { token } = staff;
  const ann = await api.register({ username: 'ann' });
  await erase(await recordOf(ann));
  t.equal((await api.get(`/api/user/users/${ann.id}/`, { token })).status, 404);
  t.equal((await api.patch(`/api/user/users/${ann.id}/`, { token, body: { is_active: true } })).status, 404);
  t.equal((await api.post(`/api/user/users/${ann.id}/password-reset/`, { token })).status, 404);
  t.equal((await api.get('/api/user/users/?search=erased', { token })).body.count, 0);
  t.equal((await api.post('/doctors/', { token, body: { user: ann.id } })).status, 400);
  t.equal((await api.post('/patients/', { token, body: { user: ann.id, phone: '558' } })).status, 400);
  const desk = await api.post('/patients/', { token, body: { first_name: 'R', last_name: 'M', phone: '559' } });
  const change = { first_name: 'R', date_of_birth: '2017-05-09', managed_by: ann.id };
  t.equal((await api.patch(`/patients/${desk.body.id}/`, { token, body: change })).status, 400);
  await t.rejects(
    Promise.resolve(api.database.db.execute(`update users set is_active = true where id = ${ann.id}`)),
    'the database itself lets nobody be active who is erased',
  );
});

t.test('erasePatient 400 without a reason', async (t) => {
  const { api, staff, recordOf } = await open(t);
  const id = await recordOf(await api.register());
  for (const body of [{}, { reason: '' }, { reason: '  ' }, { reason: 'x'.repeat(501) }]) {
    const { status, body: problem } = await api.post(`/patients/${id}/erase/`, { token: staff.token, body });
    t.equal(status, 400);
    t.strictSame(Object.keys(problem.errors), ['reason']);
  }
});
