import t from 'tap';
import { buildTestApp, type TestApp } from '../helpers/app.js';
import { pictureFile } from '../helpers/pictures.js';

/** Two entries of each lookup. */
async function fillLookups(api: TestApp): Promise<void> {
  const { token } = await api.registerStaff();
  for (const [name, slug] of [
    ['Consultant', 'consultant'],
    ['Surgeon', 'surgeon'],
  ]) {
    await api.post('/designations/', { token, body: { name, slug } });
  }
  for (const [name, slug] of [
    ['Cardiology', 'cardiology'],
    ['Nephrology', 'nephrology'],
  ]) {
    await api.post('/specialisations/', { token, body: { name, slug } });
  }
  for (const time of ['10:00 - 10:30', '11:00 - 11:30']) await api.post('/available-time/', { token, body: { time } });
}

const names = (answer: { body: { results: { user: string }[] } }): string[] =>
  answer.body.results.map((doctor) => doctor.user);

t.test('createDoctor', async (t) => {
  const api = await buildTestApp(t);
  await fillLookups(api);

  await t.test('createDoctor 201 from JSON', async (t) => {
    const { id, token } = await api.register({ first_name: 'Gregory', last_name: 'House' });
    const body = {
      designation: [2, 1, 1],
      specialisation: ['2'],
      available_time: [1, 2],
      fee: '150',
      meet_link: 'https://meet.example.com/house',
      user: 'Gregory House',
      id: 99,
    };
    const answer = await api.post('/doctors/', { token, body });
    t.equal(answer.status, 201);
    t.strictSame(answer.body, {
      id: 1,
      user: 'Gregory House',
      profile: null,
      designation: ['Consultant', 'Surgeon'],
      specialisation: ['Nephrology'],
      available_time: [1, 2],
      fee: 150,
      meet_link: 'https://meet.example.com/house',
      user_id: id,
      is_approved: true,
    });
    const { user_id: _, is_approved: __, ...shown } = answer.body;
    t.strictSame((await api.get('/doctors/1/')).body, shown);
    t.strictSame((await api.get('/doctors/1')).body, shown, 'also without the slash');
  });

  await t.test('createDoctor 201 from a form with a picture', async (t) => {
    const { token, username } = await api.register();
    const form = {
      profile: await pictureFile(),
      specialisation: [1, 2],
      designation: '1,2',
      available_time: '[2]',
      fee: 5,
    };
    const answer = await api.post('/doctors/', { token, form });
    t.equal(answer.status, 201);
    t.match(answer.body, { user: username, specialisation: ['Cardiology', 'Nephrology'], available_time: [2], fee: 5 });
    t.match(answer.body.profile, /^http:\/\/localhost:8000\/pictures\/p-[\w-]{22}\.png$/);
    const picture = await api.get(new URL(answer.body.profile).pathname);
    t.equal(picture.status, 200);
    t.equal(picture.headers['content-type'], 'image/png');
  });

  await t.test('createDoctor 201 with an empty body', async (t) => {
    const { token } = await api.register();
    const answer = await api.post('/doctors/', { token, body: {} });
    t.match(answer.body, {
      profile: null,
      designation: [],
      specialisation: [],
      available_time: [],
      fee: 0,
      meet_link: '',
    });
  });

  await t.test('createDoctor 400 names every fault of the body and stores nothing', async (t) => {
    const { token } = await api.register();
    const answer = await api.post('/doctors/', {
      token,
      body: { designation: ['x'], specialisation: 5, fee: -1, meet_link: 'javascript:alert(1)', profile: 'x.png' },
    });
    t.equal(answer.status, 400);
    t.strictSame(Object.keys(answer.body.errors).sort(), [
      'designation',
      'fee',
      'meet_link',
      'profile',
      'specialisation',
    ]);
    const unknown = await api.post('/doctors/', {
      token,
      body: { designation: [1, 77], specialisation: [78], fee: 1 },
    });
    t.equal(unknown.status, 400);
    t.strictSame(unknown.body.errors, {
      designation: ['has unknown ids: 77'],
      specialisation: ['has unknown ids: 78'],
    });
    const text = await api.post('/doctors/', { token, form: { profile: new File(['no picture'], 'a.png'), fee: 'x' } });
    t.equal(text.status, 400);
    t.strictSame(Object.keys(text.body.errors).sort(), ['fee', 'profile']);
    t.equal((await api.post('/doctors/', { token, body: {} })).status, 201, 'nothing was stored before');
  });

  await t.test('createDoctor 409 for the second of a user, also of many at once', async (t) => {
    const { token } = await api.register();
    const answers = await Promise.all(Array.from({ length: 8 }, () => api.post('/doctors/', { token, body: {} })));
    t.strictSame(answers.map((answer) => answer.status).sort(), [201, ...Array.from({ length: 7 }, () => 409)]);
  });

  await t.test('createDoctor 401', async (t) => {
    t.equal((await api.post('/doctors/', { body: {} })).status, 401);
  });
});

