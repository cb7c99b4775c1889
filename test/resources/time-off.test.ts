/** Leave of doctors and of the clinic: who enters it, what it takes, and what becomes of appointments in its way. */
import t, { type Test } from 'tap';
import { buildTestApp, type Body, type TestApp } from '../helpers/app.js';
import { race, RACING, untilQueued } from '../helpers/races.js';

/** A Monday at noon. */
const NOON = new Date('2030-03-04T12:00:00Z');

async function clinic(t: Test, environment: Record<string, string> = {}, now = () => NOON) {
  const api = await buildTestApp(t, environment, { now });
  const staff = await api.registerStaff();
  const slot = async (time: string): Promise<number> =>
    (await api.post('/available-time/', { token: staff.token, body: { time } })).body.id as number;
  const [morning, late, night, label] = [
    await slot('10:00 - 10:30'),
    await slot('16:00 - 16:30'),
    await slot('23:00 - 01:00'),
    await slot('Evening'),
  ];
  const offer = { available_time: [morning, late, night, label] };
  const doctor = await api.registerDoctor(offer);
  const other = await api.registerDoctor(offer);
  const patient = await api.register({ first_name: 'Ada', last_name: 'Lovelace' });
  const book = (body: object, token = patient.token) =>
    api.post('/appointments/', {
      token,
      body: { doctor: doctor.doctorId, appointment_type: 'Online', symptoms: 'Headache', time: morning, ...body },
    });
  const leave = (body: object, { token = staff.token, dry = false } = {}) =>
    api.post(`/time-off/${dry ? '?dry_run=true' : ''}`, { token, body: { doctor: doctor.doctorId, ...body } });
  const free = async (from: string, to = from, id = doctor.doctorId): Promise<Body> =>
    (await api.get(`/doctors/${id}/availability/?from=${from}&to=${to}`)).body;
  const searched = async (from: string, to = from): Promise<Body> =>
    (await api.get(`/availability/?from=${from}&to=${to}&limits=1000`)).body.results;
  return { api, staff, doctor, other, patient, morning, late, night, label, book, leave, free, searched };
}

const timesOf = (slots: Body, doctor?: number): number[] =>
  slots
    .filter((slot: Body) => doctor === undefined || slot.doctor === doctor)
    .map(({ time }: { time: number }) => time)
    .sort((a: number, b: number) => a - b);

t.test('whole days', async (t) => {
  const { api, doctor, other, morning, late, night, label, book, leave, free, searched } = await clinic(t);
  const entered = await leave({ from: '2030-03-11', to: '2030-03-12', reason: 'Congress' }, { token: doctor.token });

  await t.test('createTimeOff 201 for the doctor, with its Location', (t) => {
    t.match(entered, {
      status: 201,
      headers: { location: `http://localhost:8000/time-off/${entered.body.id}/` },
      body: { doctor: doctor.doctorId, from: '2030-03-11', to: '2030-03-12', reason: 'Congress', displaced: 0 },
    });
    t.strictSame(entered.body.appointments, []);
    t.end();
  });
  await t.test('listDoctorAvailability 200 and searchAvailability 200 know it, to the night before', async (t) => {
    t.strictSame(await free('2030-03-11', '2030-03-12'), []);
    // What passes midnight would be in the leave's time.
    t.strictSame(timesOf(await free('2030-03-10')), [morning, late, label]);
    t.strictSame(timesOf(await free('2030-03-13')), [morning, late, night, label]);
    for (const day of ['2030-03-10', '2030-03-11', '2030-03-12', '2030-03-13']) {
      t.strictSame(timesOf(await searched(day), doctor.doctorId), timesOf(await free(day)), day);
      t.strictSame(timesOf(await searched(day), other.doctorId), [morning, late, night, label], day);
    }
  });
  await t.test('createAppointment 400 on a day off, in words that say so', async (t) => {
    for (const body of [
      { date: '2030-03-11' },
      { date: '2030-03-12', time: label },
      { date: '2030-03-10', time: night },
    ]) {
      const answer = await book(body);
      t.match(answer, { status: 400 });
      t.strictSame(answer.body.errors, { date: ['must be another day: the doctor is away at this time'] });
    }
  });
  await t.test('updateAppointment 400 and replaceAppointment 400 into a day off', async (t) => {
    const { body } = await book({ date: '2030-03-20' });
    const { id, patient: _patient, ...rest } = body;
    const { token } = doctor;
    t.match(await api.patch(`/appointments/${id}/`, { token, body: { date: '2030-03-11' } }), { status: 400 });
    t.match(await api.put(`/appointments/${id}/`, { token, body: { ...rest, date: '2030-03-11' } }), { status: 400 });
  });
  await t.test('createAppointment 201 on the soonest day that is none', async (t) => {
    await leave({ from: '2030-03-04', to: '2030-03-07' });
    t.match(await book({ time: late }), { status: 201, body: { date: '2030-03-08' } });
  });
  await t.test('createAppointment 409 with alternatives that are none', async (t) => {
    await book({ date: '2030-03-09' });
    const another = await api.register();
    const { status, body } = await book({ date: '2030-03-09' }, another.token);
    t.equal(status, 409);
    t.notOk(body.alternatives.some(({ date }: Body) => date < '2030-03-08' || date === '2030-03-11'));
  });
  await t.test('deleteTimeOff 204 gives the time back', async (t) => {
    t.equal((await api.delete(`/time-off/${entered.body.id}/`, { token: doctor.token })).status, 204);
    t.strictSame(timesOf(await free('2030-03-11')), [morning, late, night, label]);
    t.equal((await api.get(`/time-off/${entered.body.id}/`, { token: doctor.token })).status, 404);
  });
});

