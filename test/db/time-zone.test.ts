import postgres from 'postgres';
import t from 'tap';
import { spellingOf } from '../../db/time-zone.js';
import { buildTestApp } from '../helpers/app.js';
import { createTestDatabase } from '../helpers/database.js';

t.test('a zone in a spelling that the server knows', async (t) => {
  const client = postgres(await createTestDatabase(t), { max: 1, connection: { DateStyle: 'ISO' } });
  t.teardown(() => client.end());
  for (const zone of ['UTC', 'Europe/Berlin', 'Asia/Kolkata', 'America/Argentina/Buenos_Aires', 'Etc/GMT+5']) {
    t.equal(await spellingOf(client, zone), zone);
  }
  // A name that Node knows, and no server.
  const spelling = await spellingOf(client, 'US/Pacific-New');
  t.not(spelling, 'US/Pacific-New');
  const [row] = await client`select timestamp '2026-07-01 12:00' at time zone ${spelling} as moment`;
  t.strictSame(row, { moment: new Date('2026-07-01T19:00:00Z') });
  await t.rejects(spellingOf(client, 'Nowhere/At_All'), {
    message: 'CLINIC_TIME_ZONE must be a time zone that the database\'s server knows, but is "Nowhere/At_All"',
  });
});

t.test('createAppointment 201 in a zone that Node and the server spell differently', async (t) => {
  const api = await buildTestApp(
    t,
    { CLINIC_TIME_ZONE: 'US/Pacific-New' },
    { now: () => new Date('2026-07-01T12:00:00Z') },
  );
  const staff = await api.registerStaff();
  await api.post('/available-time/', { token: staff.token, body: { time: '10:00' } });
  const doctor = await api.registerDoctor({ available_time: [1] });
  const patient = await api.register();
  const body = { doctor: doctor.doctorId, time: 1, appointment_type: 'Online', symptoms: 'x' };
  const answer = await api.post('/appointments/', { token: patient.token, body });
  t.match(answer, { status: 201, body: { date: '2026-07-01' } });
});