t.test('listDoctors', async (t) => {
  const api = await buildTestApp(t);
  await fillLookups(api);
  const people = [
    ['Ann', 'Zeta', { specialisation: [1], designation: [1], available_time: [1], fee: 300 }],
    ['Bob', 'Yarn', { specialisation: [1, 2], designation: [2], available_time: [1, 2], fee: 100 }],
    ['Cid', '100%_X', { specialisation: [2], designation: [1], fee: 200 }],
    ['Dee', 'Wolf', { fee: 100 }],
  ] as const;
  for (const [first_name, last_name, body] of people) await api.registerDoctor(body, { first_name, last_name });

  await t.test('listDoctors 200 by default in the order of id', async (t) => {
    const answer = await api.get('/doctors/');
    t.match(answer.body, { count: 4, next: null, previous: null });
    t.strictSame(names(answer), ['Ann Zeta', 'Bob Yarn', 'Cid 100%_X', 'Dee Wolf']);
  });

  for (const [query, expected] of [
    ['specialisation=1', ['Ann', 'Bob']],
    ['specialisation=2', ['Bob', 'Cid']],
    ['specialisation=1&designation=2', ['Bob']],
    ['available_time=1', ['Ann', 'Bob']],
    ['available_time=2&specialisation=2', ['Bob']],
    ['fee=100', ['Bob', 'Dee']],
    ['min_fee=200', ['Ann', 'Cid']],
    ['min_fee=150&max_fee=250', ['Cid']],
    ['specialisation=999', []],
    ['search=O', ['Bob', 'Dee']],
    ['search=bob%20y', ['Bob']],
    ['search=%25_', ['Cid']],
    ['search=', ['Ann', 'Bob', 'Cid', 'Dee']],
    ['ordering=fee', ['Bob', 'Dee', 'Cid', 'Ann']],
    ['ordering=-fee', ['Ann', 'Cid', 'Bob', 'Dee']],
    ['ordering=name&search=e', ['Ann', 'Dee']],
    ['unknown=1', ['Ann', 'Bob', 'Cid', 'Dee']],
  ] as const) {
    await t.test(`listDoctors 200 ?${query}`, async (t) => {
      const answer = await api.get(`/doctors/?${query}`);
      t.equal(answer.status, 200);
      t.equal(answer.body.count, expected.length);
      t.strictSame(
        names(answer).map((name) => name.slice(0, 3)),
        expected,
      );
    });
  }

  await t.test('listDoctors 200 in pages whose links keep every parameter', async (t) => {
    const first = await api.get('/doctors/?limits=2&ordering=-fee&min_fee=1&x=a%26b');
    t.equal(first.body.count, 4);
    t.equal(first.body.previous, null);
    t.ok(
      first.body.next.startsWith(
        'http://localhost:8000/doctors/?limits=2&ordering=-fee&min_fee=1&x=a%26b&page=2&after=',
      ),
    );
    const second = await api.get(first.body.next);
    t.strictSame(names(second), ['Bob Yarn', 'Dee Wolf']);
    t.equal(second.body.next, null);
    t.strictSame((await api.get(second.body.previous)).body.results, first.body.results);
  });

  await t.test('listDoctors 404 past the end, 200 for an empty first page', async (t) => {
    t.equal((await api.get('/doctors/?page=2')).status, 404);
    t.equal((await api.get('/doctors/?page=3&limits=2')).status, 404);
    t.equal((await api.get('/doctors/?page=9007199254740')).status, 404);
    t.equal((await api.get('/doctors/?fee=7')).status, 200);
  });

  await t.test('listDoctors 400', async (t) => {
    for (const query of ['page=0', 'page=x', 'limits=0', 'limits=1001', 'fee=-1', 'fee=1.5', 'ordering=user']) {
      const answer = await api.get(`/doctors/?${query}`);
      t.equal(answer.status, 400, query);
      t.strictSame(Object.keys(answer.body.errors), [query.split('=')[0]]);
    }
    t.equal((await api.get('/doctors/?specialisation=9007199254740992')).status, 400);
    t.equal((await api.get('/doctors/?page=1&page=2')).status, 400);
    t.equal((await api.get('/doctors/?search=%00')).status, 400);
    t.equal((await api.get('/doctors/?limits=1000&page=1')).status, 200);
  });

  await t.test('listDoctors 200 with PUBLIC_URL as the base of links', async (t) => {
    const other = await buildTestApp(t, { PUBLIC_URL: 'https://clinic.example.org/api/' });
    await other.registerDoctor();
    await other.registerDoctor();
    const answer = await other.get('/doctors/?limits=1');
    t.ok(answer.body.next.startsWith('https://clinic.example.org/api/doctors/?limits=1&page=2&after='));
  });
});

