/** What has to hold of a hospital once a fault is over. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Test } from 'tap';
import { ask, type Answer } from './ask.js';
import { lookInto, type Hospital } from './hospital.js';
import { picturesIn } from './pictures.js';
import { runProgram } from './process.js';
import { beginTraffic, type Traffic } from './traffic.js';

/** Milliseconds after the return of a part within which a hospital serves again. */
const RETURN = 5_000;

/** Resolves when every instance reads and writes again. */
export async function isBack(t: Test, { urls, people: [person] }: Pick<Hospital, 'urls' | 'people'>): Promise<void> {
  const path = `/patients/${person?.patient}/`;
  const token = person?.token ?? '';
  let last: Answer | undefined;
  /** Whether all calls are answered as they should be. */
  const works = async (url: string): Promise<boolean> => {
    for (const call of [
      { path: '/health/ready' },
      { path, token },
      { method: 'PATCH', path, token, body: {} },
    ] as const) {
      last = await ask(url, call);
      if (last.status !== 200) return false;
    }
    return true;
  };
  const timed = async (work: () => Promise<void>): Promise<number> => {
    const began = performance.now();
    await work();
    return Math.round(performance.now() - began);
  };
  const took = await timed(async () => {
    const deadline = performance.now() + 10 * RETURN;
    for (const url of urls) while (!(await works(url)) && performance.now() < deadline) await sleep(50);
  });
  // What the same takes on this machine, which may be busy with other things.
  const usual = await timed(async () => {
    for (const url of urls) await works(url);
  });
  const isSoon = took < RETURN + 5 * usual;
  t.ok(isSoon, `all is served again after ${took} ms, where ${usual} are usual${isSoon ? '' : `: ${last?.text}`}`);
}

/** A table of counts. */
function tally(values: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const value of values) counts[value] = (counts[value] ?? 0) + 1;
  return counts;
}

/** Queries, each of which finds what must not be. */
const NOWHERE: Readonly<Record<string, string>> = {
  'double bookings': `
    select a.id, b.id as other from appointments a join appointments b on a.id < b.id
    and (a.patient_id = b.patient_id or a.doctor_id = b.doctor_id and not a.is_overbooked and not b.is_overbooked)
    and not a.is_cancelled and not b.is_cancelled and a.archived_at is null and b.archived_at is null
    and (a.period && b.period or a.date = b.date and a.available_time_id = b.available_time_id)`,
  'users without a profile': `
    select id from users u where not exists (select from profiles where user_id = u.id)`,
  'users with neither record': `
    select id from users u where not exists (select from patients where user_id = u.id)
    and not exists (select from doctors where user_id = u.id)`,
  'keys without an answer': `select key from idempotency_keys where status is null or body is null`,
  'keys of an appointment that is not there': `
    select key from idempotency_keys where body::jsonb ? 'appointment_type'
    and not exists (select from appointments where id = (body::jsonb->>'id')::bigint)`,
  'appointments that nobody is noted for': `
    select id from appointments a where not exists (select from audit_events
      where resource = 'appointments' and action = 'create' and record_ids @> array[a.id])`,
  'series that are empty': `
    select id from appointment_series s where not exists (select from appointments where series_id = s.id)`,
  'wrong counts': `
    select n from (select
      (select coalesce(sum(total), 0) from appointment_counts where by = 'all')
      + (select coalesce(sum(total), 0) from appointment_count_changes)
      - (select count(*) from appointments where archived_at is null) as n) as counts where n <> 0`,
  'full days with something free': `
    select f.date, f.doctor_id from full_days f join doctor_available_times o using (doctor_id)
    where not exists (select from appointments a where a.doctor_id = f.doctor_id and a.date = f.date
      and a.available_time_id = o.available_time_id and not a.is_cancelled and a.archived_at is null)`,
};

