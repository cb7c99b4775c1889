import t from 'tap';
import { buildTestApp, type TestApp, type User } from '../helpers/app.js';

/** What deleting a patient record does to the database. */
const archivePatient = (api: TestApp, user: User) =>
  api.database.db.execute(
    `update patients set archived_at = now(), archived_by = ${user.id} where user_id = ${user.id}`,
  );

const today = (): string => new Date().toISOString().slice(0, 10);

t.test('createReview', async (t) => {
  const api = await buildTestApp(t);
  const { doctorId } = await api.registerDoctor({}, { first_name: 'Gregory', last_name: 'House' });
  const patient = await api.register({ first_name: 'Ada', last_name: 'Lovelace' });
  const create = (body: object, token: string | undefined = patient.token) => api.post('/reviews/', { token, body });
  const good = { doctor: doctorId, body: 'Brilliant if rude.', rating: '⭐⭐⭐⭐' };

  await t.test('createReview 201', async (t) => {
    const before = today();
    const answer = await create({ ...good, doctor: String(doctorId), id: 99, reviewer: 'x', created_on: '2001-01-01' });
    t.equal(answer.status, 201);
    t.ok([before, today()].includes(answer.body.created_on));
    t.strictSame(answer.body, {
      id: 1,
      reviewer: 'Ada',
      doctor_name: 'Gregory House',
      body: 'Brilliant if rude.',
      created_on: answer.body.created_on,
      rating: '⭐⭐⭐⭐',
    });
    t.strictSame((await api.get('/reviews/1/')).body, answer.body);
    t.strictSame((await api.get('/reviews/1')).body, answer.body, 'also without the slash');
    const rows = await api.database.db.execute('select rating from reviews');
    t.strictSame([...rows], [{ rating: 4 }]);
  });

  await t.test('createReview 201 shows user names where there are no names', async (t) => {
    const nameless = await api.registerDoctor();
    const { token, username } = await api.register();
    const answer = await create({ ...good, doctor: nameless.doctorId }, token);
    t.match(answer.body, { reviewer: username, doctor_name: nameless.username });
  });

  await t.test('createReview 201 takes the number of stars, and as text', async (t) => {
    for (const [rating, stars] of [
      [1, '⭐'],
      [5, '⭐⭐⭐⭐⭐'],
      ['3', '⭐⭐⭐'],
      ['⭐⭐', '⭐⭐'],
    ]) {
      t.equal((await create({ ...good, rating })).body.rating, stars);
    }
  });

  await t.test('createReview 400 for a rating that is none', async (t) => {
    for (const rating of [
      0,
      6,
      -1,
      2.5,
      1e308,
      '',
      '0',
      '6',
      '1.5',
      '★',
      '⭐⭐⭐⭐⭐⭐',
      '⭐ ⭐',
      null,
      true,
      [3],
      {},
    ]) {
      const answer = await create({ ...good, rating });
      t.equal(answer.status, 400, JSON.stringify(rating));
      t.strictSame(Object.keys(answer.body.errors), ['rating']);
    }
    t.strictSame((await create({ ...good, rating: 6 })).body.errors, {
      rating: ['must be one of: ⭐, ⭐⭐, ⭐⭐⭐, ⭐⭐⭐⭐, ⭐⭐⭐⭐⭐'],
    });
  });

  await t.test('createReview 400 names every fault at once', async (t) => {
    t.strictSame(Object.keys((await create({})).body.errors).sort(), ['body', 'doctor', 'rating']);
    t.strictSame(Object.keys((await create({ doctor: 'x', body: '', rating: 9 })).body.errors).sort(), [
      'body',
      'doctor',
      'rating',
    ]);
    t.equal((await create({ ...good, body: 'x'.repeat(2001) })).status, 400);
    t.equal((await create({ ...good, body: '🙂'.repeat(2000) })).status, 201);
  });

  await t.test('createReview 400 for a doctor that does not exist, or not any more', async (t) => {
    const gone = await api.registerDoctor();
    await api.delete(`/doctors/${gone.doctorId}/`, { token: gone.token });
    for (const id of [gone.doctorId, 999_999, Number.MAX_SAFE_INTEGER]) {
      const answer = await create({ ...good, doctor: id });
      t.equal(answer.status, 400);
      t.strictSame(answer.body.errors, { doctor: ['has an unknown id'] });
    }
  });

  await t.test('createReview 400, updateReview 400 and replaceReview 400 of oneself', async (t) => {
    const own = await api.registerDoctor();
    const errors = { doctor: ['must be somebody else'] };
    const refused = await api.post('/reviews/', { token: own.token, body: { ...good, doctor: own.doctorId } });
    t.match([refused.status, refused.body.errors], [400, errors]);
    const { id } = (await api.post('/reviews/', { token: own.token, body: good })).body;
    for (const method of ['PATCH', 'PUT']) {
      const body = { ...good, doctor: own.doctorId };
      const answer = await api.call(method, `/reviews/${id}/`, { token: own.token, body });
      t.match([answer.status, answer.body.errors], [400, errors], method);
    }
  });

  await t.test('createReview 409 without a patient record', async (t) => {
    const user = await api.register();
    await archivePatient(api, user);
    const answer = await create(good, user.token);
    t.equal(answer.status, 409);
    t.equal(answer.body.type, '/problems/no-patient-record');
  });

  await t.test('createReview 201 for a doctor and for staff, who are patients too', async (t) => {
    const other = await api.registerDoctor();
    t.equal((await create(good, other.token)).status, 201);
    t.equal((await create(good, (await api.registerStaff()).token)).status, 201);
  });

  await t.test('createReview 401, 415', async (t) => {
    t.equal((await api.post('/reviews/', { body: good })).status, 401);
    t.equal((await create(good, 'x')).status, 401);
    t.equal((await api.post('/reviews/', { token: patient.token, form: { body: 'x' } })).status, 415);
  });
});

