import t, { type Test } from 'tap';
import type { TestApp, User } from '../helpers/app.js';
import { clinic } from '../helpers/booking.js';

/** Fails if any two live appointments of a doctor or a patient overlap, judged without the constraints. */
async function assertNoOverlap(t: Test, api: TestApp): Promise<void> {
  const rows = await api.database.db.execute(`
    select a.id, b.id from appointments a join appointments b on a.id < b.id
    and (a.doctor_id = b.doctor_id or a.patient_id = b.patient_id)
    and not a.is_cancelled and not b.is_cancelled and a.archived_at is null and b.archived_at is null
    and (a.period && b.period or (a.period is null and b.period is null and a.date = b.date
         and a.available_time_id = b.available_time_id))`);
  t.strictSame([...rows], []);
}

const statuses = (answers: { status: number }[]): Record<number, number> => {
  const counts: Record<number, number> = {};
  for (const { status } of answers) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
};

t.test('createAppointment', async (t) => {
  const { api, staff, doctor, patient, book } = await clinic(t, ['10:00 - 10:30', '10:15 - 10:45', 'Evening']);
  const ann = await patient();

  await t.test('createAppointment 201 on the soonest date', async (t) => {
    const answer = await book(ann);
    t.equal(answer.status, 201);
    const { created_at, ...body } = answer.body;
    t.match(created_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    t.strictSame(body, {
      id: 1,
      patient: ann.patientId,
      doctor: doctor.doctorId,
      appointment_type: 'Online',
      appointment_status: 'Pendding',
      symptoms: 'Headache',
      time: 1,
      cancel: false,
      cancel_reason: null,
      attendance: null,
      is_overbooked: false,
      date: '2026-03-03',
      start: '2026-03-03T10:00:00.000Z',
      end: '2026-03-03T10:30:00.000Z',
      label: '10:00 - 10:30',
      doctor_name: doctor.username,
      patient_name: ann.username,
      updated_at: created_at,
      series: null,
    });
    t.ok(answer.headers['etag']);
  });

  await t.test("createAppointment 201 ignores a patient's status, whatever it holds", async (t) => {
    const { token } = ann;
    for (const status of ['Pending', 'Complated', '', null, 7, true, [], { deep: [null] }, 'a\0b', '\ud800']) {
      const answer = await book(ann, { appointment_status: status, date: '2026-03-20' });
      t.equal(answer.status, 201, JSON.stringify(status));
      t.match(answer.body, { patient: ann.patientId, appointment_status: 'Pendding', date: '2026-03-20' });
      const url = `/appointments/${answer.body.id}/`;
      const whole = { ...answer.body, appointment_status: status };
      t.equal((await api.patch(url, { token, body: { appointment_status: status } })).status, 200);
      t.match((await api.put(url, { token, body: whole })).body, { appointment_status: 'Pendding' });
      t.equal((await api.delete(url, { token })).status, 204);
    }
  });

  await t.test('createAppointment 201 for what the front end in the field sends', async (t) => {
    const cid = await patient();
    const body = JSON.parse(
      '{"appointment_type":"Offline","appointment_status":"Pending","time":"1","symptoms":"Headache","cancel":false,"doctor":"1"}',
    );
    const answer = await api.post('/appointments/', { token: cid.token, body });
    t.equal(answer.status, 201);
    t.match(answer.body, { doctor: 1, time: 1, appointment_status: 'Pendding', cancel: false });
    await api.delete(`/appointments/${answer.body.id}/`, { token: cid.token });
  });

  await t.test('createAppointment 400 for a status of staff that is none', async (t) => {
    for (const status of ['Pending', null, 1, ['Runing'], 'toString']) {
      const answer = await book(staff, { patient: ann.patientId, appointment_status: status });
      t.equal(answer.status, 400);
      t.match(answer.body.errors, { appointment_status: ['must be one of: Pendding, Runing, Complated'] });
    }
  });

  await t.test('createAppointment 403 for another patient, 201 for the own id', async (t) => {
    const bob = await patient();
    for (const user of [ann, doctor]) {
      for (const id of [bob.patientId, 999_999]) {
        t.equal((await book(user, { patient: id, date: '2026-03-22' })).status, 403);
      }
    }
    const answer = await book(ann, { patient: String(ann.patientId), date: '2026-03-22' });
    t.match(answer.body, { patient: ann.patientId });
    const url = `/appointments/${answer.body.id}/`;
    for (const user of [ann, doctor]) {
      t.equal((await api.patch(url, { token: user.token, body: { patient: bob.patientId } })).status, 403);
      const whole = { ...answer.body, symptoms: 'Cough' };
      t.equal((await api.put(url, { token: user.token, body: { ...whole, patient: bob.patientId } })).status, 403);
      t.equal((await api.put(url, { token: user.token, body: whole })).status, 200);
    }
    t.match((await api.get(url, { token: ann.token })).body, { patient: ann.patientId });
    t.equal((await api.patch(url, { token: staff.token, body: { patient: bob.patientId } })).status, 200);
    await api.delete(url, { token: staff.token });
  });

  await t.test('createAppointment 201 by staff for a patient', async (t) => {
    const answer = await book(staff, { patient: ann.patientId, date: '2026-03-21' });
    t.match(answer.body, { patient: ann.patientId });
    t.equal((await book(staff, { patient: 999_999 })).status, 400);
  });

  await t.test('createAppointment 409 for the same time, with alternatives that can be booked', async (t) => {
    const bob = await patient();
    const answer = await book(bob, { date: '2026-03-03' });
    t.equal(answer.status, 409);
    t.equal(answer.body.type, '/problems/slot-taken');
    t.equal(answer.body.alternatives.length, 5);
    const evening = { time: 3, label: 'Evening', start: null, end: null };
    t.strictSame(answer.body.alternatives.slice(0, 3), [
      { date: '2026-03-03', ...evening },
      {
        ...{ date: '2026-03-04', time: 1, label: '10:00 - 10:30' },
        ...{ start: '2026-03-04T10:00:00.000Z', end: '2026-03-04T10:30:00.000Z' },
      },
      {
        ...{ date: '2026-03-04', time: 2, label: '10:15 - 10:45' },
        ...{ start: '2026-03-04T10:15:00.000Z', end: '2026-03-04T10:45:00.000Z' },
      },
    ]);
    for (const { date, time } of answer.body.alternatives) {
      const cid = await patient();
      const booked = await book(cid, { date, time });
      t.equal(booked.status, 201);
      await api.delete(`/appointments/${booked.body.id}/`, { token: cid.token });
    }
  });

  await t.test('createAppointment 409 with alternatives from the date on, and then those before it', async (t) => {
    const last = '2027-03-02';
    const taken = [
      (await book(ann, { date: last, time: 3 })).body.id,
      (await book(ann, { date: last, time: 1 })).body.id,
    ];
    const bob = await patient();
    const offered = async (body: object) => {
      const answer = await book(bob, body);
      t.equal(answer.status, 409);
      return answer.body.alternatives.map((slot: { date: string; time: number }) => `${slot.date} ${slot.time}`);
    };
    t.strictSame(await offered({ date: last, time: 3 }), [
      ...['2026-03-02 3', '2026-03-03 3', '2026-03-04 1', '2026-03-04 2', '2026-03-04 3'],
    ]);
    t.equal((await book(bob, { date: '2027-03-01', time: 1 })).status, 201);
    t.strictSame(await offered({ date: '2027-03-01', time: 1 }), [
      ...['2027-03-01 3', '2026-03-02 3', '2026-03-03 3', '2026-03-04 1', '2026-03-04 2'],
    ]);
    for (const id of taken) t.equal((await api.delete(`/appointments/${id}/`, { token: ann.token })).status, 204);
  });

  await t.test('createAppointment 409 for an overlapping time, and for one patient with two doctors', async (t) => {
    const bob = await patient();
    t.equal((await book(bob, { date: '2026-03-03', time: 2 })).status, 409, '10:15-10:45 overlaps 10:00-10:30');
    const other = await api.registerDoctor({ available_time: [1, 2, 3] });
    t.equal((await book(ann, { doctor: other.doctorId, date: '2026-03-03', time: 2 })).status, 409);
    t.equal((await book(bob, { doctor: other.doctorId, date: '2026-03-03', time: 2 })).status, 201);
    const moved = await book(ann, { doctor: other.doctorId, time: 1 });
    t.equal(moved.body.date, '2026-03-04', 'the soonest date is free for both');
  });

  await t.test('createAppointment 409 for a label-only slot by its id', async (t) => {
    const [bob, cid] = [await patient(), await patient()];
    t.equal((await book(bob, { time: 3, date: '2026-03-02' })).status, 201, 'today still');
    t.equal((await book(cid, { time: 3, date: '2026-03-02' })).status, 409);
    t.equal((await book(cid, { time: 3 })).body.date, '2026-03-03');
  });

  await t.test('createAppointment 400', async (t) => {
    for (const [body, field] of [
      [{ doctor: 999 }, 'doctor'],
      [{ time: 999 }, 'time'],
      [{ date: '2026-03-01' }, 'date'],
      [{ date: '2026-03-02' }, 'date'],
      [{ date: '2027-03-03' }, 'date'],
      [{ date: '2026-02-30' }, 'date'],
      [{ date: '0000-01-01' }, 'date'],
      [{ appointment_type: 'online' }, 'appointment_type'],
      [{ symptoms: '' }, 'symptoms'],
      [{ cancel: 'yes' }, 'cancel'],
    ] as const) {
      const answer = await book(ann, body);
      t.equal(answer.status, 400, JSON.stringify(body));
      t.strictSame(Object.keys(answer.body.errors), [field]);
    }
    t.equal((await book(ann, { date: '2027-03-02' })).status, 201, 'the last day of the horizon');
  });

  await t.test('createAppointment 409 without a patient record', async (t) => {
    const dan = await patient();
    await api.database.db.execute(`update patients set archived_at = now() where user_id = ${dan.id}`);
    const answer = await book(dan);
    t.equal(answer.status, 409);
    t.equal(answer.body.type, '/problems/no-patient-record');
  });

  await t.test('createAppointment 201 cancelled takes no slot', async (t) => {
    const [bob, cid] = [await patient(), await patient()];
    t.equal((await book(bob, { date: '2026-05-05', cancel: true })).status, 201);
    t.equal((await book(cid, { date: '2026-05-05' })).status, 201);
  });
  await assertNoOverlap(t, api);
});

t.test('createAppointment under many at once', async (t) => {
  const { api, doctor, patient, book } = await clinic(t, ['10:00 - 10:30', '10:15 - 10:45']);
  const people = await Promise.all(Array.from({ length: 50 }, patient));

  await t.test('createAppointment 201 once and 409 for the other 49 of one dated slot', async (t) => {
    const answers = await Promise.all(people.map((user) => book(user, { date: '2026-04-01' })));
    t.strictSame(statuses(answers), { 201: 1, 409: 49 });
    for (const answer of answers.filter(({ status }) => status === 409)) {
      t.equal(answer.body.alternatives.length, 5);
      t.notOk(answer.body.alternatives.some(({ date }: { date: string }) => date === '2026-04-01'));
    }
  });

  await t.test('createAppointment 201 for all 50 without a date, on 50 dates', async (t) => {
    const answers = await Promise.all(people.map((user) => book(user)));
    t.strictSame(statuses(answers), { 201: 50 });
    t.equal(new Set(answers.map(({ body }) => body.date)).size, 50);
  });

  await t.test('createAppointment 201 and 409: overlapping slots of one date', async (t) => {
    const answers = await Promise.all(
      people.slice(0, 20).map((user, index) => book(user, { date: '2026-08-01', time: 1 + (index % 2) })),
    );
    t.strictSame(statuses(answers), { 201: 1, 409: 19 });
  });

  await t.test('createAppointment 201 and 409: one patient, many doctors, one time', async (t) => {
    const others = await Promise.all(Array.from({ length: 10 }, () => api.registerDoctor({ available_time: [1] })));
    const [ann] = people as unknown as [User];
    const answers = await Promise.all(
      others.map(({ doctorId }) => book(ann, { doctor: doctorId, date: '2026-09-01' })),
    );
    t.strictSame(statuses(answers), { 201: 1, 409: 9 });
  });

  await t.test('updateAppointment 200 and 409: two reschedules onto one slot, cancel against book', async (t) => {
    const [ann, bob, cid] = people as unknown as [User, User, User];
    const first = (await book(ann, { date: '2026-10-01' })).body.id;
    const second = (await book(bob, { date: '2026-10-02' })).body.id;
    const moves = await Promise.all([
      api.patch(`/appointments/${first}/`, { token: ann.token, body: { date: '2026-10-05' } }),
      api.patch(`/appointments/${second}/`, { token: bob.token, body: { date: '2026-10-05' } }),
    ]);
    t.strictSame(statuses(moves), { 200: 1, 409: 1 });
    const swap = await Promise.all([
      api.patch(`/appointments/${first}/`, { token: ann.token, body: { cancel: true } }),
      api.patch(`/appointments/${second}/`, { token: bob.token, body: { cancel: true } }),
      book(cid, { date: '2026-10-05' }),
    ]);
    t.ok(swap[2].status === 201 || swap[2].status === 409);
    const back = await Promise.all([
      api.patch(`/appointments/${first}/`, { token: ann.token, body: { cancel: false, date: '2026-10-09' } }),
      api.patch(`/appointments/${second}/`, { token: bob.token, body: { cancel: false, date: '2026-10-09' } }),
    ]);
    t.strictSame(statuses(back), { 200: 1, 409: 1 });
  });
  await assertNoOverlap(t, api);
  t.equal((await api.get(`/doctors/${doctor.doctorId}/`)).status, 200);
});

t.test('the database refuses a double booking that no code has checked', async (t) => {
  const { api, doctor, patient, book } = await clinic(t, ['10:00 - 10:30', 'Evening']);
  const [ann, bob] = [await patient(), await patient()];
  const one = (await book(ann, { date: '2026-04-01' })).body.id;
  const two = (await book(ann, { date: '2026-04-01', time: 2 })).body.id;
  for (const [id, constraint] of [
    [one, 'appointments_doctor_period_excl'],
    [two, 'appointments_doctor_label_key'],
  ]) {
    await t.rejects(
      api.database.db.execute(`insert into appointments
        (patient_id, doctor_id, available_time_id, date, period, type, symptoms)
        select ${bob.patientId}, ${doctor.doctorId}, available_time_id, date, period, type, symptoms
        from appointments where id = ${id}`),
      { cause: { constraint_name: constraint } },
    );
  }
});

t.test('getAppointment, listAppointments', async (t) => {
  const labels = ['10:00 - 10:30', '11:00 - 11:30', 'Evening', '09:00 - 09:30'];
  const { api, staff, doctor, patient, book } = await clinic(t, labels);
  const names = { first_name: 'Ann', last_name: 'Müller' };
  const ann = await patient(names);
  const bob = await patient();
  const otherDoctor = await api.registerDoctor({ available_time: [1] }, { first_name: 'Zoë', last_name: 'Ångström' });
  const ids = [
    (await book(ann, { date: '2026-03-10' })).body.id,
    (await book(ann, { date: '2026-03-09', appointment_type: 'Offline' })).body.id,
    (await book(bob, { date: '2026-03-11', time: 2 })).body.id,
    (await book(ann, { date: '2026-03-12', doctor: otherDoctor.doctorId })).body.id,
    (await book(bob, { date: '2026-03-10', time: 3 })).body.id,
    (await book(bob, { date: '2026-03-10', time: 4 })).body.id,
  ] as number[];
  await api.patch(`/appointments/${ids[1]}/`, { token: ann.token, body: { cancel: true } });
  const list = async (user: User, query = '') =>
    ((await api.get(`/appointments/?${query}`, { token: user.token })).body.results as { id: number }[]).map(({ id }) =>
      ids.indexOf(id),
    );

  await t.test('getAppointment 200 for those who see it, 404 for others, 401', async (t) => {
    for (const [user, status] of [
      [ann, 200],
      [doctor, 200],
      [staff, 200],
      [bob, 404],
      [otherDoctor, 404],
    ] as const) {
      t.equal((await api.get(`/appointments/${ids[0]}/`, { token: user.token })).status, status);
    }
    t.equal((await api.get(`/appointments/${ids[0]}/`)).status, 401);
  });

  await t.test('listAppointments 200 of those that a caller sees', async (t) => {
    t.strictSame(await list(ann), [0, 1, 3]);
    t.strictSame(await list(bob), [2, 4, 5]);
    t.strictSame(await list(doctor), [0, 1, 2, 4, 5]);
    t.strictSame(await list(otherDoctor), [3]);
    t.strictSame(await list(staff), [0, 1, 2, 3, 4, 5]);
  });

  for (const [query, expected] of [
    ['doctor_id=2', [3]],
    ['from=2026-03-10&to=2026-03-11', [0, 2, 4, 5]],
    ['date=2026-03-10', [0, 4, 5]],
    ['date=2026-03-10&time=3', [4]],
    ['time=1', [0, 1, 3]],
    ['search=muller', [0, 1, 3]],
    ['search=MÜLL+an', [0, 1, 3]],
    ['search=zoe+muller', [3]],
    ['search=angstrom&ordering=-date', [3]],
    ['search=er+us', [0, 1, 2, 4, 5]],
    ['search=nobody', []],
    ['status=Pendding', [0, 1, 2, 3, 4, 5]],
    ['status=Runing', []],
    ['type=Offline', [1]],
    ['cancel=true', [1]],
    ['cancel=false', [0, 2, 3, 4, 5]],
    ['ordering=date', [1, 5, 0, 4, 2, 3]],
    ['ordering=-date', [3, 2, 0, 5, 4, 1]],
    ['ordering=date&limits=2&page=2', [0, 4]],
  ] as const) {
    await t.test(`listAppointments 200 ?${query}`, async (t) => {
      t.strictSame(await list(staff, query), expected);
    });
  }
  await t.test('listAppointments 200 ?patient_id', async (t) => {
    t.strictSame(await list(staff, `patient_id=${bob.patientId}`), [2, 4, 5]);
    t.strictSame(await list(ann, `patient_id=${bob.patientId}`), []);
  });

  await t.test('listAppointments 200 ?search finds nothing that the caller does not see', async (t) => {
    t.strictSame(await list(ann, 'search=muller'), [0, 1, 3]);
    t.strictSame(await list(ann, 'search=zoe'), [3]);
    t.strictSame(await list(doctor, 'search=muller'), [0, 1]);
    t.strictSame(await list(otherDoctor, 'search=muller'), [3]);
    for (const [user, name] of [
      [bob, 'muller'],
      [bob, 'zoe'],
      [otherDoctor, bob.username],
    ] as const) {
      t.strictSame((await api.get(`/appointments/?search=${name}`, { token: user.token })).body.count, 0, name);
    }
  });

  await t.test('getAppointment 200: updated_at goes on with every change, by SQL too', async (t) => {
    const read = async () => (await api.get(`/appointments/${ids[2]}/`, { token: bob.token })).body;
    const before = await read();
    t.equal(before.updated_at, before.created_at);
    await api.patch(`/appointments/${ids[2]}/`, { token: bob.token, body: { symptoms: 'Cough' } });
    const patched = await read();
    t.ok(patched.updated_at > before.updated_at);
    await api.database.db.transaction(async (tx) => {
      await tx.execute(`set local hospital.user_id = 'system'`);
      await tx.execute(`update appointments set symptoms = 'Fever' where id = ${ids[2]}`);
    });
    const updated = await read();
    t.ok(updated.updated_at > patched.updated_at);
    t.equal(updated.created_at, before.created_at);
  });
});

t.test('replaceAppointment, updateAppointment, deleteAppointment', async (t) => {
  const { api, staff, doctor, patient, book, setNow } = await clinic(t, ['10:00 - 10:30', '11:00 - 11:30']);
  const [ann, bob] = [await patient(), await patient()];
  const { id } = (await book(ann, { date: '2026-03-10' })).body;
  const url = `/appointments/${id}/`;
  const base = { doctor: doctor.doctorId, appointment_type: 'Offline', symptoms: 'Cough', time: 1 };
  const patch = (user: User, body: object) => api.patch(url, { token: user.token, body });

  await t.test('replaceAppointment 200 without a date stays where it is, and moves with another slot', async (t) => {
    const stays = await api.put(url, { token: ann.token, body: base });
    t.match(stays.body, { date: '2026-03-10', symptoms: 'Cough', appointment_type: 'Offline' });
    await book(bob, { date: '2026-03-03', time: 2 });
    const moves = await api.put(url, { token: ann.token, body: { ...base, time: 2 } });
    t.match(moves.body, { date: '2026-03-04', time: 2 });
  });

  await t.test('updateAppointment 200 of the time alone stays on the date', async (t) => {
    t.match((await patch(ann, { time: 1, date: '2026-03-10' })).body, { date: '2026-03-10', time: 1 });
    t.match((await patch(ann, { time: 2 })).body, { date: '2026-03-10', time: 2 });
  });

  await t.test('updateAppointment 409 onto a taken slot, and nothing changes', async (t) => {
    await book(bob, { date: '2026-03-17', time: 2 });
    const before = (await api.get(url, { token: ann.token })).body;
    const answer = await patch(ann, { date: '2026-03-17', symptoms: 'Changed' });
    t.equal(answer.status, 409);
    t.ok(answer.body.alternatives.length > 0);
    t.strictSame((await api.get(url, { token: ann.token })).body, before);
  });

  await t.test('updateAppointment 200 cancels and takes back, 409 when taken meanwhile', async (t) => {
    t.equal((await patch(ann, { cancel: true })).body.cancel, true);
    t.equal((await patch(ann, { cancel: false })).body.cancel, false);
    await patch(ann, { cancel: true });
    const other = (await book(bob, { date: '2026-03-10', time: 2 })).body.id;
    t.equal((await patch(ann, { cancel: false })).status, 409);
    await api.delete(`/appointments/${other}/`, { token: bob.token });
    t.equal((await patch(ann, { cancel: false })).status, 200);
  });

  await t.test('replaceAppointment, updateAppointment 400, 401, 403, 404', async (t) => {
    t.equal((await patch(ann, { date: '2026-03-01' })).status, 400);
    t.equal((await patch(ann, { time: 77 })).status, 400);
    t.equal((await api.patch(url, { body: {} })).status, 401);
    t.equal((await patch(bob, { symptoms: 'x' })).status, 404);
    const other = await api.registerDoctor({ available_time: [1, 2] });
    t.equal((await patch(doctor, { doctor: other.doctorId })).status, 403);
    t.equal((await api.put(url, { token: doctor.token, body: { ...base, doctor: other.doctorId } })).status, 403);
    t.equal((await api.put(url, { token: bob.token, body: base })).status, 404);
    t.equal((await api.put(url, { token: ann.token, body: { ...base, time: 77 } })).status, 400);
  });

  await t.test('deleteAppointment 401, 403, 404', async (t) => {
    t.equal((await api.delete(url)).status, 401);
    t.equal((await api.delete(url, { token: doctor.token })).status, 403);
    t.equal((await api.delete(url, { token: bob.token })).status, 404);
  });

  await t.test(
    'updateAppointment 200; replaceAppointment, updateAppointment, deleteAppointment 409 for a status too late',
    async (t) => {
      t.equal((await patch(ann, { appointment_status: 'Complated' })).body.appointment_status, 'Pendding', 'ignored');
      await patch(doctor, { cancel: true });
      t.equal((await patch(doctor, { appointment_status: 'Runing' })).status, 409);
      await patch(doctor, { cancel: false });
      t.equal((await patch(doctor, { appointment_status: 'Runing' })).body.appointment_status, 'Runing');
      t.equal((await patch(doctor, { appointment_status: 'Pendding' })).status, 409);
      t.equal((await patch(ann, { symptoms: 'x' })).status, 409, 'a patient changes only a Pendding one');
      t.equal((await api.put(url, { token: ann.token, body: base })).status, 409);
      t.equal((await api.delete(url, { token: ann.token })).status, 409);
      t.equal((await patch(staff, { date: '2026-03-29' })).status, 409, 'only a Pendding one moves');
      t.equal((await patch(staff, { appointment_status: 'Complated' })).status, 200);
      t.equal((await patch(staff, { cancel: true })).status, 409);
    },
  );

  await t.test('listAppointmentHistory 200 tells who changed what, 401, 404', async (t) => {
    const answer = await api.get(`${url}history/?limits=1000`, { token: ann.token });
    t.equal(answer.status, 200);
    const changes = answer.body.results as { field: string; from: string; to: string; changed_by: string }[];
    t.match(changes[0], { field: 'date', from: '2026-03-10', to: '2026-03-04', changed_by: ann.username });
    t.match(changes[1], { field: 'time', from: '1', to: '2' });
    t.match(
      changes
        .filter(({ field }) => field === 'appointment_status')
        .map(({ from, to, changed_by }) => [from, to, changed_by]),
      [
        ['Pendding', 'Runing', doctor.username],
        ['Runing', 'Complated', staff.username],
      ],
    );
    t.match(
      changes.find(({ field }) => field === 'cancel'),
      { from: 'false', to: 'true', changed_by: ann.username },
    );
    t.equal((await api.get(`${url}history/`, { token: bob.token })).status, 404);
    t.equal((await api.get(`${url}history/`)).status, 401);
  });

  await t.test('deleteAppointment 204 archives and frees the slot', async (t) => {
    const own = (await book(ann, { date: '2026-06-01' })).body.id;
    t.equal((await api.delete(`/appointments/${own}/`, { token: ann.token })).status, 204);
    t.equal((await api.get(`/appointments/${own}/`, { token: ann.token })).status, 404);
    t.equal((await api.delete(`/appointments/${own}/`, { token: ann.token })).status, 404);
    t.equal((await book(bob, { date: '2026-06-01' })).status, 201);
    t.equal((await api.delete(url, { token: staff.token })).status, 204);
  });

  await t.test('updateAppointment 200 by staff puts a status back, and then moves it', async (t) => {
    const made = (await book(ann, { date: '2026-03-04' })).body;
    const at = `/appointments/${made.id}/`;
    const change = (user: User, body: object) => api.patch(at, { token: user.token, body });
    t.equal((await change(doctor, { appointment_status: 'Complated' })).status, 200);
    t.equal((await change(doctor, { appointment_status: 'Runing' })).status, 409);
    t.match((await change(staff, { appointment_status: 'Runing' })).body, { appointment_status: 'Runing' });
    t.equal((await change(staff, { date: '2026-03-06' })).status, 409);
    const moved = await change(staff, { appointment_status: 'Pendding', date: '2026-03-06' });
    t.match(moved.body, { appointment_status: 'Pendding', date: '2026-03-06' });
    t.equal((await api.delete(at, { token: ann.token })).status, 204);
  });

  await t.test(
    'replaceAppointment, updateAppointment, deleteAppointment 409 for a patient once it has begun, not for others',
    async (t) => {
      const labels = (await api.post('/available-time/', { token: staff.token, body: { time: 'Evening' } })).body.id;
      const offer = { available_time: [1, 2, labels] };
      await api.patch(`/doctors/${doctor.doctorId}/`, { token: doctor.token, body: offer });
      for (const [time, before, begun] of [
        [1, '2026-03-05T09:59:59.999Z', '2026-03-05T10:00:00Z'],
        [labels, '2026-03-05T23:59:59.999Z', '2026-03-06T00:00:00Z'],
      ]) {
        setNow('2026-03-02T10:30:00Z');
        const made = (await book(ann, { date: '2026-03-05', time })).body;
        const at = `/appointments/${made.id}/`;
        setNow(before);
        const headers = { token: ann.token };
        t.equal((await api.patch(at, { ...headers, body: { symptoms: 'Better' } })).status, 200);
        setNow(begun);
        for (const body of [{ symptoms: 'x' }, { cancel: true }, { date: '2026-03-20' }, { time: 2 }, {}]) {
          const answer = await api.patch(at, { ...headers, body });
          t.match(answer, { status: 409, body: { type: '/problems/wrong-status' } }, JSON.stringify(body));
        }
        t.equal((await api.put(at, { ...headers, body: { ...made, date: '2026-03-20' } })).status, 409);
        t.equal((await api.delete(at, headers)).status, 409);
        t.equal((await api.patch(at, { token: doctor.token, body: { cancel: true } })).status, 200);
        t.equal((await api.patch(at, { ...headers, body: { cancel: false } })).status, 409);
        t.equal((await api.patch(at, { token: staff.token, body: { date: '2026-03-20', cancel: false } })).status, 200);
        t.equal((await api.delete(at, { token: staff.token })).status, 204);
      }
    },
  );
  await assertNoOverlap(t, api);
});

t.test('a doctor whose user is inactive', async (t) => {
  const { api, staff, doctor, patient, book } = await clinic(t, ['10:00 - 10:30', '11:00 - 11:30']);
  const [ann, bob] = [await patient(), await patient()];
  const other = await api.registerDoctor({ available_time: [1, 2] });
  const booked = (await book(ann, { date: '2026-03-10' })).body;
  const elsewhere = (await book(bob, { date: '2026-03-11', doctor: other.doctorId })).body;
  const change = (id: number, body: object) => api.patch(`/appointments/${id}/`, { token: staff.token, body });
  const listed = async () => {
    const slots = (await api.get('/availability/?from=2026-03-10&to=2026-03-12')).body.results as { doctor: number }[];
    const doctors = (await api.get('/doctors/')).body;
    const found = doctors.results.some(({ id }: { id: number }) => id === doctor.doctorId);
    t.equal(doctors.count, doctors.results.length);
    const own = (await api.get(`/doctors/${doctor.doctorId}/availability/`)).body.length;
    return [found, slots.some(({ doctor: id }) => id === doctor.doctorId), own > 0];
  };
  const setActive = (is_active: boolean) =>
    api.patch(`/api/user/users/${doctor.id}/`, { token: staff.token, body: { is_active } });
  t.strictSame(await listed(), [true, true, true]);
  t.equal((await setActive(false)).status, 200);

  await t.test('listDoctors, searchAvailability, listDoctorAvailability 200 without them', async (t) => {
    t.strictSame(await listed(), [false, false, false]);
    t.equal((await api.get(`/doctors/${doctor.doctorId}/`)).status, 200, 'who has an appointment finds them');
  });
  await t.test('createAppointment, updateAppointment, replaceAppointment 400', async (t) => {
    const fault = { status: 400, body: { errors: { doctor: ['takes no appointments at present'] } } };
    t.match(await book(bob), fault);
    t.match(await book(staff, { patient: bob.patientId, date: '2026-03-12' }), fault);
    t.match(await change(elsewhere.id, { doctor: doctor.doctorId }), fault);
    t.match(await change(booked.id, { date: '2026-03-12' }), fault);
    t.equal((await change(booked.id, { cancel: true })).status, 200);
    t.match(await change(booked.id, { cancel: false }), fault);
  });
  t.equal((await setActive(true)).status, 200);
  t.strictSame(await listed(), [true, true, true]);
  t.equal((await change(booked.id, { cancel: false })).status, 200);
});

t.test('ETag and If-Match', async (t) => {
  const { api, patient, book } = await clinic(t, ['10:00 - 10:30']);
  const ann = await patient();
  const booked = await book(ann);
  const url = `/appointments/${booked.body.id}/`;
  const { token } = ann;

  await t.test('getAppointment 304', async (t) => {
    const { etag } = (await api.get(url, { token })).headers as { etag: string };
    t.equal(etag, booked.headers['etag']);
    const answer = await api.get(url, { token, headers: { 'if-none-match': `"other", W/${etag}` } });
    t.equal(answer.status, 304);
    t.equal(answer.text, '');
    t.equal(answer.headers['etag'], etag);
    t.equal((await api.get('/appointments/', { token, headers: { 'if-none-match': '*' } })).status, 304);
  });

  await t.test('updateAppointment, replaceAppointment, deleteAppointment 412 for a stale If-Match', async (t) => {
    const stale = booked.headers['etag'] as string;
    const changed = await api.patch(url, { token, body: { symptoms: 'New' }, headers: { 'if-match': stale } });
    t.equal(changed.status, 200);
    const headers = { 'if-match': stale };
    const whole = { ...booked.body, symptoms: 'Lost update' };
    t.equal((await api.patch(url, { token, body: { symptoms: 'Lost update' }, headers })).status, 412);
    t.equal((await api.put(url, { token, body: whole, headers })).status, 412);
    t.equal((await api.delete(url, { token, headers })).status, 412);
    t.equal((await api.get(url, { token })).body.symptoms, 'New');
    const fresh = { 'if-match': `"x", ${changed.headers['etag']}` };
    t.equal((await api.delete(url, { token, headers: fresh })).status, 204);
  });
});

t.test('availability', async (t) => {
  const { api, doctor, patient, book, setNow } = await clinic(t, ['10:00 - 10:30', '13:00 - 13:30', 'Evening']);
  const ann = await patient();
  const url = `/doctors/${doctor.doctorId}/availability/`;
  await book(ann, { date: '2026-03-03', time: 1 });

  await t.test('listDoctorAvailability 200', async (t) => {
    const answer = await api.get(`${url}?from=2026-03-01&to=2026-03-03`);
    t.strictSame(answer.body, [
      ...['2026-03-02', '2026-03-03'].flatMap((date) => [
        { date, time: 2, label: '13:00 - 13:30', start: `${date}T13:00:00.000Z`, end: `${date}T13:30:00.000Z` },
        { date, time: 3, label: 'Evening', start: null, end: null },
      ]),
    ]);
    t.equal((await api.get(url)).body.length, 3 * 7 - 2, 'a week from today');
    t.strictSame((await api.get(`${url}?from=2027-03-03&to=2027-03-05`)).body, [], 'past the horizon');
  });

  await t.test('listDoctorAvailability 400, 404', async (t) => {
    for (const query of [
      'from=2026-03-03&to=2026-03-02',
      'from=2026-03-01&to=2026-04-01',
      'from=x',
      'to=2026-02-30',
      'to=0000-01-01',
    ]) {
      t.equal((await api.get(`${url}?${query}`)).status, 400, query);
    }
    t.equal((await api.get(`${url}?from=2026-03-01&to=2026-03-31`)).status, 200);
    t.equal((await api.get(`${url}?from=9999-12-31`)).status, 200);
    t.equal((await api.get('/doctors/999/availability/')).status, 404);
  });

  await t.test('searchAvailability 200', async (t) => {
    const other = await api.registerDoctor({ available_time: [1], fee: 50, meet_link: 'https://meet.example.com/1' });
    const answer = await api.get('/availability/?from=2026-03-03&to=2026-03-03&limits=3');
    t.equal(answer.body.count, 3);
    t.match(answer.body.results, [
      { doctor: other.doctorId, doctor_name: other.username, fee: 50, date: '2026-03-03', time: 1 },
      { doctor: doctor.doctorId, time: 2, start: '2026-03-03T13:00:00.000Z', end: '2026-03-03T13:30:00.000Z' },
      { doctor: doctor.doctorId, time: 3, label: 'Evening', start: null, end: null },
    ]);
    for (const yes of ['true', '1']) {
      const soonest = await api.get(`/availability/?from=2026-03-03&to=2026-03-04&per_doctor=${yes}`);
      t.equal(soonest.body.count, 2);
      t.match(soonest.body.results, [
        { doctor: other.doctorId, date: '2026-03-03', time: 1 },
        { doctor: doctor.doctorId, date: '2026-03-03', time: 2 },
      ]);
    }
    t.equal((await api.get('/availability/?per_doctor=1&limits=1&page=2')).body.results[0].doctor, other.doctorId);
    t.equal((await api.get('/availability/?from=2026-03-03&to=2026-03-03&per_doctor=0')).body.count, 3);
    t.equal((await api.get(`/availability/?from=2026-03-03&to=2026-03-03&doctor=${other.doctorId}`)).body.count, 1);
    t.equal((await api.get('/availability/?doctor=999')).body.count, 0);
    const online = await api.get('/availability/?from=2026-03-03&to=2026-03-03&type=Online');
    t.strictSame(
      online.body.results.map((slot: { doctor: number }) => slot.doctor),
      [other.doctorId],
    );
    t.equal((await api.get('/availability/?from=2026-03-03&to=2026-03-03&type=Offline')).body.count, 3);
    t.equal((await api.get('/availability/?type=online')).status, 400);
    t.equal((await api.get('/availability/?from=2026-03-03&to=2026-03-03&min_fee=10')).body.count, 1);
    t.equal((await api.get('/availability/?per_doctor=x')).status, 400);
    t.equal((await api.get('/availability/?from=2026-03-03&to=2026-03-03&max_fee=10')).body.count, 2);
    t.equal((await api.get('/availability/?from=2026-03-03&to=2026-03-03&time=1')).body.count, 1);
    t.equal((await api.get('/availability/?specialisation=1')).body.count, 0);
    t.equal((await api.get('/availability/?designation=1')).body.count, 0);
    t.equal((await api.get('/availability/?from=2026-03-03&to=2026-05-03')).status, 400);
    t.equal((await api.get('/availability/?page=99')).status, 404);
  });

  await t.test('a slot that has begun is not free any more', async (t) => {
    setNow('2026-03-02T13:00:00Z');
    t.equal((await api.get(`${url}?from=2026-03-02&to=2026-03-02`)).body.length, 1);
    t.equal((await book(ann, { date: '2026-03-02', time: 2 })).status, 400);
    setNow('2026-03-02T12:59:59Z');
    t.equal((await book(ann, { date: '2026-03-02', time: 2 })).status, 201);
  });
});

t.test('Idempotency-Key', async (t) => {
  const { api, patient, book, doctor } = await clinic(t, ['10:00 - 10:30']);
  const ann = await patient();
  const bob = await patient();
  const send = (user: User, key: string, body: object = {}) =>
    api.post('/appointments/', {
      token: user.token,
      headers: { 'idempotency-key': key },
      body: { doctor: doctor.doctorId, appointment_type: 'Online', symptoms: 'x', time: 1, ...body },
    });

  await t.test('createAppointment 201: ten sends with one key at once, one booking, ten equal answers', async (t) => {
    const answers = await Promise.all(Array.from({ length: 10 }, () => send(ann, 'one')));
    t.strictSame(statuses(answers), { 201: 10 });
    t.equal(new Set(answers.map(({ text, headers }) => text + headers['etag'])).size, 1);
    t.equal(answers.filter(({ headers }) => headers['idempotent-replayed'] === 'true').length, 9);
    t.equal((await api.get('/appointments/', { token: ann.token })).body.count, 1);
  });

  await t.test('createAppointment 400 for what is nested too deep to tell whether it is a repeat', async (t) => {
    const [open, close] = ['[', ']'].map((bracket) => bracket.repeat(50_000));
    const body = `{"doctor":1,"appointment_type":"Online","symptoms":"x","time":1,"appointment_status":${open}${close}}`;
    const answer = await api.post('/appointments/', { token: ann.token, body, headers: { 'idempotency-key': 'deep' } });
    t.match(answer, { status: 400, body: { errors: { body: ['is nested too deep'] } } });
  });

  await t.test('createAppointment 422 with another body under the key', async (t) => {
    const answer = await send(ann, 'one', { symptoms: 'other' });
    t.equal(answer.status, 422);
    t.equal((await api.get('/appointments/', { token: ann.token })).body.count, 1);
  });

  await t.test('createAppointment 201: a key is of one user', async (t) => {
    const answer = await send(bob, 'one');
    t.equal(answer.status, 201);
    t.equal(answer.headers['idempotent-replayed'], undefined);
  });

  await t.test('createAppointment 409 is not kept: the repeat is tried anew', async (t) => {
    const taken = (await book(bob, { date: '2026-07-01' })).body.id;
    t.equal((await send(ann, 'two', { date: '2026-07-01' })).status, 409);
    await api.delete(`/appointments/${taken}/`, { token: bob.token });
    t.equal((await send(ann, 'two', { date: '2026-07-01' })).status, 201);
  });

  await t.test('createAppointment 400 for a key that is too long, 201 after 24 hours', async (t) => {
    t.equal((await send(ann, 'x'.repeat(256))).status, 400);
    await api.database.db.execute(`update idempotency_keys set created_at = now() - interval '25 hours'`);
    const again = await send(ann, 'one', { symptoms: 'a day later' });
    t.equal(again.status, 201);
    t.equal(again.headers['idempotent-replayed'], undefined);
  });
});
