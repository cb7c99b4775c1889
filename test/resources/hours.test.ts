/** Doctors' working hours: on which days they offer which slots, and what becomes of appointments outside of them. */
import t, { type Test } from 'tap';
import { buildTestApp, type Body } from '../helpers/app.js';
import { race, RACING, untilQueued } from '../helpers/races.js';

/** Monday of week 49. */
const MONDAY = new Date('2026-11-30T06:00:00Z');

async function clinic(t: Test, environment: Record<string, string> = {}) {
  const api = await buildTestApp(t, environment, { now: () => MONDAY });
  const staff = await api.registerStaff();
  const slot = async (time: string): Promise<number> =>
    (await api.post('/available-time/', { token: staff.token, body: { time } })).body.id as number;
  const [ten, four, evening, foreign] = [
    await slot('10:00 - 10:30'),
    await slot('16:00 - 16:30'),
    await slot('Evening'),
    await slot('18:00 - 18:30'),
  ];
  const doctor = await api.registerDoctor({ available_time: [ten, four, evening] });
  const other = await api.registerDoctor({ available_time: [ten] });
  const patient = await api.register();
  const url = `/doctors/${doctor.doctorId}/hours/`;
  const put = (hours: object[], { token = doctor.token, dry = false, ...more }: Body = {}) =>
    api.put(`${url}${dry ? '?dry_run=1' : ''}`, { token, body: { hours, ...more } });
  const book = (body: object, token = patient.token) =>
    api.post('/appointments/', {
      token,
      body: { doctor: doctor.doctorId, appointment_type: 'Online', symptoms: 'Headache', time: ten, ...body },
    });
  /** The days of a month on which a slot is free, by the doctor's list and by the search, which have to be the same. */
  const daysOf = async (from: string, to: string, time = ten): Promise<string[]> => {
    const list = (await api.get(`/doctors/${doctor.doctorId}/availability/?from=${from}&to=${to}`)).body;
    const found = (await api.get(`/availability/?from=${from}&to=${to}&time=${time}&limits=1000`)).body.results;
    const days = list.filter((slot: Body) => slot.time === time).map(({ date }: Body) => date);
    const searched = found.filter((slot: Body) => slot.doctor === doctor.doctorId).map(({ date }: Body) => date);
    t.strictSame(searched, days, 'the search finds what the doctor lists');
    return days;
  };
  return { api, staff, doctor, other, patient, ten, four, evening, foreign, url, put, book, daysOf };
}

