/** Changes that meet each other: who waits for whom, and what is left. */
import postgres, { type Sql, type TransactionSql } from 'postgres';
import t, { type Test } from 'tap';
import { buildTestApp, SECRET, type TestAnswer } from '../helpers/app.js';
import { clinic as bookingClinic } from '../helpers/booking.js';
import { race, RACING, untilQueued } from '../helpers/races.js';
import { signAccess } from '../helpers/tokens.js';

const statuses = (answers: readonly TestAnswer[]): number[] => answers.map(({ status }) => status).sort();

async function clinic(t: Test, environment: Record<string, string> = {}) {
  const api = await buildTestApp(t, environment, { now: () => new Date('2026-03-02T12:00:00Z') });
  const client = postgres(api.databaseUrl, { max: 2 });
  t.teardown(() => client.end());
  await client`insert into available_times (label, start_minute, end_minute)
    values ('10:00 - 10:30', 600, 630), ('10:15 - 10:45', 615, 645)`;
  const user = async (): Promise<{ id: number; token: string }> => {
    const [row] = await client<{ id: number }[]>`
      insert into users (username, email, password_hash, is_staff)
      select name, name || '@example.com', '', not exists (select from users) from (select gen_random_uuid()::text as name) as names
      returning id::float8`;
    const { id } = row as { id: number };
    return { id, token: signAccess(SECRET, id) };
  };
  return {
    api,
    client,
    /** The first user. */
    staff: await user(),
    patient: async () => {
      const { id, token } = await user();
      const [row] = await client<{ id: number }[]>`insert into patients (user_id) values (${id}) returning id::float8`;
      return { patientId: row?.id as number, token };
    },
    doctor: async () => {
      const { id, token } = await user();
      const [row] = await client<{ id: number }[]>`insert into doctors (user_id) values (${id}) returning id::float8`;
      const doctorId = row?.id as number;
      await client`insert into doctor_available_times select ${doctorId}, id from available_times`;
      return { doctorId, token };
    },
    book: (token: string, doctor: number, body: object = {}) =>
      api.post('/appointments/', {
        token,
        body: { doctor, appointment_type: 'Online', symptoms: 'Headache', time: 1, date: '2026-03-10', ...body },
      }),
  };
}

