/** How many upcoming appointments a patient can book. */
import t, { type Test } from 'tap';
import type { TestAnswer, TestApp, User } from '../helpers/app.js';
import { clinic } from '../helpers/booking.js';
import { race, RACING } from '../helpers/races.js';

const LABELS = ['10:00 - 10:30', '11:00 - 11:30', 'Evening'];
const BOUNDS = { MAX_OPEN_BOOKINGS: '3', MAX_OPEN_BOOKINGS_PER_DOCTOR: '2' };

/** A clinic with two more doctors, where a patient books two appointments with one and three in all. */
async function boundedClinic(t: Test, environment: Record<string, string> = {}) {
  const made = await clinic(t, LABELS, { ...BOUNDS, ...environment });
  const { api } = made;
  const more = async () => (await api.registerDoctor({ available_time: [1, 2, 3] })).doctorId;
  return { ...made, doctors: [made.doctor.doctorId, await more(), await more()] as const };
}

const refusal = (bound: 'patient' | 'doctor') => ({
  status: 403,
  body: { type: '/problems/too-many-bookings', bound, limit: bound === 'patient' ? 3 : 2 },
});

/** The upcoming appointments of somebody, as staff see them. */
const countOf = async (api: TestApp, staff: User, patientId: number): Promise<number> =>
  (await api.get(`/appointments/?patient_id=${patientId}&cancel=false`, { token: staff.token })).body.count;

t.test('createAppointment 403 when the patient has as many upcoming appointments with the doctor', async (t) => {
  const { api, staff, patient, book, doctors } = await boundedClinic(t);
  const [own, other] = [await patient(), await patient()];
  t.match(await book(own, { date: '2026-03-03' }), { status: 201 });
  t.match(await book(own), { status: 201 });
  t.match(await book(own, { date: '2026-03-05' }), {
    ...refusal('doctor'),
    body: {
      ...refusal('doctor').body,
      detail:
        'The patient has the 2 upcoming appointments with this doctor that a patient can book; staff can book more.',
    },
  });
  t.match(await book(own), refusal('doctor'), 'nor on the soonest date');
  t.match(await book(own, { date: '2026-03-03', time: 1 }), refusal('doctor'), 'nor what is taken');
  t.match(await book(own, { date: '2026-02-01' }), { status: 400 }, 'what is wrong is said first');
  t.match(await book(own, { cancel: true }), { status: 201 }, 'what is cancelled from the start opens nothing');
  t.match(await book(other), { status: 201 }, 'others are not bounded by it');
  t.match(await book(own, { doctor: doctors[1] }), { status: 201 }, 'with another doctor there is one more');
  t.equal(await countOf(api, staff, own.patientId), 3);
});

t.test('createAppointment 403 when the patient has as many upcoming appointments in all', async (t) => {
  const { patient, book, doctors } = await boundedClinic(t);
  const own = await patient();
  for (const doctor of doctors) t.match(await book(own, { doctor }), { status: 201 });
  for (const doctor of doctors) t.match(await book(own, { doctor, time: 2 }), refusal('patient'));
});

t.test(
  'createAppointment 201 when staff, or the doctor in the own list, book more; what they book counts',
  async (t) => {
    const { api, staff, doctor, patient, book, doctors } = await boundedClinic(t);
    const own = await patient();
    for (const time of [1, 2, 3]) {
      t.match(await book(staff, { patient: own.patientId, time }), { status: 201 });
    }
    t.match(await book(doctor, { patient: own.patientId, date: '2026-03-06', overbook: true }), { status: 201 });
    t.match(await book(own, { doctor: doctors[1] }), refusal('patient'));
    t.equal(await countOf(api, staff, own.patientId), 4);
    for (const time of [1, 2]) t.match(await book(doctor, { doctor: doctors[1], time }), { status: 201 });
    t.match(await book(doctor, { doctor: doctors[1] }), refusal('doctor'), 'with another doctor they are patients');
  },
);

