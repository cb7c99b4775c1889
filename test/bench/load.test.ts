/** What `npm run bench:load` is made of. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { Agent, createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { idlePatients, makeData, undoReviews } from '../../bench/data.js';
import { freeSlot, type Booking, type Request } from '../../bench/load/clinic.js';
import { growthOf, isFlat } from '../../bench/load/flatness.js';
import { findMaximum, holds } from '../../bench/load/maximum.js';
import { pace, type Seen } from '../../bench/load/pace.js';
import { plot, roundedUp, type Reading } from '../../bench/load/plot.js';
import { findFaults } from '../../bench/load/stored.js';
import { turns } from '../../bench/load/turns.js';
import { findPostmaster, usageOf, usageOfPostgres } from '../../bench/usage.js';
import { connect } from '../../db/connect.js';
import { makeCertificate } from '../helpers/certificates.js';
import { createTestDatabase } from '../helpers/database.js';
import { runProgram } from '../helpers/process.js';

/** Measures a system that answers so many a second, and remembers what it was asked for. */
function system(most: number, p99 = 20) {
  const asked: number[] = [];
  const measure = async (rate: number) => {
    asked.push(rate);
    return { rate, throughput: Math.min(rate, most), p99, errors: 0 };
  };
  return { asked, measure };
}

t.test('findMaximum comes near to what a system answers, from below', async (t) => {
  for (const most of [30, 100, 240, 731, 5000]) {
    const { asked, measure } = system(most);
    const found = await findMaximum(measure);
    // A step that answers 95 in a hundred of what was due is good.
    t.ok(found <= most / 0.95 && found >= most / 1.1 / 1.05, `${found} of ${most}`);
    t.ok(asked.length < 25, `after ${asked.length} steps`);
  }
});

t.test('findMaximum is not misled by a cold start, and by a step that something else has spoilt', async (t) => {
  for (const spoilt of [[1, 2], [3], [5]]) {
    const { asked, measure } = system(1000);
    const found = await findMaximum(async (rate) => {
      const step = await measure(rate);
      return spoilt.includes(asked.length) ? { ...step, p99: 5000 } : step;
    });
    t.ok(found > 900, `${found} of 1000`);
  }
});

t.test('findMaximum tells of a system that answers nothing', async (t) => {
  await t.rejects(findMaximum(system(0).measure), { message: /^not even \d requests a second/ });
});

t.test('a step holds with 95 in a hundred answered, a p99 of a second, and no error', async (t) => {
  const good = { rate: 100, throughput: 95, p99: 1000, errors: 0 };
  t.equal(holds(good), true);
  t.equal(holds({ ...good, throughput: 94.9 }), false);
  t.equal(holds({ ...good, p99: 1001 }), false);
  t.equal(holds({ ...good, p99: NaN }), false);
  t.equal(holds({ ...good, errors: 1 }), false);
});

t.test('flat is what is in the last quarter no more than a tenth above the second', async (t) => {
  const of = (...quarters: number[]) => quarters.flatMap((value) => [value, value, value]);
  for (const what of ['memory', 'descriptors'] as const) {
    const flat = (values: number[]): boolean => isFlat(growthOf(what, values));
    t.equal(flat(of(10, 100, 100, 110)), true, 'the first quarter does not count');
    t.equal(flat(of(100, 100, 100, 111)), false);
    t.equal(flat(of(100, 100, 300, 90)), true);
    t.equal(flat(of(1, NaN, NaN, NaN)), false, 'what is not known is not flat');
    t.equal(flat([1, 1, 1]), false, 'nor is what was hardly read');
  }
  t.equal(growthOf('memory', [...of(1, 100, 1), 50, 50, 1000]), 0.5, 'a peak of the memory is no growth');
  t.equal(growthOf('descriptors', [...of(1, 100, 1), 50, 900, 1000]), 0.5, 'nor are descriptors that are closed again');
});

