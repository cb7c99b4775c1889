import { sql } from 'drizzle-orm';
import t from 'tap';
import { buildTestApp, MORNING, type TestApp, type User } from '../helpers/app.js';
import { pictureFile } from '../helpers/pictures.js';
import { race, RACING } from '../helpers/races.js';

/** The id and path of a user's own patient record. */
async function own(api: TestApp, { token, username }: User): Promise<{ id: number; url: string }> {
  const { results } = (await api.get('/patients/', { token })).body;
  const { id } = results.find((patient: { user: string }) => patient.user === username);
  return { id, url: `/patients/${id}/` };
}

interface Slot {
  readonly date?: string;
  readonly period?: string | null;
  readonly status?: string;
  readonly cancelled?: boolean;
  readonly archived?: boolean;
}

let slots = 0;

/** Books by hand; each on a label of its own, so that none stands in the way of another. */
async function book(api: TestApp, doctorId: number, patientId: number, slot: Slot = {}): Promise<number> {
  const { date = '2031-05-06', period = null, status = 'pending', cancelled = false, archived = false } = slot;
  const [row] = await api.database.db.execute<{ id: string }>(sql`
    with slot as (insert into available_times (label) values (${`slot ${++slots}`}) returning id)
    insert into appointments (patient_id, doctor_id, available_time_id, date, period, type, status, symptoms,
      is_cancelled, archived_at)
    select ${patientId}, ${doctorId}, slot.id, ${date}, ${period}::tsrange, 'online', ${status}::appointment_status,
      'Cough.', ${cancelled}, ${archived ? '2026-01-01' : null}::timestamptz
    from slot returning id`);
  return Number(row?.id);
}

/** Of a record as registration opens it. */
const ACCOUNT = { profile: null, phone: null, date_of_birth: null, managed_by: null };

const usernames = (answer: { body: { results: { user: string }[] } }): string[] =>
  answer.body.results.map(({ user }) => user);

const statuses = (answers: readonly { status: number }[]): number[] => answers.map(({ status }) => status).sort();