t.test('which days', async (t) => {
  const { api, doctor, ten, four, url, put, book, daysOf, evening } = await clinic(t);

  await t.test('getDoctorHours 200 is empty at first, and every day has every slot', async (t) => {
    t.strictSame((await api.get(url)).body, { hours: [] });
    t.equal((await daysOf('2026-12-01', '2026-12-31')).length, 31);
  });
  await t.test('replaceDoctorHours 200 answers what getDoctorHours has from then on', async (t) => {
    const answer = await put([
      { weekday: 1, times: [four, ten] },
      { weekday: 3, times: [ten], every_weeks: 2, starting: '2026-12-09', until: '2027-02-03' },
    ]);
    const hours = [
      { weekday: 1, times: [ten, four], every_weeks: 1, starting: '2026-11-30', until: null },
      { weekday: 3, times: [ten], every_weeks: 2, starting: '2026-12-09', until: '2027-02-03' },
    ];
    t.match(answer, { status: 200 });
    t.strictSame(answer.body, { hours, displaced: 0, appointments: [] });
    t.strictSame((await api.get(url)).body, { hours });
  });
  await t.test('every second week goes on over week 53 and New Year, to the last day', async (t) => {
    const wednesdays = ['2026-12-09', '2026-12-23', '2027-01-06', '2027-01-20', '2027-02-03'];
    const mondays = ['2026-12-07', '2026-12-14', '2026-12-21', '2026-12-28', '2027-01-04', '2027-01-11', '2027-01-18'];
    t.strictSame(await daysOf('2026-12-01', '2026-12-31'), [...mondays.slice(0, 4), ...wednesdays.slice(0, 2)].sort());
    t.strictSame(await daysOf('2027-01-01', '2027-01-20'), [...mondays.slice(4), ...wednesdays.slice(2, 4)].sort());
    t.strictSame(await daysOf('2027-01-26', '2027-02-17'), ['2027-02-01', '2027-02-03', '2027-02-08', '2027-02-15']);
    t.strictSame(await daysOf('2026-12-01', '2026-12-31', four), mondays.slice(0, 4));
    t.strictSame(await daysOf('2026-12-01', '2026-12-31', evening), []);
  });
  await t.test('createAppointment 400 on other days, 201 on those, the soonest without a date', async (t) => {
    const refused = await book({ date: '2026-12-16' });
    t.match(refused, { status: 400 });
    t.strictSame(refused.body.errors, { date: ['must be another day: the doctor does not work at this time of it'] });
    t.match(await book({ date: '2026-12-23' }), { status: 201 });
    t.match(await book({ time: four }), { status: 201, body: { date: '2026-11-30' } });
    t.match(await book({ time: four }), { status: 201, body: { date: '2026-12-07' } });
    t.match(await book({ time: evening }), { status: 409, body: { type: '/problems/slot-taken' } });
  });
  await t.test('weeks are counted from the first day, on whatever weekday it is', async (t) => {
    await put([{ weekday: 1, times: [ten], every_weeks: 3, starting: '2027-03-03' }], { displace: 'keep' });
    t.strictSame(await daysOf('2027-03-01', '2027-03-31'), ['2027-03-08', '2027-03-29']);
  });
  await t.test('updateDoctor 200 takes a slot off the hours with the offer', async (t) => {
    await put([{ weekday: 2, times: [ten, four] }], { displace: 'keep' });
    await api.patch(`/doctors/${doctor.doctorId}/`, { token: doctor.token, body: { available_time: [ten, evening] } });
    t.match((await api.get(url)).body, { hours: [{ weekday: 2, times: [ten] }] });
    t.strictSame(await daysOf('2027-03-01', '2027-03-08', evening), []);
  });
  await t.test('replaceDoctorHours 200 with none offers every day again', async (t) => {
    t.match(await put([]), { status: 200, body: { hours: [] } });
    t.equal((await daysOf('2027-03-01', '2027-03-31')).length, 31);
  });
});

t.test('appointments outside of them', async (t) => {
  const { api, staff, doctor, patient, ten, url, put, book } = await clinic(t);
  const tuesday = (await book({ date: '2026-12-01' })).body;
  const monday = (await book({ date: '2026-12-07' })).body;
  const mondays = [{ weekday: 1, times: [ten] }];

  await t.test('replaceDoctorHours 409 lists those that fall out, and stores nothing', async (t) => {
    const answer = await put(mondays);
    t.match(answer, { status: 409, body: { type: '/problems/has-appointments', displaced: 1 } });
    t.match(answer.body.appointments, [{ id: tuesday.id, date: '2026-12-01', patient_name: patient.username }]);
    t.strictSame((await api.get(url)).body, { hours: [] });
  });
  await t.test(
    'replaceDoctorHours 200 as a dry run shows both, has the tag of what is, and stores nothing',
    async (t) => {
      const before = await api.get(url);
      const answer = await put(mondays, { dry: true, displace: 'cancel' });
      t.match(answer, { status: 200, headers: { etag: before.headers['etag'] } });
      t.match(answer.body, { hours: mondays, displaced: 1, appointments: [{ id: tuesday.id }] });
      t.strictSame((await api.get(url)).body, { hours: [] });
      t.match((await api.get(`/appointments/${tuesday.id}/`, { token: patient.token })).body, { cancel: false });
    },
  );
  await t.test('replaceDoctorHours 200 keeps them, and asks no more of what was kept', async (t) => {
    t.match(await put(mondays, { displace: 'keep' }), { status: 200, body: { displaced: 1 } });
    t.match(
      await put([
        { weekday: 1, times: [ten] },
        { weekday: 5, times: [ten] },
      ]),
      { status: 200, body: { displaced: 0 } },
    );
  });
  await t.test('replaceDoctorHours 200 cancels them, which their history says', async (t) => {
    const answer = await put([{ weekday: 5, times: [ten] }], { displace: 'cancel', token: staff.token });
    t.match(answer, { status: 200, body: { displaced: 1, appointments: [{ id: monday.id }] } });
    t.match((await api.get(`/appointments/${monday.id}/`, { token: patient.token })).body, { cancel: true });
    const { results } = (await api.get(`/appointments/${monday.id}/history/`, { token: patient.token })).body;
    t.match(results, [{ field: 'cancel', to: 'true', changed_by: staff.username }]);
  });
  await t.test('replaceDoctorHours 412 with a stale If-Match', async (t) => {
    const { headers } = await api.get(url);
    const ifMatch = { 'if-match': headers['etag'] as string };
    t.equal((await api.put(url, { token: doctor.token, headers: ifMatch, body: { hours: [] } })).status, 200);
    t.equal((await api.put(url, { token: doctor.token, headers: ifMatch, body: { hours: [] } })).status, 412);
  });
});