t.test('createAppointment 201 again when one is cancelled, deleted, over or Complated', async (t) => {
  const { api, staff, patient, book, setNow } = await boundedClinic(t);
  const own = await patient();
  const ids: number[] = [];
  const open = async (date: string) => {
    const answer = await book(own, { date });
    t.match(answer, { status: 201 });
    ids.push(answer.body.id);
    t.match(await book(own), refusal('doctor'));
  };
  t.match(await book(own, { date: '2026-03-03' }), { status: 201 });
  await open('2026-03-04');
  await api.patch(`/appointments/${ids.pop()}/`, { token: own.token, body: { cancel: true } });
  await open('2026-03-04');
  await api.delete(`/appointments/${ids.pop()}/`, { token: own.token });
  await open('2026-03-04');
  for (const appointment_status of ['Runing', 'Complated']) {
    await api.patch(`/appointments/${ids.at(-1)}/`, { token: staff.token, body: { appointment_status } });
  }
  await open('2026-03-05');
  setNow('2026-03-03T10:29:59Z');
  t.match(await book(own), refusal('doctor'), 'one that is under way is not over');
  setNow('2026-03-03T10:30:00Z');
  await open('2026-03-06');
});

t.test('updateAppointment and replaceAppointment 403 when a change opens one more', async (t) => {
  const { api, staff, patient, book, doctors } = await boundedClinic(t);
  const own = await patient();
  const at = { token: own.token };
  const patch = (id: number, body: object) => api.patch(`/appointments/${id}/`, { ...at, body });
  const put = (id: number, body: object) =>
    api.put(`/appointments/${id}/`, { ...at, body: { appointment_type: 'Online', symptoms: 'Headache', ...body } });
  const { id: cancelled } = (await book(own, { date: '2026-03-09', cancel: true })).body;
  const { id: elsewhere } = (await book(own, { doctor: doctors[1], date: '2026-03-10' })).body;
  const { id: first } = (await book(own, { date: '2026-03-11' })).body;
  t.match(await book(own, { date: '2026-03-12' }), { status: 201 });
  t.match(await patch(cancelled, { cancel: false }), refusal('patient'));
  t.match(await put(cancelled, { doctor: doctors[0], time: 1 }), refusal('patient'), 'PUT takes it back too');
  t.match(await patch(elsewhere, { doctor: doctors[0] }), refusal('doctor'));
  t.match(await put(elsewhere, { doctor: doctors[0], time: 2 }), refusal('doctor'));
  t.match(await patch(cancelled, { doctor: doctors[1] }), { status: 200 }, 'what stays cancelled opens nothing');
  t.match(await patch(first, { time: 2, date: '2026-03-13' }), { status: 200 }, 'it is not in its own way');
  t.match(await patch(first, { doctor: doctors[2] }), { status: 200 });
  t.match(await patch(elsewhere, { doctor: doctors[0] }), { status: 200 });
  const desk = await book(staff, { patient: own.patientId, date: '2026-03-16' });
  t.match(await patch(desk.body.id, { time: 3 }), { status: 200 }, 'what the desk has booked beyond it can be moved');
  t.match(await patch(desk.body.id, { doctor: doctors[1] }), refusal('patient'), 'and not taken elsewhere');
  t.match(await api.patch(`/appointments/${cancelled}/`, { token: staff.token, body: { cancel: false } }), {
    status: 200,
  });
});

t.test('createAppointmentSeries 403 when it would be more than the patient can book', async (t) => {
  const { api, staff, patient, doctor } = await boundedClinic(t);
  const own = await patient();
  const body = { doctor: doctor.doctorId, time: 1, appointment_type: 'Online', symptoms: 'Headache' };
  const series = (user: User, more: object) =>
    api.post('/appointments/series/', { token: user.token, body: { ...body, ...more } });
  t.match(await series(own, { count: 3 }), refusal('doctor'));
  t.match(await series(own, { count: 3, skip_taken: true }), refusal('doctor'));
  t.equal(await countOf(api, staff, own.patientId), 0, 'none of it is booked');
  t.match(await series(own, { count: 2 }), { status: 201 });
  t.match(await series(staff, { count: 3, time: 2, patient: own.patientId }), { status: 201 });
});