t.test('turns go by the weights, and spread each', async (t) => {
  const order = turns([5, 3, 2]);
  const taken = Array.from({ length: 1000 }, () => order.next().value);
  const share = (which: number, from: number) => taken.slice(from, from + 10).filter((each) => each === which).length;
  for (let from = 0; from < taken.length; from += 10) {
    t.strictSame([0, 1, 2].map((which) => share(which, from)), [5, 3, 2]); // prettier-ignore
  }
});

t.test('freeSlot gives nobody two things at a time, and no patient more than the limits allow', async (t) => {
  const patients = Array.from({ length: 161 }, (_, index) => 500 + index);
  const slots = Array.from({ length: patients.length * 20 }, (_, n) => freeSlot({ doctors: 20 }, patients, n));
  const different = (key: (slot: (typeof slots)[number]) => string) => new Set(slots.map(key)).size;
  t.equal(
    different(({ doctor, time, date }) => `${doctor} ${time} ${date}`),
    slots.length,
  );
  t.equal(
    different(({ patient, date }) => `${patient} ${date}`),
    slots.length,
  );
  const withOne = slots.filter(({ patient, doctor }) => patient === 500 && doctor === 1);
  t.equal(slots.filter(({ patient }) => patient === 500).length, 20, 'MAX_OPEN_BOOKINGS');
  t.ok(withOne.length <= 5, 'MAX_OPEN_BOOKINGS_PER_DOCTOR');
});

