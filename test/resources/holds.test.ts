import t from 'tap';
import type { TestAnswer } from '../helpers/app.js';
import { clinic, type BookingClinic } from '../helpers/booking.js';

const LABELS = ['10:00 - 10:30', '10:15 - 10:45', '11:00 - 11:30', '11:30 - 12:00', '12:00 - 12:30', 'Evening'];
const DATE = '2026-03-10';

/** What the tests do with holds; who is not given is not signed in. */
function of({ api, doctor, setNow }: BookingClinic) {
  type Who = { token: string } | undefined;
  const hold = (who: Who, body: object = {}, remoteAddress?: string) =>
    api.post('/holds/', {
      token: who?.token,
      body: { doctor: doctor.doctorId, time: 1, date: DATE, ...body },
      ...(remoteAddress !== undefined && { remoteAddress }),
    });
  return {
    hold,
    /** The token of a hold that is to be made. */
    held: async (...given: Parameters<typeof hold>): Promise<string> => {
      const answer = await hold(...given);
      if (answer.status !== 201) throw new Error(answer.text);
      return answer.body.token as string;
    },
    end: (token: string) => api.delete(`/holds/${token}/`),
    /** Books with the hold alone. */
    redeem: (who: { token: string }, token: string, body: object = {}) =>
      api.post('/appointments/', {
        token: who.token,
        body: { appointment_type: 'Online', symptoms: 'Headache', hold: token, ...body },
      }),
    /** The times of the day that are free for somebody. */
    free: async (who?: Who): Promise<number[]> => {
      const answer = await api.get(`/doctors/${doctor.doctorId}/availability/?from=${DATE}&to=${DATE}`, {
        token: who?.token,
      });
      const found = await api.get(`/availability/?from=${DATE}&to=${DATE}&doctor=${doctor.doctorId}`, {
        token: who?.token,
      });
      const times = (slots: { time: number }[]) => slots.map(({ time }) => time);
      if (JSON.stringify(times(answer.body)) !== JSON.stringify(times(found.body.results))) {
        throw new Error(`${answer.text} is not ${found.text}`);
      }
      return times(answer.body);
    },
    /** The clock that many minutes after noon. */
    at: (minutes: number) => setNow(new Date(Date.UTC(2026, 2, 2, 12, minutes)).toISOString()),
    rows: async () => (await api.database.db.execute('select from holds')).length,
  };
}

const wrong = (answer: TestAnswer): [number, string[]] => [answer.status, Object.keys(answer.body.errors as object)];

