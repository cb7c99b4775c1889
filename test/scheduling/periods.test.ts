/** Upcoming appointments in a clinic whose time zone, or whose zone's rules, have changed. */
import { sql } from 'drizzle-orm';
import { readMigrationFiles } from 'drizzle-orm/migrator';
import { readFileSync } from 'node:fs';
import postgres from 'postgres';
import t, { type Test } from 'tap';
import { createAppointment } from '../../src/resources/appointments/service.js';
import { createHold } from '../../src/resources/holds/service.js';
import { createAvailableTime } from '../../src/resources/available-times/service.js';
import type { Calendar } from '../../src/scheduling/calendar.js';
import { alignPeriods, OverlappingAppointments } from '../../src/scheduling/periods.js';
import { createTestDatabase, openTestDatabase } from '../helpers/database.js';
import { dataFolder, runProgram, startServerProcess } from '../helpers/process.js';
import { visitOf } from '../helpers/visit.js';

const DAY = 86_400_000;
const dayAfter = (days: number): string => new Date(Date.now() + days * DAY).toISOString().slice(0, 10);

const at = (zone: string, now = new Date()): Calendar => ({
  now,
  zone,
  horizonDays: 365,
  slotMinutes: 30,
  bookingNotice: 0,
  changeNotice: 0,
  maxOpenBookings: 20,
  maxOpenBookingsPerDoctor: 5,
  waitingOffer: 1800,
});

/** A doctor with slots at 10:00, 10:30 and 11:00 and in the evening, two patients, and what is booked. */
async function clinic(t: Test) {
  const { database, url } = await openTestDatabase(t);
  const { db } = database;
  await db.execute(`insert into users (username, email, password_hash)
    select 'u' || n, 'u' || n || '@example.com', '' from generate_series(1, 4) n`);
  await db.execute('insert into doctors (user_id) values (2)');
  await db.execute('insert into patients (user_id) values (3), (4)');
  for (const time of ['10:00', '10:30', '11:00', 'Evening']) await createAvailableTime(visitOf(db), { body: { time } });
  await db.execute('insert into doctor_available_times select 1, id from available_times');
  const book = async (
    calendar: Calendar,
    ...[time, date, patient = 1, overbook = false]: [time: number, date: string, patient?: number, overbook?: boolean]
  ): Promise<number> => {
    const body = { doctor: 1, patient, time, date, appointment_type: 'Online', symptoms: 'x', overbook } as const;
    return (JSON.parse((await createAppointment(visitOf(db, { calendar }), { body })).text) as { id: number }).id;
  };
  const periods = async () =>
    (await db.execute<{ period: string | null }>('select period::text from appointments order by id')).map(
      ({ period }) => period,
    );
  return { db, url, book, periods };
}

t.test('createAppointment 409 for a slot that was sold before the clinic changed its zone', async (t) => {
  const { db, book } = await clinic(t);
  const day = dayAfter(5);
  await book(at('UTC'), 1, day);
  for (const zone of ['Asia/Tokyo', 'America/New_York', 'Asia/Kathmandu']) {
    await t.rejects(
      book(at(zone), 1, day, 2),
      { message: 'The doctor or the patient has an appointment at this time.' },
      zone,
    );
    t.equal(await alignPeriods(db, at(zone)), 0, 'nothing has to be put right');
  }
  t.ok(await book(at('Asia/Tokyo'), 2, day, 2));
});

t.test('alignPeriods puts upcoming appointments back on the clock, and only those', async (t) => {
  const { db, book, periods } = await clinic(t);
  const calendar = at('Europe/Berlin', new Date('2026-10-20T12:00:00Z'));
  const before = at('Europe/Berlin', new Date('2026-10-01T12:00:00Z'));
  await book(before, 1, '2026-10-10');
  for (const slot of [1, 2, 3, 4]) await book(calendar, slot, '2026-11-02');
  const cancelled = await book(calendar, 1, '2026-11-03');
  await db.execute(sql`
    with author as (select set_config('hospital.user_id', 'system', true))
    update appointments set is_cancelled = true from author where id = ${cancelled}`);
  const right = await periods();
  t.equal(await alignPeriods(db, calendar), 0);
  // By half an hour, so that each would meet the next one on the way; and as far as zones are apart.
  for (const shift of ['30 minutes', '-30 minutes', '9 hours', '-12 hours']) {
    await db.execute('update appointments set period = null where date > $$2026-10-20$$');
    const wrong = sql`tsrange(lower(due.period) + ${shift}::interval, upper(due.period) + ${shift}::interval)`;
    await db.execute(sql`update appointments set period = ${wrong}
      from (select n as id, period::tsrange from json_array_elements_text(${JSON.stringify(right)}::json)
        with ordinality as e (period, n)) as due
      where due.id = appointments.id and due.period is not null and date > '2026-10-20'`);
    t.equal(await alignPeriods(db, calendar), 4, shift);
    t.strictSame(await periods(), right);
    t.equal(await alignPeriods(db, calendar), 0);
  }
  await db.execute(`update appointments set period = tsrange('2026-10-10 01:00', '2026-10-10 01:30') where id = 1`);
  t.equal(await alignPeriods(db, calendar), 0, 'what is over stays as it was');
});