t.test('the whole clinic', async (t) => {
  const { api, doctor, other, patient, book, leave, free, searched } = await clinic(t);
  const closing = { doctor: null, from: '2030-12-24', to: '2030-12-26', reason: 'Christmas' };
  t.match(await leave(closing), { status: 201, body: { ...closing } });

  await t.test('listDoctorAvailability 200 and searchAvailability 200 have nothing of any doctor', async (t) => {
    for (const id of [doctor.doctorId, other.doctorId]) t.strictSame(await free('2030-12-24', '2030-12-26', id), []);
    t.strictSame(await searched('2030-12-24', '2030-12-26'), []);
  });
  await t.test('createAppointment 400 says that the clinic is closed', async (t) => {
    const { body } = await book({ date: '2030-12-25' });
    t.strictSame(body.errors, { date: ['must be another day: the clinic is closed at this time'] });
  });
  await t.test('createTimeOff 403 for a doctor, deleteTimeOff 403 too, getTimeOff 200 for everyone', async (t) => {
    t.match(await leave(closing, { token: doctor.token }), { status: 403 });
    const list = await api.get('/time-off/', { token: patient.token });
    t.match(list.body, { count: 1, results: [{ doctor: null, reason: 'Christmas' }] });
    const url = `/time-off/${list.body.results[0].id}/`;
    t.match(await api.get(url, { token: patient.token }), { status: 200 });
    t.match(await api.delete(url, { token: doctor.token }), { status: 403 });
  });
});