t.test('createPatient', async (t) => {
  const api = await buildTestApp(t, RACING);
  const create = (user: User, body: object) => api.post('/patients/', { token: user.token, body });

  await t.test('createPatient 201 fills the record that registration has opened', async (t) => {
    const user = await api.register({ username: 'ada' });
    const { id, url } = await own(api, user);
    const empty = { ...ACCOUNT, id, user: 'ada', name: 'ada', email: 'ada@example.com' };
    t.strictSame((await api.get(url, { token: user.token })).body, empty);
    const answer = await create(user, { phone: '+44 (20) 7946-0958', user: 'Ada', id: 99, filled: false });
    t.equal(answer.status, 201);
    t.strictSame(answer.body, { ...empty, phone: '+44 (20) 7946-0958' });
    t.strictSame((await api.get(url.slice(0, -1), { token: user.token })).body, answer.body);
  });

  await t.test('createPatient 201 from a form with a picture, whose URL is signed', async (t) => {
    const user = await api.register();
    const answer = await api.post('/patients/', { token: user.token, form: { profile: await pictureFile() } });
    t.equal(answer.status, 201);
    const picture = new URL(answer.body.profile);
    t.match(picture.href, /^http:\/\/localhost:8000\/pictures\/s-[\w-]{22}\.png\?expires=\d+&signature=[\w-]+$/);
    t.equal((await api.get(picture.pathname + picture.search)).status, 200);
    t.equal((await api.get(picture.pathname)).status, 404, 'not without the signature');
    t.strictSame((await api.get('/patients/', { token: user.token })).body.results, [answer.body]);
  });

  await t.test('createPatient 409 onto one that is filled, with its URL', async (t) => {
    const staff = await api.registerStaff();
    for (const fill of ['POST', 'PUT', 'PATCH', 'PATCH by staff']) {
      const user = await api.register();
      const { url } = await own(api, user);
      const token = fill === 'PATCH by staff' ? staff.token : user.token;
      await api.call(fill.split(' ')[0] as string, fill === 'POST' ? '/patients/' : url, {
        token,
        body: { phone: null },
      });
      const answer = await create(user, { phone: '555 0000' });
      t.equal(answer.status, 409, fill);
      t.equal(answer.body.type, '/problems/already-exists');
      t.ok(answer.body.detail.includes(`http://localhost:8000${url}`), answer.body.detail);
      t.equal((await api.get(url, { token })).body.phone, null);
    }
  });

  await t.test('createPatient 201 after a change of nothing', async (t) => {
    const user = await api.register();
    const { url } = await own(api, user);
    t.equal((await api.patch(url, { token: user.token, body: {} })).status, 200);
    t.equal((await create(user, {})).status, 201);
  });

  await t.test('createPatient 201 for staff who name nobody is of the staff user', async (t) => {
    const staff = await api.registerStaff();
    const answer = await create(staff, { phone: '555 0001', user: '', first_name: '', email: '' });
    t.equal(answer.status, 201);
    t.equal(answer.body.user, staff.username);
  });

  await t.test('createPatient 201 once of many at once, also after a delete', async (t) => {
    const user = await api.register();
    const first = await own(api, user);
    for (const round of ['opened by registration', 'deleted']) {
      // In the second round it is the user's row that all wait for, to insert a record that refers to it.
      const lock = round === 'deleted' ? `users where id = ${user.id}` : `patients where user_id = ${user.id}`;
      const answers = await race(
        api,
        `select from ${lock} for update`,
        Array.from({ length: 7 }, (_, index) => () => create(user, { phone: `777 000${index}` })),
      );
      t.strictSame(statuses(answers), [201, ...Array.from({ length: 6 }, () => 409)], round);
      const { id, url } = await own(api, user);
      t.equal(id === first.id, round === 'opened by registration');
      t.equal(answers.find(({ status }) => status === 201)?.body.id, id);
      t.ok(answers.filter(({ status }) => status === 409).every(({ body }) => body.detail.includes(url)));
      t.equal((await api.delete(url, { token: user.token })).status, 204);
    }
  });

  await t.test('createPatient 409 for a phone number that is taken, by its digits', async (t) => {
    const [a, b] = [await api.register(), await api.register()];
    t.equal((await create(a, { phone: '030 12-34' })).status, 201);
    const answer = await create(b, { phone: '(0301) 2.34' });
    t.equal(answer.status, 409);
    t.strictSame(answer.body.errors, { phone: ['is taken already'] });
    const form = { phone: '0301234', profile: await pictureFile() };
    t.equal((await api.post('/patients/', { token: b.token, form })).status, 409);
    t.equal((await api.database.db.execute('select from discarded_pictures')).length, 0, 'no picture is left');
    await api.delete((await own(api, a)).url, { token: a.token });
    t.equal((await create(b, { phone: '0301234' })).status, 201, 'the record was empty still, and the number is free');
  });

  await t.test('createPatient 409 for all but one who want a phone number at once', async (t) => {
    const people = await Promise.all(Array.from({ length: 6 }, () => api.register()));
    const answers = await Promise.all(people.map((user) => create(user, { phone: '040 4040' })));
    t.strictSame(statuses(answers), [201, 409, 409, 409, 409, 409]);
  });

  await t.test('createPatient 400', async (t) => {
    const user = await api.register();
    for (const phone of ['12', '1'.repeat(21), '12x4', '+-( )', 5551234, true, '١٢٣']) {
      const answer = await create(user, { phone, profile: 'x.png' });
      t.equal(answer.status, 400, String(phone));
      t.strictSame(Object.keys(answer.body.errors).sort(), ['phone', 'profile']);
    }
    t.equal((await api.post('/patients/', { token: user.token })).status, 400);
    t.equal((await create(user, { phone: '' })).body.phone, null, 'nothing was stored before');
  });

  await t.test('createPatient 401', async (t) => {
    t.equal((await api.post('/patients/', { body: {} })).status, 401);
  });
});

