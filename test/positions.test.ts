/** Pages that are read by following `next`. */
import t from 'tap';
import { buildTestApp } from './helpers/app.js';

/** Lists with rows that have much in common, so that an order has many equal ones. */
const DATA = [
  `insert into users (username, email, first_name, last_name, password_hash)
    select 'u' || n, 'u' || n || '@example.com', (array['Ada', 'Bob', 'Cid'])[n % 3 + 1], '', '-' from generate_series(1, 40) n`,
  `insert into profiles (user_id) select id from users on conflict do nothing`,
  `insert into doctors (user_id, fee) select id, id % 4 from users where username like 'u%' and id % 2 = 0`,
  `insert into patients (user_id) select id from users on conflict do nothing`,
  `insert into available_times (label, start_minute, end_minute) values ('10:00', 600, 630), ('11:00', 660, 690), ('Evening', null, null)`,
  `insert into appointments (patient_id, doctor_id, available_time_id, date, period, type, symptoms)
    select p.id, d.id, t.id, date '2030-01-01' + n, case when start_minute is not null then tsrange(
      date '2030-01-01' + n + make_interval(mins => start_minute), date '2030-01-01' + n + make_interval(mins => end_minute)) end,
      'online', 'x'
    from generate_series(0, 3) n, available_times t,
      (select id, row_number() over (order by id) as at from doctors order by id limit 5) d
      join (select id, row_number() over (order by id) as at from patients) p on p.at = d.at`,
  `insert into reviews (doctor_id, patient_id, body, rating)
    select (select min(id) from doctors), id, 'x', 5 from patients`,
  `insert into time_off (starts_on, ends_on, reason, created_by) select day, day, '', (select min(id) from users)
    from (select date '2031-01-01' + n as day from generate_series(1, 9) n) as days`,
  `insert into waiting_entries (patient_id, doctor_id, starts_on, ends_on)
    select (select min(id) from patients), id, '2030-01-01', '2030-02-01' from doctors`,
];

const LISTS = [
  '/api/user/users/',
  '/api/user/profiles/',
  '/patients/',
  '/reviews/',
  '/time-off/',
  '/waiting-list/',
  ...['id', 'fee', '-fee', 'name'].map((word) => `/doctors/?ordering=${word}`),
  ...['id', 'date', '-date'].map((word) => `/appointments/?ordering=${word}`),
  '/appointments/?ordering=-date&time=3',
];

interface Row {
  readonly id: number;
}

t.test('following next', async (t) => {
  const api = await buildTestApp(t);
  const { token } = await api.registerStaff();
  for (const statement of DATA) await api.database.db.execute(statement);
  const get = async (url: string) => {
    const { status, body } = await api.get(url, { token });
    t.equal(status, 200, url);
    return body as { count: number; next: string | null; previous: string | null; results: Row[] };
  };
  const limited = (url: string, limits: number) => `${url}${url.includes('?') ? '&' : '?'}limits=${limits}`;

  for (const url of LISTS) {
    await t.test(`${url} has what one page of all has`, async (t) => {
      const all = await get(limited(url, 1000));
      t.ok(all.results.length > 8, `${all.results.length} rows`);
      for (const limits of [1, 3, all.count - 1, all.count]) {
        const results: Row[] = [];
        let number = 0;
        for (let next: string | null = limited(url, limits); next !== null;) {
          const page = await get(next);
          number += 1;
          t.equal(page.previous === null, number === 1, 'the first page alone has no page before it');
          results.push(...page.results);
          next = page.next;
          if (next !== null) t.match(next, new RegExp(`page=${number + 1}&after=[\\w-]+$`));
        }
        t.strictSame(results, all.results);
      }
    });
  }

  await t.test('misses nothing and shows nothing twice while others write', async (t) => {
    const url = '/appointments/?ordering=date&limits=7';
    const first = await get(url);
    const stays = (await get('/appointments/?ordering=date&limits=1000')).results.map(({ id }) => id);
    // What was shown goes, the last one too; and more comes before it.
    const shown = `{${first.results.map(({ id }) => id).join()}}`;
    const user = `select set_config('hospital.user_id', (select min(id)::text from users), true)`;
    await api.database.db.transaction(async (tx) => {
      await tx.execute(user);
      await tx.execute(`update appointments set archived_at = now() where id = any('${shown}')`);
      await tx.execute(`insert into appointments (patient_id, doctor_id, available_time_id, date, type, symptoms)
        select (select max(id) from patients), (select max(id) from doctors), 3, date '2029-01-01' + n, 'online', 'x'
        from generate_series(1, 9) n`);
    });
    const seen = first.results.map(({ id }) => id);
    for (let { next } = first; next !== null;) {
      const page = await get(next);
      seen.push(...page.results.map(({ id }) => id));
      next = page.next;
    }
    t.strictSame(seen, stays);
    const last = await get(`/appointments/?ordering=date&limits=1000`);
    t.equal(last.count, stays.length - first.results.length + 9);
  });

  await t.test('an empty page follows where all that followed has gone', async (t) => {
    const { next } = await get('/reviews/?limits=2');
    await api.database.db.execute('delete from reviews where id > (select min(id) + 1 from reviews)');
    t.match(await get(next ?? ''), { count: 2, next: null, results: [] });
  });

  await t.test('400 for what is no position, or of another order', async (t) => {
    const positionOf = async (url: string) => new URL((await get(url)).next ?? '').searchParams.get('after') ?? '';
    const ofDate = await positionOf('/appointments/?ordering=date&limits=1');
    const encoded = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
    for (const [url, after] of [
      ['/appointments/?ordering=-date', ofDate],
      ['/appointments/?', ofDate],
      ['/doctors/?ordering=name', ofDate],
      ['/appointments/?ordering=date', 'x'],
      ['/appointments/?ordering=date', `${ofDate.slice(0, -3)}`],
      ['/appointments/?ordering=date', 'not base64'],
      ['/appointments/?', encoded(['id', null])],
      ['/appointments/?', encoded(['id', '1; drop table users'])],
      ['/appointments/?', encoded(['id', '1', '2'])],
      ['/appointments/?', encoded({ id: '1' })],
      ['/appointments/?ordering=date', encoded(['date', '2030-02-30', '2030-02-28 10:00:00', '1'])],
      ['/appointments/?ordering=date', encoded(['date', '2030-02-28', '2030-02-28 25:00:00', '1'])],
      ['/doctors/?ordering=name', encoded(['name', '\0', '1'])],
      ['/doctors/?ordering=name', encoded(['name', '\ud800', '1'])],
      ['/doctors/?ordering=fee', encoded(['fee', '9'.repeat(10), '1'])],
    ] as const) {
      const { status, body } = await api.get(`${url}&after=${encodeURIComponent(after)}`, { token });
      t.match({ status, body }, { status: 400, body: { errors: { after: [String] } } }, `${url} ${after}`);
    }
  });
});
