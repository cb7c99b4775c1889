/** Overbooking: what it goes past and what not, by whom, what is kept of it, and that nobody else is booked over it. */
import t, { type Test } from 'tap';
import type { User } from '../helpers/app.js';
import { clinic as makeClinic, type BookingClinic } from '../helpers/booking.js';

const TAKEN = { status: 409, body: { type: '/problems/slot-taken' } };
const FORBIDDEN = { status: 403, body: { detail: 'Only staff may overbook, and doctors in their own list.' } };
const DAY = '2026-03-10';

interface OverbookingClinic extends BookingClinic {
  /** Books by staff, for a patient. */
  overbook: (patient: { patientId: number }, body?: object) => ReturnType<BookingClinic['book']>;
  patch: (user: User, id: number, body: object) => ReturnType<BookingClinic['book']>;
  /** What `/changes/` has of it, but for its first. */
  changes: (id: number) => Promise<string[]>;
}

async function clinic(t: Test, environment: Record<string, string> = {}): Promise<OverbookingClinic> {
  const made = await makeClinic(t, ['10:00 - 10:30', '10:15 - 10:45', 'Evening', '15:00 - 15:30'], environment);
  const { api, staff, book } = made;
  return {
    ...made,
    overbook: ({ patientId }, body = {}) => book(staff, { patient: patientId, date: DAY, overbook: true, ...body }),
    patch: ({ token }, id, body) => api.patch(`/appointments/${id}/`, { token, body }),
    changes: async (id) => {
      const { body } = await api.get(`/appointments/${id}/changes/`, { token: staff.token });
      const events = body.results as { field: string; from: string; to: string; changed_by: string }[];
      t.equal(events[0]?.field, 'created');
      return events.slice(1).map(({ field, from, to, changed_by }) => `${field} ${from} ${to} ${changed_by}`);
    },
  };
}

t.test('what it goes past', async (t) => {
  const { api, staff, doctor, patient, book, overbook, changes, setNow } = await clinic(t);
  const [ann, bob] = [await patient(), await patient()];
  const { token } = staff;

  await t.test('createAppointment 201 over appointments of the doctor, by clock times and by label', async (t) => {
    for (const [time, over] of [
      [1, 1],
      [1, 2],
      [3, 3],
    ]) {
      const first = (await book(ann, { date: DAY, time })).body;
      t.match(first, { is_overbooked: false });
      t.match(await book(staff, { patient: bob.patientId, date: DAY, time: over }), TAKEN);
      const second = await overbook(bob, { time: over });
      t.match(second, { status: 201, body: { is_overbooked: true, date: DAY, time: over, patient: bob.patientId } });
      t.strictSame(await changes(second.body.id), [`is_overbooked false true ${staff.username}`]);
      t.strictSame(await changes(first.id), []);
      const list = await api.get(`/appointments/?date=${DAY}`, { token: bob.token });
      t.match(list.body, { count: 1, results: [{ is_overbooked: true }] });
      for (const { id } of [first, second.body]) await api.delete(`/appointments/${id}/`, { token });
    }
  });

  await t.test('createAppointment 201 over one that is overbooked itself', async (t) => {
    const cid = await patient();
    const made = [(await book(ann, { date: DAY })).body, (await overbook(bob)).body, (await overbook(cid)).body];
    t.strictSame(
      made.map((each) => each.is_overbooked as unknown),
      [false, true, true],
    );
    for (const { id } of made) await api.delete(`/appointments/${id}/`, { token });
  });

  await t.test('createAppointment 201, and not overbooked, where nothing is in the way', async (t) => {
    for (const body of [{}, { time: 3 }, { time: 4, date: '2026-03-02' }]) {
      const answer = await overbook(bob, body);
      t.match(answer, { status: 201, body: { is_overbooked: false } });
      t.strictSame(await changes(answer.body.id), []);
      await api.delete(`/appointments/${answer.body.id}/`, { token });
    }
    const free = await book(ann, { date: DAY, overbook: false });
    t.match(free, { status: 201, body: { is_overbooked: false } });
    const cancelled = await overbook(bob, { cancel: true });
    t.match(cancelled, { status: 201, body: { is_overbooked: false } }, 'what is cancelled takes no time');
    for (const { id } of [free.body, cancelled.body]) await api.delete(`/appointments/${id}/`, { token });
  });

  await t.test(
    'createAppointment 201 in leave, closures and outside hours, and for what has begun today',
    async (t) => {
      const passes = async (date: string, time: number, fault: RegExp) => {
        const ordinary = await book(staff, { patient: bob.patientId, date, time });
        t.match(ordinary, { status: 400, body: { errors: { date: [fault] } } });
        const answer = await overbook(bob, { date, time });
        t.match(answer, { status: 201, body: { is_overbooked: true, date } });
        t.equal((await api.delete(`/appointments/${answer.body.id}/`, { token })).status, 204);
      };
      await api.post('/time-off/', { token, body: { doctor: doctor.doctorId, from: '2026-03-11', to: '2026-03-11' } });
      await passes('2026-03-11', 1, /the doctor is away/);
      await passes('2026-03-11', 3, /the doctor is away/);
      await api.post('/time-off/', { token, body: { doctor: null, from: '2026-03-12', to: '2026-03-12' } });
      await passes('2026-03-12', 1, /the clinic is closed/);
      const hours = [{ weekday: 1, times: [1, 4], every_weeks: 1, starting: '2026-03-02' }];
      const url = `/doctors/${doctor.doctorId}/hours/`;
      t.equal((await api.put(url, { token, body: { hours } })).status, 200);
      await passes('2026-03-17', 1, /does not work/);
      await passes('2026-03-02', 1, /the slot has begun/);
      await api.put(url, { token, body: { hours: [] } });
      setNow('2026-03-02T15:29:00Z');
      await passes('2026-03-02', 4, /the slot has begun/);
      setNow('2026-03-02T12:00:00Z');
    },
  );
});

