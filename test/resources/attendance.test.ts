/** Who came, why it is cancelled, how long before it a patient has a say, and what is told of all that afterwards. */
import t from 'tap';
import type { User } from '../helpers/app.js';
import { clinic } from '../helpers/booking.js';

interface Event {
  readonly field: string;
  readonly from: string;
  readonly to: string;
  readonly changed_by: string | null;
  readonly from_label: string | null;
  readonly to_label: string | null;
}

t.test('attendance', async (t) => {
  const { api, staff, doctor, patient, book, setNow } = await clinic(t, ['10:00 - 10:30', '15:00 - 15:30', 'Evening']);
  const ann = await patient();
  const made = (await book(ann, { date: '2026-03-02', time: 2 })).body;
  const url = `/appointments/${made.id}/`;
  const patch = (user: User, body: object, at = url) => api.patch(at, { token: user.token, body });
  const refused = (detail: RegExp) => ({ status: 409, body: { type: '/problems/wrong-status', detail } });
  t.equal(made.attendance, null);

  await t.test('updateAppointment, replaceAppointment, createAppointment 403 for a patient', async (t) => {
    for (const attendance of ['arrived', 'no_show']) {
      t.match(await patch(ann, { attendance }), { status: 403, body: { detail: /Only the doctor and staff/ } });
      t.equal((await api.put(url, { token: ann.token, body: { ...made, attendance } })).status, 403);
      t.equal((await book(ann, { attendance, date: '2026-03-09' })).status, 403);
    }
    t.equal((await patch(ann, { attendance: null })).status, 200, 'what it is already');
    t.equal((await api.put(url, { token: ann.token, body: made })).status, 200);
  });

  await t.test('updateAppointment, createAppointment, listAppointments 400 for what it can not be', async (t) => {
    for (const attendance of ['none', 'Arrived', 1, true]) t.equal((await patch(staff, { attendance })).status, 400);
    const answer = await book(staff, { patient: ann.patientId, attendance: 'arrived', date: '2026-03-09' });
    t.match(answer, { status: 400, body: { errors: { attendance: [/once it is booked/] } } });
    t.equal((await api.get('/appointments/?attendance=null', { token: staff.token })).status, 400);
  });

  await t.test('updateAppointment 200 by the doctor and staff, 409 before its time', async (t) => {
    t.match(await patch(doctor, { attendance: 'no_show' }), refused(/once it has begun/));
    t.match((await patch(doctor, { attendance: 'arrived' })).body, { attendance: 'arrived' });
    t.match((await patch(staff, { attendance: null })).body, { attendance: null });
    const later = (await book(ann, { date: '2026-03-03', time: 2 })).body;
    t.match(
      await patch(staff, { attendance: 'arrived' }, `/appointments/${later.id}/`),
      refused(/day of the appointment/),
    );
    setNow('2026-03-02T14:59:59.999Z');
    t.equal((await patch(doctor, { attendance: 'no_show' })).status, 409);
    setNow('2026-03-02T15:00:00Z');
    t.match((await patch(doctor, { attendance: 'no_show' })).body, { attendance: 'no_show' });
    t.match((await patch(staff, { attendance: 'arrived' })).body, { attendance: 'arrived' }, 'it can be corrected');
    const [whole, left] = [
      { ...made, symptoms: 'Cough' },
      { ...made, symptoms: 'Cold', attendance: undefined },
    ];
    t.match((await api.put(url, { token: doctor.token, body: whole })).body, { attendance: null });
    await patch(staff, { attendance: 'no_show' });
    t.match((await api.put(url, { token: doctor.token, body: left })).body, { attendance: 'no_show' }, 'left out');
  });

  await t.test('a slot without clock times has begun when its day is over', async (t) => {
    setNow('2026-03-02T12:00:00Z');
    const evening = (await book(ann, { date: '2026-03-02', time: 3 })).body;
    const at = `/appointments/${evening.id}/`;
    setNow('2026-03-02T23:59:59.999Z');
    t.equal((await patch(doctor, { attendance: 'no_show' }, at)).status, 409);
    t.equal((await patch(doctor, { attendance: 'arrived' }, at)).status, 200);
    setNow('2026-03-03T00:00:00Z');
    t.equal((await patch(doctor, { attendance: 'no_show' }, at)).status, 200);
  });

  await t.test('listAppointments 200 ?attendance', async (t) => {
    const ids = async (word: string) =>
      (await api.get(`/appointments/?attendance=${word}`, { token: staff.token })).body.results.map(
        ({ id }: { id: number }) => id,
      );
    t.strictSame(await ids('no_show'), [made.id, made.id + 2]);
    t.strictSame(await ids('arrived'), []);
    t.strictSame(await ids('none'), [made.id + 1]);
  });

  await t.test(
    'updateAppointment, replaceAppointment, deleteAppointment 409 for what does not go with it, by anybody',
    async (t) => {
      setNow('2026-03-02T15:00:00Z');
      for (const user of [doctor, staff]) {
        t.match(await patch(user, { cancel: true }), refused(/attendance and be cancelled/));
        t.match(await patch(user, { date: '2026-03-10' }), refused(/moved with its attendance/));
        t.match(await patch(user, { appointment_status: 'Runing' }), refused(/Only a Pendding/));
        t.equal(
          (await api.put(url, { token: user.token, body: { ...made, attendance: 'arrived', time: 1 } })).status,
          409,
        );
      }
      setNow('2026-03-02T12:00:00Z');
      t.equal((await patch(staff, { attendance: 'arrived' })).status, 200);
      t.match(await patch(ann, { cancel: true }), refused(/before they have come/));
      t.match(await api.delete(url, { token: ann.token }), refused(/can delete .* before they have come/));
      t.equal((await patch(staff, { attendance: null, cancel: true })).status, 200);
      t.match(await patch(staff, { attendance: 'arrived' }), refused(/attendance and be cancelled/));
      t.equal((await patch(staff, { attendance: 'arrived', cancel: false })).status, 200);
    },
  );

  await t.test('updateAppointment 200: staff put a status back on every path, and the attendance stays', async (t) => {
    for (const status of ['Runing', 'Complated']) {
      t.match((await patch(doctor, { appointment_status: status })).body, { attendance: 'arrived' });
    }
    t.match(await patch(staff, { attendance: 'no_show' }), refused(/once it has begun|Only a Pendding/));
    t.equal((await patch(doctor, { appointment_status: 'Pendding' })).status, 409);
    const put = (appointment_status: string) =>
      api.put(url, { token: staff.token, body: { ...made, attendance: undefined, appointment_status } });
    t.match((await put('Pendding')).body, { appointment_status: 'Pendding', attendance: 'arrived' });
    t.match((await put('Complated')).body, { appointment_status: 'Complated' });
    t.match((await patch(staff, { appointment_status: 'Pendding' })).body, { appointment_status: 'Pendding' });
  });
});