t.test('alignPeriods ends what is held, which is by the clock of before', async (t) => {
  const { db, book, periods } = await clinic(t);
  const calendar = at('UTC');
  const date = dayAfter(5);
  await book(calendar, 1, date);
  const [before] = await periods();
  await db.execute(`select set_config('hospital.user_id', 'system', false)`);
  await db.execute(`update appointments set period = tsrange(lower(period) + '3 hours', upper(period) + '3 hours')`);
  await createHold(visitOf(db, { calendar }), { body: { doctor: 1, time: 1, date } });
  t.equal(await alignPeriods(db, calendar), 1);
  t.strictSame(await periods(), [before]);
  t.equal((await db.execute('select from holds')).length, 0);
});

t.test('a time that the clocks now skip is kept', async (t) => {
  const { db, periods, book } = await clinic(t);
  await db.execute(`update available_times set start_minute = 120, end_minute = 150 where id = 1`);
  const calendar = at('Europe/Berlin', new Date('2027-03-01T12:00:00Z'));
  await book({ ...calendar, zone: 'UTC' }, 1, '2027-03-28');
  const before = await periods();
  t.equal(await alignPeriods(db, calendar), 0);
  t.strictSame(await periods(), before);
});

/** Sells a slot twice, as instants of two zones let it happen. */
async function sellTwice({ db, book }: Awaited<ReturnType<typeof clinic>>, day: string): Promise<void> {
  await book(at('UTC'), 1, day);
  await db.execute(
    `update appointments set period = tsrange(lower(period) - interval '9 hours', upper(period) - interval '9 hours')`,
  );
  await book(at('UTC'), 1, day, 2);
}

t.test('alignPeriods refuses, naming them, where a time was sold twice, and changes nothing', async (t) => {
  const here = await clinic(t);
  const day = dayAfter(5);
  await here.book(at('UTC'), 2, dayAfter(6));
  await sellTwice(here, day);
  const before = await here.periods();
  const error = await alignPeriods(here.db, at('UTC')).catch((error: unknown) => error);
  t.ok(error instanceof OverlappingAppointments);
  t.match((error as Error).message, `appointments overlap, 2 and 3 on ${day}: `);
  t.strictSame(await here.periods(), before);
});

t.test('alignPeriods leaves what was booked over another one where it is', async (t) => {
  const { db, book, periods } = await clinic(t);
  const day = dayAfter(5);
  await book(at('UTC'), 1, day);
  await book(at('UTC'), 1, day, 2, true);
  await book(at('UTC'), 2, day, 2);
  const right = await periods();
  t.equal(new Set(right).size, 2);
  for (const order of ['asc', 'desc']) {
    await db.execute('update appointments set period = null');
    // The rows lie in the order in which they are written.
    for (const { id } of await db.execute<{ id: number }>(`select id from appointments order by id ${order}`)) {
      const shifted = `tsrange(lower(period) - interval '9 hours', upper(period) - interval '9 hours')`;
      await db.execute(sql`update appointments set period = ${right[id - 1]}::tsrange where id = ${id}`);
      await db.execute(`update appointments set period = ${shifted} where id = ${id}`);
    }
    t.equal(await alignPeriods(db, at('UTC')), 3);
    t.strictSame(await periods(), right);
  }
  const [early, late] = [await book(at('UTC'), 3, day), await book(at('UTC'), 3, dayAfter(6), 2)];
  await db.execute(sql`select set_config('hospital.user_id', 'system', true)`);
  await db.execute(sql`
    with author as (select set_config('hospital.user_id', 'system', true))
    update appointments set date = ${day}, period = null from author where id = ${late}`);
  const error = await alignPeriods(db, at('UTC')).catch((error: unknown) => error);
  t.match((error as Error).message, `overlap, ${early} and ${late} on ${day}: `, 'it is not named in place of others');
});

