import { sql } from 'drizzle-orm';
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import type { Db } from '../../db/client.js';
import { availableTimes, discardedPictures } from '../../db/tables/index.js';
import { openFolder } from '../../plugins/pictures/store.js';
import { ACCOUNTS, DOCTORS, PASSWORD } from '../../src/demo/people.js';
import { drawPortrait } from '../../src/demo/portraits.js';
import { seedDemo } from '../../src/demo/seed.js';
import { buildTestApp } from '../helpers/app.js';
import { pictureFile } from '../helpers/pictures.js';
import { createTestDatabase, openTestDatabase } from '../helpers/database.js';
import { dataFolder, runProgram, start, startDemo } from '../helpers/process.js';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const CALENDAR = { now: new Date(), zone: 'UTC', horizonDays: 365, slotMinutes: 30 };
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
        t.ok((await api.get(`/doctors/?${path}=${id}`)).body.count > 0, name);
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
    t.equal(slots.filter(({ startMinute, endMinute }) => Number(endMinute) - Number(startMinute) === 30).length, 20);
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
    for (const query of ['status=Pendding', 'status=Complated', 'cancel=true']) {
      t.ok((await list(`/appointments/?${query}`)).count > 5, query);
    }
    t.ok((await list('/appointments/?type=Online')).count > 20);
    const own = await list('/appointments/', 'patient');
    t.ok(own.count >= 3, `the patient has ${own.count} appointments`);
    t.ok((await list('/appointments/', 'doctor')).count >= 10);
    const histories = [];
    for (const { id } of own.results) histories.push((await list(`/appointments/${id}/history/`, 'patient')).count);
    t.ok(Math.max(...histories) > 0, 'one was put off');

    const reviews = await list('/reviews/?limits=1000');
    t.ok(reviews.count > 30);
    t.ok((await list('/contacts/')).length >= 4);
    t.equal((await list('/contacts/', 'patient')).length, 1);

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

t.test('whatever day it is', async (t) => {
  const store = await openFolder(t.testdir());
  for (const [day, zone] of [
    ['2026-11-21T23:30:00Z', 'Europe/Berlin'],
    ['2027-01-01T00:00:00Z', 'America/New_York'],
    ['2026-03-27T12:00:00Z', 'Europe/Berlin'],
    ['2028-02-29T12:00:00Z', 'Pacific/Kiritimati'],
  ] as const) {
    const { database } = await openTestDatabase(t);
    const calendar = { now: new Date(day), zone, horizonDays: 365, slotMinutes: 30 };
    t.match(await seedDemo(database.db, store, calendar), { owner: 'demo' }, `${day} in ${zone}`);
    const [row] = await database.db.execute<{ past: number; ahead: number }>(sql`
      select count(*) filter (where status = 'completed')::int as past,
        count(*) filter (where status = 'pending' and not is_cancelled)::int as ahead from appointments`);
    t.ok(Number(row?.past) > 40 && Number(row?.ahead) > 30, JSON.stringify(row));
  }
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
  let waiting: { pid: number } | undefined;
  await db.transaction(async (tx) => {
    await tx.execute(sql`lock table contacts`);
    const child = start(['dist/src/demo.js'], { DATABASE_URL, DATA_DIR });
    child.stdout.resume();
    child.stderr.pipe(process.stderr);
    const ended = new Promise((resolve) => child.on('exit', (_code, signal) => resolve(signal)));
    t.teardown(() => child.kill('SIGKILL'));
    while (waiting === undefined && child.exitCode === null) {
      await sleep(20);
      [waiting] = await tx.execute<{ pid: number }>(sql`
        select pid from pg_locks where not granted and relation = 'contacts'::regclass`);
    }
    child.kill('SIGKILL');
    t.equal(await ended, 'SIGKILL');
  });
  const connections = sql`select from pg_stat_activity where pid = ${waiting?.pid}`;
  while ((await db.execute(connections)).length > 0) await sleep(20);

  const { discarded_pictures: listed, ...left } = await contents(db);
  // A start notes which secret it signs with.
  t.strictSame({ ...left, discarded_pictures: [], signing_secrets: [] }, before);
  const folder = join(DATA_DIR, 'pictures');
  const files = readdirSync(folder);
  t.equal(files.length, (listed as string[]).length);
  t.ok(
    files.every((file) => (listed as string[]).some((row) => row.includes(file))),
    'the pictures will be removed',
  );
  t.match(await seedDemo(db, await openFolder(folder), CALENDAR), { owner: 'demo' }, 'the next start succeeds');
});

t.test('of two demos that start at once one fills the database', async (t) => {
  const { database } = await openTestDatabase(t);
  const store = await openFolder(t.testdir());
  const seeded = await Promise.all([seedDemo(database.db, store, CALENDAR), seedDemo(database.db, store, CALENDAR)]);
  t.match(seeded, [{ owner: 'demo' }, { owner: 'demo' }]);
  const [row] = await database.db.execute(sql`select count(*)::int as count from doctors`);
  t.strictSame(row, { count: DOCTORS.length });
});

t.test('a portrait is always the same for the same person', async (t) => {
  const person = { name: 'Ada Brenninger', hair: 'curls', skin: 2, isDoctor: true } as const;
  const picture = await drawPortrait(person);
  t.ok(picture.equals(await drawPortrait(person)));
  t.notOk(picture.equals(await drawPortrait({ ...person, name: 'Leila Haddadi' })));
});

t.test('npm run demo', async (t) => {
  const DATABASE_URL = await createTestDatabase(t);
  const environment = { DATABASE_URL, DATA_DIR: dataFolder(t), ADMIN_USERNAME: 'boss' };

  await t.test('prints where Swagger UI is and who can log in, without any log line', async (t) => {
    const { text, url } = await startDemo(t, environment);
    t.ok(text.includes(`${url}/docs/`));
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
    const { url } = await startDemo(t, environment);
    const answer = await fetch(`${url}/api/user/login/`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ username: 'staff', password: PASSWORD }),
    });
    t.equal(answer.status, 200);
  });
});

t.test('npm run demo refuses with one line', async (t) => {
  const { database, url: DATABASE_URL } = await openTestDatabase(t);
  const { db } = database;
  const environment = { DATABASE_URL, DATA_DIR: t.testdirName };
  const refused = async (given: Record<string, string>) => {
    const { code, stdout, stderr } = await runProgram('dist/src/demo.js', given);
    t.strictSame({ code, stdout }, { code: 1, stdout: '' });
    t.match(stderr, /^[^\n]+\n$/);
    return stderr;
  };

  await db.execute(sql`insert into users (username, email, password_hash) values ('patient', 'p@example.com', '!')`);
  const before = await contents(db);
  t.match(await refused(environment), /^DATABASE_URL must .* without users/);
  t.strictSame(await contents(db), before);

  await db.execute(sql`drop schema drizzle cascade`);
  await db.execute(sql`drop schema public cascade`);
  await db.execute(sql`create schema public create table users (name text)`);
  await db.execute(sql`insert into users values ('somebody of another program')`);
  t.match(await refused(environment), /^DATABASE_URL must .* without users/);
  const schemas = await db.execute(sql`select from information_schema.schemata where schema_name = 'drizzle'`);
  t.equal(schemas.length, 0, 'nothing was migrated');
  t.strictSame(await contents(db), { users: ['("somebody of another program")'] });

  t.match(await refused({ ...environment, NODE_ENV: 'production' }), /^NODE_ENV must not be production/);
  t.match(await refused({ ...environment, DATABASE_URL: 'postgres://127.0.0.1:1/none' }), /^DATABASE_URL must /);
});