t.test('what is not taken', async (t) => {
  const { api, doctor, other, patient, ten, foreign, url, put } = await clinic(t);
  const entry = { weekday: 1, times: [ten] };
  for (const [hours, faults] of [
    [
      [entry, { weekday: 1, times: [ten, foreign, 4711] }],
      [`item 2 times has ids that the doctor does not offer: ${foreign}, 4711`],
    ],
    [[{ ...entry, starting: '2027-01-02', until: '2027-01-01' }], ['item 1 until must not be before starting']],
    [
      [
        { ...entry, weekday: 0 },
        { ...entry, weekday: 8 },
      ],
      ['item 1 weekday must be at least 1', 'item 2 weekday must be at most 7'],
    ],
    [[{ ...entry, every_weeks: 9 }], ['item 1 every_weeks must be at most 8']],
    [[{ ...entry, starting: '2027-02-29' }], ['item 1 starting must be a calendar date (YYYY-MM-DD)']],
    [[{ times: [ten] }], ['item 1 weekday is required']],
    [[{ weekday: 1, times: [] }], ['item 1 times must have at least 1 items']],
    [[{ weekday: 1, times: [0] }], ['item 1 times item 1 must be at least 1']],
    [['Monday'], ['item 1 must be an object']],
  ] as const) {
    await t.test(`replaceDoctorHours 400 ${faults.join()}`, async (t) => {
      const answer = await put([...hours] as object[]);
      t.equal(answer.status, 400);
      t.strictSame(answer.body.errors, { hours: faults });
    });
  }
  await t.test('replaceDoctorHours 403 for others, 404 for no such doctor', async (t) => {
    for (const { token } of [patient, other]) t.equal((await put([], { token })).status, 403);
    t.equal((await api.put('/doctors/4711/hours/', { token: doctor.token, body: { hours: [] } })).status, 404);
    t.strictSame((await api.get(url)).body, { hours: [] });
  });
});

t.test('hours and bookings at once: replaceDoctorHours or createAppointment, not both', async (t) => {
  const { api, staff, doctor, patient, ten, put, book } = await clinic(t, RACING);
  const patients = [patient, ...(await Promise.all([1, 2, 3, 4].map(() => api.register())))];
  const tuesdays = ['2026-12-01', '2026-12-08', '2026-12-15', '2026-12-22', '2026-12-29'];
  for (const displace of ['refuse', 'cancel']) {
    await put([]);
    const [changed, ...booked] = await race(api, `select from doctors where id = ${doctor.doctorId} for update`, [
      () => put([{ weekday: 1, times: [ten] }], { displace }),
      ...patients.map(
        ({ token }, at) =>
          () =>
            book({ date: tuesdays[at] }, token),
      ),
    ]);
    const { body } = await api.get('/appointments/?cancel=false', { token: staff.token });
    if (changed?.status === 200) t.equal(body.count, 0, 'nothing stands outside of the hours');
    else t.match(changed, { status: 409 });
    if (displace === 'cancel') t.equal(changed?.status, 200);
    for (const { status } of booked) t.ok([201, 400].includes(status), String(status));
    for (const { id } of body.results) await api.delete(`/appointments/${id}/`, { token: staff.token });
  }
});

t.test('replaceDoctorHours 409 where a booking is under way that has seen other hours', async (t) => {
  const { api, ten, put, book } = await clinic(t, RACING);
  const [booked, changed] = await race(api, 'lock table appointments in share mode', [
    () => book({ date: '2026-12-01' }),
    async () => {
      await untilQueued(api.database.db, () => 1);
      return put([{ weekday: 1, times: [ten] }]);
    },
  ]);
  t.equal(booked?.status, 201);
  t.match(changed, { status: 409, body: { displaced: 1 } });
});
