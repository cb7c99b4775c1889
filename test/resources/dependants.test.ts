/** Patients without an account: those of the desk, dependants, and how they come to an account. */
import { createHash } from 'node:crypto';
import t from 'tap';
import { buildTestApp, PASSWORD, type Body, type CallOptions, type TestApp, type User } from '../helpers/app.js';
import { pictureFile } from '../helpers/pictures.js';
import { race, RACING } from '../helpers/races.js';

const ROSA = { first_name: 'Rosa', last_name: 'Márquez', phone: '+44 20 7946 0101' };
const NILS = { first_name: 'Nils', last_name: 'Lindholm', date_of_birth: '2017-05-09' };

const statuses = (answers: readonly { status: number }[]): number[] => answers.map(({ status }) => status).sort();
const ids = (records: readonly { id: number }[]): number[] => records.map(({ id }) => id);

const countOf = async ({ database: { db } }: TestApp, from: string): Promise<number> =>
  Number((await db.execute(`select count(*) as n from ${from}`))[0]?.['n']);

/** Makes a record by a POST that has to succeed. */
async function made(api: TestApp, url: string, { token }: { token: string }, body: object): Promise<Body> {
  const answer = await api.post(url, { token, body });
  if (answer.status >= 300) throw new Error(`${url} answered ${answer.status}: ${answer.text}`);
  return answer.body;
}
const addDesk = (api: TestApp, staff: User, more: object = {}): Promise<Body> =>
  made(api, '/patients/', staff, { ...ROSA, ...more });
const addDependant = (api: TestApp, manager: User, more: object = {}): Promise<Body> =>
  made(api, '/patients/dependants/', manager, { ...NILS, ...more });
const invite = async (api: TestApp, { token }: User, { id }: { id: number }): Promise<string> =>
  (await api.post(`/patients/${id}/invitation/`, { token })).body.token;

let claims = 0;
const claim = (api: TestApp, invitation: unknown, more: object = {}) => {
  const username = `claimer${++claims}`;
  const account = { username, email: `${username}@example.com`, password: PASSWORD, confirm_password: PASSWORD };
  return api.post('/api/user/register/', { body: { ...account, invitation, ...more } });
};