t.test('a part of a day', async (t) => {
  const { morning, late, night, label, book, leave, free, searched } = await clinic(t, {
    CLINIC_TIME_ZONE: 'Europe/Berlin',
  });
  const answer = await leave({ from: '2030-03-11T10:20:00+01:00', to: '2030-03-11T17:00:00+01:00' });
  t.match(answer.body, { from: '2030-03-11T09:20:00.000Z', to: '2030-03-11T16:00:00.000Z' });

  await t.test('createAppointment 400 in it, 201 beside it', async (t) => {
    t.strictSame(timesOf(await free('2030-03-11')), [night, label]);
    t.strictSame(timesOf(await searched('2030-03-11')).length, 6, 'the other doctor has all four');
    t.match(await book({ date: '2030-03-11' }), { status: 400 });
    t.match(await book({ date: '2030-03-11', time: late }), { status: 400 });
    t.match(await book({ date: '2030-03-11', time: label }), { status: 201 }, 'a label is at any time of the day');
  });
  await t.test('createAppointment 201 where it ends as the slot begins, and begins as it ends', async (t) => {
    await leave({ from: '2030-03-12T09:30:00Z', to: '2030-03-12T15:00:00Z' });
    t.strictSame(timesOf(await free('2030-03-12')), [morning, late, night, label]);
  });
  await t.test('createAppointment 400 for a label where all of its day is taken', async (t) => {
    await leave({ from: '2030-03-13T23:00:00Z', to: '2030-03-14T23:00:00Z' });
    t.strictSame(await free('2030-03-14'), []);
  });
  await t.test('over a change of the clocks, by the moments at which slots pass', async (t) => {
    // The clocks go back from 3 to 2 at 01:00 UTC: the night slot of the 26th, 23:00 to 01:00, is from 21:00 to 23:00 UTC.
    await leave({ from: '2030-10-26T23:00:00Z', to: '2030-10-27T02:00:00Z' });
    t.strictSame(timesOf(await free('2030-10-26')), [morning, late, night, label]);
    await leave({ from: '2030-10-26T22:59:00Z', to: '2030-10-26T23:00:00Z' });
    t.strictSame(timesOf(await free('2030-10-26')), [morning, late, label]);
    // They go forward from 2 to 3 at 01:00 UTC: ten o'clock is at 08:00 UTC.
    await leave({ from: '2030-03-31T00:00:00Z', to: '2030-03-31T08:00:00Z' });
    t.strictSame(timesOf(await free('2030-03-31')), [morning, late, night, label]);
    await leave({ from: '2030-03-31T08:29:00Z', to: '2030-03-31T08:30:00Z' });
    t.strictSame(timesOf(await free('2030-03-31')), [late, night, label]);
  });
});

t.test('appointments in its way', async (t) => {
  const { api, staff, doctor, other, patient, morning, late, book, leave, free } = await clinic(t);
  const booked = [
    (await book({ date: '2030-03-12', time: late })).body,
    (await book({ date: '2030-03-12' })).body,
    (await book({ date: '2030-03-11' })).body,
  ];
  await book({ date: '2030-03-13' });
  await book({ date: '2030-03-11', time: late, doctor: other.doctorId });
  const gone = (await book({ date: '2030-03-11', time: late })).body;
  await api.patch(`/appointments/${gone.id}/`, { token: patient.token, body: { cancel: true } });
  const expected = booked.toReversed().map(({ id, date, time }) => ({
    id,
    doctor: doctor.doctorId,
    patient: booked[0].patient as number,
    patient_name: 'Ada Lovelace',
    date: date as string,
    time: time as number,
    label: time === morning ? '10:00 - 10:30' : '16:00 - 16:30',
  }));
  const days = { from: '2030-03-11', to: '2030-03-12' };

  await t.test('createTimeOff 409 lists them, and stores nothing', async (t) => {
    for (const body of [days, { ...days, displace: 'refuse' }]) {
      const answer = await leave(body);
      t.match(answer, { status: 409, body: { type: '/problems/has-appointments', displaced: 3 } });
      t.strictSame(answer.body.appointments, expected);
    }
    t.equal((await api.get('/time-off/', { token: staff.token })).body.count, 0);
    t.equal((await free('2030-03-11')).length, 3);
  });
  await t.test('createTimeOff 200 as a dry run lists them, whatever is asked, and stores nothing', async (t) => {
    for (const displace of ['refuse', 'cancel', 'keep']) {
      const answer = await leave({ ...days, displace }, { dry: true });
      t.equal(answer.status, 200);
      t.notOk('location' in answer.headers);
      t.strictSame(answer.body, { displaced: 3, appointments: expected });
    }
    t.equal((await api.get('/time-off/', { token: staff.token })).body.count, 0);
    const { results } = (await api.get('/appointments/?cancel=false', { token: staff.token })).body;
    t.equal(results.length, 5);
    const headers = { 'idempotency-key': 'once' };
    const dry = await api.post('/time-off/?dry_run=true', {
      token: staff.token,
      headers,
      body: { doctor: null, ...days },
    });
    t.match(dry, { status: 200, body: { displaced: 4 } });
    t.match(
      await api.post('/time-off/?dry_run=true', { token: staff.token, headers, body: { doctor: null, ...days } }),
      {
        status: 200,
        headers: { 'idempotent-replayed': 'true' },
        body: { displaced: 4 },
      },
    );
  });
  await t.test('createTimeOff 201 keeps them, and updateAppointment 200 changes what does not move', async (t) => {
    const answer = await leave({ ...days, displace: 'keep' });
    t.match(answer, { status: 201, body: { displaced: 3 } });
    t.strictSame(answer.body.appointments, expected);
    const url = `/appointments/${booked[0].id}/`;
    t.match(await api.patch(url, { token: patient.token, body: { symptoms: 'Worse' } }), { status: 200 });
    await api.patch(url, { token: patient.token, body: { cancel: true } });
    const back = await api.patch(url, { token: patient.token, body: { cancel: false } });
    t.match(back, {
      status: 400,
      body: { errors: { date: ['must be another day: the doctor is away at this time'] } },
    });
  });
  await t.test('createTimeOff 201 cancels them, which their history says', async (t) => {
    const answer = await leave({ ...days, displace: 'cancel' });
    t.match(answer, { status: 201, body: { displaced: 2 } });
    for (const { id } of answer.body.appointments) {
      t.match((await api.get(`/appointments/${id}/`, { token: patient.token })).body, { cancel: true });
      const { results } = (await api.get(`/appointments/${id}/history/`, { token: patient.token })).body;
      t.match(results, [{ field: 'cancel', to: 'true', changed_by: staff.username }]);
    }
  });
});

