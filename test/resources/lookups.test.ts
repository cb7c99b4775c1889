import t from 'tap';
import { buildTestApp } from '../helpers/app.js';

const lookups = [
  { path: '/designations/', one: 'Designation', many: 'Designations', field: 'designation' },
  { path: '/specialisations/', one: 'Specialisation', many: 'Specialisations', field: 'specialisation' },
];

for (const { path, one, many, field } of lookups) {
  t.test(many, async (t) => {
    const api = await buildTestApp(t);
    const staff = await api.registerStaff();
    const patient = await api.register();
    const { token } = staff;
    const create = (body: object) => api.post(path, { token, body });

    await t.test(`create${one} 201`, async (t) => {
      const answer = await create({ name: 'Chief', slug: 'chief', id: 77, extra: 'ignored' });
      t.equal(answer.status, 201);
      t.strictSame(answer.body, { id: 1, name: 'Chief', slug: 'chief' });
    });

    await t.test(`list${many} 200 in the order of id`, async (t) => {
      await create({ name: 'Assistant', slug: 'assistant' });
      const answer = await api.get(path);
      t.equal(answer.status, 200);
      t.strictSame(
        answer.body.map((entry: { slug: string }) => entry.slug),
        ['chief', 'assistant'],
      );
    });

    await t.test(`get${one} 200 and 404`, async (t) => {
      t.strictSame((await api.get(`${path}1/`)).body, { id: 1, name: 'Chief', slug: 'chief' });
      for (const id of ['999', '0', '-1', 'x', '9007199254740991', '9007199254740992', '1e3', '1.0']) {
        t.equal((await api.get(`${path}${id}/`)).status, 404, id);
      }
    });

    await t.test(`create${one} 400 names every fault at once`, async (t) => {
      const answer = await create({ name: '', slug: 'not a slug' });
      t.equal(answer.status, 400);
      t.strictSame(answer.body.errors, {
        name: ['must not be empty'],
        slug: ['may contain only letters, digits, _ and -'],
      });
      t.equal((await create({ name: 'x'.repeat(51), slug: 'x'.repeat(61) })).status, 400);
      t.equal((await create({ name: 'ä'.repeat(50), slug: 'x'.repeat(60) })).status, 201);
    });

    await t.test(`create${one} 409 when the slug is taken, also by many at once`, async (t) => {
      const answer = await create({ name: 'Other', slug: 'chief' });
      t.equal(answer.status, 409);
      t.strictSame(answer.body.errors, { slug: ['is taken already'] });
      const statuses = (await Promise.all(Array.from({ length: 8 }, () => create({ name: 'Once', slug: 'once' })))).map(
        (each) => each.status,
      );
      t.strictSame(statuses.sort(), [201, ...Array.from({ length: 7 }, () => 409)]);
    });

    await t.test(`create${one} 401 and 403`, async (t) => {
      const body = { name: 'No', slug: 'no' };
      t.equal((await api.post(path, { body })).status, 401);
      t.equal((await api.post(path, { body, token: patient.token })).status, 403);
      t.notOk((await api.get(path)).text.includes('"no"'));
    });

    await t.test(`replace${one} 200, 400, 404, 409`, async (t) => {
      const changed = await api.put(`${path}1/`, { token, body: { name: 'Head', slug: 'head' } });
      t.strictSame(changed.body, { id: 1, name: 'Head', slug: 'head' });
      t.equal((await api.put(`${path}1/`, { token, body: { name: 'Head' } })).status, 400);
      t.equal((await api.put(`${path}999/`, { token, body: { name: 'Head', slug: 'h' } })).status, 404);
      t.equal((await api.put(`${path}1/`, { token, body: { name: 'Head', slug: 'assistant' } })).status, 409);
    });

    await t.test(`update${one} 200 changes only what is sent, 404, 409`, async (t) => {
      t.strictSame((await api.patch(`${path}1/`, { token, body: { name: 'Boss' } })).body, {
        id: 1,
        name: 'Boss',
        slug: 'head',
      });
      t.equal((await api.patch(`${path}1/`, { token, body: {} })).status, 200);
      t.equal((await api.patch(`${path}999/`, { token, body: {} })).status, 404);
      t.equal((await api.patch(`${path}1/`, { token, body: { slug: 'assistant' } })).status, 409);
    });

    await t.test(`delete${one} 204, 404, and 409 while a doctor has it`, async (t) => {
      const entry = (await create({ name: 'Used', slug: 'used' })).body;
      const doctor = await api.registerDoctor({ [field]: [entry.id] });
      t.equal((await api.delete(`${path}${entry.id}/`, { token })).status, 409);
      t.equal((await api.delete(`/doctors/${doctor.doctorId}/`, { token: doctor.token })).status, 204);
      t.equal((await api.delete(`${path}${entry.id}/`, { token })).status, 204, 'an archived doctor does not hold it');
      t.equal((await api.delete(`${path}${entry.id}/`, { token })).status, 404);
    });
  });
}

