/** Appointments that are booked together: all or none, what is left out, and what is cancelled of them. */
import t, { type Test } from 'tap';
import { type Body, type TestAnswer, type User } from '../helpers/app.js';
import { clinic } from '../helpers/booking.js';
import { race, RACING } from '../helpers/races.js';

const SLOT = '10:00 - 10:30';

/** The clinic of other tests of booking, whose clock stands at noon of Monday, 2 March 2026. */
async function seriesClinic(t: Test, environment: Record<string, string> = {}, labels = [SLOT, '11:00 - 11:30']) {
  const base = await clinic(t, labels, environment);
  const { api, staff, doctor } = base;
  const book = (user: User, body: object = {}): Promise<TestAnswer> =>
    api.post('/appointments/series/', {
      token: user.token,
      body: {
        ...{ doctor: doctor.doctorId, time: 1, date: '2026-03-09', count: 4 },
        ...{ appointment_type: 'Offline', symptoms: 'Physiotherapy', ...body },
      },
    });
  const single = (user: User, date: string, body: object = {}) => base.book(user, { date, ...body });
  const get = (user: User, id: number) => api.get(`/appointments/series/${id}/`, { token: user.token });
  const cancel = (user: User, id: number, body: object = {}) =>
    api.patch(`/appointments/series/${id}/`, { token: user.token, body: { cancel: true, ...body } });
  const leave = (from: string, to = from, body: object = {}) =>
    api.post('/time-off/', { token: staff.token, body: { doctor: doctor.doctorId, from, to, ...body } });
  const count = async (): Promise<number> => (await api.get('/appointments/', { token: staff.token })).body.count;
  return { ...base, book, single, get, cancel, leave, count };
}

const dates = ({ body }: TestAnswer): string[] => body.appointments.map(({ date }: Body) => date);