t.test('what it does not go past', async (t) => {
  const { api, staff, doctor, patient, book, overbook } = await clinic(t, { CLINIC_TIME_ZONE: 'Europe/Berlin' });
  const { token } = staff;
  const [ann, bob] = [await patient(), await patient()];

  await t.test('createAppointment 400 without a date, with one that can not be, and with other faults', async (t) => {
    const spring = (await api.post('/available-time/', { token, body: { time: '02:00 - 02:30' } })).body.id;
    const place = `/doctors/${doctor.doctorId}/`;
    await api.patch(place, { token, body: { available_time: [1, 2, 3, 4, spring] } });
    for (const [body, field, fault] of [
      [{ date: undefined }, 'date', /needed to overbook/],
      [{ date: '2026-03-01' }, 'date', /in the past/],
      [{ date: '2027-03-03' }, 'date', /at most 365 days/],
      [{ date: '2026-03-29', time: spring }, 'date', /clocks go forward/],
      [{ time: 999 }, 'time', /not offered/],
      [{ doctor: 999 }, 'doctor', /does not exist/],
      [{ patient: 999 }, 'patient', /does not exist/],
      [{ overbook: null }, 'overbook', /./],
      [{ overbook: 'perhaps' }, 'overbook', /./],
    ] as const) {
      const answer = await overbook(ann, body);
      t.match(answer, { status: 400, body: { errors: { [field]: [fault] } } }, JSON.stringify(body));
      t.strictSame(Object.keys(answer.body.errors), [field]);
    }
    const both = (await overbook(ann, { date: undefined, time: 999 })).body.errors;
    t.strictSame(Object.keys(both), ['time', 'date'], 'all faults at once');
  });

  await t.test("createAppointment 409 over the patient's own, with alternatives", async (t) => {
    const other = await api.registerDoctor({ available_time: [1, 2, 3] });
    for (const [time, over] of [
      [1, 2],
      [3, 3],
    ]) {
      const own = await book(ann, { doctor: other.doctorId, date: DAY, time });
      t.equal(own.status, 201);
      const answer = await overbook(ann, { time: over });
      t.match(answer, TAKEN);
      t.equal(answer.body.alternatives.length, 5);
    }
    t.equal((await book(ann, { date: DAY, time: 4 })).status, 201);
    t.match(await overbook(ann, { time: 4 }), TAKEN, 'with the same doctor');
  });

  await t.test('createAppointment 400 with a doctor who is inactive', async (t) => {
    await api.patch(`/api/user/users/${doctor.id}/`, { token, body: { is_active: false } });
    t.match(await overbook(bob), { status: 400, body: { errors: { doctor: [/takes no appointments/] } } });
  });
});