t.test('cancel_reason', async (t) => {
  const { api, staff, doctor, patient, book } = await clinic(t, ['10:00 - 10:30', '15:00 - 15:30']);
  const [ann, bob] = [await patient(), await patient()];
  const made = (await book(ann, { date: '2026-03-10' })).body;
  const url = `/appointments/${made.id}/`;
  const patch = (user: User, body: object) => api.patch(url, { token: user.token, body });
  t.equal(made.cancel_reason, null);

  await t.test('updateAppointment 200 with the code of who cancels, which ends with the cancelling', async (t) => {
    for (const [user, code] of [
      [ann, 'patient'],
      [doctor, 'doctor'],
      [staff, 'clinic'],
    ] as const) {
      t.strictSame((await patch(user, { cancel: true })).body.cancel_reason, { code, text: '' });
      t.strictSame((await patch(user, { cancel: false })).body.cancel_reason, null);
      t.strictSame((await api.put(url, { token: user.token, body: { ...made, cancel: true } })).body.cancel_reason, {
        code,
        text: '',
      });
      // A client that knows no reasons takes it back.
      const { cancel_reason: _, attendance: __, ...known } = made;
      t.strictSame((await api.put(url, { token: user.token, body: known })).body.cancel_reason, null);
    }
    const ill = { code: 'doctor', text: 'The doctor is ill.' };
    t.strictSame((await patch(staff, { cancel: true, cancel_reason: ill })).body.cancel_reason, ill);
    t.strictSame((await patch(staff, { symptoms: 'x', cancel: true, cancel_reason: null })).body.cancel_reason, ill);
    t.strictSame((await patch(staff, { cancel_reason: { code: 'no_contact' } })).body.cancel_reason, {
      code: 'no_contact',
      text: '',
    });
    const whole = (await api.get(url, { token: ann.token })).body;
    t.equal((await api.put(url, { token: ann.token, body: whole })).status, 200, 'what it is already');
    t.match((await api.put(url, { token: ann.token, body: { ...whole, cancel: false } })).body, {
      cancel_reason: null,
    });
  });

  await t.test('createAppointment 201 of what is cancelled from the beginning', async (t) => {
    const answer = await book(bob, { date: '2026-03-10', cancel: true, cancel_reason: { text: 'A test' } });
    t.strictSame(answer.body.cancel_reason, { code: 'patient', text: 'A test' });
    const other = await book(staff, { patient: bob.patientId, date: '2026-03-10', cancel: true });
    t.strictSame(other.body.cancel_reason, { code: 'clinic', text: '' });
  });

  await t.test('updateAppointment, createAppointment 403 for a code that a patient can not claim', async (t) => {
    for (const code of ['doctor', 'clinic', 'no_contact']) {
      t.equal((await patch(ann, { cancel: true, cancel_reason: { code } })).status, 403);
      t.equal((await book(ann, { date: '2026-03-11', cancel: true, cancel_reason: { code } })).status, 403);
    }
    t.equal((await patch(ann, { cancel: true, cancel_reason: { code: 'other', text: 'x' } })).status, 200);
    await patch(staff, { cancel_reason: { code: 'clinic', text: 'Closed' } });
    t.equal((await patch(ann, { cancel_reason: { code: 'patient' } })).status, 403, "the clinic's reason stays");
    t.equal((await patch(ann, { cancel: false })).status, 200);
  });

  await t.test('updateAppointment, createAppointment 400', async (t) => {
    for (const cancel_reason of [
      { code: 'weather' },
      { code: null },
      { text: 'x'.repeat(501) },
      { text: 1 },
      'ill',
      [],
      { text: 'a\0' },
    ]) {
      const answer = await patch(staff, { cancel: true, cancel_reason });
      t.match(answer, { status: 400, body: { errors: { cancel_reason: [] } } }, JSON.stringify(cancel_reason));
    }
    const fault = { status: 400, body: { errors: { cancel_reason: ['is for an appointment that is cancelled'] } } };
    t.match(await patch(staff, { cancel_reason: { code: 'clinic' } }), fault);
    t.match(await book(bob, { date: '2026-03-12', cancel_reason: {} }), fault);
  });

  await t.test('deletePatient 204 cancels with a reason: of who deletes', async (t) => {
    for (const [by, code] of [
      ['patient', 'patient'],
      ['staff', 'clinic'],
    ] as const) {
      const user = await patient();
      const { id } = (await book(user, { date: '2026-03-20' })).body;
      const { token } = by === 'staff' ? staff : user;
      t.equal((await api.delete(`/patients/${user.patientId}/`, { token })).status, 204);
      const cancelled = (await api.get(`/appointments/${id}/`, { token: staff.token })).body;
      t.match(cancelled, { cancel: true, cancel_reason: { code, text: '' } });
    }
  });
});

