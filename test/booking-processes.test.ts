/** Booking at two server processes on one database, over real HTTP. */
import t, { type Test } from 'tap';
import { randomUUID } from 'node:crypto';
import postgres from 'postgres';
import { SECRET } from './helpers/app.js';
import { createTestDatabase } from './helpers/database.js';
import { startServerProcess } from './helpers/process.js';
import { signAccess } from './helpers/tokens.js';

// Quicker than this by far, but on a machine that is busy with other things.

const COUNT = 50;
const DAY = 86_400_000;

const inDays = (days: number): string => new Date(Date.now() + days * DAY).toISOString().slice(0, 10);

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly body: { id: number; date: string; alternatives: object[] };
  readonly isReplayed: boolean;
}

async function book(url: string, token: string, body: object, headers: Record<string, string> = {}): Promise<Answer> {
  const response = await fetch(`${url}/appointments/`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}`, ...headers },
    body: JSON.stringify({ time: 1, appointment_type: 'Online', symptoms: 'Headache', ...body }),
  });
  const text = await response.text();
  const isReplayed = response.headers.get('idempotent-replayed') === 'true';
  return { status: response.status, text, body: JSON.parse(text) as Answer['body'], isReplayed };
}

const statuses = (answers: readonly Answer[]): Record<number, number> => {
  const counts: Record<number, number> = {};
  for (const { status } of answers) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
};

async function open(t: Test) {
  const DATABASE_URL = await createTestDatabase(t);
  const client = postgres(DATABASE_URL, { max: 1, connection: { 'hospital.user_id': 'system' } });
  t.teardown(() => client.end());
  await client`insert into available_times (label, start_minute, end_minute) values ('10:00 - 10:30', 600, 630)`;
  const names = client`select name, name || '@example.com', '' from (
    select gen_random_uuid()::text as name from generate_series(1, ${COUNT})) as names`;
  const patients = await client<{ user: number }[]>`
    with people as (insert into users (username, email, password_hash) ${names} returning id)
    insert into patients (user_id) select id from people returning user_id::float8 as user`;
  return {
    client,
    tokens: patients.map(({ user }) => signAccess(SECRET, user)),
    start: async () => {
      const server = await startServerProcess(t, {
        DATABASE_URL,
        DATA_DIR: t.testdir({ [randomUUID()]: {} }),
        JWT_SECRET: SECRET,
        RATE_LIMIT_ANON: '1000000',
        RATE_LIMIT_USER: '1000000',
        MAX_OPEN_BOOKINGS: '1000000',
        MAX_OPEN_BOOKINGS_PER_DOCTOR: '1000000',
      });
      // None is expected here, and why there was one only the log tells.
      t.teardown(() => {
        for (const line of server.log) if (/"status":5\d\d/.test(line)) process.stderr.write(`${line}\n`);
      });
      return server;
    },
    /** A doctor who offers slot 1. */
    doctor: async (): Promise<number> => {
      const [row] = await client<{ id: number }[]>`
        with person as (
          insert into users (username, email, password_hash) select * from (${names}) as names limit 1 returning id
        ), made as (insert into doctors (user_id) select id from person returning id),
        link as (insert into doctor_available_times select id, 1 from made) select id::float8 from made`;
      return row?.id as number;
    },
    /** Pairs of live appointments that overlap, judged by what the API shows of them. */
    overlaps: () => client`
      select a.id, b.id from appointments a join appointments b on a.id < b.id and a.date = b.date
      and (a.doctor_id = b.doctor_id or a.patient_id = b.patient_id)
      and not a.is_cancelled and not b.is_cancelled and a.archived_at is null and b.archived_at is null`,
  };
}

t.test('two servers on one database', async (t) => {
  const { client, tokens, start, doctor: newDoctor, overlaps } = await open(t);
  const [one, two] = await Promise.all([start(), start()]);
  /** The servers take turns. */
  const urlOf = (index: number): string => (index % 2 === 0 ? one : two).url;

  await t.test('createAppointment 201 once and 409 for 49 patients who want one slot on one day', async (t) => {
    const [doctor, date] = [await newDoctor(), inDays(9)];
    const answers = await Promise.all(tokens.map((token, index) => book(urlOf(index), token, { doctor, date })));
    t.strictSame(statuses(answers), { 201: 1, 409: COUNT - 1 });
    t.ok(answers.every(({ status, body }) => status === 201 || body.alternatives.length === 5));
  });

  await t.test('createAppointment 201 for 50 patients who want one slot soon, on 50 days', async (t) => {
    const doctor = await newDoctor();
    // The first test has given one of them an appointment at this time.
    await client`update appointments set is_cancelled = true`;
    const answers = await Promise.all(tokens.map((token, index) => book(urlOf(index), token, { doctor })));
    t.strictSame(statuses(answers), { 201: COUNT });
    const days = answers.map(({ body }) => Date.parse(body.date)).sort((a, b) => a - b);
    t.ok(
      days.every((day, index) => index === 0 || day === (days[index - 1] as number) + DAY),
      'one after the other, without a gap',
    );
  });

  await t.test('createAppointment 201 for one patient who wants 50 doctors at one time, on 50 days', async (t) => {
    await client`update appointments set is_cancelled = true`;
    const token = tokens[0] as string;
    const doctors = await Promise.all(tokens.map(() => newDoctor()));
    const answers = await Promise.all(doctors.map((doctor, index) => book(urlOf(index), token, { doctor })));
    t.strictSame(statuses(answers), { 201: COUNT });
    t.equal(new Set(answers.map(({ body }) => body.date)).size, COUNT);
  });

  await t.test(
    'createTimeOff, replaceDoctorHours or createAppointment: what is booked does not stand outside',
    async (t) => {
      const [staff] = await client<{ id: number }[]>`
      insert into users (username, email, password_hash, is_staff) values ('staff', 'staff@example.com', '', true)
      returning id::float8`;
      const authorization = `Bearer ${signAccess(SECRET, staff?.id as number)}`;
      const send = async (path: string, method: string, body?: object) => {
        const headers = { authorization, ...(body && { 'content-type': 'application/json' }) };
        const response = await fetch(two.url + path, { method, headers, ...(body && { body: JSON.stringify(body) }) });
        return { status: response.status, body: (await response.json().catch(() => null)) as { id: number } | null };
      };
      const [from, to] = [inDays(20), inDays(27)];
      for (const what of ['leave', 'closure', 'hours']) {
        for (const displace of ['refuse', 'cancel']) {
          await client`update appointments set is_cancelled = true`;
          const doctor = await newDoctor();
          const take = () =>
            what === 'hours'
              ? send(`/doctors/${doctor}/hours/`, 'PUT', {
                  hours: [{ weekday: 1, times: [1], starting: inDays(300) }],
                  displace,
                })
              : send('/time-off/', 'POST', { doctor: what === 'leave' ? doctor : null, from, to, displace });
          const bookings = tokens.map(
            (token, index) => () => book(urlOf(index), token, { doctor, date: inDays(20 + (index % 8)) }),
          );
          const [some, others] = [bookings.slice(0, 12), bookings.slice(12)];
          const early = Promise.all(some.map((send) => send()));
          const [taken, answers] = await Promise.all([take(), Promise.all(others.map((send) => send()))]);
          const isTaken = taken.status !== 409;
          await early;
          const live = await client`select from appointments where doctor_id = ${doctor} and not is_cancelled`;
          if (displace === 'cancel') t.ok(isTaken, `${what} is taken`);
          t.equal(
            live.length > 0,
            !isTaken,
            `${what}, ${displace}: ${live.length} are booked, answered ${taken.status}`,
          );
          for (const { status } of answers) t.ok([201, 400, 409].includes(status));
          if (what !== 'hours' && isTaken) await send(`/time-off/${taken.body?.id}/`, 'DELETE');
        }
      }
    },
  );

  const hold = async (url: string, body: object, token?: string) => {
    const response = await fetch(`${url}/holds/`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) },
      body: JSON.stringify({ time: 1, ...body }),
    });
    const { token: held = '' } = (await response.json()) as { token?: string };
    return { status: response.status, held };
  };

  await t.test('createHold 201 once and 409 for 49 who want one slot, which 50 others can not book', async (t) => {
    const [doctor, date] = [await newDoctor(), inDays(9)];
    const holds = await Promise.all(tokens.map((token, index) => hold(urlOf(index), { doctor, date }, token)));
    t.equal(holds.filter(({ status }) => status === 201).length, 1);
    t.equal(holds.filter(({ status }) => status === 409).length, COUNT - 1);
    await client`update appointments set is_cancelled = true`;
    const holder = holds.findIndex(({ status }) => status === 201);
    const others = tokens.filter((_token, index) => index !== holder);
    const answers = await Promise.all(others.map((token, index) => book(urlOf(index), token, { doctor, date })));
    t.strictSame(statuses(answers), { 409: COUNT - 1 });
    const { held = '' } = holds[holder] ?? {};
    const redeemed = await Promise.all(
      tokens.map((token, index) => book(urlOf(index), token, { doctor, date, hold: held })),
    );
    t.strictSame(statuses(redeemed), { 201: 1, 400: COUNT - 1 });
  });

  await t.test('createAppointment 201 once at the moment a hold ends, for who has its token or another', async (t) => {
    const counts: Record<number, number> = {};
    for (let round = 0; round < 10; round++) {
      await client`update appointments set is_cancelled = true`;
      const [doctor, date] = [await newDoctor(), inDays(9)];
      const { held } = await hold(one.url, { doctor, date });
      const [row] = await client<{ end: Date }[]>`
        update holds set expires_at = clock_timestamp() + interval '200 milliseconds' where doctor_id = ${doctor}
        returning expires_at as end`;
      const end = row?.end.getTime() as number;
      let isBooked = false;
      const rival = async (token: string, index: number): Promise<void> => {
        while (!isBooked) {
          const { status } = await book(urlOf(index), token, { doctor, date });
          t.ok([201, 409].includes(status), `another is answered ${status}`);
          isBooked ||= status === 201;
        }
      };
      const redeem = async (token: string): Promise<void> => {
        while (Date.now() < end - 12 + 2 * round) await fetch(`${two.url}/health/live`);
        const { status } = await book(two.url, token, { doctor, date, hold: held });
        t.ok([201, 400].includes(status), `the holder is answered ${status}`);
        counts[status] = (counts[status] ?? 0) + 1;
        isBooked ||= status === 201;
      };
      const [holder = '', ...others] = tokens;
      await Promise.all([redeem(holder), ...others.slice(0, 6).map(rival)]);
      const live = await client`select from appointments where doctor_id = ${doctor} and not is_cancelled`;
      t.equal(live.length, 1);
    }
    t.comment(JSON.stringify(counts));
    t.strictSame([...(await client`select from holds`)], []);
  });

  await t.test(
    'updateAppointment 200 for ten cancellations at once: each time is offered once, in order, and again',
    async (t) => {
      await client`update appointments set is_cancelled = true`;
      const doctor = await newDoctor();
      const send = async (index: number, path: string, [method, body]: readonly [string, object]) => {
        const headers = { authorization: `Bearer ${tokens[index]}`, 'content-type': 'application/json' };
        const response = await fetch(urlOf(index) + path, { method, headers, body: JSON.stringify(body) });
        return { status: response.status, id: ((await response.json()) as { id: number }).id };
      };
      const booked = await Promise.all(
        Array.from({ length: 10 }, (_, n) => book(urlOf(n), tokens[n] as string, { doctor, date: inDays(30 + n) })),
      );
      for (let n = 10; n < 30; n++) await send(n, '/waiting-list/', ['POST', { doctor }]);
      const cancelled = await Promise.all(
        booked.map(({ body }, n) => send(n, `/appointments/${body.id}/`, ['PATCH', { cancel: true }])),
      );
      t.strictSame(new Set(cancelled.map(({ status }) => status)), new Set([200]));
      const entries = await client<{ id: number }[]>`
      select id::float8 from waiting_entries where doctor_id = ${doctor} order by id`;
      const offered = async () => {
        const offers = await client<{ id: number; date: string }[]>`
        select waiting_entry_id::float8 as id, date::text from holds where doctor_id = ${doctor} and expires_at > now()`;
        t.equal(new Set(offers.map(({ date }) => date)).size, offers.length, 'no time to two');
        return offers.map(({ id }) => id).sort((a, b) => a - b);
      };
      const ids = entries.map(({ id }) => id);
      t.strictSame(await offered(), ids.slice(0, 10));
      await client`update holds set expires_at = now() where doctor_id = ${doctor}`;
      // Both servers see that within seconds.
      let next: number[] = [];
      while (next.length < 10) next = await offered();
      t.equal(new Set(next).size, 10, 'nobody has two');
      t.equal((await client`select from waiting_offers`).length, 20, 'nobody is offered the same again');
      await client`delete from waiting_entries`;
    },
  );

  await t.test('ten sends with one Idempotency-Key: one booking, and the same answer after a restart', async (t) => {
    const doctor = await newDoctor();
    const [, token = ''] = tokens;
    const headers = { 'idempotency-key': 'of both servers' };
    const sends = Array.from({ length: 10 }, (_, index) => book(urlOf(index), token, { doctor }, headers));
    const answers = await Promise.all(sends);
    t.strictSame(statuses(answers), { 201: 10 });
    t.equal(new Set(answers.map(({ text }) => text)).size, 1);
    t.equal(answers.filter(({ isReplayed }) => isReplayed).length, 9);
    t.strictSame(
      [...(await client`select count(*)::int from appointments where doctor_id = ${doctor}`)],
      [{ count: 1 }],
    );

    two.child.kill('SIGTERM');
    t.equal(await two.ended, 0);
    const restarted = await start();
    const answer = await book(restarted.url, token, { doctor }, headers);
    t.match(answer, { status: 201, text: answers[0]?.text, isReplayed: true });
    t.equal((await book(restarted.url, token, { doctor, date: inDays(3) }, headers)).status, 422);
  });

  await t.test('more sends with one Idempotency-Key than the pool has connections hold nobody up', async (t) => {
    const [doctor, other] = [await newDoctor(), await newDoctor()];
    const [, , token = ''] = tokens;
    const headers = { 'idempotency-key': 'of one server' };
    const twins = Array.from({ length: 30 }, () => book(one.url, token, { doctor }, headers));
    const others = tokens.slice(3, 23).map((token) => book(one.url, token, { doctor: other }));
    t.strictSame(statuses(await Promise.all(twins)), { 201: 30 });
    t.strictSame(statuses(await Promise.all(others)), { 201: 20 });
    t.equal((await client`select from appointments where doctor_id = ${doctor}`).length, 1);
  });
  t.strictSame([...(await overlaps())], []);
});

t.test('kill -9 of one of two servers amid bookings', async (t) => {
  const { client, tokens, start, doctor: newDoctor, overlaps } = await open(t);
  const [one, two] = await Promise.all([start(), start()]);
  const [doctor, other] = [await newDoctor(), await newDoctor()];
  const acknowledged: number[] = [];
  const patient = async (token: string, url: string): Promise<void> => {
    for (let round = 0; round < 4; round++) {
      // Whoever asks the server that is gone has no answer.
      const answer = await book(url, token, { doctor: round % 2 === 0 ? doctor : other }).catch(() => undefined);
      if (answer === undefined) return;
      t.equal(answer.status, 201);
      acknowledged.push(answer.body.id);
      if (acknowledged.length === COUNT) two.child.kill('SIGKILL');
    }
  };
  await Promise.all(tokens.map((token, index) => patient(token, (index % 2 === 0 ? one : two).url)));
  t.equal(await two.ended, 'SIGKILL');
  t.ok(acknowledged.length >= 2 * COUNT, 'the other server has gone on');
  const stored = await client<{ id: number }[]>`select id::float8 from appointments`;
  const ids = new Set(stored.map(({ id }) => id));
  t.strictSame(
    acknowledged.filter((id) => !ids.has(id)),
    [],
    'what was acknowledged is there',
  );
  t.strictSame([...(await overlaps())], []);
});