t.test('listReviews', async (t) => {
  const api = await buildTestApp(t);
  const house = await api.registerDoctor({}, { first_name: 'Gregory', last_name: 'House' });
  const grey = await api.registerDoctor({}, { first_name: 'Meredith', last_name: '100%_Grey' });
  const ada = await api.register({ first_name: 'Ada', last_name: 'Lovelace' });
  const meredith = await api.register({ first_name: 'Meredith', last_name: 'Burgess' });
  const nameless = await api.register({ username: 'Quiet.One' });
  for (const [author, doctor, rating] of [
    [ada, house, 5],
    [ada, grey, 1],
    [meredith, house, 5],
    [nameless, grey, 3],
  ] as const) {
    const body = { doctor: doctor.doctorId, body: 'House, Ada', rating };
    t.equal((await api.post('/reviews/', { token: author.token, body })).status, 201);
  }
  const ids = (answer: { body: { results: { id: number }[] } }) => answer.body.results.map(({ id }) => id);
  const patientId = async (user: User): Promise<number> => {
    const [row] = await api.database.db.execute<{ id: number }>(
      `select id::int from patients where user_id = ${user.id}`,
    );
    return row?.id ?? 0;
  };

  for (const [query, expected] of [
    ['', [1, 2, 3, 4]],
    [`doctor=${house.doctorId}`, [1, 3]],
    [`reviwer=${await patientId(ada)}`, [1, 2]],
    [`reviwer=${await patientId(ada)}&doctor=${house.doctorId}`, [1]],
    ['doctor=999', []],
    ['reviwer=999', []],
    ['rating=5', [1, 3]],
    [`rating=${encodeURIComponent('⭐⭐⭐')}`, [4]],
    ['rating=2', []],
    ['search=HOUSE', [1, 3]],
    ['search=ada', [1, 2]],
    ['search=meredith', [2, 3, 4]],
    ['search=meredith%20%20house', [3]],
    ['search=ory%20ho', [1, 3]],
    ['search=ada%20grey', [2]],
    ['search=ada&rating=5', [1]],
    ['search=quiet.o', [4]],
    ['search=%25_', [2, 4]],
    ['search=%25', [2, 4]],
    ['search=%5C', []],
    ['search=nobody', []],
    ['search=', [1, 2, 3, 4]],
    ['search=%20', [1, 2, 3, 4]],
  ] as const) {
    await t.test(`listReviews 200 ?${query}`, async (t) => {
      const answer = await api.get(`/reviews/?${query}`);
      t.equal(answer.status, 200);
      t.equal(answer.body.count, expected.length);
      t.strictSame(ids(answer), expected);
    });
  }

  await t.test('listReviews 200 does not find a reviewer by what it does not show', async (t) => {
    for (const search of ['lovelace', 'burgess', meredith.username, 'example.com', ada.username]) {
      t.strictSame(ids(await api.get(`/reviews/?search=${search}`)), [], search);
    }
  });

  await t.test('listReviews 200 in pages', async (t) => {
    const first = await api.get('/reviews/?limits=3&search=e');
    t.ok(first.body.next.startsWith('http://localhost:8000/reviews/?limits=3&search=e&page=2&after='));
    const second = await api.get(first.body.next);
    t.strictSame([...ids(first), ...ids(second)], [1, 2, 3, 4]);
    t.strictSame((await api.get(second.body.previous)).body.results, first.body.results);
  });

  await t.test('listReviews 400, 404', async (t) => {
    for (const query of ['rating=0', 'rating=6', 'rating=x', 'doctor=x', 'reviwer=-1', 'search=%00']) {
      const answer = await api.get(`/reviews/?${query}`);
      t.equal(answer.status, 400, query);
      t.strictSame(Object.keys(answer.body.errors), [query.split('=')[0]]);
    }
    t.equal((await api.get('/reviews/?page=2')).status, 404);
  });

  await t.test('listReviews, getReview 200 when doctor, patient and their pictures are gone', async (t) => {
    const before = (await api.get('/reviews/')).body;
    await api.delete(`/doctors/${house.doctorId}/`, { token: house.token });
    await archivePatient(api, ada);
    t.strictSame((await api.get('/reviews/')).body, before);
    t.strictSame((await api.get('/reviews/1/')).body, before.results[0]);
    t.strictSame(ids(await api.get('/reviews/?search=ada%20house')), [1]);
  });
});

