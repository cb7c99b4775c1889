/** How PostgreSQL finds free slots and appointments among 200,000 appointments of 500 doctors. */
import { drizzle } from 'drizzle-orm/postgres-js';
import postgres from 'postgres';
import t, { type Test } from 'tap';
import type { Db } from '../../db/client.js';
import type { Agenda, DoctorSlot, FreeSlot } from '../../openapi/generated/schemas.js';
import { alternatives, soonestDate } from '../../src/scheduling/slots.js';
import type { ListAppointmentsQuery } from '../../openapi/generated/operations.js';
import { getAgenda } from '../../src/resources/agenda/service.js';
import { listAppointments } from '../../src/resources/appointments/service.js';
import { listDoctorAvailability, searchAvailability } from '../../src/resources/availability/service.js';
import { createTestDatabase } from '../helpers/database.js';
import { visitOf } from '../helpers/visit.js';

const client = postgres(await createTestDatabase(t), {
  max: 1,
  onnotice: () => undefined,
  // As the product's own connections have it, whatever the database says.
  connection: { DateStyle: 'ISO' },
});
t.teardown(() => client.end());
const queries: { text: string; values: unknown[] }[] = [];
// What Drizzle sends and what is sent without it both go this way.
const unsafe = client.unsafe.bind(client) as (...args: unknown[]) => unknown;
Object.assign(client, {
  unsafe: (text: string, values: unknown[] = [], ...more: unknown[]) => {
    queries.push({ text, values });
    return unsafe(text, values, ...more);
  },
});
const db: Db = drizzle(client, { casing: 'snake_case' });

const calendar = {
  now: new Date('2026-03-02T06:00:00Z'),
  zone: 'Europe/Berlin',
  horizonDays: 365,
  slotMinutes: 30,
  bookingNotice: 0,
  changeNotice: 0,
  maxOpenBookings: 20,
  maxOpenBookingsPerDoctor: 5,
  waitingOffer: 1800,
};
const visit = visitOf(db, { calendar });
const slot = { id: 1, startMinute: 480, endMinute: 510 };

await client`insert into users (username, email, first_name, password_hash)
  select 'u' || i, 'u' || i || '@example.com', 'U' || i, '' from generate_series(1, 20500) i`;
await client`insert into doctors (user_id, fee) select i, i from generate_series(1, 500) i`;
await client`insert into patients (user_id) select i from generate_series(501, 20500) i`;
await client`insert into specialisations (name, slug) values ('Cardiology', 'cardiology')`;
await client`insert into doctor_specialisations select 100 * i, 1 from generate_series(1, 3) i`;
await client`insert into available_times (label, start_minute, end_minute)
  select 'slot ' || i, 450 + 30 * i, 480 + 30 * i from generate_series(1, 8) i`;
await client`insert into doctor_available_times select d, i from generate_series(1, 500) d, generate_series(1, 8) i`;
// Constraints and triggers come back when the rows are there, which is quicker by far. Doctor 1 is full for 200 days.
const constraints = await client<{ name: string; definition: string }[]>`
  select conname as name, pg_get_constraintdef(oid) as definition from pg_constraint
  where conrelid = 'appointments'::regclass and contype = 'x'`;
for (const { name } of constraints) await client`alter table appointments drop constraint ${client(name)}`;
await client`alter table appointments disable trigger user`;
await client`
  insert into appointments (patient_id, doctor_id, available_time_id, date, period, type, symptoms)
  select 1 + (d * 40 + n + 400) % 20000, d, i, day,
    tsrange(start, start + interval '30 minutes'), 'online', 'Headache'
  from generate_series(1, 500) d, generate_series(1, 8) i, generate_series(-400, 400) n,
    lateral (select date '2026-03-02' + n) as days (day),
    lateral (select day + make_interval(mins => 450 + 30 * i)) as starts (start)
  where (n + d + 5 * i) % 16 = 0 or (d = 1 and n between 0 and 199)`;