t.test('what is not taken', async (t) => {
  const { api, doctor, other, patient, leave } = await clinic(t);
  const days = { from: '2030-03-11', to: '2030-03-12' };
  for (const [body, errors] of [
    [{ ...days, to: '2030-03-10' }, { to: ['must not be before from'] }],
    [
      { ...days, to: '2030-03-12T10:00:00Z' },
      { to: ['must be of the same kind as from: both are days, or both are times'] },
    ],
    [{ from: '2030-03-12T10:00:00Z', to: '2030-03-12T11:00:00+01:00' }, { to: ['must be after from'] }],
    [{ from: '2030-03-01', to: '2030-03-03' }, { to: ['must not be in the past'] }],
    [{ from: '2030-03-01T10:00:00Z', to: '2030-03-04T12:00:00Z' }, { to: ['must not be in the past'] }],
    [{ from: '2030-03-11', to: '2033-03-15' }, { to: ['must be at most three years after from'] }],
    [{ from: '9998-03-11', to: '9999-12-31' }, { from: ['must be at most 10 years ahead'] }],
    [{ from: '2030-02-30', to: '2030-03-11' }, { from: ['must be a calendar date (YYYY-MM-DD) or a time (RFC 3339)'] }],
    [
      { from: '2030-03-11T25:00:00Z', to: '2030-03-13T10:00' },
      {
        from: ['must be a calendar date (YYYY-MM-DD) or a time (RFC 3339)'],
        to: ['must be a calendar date (YYYY-MM-DD) or a time (RFC 3339)'],
      },
    ],
    [{ ...days, doctor: 4711 }, { doctor: ['does not exist'] }],
    [{ ...days, displace: 'move' }, { displace: ['must be one of: refuse, cancel, keep'] }],
    [{ ...days, doctor: undefined }, { doctor: ['is required'] }],
  ] as const) {
    await t.test(`createTimeOff 400 ${JSON.stringify(errors)}`, async (t) => {
      const answer = await leave(body);
      t.equal(answer.status, 400);
      t.strictSame(answer.body.errors, errors);
    });
  }
  await t.test('createTimeOff 403 for others, whether there is such a doctor or not', async (t) => {
    for (const token of [patient.token, other.token]) {
      for (const id of [doctor.doctorId, 4711]) t.equal((await leave({ ...days, doctor: id }, { token })).status, 403);
    }
    t.equal((await api.get('/time-off/', { token: doctor.token })).body.count, 0);
  });
});

