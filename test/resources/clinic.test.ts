import t from 'tap';
import { buildTestApp } from '../helpers/app.js';

t.test('getClinic 200', async (t) => {
  const now = () => new Date('2026-03-02T23:05:09.120Z');
  const unset = await buildTestApp(t, {}, { now });
  t.strictSame((await unset.get('/clinic/')).body, {
    ...{ name: 'Clinic', time_zone: 'UTC', slot_minutes: 30, booking_horizon_days: 365 },
    ...{ today: '2026-03-02', clock: '23:05', now: '2026-03-02T23:05:09.120Z' },
  });
  const environment = {
    ...{ CLINIC_NAME: 'Clínica São José', CLINIC_TIME_ZONE: 'Asia/Kathmandu' },
    ...{ SLOT_MINUTES: '20', BOOKING_HORIZON_DAYS: '90' },
  };
  const set = await buildTestApp(t, environment, { now });
  t.strictSame((await set.get('/clinic/')).body, {
    ...{ name: 'Clínica São José', time_zone: 'Asia/Kathmandu', slot_minutes: 20, booking_horizon_days: 90 },
    ...{ today: '2026-03-03', clock: '04:50', now: '2026-03-02T23:05:09.120Z' },
  });
});