// Appointments without clock times have indexes of their own, which the planner weighs by what is in them.
await client`insert into available_times (label) values ('Evening')`;
await client`
  insert into appointments (patient_id, doctor_id, available_time_id, date, type, symptoms)
  select i, 1 + i % 500, 9, date '2026-01-01' + i / 500, 'online', 'Headache' from generate_series(1, 20000) i`;
// Few slots are held at a time; others have ended on days that are asked for.
await client`
  insert into holds (token_hash, doctor_id, available_time_id, date, period, user_id, expires_at)
  select md5(i::text) || md5(i::text), 2 + i % 400, 1 + i % 8, day, tsrange(start, start + interval '30 minutes'),
    501 + i, timestamptz '2026-03-02 06:00Z' + make_interval(mins => case when i % 2 = 0 then 5 else -5 end)
  from generate_series(1, 400) i,
    lateral (select case when i % 2 = 0 then date '2027-06-01' else date '2026-03-26' end) as days (day),
    lateral (select day + make_interval(mins => 450 + 30 * (1 + i % 8))) as starts (start)
  where not exists (select from appointments where doctor_id = 2 + i % 400 and available_time_id = 1 + i % 8 and date = day)`;
for (const { name, definition } of constraints) {
  await client.unsafe(`alter table appointments add constraint ${name} ${definition}`);
}
await client`alter table appointments enable trigger user`;
await client`vacuum analyze`;

/** Runs the work; the plans of its queries, and the pages that they read: unlike their time, these are always the same. */
async function observe<T>(work: () => Promise<T>): Promise<{ result: T; plans: string[]; pages: number }> {
  queries.length = 0;
  const result = await work();
  const plans: string[] = [];
  let pages = 0;
  for (const { text, values } of [...queries]) {
    const rows = await client.unsafe<{ 'QUERY PLAN': string }[]>(`explain (analyze, buffers) ${text}`, values as never);
    const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
    plans.push(plan);
    // The first such line is the whole query's.
    const [, hit = 0, read = 0] = /Buffers: shared(?: hit=(\d+))?(?: read=(\d+))?/.exec(plan) ?? [];
    pages += Number(hit) + Number(read);
  }
  return { result, plans, pages };
}

