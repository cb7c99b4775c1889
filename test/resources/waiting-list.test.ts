/** Who waits for a time that is taken, and what they are offered when it becomes free. */
import t, { type Test } from 'tap';
import { calendarOf } from '../../src/scheduling/calendar.js';
import { offerAllFreed } from '../../src/scheduling/offers.js';
import { testConfig, type Body, type User } from '../helpers/app.js';
import { clinic } from '../helpers/booking.js';
import { race, RACING } from '../helpers/races.js';

type Patient = User & { patientId: number };

const LABELS = ['14:00 - 14:30', '14:30 - 15:00', '14:15 - 14:45', 'Evening'];
const DAY = '2026-03-09';

async function open(t: Test, environment: Record<string, string> = {}) {
  const base = await clinic(t, LABELS, environment);
  const { api, staff, doctor } = base;
  let now = '2026-03-02T12:00:00Z';
  const config = testConfig(t, environment);
  const { token } = staff;
  return {
    ...base,
    setNow: (text: string) => base.setNow((now = text)),
    /** What the server does every few seconds. */
    sweep: () => offerAllFreed(api.database.db, calendarOf(config, 'UTC', new Date(now))),
    wait: (user: User, body: object = { doctor: doctor.doctorId }) =>
      api.post('/waiting-list/', { token: user.token, body }),
    offerOf: async (user: User, id: number): Promise<Body> =>
      (await api.get(`/waiting-list/${id}/`, { token: user.token })).body.offer,
    /** Books a slot on the day, for a patient of its own. */
    taken: async (time = 1, more: object = {}): Promise<{ id: number; owner: Patient }> => {
      const owner = await base.patient();
      const answer = await base.book(owner, { date: DAY, time, ...more });
      if (answer.status !== 201) throw new Error(answer.text);
      return { id: answer.body.id, owner };
    },
    cancel: (id: number) => api.patch(`/appointments/${id}/`, { token, body: { cancel: true } }),
  };
}
type Clinic = Awaited<ReturnType<typeof open>>;

/** Puts new patients on the list, one after the other. */
async function queue({ patient, wait }: Clinic, count: number, body?: object) {
  const waiting: { user: Patient; id: number }[] = [];
  for (let index = 0; index < count; index++) {
    const user = await patient();
    waiting.push({ user, id: (await wait(user, body)).body.id });
  }
  return waiting;
}

t.test('createWaitingEntry 400 for what is deleted after it was looked for', async (t) => {
  const { api, staff, doctor, patient, wait } = await open(t, RACING);
  const { token } = staff;
  const specialisation = (await api.post('/specialisations/', { token, body: { name: 'Eyes', slug: 'eyes' } })).body.id;
  const time = (await api.post('/available-time/', { token, body: { time: 'Night' } })).body.id;
  for (const [row, body, errors] of [
    [`specialisations where id = ${specialisation}`, { specialisation }, { specialisation: ['does not exist'] }],
    [
      `available_times where id = ${time}`,
      { doctor: doctor.doctorId, times: [time] },
      { times: ['has unknown ids: one was deleted just now'] },
    ],
  ] as const) {
    const user = await patient();
    const [answer] = await race(api, `delete from ${row}`, [() => wait(user, body)]);
    t.match(answer, { status: 400, body: { errors } }, row);
  }
});

