import t, { type Test } from 'tap';
import { freeSlots, makeData } from '../../bench/data.js';
import { connect } from '../../db/connect.js';
import { createTestDatabase } from '../helpers/database.js';
import { runProgram } from '../helpers/process.js';

/** Four of the doctors have full calendars. */
const SHAPE = { doctors: 20, appointments: 2000 };
const FLAGS = ['--doctors', '20', '--appointments', '2000'];

async function openData(t: Test) {
  const sql = connect(await createTestDatabase(t), { max: 1 });
  t.teardown(() => sql.end());
  return sql;
}

t.test('makeData leaves the schema as it was', async (t) => {
  const sql = await openData(t);
  const schema = () => sql`
    select conname as name, convalidated::text || pg_get_constraintdef(oid) as definition
    from pg_constraint where connamespace = 'public'::regnamespace
    union all select indexrelid::regclass::text, indisvalid::text || pg_get_indexdef(indexrelid)
    from pg_index where indrelid in (select oid from pg_class where relnamespace = 'public'::regnamespace)
    union all select tgname || tgrelid::regclass::text, tgenabled::text || pg_get_triggerdef(oid) from pg_trigger where not tgisinternal
    order by 1, 2`;
  const before = [...(await schema())];
  await makeData(sql, SHAPE, () => undefined);
  t.strictSame([...(await schema())], before);
  t.ok(before.length > 100);
});

t.test('makeData makes rows as bookings would leave them', async (t) => {
  const sql = await openData(t);
  await makeData(sql, SHAPE, () => undefined);
  await sql`create temporary table made as table appointments`;
  await sql`create temporary table full_then as table full_days`;
  // Once more past all that makeData takes off for its time.
  await sql`delete from appointments`;
  await sql`insert into appointments overriding system value select * from made order by id`;
  t.strictSame([...(await sql`table appointments except table made`)], []);
  const full = [...(await sql`select * from full_days where date >= (now() at time zone 'UTC')::date order by 1, 2`)];
  t.strictSame([...(await sql`select * from full_then order by 1, 2`)], full);
  t.equal(full.length, 20, 'five days of the four doctors');
  t.strictSame(
    [
      ...(await sql`
        select a.id from made a join available_times t on t.id = available_time_id
        where period is distinct from slot_period(date, start_minute, end_minute, 'UTC')
          or (doctor_id, available_time_id) not in (select doctor_id, available_time_id from doctor_available_times)`),
    ],
    [],
  );
});

t.test('makeData makes five full days, two weeks at 60 %, and the same each time', async (t) => {
  const sql = await openData(t);
  const read = async () => {
    await makeData(sql, SHAPE, () => undefined);
    const rows = await sql`
      select relname, (xpath('/row/md5/text()', query_to_xml(format(
        'select md5(string_agg(t::text, ''|'' order by t::text)) as md5 from %s t', oid::regclass), false, true, '')))[1]::text as md5
      from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'
        -- When it happened, by the clock.
        and relname <> 'audit_events' order by 1`;
    return [...rows];
  };
  const first = await read();
  t.strictSame(await read(), first);
  const days = await sql`
    select (date - (now() at time zone 'UTC')::date) as day, count(distinct (doctor_id, available_time_id))::int as count
    from appointments where not is_cancelled group by 1 order by 1`;
  t.strictSame(
    days.filter(({ day }) => day >= 0).map(({ count }) => count),
    [...Array<number>(5).fill(80), ...Array<number>(14).fill(48)],
  );
  t.equal(days[0]?.['day'], -20);
  t.strictSame(
    [...(await sql`select count(*)::int as all, count(distinct (doctor_id, patient_id))::int as pairs from reviews`)],
    [{ all: 1000, pairs: 1000 }],
  );
});

t.test('freeSlots finds slots that can all be booked', async (t) => {
  const sql = await openData(t);
  await makeData(sql, SHAPE, () => undefined);
  const slots = await freeSlots(sql, SHAPE, 1000);
  t.equal(slots.length, 4 * 14 * 8);
  t.equal(new Set(slots.slice(0, 4).map(({ doctor }) => doctor)).size, 4);
  for (const { doctor, time, date, patient } of slots) {
    await sql`
      insert into appointments (doctor_id, patient_id, available_time_id, date, period, type, symptoms)
      select ${doctor}, ${patient}, id, ${date}::date, slot_period(${date}::date, start_minute, end_minute, 'UTC'), 'online', ''
      from available_times where id = ${time}`;
  }
});

t.test(
  'npm run bench:data keeps what it made, makes it anew where it is another, and touches no other data',
  async (t) => {
    const DATABASE_URL = await createTestDatabase(t);
    const run = () => runProgram('dist/bench/make-data.js', { DATABASE_URL }, FLAGS);
    t.match(await run(), { code: 0, stderr: '', stdout: /appointments 2000 of 2000\n/ });
    t.match(await run(), {
      code: 0,
      stderr: '',
      stdout: /^ *[\d.]+ s {2}the data is there: 2000 appointments, 20 doctors\n$/,
    });
    const sql = connect(DATABASE_URL, { max: 1 });
    t.teardown(() => sql.end());
    await sql`delete from appointments where id = 1`;
    t.match(await run(), { code: 0, stderr: '', stdout: /appointments 2000 of 2000\n/ });
    await sql`insert into users (username, email, password_hash) values ('somebody', 'somebody@example.com', 'a hash')`;
    t.match(await run(), { code: 1, stdout: '', stderr: /^there is other data in the database[^\n]*\n$/ });
    t.strictSame([...(await sql`select count(*)::int from appointments`)], [{ count: 2000 }]);
    await sql`truncate users, available_times, designations, specialisations, services cascade`;
    await sql`insert into contacts (name, phone, message) values ('Somebody', '123', 'Hello')`;
    t.match(await run(), { code: 1, stdout: '', stderr: /^there is other data in the database[^\n]*\n$/ });
  },
);