t.test('createAppointmentSeries', async (t) => {
  const { api, staff, doctor, patient, book, single, get, leave, count } = await seriesClinic(t);
  const ann = await patient();
  const bob = await patient();

  await t.test('createAppointmentSeries 201 with all dates, each of them an appointment', async (t) => {
    const made = await book(ann, { date: '2026-12-21', every_weeks: 1 });
    t.equal(made.status, 201);
    t.strictSame(dates(made), ['2026-12-21', '2026-12-28', '2027-01-04', '2027-01-11'], 'over week 53');
    const { id, appointments, skipped } = made.body;
    t.strictSame(skipped, []);
    t.equal(made.headers['location'], `http://localhost:8000/appointments/series/${id}/`);
    t.match(appointments[0], { series: id, patient: ann.patientId, symptoms: 'Physiotherapy', cancel: false, time: 1 });
    t.strictSame((await get(ann, id)).body, { id, appointments });
    const { body } = await api.get(`/appointments/?series=${id}&ordering=date`, { token: ann.token });
    t.strictSame(body.results, appointments);
    t.equal((await api.get('/appointments/?series=999', { token: staff.token })).body.count, 0);
    t.equal((await api.get(`/appointments/${appointments[1].id}/`, { token: ann.token })).body.series, id);
    const changes = await api.get(`/appointments/${appointments[1].id}/changes/`, { token: ann.token });
    t.match(changes.body.results, [{ field: 'created', changed_by: ann.username }]);
    t.strictSame(
      dates(await book(ann, { date: '2026-12-22', count: 3, every_weeks: 2 })),
      ['2026-12-22', '2027-01-05', '2027-01-19'],
      'every second week over New Year',
    );
  });

  await t.test('createAppointmentSeries 201 from the soonest date on', async (t) => {
    t.strictSame(dates(await book(ann, { date: undefined, count: 2 })), ['2026-03-03', '2026-03-10']);
    t.strictSame(dates(await book(bob, { date: undefined, count: 2 })), ['2026-03-04', '2026-03-11']);
  });

  await t.test('createAppointmentSeries 409 with the dates that are taken, and none booked', async (t) => {
    await single(bob, '2026-04-13');
    await single(ann, '2026-04-27', { time: 1 });
    const before = await count();
    const refused = await book(ann, { date: '2026-04-06' });
    t.match(refused, {
      status: 409,
      body: {
        type: '/problems/slot-taken',
        taken: ['2026-04-13', '2026-04-27'],
        detail: 'The doctor or the patient has an appointment at this time on 2026-04-13, 2026-04-27.',
      },
    });
    t.match(refused.body.alternatives[0], { date: '2026-04-06' });
    t.equal(await count(), before);
    t.notOk('taken' in (await single(ann, '2026-04-13')).body, 'which a single booking has not');
  });

  await t.test('createAppointmentSeries 400 with each date that has a fault, and none booked', async (t) => {
    await leave('2026-05-11');
    await leave('2026-05-18', '2026-05-18', { doctor: null });
    await single(bob, '2026-05-25');
    const before = await count();
    const refused = await book(ann, { date: '2026-05-04', count: 4 });
    t.equal(refused.status, 400);
    t.strictSame(refused.body.errors, {
      date: [
        'must be another day: the doctor is away at this time (2026-05-11)',
        'must be another day: the clinic is closed at this time (2026-05-18)',
        'must be another day: the doctor or the patient has an appointment at this time (2026-05-25)',
      ],
    });
    const far = await book(ann, { date: '2027-02-22', count: 3 });
    t.strictSame(far.body.errors, { date: ['must be at most 365 days ahead (2027-03-08)'] });
    t.equal(await count(), before);
  });

  await t.test('createAppointmentSeries 201 with skip_taken, and what was left out', async (t) => {
    const made = await book(ann, { date: '2026-05-04', count: 5, skip_taken: true });
    t.strictSame(dates(made), ['2026-05-04', '2026-06-01']);
    t.strictSame(made.body.skipped, [
      { date: '2026-05-11', reason: 'away' },
      { date: '2026-05-18', reason: 'closed' },
      { date: '2026-05-25', reason: 'taken' },
    ]);
    const none = await book(bob, { date: '2026-05-11', count: 3, skip_taken: true });
    t.match(none, { status: 409, body: { type: '/problems/slot-taken', taken: ['2026-05-25'] } });
    await leave('2026-08-01', '2026-08-31');
    const away = await book(bob, { date: '2026-08-03', count: 3, skip_taken: true });
    t.match(away, { status: 409, body: { taken: [] } });
    t.match(away.body.alternatives[0], { date: '2026-09-01' });
  });

  await t.test('createAppointmentSeries 400 for what no skipping mends', async (t) => {
    const before = await count();
    for (const [body, field, fault] of [
      [{ date: '2026-03-01' }, 'date', 'must not be in the past (2026-03-01)'],
      [{ date: '2026-03-02' }, 'date', 'must be a later day: the slot has begun (2026-03-02)'],
      [{ date: '2027-02-22' }, 'date', 'must be at most 365 days ahead (2027-03-08, 2027-03-15)'],
      [{ date: '9999-12-31' }, 'date', 'must be at most 365 days ahead (9999-12-31)'],
      [{ doctor: 999 }, 'doctor', 'does not exist'],
      [{ time: 999 }, 'time', 'is not offered by this doctor'],
      [{ count: 1 }, 'count', 'must be at least 2'],
      [{ count: 27 }, 'count', 'must be at most 26'],
      [{ every_weeks: 0 }, 'every_weeks', 'must be at least 1'],
      [{ every_weeks: 9 }, 'every_weeks', 'must be at most 8'],
    ] as const) {
      const answer = await book(ann, { ...body, skip_taken: true });
      t.match(answer, { status: 400, body: { errors: { [field]: [fault] } } }, JSON.stringify(body));
    }
    const unknown = await book(staff, { patient: 999, skip_taken: true });
    t.match(unknown, { status: 400, body: { errors: { patient: ['does not exist'] } } });
    t.equal(await count(), before);
  });

  await t.test(
    'createAppointmentSeries 201 for whom the caller may book, 403 for others, 409 for nobody',
    async (t) => {
      const far = { date: '2026-10-05', count: 26, every_weeks: 1, time: 2 };
      t.equal((await book(ann, { patient: bob.patientId })).status, 403);
      const { body: child } = await api.post('/patients/dependants/', {
        token: ann.token,
        body: { first_name: 'Nils', last_name: 'Byron', date_of_birth: '2017-05-09' },
      });
      t.match((await book(ann, { date: '2026-07-06', count: 2, patient: child.id })).body.appointments, [
        { patient: child.id },
        { patient: child.id },
      ]);
      // As many as there can be, but for those beyond the horizon.
      const most = await book(staff, { ...far, date: '2026-09-07', patient: bob.patientId });
      t.equal(most.status, 201);
      t.equal(most.body.appointments.length, 26);
      t.equal((await book(doctor, { date: '2026-07-07', patient: bob.patientId })).status, 403);
      const dora = await patient();
      await api.delete(`/patients/${dora.patientId}/`, { token: dora.token });
      t.match(await book(dora), { status: 409, body: { type: '/problems/no-patient-record' } });
    },
  );
  t.end();
});

t.test('createAppointmentSeries 400 for a date within the notice, not for staff', async (t) => {
  const { staff, patient, book } = await seriesClinic(t, { BOOKING_NOTICE: '10d' });
  const ann = await patient();
  const refused = await book(ann, { skip_taken: true });
  t.strictSame(refused.body.errors, {
    date: ['must be a later day: patients could book this one until 2026-02-27 10:00 (2026-03-09)'],
  });
  t.equal((await book(staff, { patient: ann.patientId })).status, 201);
});