t.test('patients of the desk', async (t) => {
  const api = await buildTestApp(t);
  const staff = await api.registerStaff();
  const [ada, doctor] = [await api.register(), await api.registerDoctor()];
  const create = (body: object, { token }: User = staff) => api.post('/patients/', { token, body });

  await t.test('createPatient 201 for a person without an account, and not for the receptionist', async (t) => {
    const mine = (await api.get('/patients/me/', { token: staff.token })).body;
    const answer = await create({ ...ROSA, email: 'rosa@example.com', date_of_birth: '1941-11-02' });
    t.equal(answer.status, 201);
    const { id, ...shown } = answer.body;
    t.strictSame(shown, {
      user: '',
      profile: null,
      phone: ROSA.phone,
      name: 'Rosa Márquez',
      email: 'rosa@example.com',
      date_of_birth: '1941-11-02',
      managed_by: null,
    });
    t.strictSame((await api.get('/patients/me/', { token: staff.token })).body, mine);
    t.strictSame((await api.get(`/patients/${id}/`, { token: staff.token })).body, answer.body);
    for (const { token } of [ada, doctor]) t.equal((await api.get(`/patients/${id}/`, { token })).status, 404);
    const form = { ...ROSA, phone: '0309', profile: await pictureFile() };
    const pictured = await api.post('/patients/', { token: staff.token, form });
    t.match(pictured, { status: 201, body: { name: 'Rosa Márquez', profile: String, email: null } });
    await api.delete(`/patients/${pictured.body.id}/`, { token: staff.token });
  });

  await t.test('createPatient 400 without what such a person has to have', async (t) => {
    for (const [body, fields] of [
      [{ first_name: 'Rosa' }, ['last_name', 'phone']],
      [{ first_name: ' ', last_name: 'M' }, ['first_name', 'phone']],
      [{ email: 'rosa@example.com' }, ['first_name', 'last_name', 'phone']],
      [{ date_of_birth: '1990-01-01', phone: '' }, ['first_name', 'last_name', 'phone']],
      [{ ...ROSA, email: 'rosa' }, ['email']],
      [{ ...ROSA, date_of_birth: '2990-01-01' }, ['date_of_birth']],
      [{ ...ROSA, first_name: 'x'.repeat(151) }, ['first_name']],
      [{ ...ROSA, last_name: 'a\0' }, ['last_name']],
    ] as const) {
      const answer = await create(body);
      t.equal(answer.status, 400, JSON.stringify(body));
      t.strictSame(Object.keys(answer.body.errors).sort(), fields);
    }
    t.equal(await countOf(api, `patients where user_id is null and archived_at is null`), 1);
  });

  await t.test('createPatient 409 for a phone number that is taken', async (t) => {
    t.match(await create({ ...ROSA, phone: '442079460101' }), {
      status: 409,
      body: { errors: { phone: ['is taken already'] } },
    });
  });

  await t.test('createPatient 201 for the user whom staff name, 409 once it is filled', async (t) => {
    const answer = await create({ user: ada.id, phone: '555 0300' });
    t.match(answer, { status: 201, body: { user: ada.username, phone: '555 0300' } });
    t.equal((await api.get('/patients/me/', { token: ada.token })).body.id, answer.body.id);
    const again = await create({ user: ada.id, phone: '555 0301' });
    t.equal(again.status, 409);
    t.equal(
      again.body.detail,
      `The user has a patient record already: http://localhost:8000/patients/${answer.body.id}/`,
    );
    t.match(await create({ user: 999_999 }), { status: 400, body: { errors: { user: ['has an unknown id'] } } });
    t.match(await create({ user: ada.username }), {
      status: 400,
      body: { errors: { user: ['must be the id of a user'] } },
    });
  });

  await t.test('createPatient 403 for who is not staff and names somebody else', async (t) => {
    const bob = await api.register();
    for (const user of [ada.id, ada.username, staff.id, 999_999, { id: 1 }]) {
      t.equal((await create({ user, phone: '555 0400' }, bob)).status, 403, JSON.stringify(user));
    }
    const own = await create({ user: bob.id, phone: '555 0400', first_name: 'Not', last_name: 'Stored' }, bob);
    t.match(own, { status: 201, body: { user: bob.username, name: bob.username } });
  });

  await t.test('updatePatient 200 changes who a patient without an account is', async (t) => {
    const { id } = await addDesk(api, staff, { phone: '555 0500' });
    const change = (body: object) => api.patch(`/patients/${id}/`, { token: staff.token, body });
    t.match(await change({ first_name: 'Rosalia', email: 'r@example.com', date_of_birth: '1940-02-29' }), {
      status: 200,
      body: { name: 'Rosalia Márquez', email: 'r@example.com', date_of_birth: '1940-02-29', phone: '555 0500' },
    });
    t.match(await change({ email: '', date_of_birth: null }), { body: { email: null, date_of_birth: null } });
    for (const body of [{ first_name: '' }, { last_name: ' ' }]) {
      const answer = await change(body);
      t.match(answer, { status: 400, body: { errors: { [Object.keys(body)[0] as string]: [String] } } });
    }
    const put = await api.put(`/patients/${id}/`, { token: staff.token, body: {} });
    t.match(put, { status: 200, body: { name: 'Rosalia Márquez', phone: null } }, 'who it is stays');
  });

  await t.test('updatePatient 200 leaves who a patient with an account is to the account', async (t) => {
    const { id, ...before } = (await api.get('/patients/me/', { token: ada.token })).body;
    const { token } = staff;
    const body = {
      first_name: 'X',
      last_name: '',
      email: 'x@example.com',
      date_of_birth: '1999-01-01',
      managed_by: null,
    };
    t.strictSame((await api.patch(`/patients/${id}/`, { token, body })).body, { id, ...before });
    await api.patch('/api/user/profiles/2/', { token, body: { date_of_birth: '1999-01-01', first_name: 'Ada' } });
    t.match((await api.get(`/patients/${id}/`, { token })).body, { name: 'Ada', date_of_birth: '1999-01-01' });
  });

  await t.test('listPatients 200 finds them by name, phone and id', async (t) => {
    const { results } = (await api.get('/patients/?search=rosa+marquez', { token: staff.token })).body;
    t.ok(results.length >= 1);
    const [{ id }] = results;
    for (const search of ['MÁRQUEZ', 'ros', 'ro', 'quez rosa', '79460101', String(id)]) {
      const found = (await api.get(`/patients/?search=${encodeURIComponent(search)}`, { token: staff.token })).body;
      t.ok(ids(found.results).includes(id), search);
      t.equal(found.count, found.results.length);
    }
    t.strictSame(ids((await api.get(`/patients/?phone=442079460101`, { token: staff.token })).body.results), [id]);
    t.strictSame((await api.get('/patients/?search=rosa+nobody', { token: staff.token })).body.results, []);
    t.equal((await api.get('/patients/?search=rosa', { token: ada.token })).body.count, 0);
  });

  await t.test('createAppointment 201 by staff for one, whom the doctor then sees', async (t) => {
    const time = (await made(api, '/available-time/', staff, { time: '10:00 - 10:30' })).id;
    const gp = await api.registerDoctor({ available_time: [time] });
    const { id } = await addDesk(api, staff, { phone: '555 0600' });
    const body = { doctor: gp.doctorId, appointment_type: 'Offline', symptoms: 'Cough', time, patient: id };
    const booked = await made(api, '/appointments/', staff, body);
    const url = `/appointments/${booked.id}/`;
    t.equal((await api.get(url, { token: gp.token })).body.patient, id);
    t.equal((await api.get(`/patients/${id}/`, { token: gp.token })).body.name, 'Rosa Márquez');
    t.equal((await api.patch(`/patients/${id}/`, { token: gp.token, body: {} })).status, 403);
    t.strictSame(ids((await api.get('/patients/', { token: gp.token })).body.results).includes(id), true);
    for (const appointment_status of ['Runing', 'Complated']) {
      t.equal((await api.patch(url, { token: gp.token, body: { appointment_status } })).status, 200);
    }
    t.equal((await api.post('/appointments/', { token: ada.token, body })).status, 403);
    t.equal((await api.delete(url, { token: staff.token })).status, 204);
    t.equal((await api.delete(`/patients/${id}/`, { token: staff.token })).status, 204);
  });

  await t.test('getMyPatient 200, 404 in words that say what to do', async (t) => {
    const eve = await api.register();
    const own = await api.get('/patients/me/', { token: eve.token });
    t.match(own, { status: 200, body: { user: eve.username } });
    t.equal(
      (
        await api.get('/patients/me/', {
          token: eve.token,
          headers: { 'if-none-match': own.headers['etag'] as string },
        })
      ).status,
      304,
    );
    await api.delete(`/patients/${own.body.id}/`, { token: eve.token });
    t.match(await api.get('/patients/me/', { token: eve.token }), {
      status: 404,
      body: { detail: 'You have no patient record. Create one with POST /patients/.' },
    });
    t.equal((await api.get('/patients/me/')).status, 401);
  });

  await t.test('what the database refuses, whoever writes', async (t) => {
    const write = (columns: string, values: string) =>
      api.database.db.execute(`insert into patients (${columns}) values (${values})`);
    for (const [columns, values] of [
      ['phone', `'1234'`],
      ['first_name', `'Rosa'`],
      ['first_name, last_name', `'Rosa', ' '`],
      ['user_id, first_name', `${doctor.id}, 'Rosa'`],
      ['user_id, email', `${doctor.id}, 'r@example.com'`],
      ['user_id, managed_by', `${doctor.id}, ${ada.id}`],
      ['first_name, last_name, managed_by', `'Nils', 'L', ${ada.id}`],
    ] as const) {
      await t.rejects(write(columns, values), { cause: { code: '23514' } }, columns);
    }
  });
});