t.test('createHold', async (t) => {
  const house = await clinic(t, LABELS);
  const { api, doctor, staff, book } = house;
  const { hold, held, end, free, at, rows } = of(house);
  const [ann, bob] = [await house.patient(), await house.patient()];

  await t.test('createHold 201 keeps the slot from others, and shows as no appointment', async (t) => {
    const answer = await hold(ann);
    t.strictSame(answer.body, {
      token: answer.body.token,
      expires_at: '2026-03-02T12:05:00.000Z',
      doctor: doctor.doctorId,
      time: 1,
      date: DATE,
      start: '2026-03-10T10:00:00.000Z',
      end: '2026-03-10T10:30:00.000Z',
      label: '10:00 - 10:30',
    });
    t.match(answer.body.token, /^[\w-]{32}$/);
    t.strictSame(await free(), [3, 4, 5, 6]);
    t.strictSame(await free(bob), [3, 4, 5, 6]);
    t.strictSame(await free(ann), [1, 2, 3, 4, 5, 6], 'nobody shuts themselves out');
    t.equal((await api.get('/appointments/', { token: staff.token })).body.count, 0);
    const refused = await book(bob, { time: 2, date: DATE });
    t.match(refused, { status: 409, body: { type: '/problems/slot-taken', detail: /^Somebody holds the slot/ } });
    t.strictSame(
      refused.body.alternatives.map(({ date, time }: { date: string; time: number }) => [date, time]),
      [...[3, 4, 5, 6].map((time) => [DATE, time]), ['2026-03-11', 1]],
    );
    t.equal((await book(bob, { time: 3, date: DATE })).status, 201);
    t.equal((await end(answer.body.token as string)).status, 204);
    t.strictSame(await free(), [1, 2, 4, 5, 6]);
  });

  await t.test('createHold 201 for one to 15 minutes, and for the soonest date', async (t) => {
    for (const minutes of [1, 15]) {
      const answer = await hold(ann, { minutes });
      t.equal(Date.parse(answer.body.expires_at as string), Date.UTC(2026, 2, 2, 12, minutes));
    }
    t.equal(await rows(), 1, 'the same time again is the one hold');
    t.match(await hold(bob, { time: 2, date: undefined }), { status: 201, body: { date: '2026-03-03' } });
    const evening = await hold(undefined, { time: 6, date: undefined });
    t.match(evening, { status: 201, body: { date: '2026-03-02', start: null, end: null, label: 'Evening' } });
    t.match(await book(ann, { time: 6 }), { status: 201, body: { date: '2026-03-03' } }, 'the next one that is free');
    await api.database.db.execute('delete from holds');
  });

  await t.test('createHold 400 by the rules of a booking', async (t) => {
    t.strictSame(wrong(await hold(ann, { date: '2026-03-01' })), [400, ['date']]);
    t.strictSame(wrong(await hold(ann, { date: '2028-03-01' })), [400, ['date']]);
    t.strictSame(wrong(await hold(ann, { time: 99 })), [400, ['time']]);
    t.strictSame(wrong(await hold(ann, { doctor: 99 })), [400, ['doctor']]);
    for (const minutes of [0, 16]) t.strictSame(wrong(await hold(ann, { minutes })), [400, ['minutes']]);
    const leave = { doctor: doctor.doctorId, from: '2026-03-20', to: '2026-03-20' };
    await api.post('/time-off/', { token: staff.token, body: leave });
    t.strictSame(wrong(await hold(ann, { date: '2026-03-20' })), [400, ['date']]);
  });

  await t.test('createHold 401 with a token that is none', async (t) => {
    t.equal((await hold({ token: 'rubbish' })).status, 401);
  });

  await t.test('createHold 409 for what is booked, or held by somebody else', async (t) => {
    t.match(await hold(ann, { time: 3 }), { status: 409, body: { detail: /^The doctor or the patient has/ } });
    const tokens = [await held(bob, { time: 1 }), await held(undefined, { time: 6 })];
    for (const time of [2, 6]) {
      t.match(await hold(ann, { time }), {
        status: 409,
        body: { detail: /^Somebody holds/, alternatives: { length: 5 } },
      });
      t.equal((await hold(undefined, { time })).status, 409);
    }
    t.equal((await hold(undefined, { time: 6 })).status, 409, 'an address is nobody');
    for (const token of tokens) await end(token);
  });

  await t.test('createHold 409 for the fourth of a user, or of an address', async (t) => {
    const times = (date: string) => (time: number) => ({ date, time });
    for (const [who, date, address, another] of [
      [ann, '2026-03-12', '192.0.2.1', '192.0.2.2'],
      [undefined, '2026-03-13', '192.0.2.1', '192.0.2.1'],
      [undefined, '2026-03-14', '2001:db8::1', '2001:db8::ffff:2'],
    ] as const) {
      const of = times(date);
      await held(who, { ...of(1), minutes: 9 }, address);
      await held(who, { ...of(3), minutes: 4 }, address);
      await held(who, { ...of(4), minutes: 6 }, address);
      const refused = await hold(who, of(5), another);
      t.match(refused, {
        status: 409,
        body: { type: '/problems/too-many-holds', detail: /2026-03-02T12:04:00\.000Z\.$/ },
      });
    }
    t.equal((await hold(ann, { ...times('2026-03-12')(1) })).status, 201, 'in place of the same time');
    t.equal((await hold(undefined, times('2026-03-15')(1), '192.0.2.9')).status, 201, 'another address');
    t.equal((await hold(undefined, times('2026-03-15')(3), '2001:db8:0:1::1')).status, 201, 'another network');
    t.equal((await hold(bob, times('2026-03-15')(4), '192.0.2.1')).status, 201, 'who signs in is a user');
    at(4);
    t.equal((await hold(ann, times('2026-03-12')(5))).status, 201, 'one has ended');
    t.equal((await hold(ann, times('2026-03-12')(6))).status, 409);
    at(0);
    await api.database.db.execute('delete from holds');
  });

  await t.test('createHold 201: neither token nor address is stored', async (t) => {
    const token = await held(undefined, {}, '192.0.2.77');
    const [row] = await api.database.db.execute<{ text: string }>('select holds::text as text from holds');
    t.notMatch(row?.text, token);
    t.notMatch(row?.text, '192.0.2.77');
    await end(token);
  });

  await t.test('deleteHold 204 once, and 404 for what is no hold', async (t) => {
    const token = await held(ann);
    t.equal((await end(token)).status, 204);
    t.equal((await end(token)).status, 404);
    t.equal((await end('rubbish')).status, 404);
    t.equal((await end('x'.repeat(101))).status, 404);
    const old = await held(ann);
    at(5);
    t.equal((await end(old)).status, 404, 'it has ended');
    at(0);
  });
});

