import { sql, type SQL } from 'drizzle-orm';
import { spawn } from 'node:child_process';
import { readdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import type { Db } from '../../db/client.js';
import { availableTimes, discardedPictures } from '../../db/tables/index.js';
import { openFolder } from '../../plugins/pictures/folder.js';
import { ACCOUNTS, DOCTORS, PASSWORD } from '../../src/demo/people.js';
import { COMPLAINTS } from '../../src/demo/texts.js';
import type { Calendar } from '../../src/scheduling/calendar.js';
import { drawPortrait } from '../../src/demo/portraits.js';
import { seedDemo } from '../../src/demo/seed.js';
import { buildTestApp, type Body } from '../helpers/app.js';
import { pictureFile } from '../helpers/pictures.js';
import { createTestDatabase, openTestDatabase } from '../helpers/database.js';
import { dataFolder, runProgram, start, startDemo } from '../helpers/process.js';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const CALENDAR = {
  now: new Date(),
  zone: 'UTC',
  horizonDays: 365,
  slotMinutes: 30,
  bookingNotice: 0,
  changeNotice: 0,
  maxOpenBookings: 20,
  maxOpenBookingsPerDoctor: 5,
  waitingOffer: 1800,
};
const NAMES = ACCOUNTS.map(({ username }) => username);

/** Every table of the database with what is in it. */
async function contents(db: Db): Promise<Record<string, unknown>> {
  const tables = await db.execute<{ name: string }>(sql`
    select table_name as name from information_schema.tables where table_schema = 'public' order by 1`);
  const found: Record<string, unknown> = {};
  for (const { name } of tables) {
    const rows = await db.execute<{ row: string }>(sql`
      select ${sql.identifier(name)}::text as row from ${sql.identifier(name)} order by 1`);
    found[name] = rows.map(({ row }) => row);
  }
  return found;
}

t.test('the demo fills an empty database with a hospital', async (t) => {
  const api = await buildTestApp(t);
  const { db } = api.database;
  const folder = join(t.testdirName, 'pictures');
  const store = await openFolder(folder);
  t.match(await seedDemo(db, store, CALENDAR), { owner: 'demo', accounts: { length: 3 } });

  const logIn = async (username: string, password: string) =>
    api.post('/api/user/login/', { body: { username, password } });

  await t.test('doctors with pictures, in every specialisation and designation', async (t) => {
    const doctors = (await api.get('/doctors/?limits=1000')).body.results;
    t.ok(doctors.length >= 30);
    for (const { user, profile, specialisation, designation, available_time, fee, meet_link } of doctors) {
      const picture = await api.get(new URL(profile).pathname);
      t.equal(picture.status, 200, user);
      t.equal(picture.headers['content-type'], 'image/jpeg', user);
      for (const list of [specialisation, designation, available_time]) t.ok(list.length > 0, user);
      t.ok(fee > 0 && meet_link.startsWith('https://meet.example.com/'), user);
    }

    for (const path of ['specialisation', 'designation']) {
      const entries = (await api.get(`/${path}s/`)).body;
      for (const { id, name } of entries) {
        // The first is for whoever wants to change one or delete it.
        t.equal((await api.get(`/doctors/?${path}=${id}`)).body.count > 0, id !== 1, name);
      }
      t.ok(entries.length >= (path === 'specialisation' ? 12 : 8));
    }
  });

  await t.test('slots, whose clock times are known', async (t) => {
    const slots = await db.select().from(availableTimes);
    t.match(
      slots.find(({ label }) => label === '01:00 PM - 01:30 PM'),
      { startMinute: 780, endMinute: 810 },
    );
    t.equal(slots.filter(({ startMinute, endMinute }) => Number(endMinute) - Number(startMinute) === 30).length, 49);
    t.match(
      slots.find(({ label }) => label === 'Evening visit'),
      { startMinute: null, endMinute: null },
    );
  });

  await t.test('three accounts that can do what they say', async (t) => {
    const tokens: string[] = [];
    for (const name of NAMES) {
      const answer = await logIn(name, PASSWORD);
      t.equal(answer.status, 200, name);
      tokens.push(answer.body.access);
    }
    const body = { name: 'Matron', slug: 'matron' };
    const statuses = [];
    for (const token of tokens) statuses.push((await api.post('/designations/', { token, body })).status);
    t.strictSame(statuses, [403, 403, 201]);
    t.equal((await api.post('/doctors/', { token: tokens[1], body: {} })).status, 409, 'the doctor is one');
  });

  await t.test('appointments, reviews, services, contacts and pictures', async (t) => {
    const accounts: Record<string, { access: string }> = {};
    for (const name of NAMES) accounts[name] = (await logIn(name, PASSWORD)).body;
    const list = async (path: string, name = 'staff') => (await api.get(path, { token: accounts[name]?.access })).body;
    for (const query of ['status=Pendding', 'status=Complated', 'cancel=true', 'attendance=arrived']) {
      t.ok((await list(`/appointments/?${query}`)).count > 5, query);
    }
    t.ok((await list('/appointments/?type=Online')).count > 20);
    t.ok((await list('/appointments/?attendance=no_show')).count >= 3);
    const own = await list('/appointments/', 'patient');
    t.ok(own.count >= 3, `the patient has ${own.count} appointments`);
    t.ok((await list('/appointments/', 'doctor')).count >= 10);
    const put = (await list('/appointments/1/history/', 'patient')).results;
    t.match(put, [{ changed_by: 'patient', field: 'date' }], 'one was put off');
    for (const { id } of (await list('/appointments/?cancel=true')).results) {
      t.match((await list(`/appointments/${id}/history/`)).results, [{ field: 'cancel', from: 'false', to: 'true' }]);
    }

    const reviews = await list('/reviews/?limits=1000');
    t.ok(reviews.count > 30);
    t.ok((await list('/contacts/')).length >= 4);
    t.equal((await list('/contacts/', 'patient')).length, 1);

    for (const [name, path] of [
      ['patient', '/patients/dependants/'],
      ['staff', '/patients/?search=rosa+marsh'],
    ] as const) {
      const found = await list(path, name);
      const [{ id, user }] = found.results ?? found;
      t.equal(user, '', 'without an account');
      t.equal((await list(`/appointments/?patient_id=${id}`, name)).count, 1);
    }

    const services = await list('/services/');
    const patients = (await list('/patients/?limits=1000')).results as { profile: string | null }[];
    const pictures = [
      ...services.map(({ image }: { image: string | null }) => image),
      ...patients.map(({ profile }) => profile),
    ].filter((url) => url !== null);
    t.equal(pictures.length, 8 + 18);
    for (const url of pictures) t.equal((await api.get(url.replace(/^https?:\/\/[^/]+/, ''))).status, 200, url);
    t.equal(readdirSync(folder).length, pictures.length + DOCTORS.length);
    t.equal(await db.$count(discardedPictures), 0, 'no picture is to be removed');
  });

  await t.test('what the patient can still create', async (t) => {
    const { access: token } = (await logIn('patient', PASSWORD)).body;
    t.equal((await api.post('/patients/', { token, form: { profile: await pictureFile() } })).status, 201);
    t.equal((await api.post('/api/user/profiles/', { token, body: { bio: 'New here.' } })).status, 201);
  });

  await t.test('nobody else can log in', async (t) => {
    for (const password of ['!', PASSWORD]) t.equal((await logIn('henrik.solberg', password)).status, 401);
  });

  await t.test('once only', async (t) => {
    // What was answered before is written a second later at the latest.
    await api.app.audit.flush();
    const [before, files] = [await contents(db), readdirSync(folder)];
    t.match(await seedDemo(db, store, CALENDAR), { owner: 'demo', accounts: { length: 3 } });
    t.strictSame(await contents(db), before);
    t.strictSame(readdirSync(folder), files);
    await db.execute(sql`update users set email = 'user@example.com' where username = 'patient'`);
    const { owner, accounts } = await seedDemo(db, store, CALENDAR);
    t.equal(owner, 'demo', 'also when somebody has changed an account');
    t.strictSame([...accounts].sort(), ['doctor', 'staff']);
  });
});

interface SeededVisit {
  readonly status: 'pending' | 'running' | 'completed';
  readonly is_cancelled: boolean;
  readonly is_today: boolean;
  /** Hours from now, by the clinic's clock. */
  readonly starts: number;
  readonly ends: number;
}

/** The doctor's account's appointments. */
async function visitsOfDoctor(db: Db, { now, zone }: Pick<Calendar, 'now' | 'zone'>): Promise<SeededVisit[]> {
  const shown = sql`(${now.toISOString()}::timestamptz at time zone ${zone}::text)`;
  const hours = (time: SQL): SQL => sql`(extract(epoch from ${time} - ${shown}) / 3600)::float8`;
  return [
    ...(await db.execute<SeededVisit & Record<string, unknown>>(sql`
      select status, is_cancelled, date = ${shown}::date as is_today,
        ${hours(sql`lower(period)`)} as starts, ${hours(sql`upper(period)`)} as ends
      from appointments join doctors on doctors.id = doctor_id join users on users.id = doctors.user_id
      where username = 'doctor'`)),
  ];
}

/** The words of the demo's people, each kind in a list. */
const WORDS = [
  'select symptoms from appointments where series_id is null',
  'select body from reviews',
  'select message from contacts',
  'select name from services',
  'select description from services',
  'select email from users',
];

t.test('whenever it is made', async (t) => {
  const store = await openFolder(dataFolder(t));
  for (const [moment, zone] of [
    ['2026-11-24T10:10:00Z', 'UTC'],
    ['2026-11-24T03:00:00Z', 'UTC'],
    ['2026-11-24T23:55:00Z', 'UTC'],
    ['2026-11-25T00:00:00Z', 'UTC'],
    ['2026-11-29T15:20:00Z', 'UTC'],
    ['2026-11-21T23:30:00Z', 'Europe/Berlin'],
    ['2027-01-01T00:00:00Z', 'America/New_York'],
    ['2026-03-29T01:10:00Z', 'Europe/Berlin'],
    ['2026-10-25T00:40:00Z', 'Europe/Berlin'],
    ['2028-02-29T12:00:00Z', 'Pacific/Kiritimati'],
    ['2026-06-01T12:00:00Z', 'Asia/Kathmandu'],
  ] as const) {
    await t.test(`${moment} in ${zone}`, async (t) => {
      const { db } = (await openTestDatabase(t)).database;
      const calendar = {
        now: new Date(moment),
        zone,
        horizonDays: 365,
        slotMinutes: 30,
        bookingNotice: 0,
        changeNotice: 0,
        maxOpenBookings: 20,
        maxOpenBookingsPerDoctor: 5,
        waitingOffer: 1800,
      };
      t.match(await seedDemo(db, store, calendar), { owner: 'demo' });

      const visits = (await visitsOfDoctor(db, calendar)).filter((visit) => !visit.is_cancelled);
      const running = visits.filter(({ status }) => status === 'running');
      t.match(running, [{ is_today: true }], 'one patient is with the doctor');
      t.ok(running.every(({ starts, ends }) => starts <= 0 && ends > 0));
      const done = visits.filter(({ status }) => status === 'completed');
      t.ok(done.every(({ ends }) => ends <= 0) && done.length > 10);
      // Half an hour of those around a change of the clocks may not be there.
      t.ok(done.filter(({ starts }) => starts > -3.6).length >= 2, 'some were there before');
      const ahead = visits.filter(({ status }) => status === 'pending');
      t.ok(ahead.every(({ starts }) => starts > 0) && ahead.length > 10);
      t.ok(ahead.filter(({ starts }) => starts < 4.1).length >= 4, 'and more will come');
      const hour = Number(moment.slice(11, 13));
      if (zone === 'UTC' && hour > 3 && hour < 20) {
        for (const some of [done, ahead]) t.ok(some.filter((visit) => visit.is_today).length >= 3);
      }

      const [broken] = await db.execute(sql`select count(*)::int as count from appointments
        where created_at > ${moment}::timestamptz or updated_at > ${moment}::timestamptz
          or (not is_cancelled and attendance is null and status <> 'pending')
          or (not is_cancelled and attendance is null) is distinct from
            (not is_cancelled and date >= (${moment}::timestamptz at time zone ${zone}::text)::date
              and coalesce(lower(period), date + time '18:00') > ${moment}::timestamptz at time zone ${zone}::text)
          or is_cancelled and not exists (
            select from appointment_changes where appointment_id = appointments.id and field = 'cancelled')`);
      t.match(broken, { count: 0 }, 'every status and history is as the clock has it');
      const [history] = await db.execute(sql`select count(*)::int as count from appointment_changes
        join appointments on appointments.id = appointment_id
        where changed_at > ${moment}::timestamptz or changed_at < created_at`);
      t.match(history, { count: 0 }, 'what was changed was there, and is past');
      for (const query of WORDS) {
        const texts = (await db.execute(sql.raw(query))).map((row) => Object.values(row)[0]);
        t.equal(new Set(texts).size, texts.length, query);
      }
    });
  }
});

t.test('complaints fit the specialisation, and ratings vary', async (t) => {
  const { db } = (await openTestDatabase(t)).database;
  await seedDemo(db, await openFolder(dataFolder(t)), CALENDAR);
  const rows = await db.execute<{ symptoms: string; fields: string }>(sql`
    select symptoms, (select string_agg(name, ',') from doctor_specialisations
      join specialisations on specialisations.id = specialisation_id
      where doctor_specialisations.doctor_id = appointments.doctor_id) as fields from appointments where series_id is null`);
  t.ok(rows.length > 120);
  for (const { symptoms, fields } of rows) {
    const text = symptoms.replace(/^(Follow-up|Result of the tests|Second opinion): /, '').toLowerCase();
    const known = fields.split(',').flatMap((field) => COMPLAINTS[field] ?? []);
    t.ok(
      known.some((complaint) => complaint.toLowerCase() === text),
      `${fields}: ${symptoms}`,
    );
  }
  const ratings = await db.execute(sql`select distinct rating from reviews`);
  t.equal(ratings.length, 5);
});

t.test('the same by the same seed and clock, and where little can be booked', async (t) => {
  const store = await openFolder(dataFolder(t));
  const seeded = async (options: object, horizonDays = 365) => {
    const { db } = (await openTestDatabase(t)).database;
    await seedDemo(db, store, { ...CALENDAR, horizonDays }, options);
    const { appointments, appointment_changes, reviews, profiles } = await contents(db);
    return { appointments, appointment_changes, reviews, profiles };
  };
  const one = await seeded({});
  t.strictSame(await seeded({}), one);
  t.notSame((await seeded({ seed: 2 })).appointments, one.appointments);
  const few = await seeded({}, 1);
  const putOff = (few.appointment_changes as string[]).filter((change) => /^\(\d+,1,.*,date,/.test(change));
  t.not(putOff.length, 0, 'the first was put off');
});

t.test('a database with other users stays as it is', async (t) => {
  const api = await buildTestApp(t);
  const { db } = api.database;
  await api.register({ username: 'doctor' });
  const before = await contents(db);
  const folder = join(t.testdirName, 'pictures');
  t.strictSame(await seedDemo(db, await openFolder(folder), CALENDAR), { owner: 'others', accounts: [] });
  t.strictSame(await contents(db), before);
  t.strictSame(readdirSync(folder), []);
});

t.test('a demo that is killed half-way leaves nothing', async (t) => {
  const { database, url: DATABASE_URL } = await openTestDatabase(t);
  const { db } = database;
  const DATA_DIR = dataFolder(t);
  const before = await contents(db);

  // Holds the demo up at its last table.
  await db.execute(sql`create function hold() returns trigger language plpgsql as
    'begin perform pg_advisory_xact_lock(4711); return null; end'`);
  await db.execute(sql`create trigger hold after insert on reviews execute function hold()`);
  let waiting: { pid: number } | undefined;
  await db.transaction(async (tx) => {
    await tx.execute(sql`select pg_advisory_xact_lock(4711)`);
    const child = start(['dist/src/demo.js'], { DATABASE_URL, DATA_DIR });
    child.stdout.resume();
    child.stderr.pipe(process.stderr);
    const ended = new Promise((resolve) => child.on('exit', (_code, signal) => resolve(signal)));
    t.teardown(() => child.kill('SIGKILL'));
    while (waiting === undefined && child.exitCode === null) {
      await sleep(20);
      [waiting] = await tx.execute<{ pid: number }>(sql`
        select pid from pg_locks where not granted and locktype = 'advisory' and objid = 4711`);
    }
    child.kill('SIGKILL');
    t.equal(await ended, 'SIGKILL');
  });
  const connections = sql`select from pg_stat_activity where pid = ${waiting?.pid}`;
  while ((await db.execute(connections)).length > 0) await sleep(20);

  // A start notes which secret it signs with.
  t.strictSame({ ...(await contents(db)), signing_secrets: [], picture_places: [] }, before);
  const folder = join(DATA_DIR, 'pictures');
  t.strictSame(readdirSync(folder), []);
  t.match(await seedDemo(db, await openFolder(folder), CALENDAR), { owner: 'demo' }, 'the next start succeeds');
  const [first] = await db.execute(sql`select min(id)::int as id from reviews`);
  t.strictSame(first, { id: 1 }, 'with the same ids');
});

t.test('pictures that are gone come back', async (t) => {
  const { db } = (await openTestDatabase(t)).database;
  const folder = dataFolder(t);
  const store = await openFolder(folder);
  await seedDemo(db, store, CALENDAR);
  const names = readdirSync(folder);
  const [picture, other] = names as [string, string];
  await store.remove(picture);
  // As a demo leaves it that is killed while it writes.
  renameSync(join(folder, other), join(folder, `${other}.part`));
  await Promise.all([seedDemo(db, store, CALENDAR), seedDemo(db, store, CALENDAR)]);
  t.strictSame(readdirSync(folder), names);
});

t.test('of two demos that start at once one fills the database', async (t) => {
  const { database } = await openTestDatabase(t);
  const store = await openFolder(t.testdir());
  const seeded = await Promise.all([seedDemo(database.db, store, CALENDAR), seedDemo(database.db, store, CALENDAR)]);
  t.match(seeded, [{ owner: 'demo' }, { owner: 'demo' }]);
  const [row] = await database.db.execute(sql`select count(*)::int as count from doctors`);
  t.strictSame(row, { count: DOCTORS.length + 1 }, 'and who waits for the approval of staff');
});

t.test('a portrait is always the same for the same person', async (t) => {
  const person = { name: 'Ada Brenninger', hair: 'curls', skin: 2, isDoctor: true } as const;
  const picture = await drawPortrait(person);
  t.ok(picture.equals(await drawPortrait(person)));
  t.notOk(picture.equals(await drawPortrait({ ...person, name: 'Leila Haddadi' })));
});

const logInAt = (url: string, username: string): Promise<Response> =>
  fetch(`${url}/api/user/login/`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ username, password: PASSWORD }),
  });