t.test('getReview, replaceReview, updateReview, deleteReview', async (t) => {
  const api = await buildTestApp(t);
  const house = await api.registerDoctor({}, { first_name: 'Gregory', last_name: 'House' });
  const grey = await api.registerDoctor({}, { first_name: 'Meredith', last_name: 'Grey' });
  const staff = await api.registerStaff();
  const author = await api.register({ first_name: 'Ada' });
  const { token } = author;
  const good = { doctor: house.doctorId, body: 'Brilliant.', rating: 5 };
  const write = async (): Promise<string> =>
    `/reviews/${(await api.post('/reviews/', { token, body: good })).body.id}/`;
  const url = await write();

  await t.test('getReview 404', async (t) => {
    for (const id of ['999', '0', 'x', '9007199254740992']) t.equal((await api.get(`/reviews/${id}/`)).status, 404, id);
  });

  await t.test('updateReview 200 changes only what is sent', async (t) => {
    const before = (await api.get(url)).body;
    t.strictSame((await api.patch(url, { token, body: { rating: 2 } })).body, { ...before, rating: '⭐⭐' });
    t.strictSame((await api.patch(url, { token, body: { body: 'Fine.' } })).body, {
      ...before,
      rating: '⭐⭐',
      body: 'Fine.',
    });
    t.equal((await api.patch(url, { token, body: { doctor: grey.doctorId } })).body.doctor_name, 'Meredith Grey');
    t.strictSame((await api.patch(url, { token, body: {} })).body, {
      ...before,
      doctor_name: 'Meredith Grey',
      rating: '⭐⭐',
      body: 'Fine.',
    });
  });

  await t.test('replaceReview 200', async (t) => {
    const before = (await api.get(url)).body;
    const answer = await api.put(url, { token, body: { doctor: house.doctorId, body: 'New.', rating: '⭐' } });
    t.equal(answer.status, 200);
    t.strictSame(answer.body, { ...before, doctor_name: 'Gregory House', body: 'New.', rating: '⭐' });
    t.strictSame((await api.get(url)).body, answer.body);
  });

  await t.test('replaceReview, updateReview 400 and nothing changes', async (t) => {
    const before = (await api.get(url)).body;
    t.strictSame(Object.keys((await api.put(url, { token, body: { rating: 1 } })).body.errors).sort(), [
      'body',
      'doctor',
    ]);
    for (const method of ['PUT', 'PATCH']) {
      for (const fault of [{ doctor: 999_999 }, { rating: 6 }, { body: '' }, { doctor: null }]) {
        const answer = await api.call(method, url, { token, body: { ...good, ...fault } });
        t.equal(answer.status, 400);
        t.strictSame(Object.keys(answer.body.errors), Object.keys(fault));
      }
    }
    t.strictSame((await api.get(url)).body, before);
  });

  await t.test('replaceReview, updateReview 403 for all but the author', async (t) => {
    const before = (await api.get(url)).body;
    for (const other of [staff, house, await api.register()]) {
      t.equal((await api.put(url, { token: other.token, body: good })).status, 403);
      t.equal((await api.patch(url, { token: other.token, body: { rating: 5 } })).status, 403);
      t.equal((await api.patch(url, { token: other.token, body: { doctor: 999_999 } })).status, 403);
    }
    t.strictSame((await api.get(url)).body, before);
  });

  await t.test('deleteReview 403 for all but the author and staff', async (t) => {
    for (const other of [house, await api.register()]) {
      t.equal((await api.delete(url, { token: other.token })).status, 403);
    }
    t.equal((await api.get(url)).status, 200);
  });

  await t.test('replaceReview, updateReview, deleteReview 401, 404, 415', async (t) => {
    for (const method of ['PUT', 'PATCH', 'DELETE']) {
      const body = method === 'DELETE' ? {} : { body: good };
      t.equal((await api.call(method, url, body)).status, 401, method);
      t.equal((await api.call(method, '/reviews/999999/', { ...body, token })).status, 404, method);
      if (method !== 'DELETE') t.equal((await api.call(method, url, { token, form: { body: 'x' } })).status, 415);
    }
  });

  await t.test('updateReview 200 for the author under a new patient record, and without one', async (t) => {
    const own = await write();
    await archivePatient(api, author);
    t.equal((await api.patch(own, { token, body: { rating: 3 } })).status, 200);
    await api.database.db.execute(`insert into patients (user_id) values (${author.id})`);
    const answer = await api.patch(own, { token, body: { rating: 4 } });
    t.match(answer.body, { rating: '⭐⭐⭐⭐', reviewer: 'Ada' });
    t.equal((await api.delete(own, { token })).status, 204);
  });

  await t.test('updateReview 200 of a review whose doctor is gone', async (t) => {
    const gone = await api.registerDoctor();
    const answer = await api.post('/reviews/', { token, body: { ...good, doctor: gone.doctorId } });
    await api.delete(`/doctors/${gone.doctorId}/`, { token: gone.token });
    t.equal((await api.patch(`/reviews/${answer.body.id}/`, { token, body: { rating: 1 } })).status, 200);
  });

  await t.test('deleteReview 204 for the author and for staff, 404 after it', async (t) => {
    for (const caller of [author, staff]) {
      const own = await write();
      t.equal((await api.delete(own, { token: caller.token })).status, 204);
      t.equal((await api.get(own)).status, 404);
      t.equal((await api.delete(own, { token: caller.token })).status, 404);
      t.equal((await api.patch(own, { token, body: {} })).status, 404);
      t.equal((await api.put(own, { token, body: good })).status, 404);
    }
  });

  await t.test('deleteReview 204 once, of many at once', async (t) => {
    const own = await write();
    const { db } = api.database;
    // All of them meet at the review's row.
    const { deletes } = await db.transaction(async (tx) => {
      await tx.execute(`select from reviews where id = ${own.split('/')[2]} for update`);
      const started = Promise.all([token, staff.token, token].map((each) => api.delete(own, { token: each })));
      for (let waiting = 0; waiting < 3;) {
        const [row] = await db.execute<{ waiting: number }>(
          `select count(*)::int as waiting from pg_stat_activity
           where datname = current_database() and wait_event_type = 'Lock'`,
        );
        waiting = row?.waiting ?? 0;
      }
      return { deletes: started };
    });
    t.strictSame((await deletes).map(({ status }) => status).sort(), [204, 404, 404]);
  });

  await t.test('updateReview and deleteReview at once: 200 or 404, and it is gone', async (t) => {
    const own = await write();
    const answers = await Promise.all([
      ...Array.from({ length: 6 }, () => api.patch(own, { token, body: { rating: 1 } })),
      api.delete(own, { token }),
    ]);
    t.equal(answers.at(-1)?.status, 204);
    t.ok(answers.slice(0, -1).every(({ status }) => status === 200 || status === 404));
    t.equal((await api.get(own)).status, 404);
  });
});