t.test('createAppointment with a hold', async (t) => {
  const house = await clinic(t, LABELS);
  const { api, doctor, staff, book } = house;
  const { held, end, redeem, free, at, rows } = of(house);
  const [ann, bob] = [await house.patient(), await house.patient()];
  const days = Array.from({ length: 40 }, (_, n) => new Date(Date.UTC(2026, 2, 20 + n)).toISOString().slice(0, 10));
  const day = () => days.shift() as string;

  await t.test('createAppointment 201 with the token alone, whoever has made the hold', async (t) => {
    for (const who of [undefined, ann, bob]) {
      const date = day();
      const token = await held(who, { date, time: 6 });
      const booked = await redeem(ann, token);
      t.match(booked, { status: 201, body: { doctor: doctor.doctorId, time: 6, date } });
      t.equal(await rows(), 0);
      t.strictSame(wrong(await redeem(bob, token)), [400, ['hold']], 'it is used');
      t.equal((await end(token)).status, 404);
    }
  });

  await t.test('createAppointment 201 with what the hold says too, and 400 with anything else', async (t) => {
    const date = day();
    const token = await held(undefined, { date });
    for (const other of [{ doctor: 99 }, { time: 2 }, { date: day() }, { date, time: 1, doctor: 99 }]) {
      const refused = await redeem(ann, token, other);
      t.match(refused, { status: 400, body: { errors: { hold: ['is for another slot'] } } });
    }
    t.equal((await redeem(ann, token, { doctor: doctor.doctorId, time: 1, date })).status, 201);
  });

  await t.test('createAppointment 400 for a hold that has ended or is none', async (t) => {
    const token = await held(undefined, { date: day() });
    at(5);
    for (const each of [token, 'rubbish']) {
      const refused = await redeem(ann, each);
      t.match(refused, { status: 400, body: { errors: { hold: [/^has ended or does not exist; /] } } });
    }
    t.strictSame(wrong(await redeem(ann, '')), [400, ['hold']]);
    at(0);
    await end(token);
  });

  await t.test('createAppointment 400 names doctor and time where there is no hold, as ever', async (t) => {
    const { body } = await api.post('/appointments/', { token: ann.token, body: {} });
    t.equal(body.detail, 'The request has invalid input: doctor, appointment_type, symptoms, time.');
    t.strictSame(Object.values(body.errors as object), [
      ['is required'],
      ['is required'],
      ['is required'],
      ['is required'],
    ]);
    const { body: held } = await api.post('/appointments/', { token: ann.token, body: { hold: 'x' } });
    t.strictSame(Object.keys(held.errors as object), ['appointment_type', 'symptoms']);
  });

  await t.test('createAppointment 201 without the token by who has made the hold, which ends', async (t) => {
    const date = day();
    const token = await held(ann, { date, time: 1 });
    await held(ann, { date, time: 3 });
    t.match(await book(bob, { date, time: 2 }), { status: 409 });
    t.match(await book(ann, { date, time: 2 }), { status: 201, body: { time: 2 } });
    t.equal((await end(token)).status, 404);
    t.equal(await rows(), 1, 'the one of another time stays');
    await api.database.db.execute('delete from holds');
  });

  await t.test('createAppointment 201 of what a hold that has ended is in the way of no more', async (t) => {
    const date = day();
    await held(bob, { date });
    await held(undefined, { date, time: 6 });
    at(5);
    for (const time of [1, 6]) t.equal((await book(ann, { date, time })).status, 201);
    t.equal(await rows(), 0);
    at(0);
  });

  await t.test('createAppointment 400 and 409 leave the hold', async (t) => {
    const date = day();
    await book(ann, { date, time: 2, doctor: (await house.api.registerDoctor({ available_time: [2] })).doctorId });
    const token = await held(ann, { date });
    t.match(await redeem(ann, token), { status: 409 }, 'the patient is elsewhere');
    t.strictSame(wrong(await redeem(ann, token, { symptoms: '' })), [400, ['symptoms']]);
    t.equal((await redeem(bob, token)).status, 201);
  });

  await t.test('createAppointment 201 once with a hold and an Idempotency-Key', async (t) => {
    const token = await held(undefined, { date: day() });
    const send = () =>
      api.post('/appointments/', {
        token: ann.token,
        body: { appointment_type: 'Online', symptoms: 'Headache', hold: token },
        headers: { 'idempotency-key': 'of a hold' },
      });
    const [first, again] = [await send(), await send()];
    t.equal(first.status, 201);
    t.equal(again.text, first.text);
  });

  await t.test('createAppointment 400 where what is held is offered no more', async (t) => {
    const url = `/doctors/${doctor.doctorId}/`;
    const date = day();
    const token = await held(ann, { date });
    const leave = { doctor: doctor.doctorId, from: date, to: date };
    const { id } = (await api.post('/time-off/', { token: staff.token, body: leave })).body;
    t.strictSame(wrong(await redeem(ann, token)), [400, ['date']]);
    await api.delete(`/time-off/${id}/`, { token: staff.token });
    await api.patch(url, { token: doctor.token, body: { available_time: [2, 3, 4, 5, 6] } });
    t.strictSame(wrong(await redeem(ann, token)), [400, ['time']]);
    await api.patch(url, { token: doctor.token, body: { available_time: [1, 2, 3, 4, 5, 6] } });
    t.equal((await redeem(ann, token)).status, 201);

    const inactive = await held(ann, { date, time: 4 });
    await api.patch(`/api/user/users/${doctor.id}/`, { token: staff.token, body: { is_active: false } });
    t.strictSame(wrong(await redeem(ann, inactive)), [400, ['doctor']]);
    await api.patch(`/api/user/users/${doctor.id}/`, { token: staff.token, body: { is_active: true } });
    await end(inactive);
  });

  await t.test('updateAvailableTime 200 ends what is held of the slot where its clock times change', async (t) => {
    const date = day();
    const { id } = (await api.post('/available-time/', { token: staff.token, body: { time: '15:00' } })).body;
    const offer = (times: number[]) =>
      api.patch(`/doctors/${doctor.doctorId}/`, { token: staff.token, body: { available_time: times } });
    await offer([1, 2, 3, 4, 5, 6, id]);
    const [token, other] = [await held(ann, { date, time: id }), await held(ann, { date })];
    const change = (time: string) => api.patch(`/available-time/${id}/`, { token: staff.token, body: { time } });
    t.equal((await change('3 pm')).status, 200);
    t.equal(await rows(), 2, 'not for another spelling');
    t.equal((await change('16:00')).status, 200);
    t.strictSame(wrong(await redeem(ann, token)), [400, ['hold']]);
    t.equal((await redeem(ann, other)).status, 201);
    await held(ann, { date, time: id });
    await offer([1, 2, 3, 4, 5, 6]);
    t.equal((await api.delete(`/available-time/${id}/`, { token: staff.token })).status, 204);
    t.equal(await rows(), 0, 'no hold keeps a slot from being deleted');
  });

  await t.test('updateAppointment and replaceAppointment 200 move to the slot of a hold', async (t) => {
    const [date, next, last] = [day(), day(), day()];
    const { body: booked } = await book(ann, { date });
    const url = `/appointments/${booked.id}/`;
    const tokens = [await held(undefined, { date: next, time: 6 }), await held(bob, { date: last, time: 2 })] as const;
    t.match(await api.patch(url, { token: ann.token, body: { date: last } }), { status: 409 });
    t.strictSame(wrong(await api.patch(url, { token: ann.token, body: { hold: tokens[0], time: 1 } })), [
      400,
      ['hold'],
    ]);
    const moved = await api.patch(url, { token: ann.token, body: { hold: tokens[0] } });
    t.match(moved, { status: 200, body: { date: next, time: 6 } });
    const whole = { appointment_type: 'Offline', symptoms: 'Better', hold: tokens[1] };
    t.match(await api.put(url, { token: ann.token, body: whole }), { status: 200, body: { date: last, time: 2 } });
    t.equal(await rows(), 0);
    const { hold: _hold, ...rest } = whole;
    t.strictSame(wrong(await api.put(url, { token: ann.token, body: rest })), [400, ['doctor', 'time']]);
  });

  await t.test('updateAppointment 409 for taking back what is held, and 200 for who holds it', async (t) => {
    const date = day();
    const { body: booked } = await book(ann, { date });
    const change = (body: object) => api.patch(`/appointments/${booked.id}/`, { token: ann.token, body });
    await change({ cancel: true });
    const token = await held(bob, { date, time: 2 });
    t.match(await change({ cancel: false }), { status: 409, body: { detail: /^Somebody holds/ } });
    await end(token);
    await held(ann, { date, time: 2 });
    t.equal((await change({ cancel: false })).status, 200);
    t.equal(await rows(), 0);
    t.strictSame(await free(), [1, 2, 3, 4, 5, 6]);
  });
});

t.test('createHold 400 within the notice, judged again where it is booked', async (t) => {
  const house = await clinic(t, LABELS, { BOOKING_NOTICE: '2h' });
  const { hold, held, redeem, at } = of(house);
  const ann = await house.patient();
  t.equal((await hold(ann, { date: '2026-03-02', time: 1 })).status, 400);
  house.setNow('2026-03-10T07:59:00Z');
  const token = await held(ann, { minutes: 15 });
  t.match(await hold(undefined, { time: 2, date: '2026-03-10' }), { status: 409 });
  house.setNow('2026-03-10T08:00:00Z');
  t.strictSame(wrong(await redeem(ann, token)), [400, ['date']]);
  t.strictSame(wrong(await hold(undefined)), [400, ['date']]);
  t.equal((await hold(house.staff, { time: 3 })).status, 201, 'staff give no notice');
  at(0);
});