t.test('listPatients', async (t) => {
  const api = await buildTestApp(t);
  const staff = await api.registerStaff({ username: 'head' });
  const ada = await api.register({ username: 'ada', first_name: 'Ada', last_name: 'Lovelace' });
  const bob = await api.register({ username: 'bob_x', email: 'lovelace@example.com', first_name: 'Bob' });
  const cid = await api.register({ username: 'cid', last_name: 'Love-Smith' });
  await api.post('/patients/', { token: ada.token, body: { phone: '+44 (20) 7946-0958' } });
  await api.post('/patients/', { token: bob.token, body: { phone: '020 7946' } });

  for (const [query, expected] of [
    ['', ['head', 'ada', 'bob_x', 'cid']],
    ['search=LOVE', ['ada', 'cid']],
    ['search=lovelace', ['ada']],
    ['search=ada%20lovelace', ['ada']],
    ['search=love%20%20ada%20', ['ada']],
    ['search=bob%20ada', []],
    ['search=example.com', []],
    ['search=love-smith', ['cid']],
    ['search=bob_', ['bob_x']],
    ['search=%25', []],
    ['search=%5C', []],
    ['search=%20', ['head', 'ada', 'bob_x', 'cid']],
    ['search=7946', ['ada', 'bob_x']],
    ['search=79460958', ['ada']],
    ['search=%2B44%20(20)%207946-0958', ['ada']],
    ['search=ada%207946', ['ada']],
    ['search=bob%200958', []],
    ['search=%2B', ['ada']],
    ['search=2', ['ada', 'bob_x']],
    ['search=3', ['bob_x']],
    ['search=03', []],
    ['search=9999999999999999', []],
    ['search=99999999999999999999999999', []],
    ['phone=0207946', ['bob_x']],
    ['phone=(020)-79%2046', ['bob_x']],
    ['phone=%2B442079460958', ['ada']],
    ['phone=7946', []],
    ['phone=0207946&search=ada', []],
  ] as const) {
    await t.test(`listPatients 200 ?${query} for staff`, async (t) => {
      const answer = await api.get(`/patients/?${query}`, { token: staff.token });
      t.equal(answer.status, 200);
      t.equal(answer.body.count, expected.length);
      t.strictSame(usernames(answer), expected);
    });
  }

  await t.test('listPatients 200 only the own for a patient', async (t) => {
    const answer = await api.get('/patients/', { token: bob.token });
    t.match(answer.body, { count: 1, next: null, previous: null });
    t.strictSame(usernames(answer), ['bob_x']);
    for (const query of ['search=ada', 'search=2', 'search=lovelace', 'phone=%2B442079460958']) {
      const { body } = await api.get(`/patients/?${query}`, { token: cid.token });
      t.strictSame([body.count, body.results], [0, []], query);
    }
  });

  await t.test('listPatients, getPatient 200 for a doctor who has or had an appointment with them', async (t) => {
    for (const slot of [{}, { cancelled: true }, { archived: true }, { date: '2020-01-01', status: 'completed' }]) {
      const doctor = await api.registerDoctor({}, { username: `dr${slots}` });
      const { id, url } = await own(api, ada);
      t.strictSame(usernames(await api.get('/patients/', { token: doctor.token })), [doctor.username]);
      t.equal((await api.get(url, { token: doctor.token })).status, 404);
      await book(api, doctor.doctorId, id, slot);
      const list = await api.get('/patients/', { token: doctor.token });
      t.equal(list.body.count, 2);
      t.strictSame(usernames(list), ['ada', doctor.username]);
      t.strictSame(usernames(await api.get('/patients/?search=o', { token: doctor.token })), ['ada']);
      t.equal((await api.get(url, { token: doctor.token })).body.user, 'ada');
      t.equal((await api.get((await own(api, bob)).url, { token: doctor.token })).status, 404);
      for (const method of ['PUT', 'PATCH', 'DELETE']) {
        const body = method === 'DELETE' ? {} : { body: { phone: '123' } };
        t.equal((await api.call(method, url, { ...body, token: doctor.token })).status, 403, method);
      }
      await api.database.db.execute(`update doctors set archived_at = now() where id = ${doctor.doctorId}`);
      t.equal((await api.get(url, { token: doctor.token })).status, 404, 'no doctor any more');
      t.strictSame(usernames(await api.get('/patients/', { token: doctor.token })), [doctor.username]);
    }
    t.equal((await api.get((await own(api, ada)).url, { token: ada.token })).body.phone, '+44 (20) 7946-0958');
  });

  await t.test('listPatients 200 in pages', async (t) => {
    const first = await api.get('/patients/?limits=1&search=love', { token: staff.token });
    t.match(first.body, { count: 2, previous: null });
    t.ok(first.body.next.startsWith('http://localhost:8000/patients/?limits=1&search=love&page=2&after='));
    t.strictSame(usernames(await api.get(first.body.next, { token: staff.token })), ['cid']);
  });

  await t.test('listPatients 400, 401, 404', async (t) => {
    for (const query of ['page=0', 'limits=1001', 'phone=x12', `search=${'x'.repeat(321)}`]) {
      const answer = await api.get(`/patients/?${query}`, { token: staff.token });
      t.equal(answer.status, 400, query);
      t.strictSame(Object.keys(answer.body.errors), [query.split('=')[0]]);
    }
    t.equal((await api.get('/patients/')).status, 401);
    t.equal((await api.get('/patients/?page=2', { token: ada.token })).status, 404);
  });
});