t.test('replaceDoctor, updateDoctor, deleteDoctor', async (t) => {
  const api = await buildTestApp(t);
  await fillLookups(api);
  const staff = await api.registerStaff();
  const other = await api.registerDoctor();
  const doctor = await api.registerDoctor({ designation: [1], specialisation: [1, 2], available_time: [1], fee: 9 });
  const { token } = doctor;
  const url = `/doctors/${doctor.doctorId}/`;

  await t.test('updateDoctor 200 changes only what is sent', async (t) => {
    const answer = await api.patch(url, { token, body: { specialisation: [2], fee: 10 } });
    t.equal(answer.status, 200);
    t.match(answer.body, { designation: ['Consultant'], specialisation: ['Nephrology'], available_time: [1], fee: 10 });
    t.strictSame((await api.patch(url, { token, body: {} })).body, answer.body);
  });

  await t.test('updateDoctor 200 sets, keeps, replaces and removes the picture', async (t) => {
    const first = (await api.patch(url, { token, form: { profile: await pictureFile() } })).body.profile;
    t.equal((await api.patch(url, { token, body: { fee: 3 } })).body.profile, first);
    t.equal((await api.put(url, { token, body: { fee: 4 } })).body.profile, first, 'a file that is left out stays');
    const second = (await api.put(url, { token, form: { profile: await pictureFile('b.jpg') } })).body.profile;
    t.not(second, first);
    t.equal((await api.get(new URL(first).pathname)).status, 404);
    t.equal((await api.get(new URL(second).pathname)).headers['content-type'], 'image/jpeg');
    t.equal((await api.patch(url, { token, form: { profile: '' } })).body.profile, null);
    t.equal((await api.get(new URL(second).pathname)).status, 404);
    t.equal((await api.patch(url, { token, body: { profile: null } })).body.profile, null);
  });

  await t.test('replaceDoctor 200 empties what is left out', async (t) => {
    const answer = await api.put(url, { token, body: { fee: 10 } });
    t.match(answer.body, { designation: [], specialisation: [], available_time: [], fee: 10, meet_link: '' });
  });

  await t.test('replaceDoctor, updateDoctor 200 for staff', async (t) => {
    t.equal((await api.put(url, { token: staff.token, body: { fee: 11 } })).body.fee, 11);
    t.equal((await api.patch(url, { token: staff.token, body: { fee: 12 } })).body.fee, 12);
  });

  await t.test('replaceDoctor, updateDoctor 400 and nothing changes', async (t) => {
    const before = (await api.get(url)).body;
    for (const method of ['PUT', 'PATCH']) {
      t.equal((await api.call(method, url, { token, body: { fee: 99, designation: [1, 55] } })).status, 400);
      t.equal((await api.call(method, url, { token, body: { fee: 'x' } })).status, 400);
    }
    t.strictSame((await api.get(url)).body, before);
  });

  await t.test('replaceDoctor, updateDoctor, deleteDoctor 401, 403, 404', async (t) => {
    for (const method of ['PUT', 'PATCH', 'DELETE']) {
      const body = method === 'DELETE' ? {} : { body: { fee: 1 } };
      t.equal((await api.call(method, url, body)).status, 401, method);
      t.equal((await api.call(method, url, { ...body, token: other.token })).status, 403, method);
      t.equal((await api.call(method, '/doctors/9999/', { ...body, token })).status, 404, method);
    }
  });

  await t.test('replaceDoctor, updateDoctor 200 tell which upcoming appointments the offer leaves out', async (t) => {
    const staff = await api.registerStaff();
    const times: number[] = [];
    for (const time of ['7:00', '7:30', 'Evening']) {
      times.push((await api.post('/available-time/', { token: staff.token, body: { time } })).body.id);
    }
    const doctor = await api.registerDoctor({ available_time: times });
    const patient = await api.register();
    const day = (days: number) => new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10);
    const book = async (time: number | undefined, date: string, cancel = false) => {
      const body = { doctor: doctor.doctorId, appointment_type: 'Online', symptoms: 'x', time, date, cancel };
      const answer = await api.post('/appointments/', { token: patient.token, body });
      t.equal(answer.status, 201);
      return { id: answer.body.id, date, time };
    };
    const late = await book(times[1], day(9));
    const [soon, evening] = [await book(times[1], day(5)), await book(times[2], day(5))];
    await book(times[1], day(7), true);
    const url = `/doctors/${doctor.doctorId}/`;
    const change = (body: object) => api.patch(url, { token: doctor.token, body });
    t.strictSame((await change({ fee: 5 })).body.still_booked, []);
    const answer = await change({ available_time: [times[0], times[2]] });
    t.strictSame(answer.body.still_booked, [soon, late]);
    const { still_booked: _, ...shown } = answer.body;
    const read = await api.get(url, { token: doctor.token });
    t.strictSame(read.body, shown);
    t.equal(read.headers['etag'], answer.headers['etag']);
    t.strictSame((await api.put(url, { token: doctor.token, body: {} })).body.still_booked, [soon, evening, late]);
    t.strictSame((await change({ available_time: times })).body.still_booked, []);
  });

  await t.test('updateDoctor 200 under many at once leaves one of the sent states', async (t) => {
    const states = [{ specialisation: [1] }, { specialisation: [2] }, { specialisation: [1, 2] }];
    const answers = await Promise.all(
      Array.from({ length: 12 }, (_, index) => api.patch(url, { token, body: states[index % 3] })),
    );
    t.ok(answers.every((answer) => answer.status === 200));
  });

  await t.test('deleteDoctor 204 archives the record, and the user may become a doctor again', async (t) => {
    t.equal((await api.delete(url, { token })).status, 204);
    t.equal((await api.get(url)).status, 404);
    t.equal((await api.delete(url, { token })).status, 404);
    t.equal((await api.patch(url, { token, body: {} })).status, 404);
    t.notOk((await api.get('/doctors/')).body.results.some((each: { id: number }) => each.id === doctor.doctorId));
    const rows = await api.database.db.execute(
      `select archived_by::int as by, archived_at is not null as archived from doctors where id = ${doctor.doctorId}`,
    );
    t.strictSame([...rows], [{ by: doctor.id, archived: true }]);
    const again = await api.post('/doctors/', { token, body: {} });
    t.equal(again.status, 201);
    t.not(again.body.id, doctor.doctorId);
  });

  await t.test('deleteDoctor 204 for staff', async (t) => {
    t.equal((await api.delete(`/doctors/${other.doctorId}/`, { token: staff.token })).status, 204);
  });
});

