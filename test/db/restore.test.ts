/** What pg_dump and pg_restore do with a database: their sessions have an empty search_path. */
import postgres from 'postgres';
import t from 'tap';
import { noteSecret } from '../../src/signing-secret.js';
import { createTestDatabase, openTestDatabase } from '../helpers/database.js';
import { fillTables, readTables } from '../helpers/fill.js';

t.test('rows go into a migrated database without the help of a search_path', async (t) => {
  const [source, target] = (await Promise.all(
    [1, 2].map(async () => postgres(await createTestDatabase(t), { max: 1, onnotice: () => undefined })),
  )) as [postgres.Sql, postgres.Sql];
  t.teardown(() => Promise.all([source.end(), target.end()]));
  await fillTables(source);
  await target`select set_config('search_path', '', false)`;
  const waiting = await readTables(source);
  for (let table = waiting.shift(); table !== undefined; table = waiting.shift()) {
    const { name, columns } = table;
    // As pg_dump has them, tables come after those that they refer to.
    if (columns.some(({ target }) => waiting.some((other) => other.name === target?.[0]))) {
      waiting.push(table);
      continue;
    }
    const rows = await source<
      { json: string }[]
    >`select to_json(r)::text as json from ${source(`public.${name}`)} as r`;
    t.ok(rows.length > 0, name);
    const names = [...new Set(['id', ...columns.map((column) => column.name)])].filter(isColumnOf(rows[0]?.json));
    for (const { json } of rows) {
      await target`insert into ${target(`public.${name}`)} (${target(names)}) overriding system value
        select ${target(names)} from json_populate_record(null::${target(`public.${name}`)}, ${json}::text::json)`;
    }
    const copied = await target<
      { json: string }[]
    >`select to_json(r)::text as json from ${target(`public.${name}`)} as r`;
    t.strictSame(new Set(copied.map(({ json }) => json)), new Set(rows.map(({ json }) => json)), name);
  }
});

function isColumnOf(json: string | undefined): (name: string) => boolean {
  const names = Object.keys(JSON.parse(json ?? '{}') as object);
  return (name) => names.includes(name);
}

t.test('what was booked over comes after what was booked over it, if that is how the rows lie', async (t) => {
  const sql = postgres(await createTestDatabase(t), { max: 1 });
  t.teardown(() => sql.end());
  await sql`insert into users (username, email, password_hash)
    select 'u' || n, 'u' || n || '@example.com', '' from generate_series(1, 3) n`;
  await sql`insert into doctors (user_id) values (1)`;
  await sql`insert into patients (user_id) values (2), (3)`;
  await sql`insert into available_times (label) values ('10:00'), ('Evening')`;
  const insert = (id: number, patient: number, isOverbooked: boolean) => sql`
    insert into public.appointments
      (id, patient_id, doctor_id, available_time_id, date, period, type, symptoms, is_overbooked)
    overriding system value
    select ${id} + slot, ${patient}, 1, slot, '2030-01-01',
      case slot when 1 then '[2030-01-01 10:00, 2030-01-01 10:30)'::tsrange end, 'online', 'x', ${isOverbooked}
    from generate_series(1, 2) as slot`;
  await insert(20, 2, true);
  await t.rejects(insert(10, 1, false), { code: '23P01' }, 'not by others');
  await sql`select set_config('search_path', '', false)`;
  await insert(10, 1, false);
});

t.test('what an instance has noted leaves room for the rows of a backup', async (t) => {
  const { database, url } = await openTestDatabase(t);
  t.ok(await noteSecret(database.db, ['the secret of the instance that made the tables']));
  const sql = postgres(url, { max: 1, connection: { DateStyle: 'ISO' } });
  t.teardown(() => sql.end());
  for (const { name } of await readTables(sql)) {
    const rows = await sql`select * from ${sql(name)}`;
    for (const row of rows) await sql`insert into ${sql(name)} ${sql(row)}`;
  }
  t.ok(await noteSecret(database.db, ['the secret of the instance that made the tables']));
  t.notOk(await noteSecret(database.db, ['another']));
  t.ok(await noteSecret(database.db, ['another']));
  t.ok(await noteSecret(database.db, ['the next', 'another']), 'one that verifies what the last one signs');
  t.notOk(await noteSecret(database.db, ['another']), 'which the last one no longer accepts');
});

t.test('each function that a row runs has a search_path of its own', async (t) => {
  const sql = postgres(await createTestDatabase(t), { max: 1 });
  t.teardown(() => sql.end());
  const functions = await sql<{ name: string; settings: string[] | null }[]>`
    select proname as name, proconfig as settings from pg_proc
    where pronamespace = 'public'::regnamespace and prorettype = 'trigger'::regtype order by proname`;
  t.ok(functions.length > 0);
  for (const { name, settings } of functions) t.match(settings?.[0], /^search_path=/, name);
});