t.test('pace does not wait for answers, and counts from the moment at which a request was due', async (t) => {
  const folder = t.testdir();
  makeCertificate(folder, 'server', 'IP:127.0.0.1');
  const [cert, key] = ['server.pem', 'server.key'].map((name) => readFileSync(join(folder, name)));
  const held: (() => void)[] = [];
  const server = createServer({ cert, key }, (request, response) => {
    held.push(() => {
      if (request.url === '/broken') response.destroy();
      else response.writeHead(request.url === '/unlike' ? 404 : 200).end('{}');
    });
    if (held.length === 20) for (const answer of held) answer();
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  t.teardown(() => server.close());
  const agent = new Agent({ keepAlive: true, rejectUnauthorized: false });
  t.teardown(() => agent.destroy());
  const learnt: number[] = [];
  let count = 0;
  const next = (): Request => {
    const n = count++;
    const path = n === 3 ? '/broken' : n === 4 ? '/unlike' : '/';
    return { kind: path, call: { path }, status: 200, learn: () => void learnt.push(n) };
  };
  const seen: Seen[] = [];
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  await pace({ url, agent, clinic: { bookings: [], next } }, { rate: 200, seconds: 0.1 }, (each) => seen.push(each));
  t.equal(seen.length, 20);
  t.equal(learnt.length, 18);
  t.ok(Math.max(...seen.map(({ took }) => took)) >= 95, 'the first waited for the last');
  const errors = seen.flatMap(({ error }) => error ?? []).sort();
  t.match(errors, [/^GET \/broken was not answered: \S/, /^GET \/unlike was answered with 404: \{\}$/]);
  t.equal(errors.length, 2);
});

t.test('findFaults names what is not stored as it was acknowledged, and who is booked twice at a time', async (t) => {
  const sql = connect(await createTestDatabase(t), { max: 1 });
  t.teardown(() => sql.end());
  const shape = { doctors: 20, appointments: 2000 };
  await makeData(sql, shape, () => undefined);
  const bookings = (
    await sql<Omit<Booking, 'isKnown'>[]>`
      select id::float8, symptoms, is_cancelled as "isCancelled" from appointments order by id limit 100`
  ).map((row): Booking => ({ ...row, caller: 'staff', isKnown: true }));
  t.strictSame(await findFaults(sql, bookings, 0), []);
  const [one, two, three] = bookings as [Booking, Booking, Booking];
  const wrong: Booking[] = [
    { ...one, symptoms: 'another' },
    { ...two, isCancelled: !two.isCancelled },
    { ...three, id: 999_999 },
    { ...three, id: 999_998, isKnown: false },
  ];
  t.strictSame(await findFaults(sql, wrong, 0), [
    `appointment ${one.id} is not as it was acknowledged last`,
    `appointment ${two.id} is not as it was acknowledged last`,
    'appointment 999999 was acknowledged and is not there',
  ]);
  const [patient = 0] = await idlePatients(sql);
  t.ok(patient > 0);
  await sql`insert into appointments (patient_id, doctor_id, available_time_id, date, period, type, symptoms, is_overbooked)
    select ${patient}, doctor_id, available_time_id, date, period, type, symptoms, true
    from appointments where id > 1500 and not is_cancelled limit 1`;
  t.match(await findFaults(sql, [], 2000), [/^appointment \d+ is at the same time as another one with its doctor$/]);
  t.notOk((await idlePatients(sql)).includes(patient));
});

t.test('undoReviews deletes what was written since, and nothing else', async (t) => {
  const sql = connect(await createTestDatabase(t), { max: 1 });
  t.teardown(() => sql.end());
  const shape = { doctors: 20, appointments: 2000 };
  await makeData(sql, shape, () => undefined);
  const made = [...(await sql`table reviews order by id`)];
  await sql`insert into reviews (doctor_id, patient_id, body, rating, created_on) values (1, 30, 'Good', 5, now())`;
  await undoReviews(sql, shape);
  t.strictSame([...(await sql`table reviews order by id`)], made);
});

t.test('usageOf and usageOfPostgres tell of processes of this machine', async (t) => {
  t.ok(usageOf(process.pid).memory > 20);
  t.ok(usageOf(process.pid).descriptors > 3);
  t.strictSame(usageOf(2 ** 30), { memory: NaN, descriptors: NaN });
  t.equal(findPostmaster(process.pid), undefined, 'this is none of PostgreSQL');
  const sql = connect(await createTestDatabase(t), { max: 1 });
  t.teardown(() => sql.end());
  const [{ pid }] = (await sql`select pg_backend_pid() as pid`) as unknown as [{ pid: number }];
  const usage = usageOfPostgres(findPostmaster(pid) as number);
  t.ok(usage.memory > usageOf(pid).memory / 10 && usage.descriptors > usageOf(pid).descriptors, JSON.stringify(usage));
});

t.test('the plot has a line for each part and figure, inside of its frame', async (t) => {
  const readings = Array.from({ length: 9 }, (_, index): Reading => {
    const usage = { memory: 100 + index, descriptors: 7 };
    return { seconds: index * 15, rate: 90, p99: 30, parts: { 'server one': usage, PostgreSQL: usage } };
  });
  const drawn = plot(readings, 'Two servers');
  const lines = [...drawn.matchAll(/points="([^"]+)"/g)].map(([, points = '']) => points.split(' '));
  t.equal(lines.length, 6);
  for (const line of lines) t.equal(line.length, readings.length);
  const [width = 0, height = 0] = (/viewBox="0 0 (\d+) (\d+)"/.exec(drawn) ?? []).slice(1).map(Number);
  for (const [x = NaN, y = NaN] of lines.flat().map((point) => point.split(',').map(Number))) {
    if (!(x >= 0 && x <= width && y >= 0 && y <= height)) t.fail(`${x},${y} is outside`);
  }
  t.match(drawn, />Two servers<[^]*>150<[^]*>75<[^]*>0<[^]*>2 min<[^]*>server one<[^]*>PostgreSQL</);
  t.notMatch(plot([...readings, { ...readings[8], p99: NaN } as Reading], 'x'), /NaN/);
  t.strictSame([0.3, 7, 100, 101, 110.5, 900].map(roundedUp), [0.3, 8, 100, 150, 150, 1000]);
});

t.test('npm run bench:load says in one line which program is missing', async (t) => {
  t.match(await runProgram('dist/bench/load.js', { PATH: t.testdir() }), {
    code: 1,
    stdout: '',
    stderr: /^haproxy is not on the PATH; on Debian, apt-get install haproxy brings it\n$/,
  });
});
