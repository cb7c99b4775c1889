import t from 'tap';
import { buildTestApp } from '../helpers/app.js';

t.test('getClinic 200', async (t) => {
  const now = () => new Date('2026-03-02T23:05:09.120Z');
  const unset = await buildTestApp(t, { MAX_OPEN_BOOKINGS: '', MAX_OPEN_BOOKINGS_PER_DOCTOR: '' }, { now });
  t.strictSame((await unset.get('/clinic/')).body, {
    ...{ name: 'Clinic', time_zone: 'UTC', slot_minutes: 30, booking_horizon_days: 365 },
    ...{ booking_notice_seconds: 0, change_notice_seconds: 0, closures: [] },
    ...{ today: '2026-03-02', clock: '23:05', now: '2026-03-02T23:05:09.120Z' },
    ...{ max_open_bookings: 20, max_open_bookings_per_doctor: 5 },
  });
  const environment = {
    ...{ CLINIC_NAME: 'Clínica São José', CLINIC_TIME_ZONE: 'Asia/Kathmandu' },
    ...{ SLOT_MINUTES: '20', BOOKING_HORIZON_DAYS: '90', BOOKING_NOTICE: '2h', CHANGE_NOTICE: '1d' },
    ...{ MAX_OPEN_BOOKINGS: '7', MAX_OPEN_BOOKINGS_PER_DOCTOR: '3' },
  };
  const set = await buildTestApp(t, environment, { now });
  t.strictSame((await set.get('/clinic/')).body, {
    ...{ name: 'Clínica São José', time_zone: 'Asia/Kathmandu', slot_minutes: 20, booking_horizon_days: 90 },
    ...{ booking_notice_seconds: 7200, change_notice_seconds: 86_400, closures: [] },
    ...{ today: '2026-03-03', clock: '04:50', now: '2026-03-02T23:05:09.120Z' },
    ...{ max_open_bookings: 7, max_open_bookings_per_doctor: 3 },
  });
});

t.test('getClinic 200 with the closures that are not over, the soonest first', async (t) => {
  let now = '2026-03-02T08:00:00Z';
  const api = await buildTestApp(t, { CLINIC_TIME_ZONE: 'Europe/Berlin' }, { now: () => new Date(now) });
  const { token } = await api.registerStaff();
  const doctor = await api.registerDoctor();
  for (const body of [
    { doctor: null, from: '2026-12-24', to: '2026-12-26', reason: 'Christmas' },
    { doctor: null, from: '2026-03-06T12:00:00Z', to: '2026-03-06T16:00:00Z' },
    { doctor: null, from: '2026-03-03', to: '2026-03-03' },
    { doctor: doctor.doctorId, from: '2026-03-04', to: '2026-03-05' },
  ]) {
    t.equal((await api.post('/time-off/', { token, body })).status, 201);
  }
  const closures = async () => (await api.get('/clinic/')).body.closures;
  const christmas = { from: '2026-12-24', to: '2026-12-26' };
  const friday = { from: '2026-03-06T12:00:00.000Z', to: '2026-03-06T16:00:00.000Z' };
  t.strictSame(await closures(), [{ from: '2026-03-03', to: '2026-03-03' }, friday, christmas]);
  now = '2026-03-03T23:00:00Z';
  t.strictSame(await closures(), [friday, christmas]);
  now = '2026-03-06T16:00:00Z';
  t.strictSame(await closures(), [christmas]);
});