t.test('doctors that staff make, and whose they are', async (t) => {
  const api = await buildTestApp(t);
  const staff = await api.registerStaff();
  const [house, other] = [await api.register({ first_name: 'Gregory', last_name: 'House' }), await api.register()];
  const make = (body: object, { token }: { token: string } = staff) => api.post('/doctors/', { token, body });

  await t.test('createDoctor 201 for the user whom staff name', async (t) => {
    const answer = await make({ user: String(house.id), fee: 7 });
    t.match(answer, { status: 201, body: { user: 'Gregory House', fee: 7, user_id: house.id } });
    t.match(await make({ user: house.id }), {
      status: 409,
      body: { type: '/problems/already-exists', detail: 'The user has a doctor record already.' },
    });
    t.equal((await api.get('/doctors/me/', { token: staff.token })).status, 404, 'and none of themselves');
  });

  await t.test('createDoctor 400 for a user that does not exist', async (t) => {
    for (const [user, fault] of [
      [999_999, 'has an unknown id'],
      ['house', 'must be the id of a user'],
      [0, 'must be the id of a user'],
      [1.5, 'must be the id of a user'],
      ['9007199254740993', 'must be the id of a user'],
      [{ toString: 1 }, 'must be the id of a user'],
      [[house.id], 'must be the id of a user'],
      ['x\0', 'must be the id of a user'],
    ] as const) {
      t.match(await make({ user }), { status: 400, body: { errors: { user: [fault] } } }, JSON.stringify(user));
    }
  });

  await t.test('createDoctor 403 for who is not staff and names somebody else', async (t) => {
    for (const user of [house.id, 999_999, 'head', 'Gregory House', '\0', {}, true]) {
      const answer = await make({ user }, other);
      t.match(answer, { status: 403, body: { type: '/problems/not-allowed' } }, JSON.stringify(user));
    }
    t.equal((await make({ user: other.username.toUpperCase() }, other)).status, 201, 'but not themselves');
  });

  await t.test('createDoctor 201 for an inactive user, who offers nothing', async (t) => {
    const gone = await api.register();
    await api.patch(`/api/user/users/${gone.id}/`, { token: staff.token, body: { is_active: false } });
    const { id } = (await make({ user: gone.id })).body;
    const listed = (await api.get('/doctors/')).body.results as { id: number }[];
    t.notOk(listed.some((doctor) => doctor.id === id));
  });

  await t.test('getMyDoctor 200 for a doctor, 404 for others', async (t) => {
    const own = await api.get('/doctors/me/', { token: house.token });
    t.match(own, { status: 200, body: { user: 'Gregory House', user_id: house.id } });
    t.strictSame((await api.get(`/doctors/${own.body.id}/`, { token: house.token })).body, own.body);
    t.equal(
      (
        await api.get('/doctors/me/', {
          token: house.token,
          headers: { 'if-none-match': own.headers['etag'] as string },
        })
      ).status,
      304,
    );
    t.match(await api.get('/doctors/me/', { token: staff.token }), {
      status: 404,
      body: { detail: 'You have no doctor record.' },
    });
    t.equal((await api.get('/doctors/me/')).status, 401);
  });

  await t.test('getDoctor, listDoctors 200 tell whose a doctor is to staff and the doctor alone', async (t) => {
    const { id } = (await api.get('/doctors/me/', { token: house.token })).body;
    const url = `/doctors/${id}/`;
    for (const [token, isTold] of [
      [undefined, false],
      ['rubbish', false],
      [other.token, false],
      [house.token, true],
      [staff.token, true],
      // Again, after whom a cache may have kept the others' answer.
      [undefined, false],
    ] as const) {
      const answer = await api.get(url, { token });
      t.equal(answer.status, 200);
      t.equal(answer.body.user_id, isTold ? house.id : undefined, token ?? 'nobody');
      t.equal('user_id' in answer.body, isTold);
      t.match(answer.headers['vary'], /Authorization/);
      const list = (await api.get('/doctors/', { token })).body.results as { id: number; user_id?: number }[];
      t.equal(list.find((doctor) => doctor.id === id)?.user_id, token === staff.token ? house.id : undefined);
    }
  });

  await t.test('getDoctor 304, updateDoctor 412 by the ETag that the caller has', async (t) => {
    const { id } = (await api.get('/doctors/me/', { token: house.token })).body;
    const url = `/doctors/${id}/`;
    const tagOf = async (token?: string) => (await api.get(url, { token })).headers['etag'] as string;
    const [open, own] = [await tagOf(), await tagOf(house.token)];
    t.not(open, own);
    for (const [token, tag, status] of [
      [undefined, open, 304],
      [undefined, own, 200],
      [house.token, open, 200],
      [house.token, own, 304],
      [staff.token, own, 304],
    ] as const) {
      t.equal((await api.get(url, { token, headers: { 'if-none-match': tag } })).status, status);
    }
    const change = (tag: string) => api.patch(url, { token: house.token, body: {}, headers: { 'if-match': tag } });
    t.equal((await change(open)).status, 200, 'whoever read it without a token');
    t.equal((await change(own)).status, 412, 'it has changed');
    t.equal((await change(await tagOf(house.token))).status, 200);
    const lists = [await api.get('/doctors/'), await api.get('/doctors/', { token: staff.token })];
    t.not(lists[0]?.headers['etag'], lists[1]?.headers['etag']);
  });
});

