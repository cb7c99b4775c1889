/** The numbers of appointments that are kept beside them, against the appointments themselves. */
import postgres from 'postgres';
import t from 'tap';
import type { ListAppointmentsQuery } from '../../openapi/generated/operations.js';
import type { AppointmentPage } from '../../openapi/generated/schemas.js';
import { listAppointments } from '../../src/resources/appointments/service.js';
import { someOf, staysRight } from '../helpers/counts.js';
import { createTestDatabase, openTestDatabase } from '../helpers/database.js';
import { visitOf } from '../helpers/visit.js';

const PEOPLE = `
  insert into users (username, email, password_hash, is_staff)
    select 'u' || n, 'u' || n || '@example.com', '', n = 1 from generate_series(1, 40) n;
  insert into doctors (user_id) select n from generate_series(2, 9) n;
  insert into patients (user_id) select n from generate_series(2, 40) n;
  insert into available_times (label) select 'Label ' || n from generate_series(1, 5) n`;

const INSERT = `insert into appointments
  (patient_id, doctor_id, available_time_id, date, type, status, symptoms, is_cancelled, archived_at)
  select 1 + floor(random() * 39), 1 + floor(random() * 8), 1 + floor(random() * 5),
    date '2030-01-01' + floor(random() * 400)::int, (array['online', 'offline'])[1 + floor(random() * 2)]::appointment_type,
    (array['pending', 'running', 'completed'])[1 + floor(random() * 3)]::appointment_status, 'x', random() < 0.3,
    case when random() < 0.2 then now() end
  from generate_series(1, $1)`;

const SOME = someOf('appointments');

const CHANGES = [
  `update appointments set status = 'pending', is_cancelled = false, attendance = 'arrived' ${SOME}`,
  `update appointments set status = 'completed' ${SOME}`,
  `update appointments set attendance = null, is_cancelled = not is_cancelled ${SOME}`,
  `update appointments set type = case type when 'online' then 'offline' else 'online' end::appointment_type ${SOME}`,
  `update appointments set doctor_id = 1 + floor(random() * 8) ${SOME}`,
  `update appointments set date = date '2030-01-01' + floor(random() * 400)::int ${SOME}`,
  `update appointments set available_time_id = 1 + floor(random() * 5) ${SOME}`,
  `update appointments set patient_id = 1 + floor(random() * 39) ${SOME}`,
  `update appointments set archived_at = now() ${SOME}`,
  `update appointments set archived_at = null ${SOME}`,
  `delete from appointments ${SOME}`,
];

/** Keys whose numbers are not those of the appointments, all in one look. */
const WRONG = `
  with kept as (
    select by, key, status, type, is_cancelled, attendance, total from appointment_counts
    union all select of.by, of.key, status, type, is_cancelled, attendance, total from appointment_count_changes,
      lateral (values ('all'::counted_by, 0), ('doctor', doctor_id), ('time', available_time_id),
        ('day', date - date '2000-01-01'), ('block', block)) as of (by, key)
    union all select of.by, of.key, status, type, is_cancelled, coalesce(attendance::text, 'none'), -1
    from appointments, lateral (values ('all'::counted_by, 0), ('doctor', doctor_id), ('time', available_time_id),
        ('day', date - date '2000-01-01'), ('block', id / 4096)) as of (by, key)
    where archived_at is null)
  select by, key, status, type, is_cancelled, attendance, sum(total) as difference from kept
  group by 1, 2, 3, 4, 5, 6 having sum(total) <> 0`;

t.test('the numbers are right at every moment of what many writers do', async (t) => {
  const reader = await staysRight(t, { people: PEOPLE, insert: INSERT, changes: CHANGES, wrong: WRONG });
  // Whoever makes a change whose number is divisible by 64 adds up: with as many days, somebody does.
  await reader.begin(async (tx) => {
    await tx`select set_config('hospital.user_id', '1', true)`;
    await tx`insert into appointments (patient_id, doctor_id, available_time_id, date, type, symptoms, is_cancelled)
      select 1, 1, 1, date '2032-01-01' + n, 'online', 'x', true from generate_series(1, 64) n`;
  });
  t.strictSame([...(await reader.unsafe(WRONG))], [], 'right when they are added up');
  const [row] = await reader`select (select count(*)::int from appointments) as appointments,
    (select count(*)::int from appointment_counts) as kept, (select count(*)::int from appointment_count_changes) as changes`;
  t.ok(row?.['appointments'] > 50 && row?.['kept'] > 50, JSON.stringify(row));
  await reader`truncate appointments cascade`;
  t.strictSame([...(await reader.unsafe(WRONG))], [], 'right when all is gone');
});

t.test('no writer waits for another one that counts', async (t) => {
  const url = await createTestDatabase(t);
  const [first, second] = [1, 2].map(() => postgres(url, { max: 1 })) as [postgres.Sql, postgres.Sql];
  t.teardown(() => Promise.all([first.end(), second.end()]));
  await first.unsafe(PEOPLE);
  await first`set lock_timeout = '5s'`;
  // Each with a doctor and a patient of their own, on whom writers do wait for each other.
  const insert = (sql: postgres.TransactionSql, day: number, whose: number) => sql`
    insert into appointments (patient_id, doctor_id, available_time_id, date, type, symptoms)
    values (${whose}, ${whose}, 1, date '2030-01-01' + ${day}::int, 'online', 'x')`;
  await first.begin(async (tx) => {
    await tx`select set_config('hospital.user_id', '1', true)`;
    // Enough for both to add up what there is.
    for (let day = 0; day < 100; day++) await insert(tx, day, 1);
    await second`set lock_timeout = '100ms'`;
    await second.begin(async (tx) => {
      await tx`select set_config('hospital.user_id', '1', true)`;
      for (let day = 100; day < 300; day++) await insert(tx, day, 2);
    });
    for (let day = 300; day < 400; day++) await insert(tx, day, 1);
  });
  t.strictSame([...(await first.unsafe(WRONG))], []);
});