/** Asserts that the work does not read all appointments, nor more than so many pages. */
async function checkPlans<T>(t: Test, name: string, most: number, work: () => Promise<T>): Promise<T> {
  const { result, plans, pages } = await observe(work);
  // Nothing is read for no patients.
  t.notMatch(plans.join('\n'), /Seq Scan on appointments\b|Filter:.*patient_id = (?!ANY \('\{\}')/, name);
  t.ok(pages > 0 && pages < most, `${name} reads ${pages} pages`);
  return result;
}

t.test('soonestDate and alternatives', async (t) => {
  const soonest = (doctor: number) => soonestDate(visit, slot, { doctorId: doctor, patientId: 7 });
  t.equal((await observe(() => soonest(1))).plans.length, 1, 'one query');
  t.equal(await checkPlans(t, 'of a doctor who is full', 3000, () => soonest(1)), '2026-09-18');
  t.match(await checkPlans(t, 'of a doctor who is not', 1000, () => soonest(2)), /^2026-03-0/);
  t.equal(
    (await checkPlans(t, 'alternatives', 3000, () => alternatives(visit, { doctorId: 2, patientId: 7 }))).length,
    5,
  );
  const { result, plans, pages } = await observe(() => alternatives(visit, { doctorId: 1, patientId: 7 }));
  const first = { date: '2026-09-18', time: 1, label: 'slot 1' };
  t.strictSame(result[0], { ...first, start: '2026-09-18T06:00:00.000Z', end: '2026-09-18T06:30:00.000Z' });
  t.notMatch(plans.join('\n'), /Seq Scan on appointments\b/);
  t.ok(pages < 12_500, `alternatives of a doctor who is full read ${pages} pages`);

  // Of a year that is known to be full nothing is looked up, neither day by day nor slot by slot.
  await client`insert into full_days (doctor_id, date) select 1, date '2026-03-02' + n from generate_series(0, 365) n`;
  const known = await checkPlans(t, 'alternatives in a full year', 500, () =>
    alternatives(visit, { doctorId: 1, patientId: 7 }),
  );
  t.strictSame(known, []);
  t.equal(await checkPlans(t, 'the soonest date in a full year', 500, () => soonest(1)), null);
  await client`delete from full_days`;
});

t.test(
  'createAppointment: to look for overbooked ones costs an ordinary one the way to them in an index',
  async (t) => {
    /** The pages that it reads, when plans are made and pages are at hand. */
    const pagesOf = async (time: number, isWatched: boolean): Promise<number> => {
      await client`alter table appointments ${isWatched ? client`enable` : client`disable`} trigger refuse_over_overbooked_when_made`;
      let pages = 0;
      for (let turn = 0; turn < 8; turn++) {
        const rows = await client<{ 'QUERY PLAN': string }[]>`
        explain (analyze, buffers) insert into appointments (patient_id, doctor_id, available_time_id, date, period, type, symptoms)
        values (77, 2, ${time}, ${`2028-03-${turn + 10}`},
          ${time === 9 ? null : `[2028-03-${turn + 10} 10:00, 2028-03-${turn + 10} 10:30)`}, 'online', 'Headache')`;
        const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
        pages = Number(/Buffers: shared hit=(\d+)/.exec(plan)?.[1]);
        t.match(plan, isWatched ? /Trigger refuse_over/ : /Execution Time/);
        await client`delete from appointments where patient_id = 77 and doctor_id = 2 and date >= '2028-03-01'`;
      }
      return pages;
    };
    for (const time of [3, 9]) {
      const [without, within] = [await pagesOf(time, false), await pagesOf(time, true)];
      t.ok(within - without > 0 && within - without <= 8, `${without} pages, and ${within} with it`);
    }
  },
);

t.test('availability', async (t) => {
  const [from, to] = ['2026-03-25', '2026-04-24'];
  const ofDoctor = async (doctor: number) =>
    JSON.parse(
      (await listDoctorAvailability(visit, { params: { id: doctor }, query: { from, to } })).text,
    ) as FreeSlot[];
  const search = async (query: object) => {
    const answer = await searchAvailability(visit, { query: { page: 1, limits: 1000, ...query } });
    return JSON.parse(answer.text) as { count: number; results: DoctorSlot[] };
  };
  await client`insert into full_days select date '2026-03-02' + n, 1 from generate_series(0, 199) n`;
  await client`analyze full_days`;
  await checkPlans(t, 'of a doctor', 5000, () => ofDoctor(2));
  await checkPlans(t, 'for 7 days', 30_000, () => search({}));
  const all = await checkPlans(t, 'for 31 days', 30_000, () => search({ from, to }));
  const few = await checkPlans(t, 'of a specialisation', 30_000, () => search({ from, to, specialisation: 1 }));
  const cheap = await checkPlans(t, 'of few fees', 30_000, () => search({ from, to, max_fee: 20 }));
  const slots = await checkPlans(t, 'of one slot', 30_000, () => search({ from, to, time: 3 }));

  const [free] = await client<{ all: number; slots: number; cheap: number }[]>`
    select count(*)::int as all, (count(*) filter (where i = 3))::int as slots,
      (count(*) filter (where d <= 20))::int as cheap
    from generate_series(1, 500) d, generate_series(1, 8) i, generate_series(0, 30) n
    where not exists (select from appointments where doctor_id = d and available_time_id = i and date = date '2026-03-25' + n)`;
  t.ok([free?.all, free?.slots, free?.cheap].every((number) => (number ?? 0) > 1000));
  t.strictSame([all.count, slots.count, cheap.count], [1001, 1001, 1001], 'not all that is free is counted');
  const expected = (await Promise.all([100, 200, 300].map(ofDoctor)))
    .flatMap((slots, index) => slots.map((slot) => ({ doctor: 100 * (index + 1), ...slot })))
    .sort((a, b) => a.date.localeCompare(b.date) || a.time - b.time || a.doctor - b.doctor);
  t.equal(few.count, expected.length);
  t.strictSame(
    few.results.map(({ doctor_name: _name, fee: _fee, ...slot }) => slot),
    expected,
  );
  t.match(few.results[0], { doctor_name: 'U200', fee: 200, label: 'slot 1' });

  const soonest = await checkPlans(t, 'the soonest of each doctor', 30_000, () =>
    search({ from, to, per_doctor: true }),
  );
  const doctors = new Set<number>();
  t.equal(soonest.results.length, 499, 'of each but the one who is full');
  const firsts = all.results.filter(({ doctor }) => !doctors.has(doctor) && doctors.add(doctor));
  t.ok(firsts.length > 400);
  t.strictSame(soonest.results.slice(0, firsts.length), firsts);
  t.equal((await search({ from, to, doctor: 200 })).count, (await ofDoctor(200)).length);
  t.equal((await search({ from, to, min_fee: 490, max_fee: 495, per_doctor: true })).count, 6);
});

t.test('listAppointments', async (t) => {
  const first = async (query: Partial<ListAppointmentsQuery>) => {
    const whole = { page: 1, limits: 20, ordering: 'id' as const, ...query };
    const { plans } = await observe(() => listAppointments(visit, { query: whole }));
    return plans.at(-1);
  };
  t.match(await first({ ordering: 'date' }), /Index Scan using appointments_date_idx/);
  t.match(await first({ ordering: '-date' }), /Index Scan using appointments_latest_idx/);

  const list = async (query: Partial<ListAppointmentsQuery>, id: number, isStaff = false) => {
    const whole = { page: 1, limits: 100, ordering: 'id' as const, ...query };
    const answer = await listAppointments(visitOf(db, { caller: { id, isStaff, session: null } }), { query: whole });
    return (JSON.parse(answer.text) as { count: number }).count;
  };
  for (const [name, query, id, isStaff] of [
    ['of a patient', {}, 600, false],
    ['of a patient by date', { ordering: '-date' }, 600, false],
    ['of a patient with a doctor', { doctor_id: 2, status: 'Pendding' }, 600, false],
    ['of a doctor', {}, 2, false],
    ['of a doctor from a day', { from: '2026-03-02', to: '2026-03-08', ordering: 'date' }, 2, false],
    ['of a doctor, cancelled', { cancel: true, type: 'Online' }, 2, false],
    ['of a patient for staff', { patient_id: 77 }, 1, true],
    ['of a doctor for staff', { doctor_id: 2, ordering: 'date' }, 1, true],
    ['of a week for staff', { from: '2026-03-02', to: '2026-03-08', ordering: 'date' }, 1, true],
    ['of a day for staff', { date: '2026-03-02', status: 'Pendding' }, 1, true],
    ['of a slot of a day for staff', { date: '2026-03-02', time: 3 }, 1, true],
    ['of a name for staff', { search: 'u4711' }, 1, true],
    ['of a name that nobody has', { search: 'zzyzx', ordering: 'date' }, 1, true],
    ['of a name for a patient', { search: 'u2' }, 600, false],
  ] as [string, Partial<ListAppointmentsQuery>, number, boolean][]) {
    await checkPlans(t, name, 3000, () => list(query, id, isStaff));
  }
});

t.test('getAgenda', async (t) => {
  const agenda = async (query: object) => {
    const { text } = await getAgenda(visit, { query: { page: 1, limits: 100, date: '2026-03-04', ...query } });
    return JSON.parse(text) as Agenda;
  };
  const one = await checkPlans(t, 'of a doctor', 300, () => agenda({ doctor: 2 }));
  t.equal(one.results[0]?.entries.length, 8, 'what is booked and what is free');
  const all = await checkPlans(t, 'of 100 doctors', 12_000, () => agenda({ page: 2 }));
  t.strictSame([all.count, all.results.length, all.results[0]?.doctor], [500, 100, 101]);
});