t.test('history', async (t) => {
  const { api, staff, doctor, patient, book } = await clinic(t, ['10:00 - 10:30', '15:00 - 15:30']);
  const [ann, bob] = [await patient(), await patient()];
  const made = (await book(ann, { date: '2026-03-02', time: 2 })).body;
  const url = `/appointments/${made.id}/`;
  const patch = (user: User, body: object) => api.patch(url, { token: user.token, body });
  const list = async (user: User, kind = 'changes') => {
    const { status, body } = await api.get(`${url}${kind}/`, { token: user.token });
    return status === 200 ? (body.results as Event[]) : status;
  };
  const short = (events: Event[] | number) =>
    (events as Event[]).map(({ field, from, to, changed_by }) => [field, from, to, changed_by]);
  const symptoms = `${'Headache, '.repeat(199)}pending.`;
  await patch(ann, { symptoms, appointment_type: 'Offline' });
  await patch(ann, { symptoms: 'pending' });
  await patch(staff, { time: 1, date: '2026-03-03' });
  await patch(staff, { date: '2026-03-02', time: 2 });
  await patch(doctor, { attendance: 'arrived' });
  await patch(doctor, { attendance: null, cancel: true, cancel_reason: { code: 'patient', text: 'Left.' } });
  await patch(doctor, { cancel: false, appointment_status: 'Runing' });

  const expected = [
    ['created', 'false', 'true', ann.username],
    ['appointment_type', 'Online', 'Offline', ann.username],
    ['symptoms', 'Headache', symptoms, ann.username],
    ['symptoms', symptoms, 'pending', ann.username],
    ['date', '2026-03-02', '2026-03-03', staff.username],
    ['time', '2', '1', staff.username],
    ['date', '2026-03-03', '2026-03-02', staff.username],
    ['time', '1', '2', staff.username],
    ['attendance', '', 'arrived', doctor.username],
    ['cancel', 'false', 'true', doctor.username],
    ['cancel_reason', '', 'patient: Left.', doctor.username],
    ['attendance', 'arrived', '', doctor.username],
    ['appointment_status', 'Pendding', 'Runing', doctor.username],
    ['cancel', 'true', 'false', doctor.username],
    ['cancel_reason', 'patient: Left.', '', doctor.username],
  ];

  await t.test('listAppointmentChanges 200 has all that was done, 401, 404', async (t) => {
    for (const user of [ann, doctor, staff]) t.strictSame(short(await list(user)), expected);
    const time = (await list(ann)) as Event[];
    t.match(
      time.find(({ field }) => field === 'time'),
      { from_label: '15:00 - 15:30', to_label: '10:00 - 10:30' },
    );
    t.equal(await list(bob), 404);
    t.equal((await api.get(`${url}changes/`)).status, 401);
    t.equal((await api.get('/appointments/999/changes/', { token: staff.token })).status, 404);
  });

  await t.test('listAppointmentHistory 200 has what it had, with labels', async (t) => {
    const fields = ['doctor', 'date', 'time', 'appointment_status', 'cancel'];
    t.strictSame(
      short(await list(ann, 'history')),
      expected.filter(([field = '']) => fields.includes(field)),
    );
  });

  await t.test(
    'listAppointmentChanges 200: a patient does not read what was before it was given to them',
    async (t) => {
      await patch(staff, { appointment_status: 'Pendding' });
      await patch(staff, { patient: bob.patientId, symptoms: 'Cough', date: '2026-03-04' });
      t.strictSame(await list(bob), []);
      t.equal(await list(ann), 404);
      await patch(bob, { symptoms: 'Fever' });
      t.strictSame(short(await list(bob)), [['symptoms', 'Cough', 'Fever', bob.username]]);
      const given = ((await list(doctor)) as Event[]).find(({ field }) => field === 'patient');
      t.match(given, { from: String(ann.patientId), to_label: bob.username, changed_by: staff.username });
    },
  );

  await t.test('listAppointmentChanges, listAppointmentHistory 200 for staff after it is archived, 404', async (t) => {
    t.equal((await api.delete(url, { token: bob.token })).status, 204);
    const events = (await list(staff)) as Event[];
    t.match(events.at(-1), { field: 'archived', from: 'false', to: 'true', changed_by: bob.username });
    t.equal(((await list(staff, 'history')) as Event[]).length, 9);
    for (const user of [bob, doctor]) {
      t.equal(await list(user), 404);
      t.equal(await list(user, 'history'), 404);
    }
  });

  await t.test('no statement changes an appointment without an author', async (t) => {
    const { db } = api.database;
    const id = (await book(bob, { date: '2026-03-05' })).body.id as number;
    await t.rejects(db.execute(`update appointments set symptoms = 'x' where id = ${id}`), {
      cause: { message: 'an appointment changes without an author' },
    });
    await db.execute(`update appointments set symptoms = symptoms, updated_at = now() where id = ${id}`);
    await db.transaction(async (tx) => {
      await tx.execute(`select set_config('hospital.user_id', 'system', true)`);
      await tx.execute(`update appointments set symptoms = 'By the system' where id = ${id}`);
    });
    const { results } = (await api.get(`/appointments/${id}/changes/`, { token: staff.token })).body;
    t.match(results.at(-1), { field: 'symptoms', to: 'By the system', changed_by: null });
  });
});