t.test('createAppointment 403 when a hold or an offer of the waiting list is one more; it stays', async (t) => {
  const { api, staff, patient, book, doctor, doctors } = await boundedClinic(t);
  const own = await patient();
  const [{ id: first }] = [(await book(own, { date: '2026-03-03' })).body];
  t.match(await book(own, { date: '2026-03-04' }), { status: 201 });
  const hold = await api.post('/holds/', {
    token: own.token,
    body: { doctor: doctor.doctorId, time: 2, date: '2026-03-05', minutes: 15 },
  });
  t.match(hold, { status: 201 }, 'a hold opens nothing');
  const redeem = () => book(own, { hold: hold.body.token, doctor: undefined, time: undefined });
  t.match(await redeem(), refusal('doctor'));

  const taken = (await book(await patient(), { doctor: doctors[1], date: '2026-03-06' })).body;
  const wait = await api.post('/waiting-list/', { token: own.token, body: { doctor: doctors[1] } });
  await api.delete(`/appointments/${taken.id}/`, { token: staff.token });
  t.match(await book(own, { doctor: doctors[2] }), { status: 201 });
  const accept = () => book(own, { doctor: doctors[1], date: '2026-03-06' });
  t.match(await accept(), refusal('patient'));
  const { offer } = (await api.get(`/waiting-list/${wait.body.id}/`, { token: own.token })).body;
  t.match(offer, { doctor: doctors[1], date: '2026-03-06' });

  await api.patch(`/appointments/${first}/`, { token: own.token, body: { cancel: true } });
  t.match(await redeem(), { status: 201 });
  t.match(await accept(), refusal('patient'));
});

t.test('createAppointment 403 for who manages a patient, by the bounds of that patient', async (t) => {
  const { api, staff, patient, book } = await boundedClinic(t);
  const own = await patient();
  const child = await api.post('/patients/dependants/', {
    token: own.token,
    body: { first_name: 'Ida', last_name: 'Lind', date_of_birth: '2020-02-02' },
  });
  t.match(child, { status: 201 });
  const ofChild = { patient: child.body.id };
  for (const time of [1, 2]) t.match(await book(own, { ...ofChild, time }), { status: 201 });
  t.match(await book(own, ofChild), refusal('doctor'));
  t.match(await book(own), { status: 201 });
  t.equal(await countOf(api, staff, child.body.id), 2);
});

t.test('of many requests at once no more are booked than a patient can', async (t) => {
  const { api, staff, patient, book, doctors } = await boundedClinic(t, RACING);
  const day = (n: number) => `2026-03-${String(n + 3).padStart(2, '0')}`;
  const statuses = (answers: readonly TestAnswer[]) => answers.map(({ status }) => status).sort();
  const expected = (booked: number) => [...Array<number>(booked).fill(201), ...Array<number>(10 - booked).fill(403)];
  const tens = Array.from({ length: 10 }, (_, n) => n);
  const lockOf = (patientId: number) => `select from patients where id = ${patientId} for update`;

  const one = await patient();
  const withOne = tens.map((n) => () => book(one, { date: day(n), time: 1 + (n % 3) }));
  t.strictSame(statuses(await race(api, lockOf(one.patientId), withOne)), expected(2), 'with one doctor');

  // Each with doctors of its own: these are locked too, and would be enough for one.
  const many = await patient();
  const more = [...doctors];
  while (more.length < 10) more.push((await api.registerDoctor({ available_time: [1, 2, 3] })).doctorId);
  // On days of which the first patient has none.
  const withMany = more.map((doctor, n) => () => book(many, { doctor, date: day(n + 10) }));
  t.strictSame(statuses(await race(api, lockOf(many.patientId), withMany)), expected(3), 'with many');

  const back = await patient();
  const ids: number[] = [];
  for (const [n, doctor] of more.entries()) {
    ids.push((await book(back, { doctor, date: day(n), time: 2, cancel: true })).body.id);
  }
  const takeBack = ids.map(
    (id) => () => api.patch(`/appointments/${id}/`, { token: back.token, body: { cancel: false } }),
  );
  const taken = statuses(await race(api, lockOf(back.patientId), takeBack));
  t.strictSame(
    taken,
    expected(3).map((status) => (status === 201 ? 200 : status)),
    'taken back',
  );
  for (const { patientId } of [many, back]) t.equal(await countOf(api, staff, patientId), 3);
});