/** Holds what is stored against what was acknowledged. */
export async function judge(t: Test, hospital: Hospital, traffic: Traffic): Promise<void> {
  const { databaseUrl, urls, pictures } = hospital;
  const { bookings, series, usernames, seen, faults } = traffic;
  t.comment(JSON.stringify(tally(seen.map(({ status }) => (status === 0 ? 'broken' : String(status))))));
  const slowest = seen.reduce((a, b) => (a.took > b.took ? a : b));
  t.comment(`the slowest: ${slowest.operation} ${slowest.status} after ${Math.round(slowest.took)} ms`);
  t.strictSame(Object.entries(tally(faults)).slice(0, 5), [], 'every answer is one of the contract’s');
  await t.test('what is stored', async (t) => {
    const sql = lookInto(t, databaseUrl);
    const ids = bookings.map(({ id }) => id);
    const rows = await sql<{ id: number; symptoms: string; isCancelled: boolean }[]>`
      select id::float8, symptoms, is_cancelled as "isCancelled" from appointments where id = any(${ids}::bigint[])`;
    const stored = new Map(rows.map((row) => [row.id, row]));
    const lost = bookings.filter(({ id, symptoms, isCancelled }) => {
      const row = stored.get(id);
      return row === undefined || row.symptoms !== symptoms || row.isCancelled !== isCancelled;
    });
    t.strictSame(
      lost.slice(0, 3).map(({ id, symptoms, isCancelled }) => ({ id, symptoms, isCancelled, row: stored.get(id) })),
      [],
      `each of ${bookings.length} acknowledged bookings is there, as it was changed last`,
    );
    t.equal(new Set(ids).size, ids.length);
    const [held] = await sql<{ count: number }[]>`
      select count(*)::int from appointments where id = any(${series.flat()}::bigint[]) and series_id is not null`;
    t.equal(held?.count, series.flat().length, `and each appointment of ${series.length} series`);
    const [users] = await sql<{ count: number }[]>`
      select count(*)::int from users where username = any(${usernames as string[]})`;
    t.equal(users?.count, usernames.length, `and each of ${usernames.length} users`);
    for (const [what, query] of Object.entries(NOWHERE)) t.strictSame([...(await sql.unsafe(query))], [], what);

    const names = await sql<{ name: string; isTaken: boolean }[]>`
      select picture as name, true as "isTaken" from patients where picture is not null
      union all select name, false from discarded_pictures`;
    const files = picturesIn(pictures).map((name) => name.replace(/\.part$/, ''));
    const known = new Set(names.map(({ name }) => name));
    t.strictSame(
      files.filter((name) => !known.has(name)),
      [],
      'no picture that nobody knows',
    );
    t.strictSame(
      names.filter(({ name, isTaken }) => isTaken && !files.includes(name)),
      [],
      'none that is missing',
    );
  });
  // A repeat gets the first answer, from every instance.
  for (const { call, text } of bookings.slice(-4)) {
    for (const url of urls) {
      const again = await ask(url, call);
      t.match(again, { status: 201, text, headers: { 'idempotent-replayed': 'true' } });
    }
  }
}

/** Ends a hospital, which leaves nothing behind. */
export async function close(t: Test, hospital: Hospital): Promise<void> {
  const { databaseUrl, environment, urls, people, pictures, servers } = hospital;
  const sql = lookInto(t, databaseUrl);
  // What a row has let go is removed with the next change of a picture, or within the hour.
  await sql`update discarded_pictures set due_at = now()`;
  const [person] = people;
  const path = `/patients/${person?.patient}/`;
  const left = () => sql`select from discarded_pictures`;
  while ((await left()).length > 0) {
    const { status } = await ask(urls[0] as string, { method: 'PATCH', path, token: person?.token ?? '', body: {} });
    if (!t.equal(status, 200)) break;
  }
  const taken = await sql<{ name: string }[]>`select picture as name from patients where picture is not null`;
  t.strictSame(picturesIn(pictures), taken.map(({ name }) => name).sort(), 'each file is somebody’s picture');
  for (const { child, ended } of servers) {
    child.kill('SIGTERM');
    t.equal(await ended, 0, 'a server ends by itself');
  }
  const sessions = () => sql`select from pg_stat_activity
    where application_name = 'hospital-management-api' and datname = current_database()`;
  for (const deadline = performance.now() + RETURN; (await sessions()).length > 0;) {
    if (performance.now() > deadline) break;
    await sleep(50);
  }
  t.equal((await sessions()).length, 0, 'with all its connections');
  const audit = await runProgram('dist/src/audit-verify.js', environment);
  t.equal(audit.code, 0, audit.stdout + audit.stderr);
  for (const { log } of servers) {
    t.strictSame(
      log.filter((line) => /"level":(50|60)/.test(line)).slice(0, 3),
      [],
      'no server met what it does not know',
    );
  }
}

/** Acknowledged writes before a fault, and after it. */
const SOME = 40;

/** Resolves when clients have been told that the database is away. */
export async function untilRefused({ seen }: Traffic, times = 20): Promise<void> {
  const from = seen.length;
  const deadline = performance.now() + 12 * RETURN;
  for (let refused = 0; refused < times; refused = seen.slice(from).filter(({ status }) => status === 503).length) {
    if (performance.now() > deadline) throw new Error(`${refused} were told in a minute`);
    await sleep(20);
  }
}

/** Lets a fault happen, and end, amid the work of a hospital. */
export async function endure(
  t: Test,
  hospital: Hospital,
  fault: (traffic: Traffic) => Promise<void>,
): Promise<Traffic> {
  const traffic = await beginTraffic(t, hospital);
  await traffic.untilMore(SOME);
  await fault(traffic);
  await isBack(t, hospital);
  await traffic.untilMore(SOME);
  await traffic.stop();
  await judge(t, hospital, traffic);
  return traffic;
}