t.test('getPatient, replacePatient, updatePatient', async (t) => {
  const api = await buildTestApp(t);
  const staff = await api.registerStaff();
  const other = await api.registerDoctor();
  const ada = await api.register({ username: 'ada' });
  const { token } = ada;
  const { id, url } = await own(api, ada);
  await api.post('/patients/', { token, body: { phone: '555 0100' } });

  await t.test('getPatient 200 for the owner and staff, 401, 404 for others', async (t) => {
    const person = { name: 'ada', email: 'ada@example.com' };
    const expected = { ...ACCOUNT, ...person, id, user: 'ada', phone: '555 0100' };
    t.strictSame((await api.get(url, { token })).body, expected);
    t.strictSame((await api.get(url, { token: staff.token })).body, expected);
    t.equal((await api.get(url)).status, 401);
    const hidden = await api.get(url, { token: other.token });
    const absent = await api.get('/patients/9999/', { token: other.token });
    t.strictSame([hidden.status, absent.status], [404, 404]);
    t.equal(hidden.body.detail, absent.body.detail);
    for (const bad of ['0', 'x', '9007199254740992']) {
      t.equal((await api.get(`/patients/${bad}/`, { token: staff.token })).status, 404, bad);
    }
  });

  await t.test('updatePatient 200 changes only what is sent', async (t) => {
    const first = (await api.patch(url, { token, form: { profile: await pictureFile() } })).body;
    t.equal(first.phone, '555 0100');
    t.equal((await api.patch(url, { token, body: { phone: '5550100' } })).body.phone, '5550100', 'the own number');
    const { profile } = (await api.patch(url, { token, body: { phone: '555 0101' } })).body;
    t.equal(new URL(profile).pathname, new URL(first.profile).pathname);
    t.equal((await api.patch(url, { token, body: {} })).body.phone, '555 0101');
  });

  await t.test('replacePatient 200 removes a phone number that is left out; a picture stays', async (t) => {
    const before = (await api.get(url, { token })).body;
    const answer = await api.put(url, { token, body: {} });
    t.equal(answer.status, 200);
    t.equal(answer.body.phone, null);
    t.equal(new URL(answer.body.profile).pathname, new URL(before.profile).pathname);
  });

  await t.test('replacePatient, updatePatient 200 replace and remove the picture', async (t) => {
    const path = (answer: { body: { profile: string } }) => answer.body.profile.slice(21);
    const first = path(await api.get(url, { token }));
    const second = path(await api.put(url, { token, form: { profile: await pictureFile('b.jpg') } }));
    t.strictSame([(await api.get(first)).status, (await api.get(second)).status], [404, 200]);
    t.equal((await api.patch(url, { token, form: { profile: '' } })).body.profile, null);
    t.equal((await api.get(second)).status, 404);
  });

  await t.test('replacePatient, updatePatient 200 for staff', async (t) => {
    t.equal((await api.put(url, { token: staff.token, body: { phone: '555 0102' } })).body.phone, '555 0102');
    t.match((await api.patch(url, { token: staff.token, body: { phone: '555 0103' } })).body, { user: 'ada' });
  });

  await t.test('replacePatient, updatePatient 400, 409 and nothing changes', async (t) => {
    const before = (await api.get(url, { token })).body;
    await api.patch((await own(api, staff)).url, { token: staff.token, body: { phone: '555 9999' } });
    for (const method of ['PUT', 'PATCH']) {
      t.equal((await api.call(method, url, { token, body: { phone: 'x' } })).status, 400);
      const taken = await api.call(method, url, { token, body: { phone: '5559999', profile: null } });
      t.equal(taken.status, 409);
      t.strictSame(taken.body.errors, { phone: ['is taken already'] });
    }
    t.strictSame((await api.get(url, { token })).body, before);
  });

  await t.test('replacePatient, updatePatient, deletePatient 401, 404 for others', async (t) => {
    for (const method of ['PUT', 'PATCH', 'DELETE']) {
      const body = method === 'DELETE' ? {} : { body: { phone: '123' } };
      t.equal((await api.call(method, url, body)).status, 401, method);
      t.equal((await api.call(method, url, { ...body, token: other.token })).status, 404, method);
      t.equal((await api.call(method, '/patients/9999/', { ...body, token: staff.token })).status, 404, method);
    }
  });

  await t.test('updatePatient 409 for two who swap phone numbers at once', async (t) => {
    const people = [await api.register(), await api.register()] as const;
    const urls: string[] = [];
    for (const [index, user] of people.entries()) {
      urls.push((await own(api, user)).url);
      await api.post('/patients/', { token: user.token, body: { phone: `808 000${index}` } });
    }
    const answers = await Promise.all(
      people.map((user, index) =>
        api.patch(urls[index] as string, { token: user.token, body: { phone: `808 000${1 - index}` } }),
      ),
    );
    t.strictSame(statuses(answers), [409, 409]);
  });
});