t.test('who waits', async (t) => {
  const all = await open(t);
  const { api, staff, doctor, patient, wait } = all;
  const [ada, ben] = [await patient({ first_name: 'Ada', last_name: 'Byron' }), await patient()];
  const { token } = staff;
  const specialisation = (await api.post('/specialisations/', { token, body: { name: 'Eyes', slug: 'eyes' } })).body.id;

  await t.test(
    'createWaitingEntry 201 for a doctor, getWaitingEntry 200 for the patient and staff, 404 for others',
    async (t) => {
      const answer = await wait(ada, { doctor: doctor.doctorId, times: [2, 1, 2] });
      t.equal(answer.status, 201);
      t.strictSame(answer.body, {
        ...{ id: answer.body.id, patient: ada.patientId, patient_name: 'Ada Byron' },
        ...{ doctor: doctor.doctorId, doctor_name: doctor.username, specialisation: null, specialisation_name: null },
        ...{ from: '2026-03-02', to: '2027-03-02', times: [1, 2], created_at: answer.body.created_at, offer: null },
      });
      const url = `/waiting-list/${answer.body.id}/`;
      for (const { token } of [ada, staff]) t.strictSame((await api.get(url, { token })).body, answer.body);
      for (const { token } of [ben, doctor]) t.equal((await api.get(url, { token })).status, 404);
      t.equal((await api.get(url)).status, 401);
    },
  );

  await t.test(
    'createWaitingEntry 201 for a specialisation, a dependant, and by staff for anybody, 403 for others',
    async (t) => {
      t.match(await wait(ada, { specialisation, from: DAY, to: DAY }), {
        status: 201,
        body: { doctor: null, doctor_name: null, specialisation, specialisation_name: 'Eyes', from: DAY, to: DAY },
      });
      const child = { first_name: 'Nils', last_name: 'Byron', date_of_birth: '2017-05-09' };
      const { id } = (await api.post('/patients/dependants/', { token: ada.token, body: child })).body;
      t.match(await wait(ada, { specialisation, patient: id }), { status: 201, body: { patient: id } });
      t.match(await wait(staff, { specialisation, patient: ben.patientId }), {
        status: 201,
        body: { patient: ben.patientId },
      });
      t.equal((await wait(ben, { specialisation, patient: id })).status, 403);
    },
  );

  await t.test("listWaitingEntries 200 in order, of one's own and for staff of all, by each filter", async (t) => {
    const list = async ({ token }: User, query = '') =>
      (await api.get(`/waiting-list/?${query}`, { token })).body.results.map((entry: Body) => entry.patient);
    t.strictSame(await list(ben), [ben.patientId]);
    t.equal((await list(ada)).length, 3);
    t.equal((await list(staff)).length, 4);
    t.strictSame(await list(doctor), []);
    t.strictSame(await list(staff, `patient=${ben.patientId}`), [ben.patientId]);
    t.strictSame(await list(staff, `doctor=${doctor.doctorId}`), [ada.patientId]);
    t.equal((await list(staff, `specialisation=${specialisation}`)).length, 3);
    t.equal((await list(staff, 'offered=false')).length, 4);
    t.strictSame(await list(staff, 'offered=true'), []);
    t.equal((await api.get('/waiting-list/?page=2', { token })).status, 404);
    t.equal((await api.get('/waiting-list/?page=0', { token })).status, 400);
  });

  await t.test('createWaitingEntry 400 in words for what can not be waited for', async (t) => {
    const id = doctor.doctorId;
    for (const [body, errors] of [
      [{}, { doctor: ['is required, or else a specialisation'] }],
      [{ doctor: id, specialisation }, { specialisation: ['must not be sent with a doctor'] }],
      [
        { doctor: 999, times: [1, 998, 999] },
        { doctor: ['does not exist'], times: ['has unknown ids: 998, 999'] },
      ],
      [{ specialisation: 999 }, { specialisation: ['does not exist'] }],
      [{ doctor: id, to: '2026-03-01' }, { to: ['must not be in the past'] }],
      [{ doctor: id, from: DAY, to: '2026-03-08' }, { to: ['must not be before from'] }],
      [{ doctor: id, to: '2027-03-03' }, { to: ['must be at most 365 days ahead'] }],
      [{ doctor: id, from: '2027-03-03' }, { from: ['must be at most 365 days ahead'] }],
      [{ doctor: id, from: '2026-02-30' }, { from: [String] }],
      [{ doctor: id, times: ['x'] }, { times: Object }],
    ] as const) {
      const answer = await wait(ben, body);
      t.match(answer, { status: 400, body: { errors } }, JSON.stringify(body));
    }
    t.match(await wait(staff, { doctor: id, patient: 999 }), {
      status: 400,
      body: { errors: { patient: ['does not exist'] } },
    });
  });

  await t.test(
    'createWaitingEntry 409 for the same again, for more than ten, and without a patient record',
    async (t) => {
      const again = await wait(ada);
      t.match(again, { status: 409, body: { type: '/problems/waits-already' } });
      t.match(again.body.detail, /\/waiting-list\/\d+\/$/);
      for (let index = 0; index < 8; index++) {
        const slug = `s${index}`;
        const { id } = (await api.post('/specialisations/', { token, body: { name: slug, slug } })).body;
        t.equal((await wait(ada, { specialisation: id })).status, 201);
      }
      const { id } = (await api.post('/specialisations/', { token, body: { name: 'More', slug: 'more' } })).body;
      t.match(await wait(ada, { specialisation: id }), {
        status: 409,
        body: { detail: 'A patient waits for 10 things at the most.' },
      });
      const gone = await patient();
      await api.delete(`/patients/${gone.patientId}/`, { token: gone.token });
      t.match(await wait(gone), { status: 409, body: { type: '/problems/no-patient-record' } });
    },
  );

  await t.test('createWaitingEntry 201 once of many at once', async (t) => {
    const user = await patient();
    const answers = await Promise.all(Array.from({ length: 4 }, () => wait(user)));
    t.strictSame(answers.map(({ status }) => status).sort(), [201, 409, 409, 409]);
  });

  await t.test('deleteWaitingEntry 204 for the patient, 404 for others and the second time', async (t) => {
    const user = await patient();
    const url = `/waiting-list/${(await wait(user)).body.id}/`;
    t.equal((await api.delete(url, { token: ben.token })).status, 404);
    t.equal((await api.delete(url, { token: user.token })).status, 204);
    t.equal((await api.delete(url, { token: user.token })).status, 404);
  });

  await t.test('deleteSpecialisation 409, deleteAvailableTime 409 while somebody waits for it', async (t) => {
    t.equal((await api.delete(`/specialisations/${specialisation}/`, { token })).status, 409);
    const time = (await api.post('/available-time/', { token, body: { time: '08:00 - 08:30' } })).body.id;
    const user = await patient();
    const entry = (await wait(user, { doctor: doctor.doctorId, times: [time] })).body.id;
    t.equal((await api.delete(`/available-time/${time}/`, { token })).status, 409);
    await api.delete(`/waiting-list/${entry}/`, { token: user.token });
    t.equal((await api.delete(`/available-time/${time}/`, { token })).status, 204);
  });
});