t.test('a start says what it put right, and refuses in one line what it can not', async (t) => {
  const here = await clinic(t);
  const day = dayAfter(5);
  await here.book(at('UTC'), 1, day);
  await here.db.execute(
    `update appointments set period = tsrange(lower(period) + interval '9 hours', upper(period) + interval '9 hours')`,
  );
  const environment = { DATABASE_URL: here.url, DATA_DIR: dataFolder(t), CLINIC_TIME_ZONE: 'Asia/Tokyo' };
  const server = await startServerProcess(t, environment);
  t.match(server.log.join('\n'), '1 upcoming appointments were put back on the clock of Asia/Tokyo');
  t.strictSame(await here.periods(), [`["${day} 10:00:00","${day} 10:30:00")`]);
  server.child.kill('SIGTERM');
  t.equal(await server.ended, 0);

  await here.db.execute('truncate appointments restart identity cascade');
  await sellTwice(here, day);
  const { code, stderr } = await runProgram('dist/src/server.js', environment);
  t.equal(
    stderr,
    `By the clock of CLINIC_TIME_ZONE (Asia/Tokyo) appointments overlap, 1 and 2 on ${day}: start with the zone they were booked in, cancel one of them, and start again\n`,
  );
  t.equal(code, 1);
});

t.test('appointments that were stored as instants are read by the zone of the clinic', async (t) => {
  const url = await createTestDatabase(t, 'template0');
  const client = postgres(url, { max: 1, onnotice: () => undefined, connection: { DateStyle: 'ISO' } });
  t.teardown(() => client.end());
  const migrationsFolder = 'db/migrations';
  const { entries } = JSON.parse(readFileSync(`${migrationsFolder}/meta/_journal.json`, 'utf8')) as {
    entries: { tag: string }[];
  };
  const count = entries.findIndex(({ tag }) => tag.startsWith('0008'));
  await client`create schema drizzle`;
  await client`create table drizzle.__drizzle_migrations (id serial primary key, hash text not null, created_at bigint)`;
  for (const { sql: statements, hash, folderMillis } of readMigrationFiles({ migrationsFolder }).slice(0, count)) {
    for (const statement of statements) await client.unsafe(statement);
    await client`insert into drizzle.__drizzle_migrations (hash, created_at) values (${hash}, ${folderMillis})`;
  }
  await client`insert into users (username, email, password_hash) values ('a', 'a@example.com', ''), ('b', 'b@example.com', '')`;
  await client`insert into doctors (user_id) values (1)`;
  await client`insert into patients (user_id) values (2)`;
  await client`insert into available_times (label, start_minute, end_minute) values ('9:00', 540, 570), ('Evening', null, null)`;
  const day = dayAfter(5);
  await client`insert into appointments (patient_id, doctor_id, available_time_id, date, type, symptoms, period)
    select 1, 1, case when at is null then 2 else 1 end, date, 'online', 'x',
      tstzrange(at, at + interval '30 minutes')
    from (values
      -- Over, in a slot that had another time then.
      ('2026-03-02'::date, timestamptz '2026-03-02 07:00+01'), (${day}::date, (${day}::date + time '9:00') at time zone 'Europe/Berlin')
    ) as given (date, at)`;
  await client`insert into appointments (patient_id, doctor_id, available_time_id, date, type, symptoms)
    values (1, 1, 2, ${day}, 'online', 'x')`;
  const server = await startServerProcess(t, {
    DATABASE_URL: url,
    DATA_DIR: dataFolder(t),
    CLINIC_TIME_ZONE: 'Europe/Berlin',
  });
  t.strictSame(
    (await client`select period::text from appointments order by id`).map((row) => row['period'] as unknown),
    ['["2026-03-02 07:00:00","2026-03-02 07:30:00")', `["${day} 09:00:00","${day} 09:30:00")`, null],
  );
  t.notMatch(server.log.join('\n'), 'put back');
});