t.test('lists have that count, and far pages are those that all pages before them lead to', async (t) => {
  const { database } = await openTestDatabase(t);
  const { db } = database;
  for (const statement of PEOPLE.split(';')) await db.execute(statement);
  await db.transaction(async (tx) => {
    await tx.execute(`select set_config('hospital.user_id', '1', true)`);
    await tx.execute(`insert into appointments
      (patient_id, doctor_id, available_time_id, date, period, type, status, symptoms, is_cancelled, archived_at)
      select 1 + n % 39, 1 + n % 8, 1 + n % 5, date '2030-01-01' + n % 900,
        case when n % 3 > 0 then tsrange(date '2030-01-01' + n % 900 + make_interval(mins => n % 7),
          date '2030-01-01' + n % 900 + make_interval(mins => n % 7 + 1)) end,
        (array['online', 'offline'])[1 + n % 2]::appointment_type,
        (array['pending', 'running', 'completed'])[1 + n / 3000]::appointment_status, 'x', true,
        case when n % 11 = 0 then now() end
      from generate_series(0, 8999) n`);
    await tx.execute(
      `update appointments set is_cancelled = false where id % 50 = 0 and id <= 1800 and archived_at is null`,
    );
    await tx.execute(
      `update appointments set attendance = 'arrived', status = 'pending' where id % 100 = 0 and not is_cancelled`,
    );
  });
  const list = async (userId: number, query: Partial<ListAppointmentsQuery>) => {
    const visit = visitOf(db, { caller: { id: userId, isStaff: userId === 1, session: null } });
    const page = await listAppointments(visit, { query: { page: 1, limits: 1000, ordering: 'id', ...query } });
    return JSON.parse(page.text) as AppointmentPage;
  };
  const QUERIES: Partial<ListAppointmentsQuery>[] = [
    {},
    { doctor_id: 3 },
    { time: 2 },
    { date: '2030-05-05' },
    { from: '2032-01-01' },
    { to: '2030-02-01' },
    { from: '2030-03-01', to: '2030-04-01' },
    { patient_id: 7 },
    { doctor_id: 3, patient_id: 7 },
    { doctor_id: 3, from: '2031-01-01' },
    { doctor_id: 99 },
  ];
  const PARTS: Partial<ListAppointmentsQuery>[] = [
    {},
    { status: 'Runing' },
    { type: 'Online' },
    { cancel: false },
    { attendance: 'none' },
    { attendance: 'arrived', status: 'Pendding' },
    { status: 'Complated', type: 'Offline', cancel: true },
  ];
  // Staff, a doctor who is a patient too, and a patient.
  for (const userId of [1, 4, 30]) {
    for (const query of QUERIES) {
      for (const part of PARTS) {
        const asked = { ...query, ...part };
        const { count, results } = await list(userId, asked);
        let found = results.length;
        for (let page = 2; found < count && results.length > 0; page++) {
          const { length } = (await list(userId, { ...asked, page })).results;
          if (length === 0) break;
          found += length;
        }
        t.equal(count, found, `${userId} ${JSON.stringify(asked)}`);
      }
    }
  }
  for (const ordering of ['id', 'date', '-date'] as const) {
    const all = await list(4, { ordering });
    const more = (await list(4, { ordering, page: 2 })).results;
    const followed: number[] = [];
    for (let place: { page: number; after?: string } | undefined = { page: 1 }; place !== undefined;) {
      const { results, next } = await list(4, { ordering, limits: 90, ...place });
      followed.push(...results.map(({ id }) => id));
      const after: string | null = next && new URL(next).searchParams.get('after');
      place = after === null ? undefined : { page: place.page + 1, after };
    }
    t.strictSame(
      followed,
      [...all.results, ...more].map(({ id }) => id),
      `a doctor's, followed by ${ordering}`,
    );
  }
  const ORDERS = {
    id: 'id',
    date: 'date, lower(period), id',
    '-date': 'date desc, lower(period) desc nulls last, id',
  } as const;
  for (const [ordering, order] of Object.entries(ORDERS)) {
    for (const part of [{}, { type: 'Online' }] as const) {
      const rows = await db.execute<{ id: number }>(`select id::int from appointments where archived_at is null
        ${'type' in part ? "and type = 'online'" : ''} order by ${order}`);
      const ids = rows.map(({ id }) => id);
      const limits = 70;
      const pages = Math.ceil(ids.length / limits);
      for (const page of [1, 2, Math.floor(pages / 2), pages - 3, pages]) {
        const { results } = await list(1, { ...part, page, limits, ordering: ordering as 'id' });
        t.strictSame(
          results.map(({ id }) => id),
          ids.slice((page - 1) * limits, page * limits),
          `${ordering} ${page}`,
        );
      }
    }
  }
});