t.test('DOCTOR_APPROVAL=staff', async (t) => {
  const api = await buildTestApp(t, { DOCTOR_APPROVAL: 'staff' });
  const staff = await api.registerStaff();
  const { id: time } = (await api.post('/available-time/', { token: staff.token, body: { time: '10:00' } })).body;
  const approve = (id: number, is_approved: boolean, token = staff.token) =>
    api.patch(`/doctors/${id}/`, { token, body: { is_approved } });
  const listed = async (query = '', token?: string): Promise<number[]> =>
    (await api.get(`/doctors/${query}`, { token })).body.results.map(({ id }: { id: number }) => id);
  const book = (doctor: number, token: string) =>
    api.post('/appointments/', { token, body: { doctor, appointment_type: 'Offline', symptoms: 'Cough', time } });

  await t.test('createDoctor 201 waits for staff, and getDoctor 404 for others', async (t) => {
    const { token, doctorId: id } = await api.registerDoctor({ available_time: [time] });
    const patient = await api.register();
    for (const [who, status] of [
      [undefined, 404],
      [patient.token, 404],
      [token, 200],
      [staff.token, 200],
    ] as const) {
      for (const path of [`/doctors/${id}/`, `/doctors/${id}/availability/`, `/doctors/${id}/hours/`]) {
        t.equal((await api.get(path, { token: who })).status, status, path);
      }
    }
    t.match((await api.get('/doctors/me/', { token })).body, { id, is_approved: false });
    t.strictSame((await api.get(`/doctors/${id}/availability/`, { token })).body, [], 'nobody can book');
    for (const who of [undefined, patient.token, token, staff.token]) {
      t.notOk((await listed('', who)).includes(id));
      t.notOk((await api.get('/availability/', { token: who })).text.includes(`"doctor":${id},`));
      t.equal((await listed('?is_approved=false', who)).includes(id), who === staff.token);
    }
    const booking = await book(id, patient.token);
    t.match([booking.status, booking.body.errors], [400, { doctor: ['takes no appointments at present'] }]);
    const review = await api.post('/reviews/', {
      token: patient.token,
      body: { doctor: id, body: 'Kind.', rating: 5 },
    });
    t.match([review.status, review.body.errors], [400, { doctor: ['has an unknown id'] }]);
    const waiting = await api.post('/waiting-list/', { token: patient.token, body: { doctor: id } });
    t.match([waiting.status, waiting.body.errors], [400, { doctor: ['does not exist'] }]);
  });

  await t.test('updateDoctor 200 of staff approves and takes it back; what is booked stays', async (t) => {
    const { token, doctorId: id } = await api.registerDoctor({ available_time: [time] });
    const patient = await api.register();
    const approved = await approve(id, true);
    t.match([approved.status, approved.body.is_approved], [200, true]);
    t.ok((await listed()).includes(id));
    t.ok((await listed('?is_approved=true')).includes(id));
    t.notOk((await listed('?is_approved=false', staff.token)).includes(id));
    const shown = await api.get(`/doctors/${id}/`);
    t.equal(shown.body.is_approved, undefined, 'is for staff and the doctor');
    const { body: appointment, status } = await book(id, patient.token);
    t.equal(status, 201);
    t.equal((await approve(id, false)).body.is_approved, false);
    t.equal((await api.get(`/doctors/${id}/`)).status, 404);
    t.equal((await book(id, patient.token)).status, 400);
    for (const who of [patient.token, token]) {
      t.equal((await api.get(`/appointments/${appointment.id}/`, { token: who })).status, 200);
    }
  });

  await t.test('updateDoctor 403 for the own approval, and replaceDoctor 200 leaves it as it is', async (t) => {
    const { token, doctorId: id } = await api.registerDoctor({ available_time: [time] });
    t.equal((await approve(id, true, token)).status, 403);
    t.equal((await api.put(`/doctors/${id}/`, { token, body: { is_approved: true } })).body.is_approved, false);
    await approve(id, true);
    t.equal((await api.put(`/doctors/${id}/`, { token, body: {} })).body.is_approved, true);
  });

  await t.test('createDoctor 201 of staff is approved, and one made anew waits again', async (t) => {
    const { id: user, token } = await api.register();
    const { body } = await api.post('/doctors/', { token: staff.token, body: { user } });
    t.equal(body.is_approved, true);
    t.equal((await api.delete(`/doctors/${body.id}/`, { token })).status, 204);
    t.equal((await api.post('/doctors/', { token, body: {} })).body.is_approved, false);
  });

  await t.test('updateDoctor 200 and updateUser 200 at once: who is inactive takes no appointments', async (t) => {
    const { id: user, doctorId: id } = await api.registerDoctor({ available_time: [time] });
    const patch = (is_active: boolean) =>
      api.patch(`/api/user/users/${user}/`, { token: staff.token, body: { is_active } });
    for (let round = 0; round < 20; round += 1) {
      // Of one who is approved and active the change of the user changes the doctor, too.
      if (round % 2 === 0) await approve(id, true);
      const answers = await Promise.all([approve(id, true), patch(false)]);
      t.strictSame(
        answers.map(({ status }) => status),
        [200, 200],
      );
      t.notOk((await listed()).includes(id), 'approved and inactive');
      await approve(id, false);
      await patch(true);
      t.notOk((await listed()).includes(id), 'active and not approved');
    }
    await approve(id, true);
    t.ok((await listed()).includes(id));
  });
});