t.test('available times', async (t) => {
  const api = await buildTestApp(t, { SLOT_MINUTES: '20' });
  const { token } = await api.registerStaff();
  const path = '/available-time/';

  await t.test('createAvailableTime 201 and 400', async (t) => {
    t.strictSame((await api.post(path, { token, body: { time: '10:00 AM - 10:30 AM' } })).body, {
      id: 1,
      time: '10:00 AM - 10:30 AM',
      start: '10:00',
      end: '10:30',
    });
    for (const time of ['', 'x'.repeat(51), 5, null, undefined, 'a\0b', '\ud800']) {
      t.equal((await api.post(path, { token, body: { time } })).status, 400, String(time));
    }
  });

  await t.test('createAvailableTime 201 stores the clock times that the label reads as', async (t) => {
    await api.post(path, { token, body: { time: '9.30' } });
    await api.post(path, { token, body: { time: 'After lunch' } });
    const rows = await api.database.db.execute(
      'select label, start_minute, end_minute from available_times order by id',
    );
    t.strictSame(
      [...rows],
      [
        { label: '10:00 AM - 10:30 AM', start_minute: 600, end_minute: 630 },
        { label: '9.30', start_minute: 570, end_minute: 590 },
        { label: 'After lunch', start_minute: null, end_minute: null },
      ],
    );
  });

  await t.test('listAvailableTimes 200 with the filter id, 400', async (t) => {
    t.equal((await api.get(path)).body.length, 3);
    t.strictSame((await api.get(`${path}?id=2`)).body, [{ id: 2, time: '9.30', start: '09:30', end: '09:50' }]);
    t.strictSame((await api.get(`${path}?id=99`)).body, []);
    t.equal((await api.get(`${path}?id=x`)).status, 400);
  });

  await t.test('replaceAvailableTime and updateAvailableTime 200 read the clock times anew', async (t) => {
    t.strictSame((await api.put(`${path}2/`, { token, body: { time: '14:00-14:30' } })).body, {
      id: 2,
      time: '14:00-14:30',
      start: '14:00',
      end: '14:30',
    });
    t.strictSame((await api.patch(`${path}3/`, { token, body: { time: '15:00' } })).body, {
      id: 3,
      time: '15:00',
      start: '15:00',
      end: '15:20',
    });
    t.match((await api.patch(`${path}3/`, { token, body: { time: 'Late' } })).body, { start: null, end: null });
    t.match((await api.get(`${path}3/`)).body, { time: 'Late', start: null, end: null });
    await api.patch(`${path}3/`, { token, body: { time: '15:00' } });
    // An end on the next day.
    t.match((await api.post(path, { token, body: { time: '23:30 - 0:15' } })).body, { start: '23:30', end: '00:15' });
    t.equal((await api.patch(`${path}3/`, { token, body: {} })).status, 200);
    const rows = await api.database.db.execute('select start_minute, end_minute from available_times order by id');
    t.strictSame([...rows].slice(1, 3), [
      { start_minute: 840, end_minute: 870 },
      { start_minute: 900, end_minute: 920 },
    ]);
  });

  await t.test('replaceAvailableTime, updateAvailableTime 404', async (t) => {
    t.equal((await api.put(`${path}99/`, { token, body: { time: '1:00' } })).status, 404);
    t.equal((await api.patch(`${path}99/`, { token, body: {} })).status, 404);
  });

  await t.test('createAvailableTime, replaceAvailableTime, updateAvailableTime 400 for a weekday', async (t) => {
    for (const time of ['Mon 09:00 - 09:30', 'Tuesdays', 'So. 10:00', 'lundi matin', '周一10:00']) {
      for (const answer of [
        await api.post(path, { token, body: { time } }),
        await api.put(`${path}3/`, { token, body: { time } }),
        await api.patch(`${path}3/`, { token, body: { time } }),
      ]) {
        t.equal(answer.status, 400, time);
        t.match(answer.body.errors.time[0], /^must not name a weekday/);
      }
    }
  });

  await t.test(
    'replaceAvailableTime, updateAvailableTime 409 for other clock times while upcoming appointments stand in the slot',
    async (t) => {
      const create = async (time: string) => (await api.post(path, { token, body: { time } })).body.id;
      const [clock, label] = [await create('16:00-16:30'), await create('Evening')];
      const doctor = await api.registerDoctor({ available_time: [clock, label] });
      const patient = await api.register();
      const date = new Date(Date.now() + 7 * 86_400_000).toISOString().slice(0, 10);
      const book = async (time: number) => {
        const body = { doctor: doctor.doctorId, date, time, appointment_type: 'Online', symptoms: 'x' };
        const answer = await api.post('/appointments/', { token: patient.token, body });
        t.equal(answer.status, 201);
        return `/appointments/${answer.body.id}/`;
      };
      for (const [slot, others, spellings] of [
        [clock, ['17:15-17:45', '16:00-16:45', '15:45-16:30', 'Afternoon'], ['4 - 4:30 PM', '16h00 – 16h30']],
        [label, ['19:00', '19:00 - 20:00'], ['Evening ', 'In the evening']],
      ] as const) {
        const url = await book(slot);
        const before = await api.get(url, { token: patient.token });
        for (const time of others) {
          for (const answer of [
            await api.put(`${path}${slot}/`, { token, body: { time } }),
            await api.patch(`${path}${slot}/`, { token, body: { time } }),
          ]) {
            t.match(answer, { status: 409, body: { type: '/problems/in-use' } }, time);
          }
        }
        for (const time of spellings) {
          t.equal((await api.patch(`${path}${slot}/`, { token, body: { time } })).status, 200, time);
        }
        const after = await api.get(url, { token: patient.token });
        t.strictSame(after.body, { ...before.body, label: spellings[1].trim() }, 'nothing but its label is another');
        await api.patch(url, { token: patient.token, body: { cancel: true } });
        t.equal((await api.patch(`${path}${slot}/`, { token, body: { time: others[0] } })).status, 200);
        t.equal((await api.patch(url, { token: patient.token, body: { cancel: false } })).status, 200);
        t.equal((await api.patch(`${path}${slot}/`, { token, body: { time: others[1] } })).status, 409);
      }
    },
  );

  await t.test('deleteAvailableTime 204, 404, and 409 while a doctor offers it', async (t) => {
    const doctor = await api.registerDoctor({ available_time: [1] });
    t.equal((await api.delete(`${path}1/`, { token })).status, 409);
    t.equal((await api.delete(`/doctors/${doctor.doctorId}/`, { token })).status, 204);
    t.equal((await api.delete(`${path}1/`, { token })).status, 204);
    t.equal((await api.get(`${path}1/`)).status, 404);
    t.equal((await api.delete(`${path}1/`, { token })).status, 404);
  });
});