t.test('notice', async (t) => {
  const { api, staff, doctor, patient, book, setNow } = await clinic(t, ['10:00 - 10:30', '15:00 - 15:30', 'Evening'], {
    BOOKING_NOTICE: '4h',
    CHANGE_NOTICE: '1d',
    CLINIC_TIME_ZONE: 'Europe/Berlin',
  });
  const [ann, bob] = [await patient(), await patient()];
  // At the clinic it is one hour later.
  const other = await api.registerDoctor({ available_time: [2] });
  const slots = async (user?: User, path = `/doctors/${doctor.doctorId}/availability/`) => {
    const { body } = await api.get(`${path}?from=2026-03-02&to=2026-03-02`, { token: user?.token });
    const free = (body.results ?? body) as { doctor?: number; time: number }[];
    return free.map((slot) => (slot.doctor === undefined ? slot.time : [slot.doctor, slot.time]));
  };

  await t.test('listDoctorAvailability, searchAvailability 200 of what each can book', async (t) => {
    // Four hours before 15:00, and a moment before that.
    for (const [now, isInTime] of [
      ['2026-03-02T09:59:59.999Z', true],
      ['2026-03-02T10:00:00Z', false],
    ] as const) {
      setNow(now);
      for (const user of [undefined, ann, other]) t.strictSame(await slots(user), isInTime ? [2, 3] : [3], now);
      for (const user of [staff, doctor]) t.strictSame(await slots(user), [2, 3]);
      const all = [
        [doctor.doctorId, 2],
        [other.doctorId, 2],
        [doctor.doctorId, 3],
      ];
      t.strictSame(await slots(staff, '/availability/'), all);
      t.strictSame(await slots(ann, '/availability/'), isInTime ? all : all.slice(2));
      t.strictSame(await slots(other, '/availability/'), isInTime ? all : all.slice(1));
    }
    for (const [now, isInTime] of [
      ['2026-03-02T18:59:59.999Z', true],
      ['2026-03-02T19:00:00Z', false],
    ] as const) {
      setNow(now);
      t.strictSame(await slots(), isInTime ? [3] : [], 'an evening ends at midnight');
      t.strictSame(await slots(staff), [3]);
    }
  });

  await t.test('listDoctorAvailability 200, searchAvailability 200 whatever the token is', async (t) => {
    const gone = await patient();
    await api.patch(`/api/user/users/${gone.id}/`, { token: staff.token, body: { is_active: false } });
    for (const path of ['/availability/', `/doctors/${doctor.doctorId}/availability/`]) {
      for (const token of ['rubbish', gone.token]) t.equal((await api.get(path, { token })).status, 200);
    }
  });

  await t.test('createAppointment 400, 201 and 409: too near for a patient, not for staff', async (t) => {
    setNow('2026-03-02T10:00:00Z');
    t.match(await book(ann, { date: '2026-03-02', time: 2 }), {
      status: 400,
      body: { errors: { date: ['must be a later day: patients could book this one until 2026-03-02 11:00'] } },
    });
    t.equal((await book(ann, { time: 2 })).body.date, '2026-03-03', 'the soonest is one that they can have');
    const booked = await book(staff, { patient: bob.patientId, date: '2026-03-02', time: 2 });
    t.equal(booked.status, 201);
    await api.delete(`/appointments/${booked.body.id}/`, { token: staff.token });
    await book(staff, { patient: bob.patientId, date: '2026-03-02', time: 3 });
    const taken = await book(ann, { date: '2026-03-02', time: 3 });
    t.match(taken, { status: 409, body: { alternatives: [{ date: '2026-03-03', time: 1 }] } });
    const forStaff = await book(staff, { patient: ann.patientId, date: '2026-03-02', time: 3 });
    t.match(forStaff, { status: 409, body: { alternatives: [{ date: '2026-03-02', time: 2 }] } });
  });

  await t.test(
    'updateAppointment, replaceAppointment, deleteAppointment 409 for a patient within the notice, 200 and 204 for others',
    async (t) => {
      for (const [time, before, then, until] of [
        [2, '2026-03-09T13:59:59.999Z', '2026-03-09T14:00:00Z', '2026-03-09 15:00'],
        [3, '2026-03-09T22:59:59.999Z', '2026-03-09T23:00:00Z', '2026-03-10 00:00'],
      ] as const) {
        setNow('2026-03-02T10:00:00Z');
        const made = (await book(ann, { date: '2026-03-10', time })).body;
        const url = `/appointments/${made.id}/`;
        const { token } = ann;
        setNow(before);
        t.equal((await api.patch(url, { token, body: { symptoms: 'Better' } })).status, 200);
        setNow(then);
        const refused = {
          status: 409,
          body: { type: '/problems/wrong-status', detail: new RegExp(`this appointment until ${until} by`) },
        };
        for (const body of [{ cancel: true }, { symptoms: 'x' }, { date: '2026-03-20' }, {}]) {
          t.match(await api.patch(url, { token, body }), refused);
        }
        t.match(await api.put(url, { token, body: { ...made, cancel: true } }), refused);
        t.match(await api.delete(url, { token }), refused);
        t.equal((await api.patch(url, { token: doctor.token, body: { cancel: true } })).status, 200);
        t.match(await api.patch(url, { token, body: { cancel: false } }), refused);
        t.equal((await api.patch(url, { token: staff.token, body: { cancel: false } })).status, 200);
        t.equal((await api.delete(url, { token: staff.token })).status, 204);
      }
    },
  );

  await t.test('updateAppointment 400 onto a slot that is too near, and to take one back', async (t) => {
    setNow('2026-03-02T10:00:00Z');
    const { id } = (await book(ann, { date: '2026-03-06', time: 1 })).body;
    const change = (user: User, body: object) => api.patch(`/appointments/${id}/`, { token: user.token, body });
    const near = { date: '2026-03-02', time: 2 };
    t.equal((await change(ann, near)).status, 400);
    t.equal((await change(doctor, near)).status, 200, 'the doctor moves it there');
    t.equal((await change(doctor, { cancel: true })).status, 200);
    t.equal((await change(doctor, { cancel: false })).status, 200);
    t.equal((await change(staff, { date: '2026-03-06', time: 1 })).status, 200);
  });

  await t.test('deletePatient 204 cancels what the patient may still cancel', async (t) => {
    setNow('2026-03-02T10:00:00Z');
    const cid = await patient();
    const [near, far] = [
      (await book(cid, { date: '2026-03-10', time: 2 })).body.id,
      (await book(cid, { date: '2026-03-11', time: 2 })).body.id,
    ];
    setNow('2026-03-09T14:00:00Z');
    t.equal((await api.delete(`/patients/${cid.patientId}/`, { token: cid.token })).status, 204);
    const cancelled = async (id: number) =>
      (await api.get(`/appointments/${id}/`, { token: staff.token })).body.cancel as boolean;
    t.strictSame([await cancelled(near), await cancelled(far)], [false, true]);
  });
});