t.test('npm run demo', async (t) => {
  const DATABASE_URL = await createTestDatabase(t);
  const environment = { DATABASE_URL, DATA_DIR: dataFolder(t), ADMIN_USERNAME: 'boss' };

  await t.test('prints where Swagger UI is and who can log in, without any log line', async (t) => {
    const { text, url } = await startDemo(t, environment);
    for (const path of ['/docs/', '/', '/openapi.yaml']) t.ok(text.includes(` ${url}${path}\n`), path);
    t.match(text, /^The demo: .*\n {2}Looking at the database/, 'what it does comes first');
    for (const name of NAMES) t.match(text, new RegExp(`^ +${name} +${PASSWORD} `, 'm'));
    t.match(text, /this machine only/);
    t.notMatch(text, /[{]"level"/);
    const page = await fetch(`${url}/docs/`);
    t.equal(page.status, 200);
    t.match(await page.text(), /swagger-ui/);

    await t.test('examples/first-visit.sh', async (t) => {
      const child = spawn('bash', ['examples/first-visit.sh', url], {
        cwd: ROOT,
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      let answers = '';
      child.stdout.on('data', (chunk: Buffer) => (answers += chunk.toString()));
      const code = await new Promise((resolve) => child.on('close', resolve));
      t.equal(code, 0, 'every answer is as it should be', { answers });
    });
  });

  await t.test('starts again with the same accounts', async (t) => {
    const { text, url } = await startDemo(t, environment);
    t.notMatch(text, /Making/);
    t.equal((await logInAt(url, 'staff')).status, 200);
  });

  await t.test('--reset makes the data anew, and not while a server runs on it', async (t) => {
    const { url } = await startDemo(t, environment);
    const { access } = (await (await logInAt(url, 'staff')).json()) as { access: string };
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${access}` };
    const body = JSON.stringify({ name: 'Matron', slug: 'matron' });
    t.equal((await fetch(`${url}/designations/`, { method: 'POST', headers, body })).status, 201);

    const refused = await runProgram('dist/src/demo.js', environment, ['--reset']);
    t.match(refused, { code: 1, stderr: /^DATABASE_URL must lead --reset to a database that no server uses[^\n]+\n$/ });
    t.equal((await fetch(`${url}/designations/11/`)).status, 200, 'it is unchanged');
  });
  const { text, url } = await startDemo(t, environment, ['--reset']);
  t.match(text, /^ {2}Making 36 doctors, 37 patients and their appointments \.\.\.$/m);
  t.equal((await fetch(`${url}/designations/11/`)).status, 404);
  t.equal((await fetch(`${url}/designations/10/`)).status, 200, 'ids start anew');
  const [{ profile }] = ((await (await fetch(`${url}/doctors/?limits=1`)).json()) as Body).results;
  t.equal((await fetch(profile)).status, 200);
  t.equal((await logInAt(url, 'patient')).status, 200);
});

t.test('npm run demo refuses with one line', async (t) => {
  const { database, url: DATABASE_URL } = await openTestDatabase(t);
  const { db } = database;
  const environment = { DATABASE_URL, DATA_DIR: t.testdirName };
  const refused = async (given: Record<string, string>, args: string[] = []) => {
    const { code, stdout, stderr } = await runProgram('dist/src/demo.js', given, args);
    t.equal(code, 1);
    t.notMatch(stdout, /Making|open/);
    t.match(stderr, /^[^\n]+\n$/);
    return stderr;
  };

  await db.execute(sql`insert into users (username, email, password_hash) values ('patient', 'p@example.com', '!')`);
  const before = await contents(db);
  t.match(await refused(environment), /^DATABASE_URL must .* holds other data/);
  t.strictSame(await contents(db), before);

  t.match(await refused(environment, ['--reset']), /^DATABASE_URL must .* holds other data/);
  t.strictSame(await contents(db), before);
  await db.execute(sql`delete from users`);
  await db.execute(sql`insert into contacts (name, phone, message) values ('Ada', '12345', 'Hello?')`);
  t.match(await refused(environment, ['--reset']), /^DATABASE_URL must .* holds other data/, 'from somebody unknown');

  await db.execute(sql`drop schema drizzle cascade`);
  await db.execute(sql`drop schema public cascade`);
  await db.execute(sql`create schema public create table users (name text)`);
  await db.execute(sql`insert into users values ('somebody of another program')`);
  t.match(await refused(environment), /^DATABASE_URL must .* holds other data/);
  const schemas = await db.execute(sql`select from information_schema.schemata where schema_name = 'drizzle'`);
  t.equal(schemas.length, 0, 'nothing was migrated');
  t.strictSame(await contents(db), { users: ['("somebody of another program")'] });

  t.match(await refused({ ...environment, NODE_ENV: 'production' }), /^NODE_ENV must not be production/);
  t.match(await refused({ ...environment, DATABASE_URL: 'postgres://127.0.0.1:1/none' }), /^DATABASE_URL must /);
});