t.test('by whom', async (t) => {
  const { api, staff, doctor, patient, book, overbook, patch, changes } = await clinic(t);
  const [ann, bob] = [await patient(), await patient()];
  const other = await api.registerDoctor({ available_time: [1, 2, 3] });
  const made = (await book(ann, { date: DAY })).body;
  const url = `/appointments/${made.id}/`;

  await t.test('createAppointment, updateAppointment, replaceAppointment 403 for others', async (t) => {
    const free = { date: '2026-03-20', overbook: true };
    for (const user of [ann, other]) t.match(await book(user, free), FORBIDDEN);
    t.match(await book(other, { ...free, patient: bob.patientId }), FORBIDDEN);
    t.match(await book(ann, { ...free, doctor: 999 }), FORBIDDEN);
    t.match(await patch(ann, made.id, { overbook: true, symptoms: 'Worse' }), FORBIDDEN);
    t.match(await api.put(url, { token: ann.token, body: { ...made, overbook: true } }), FORBIDDEN);
    t.equal((await patch(other, made.id, { overbook: true })).status, 404);
    t.equal((await patch(doctor, made.id, { overbook: true, doctor: other.doctorId })).status, 403);
    t.equal((await patch(ann, made.id, { overbook: false, symptoms: 'Worse' })).status, 200);
    t.equal((await book(ann, { ...free, overbook: false })).status, 201);
  });

  await t.test('createAppointment 201 by the doctor for any patient, 403 without overbook', async (t) => {
    const body = { patient: bob.patientId, date: DAY };
    t.match(await book(doctor, body), { status: 403, body: { detail: 'Only staff may book for another patient.' } });
    const answer = await book(doctor, { ...body, overbook: true });
    t.match(answer, { status: 201, body: { patient: bob.patientId, is_overbooked: true } });
    t.strictSame(await changes(answer.body.id), [`is_overbooked false true ${doctor.username}`]);
    t.equal((await api.get(`/appointments/${answer.body.id}/`, { token: bob.token })).status, 200);
    const cancelled = await book(doctor, { ...body, date: '2026-03-21', overbook: true, cancel: true });
    t.match(cancelled.body, { cancel_reason: { code: 'doctor' } });
    t.match(await book(doctor, { ...body, patient: 999, overbook: true }), {
      status: 400,
      body: { errors: { patient: ['does not exist'] } },
    });
    await api.delete(`/appointments/${answer.body.id}/`, { token: staff.token });
  });

  await t.test('updateAppointment 200 by the doctor', async (t) => {
    const own = (await book(bob, { date: '2026-03-22' })).body;
    t.match(await patch(doctor, own.id, { date: DAY }), TAKEN);
    t.match(await patch(doctor, own.id, { date: DAY, overbook: true }), { status: 200, body: { is_overbooked: true } });
    await api.delete(`/appointments/${own.id}/`, { token: staff.token });
  });

  await t.test('createAppointment 409 by a doctor who names no patient and is none', async (t) => {
    await api.database.db.execute(`update patients set archived_at = now() where user_id = ${doctor.id}`);
    const answer = await book(doctor, { date: DAY, overbook: true });
    t.match(answer, { status: 409, body: { type: '/problems/no-patient-record' } });
  });

  await t.test('createAppointment 201 in time for the doctor and staff, whatever notice patients give', async (t) => {
    const late = await clinic(t, { BOOKING_NOTICE: '12h' });
    const cid = await late.patient();
    const body = { patient: cid.patientId, date: '2026-03-02', time: 4, overbook: true };
    t.equal((await late.book(cid, { date: '2026-03-02', time: 4 })).status, 400);
    const answer = await late.book(late.doctor, body);
    t.match(answer, { status: 201, body: { is_overbooked: false } }, 'they need none');
  });
  t.equal((await overbook(bob)).status, 201);
});