t.test('REVIEWS_FROM=patients', async (t) => {
  const api = await buildTestApp(t, { REVIEWS_FROM: 'patients' });
  const staff = await api.registerStaff();
  const { id: time } = (await api.post('/available-time/', { token: staff.token, body: { time: '10:00' } })).body;
  const doctors = await Promise.all([1, 2].map(() => api.registerDoctor({ available_time: [time] })));
  const [doctor, other] = doctors.map(({ doctorId }) => doctorId) as [number, number];
  const seen = async (token: string, doctor: number, fields: object = {}) => {
    const booking = { doctor, appointment_type: 'Offline', symptoms: 'Cough', time, ...fields };
    const { body } = await api.post('/appointments/', { token, body: booking });
    const path = `/appointments/${body.id}/`;
    const become = (appointment_status: string) =>
      api.patch(path, { token: staff.token, body: { appointment_status } });
    return { path, become };
  };
  const write = (token: string, doctor: number) =>
    api.post('/reviews/', { token, body: { doctor, body: 'Kind.', rating: 5 } });

  await t.test('createReview 403 before a visit is over, and 201 after it', async (t) => {
    const { token } = await api.register();
    t.equal((await write(token, doctor)).status, 403);
    const visit = await seen(token, doctor);
    t.equal((await write(token, doctor)).status, 403, 'booked');
    await visit.become('Runing');
    t.equal((await write(token, doctor)).status, 403, 'under way');
    await visit.become('Complated');
    t.equal((await write(token, other)).status, 403, 'another doctor');
    t.equal((await write((await api.register()).token, doctor)).status, 403, 'another patient');
    t.equal((await write(token, doctor)).status, 201);
  });

  await t.test('createReview 403 for an appointment that staff have deleted', async (t) => {
    const { token } = await api.register();
    const visit = await seen(token, doctor);
    await visit.become('Complated');
    t.equal((await api.delete(visit.path, { token: staff.token })).status, 204);
    t.equal((await write(token, doctor)).status, 403);
  });

  await t.test('createReview 201 of the doctor of a child', async (t) => {
    const { token } = await api.register();
    const child = { first_name: 'Nils', last_name: 'Lee', date_of_birth: '2020-02-02' };
    const { id } = (await api.post('/patients/dependants/', { token, body: child })).body;
    await (await seen(token, doctor, { patient: id })).become('Complated');
    t.equal((await write(token, doctor)).status, 201);
  });

  await t.test('createReview 409 names the first one of the doctor, also when ten come at once', async (t) => {
    const { token } = await api.register();
    await (await seen(token, doctor)).become('Complated');
    const answers = await Promise.all(Array.from({ length: 10 }, () => write(token, doctor)));
    const [made, ...others] = answers.filter(({ status }) => status === 201);
    t.strictSame(others, []);
    for (const answer of answers.filter(({ status }) => status !== 201)) {
      const detail = `You have a review of this doctor already: http://localhost:8000/reviews/${made?.body.id}/`;
      t.match(answer, { status: 409, body: { type: '/problems/already-exists', detail } });
    }
    t.equal((await api.delete(`/reviews/${made?.body.id}/`, { token })).status, 204);
    t.equal((await write(token, doctor)).status, 201, 'after the first is gone');
  });

  await t.test('updateReview and replaceReview 403, 409 for another doctor, and 200 for the same', async (t) => {
    const { token } = await api.register();
    await (await seen(token, doctor)).become('Complated');
    const { id } = (await write(token, doctor)).body;
    const change = (method: string, doctor: number) =>
      api.call(method, `/reviews/${id}/`, { token, body: { doctor, body: 'Very kind.', rating: 4 } });
    for (const method of ['PUT', 'PATCH']) {
      t.equal((await change(method, doctor)).status, 200);
      t.equal((await change(method, other)).status, 403);
    }
    await (await seen(token, other)).become('Complated');
    t.equal((await write(token, other)).status, 201);
    for (const method of ['PUT', 'PATCH']) t.equal((await change(method, other)).status, 409);
  });
});