t.test('listTimeOff 200', async (t) => {
  const { api, staff, doctor, other, patient, leave } = await clinic(t, { CLINIC_TIME_ZONE: 'Asia/Tokyo' });
  await leave({ from: '2030-03-11', to: '2030-03-12' });
  await leave({ doctor: other.doctorId, from: '2030-03-13T15:00:00Z', to: '2030-03-14T15:00:00Z' });
  await leave({ doctor: null, from: '2030-03-20', to: '2030-03-21' });
  const list = async (token: string, query = '') =>
    (await api.get(`/time-off/?${query}`, { token })).body.results.map(({ doctor }: Body) => doctor);
  const [one, two] = [doctor.doctorId, other.doctorId];
  t.strictSame(await list(staff.token), [one, two, null]);
  t.strictSame(await list(doctor.token), [one, null]);
  t.strictSame(await list(patient.token), [null]);
  t.strictSame(await list(staff.token, `doctor=${two}`), [two]);
  t.strictSame(await list(doctor.token, `doctor=${two}`), []);
  // In Tokyo it is the 14th, and that alone.
  t.strictSame(await list(staff.token, 'from=2030-03-14'), [two, null]);
  t.strictSame(await list(staff.token, 'from=2030-03-15'), [null]);
  t.strictSame(await list(staff.token, 'to=2030-03-13'), [one]);
  t.strictSame(await list(staff.token, 'from=2030-03-12&to=2030-03-14'), [one, two]);
});

t.test('leave and bookings at once', async (t) => {
  const { api, staff, doctor, patient, morning, leave } = await clinic(t, RACING);
  const patients = [patient, ...(await Promise.all([1, 2, 3, 4, 5].map(() => api.register())))];
  const days = ['2030-03-11', '2030-03-12', '2030-03-13', '2030-03-14', '2030-03-15', '2030-03-16'];
  for (const [what, whose] of [
    ['a doctor', doctor.doctorId],
    ['the clinic', null],
  ] as const) {
    await t.test(`createTimeOff or createAppointment, not both: ${what}`, async (t) => {
      for (const displace of ['refuse', 'cancel']) {
        const from = displace === 'refuse' ? days : days.map((day) => day.replace('-03-', '-04-'));
        const answers = await race(api, `select from doctors where id = ${doctor.doctorId} for update`, [
          () => leave({ doctor: whose, from: from[0], to: from.at(-1), displace }),
          ...patients.map(
            ({ token }, at) =>
              () =>
                api.post('/appointments/', {
                  token,
                  body: {
                    doctor: doctor.doctorId,
                    appointment_type: 'Online',
                    symptoms: 'x',
                    time: morning,
                    date: from[at],
                  },
                }),
          ),
        ]);
        const { body } = await api.get(`/appointments/?from=${from[0]}&to=${from.at(-1)}&cancel=false`, {
          token: staff.token,
        });
        const isEntered = answers[0]?.status === 201;
        t.equal(isEntered ? body.count : 0, 0, 'no appointment stands in leave');
        if (displace === 'cancel') t.ok(isEntered);
        if (!isEntered) t.equal(answers[0]?.status, 409);
        for (const { status } of answers.slice(1)) t.ok([201, 400].includes(status), String(status));
        if (isEntered) await api.delete(`/time-off/${answers[0]?.body.id}/`, { token: staff.token });
        for (const { id } of body.results) await api.delete(`/appointments/${id}/`, { token: staff.token });
      }
    });
  }
});

t.test('createTimeOff 409 where a booking is under way that has seen no leave yet', async (t) => {
  const { api, doctor, book, leave } = await clinic(t, RACING);
  for (const [whose, date] of [
    [doctor.doctorId, '2030-03-11'],
    [null, '2030-03-12'],
  ] as const) {
    // The booking has looked for leave, and can not be stored yet.
    const [booked, entered] = await race(api, 'lock table appointments in share mode', [
      () => book({ date }),
      async () => {
        await untilQueued(api.database.db, () => 1);
        return leave({ doctor: whose, from: date, to: date });
      },
    ]);
    t.equal(booked?.status, 201);
    t.match(entered, { status: 409, body: { displaced: 1 } }, whose === null ? 'of the clinic' : 'of the doctor');
  }
});

t.test('createTimeOff 201 twice under one Idempotency-Key is one', async (t) => {
  const { api, staff, doctor }: { api: TestApp; staff: { token: string }; doctor: { doctorId: number } } =
    await clinic(t);
  const options = {
    token: staff.token,
    headers: { 'idempotency-key': 'leave' },
    body: { doctor: doctor.doctorId, from: '2030-03-11', to: '2030-03-11' },
  };
  const [one, two] = [await api.post('/time-off/', options), await api.post('/time-off/', options)];
  t.match([one.status, two.status], [201, 201]);
  t.equal(one.body.id, two.body.id);
  t.equal(two.headers['location'], one.headers['location']);
});