t.test('what is offered', async (t) => {
  await t.test(
    'updateAppointment 200, cancelled: the first who waits is offered it, and nobody else can book it',
    async (t) => {
      const all = await open(t);
      const { api, book, doctor, staff, taken, cancel, offerOf } = all;
      const { id } = await taken();
      const [first, second] = (await queue(all, 2)) as [{ user: Patient; id: number }, { user: Patient; id: number }];
      t.equal((await cancel(id)).status, 200);
      t.strictSame(await offerOf(first.user, first.id), {
        ...{ doctor: doctor.doctorId, doctor_name: doctor.username, date: DAY, time: 1, label: LABELS[0] },
        ...{ start: `${DAY}T14:00:00.000Z`, end: `${DAY}T14:30:00.000Z`, expires_at: '2026-03-02T12:30:00.000Z' },
      });
      t.equal(await offerOf(second.user, second.id), null);
      t.match((await offerOf(staff, first.id)).time, 1);
      const listed = async (token?: string) =>
        (await api.get(`/doctors/${doctor.doctorId}/availability/?from=${DAY}&to=${DAY}`, { token })).body.map(
          ({ time }: Body) => time,
        );
      t.strictSame(await listed(), [2, 4], 'nobody is shown it');
      t.strictSame(await listed(second.user.token), [2, 4]);
      t.strictSame(await listed(first.user.token), [1, 3, 2, 4], 'but to whom it is offered');
      t.match(await book(second.user, { date: DAY }), { status: 409, body: { type: '/problems/slot-taken' } });
      t.match(await book(staff, { date: DAY, patient: second.user.patientId }), { status: 409 });
      t.equal((await api.get('/appointments/', { token: staff.token })).body.count, 1, 'it is no appointment');
      t.equal((await book(first.user, { date: DAY })).status, 201);
      t.equal(
        (await api.get(`/waiting-list/${first.id}/`, { token: first.user.token })).status,
        404,
        'and waits no more',
      );
    },
  );

  await t.test('createAppointment 201 by staff for the patient to whom it is offered', async (t) => {
    const all = await open(t);
    const { id } = await all.taken();
    const [first] = (await queue(all, 1)) as [{ user: Patient; id: number }];
    await all.cancel(id);
    const url = `/waiting-list/${first.id}/`;
    const cancelled = await all.book(all.staff, { date: DAY, patient: first.user.patientId, cancel: true });
    t.equal(cancelled.status, 201);
    t.match((await all.api.get(url, { token: all.staff.token })).body, { offer: { time: 1 } }, 'that takes no time');
    const answer = await all.book(all.staff, { date: DAY, patient: first.user.patientId });
    t.equal(answer.status, 201);
    t.equal((await all.api.get(`/waiting-list/${first.id}/`, { token: all.staff.token })).status, 404);
  });

  await t.test('an offer that ends goes to the next, in order, and once to each; then the time is free', async (t) => {
    const all = await open(t);
    const { book, patient, taken, cancel, offerOf, sweep, setNow } = all;
    const { id } = await taken();
    const waiting = await queue(all, 3);
    await cancel(id);
    const offered = async () => {
      const offers = [];
      for (const { user, id } of waiting) offers.push((await offerOf(user, id))?.expires_at ?? null);
      return offers;
    };
    t.strictSame(await offered(), ['2026-03-02T12:30:00.000Z', null, null]);
    setNow('2026-03-02T12:29:59Z');
    await sweep();
    t.strictSame(await offered(), ['2026-03-02T12:30:00.000Z', null, null]);
    setNow('2026-03-02T12:30:00Z');
    t.strictSame(await offered(), [null, null, null]);
    await sweep();
    t.strictSame(await offered(), [null, '2026-03-02T13:00:00.000Z', null]);
    setNow('2026-03-02T13:01:00Z');
    await sweep();
    t.strictSame(await offered(), [null, null, '2026-03-02T13:31:00.000Z']);
    setNow('2026-03-02T13:31:00Z');
    t.equal((await book(await patient(), { date: DAY })).status, 201, 'an ended offer is in nobody’s way');
    await sweep();
    t.strictSame(await offered(), [null, null, null]);
  });

  await t.test(
    'declineOffer 204 gives it to the next, 404 without an offer; deleteWaitingEntry 204 does so too',
    async (t) => {
      const all = await open(t);
      const { api, offerOf } = all;
      const { id } = await all.taken();
      const [one, two, three] = (await queue(all, 3, { doctor: all.doctor.doctorId, times: [1] })) as {
        user: Patient;
        id: number;
      }[];
      if (one === undefined || two === undefined || three === undefined) throw new Error('three wait');
      const decline = ({ user, id }: { user: Patient; id: number }) =>
        api.delete(`/waiting-list/${id}/offer/`, { token: user.token });
      t.equal((await decline(one)).status, 404);
      await all.cancel(id);
      t.equal(
        (await api.delete(`/waiting-list/${one.id}/offer/`, { token: two.user.token })).status,
        404,
        'another one’s',
      );
      t.equal((await decline(one)).status, 204);
      t.equal((await offerOf(two.user, two.id)).time, 1);
      t.equal((await decline(one)).status, 404);
      t.equal((await api.delete(`/waiting-list/${two.id}/`, { token: two.user.token })).status, 204);
      t.equal((await offerOf(three.user, three.id)).time, 1);
      t.equal((await decline(three)).status, 204);
      t.equal(await offerOf(one.user, one.id), null, 'who declined is not asked again');
      t.equal((await all.book(await all.patient(), { date: DAY })).status, 201);
    },
  );

  await t.test('only who can take it is offered it', async (t) => {
    const all = await open(t);
    const { api, patient, wait, book, doctor, offerOf, staff } = all;
    const { token } = staff;
    const specialisation = (await api.post('/specialisations/', { token, body: { name: 'Eyes', slug: 'eyes' } })).body
      .id;
    const { id } = await all.taken();
    const other = await api.registerDoctor({ available_time: [1] });
    const busy = await patient();
    await book(busy, { doctor: other.doctorId, date: DAY });
    const ids: { user: Patient; id: number }[] = [];
    const add = async (user: Patient, body: object) => ids.push({ user, id: (await wait(user, body)).body.id });
    await add(busy, { doctor: doctor.doctorId });
    await add(await patient(), { doctor: doctor.doctorId, times: [2, 4] });
    await add(await patient(), { doctor: doctor.doctorId, from: '2026-03-10' });
    await add(await patient(), { doctor: doctor.doctorId, to: '2026-03-08' });
    await add(await patient(), { doctor: other.doctorId });
    await add(await patient(), { specialisation });
    await all.cancel(id);
    for (const { user, id } of ids) t.equal(await offerOf(user, id), null);
    // The doctor comes to have the specialisation, and gives the slot up once more.
    await api.patch(`/doctors/${doctor.doctorId}/`, { token, body: { specialisation: [specialisation] } });
    const again = await all.taken();
    await all.cancel(again.id);
    t.match(await Promise.all(ids.map(({ user, id }) => offerOf(user, id))), [
      null,
      null,
      null,
      null,
      null,
      { time: 1 },
    ]);
  });

  for (const [how, free] of [
    [
      'deleteAppointment 204',
      ({ api, staff }: Clinic, id: number) => api.delete(`/appointments/${id}/`, { token: staff.token }),
    ],
    [
      'updateAppointment 200, moved',
      ({ api, staff }: Clinic, id: number) =>
        api.patch(`/appointments/${id}/`, { token: staff.token, body: { date: '2026-03-10' } }),
    ],
    [
      'replaceAppointment 200, with another doctor',
      async ({ api, staff }: Clinic, id: number) => {
        const { doctorId } = await api.registerDoctor({ available_time: [1] });
        const body = { doctor: doctorId, time: 1, date: DAY, appointment_type: 'Online', symptoms: 'x' };
        return api.put(`/appointments/${id}/`, { token: staff.token, body });
      },
    ],
  ] as const) {
    await t.test(`${how}: who waits is offered the time at once`, async (t) => {
      const all = await open(t);
      const { id } = await all.taken();
      const [first] = (await queue(all, 1)) as [{ user: Patient; id: number }];
      t.ok((await free(all, id)).status < 300);
      t.match(await all.offerOf(first.user, first.id), { date: DAY, time: 1 });
    });
  }

  for (const [how, free] of [
    [
      'deletePatient 204',
      async ({ api }: Clinic, { owner }: { owner: Patient }) =>
        api.delete(`/patients/${owner.patientId}/`, { token: owner.token }),
    ],
    [
      'deleteTimeOff 204',
      async ({ api, staff, doctor }: Clinic, { id }: { id: number }) => {
        const { token } = staff;
        const leave = { doctor: doctor.doctorId, from: DAY, to: DAY, displace: 'cancel' };
        const entry = await api.post('/time-off/', { token, body: leave });
        if (entry.body.displaced !== 1) throw new Error(`${id} was not displaced`);
        return api.delete(`/time-off/${entry.body.id}/`, { token });
      },
    ],
    [
      'updateUser 200, active again',
      async ({ api, staff, doctor, cancel }: Clinic, { id }: { id: number }) => {
        const url = `/api/user/users/${doctor.id}/`;
        await api.patch(url, { token: staff.token, body: { is_active: false } });
        await cancel(id);
        return api.patch(url, { token: staff.token, body: { is_active: true } });
      },
    ],
    [
      'replaceDoctorHours 200, with more of them',
      async ({ api, staff, doctor }: Clinic, { id }: { id: number }) => {
        const url = `/doctors/${doctor.doctorId}/hours/`;
        const day = { weekday: 1, every_weeks: 1, starting: '2026-03-02', until: null };
        const none = { hours: [{ ...day, times: [2] }], displace: 'cancel' };
        if ((await api.put(url, { token: staff.token, body: none })).status !== 200) throw new Error(`${id} stays`);
        return api.put(url, { token: staff.token, body: { hours: [{ ...day, times: [1] }] } });
      },
    ],
  ] as const) {
    await t.test(`${how}: who waits is offered the time within seconds`, async (t) => {
      const all = await open(t);
      const appointment = await all.taken();
      const [first] = (await queue(all, 1, { doctor: all.doctor.doctorId, from: DAY, to: DAY, times: [1] })) as [
        { user: Patient; id: number },
      ];
      t.ok((await free(all, appointment)).status < 300);
      await all.sweep();
      t.match(await all.offerOf(first.user, first.id), { date: DAY, time: 1 });
    });
  }

  await t.test('a slot without clock times, and one that overlaps what becomes free', async (t) => {
    const all = await open(t);
    const { doctor, offerOf } = all;
    const [evening, early] = [await all.taken(4), await all.taken(3)];
    const [label] = (await queue(all, 1, { doctor: doctor.doctorId, times: [4] })) as [{ user: Patient; id: number }];
    const halves = await queue(all, 2, { doctor: doctor.doctorId, times: [1, 2] });
    await all.cancel(evening.id);
    t.match(await offerOf(label.user, label.id), { date: DAY, time: 4, start: null, end: null });
    await all.cancel(early.id);
    const offers = [];
    for (const { user, id } of halves) offers.push(await offerOf(user, id));
    t.match(
      offers,
      [
        { date: DAY, time: 1 },
        { date: DAY, time: 2 },
      ],
      'each of two gets a half',
    );
  });

  await t.test('who waits in vain is taken off the list', async (t) => {
    const all = await open(t);
    const [first] = (await queue(all, 1, { doctor: all.doctor.doctorId, to: DAY })) as [{ user: Patient; id: number }];
    const status = async () => (await all.api.get(`/waiting-list/${first.id}/`, { token: all.staff.token })).status;
    all.setNow(`${DAY}T23:59:00Z`);
    await all.sweep();
    t.equal(await status(), 200);
    all.setNow('2026-03-10T00:00:00Z');
    await all.sweep();
    t.equal(await status(), 404);
  });
});