t.test('dependants', async (t) => {
  const api = await buildTestApp(t, RACING);
  const staff = await api.registerStaff();
  const [maya, stranger] = [await api.register(), await api.register()];
  await made(api, '/patients/', maya, { phone: '555 7000' });
  const times: number[] = [];
  for (const time of ['10:00 - 10:30', '11:00 - 11:30']) {
    times.push((await made(api, '/available-time/', staff, { time })).id);
  }
  const doctor = await api.registerDoctor({ available_time: times });
  const booking = (patient: number) => ({
    ...{ doctor: doctor.doctorId, appointment_type: 'Offline', symptoms: 'Cough', time: times[0], patient },
  });

  await t.test('createDependant 201, with a phone number that may be the own', async (t) => {
    const answer = await api.post('/patients/dependants/', { token: maya.token, body: { ...NILS, phone: '555 7000' } });
    t.equal(answer.status, 201);
    const { id, ...shown } = answer.body;
    t.strictSame(shown, {
      user: '',
      profile: null,
      phone: '555 7000',
      name: 'Nils Lindholm',
      email: null,
      date_of_birth: '2017-05-09',
      managed_by: maya.id,
    });
    t.equal(answer.headers['location'], `http://localhost:8000/patients/${id}/`);
    const list = await api.get('/patients/dependants/', { token: maya.token });
    t.strictSame(list.body, [answer.body]);
    const headers = { 'if-none-match': list.headers['etag'] as string };
    t.equal((await api.get('/patients/dependants/', { token: maya.token, headers })).status, 304);
    t.strictSame((await api.get('/patients/dependants/', { token: stranger.token })).body, []);
    t.equal((await api.get('/patients/dependants/')).status, 401);
    t.equal((await api.get('/patients/', { token: maya.token })).body.count, 2, 'and the own record');
    t.match((await api.get('/patients/me/', { token: maya.token })).body, { user: maya.username });
  });

  await t.test('createDependant 400', async (t) => {
    for (const [body, field] of [
      [{ ...NILS, first_name: '' }, 'first_name'],
      [{ ...NILS, last_name: undefined }, 'last_name'],
      [{ ...NILS, date_of_birth: null }, 'date_of_birth'],
      [{ ...NILS, date_of_birth: '2017-02-30' }, 'date_of_birth'],
      [{ ...NILS, date_of_birth: '2990-01-01' }, 'date_of_birth'],
      [{ ...NILS, phone: 'x' }, 'phone'],
    ] as const) {
      const answer = await api.post('/patients/dependants/', { token: maya.token, body });
      t.match(answer, { status: 400, body: { errors: { [field]: [String] } } }, JSON.stringify(body));
    }
  });

  await t.test('createAppointment and all else of an appointment by who manages the patient', async (t) => {
    const { id: patient } = await addDependant(api, maya);
    const { token } = maya;
    t.match(await api.post('/appointments/', { token: stranger.token, body: booking(patient) }), {
      status: 403,
      body: { detail: 'Only staff may book for another patient.' },
    });
    const booked = await api.post('/appointments/', { token, body: booking(patient) });
    t.match(booked, { status: 201, body: { patient } });
    const url = `/appointments/${booked.body.id}/`;
    t.equal((await api.get(url, { token })).status, 200);
    t.strictSame(ids((await api.get(`/appointments/?patient_id=${patient}`, { token })).body.results), [
      booked.body.id,
    ]);
    t.equal((await api.get(url, { token: stranger.token })).status, 404);
    t.equal((await api.patch(url, { token: stranger.token, body: {} })).status, 404);
    t.equal((await api.delete(url, { token: stranger.token })).status, 404);

    t.match(await api.patch(url, { token, body: { symptoms: 'Fever', time: times[1] } }), { status: 200 });
    t.match(await api.put(url, { token, body: booking(patient) }), { status: 200, body: { patient, time: times[0] } });
    t.match(await api.patch(url, { token, body: { cancel: true } }), { status: 200, body: { cancel: true } });
    t.match(await api.patch(url, { token, body: { cancel: false, appointment_status: 'Complated' } }), {
      status: 200,
      body: { cancel: false, appointment_status: 'Pendding' },
    });
    const history = (await api.get(`${url}history/`, { token })).body.results as { changed_by: string }[];
    t.ok(history.length > 2);
    t.ok(history.every(({ changed_by }) => changed_by === maya.username));
    const { id: own } = (await api.get('/patients/me/', { token })).body;
    t.equal((await api.patch(url, { token, body: { patient: own } })).status, 403, 'it does not become the own');
    t.equal((await api.get(`/patients/${patient}/`, { token: doctor.token })).body.name, 'Nils Lindholm');
    t.equal((await api.patch(`/patients/${patient}/`, { token: doctor.token, body: {} })).status, 403);
    t.equal((await api.patch(url, { token: doctor.token, body: { appointment_status: 'Runing' } })).status, 200);
    t.equal((await api.delete(url, { token })).status, 409, 'as the patient could not');
    t.equal((await api.patch(url, { token: staff.token, body: { appointment_status: 'Pendding' } })).status, 200);
    t.equal((await api.delete(url, { token })).status, 204);
  });

  await t.test('createAppointment 201 without a record of the own', async (t) => {
    const parent = await api.register();
    const { id: patient } = await addDependant(api, parent);
    const { id } = (await api.get('/patients/me/', { token: parent.token })).body;
    await api.delete(`/patients/${id}/`, { token: parent.token });
    const { patient: _, ...unnamed } = booking(patient);
    t.equal((await api.post('/appointments/', { token: parent.token, body: unnamed })).status, 409);
    const booked = await made(api, '/appointments/', parent, booking(patient));
    t.equal(booked.patient, patient);
    t.equal((await api.delete(`/patients/${patient}/`, { token: parent.token })).status, 204, 'which cancels it');
    t.strictSame((await api.get('/patients/dependants/', { token: parent.token })).body, []);
    t.equal((await api.get(`/appointments/${booked.id}/`, { token: staff.token })).body.cancel, true);
  });

  await t.test('updatePatient 200 hands a patient over, by staff alone', async (t) => {
    const [from, to] = [await api.register(), await api.register()];
    const { id, ...child } = await addDependant(api, from, { phone: '555 7000' });
    const url = `/patients/${id}/`;
    const appointment = `/appointments/${(await made(api, '/appointments/', from, booking(id))).id}/`;
    const handOver = (managed_by: unknown, { token }: User = staff) => api.patch(url, { token, body: { managed_by } });
    for (const user of [from, doctor]) {
      t.match(await handOver(to.id, user), { status: 403, body: { type: '/problems/not-allowed' } });
    }
    t.equal((await handOver(from.id, from)).status, 200, 'nothing changes');
    t.match(await handOver(999_999), { status: 400, body: { errors: { managed_by: ['has an unknown id'] } } });
    t.match(await handOver(to.id), { status: 200, body: { ...child, managed_by: to.id } });
    for (const path of [url, appointment, `${appointment}history/`]) {
      t.equal((await api.get(path, { token: from.token })).status, 404, path);
      t.equal((await api.get(path, { token: to.token })).status, 200, path);
    }
    t.equal((await api.post('/appointments/', { token: from.token, body: booking(id) })).status, 403);
    t.equal((await api.delete(appointment, { token: from.token })).status, 404);

    t.match(await handOver(null), { status: 409, body: { errors: { phone: ['is taken already'] } } });
    await api.patch(url, { token: to.token, body: { phone: null } });
    t.match(await handOver(null), { status: 200, body: { managed_by: null } });
    t.equal((await api.get(url, { token: to.token })).status, 404, 'a patient of the desk');
    t.match(await handOver(from.id), { status: 200, body: { managed_by: from.id } });
    t.match(await api.patch(url, { token: from.token, body: { date_of_birth: null } }), {
      status: 400,
      body: { errors: { date_of_birth: ['is required of a patient who is managed'] } },
    });
    const { id: own } = (await api.get('/patients/me/', { token: to.token })).body;
    t.match(await api.patch(`/patients/${own}/`, { token: staff.token, body: { managed_by: from.id } }), {
      status: 400,
      body: { errors: { managed_by: ['is for patients without an account'] } },
    });
  });

  await t.test('createDependant, updatePatient 409 past 20 of an account, also at once', async (t) => {
    const parent = await api.register();
    for (let n = 0; n < 15; n++) await addDependant(api, parent);
    const desk = [];
    for (let n = 0; n < 4; n++) {
      desk.push(await addDesk(api, staff, { phone: `555 710${n}`, date_of_birth: '2000-01-01' }));
    }
    const answers = await race(api, `select from users where id = ${parent.id} for update`, [
      ...Array.from({ length: 4 }, () => () => api.post('/patients/dependants/', { token: parent.token, body: NILS })),
      ...desk.map(
        ({ id }) =>
          () =>
            api.patch(`/patients/${id}/`, { token: staff.token, body: { managed_by: parent.id } }),
      ),
    ]);
    t.equal(answers.filter(({ status }) => status < 300).length, 5);
    for (const { body } of answers.filter(({ status }) => status >= 300)) {
      t.match(body, { status: 409, type: '/problems/too-many-dependants' });
    }
    const { body } = await api.get('/patients/dependants/', { token: parent.token });
    t.equal(body.length, 20);
    const { id } = await addDesk(api, staff, { phone: '555 7104', date_of_birth: '2000-01-01' });
    const handover = { token: staff.token, body: { managed_by: parent.id } };
    t.equal((await api.patch(`/patients/${id}/`, handover)).status, 409);
    t.equal((await api.post('/patients/dependants/', { token: parent.token, body: NILS })).status, 409);
    t.equal((await api.delete(`/patients/${body[0].id}/`, { token: parent.token })).status, 204);
    t.equal((await api.post('/patients/dependants/', { token: parent.token, body: NILS })).status, 201);
  });

  await t.test('createAppointment or updatePatient wins, where a booking meets a handover', async (t) => {
    const [from, to] = [await api.register(), await api.register()];
    const { id } = await addDependant(api, from);
    const [booked, handed] = await race(api, `select from patients where id = ${id} for update`, [
      () => api.post('/appointments/', { token: from.token, body: booking(id) }),
      () => api.patch(`/patients/${id}/`, { token: staff.token, body: { managed_by: to.id } }),
    ]);
    t.equal(handed?.status, 200);
    t.ok([201, 403].includes(booked?.status ?? 0), 'before, or no more');
    t.equal((await api.post('/appointments/', { token: from.token, body: booking(id) })).status, 403);
  });

  await t.test('a manager who is deactivated keeps them, and nobody else sees them', async (t) => {
    const parent = await api.register();
    const { id } = await addDependant(api, parent);
    const setActive = (is_active: boolean) =>
      api.patch(`/api/user/users/${parent.id}/`, { token: staff.token, body: { is_active } });
    await setActive(false);
    t.equal((await api.get(`/patients/${id}/`, { token: parent.token })).status, 401);
    t.match((await api.get(`/patients/${id}/`, { token: staff.token })).body, { managed_by: parent.id });
  });
});