t.test('what becomes of it', async (t) => {
  const { api, staff, doctor, patient, book, overbook, patch, changes } = await clinic(t);
  const [ann, bob, cid] = [await patient(), await patient(), await patient()];
  const first = (await book(ann, { date: DAY })).body;
  const second = (await overbook(bob, { time: 2 })).body;
  const put = (id: number, body: object) =>
    api.put(`/appointments/${id}/`, {
      token: staff.token,
      body: { doctor: doctor.doctorId, appointment_type: 'Online', symptoms: 'Cold', time: 1, ...body },
    });

  await t.test('updateAppointment 200: it stays so where no slot is taken', async (t) => {
    for (const body of [{ symptoms: 'Worse' }, { overbook: true }, { overbook: false }, { attendance: null }, {}]) {
      t.match(await patch(staff, second.id, body), { status: 200, body: { is_overbooked: true } });
    }
    t.match(await patch(staff, first.id, { symptoms: 'Worse', overbook: true }), { body: { is_overbooked: false } });
    t.match(await put(second.id, { time: 2 }), { status: 200, body: { is_overbooked: true, date: DAY } });
    t.match(await patch(bob, second.id, { cancel: true }), { status: 200, body: { is_overbooked: true } });
    t.match(await patch(bob, second.id, { cancel: false }), TAKEN, 'to take it back it has to be overbooked again');
    const back = await patch(staff, second.id, { cancel: false, overbook: true });
    t.match(back, { status: 200, body: { is_overbooked: true } });
  });

  await t.test('updateAppointment, replaceAppointment 200: it is judged anew where a slot is taken', async (t) => {
    t.match(await patch(staff, second.id, { date: '2026-03-11' }), { status: 200, body: { is_overbooked: false } });
    t.match(await patch(staff, second.id, { date: DAY }), TAKEN);
    t.match(await patch(staff, second.id, { date: DAY, overbook: true }), { body: { is_overbooked: true } });
    t.match(await put(second.id, { time: 1, date: DAY }), TAKEN);
    const moved = await put(second.id, { time: 1, overbook: true });
    t.match(moved, { status: 200, body: { is_overbooked: true, time: 1, date: DAY } }, 'on the date that it has');
    t.match(await put(second.id, { time: 4, overbook: true }), { body: { is_overbooked: false, time: 4, date: DAY } });
    t.match(await put(second.id, { time: 2 }), { body: { is_overbooked: false, time: 2, date: '2026-03-03' } });
    t.match(await patch(staff, second.id, { date: DAY, overbook: true }), { body: { is_overbooked: true } });
    t.strictSame((await changes(second.id)).slice(-2), [
      `date 2026-03-03 ${DAY} ${staff.username}`,
      `is_overbooked false true ${staff.username}`,
    ]);
  });

  await t.test('updateAppointment 200 and 409 with another patient', async (t) => {
    const given = await patch(staff, first.id, { patient: cid.patientId, overbook: true });
    t.match(given, { status: 200, body: { is_overbooked: false } }, 'it stays where it was before the other one came');
    t.match(await patch(staff, second.id, { patient: ann.patientId }), TAKEN);
    t.match(await patch(staff, second.id, { patient: ann.patientId, overbook: true }), {
      body: { is_overbooked: true },
    });
    t.match(await patch(staff, second.id, { patient: cid.patientId, overbook: true }), TAKEN, "the patient's own");
    await patch(staff, first.id, { patient: ann.patientId }).then((answer) => t.match(answer, TAKEN));
    await patch(staff, second.id, { patient: bob.patientId, overbook: true });
    t.equal((await patch(staff, first.id, { patient: ann.patientId })).status, 200);
  });

  await t.test(
    'updateAppointment 200: what was there before it stays and changes, but does not come back',
    async (t) => {
      t.match(await patch(ann, first.id, { symptoms: 'Better' }), { status: 200, body: { is_overbooked: false } });
      t.equal((await patch(doctor, first.id, { appointment_status: 'Runing' })).status, 200);
      t.equal((await patch(staff, first.id, { appointment_status: 'Pendding' })).status, 200);
      t.equal((await patch(ann, first.id, { cancel: true })).status, 200);
      t.match(await patch(ann, first.id, { cancel: false }), TAKEN, 'the overbooked one is there now');
      t.match(await patch(ann, first.id, { cancel: false, time: 3 }), { status: 200, body: { is_overbooked: false } });
      t.match(await patch(ann, first.id, { time: 1 }), TAKEN);
    },
  );

  await t.test('it takes its time as any other: nobody else is booked over it', async (t) => {
    t.match(await book(cid, { date: DAY, time: 1 }), TAKEN, 'it has 10:15 - 10:45');
    t.match(await book(cid, { date: DAY, time: 2 }), TAKEN);
    const free = (await api.get(`/doctors/${doctor.doctorId}/availability/?from=${DAY}&to=${DAY}`)).body;
    t.strictSame(
      free.map(({ time }: { time: number }) => time),
      [4],
    );
    const all = (await api.get(`/availability/?from=${DAY}&to=${DAY}&doctor=${doctor.doctorId}`)).body.results;
    t.strictSame(
      all.map(({ time }: { time: number }) => time),
      [4],
    );
    const { alternatives } = (await book(cid, { date: DAY, time: 2 })).body;
    t.match(alternatives[0], { date: DAY, time: 4 });
    const label = (await overbook(bob, { time: 3 })).body;
    t.ok(label.is_overbooked);
    t.equal((await api.delete(`/appointments/${first.id}/`, { token: ann.token })).status, 204);
    t.match(await book(cid, { date: DAY, time: 3 }), TAKEN);
    t.equal((await api.delete(`/appointments/${label.id}/`, { token: staff.token })).status, 204);
    t.equal((await book(cid, { date: DAY, time: 3 })).status, 201, 'until it is gone');
  });

  await t.test('createTimeOff 409, replaceDoctorHours 409: it stands in the way of leave and hours', async (t) => {
    const { token } = staff;
    const leave = { doctor: doctor.doctorId, from: DAY, to: DAY };
    const refused = await api.post('/time-off/', { token, body: leave });
    t.equal(refused.status, 409);
    t.ok(refused.body.appointments.some(({ id }: { id: number }) => id === second.id));
    t.equal((await api.delete(`/doctors/${doctor.doctorId}/`, { token })).status, 409);
    await api.post('/time-off/', { token, body: { ...leave, displace: 'cancel' } });
    const { body } = await api.get(`/appointments/${second.id}/`, { token });
    t.match(body, { cancel: true, is_overbooked: true });
  });
});