t.test('deletePatient', async (t) => {
  const api = await buildTestApp(t, { ...RACING, CLINIC_TIME_ZONE: 'Pacific/Kiritimati' });
  const staff = await api.registerStaff();
  const doctor = await api.registerDoctor();

  await t.test('deletePatient 204 archives the record; its picture is gone', async (t) => {
    const user = await api.register();
    const { token } = user;
    const form = { profile: await pictureFile(), phone: '606 0606' };
    const { id, profile } = (await api.post('/patients/', { token, form })).body;
    const url = `/patients/${id}/`;
    t.equal((await api.delete(url, { token })).status, 204);
    t.equal((await api.get(profile.slice(21))).status, 404);
    for (const method of ['GET', 'PUT', 'PATCH', 'DELETE']) {
      for (const by of [user, staff]) {
        const body = method === 'PUT' || method === 'PATCH' ? { body: {} } : {};
        t.equal((await api.call(method, url, { ...body, token: by.token })).status, 404, method);
      }
    }
    t.match((await api.get('/patients/', { token })).body, { count: 0, results: [] });
    t.match((await api.get('/patients/?phone=6060606', { token: staff.token })).body, { count: 0 });
    const rows = await api.database.db.execute(
      `select archived_by::int as by, archived_at is not null as archived, phone, picture from patients where id = ${id}`,
    );
    t.strictSame([...rows], [{ by: user.id, archived: true, phone: '606 0606', picture: null }]);
    const again = await api.post('/patients/', { token, body: {} });
    t.equal(again.status, 201);
    t.not(again.body.id, id);
    t.strictSame([again.body.profile, again.body.phone], [null, null]);
  });

  await t.test('deletePatient 204 cancels the upcoming appointments, and only those', async (t) => {
    /** On the clinic's clock, which is 14 hours ahead of UTC. */
    const hours = (from: number, to: number): string => {
      const at = (hour: number) => new Date(MORNING.getTime() + (14 + hour) * 3_600_000).toISOString().slice(0, -1);
      return `[${at(from)},${at(to)})`;
    };
    /** At the clinic it is the next day already for 14 of UTC's 24 hours. */
    const day = (offset: number): string =>
      new Date(MORNING.getTime() + 14 * 3_600_000 + offset * 86_400_000).toISOString().slice(0, 10);
    const booked: [string, Slot, byStaff: boolean, byPatient: boolean][] = [
      ['in an hour', { period: hours(1, 2) }, true, true],
      ['now', { period: hours(-0.5, 0.5) }, true, false],
      ['over', { period: hours(-2, -1) }, false, false],
      ['today, without clock times', { date: day(0) }, true, true],
      ['tomorrow, without clock times', { date: day(1) }, true, true],
      ['yesterday, without clock times', { date: day(-1) }, false, false],
      ['running', { period: hours(3, 4), status: 'running' }, true, false],
      ['completed early', { period: hours(5, 6), status: 'completed' }, false, false],
      ['archived', { period: hours(7, 8), archived: true }, false, false],
    ];
    const stranger = await own(api, staff);
    const unrelated = await book(api, doctor.doctorId, stranger.id, { period: hours(9, 10) });
    for (const isByStaff of [true, false]) {
      const user = await api.register();
      const other = await api.registerDoctor();
      const { id, url } = await own(api, user);
      const ids: number[] = [];
      for (const [, slot] of booked) ids.push(await book(api, other.doctorId, id, slot));
      t.equal((await api.delete(url, { token: other.token })).status, 403, 'not by the doctor');
      t.equal((await api.delete(url, { token: (isByStaff ? staff : user).token })).status, 204);
      const rows = await api.database.db.execute<{ id: string; is_cancelled: boolean }>(
        'select id, is_cancelled from appointments',
      );
      const cancelled = new Map(rows.map((row) => [Number(row.id), row.is_cancelled]));
      for (const [index, [what, , byStaff, byPatient]] of booked.entries()) {
        t.equal(cancelled.get(ids[index] as number), isByStaff ? byStaff : byPatient, `${what}, ${isByStaff}`);
      }
      t.equal(cancelled.get(unrelated), false);
    }
  });

  await t.test('deletePatient 204 once of many at once', async (t) => {
    const user = await api.register();
    const { id, url } = await own(api, user);
    const answers = await race(
      api,
      `select from patients where id = ${id} for update`,
      Array.from({ length: 5 }, () => () => api.delete(url, { token: user.token })),
    );
    t.strictSame(statuses(answers), [204, 404, 404, 404, 404]);
  });
});