t.test('invitations', async (t) => {
  const api = await buildTestApp(t, RACING);
  const staff = await api.registerStaff();
  const time = (await made(api, '/available-time/', staff, { time: '10:00 - 10:30' })).id;
  const doctor = await api.registerDoctor({ available_time: [time] });
  let phones = 0;
  const desk = (more: object = {}) => addDesk(api, staff, { phone: `666 ${1000 + ++phones}`, ...more });
  const booking = { doctor: doctor.doctorId, appointment_type: 'Online', symptoms: 'Cough', time };
  const invalid = {
    status: 400,
    body: { errors: { invitation: ['is not valid: it was used or replaced, or has expired'] } },
  };

  await t.test('createInvitation 200, registerUser 201 with it ties the record to the account', async (t) => {
    const rosa = await desk({ date_of_birth: '1941-11-02', email: 'old@example.com' });
    const appointment = await made(api, '/appointments/', staff, { ...booking, patient: rosa.id });
    const invitation = await api.post(`/patients/${rosa.id}/invitation/`, { token: staff.token });
    t.equal(invitation.status, 200);
    const days = (Date.parse(invitation.body.expires_at) - Date.now()) / 86_400_000;
    t.ok(Math.abs(days - 7) < 0.01, `ends in ${days} days`);

    const answer = await claim(api, invitation.body.token);
    t.match(answer, { status: 201, body: { user: { first_name: 'Rosa', last_name: 'Márquez' } } });
    const { user, tokens } = answer.body;
    const token = tokens.access;
    t.strictSame((await api.get('/patients/me/', { token })).body, {
      ...rosa,
      user: user.username,
      email: user.email,
    });
    t.equal(await countOf(api, `patients where user_id = ${user.id}`), 1, 'no empty record beside it');
    t.equal((await api.get('/api/user/profiles/me/', { token })).body.date_of_birth, '1941-11-02');
    t.strictSame(ids((await api.get('/appointments/', { token })).body.results), [appointment.id]);
    t.equal((await api.patch(`/appointments/${appointment.id}/`, { token, body: { cancel: true } })).status, 200);
    t.match(await claim(api, invitation.body.token), invalid);
    t.match(await api.post(`/patients/${rosa.id}/invitation/`, { token: staff.token }), {
      status: 409,
      body: { type: '/problems/already-exists', detail: 'The patient has an account already.' },
    });
    t.equal((await api.post('/patients/', { token, body: {} })).status, 409, 'the record is filled');
    t.ok(ids((await api.get('/patients/?search=marquez', { token: staff.token })).body.results).includes(rosa.id));
  });

  await t.test('registerUser 201 with names of the own, 400 for a password that is much like the name', async (t) => {
    const rosa = await desk();
    const token = await invite(api, staff, rosa);
    const alike = { password: 'Márquez-Rosa1', confirm_password: 'Márquez-Rosa1' };
    t.match(await claim(api, token, alike), { status: 400, body: { errors: { password: [String] } } });
    t.match(await claim(api, token, { username: staff.username }), { status: 409 });
    t.match(await claim(api, token, { first_name: 'Rosalia', last_name: '' }), {
      status: 201,
      body: { user: { first_name: 'Rosalia', last_name: '' } },
    });
  });

  await t.test('registerUser 400 for what is no invitation, or none any more', async (t) => {
    const users = await countOf(api, 'users');
    const rosa = await desk();
    const [first, second] = [await invite(api, staff, rosa), await invite(api, staff, rosa)];
    t.match(await claim(api, first), invalid, 'one that another has ended');
    for (const wrong of [
      'x',
      `${second}x`,
      second.slice(1),
      second.toUpperCase(),
      '%',
      'é',
      "' or true --",
      'x'.repeat(100),
    ]) {
      t.match(await claim(api, wrong), invalid, wrong);
    }
    for (const wrong of ['', null, 7, [second], { second }, 'x'.repeat(101), '\0']) {
      t.equal((await claim(api, wrong)).status, 400, JSON.stringify(wrong));
    }
    const expire = (interval: string) =>
      api.database.db.execute(`update patient_invitations set expires_at = now() ${interval}`);
    await expire(`- interval '1 second'`);
    t.match(await claim(api, second), invalid, 'expired');
    await expire(`+ interval '1 day'`);
    await api.delete(`/patients/${rosa.id}/`, { token: staff.token });
    t.match(await claim(api, second), invalid, 'archived');
    t.equal(await countOf(api, 'users'), users, 'no user is left of them');
  });

  await t.test('the database has no token, only its hash', async (t) => {
    const token = await invite(api, staff, await desk());
    const rows = await api.database.db.execute('select * from patient_invitations');
    t.notMatch(JSON.stringify(rows), token);
    t.ok(rows.some((row) => row['token_hash'] === createHash('sha256').update(token).digest('hex')));
  });

  await t.test('registerUser 201 once of many at once with one invitation', async (t) => {
    const rosa = await desk();
    const token = await invite(api, staff, rosa);
    const users = await countOf(api, 'users');
    const answers = await race(
      api,
      `select from patients where id = ${rosa.id} for update`,
      Array.from({ length: 7 }, () => () => claim(api, token)),
    );
    t.strictSame(statuses(answers), [201, ...Array.from({ length: 6 }, () => 400)]);
    t.equal(await countOf(api, 'users'), users + 1);
    t.equal(await countOf(api, 'profiles'), users + 1, 'and no profile of the others');
  });

  await t.test('registerUser meets a new invitation, and an archiving: one wins, nothing is left half', async (t) => {
    for (const rival of ['invitation/', ''] as const) {
      const rosa = await desk();
      const token = await invite(api, staff, rosa);
      const options: CallOptions = { token: staff.token };
      const url = `/patients/${rosa.id}/${rival}`;
      const [claimed, other] = await race(api, `select from patients where id = ${rosa.id} for update`, [
        () => claim(api, token),
        () => (rival === '' ? api.delete(url, options) : api.post(url, options)),
      ]);
      const [row] = await api.database.db.execute(`select user_id, archived_at from patients where id = ${rosa.id}`);
      t.equal(claimed?.status === 201, row?.['user_id'] !== null);
      t.ok([201, 400].includes(claimed?.status ?? 0));
      t.ok([200, 204, 409].includes(other?.status ?? 0), String(other?.status));
      if (claimed?.status === 400) t.not(other?.status, 409);
    }
  });

  await t.test('registerUser 201 takes a dependant over from the manager', async (t) => {
    const parent = await api.register();
    await made(api, '/patients/', parent, { phone: '777 1000' });
    const child = await addDependant(api, parent, { phone: '777 1000' });
    const appointment = await made(api, '/appointments/', parent, { ...booking, patient: child.id });
    t.equal((await api.post(`/patients/${child.id}/invitation/`, { token: parent.token })).status, 403);
    const { user, tokens } = (await claim(api, await invite(api, staff, child))).body;
    t.match((await api.get('/patients/me/', { token: tokens.access })).body, {
      ...{ id: child.id, user: user.username, name: 'Nils Lindholm', managed_by: null },
      ...{ phone: null, date_of_birth: '2017-05-09' },
    });
    t.equal((await api.get(`/appointments/${appointment.id}/`, { token: tokens.access })).status, 200);
    for (const path of [`/appointments/${appointment.id}/`, `/patients/${child.id}/`]) {
      t.equal((await api.get(path, { token: parent.token })).status, 404, path);
    }
    t.strictSame((await api.get('/patients/dependants/', { token: parent.token })).body, []);
  });

  await t.test('createInvitation 409 for a patient with an account', async (t) => {
    const rosa = await desk();
    t.equal((await claim(api, await invite(api, staff, rosa))).status, 201);
    t.match(await api.post(`/patients/${rosa.id}/invitation/`, { token: staff.token }), {
      status: 409,
      body: { type: '/problems/already-exists' },
    });
  });

  await t.test('createInvitation 404 for an archived patient', async (t) => {
    const rosa = await desk();
    await api.delete(`/patients/${rosa.id}/`, { token: staff.token });
    t.equal((await api.post(`/patients/${rosa.id}/invitation/`, { token: staff.token })).status, 404);
  });
});

t.test('registerUser 429: guesses of an invitation count as registrations', async (t) => {
  const api = await buildTestApp(t, { RATE_LIMIT_AUTH: '5' });
  const seen = [];
  for (let n = 0; n < 7; n++) seen.push((await claim(api, `guess ${n}`)).status);
  t.strictSame(seen, [400, 400, 400, 400, 400, 429, 429]);
});