t.test('createAppointmentSeries 201 at one time by the clinic clock, however the clocks change', async (t) => {
  const zone = { CLINIC_TIME_ZONE: 'Europe/Berlin' };
  const { patient, book } = await seriesClinic(t, zone, [SLOT, '02:15 - 02:45']);
  const ann = await patient();
  const made = await book(ann, { date: '2026-03-22', count: 3 });
  t.strictSame(
    made.body.appointments.map(({ start }: Body) => start),
    ['2026-03-22T09:00:00.000Z', '2026-03-29T08:00:00.000Z', '2026-04-05T08:00:00.000Z'],
  );
  const night = { date: '2026-03-22', count: 3, time: 2 };
  t.strictSame((await book(ann, night)).body.errors, {
    date: ['has no such time: the clocks go forward over it (2026-03-29)'],
  });
  const skipping = await book(ann, { ...night, skip_taken: true });
  t.strictSame(skipping.body.skipped, [{ date: '2026-03-29', reason: 'no_such_time' }]);
  t.strictSame(dates(skipping), ['2026-03-22', '2026-04-05']);
});

t.test('updateAppointmentSeries', async (t) => {
  const { api, staff, doctor, patient, setNow, book, get, cancel } = await seriesClinic(t, { CHANGE_NOTICE: '48h' });
  const [ann, bob] = [await patient(), await patient()];
  const states = async (id: number): Promise<boolean[]> =>
    (await get(staff, id)).body.appointments.map(({ cancel }: Body) => cancel);

  await t.test('updateAppointmentSeries 200 from a day on, with a reason and its history', async (t) => {
    const { body: made } = await book(ann);
    const answer = await cancel(ann, made.id, { from: '2026-03-23', cancel_reason: { code: 'other', text: 'Well' } });
    t.match(answer.body, { id: made.id, cancelled: 2, kept: [] });
    t.strictSame(answer.body.kept, []);
    t.strictSame(await states(made.id), [false, false, true, true]);
    t.match(answer.body.appointments[3], { cancel_reason: { code: 'other', text: 'Well' } });
    const changes = await api.get(`/appointments/${made.appointments[3].id}/changes/`, { token: ann.token });
    t.match(
      changes.body.results.map(({ field, changed_by: by }: Body) => [field, by]),
      [
        ['created', ann.username],
        ['cancelled', ann.username],
        ['cancel_reason', ann.username],
      ].map(([field, by]) => [field === 'cancelled' ? 'cancel' : field, by]),
    );
    t.match((await cancel(ann, made.id, { from: '2026-03-23' })).body, { cancelled: 0 }, 'again');
    const free = await book(bob, { date: '2026-03-23', count: 2 });
    t.equal(free.status, 201, 'the slots are free');
    const one = await api.patch(`/appointments/${made.appointments[0].id}/`, {
      token: ann.token,
      body: { cancel: true },
    });
    t.equal(one.status, 200, 'one alone');
    t.match((await cancel(ann, made.id)).body, { cancelled: 1 });
  });

  await t.test('updateAppointmentSeries 200 with what stays, and why', async (t) => {
    const { body: made } = await book(ann, { time: 2 });
    const [first, second, third] = made.appointments;
    setNow('2026-03-15T12:00:00Z');
    const answer = await cancel(ann, made.id, { from: '2026-03-01' });
    t.match(answer.body, {
      cancelled: 2,
      kept: [
        { id: first.id, date: '2026-03-09', detail: /only before it begins/ },
        { id: second.id, date: '2026-03-16', detail: /until 2026-03-14 11:00 by the clinic's clock/ },
      ],
    });
    t.strictSame(await states(made.id), [false, false, true, true]);
    const begun = await cancel(staff, made.id, { from: '2026-03-01' });
    t.match(begun.body, { cancelled: 1, kept: [{ id: first.id, detail: 'It has begun.' }] });
    const back = { token: staff.token, body: { cancel: false, appointment_status: 'Runing' } };
    t.equal((await api.patch(`/appointments/${third.id}/`, { ...back, body: { cancel: false } })).status, 200);
    t.equal((await api.patch(`/appointments/${third.id}/`, back)).status, 200);
    t.match((await cancel(doctor, made.id)).body, {
      cancelled: 0,
      kept: [{ id: third.id, detail: 'It is not Pendding any more.' }],
    });
    setNow('2026-03-02T12:00:00Z');
  });

  await t.test(
    "updateAppointmentSeries 404 for somebody else's, 400 for nothing to do, 403 for a reason",
    async (t) => {
      const { body: made } = await book(ann, { date: '2026-06-01' });
      for (const id of [made.id, 999]) {
        t.equal((await cancel(bob, id)).status, 404);
        t.equal((await get(bob, id)).status, 404);
      }
      t.match(await cancel(ann, made.id, { cancel: false }), {
        status: 400,
        body: { errors: { cancel: ['must be true'] } },
      });
      t.equal((await cancel(ann, made.id, { cancel_reason: { code: 'clinic' } })).status, 403);
      t.strictSame(await states(made.id), [false, false, false, false]);
      t.match((await cancel(doctor, made.id)).body, {
        cancelled: 4,
        appointments: [{ cancel_reason: { code: 'doctor', text: '' } }],
      });
    },
  );

  await t.test('getAppointmentSeries 200 with what the caller sees of it', async (t) => {
    const { body: made } = await book(ann, { date: '2026-07-06', count: 2 });
    const [first, second] = made.appointments;
    const move = { token: staff.token, body: { patient: bob.patientId } };
    t.equal((await api.patch(`/appointments/${second.id}/`, move)).status, 200);
    t.strictSame(dates(await get(ann, made.id)), ['2026-07-06']);
    t.strictSame(dates(await get(bob, made.id)), ['2026-07-13']);
    await api.delete(`/appointments/${first.id}/`, { token: staff.token });
    t.equal((await get(ann, made.id)).status, 404);
    t.strictSame(dates(await get(staff, made.id)), ['2026-07-13']);
  });
  t.end();
});

t.test('races', async (t) => {
  const { api, staff, doctor, patient, book, single, count } = await seriesClinic(t, RACING);
  const other = await api.registerDoctor({ available_time: [1, 2] });
  const people = await Promise.all(Array.from({ length: 6 }, () => patient()));
  const [ann, bob] = people as [User & { patientId: number }, User & { patientId: number }];
  const locked = `select from doctors where id = ${doctor.doctorId} for update`;

  await t.test('createAppointmentSeries 201 or 409 against one of its dates: all or none', async (t) => {
    for (let round = 0; round < 8; round++) {
      const date = `2026-0${4 + Math.floor(round / 2)}-0${1 + (round % 2)}`;
      const later = new Date(Date.parse(date) + 21 * 86_400_000).toISOString().slice(0, 10);
      const before = await count();
      const requests = [() => book(ann, { date }), () => single(bob, later)];
      const answers = await race(api, locked, round % 2 === 0 ? requests : requests.reverse());
      const [series, alone] = round % 2 === 0 ? answers : answers.reverse();
      t.strictSame([series?.status, alone?.status].sort(), [201, 409], `round ${round}`);
      t.equal(await count(), before + (series?.status === 201 ? 4 : 1));
      if (series?.status === 409) t.strictSame(series.body.taken, [later]);
    }
  });

  await t.test('createAppointmentSeries 201 once of many on the same dates', async (t) => {
    const answers = await Promise.all(people.map((person) => book(person, { time: 2, date: '2026-09-01', count: 8 })));
    t.equal(answers.filter(({ status }) => status === 201).length, 1);
    t.equal(answers.filter(({ status }) => status === 409).length, people.length - 1);
  });

  await t.test(
    'createAppointmentSeries 201 of two that cross: same patients, doctors the other way round',
    async (t) => {
      const answers = await Promise.all(
        Array.from({ length: 12 }, (_, index) => {
          const [whom, whose] = [index % 2 === 0 ? ann : bob, index % 4 < 2 ? doctor : other];
          const date = `2026-11-${String(2 + index).padStart(2, '0')}`;
          return book(staff, {
            patient: whom.patientId,
            doctor: whose.doctorId,
            date,
            count: 3,
            every_weeks: 1 + (index % 2),
          });
        }),
      );
      t.ok(answers.every(({ status }) => status === 201 || status === 409));
      t.ok(answers.some(({ status }) => status === 201));
    },
  );

  await t.test('updateAppointmentSeries 200 while the series is cancelled otherwise', async (t) => {
    const { body: made } = await book(ann, { date: '2027-01-04', time: 2 });
    const path = `/appointments/series/${made.id}/`;
    const answers = await race(api, locked, [
      ...Array.from({ length: 4 }, () => () => api.patch(path, { token: ann.token, body: { cancel: true } })),
      () =>
        api.post('/time-off/', {
          token: staff.token,
          body: { doctor: doctor.doctorId, from: '2027-01-01', to: '2027-01-31', displace: 'cancel' },
        }),
    ]);
    t.ok(
      answers.every(({ status }) => status < 300),
      answers.map(({ status }) => status).join(),
    );
    const cancelled = answers.reduce((sum, { body }) => sum + (body.cancelled ?? body.displaced ?? 0), 0);
    t.equal(cancelled, 4, 'each is cancelled once');
  });
  t.end();
});