t.test('the database refuses an ordinary one over an overbooked one that no code has checked', async (t) => {
  const { api, doctor, patient, book, overbook } = await clinic(t);
  const [ann, bob, cid] = [await patient(), await patient(), await patient()];
  const { db } = api.database;
  const signed = (statement: string): Promise<unknown> =>
    db.transaction(async (tx) => {
      await tx.execute(`select set_config('hospital.user_id', 'system', true)`);
      return tx.execute(statement);
    });
  const refused = { cause: { code: '23P01', constraint_name: 'appointments_doctor_period_excl' } };

  for (const time of [1, 3]) {
    const under = (await book(ann, { date: DAY, time })).body.id;
    const over = (await overbook(bob, { time })).body.id;
    const [away, gone, cancelled] = [
      (await book(cid, { date: '2026-03-11', time })).body.id,
      (await book(cid, { date: '2026-03-12', time })).body.id,
      (await book(cid, { date: DAY, time, cancel: true })).body.id,
    ];
    const copy = (of: number, isOverbooked: boolean) => `insert into appointments
      (patient_id, doctor_id, available_time_id, date, period, type, symptoms, is_overbooked)
      select ${cid.patientId}, doctor_id, available_time_id, date, period, type, symptoms, ${isOverbooked}
      from appointments where id = ${of} returning id`;
    const place = `(doctor_id, date, available_time_id, period) =
      (select doctor_id, date, available_time_id, period from appointments where id = ${over})`;
    const update = (id: number, set: string) => `update appointments set ${set} where id = ${id}`;

    // With the one below out of the way, only the overbooked one can be what refuses.
    await signed(update(under, 'is_cancelled = true'));
    await t.rejects(signed(copy(over, false)), refused);
    await t.rejects(signed(update(under, 'is_cancelled = false')), refused);
    await t.rejects(signed(update(away, place)), refused);
    await t.rejects(signed(update(cancelled, 'is_cancelled = false')), refused);
    await signed(update(gone, `archived_at = now(), ${place}`));
    await t.rejects(signed(update(gone, 'archived_at = null')), refused);
    const [second] = (await signed(copy(over, true))) as [{ id: number }];
    await t.rejects(signed(update(second.id, 'is_overbooked = false')), refused);
    await signed(update(second.id, 'is_cancelled = true'));

    await signed(update(over, 'is_overbooked = false'));
    await t.rejects(signed(copy(over, false)), { cause: { code: /23P01|23505/ } }, 'one that is overbooked no more');
    await signed(update(over, 'is_cancelled = true'));
    await signed(update(under, 'is_cancelled = false'));
    await signed(`delete from appointments where doctor_id = ${doctor.doctorId}`);
  }
});