/** Resolves when a query waits for a lock. */
async function waiting(client: Sql): Promise<void> {
  for (;;) {
    const [row] = await client`
      select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
    if (row !== undefined) return;
  }
}

t.test('a change that waits for another one', async (t) => {
  const { api, client, staff, patient, doctor, book } = await clinic(t);
  const [ann, one, two] = [await patient(), await doctor(), await doctor()];
  const booked = await book(ann.token, one.doctorId);
  t.equal(booked.status, 201);
  const url = `/appointments/${booked.body.id}/`;
  /** Sends a request while another transaction moves the appointment, which commits when the request waits for it. */
  const meanwhile = async (
    lock: (tx: TransactionSql) => Promise<unknown>,
    to: number,
    send: () => Promise<TestAnswer>,
  ) => {
    let sent: Promise<TestAnswer> | undefined;
    await client.begin(async (tx) => {
      await lock(tx);
      await tx`select set_config('hospital.user_id', 'system', true)`;
      await tx`update appointments set doctor_id = ${to} where id = ${booked.body.id}`;
      sent = send();
      await waiting(client);
    });
    return sent as unknown as Promise<TestAnswer>;
  };

  await t.test('updateAppointment 200 does not undo a move to another doctor', async (t) => {
    const answer = await meanwhile(
      (tx) => tx`select from patients where id = ${ann.patientId} for no key update`,
      two.doctorId,
      () => api.patch(url, { token: ann.token, body: { symptoms: 'Better' } }),
    );
    t.match(answer, { status: 200, body: { symptoms: 'Better', doctor: two.doctorId } });
  });

  await t.test('updateAppointment 200 of what moves meanwhile, though nothing else is locked', async (t) => {
    const answer = await meanwhile(
      async () => undefined,
      one.doctorId,
      () => api.patch(url, { token: staff.token, body: { date: '2026-03-11' } }),
    );
    t.match(answer, { status: 200, body: { date: '2026-03-11', doctor: one.doctorId } });
  });

  await t.test('deleteAppointment 204 of what moves meanwhile', async (t) => {
    const answer = await meanwhile(
      async () => undefined,
      two.doctorId,
      () => api.delete(url, { token: ann.token }),
    );
    t.equal(answer.status, 204);
  });
});

t.test('deleteDoctor 204 or 409 while the doctor is booked: one of the two is refused', async (t) => {
  const { api, patient, doctor, book } = await clinic(t);
  const ann = await patient();
  for (let round = 0; round < 12; round++) {
    const { doctorId, token } = await doctor();
    const [booked, gone] = await Promise.all([
      book(ann.token, doctorId, { date: `2026-04-${round + 10}` }),
      api.delete(`/doctors/${doctorId}/`, { token }),
    ]);
    t.ok([`201 409`, `400 204`].includes(`${booked.status} ${gone.status}`), `${booked.status} ${gone.status}`);
  }
  const { doctorId, token } = await doctor();
  t.equal((await book(ann.token, doctorId)).status, 201);
  t.equal((await api.delete(`/doctors/${doctorId}/`, { token })).status, 409);
});

t.test('deletePatient 204 waits for the doctor first, and keeps the patient from nobody meanwhile', async (t) => {
  const { api, client, patient, doctor, book } = await clinic(t);
  const [ann, { doctorId }] = [await patient(), await doctor()];
  t.equal((await book(ann.token, doctorId)).status, 201);
  let gone: Promise<TestAnswer> | undefined;
  await client.begin(async (tx) => {
    await tx`select from doctors where id = ${doctorId} for no key update`;
    gone = api.delete(`/patients/${ann.patientId}/`, { token: ann.token });
    await waiting(client);
    // As a booking does, which has the doctor by then: else the two would wait for each other.
    const rows = await tx`select from patients where id = ${ann.patientId} for no key update nowait`;
    t.equal(rows.length, 1);
  });
  t.equal((await (gone as unknown as Promise<TestAnswer>)).status, 204);
});

t.test('everyone wants what another one has: nobody is stuck, and nothing overlaps', async (t) => {
  const { api, client, staff, patient, doctor, book } = await clinic(t);
  const patients = await Promise.all([patient(), patient(), patient()]);
  const doctors = await Promise.all([doctor(), doctor(), doctor()]);
  const days = ['2026-03-10', '2026-03-11', '2026-03-12'];
  const ids: number[] = [];
  for (const [index, { token }] of patients.entries()) {
    for (const [turn, { doctorId }] of doctors.entries()) {
      const answer = await book(token, doctorId, { date: days[(index + turn) % 3] });
      t.equal(answer.status, 201);
      ids.push(answer.body.id);
    }
  }
  const pick = <T>(list: readonly T[], number: number): T => list[number % list.length] as T;
  const change = (n: number): Promise<TestAnswer> => {
    const url = `/appointments/${pick(ids, n * 7)}/`;
    const { token } = staff;
    const place = {
      doctor: pick(doctors, n * 5 + (n >> 3)).doctorId,
      patient: pick(patients, n * 3 + (n >> 2)).patientId,
      date: pick(days, n + (n >> 4)),
      time: 1 + (n % 2),
    };
    if (n % 5 === 0) return api.patch(url, { token, body: { cancel: n % 2 === 0 } });
    if (n % 17 === 0) return api.patch('/available-time/2/', { token, body: { time: `10:${n % 50 < 10 ? 11 : 16}` } });
    if (n % 5 === 1) return api.put(url, { token, body: { ...place, appointment_type: 'Offline', symptoms: 'x' } });
    return api.patch(url, { token, body: place });
  };
  // Twice as many at once as there are connections: of all together the last would wait longer than a request may.
  const turns = Array.from({ length: 200 }, (_, n) => n).values();
  const answers: TestAnswer[] = [];
  const goOn = async (): Promise<void> => {
    for (const n of turns) answers.push(await change(n));
  };
  await Promise.all(Array.from({ length: 20 }, goOn));
  t.strictSame(
    statuses(answers).filter((status) => status !== 200 && status !== 409),
    [],
  );
  t.ok(answers.filter(({ status }) => status === 200).length > 20);
  const overlaps = await client`
    select a.id, b.id from appointments a join appointments b on a.id < b.id
    and (a.doctor_id = b.doctor_id or a.patient_id = b.patient_id)
    and not a.is_cancelled and not b.is_cancelled and a.archived_at is null and b.archived_at is null
    and a.period && b.period`;
  t.strictSame([...overlaps], []);
});

t.test(
  'createAppointment 201 and 409: bookings that meet an overbooking stand beneath it, or not at all',
  async (t) => {
    const { api, client, staff, patient, doctor, book } = await clinic(t, RACING);
    await client`insert into available_times (label, start_minute, end_minute) values ('10:30 - 11:00', 630, 660)`;
    const people = await Promise.all(Array.from({ length: 7 }, patient));
    const [first, ...others] = people as [(typeof people)[0], ...typeof people];
    const [second, third, ...ordinary] = others as [(typeof people)[0], (typeof people)[0], ...typeof people];
    const orders = new Set<string>();
    for (let round = 0; round < 12; round++) {
      const { doctorId } = await doctor();
      const date = `2026-04-${round + 10}`;
      t.equal((await book(first.token, doctorId, { date })).status, 201);
      const over = [second, third].map(
        ({ patientId }) =>
          () =>
            book(staff.token, doctorId, { patient: patientId, date, time: 2, overbook: true }),
      );
      const beneath = ordinary.map(
        ({ token }) =>
          () =>
            book(token, doctorId, { date, time: 3 }),
      );
      // Now the ones are sent first, now the others.
      const sent = round % 2 === 0 ? [...over, ...beneath] : [...beneath, ...over];
      const lock = `select from doctors where id = ${doctorId} for update`;
      const made = (await race(api, lock, sent)).filter(({ status }) => status === 201).map(({ body }) => body);
      const piled = made.filter((each) => each.is_overbooked);
      const booked = made.filter((each) => !each.is_overbooked);
      t.equal(piled.length, 2);
      t.ok(booked.length <= 1);
      // Ids are given while the doctor is locked, and so in the order of the bookings.
      for (const { id } of booked) t.ok(piled.every((each) => each.id > id));
      orders.add(booked.length === 0 ? 'over' : 'beneath');
    }
    t.comment([...orders].join());
  },
);

t.test('odd requests', async (t) => {
  const { api, client, staff, patient, doctor, book } = await clinic(t);
  const [ann, bob, house] = [await patient(), await patient(), await doctor()];
  const booked = await book(ann.token, house.doctorId);
  const url = `/appointments/${booked.body.id}/`;
  const patch = (token: string, body: object) => api.patch(url, { token, body });

  await t.test('ids as large as they may be', async (t) => {
    const id = Number.MAX_SAFE_INTEGER;
    t.strictSame(Object.keys((await book(ann.token, id, { time: id })).body.errors), ['doctor']);
    t.strictSame(Object.keys((await book(ann.token, house.doctorId, { time: id })).body.errors), ['time']);
    t.strictSame(Object.keys((await book(staff.token, house.doctorId, { patient: id })).body.errors), ['patient']);
    t.equal((await book(ann.token, id + 1)).status, 400);
    t.equal((await api.get(`/appointments/${id}/`, { token: ann.token })).status, 404);
    t.equal((await api.get(`/doctors/${id}/availability/`)).status, 404);
    t.equal((await api.get(`/appointments/?doctor_id=${id}&patient_id=${id}`, { token: staff.token })).body.count, 0);
  });

  await t.test('createAppointment 400 and 409 for an archived patient', async (t) => {
    await client`update patients set archived_at = now() where id = ${bob.patientId}`;
    const named = await book(staff.token, house.doctorId, { patient: bob.patientId, date: '2026-03-20' });
    t.match(named, { status: 400, body: { errors: { patient: ['does not exist'] } } });
    t.match(await book(bob.token, house.doctorId), { status: 409, body: { type: '/problems/no-patient-record' } });
    t.equal((await patch(staff.token, { patient: bob.patientId })).status, 400);
  });

  await t.test('updateAppointment 200 with what it says already', async (t) => {
    const before = (await api.get(url, { token: ann.token })).body;
    const [row] = await client`select updated_at from appointments where id = ${before.id}`;
    t.ok(row);
    t.strictSame((await patch(ann.token, before)).body, before);
    t.strictSame((await api.put(url, { token: ann.token, body: before })).body, before);
    t.equal((await api.get(`${url}history/`, { token: ann.token })).body.count, 0);
  });

  await t.test('status and cancel at once', async (t) => {
    t.equal((await patch(house.token, { appointment_status: 'Runing', cancel: true })).status, 409);
    t.equal((await patch(house.token, { cancel: true })).status, 200);
    t.equal((await patch(house.token, { appointment_status: 'Runing' })).status, 409);
    const both = await patch(house.token, { appointment_status: 'Runing', cancel: false });
    t.match(both, { status: 200, body: { appointment_status: 'Runing', cancel: false } });
    t.equal((await patch(staff.token, { appointment_status: 'Complated', date: '2026-03-12' })).status, 409);
    t.equal((await patch(staff.token, { appointment_status: 'Complated', cancel: true })).status, 409);
  });

  await t.test('an appointment in a slot that the doctor offers no more', async (t) => {
    const own = (await book(ann.token, house.doctorId, { date: '2026-03-25' })).body;
    const change = (body: object) => api.patch(`/appointments/${own.id}/`, { token: ann.token, body });
    await api.patch(`/doctors/${house.doctorId}/`, { token: house.token, body: { available_time: [2] } });
    t.equal((await change({ symptoms: 'Better' })).status, 200);
    t.strictSame(Object.keys((await change({ date: '2026-03-26' })).body.errors), ['time']);
    t.equal((await change({ cancel: true })).status, 200);
    t.strictSame(Object.keys((await change({ cancel: false })).body.errors), ['time']);
    t.equal((await change({ cancel: false, time: 2 })).status, 200);
    const whole = { ...own, time: 2, cancel: true };
    const put = (body: object) => api.put(`/appointments/${own.id}/`, { token: ann.token, body });
    t.match(await put(whole), { status: 200, body: { cancel: true } });
    const { cancel: _cancel, ...rest } = whole;
    t.match(await put(rest), { status: 200, body: { cancel: false } });
  });
});

t.test(
  'a slot that changes while it is booked: the appointment has the old time or the new one, whichever comes first',
  async (t) => {
    const { api, client, staff, patient, doctor, book } = await clinic(t);
    const [ann, one] = [await patient(), await doctor()];
    const { answers } = await client.begin(async (tx) => {
      await tx`select from available_times where id = 1 for update`;
      const made = book(ann.token, one.doctorId);
      await waiting(client);
      const changed = api.patch('/available-time/1/', { token: staff.token, body: { time: '11:00 - 11:30' } });
      return { answers: Promise.all([made, changed]) };
    });
    const [made, changed] = await answers;
    t.equal(made.status, 201);
    const [row] = await client`
    select lower(period)::time::text as start, start_minute from appointments
    join available_times on available_times.id = available_time_id where appointments.id = ${made.body.id as number}`;
    t.strictSame(
      row,
      changed.status === 409 ? { start: '10:00:00', start_minute: 600 } : { start: '11:00:00', start_minute: 660 },
    );
  },
);

t.test('holds', async (t) => {
  const { api, doctor, patient, book, setNow } = await bookingClinic(t, ['10:00', '10:15', 'Evening', '15:00'], RACING);
  const { db } = api.database;
  const [ann, bob] = [await patient(), await patient()];
  const hold = (token: string | undefined, body: object, remoteAddress = '192.0.2.1') =>
    api.post('/holds/', {
      token,
      remoteAddress,
      body: { doctor: doctor.doctorId, time: 1, date: '2026-03-10', ...body },
    });
  const lock = `select from doctors where id = ${doctor.doctorId} for update`;

  await t.test('createHold 201 once and 409 for 49 others who want the slot', async (t) => {
    for (const time of [1, 3]) {
      const answers = await Promise.all(
        Array.from({ length: 50 }, (_, n) => hold(undefined, { time }, `192.0.2.${n}`)),
      );
      t.strictSame(statuses(answers), [201, ...Array.from({ length: 49 }, () => 409)]);
    }
    t.equal((await db.execute('select from holds')).length, 2);
  });

  await t.test('createHold 201 three times of four at once, of a user and of an address', async (t) => {
    // Of as many doctors, by whose locks they would come one after the other.
    const doctors = [doctor.doctorId];
    while (doctors.length < 4) doctors.push((await api.registerDoctor({ available_time: [1] })).doctorId);
    for (const [token, month] of [
      [ann.token, '2026-04'],
      [undefined, '2026-05'],
    ] as const) {
      const requests = doctors.map((id) => () => hold(token, { doctor: id, date: `${month}-01` }, '198.51.100.1'));
      const answers = await race(api, 'select from doctors for update', requests);
      t.strictSame(statuses(answers), [201, 201, 201, 409]);
    }
    await db.execute('delete from holds');
  });

  await t.test('createHold or createAppointment 201, never both', async (t) => {
    for (let round = 0; round < 12; round++) {
      const date = `2026-06-${10 + round}`;
      const time = round % 2 === 0 ? 1 : 3;
      const requests = [
        () => hold(undefined, { date, time }, `192.0.2.${round}`),
        () => book(bob, { date, time: time === 1 ? 2 : 3 }),
      ];
      const answers = await race(api, lock, round % 4 < 2 ? requests : requests.toReversed());
      t.strictSame(statuses(answers), [201, 409]);
    }
    await db.execute('delete from holds');
  });

  await t.test(
    'createAppointment 201 once where a hold ends while it is booked, and somebody else wants the slot',
    async (t) => {
      for (let round = 0; round < 8; round++) {
        const date = `2026-07-${10 + round}`;
        setNow('2026-03-02T12:00:00Z');
        const { token } = (await hold(undefined, { date }, `192.0.2.${round}`)).body;
        const redeem = {
          now: '2026-03-02T12:04:59.999Z',
          send: () =>
            api.post('/appointments/', {
              token: ann.token,
              body: { hold: token, appointment_type: 'Online', symptoms: 'Headache' },
            }),
        };
        const rival = { now: '2026-03-02T12:05:00Z', send: () => book(bob, { date, time: 2 }) };
        const order = round % 2 === 0 ? [redeem, rival] : [rival, redeem];
        const { sent } = await db.transaction(async (tx) => {
          await tx.execute(lock);
          const sent: Promise<TestAnswer>[] = [];
          for (const { now, send } of order) {
            setNow(now);
            sent.push(send());
            await untilQueued(tx, () => sent.length);
          }
          return { sent };
        });
        const answers = await Promise.all(sent);
        t.strictSame(
          answers.map(({ status }) => status),
          round % 2 === 0 ? [201, 409] : [201, 400],
          'the first one has it',
        );
        t.equal((await db.execute(`select from appointments where date = '${date}'`)).length, 1);
      }
      t.equal((await db.execute('select from holds')).length, 0);
    },
  );

  await t.test('createAppointment 201 once for ten who have the token', async (t) => {
    const { token } = (await hold(undefined, { date: '2026-08-01' })).body;
    const redeem = (who: { token: string }) =>
      api.post('/appointments/', {
        token: who.token,
        body: { hold: token, appointment_type: 'Online', symptoms: 'Headache' },
      });
    const answers = await race(
      api,
      lock,
      Array.from({ length: 10 }, (_, n) => () => redeem(n % 2 === 0 ? ann : bob)),
    );
    t.strictSame(statuses(answers), [201, ...Array.from({ length: 9 }, () => 400)]);
  });
});