t.test('ten who wait and ten cancellations at once: each is offered one time, and no time two', async (t) => {
  const all = await open(t, RACING);
  const { api, staff } = all;
  const { token } = staff;
  const specialisation = (await api.post('/specialisations/', { token, body: { name: 'Eyes', slug: 'eyes' } })).body.id;
  for (const isOneDoctor of [true, false]) {
    const ids: number[] = [];
    for (let index = 0; index < 10; index++) {
      const doctor = isOneDoctor
        ? all.doctor
        : await api.registerDoctor({ available_time: [1], specialisation: [specialisation] });
      const day = isOneDoctor ? index + 10 : 10;
      ids.push((await all.taken(1, { doctor: doctor.doctorId, date: `2026-03-${day}` })).id);
    }
    const waiting = await queue(all, 10, isOneDoctor ? { doctor: all.doctor.doctorId } : { specialisation });
    const answers = await Promise.all(ids.map((id) => all.cancel(id)));
    t.strictSame(new Set(answers.map(({ status }) => status)), new Set([200]));
    const offers: Body[] = [];
    for (const { user, id } of waiting) offers.push(await all.offerOf(user, id));
    t.strictSame(
      offers.filter((offer) => offer === null),
      [],
    );
    t.equal(new Set(offers.map(({ doctor, date }) => `${doctor} ${date}`)).size, 10);
    for (const { id } of waiting) await api.delete(`/waiting-list/${id}/`, { token });
  }
});
