/** What lists of many appointments read. */
import t from 'tap';
import type { ListAppointmentsQuery } from '../../openapi/generated/operations.js';
import type { AppointmentPage } from '../../openapi/generated/schemas.js';
import { listAppointments } from '../../src/resources/appointments/service.js';
import { PlannedDatabase } from '../helpers/plans.js';
import { visitOf } from '../helpers/visit.js';

/** Of 100 rows, with all that is shown of them: some 20 a row. */
const MOST_PAGES = 3_000;

/** Of each 500 doctors 120 appointments on 30 days, of which 20 are over; every 50th is cancelled. */
const DATA = [
  `insert into users (username, email, first_name, password_hash)
    select 'user' || n, 'user' || n || '@example.com', 'Ada', '-' from generate_series(1, 3500) n`,
  `insert into doctors (user_id) select generate_series(1, 500)`,
  `insert into patients (user_id) select generate_series(501, 3500)`,
  `insert into available_times (label, start_minute, end_minute)
    select 'Slot ' || n, 540 + n * 30, 570 + n * 30 from generate_series(0, 3) n`,
  `set hospital.user_id = '3500'`,
  // Some at a time: a statement that takes long would be given up.
  ...[0, 5, 10, 15, 20, 25].map(
    (
      first,
    ) => `insert into appointments (patient_id, doctor_id, available_time_id, date, period, type, status, symptoms, is_cancelled)
    select ((day * 4 + slot) * 500 + d) % 3000 + 1, d, slot + 1, date '2030-01-01' + day,
      tsrange(date '2030-01-01' + day + make_interval(mins => 540 + slot * 30),
        date '2030-01-01' + day + make_interval(mins => 570 + slot * 30)),
      (array['online', 'offline'])[d % 2 + 1]::appointment_type,
      case when day < 20 then 'completed' else 'pending' end::appointment_status, 'Cough.', (d + slot + day) % 50 = 0
    from generate_series(${first}, ${first + 4}) day, generate_series(0, 3) slot, generate_series(1, 500) d`,
  ),
];

const QUERIES: readonly Partial<ListAppointmentsQuery>[] = [
  {},
  { status: 'Pendding' },
  { status: 'Runing' },
  { type: 'Online' },
  { cancel: true },
  { attendance: 'none' },
  { doctor_id: 7 },
  { doctor_id: 7, status: 'Pendding' },
  { patient_id: 7 },
  { time: 3 },
  { ordering: 'date' },
  { ordering: '-date' },
  { from: '2030-01-25', ordering: 'date' },
  { to: '2030-01-05', ordering: '-date' },
  { date: '2030-01-29' },
  { from: '2030-01-25' },
  { from: '2030-01-25', to: '2030-01-29', type: 'Online' },
  { status: 'Pendding', ordering: 'date' },
  { status: 'Complated', ordering: '-date' },
  { attendance: 'arrived' },
  { attendance: 'arrived', ordering: 'date' },
  { page: 400 },
];

t.test('lists of 60,000 appointments', async (t) => {
  const database = await PlannedDatabase.open(t);
  await database.fill(...DATA);
  const callers = { staff: 3500, 'a doctor': 7, 'a patient': 1000 };
  for (const [who, id] of Object.entries(callers)) {
    const caller = { id, isStaff: who === 'staff', session: null };
    for (const asked of who === 'staff' ? QUERIES : [{}, { status: 'Pendding' } as const]) {
      const query = { page: 1, limits: 100, ordering: 'id', ...asked } as const;
      let next: string | null = null;
      const list = (more: Partial<ListAppointmentsQuery> = {}) =>
        database.usesIndexes(
          t,
          ['appointments'],
          async (db) => {
            const { text } = await listAppointments(visitOf(db, { caller }), { query: { ...query, ...more } });
            ({ next } = JSON.parse(text) as AppointmentPage);
          },
          MOST_PAGES,
        );
      await t.test(`page ${query.page} of ${JSON.stringify(asked)} for ${who}, and the next one`, async () => {
        await list();
        if (next !== null) await list({ page: query.page + 1, after: new URL(next).searchParams.get('after') ?? '' });
      });
    }
  }
});
