/** Two instances under load, whose PostgreSQL is injured; `npm run test:faults`. */
import { setTimeout as sleep } from 'node:timers/promises';
import postgres from 'postgres';
import t, { type Test } from 'tap';
import { makeDatabase, startCluster, type Cluster } from '../helpers/cluster.js';
import { openHospital, type Hospital } from '../helpers/hospital.js';
import { close, isBack, judge } from '../helpers/judge.js';
import { mountSmallDisk } from '../helpers/mounts.js';
import { dataFolder, startServerProcess } from '../helpers/process.js';
import { ask, beginTraffic, type Traffic } from '../helpers/traffic.js';

/** Acknowledged writes before a fault, and after it. */
const SOME = 40;

/** Resolves when clients have been told that the database is away. */
async function untilRefused({ seen }: Traffic, times = 20): Promise<void> {
  const from = seen.length;
  while (seen.slice(from).filter(({ status }) => status === 503).length < times) await sleep(20);
}

/** Lets a fault happen, and end, amid the work of a hospital. */
async function endure(t: Test, hospital: Hospital, fault: (traffic: Traffic) => Promise<void>): Promise<Traffic> {
  const traffic = await beginTraffic(t, hospital);
  await traffic.untilMore(SOME);
  await fault(traffic);
  await isBack(t, hospital);
  await traffic.untilMore(SOME);
  await traffic.stop();
  await judge(t, hospital, traffic);
  return traffic;
}

/** A connection of the superuser's. */
function asSuperuser(t: Test, { url }: Cluster): postgres.Sql {
  const sql = postgres(url, { max: 1, onnotice: () => undefined });
  t.teardown(() => sql.end({ timeout: 1 }));
  return sql;
}

t.test('a PostgreSQL server', async (t) => {
  const cluster = await startCluster(t, { settings: { max_connections: 60 } });
  const databaseUrl = await makeDatabase(cluster);
  const hospital = await openHospital(t, databaseUrl);

  for (const [title, end] of [
    ['stopped fast', () => cluster.stop('fast')],
    ['stopped at once', () => cluster.stop('immediate')],
    ['killed with -9', () => cluster.kill()],
  ] as const) {
    await t.test(title, (t) =>
      endure(t, hospital, async (traffic) => {
        await end();
        await untilRefused(traffic);
        await cluster.start();
      }),
    );
  }

  await t.test('paused for 10 s', async (t) => {
    const { seen } = await endure(t, hospital, async () => {
      cluster.pause();
      await sleep(10_000);
      cluster.resume();
    });
    t.ok(Math.max(...seen.map(({ took }) => took)) < 25_000, 'nobody waits for long');
  });

  await t.test('whose connections are cut every 300 ms, amid transactions', async (t) => {
    const sql = asSuperuser(t, cluster);
    let amid = 0;
    await endure(t, hospital, async () => {
      for (let round = 0; round < 20; round++) {
        const cut = await sql<{ isAmid: boolean }[]>`
          select xact_start is not null as "isAmid", pg_terminate_backend(pid) from pg_stat_activity
          where usename = 'hospital'`;
        amid += cut.filter(({ isAmid }) => isAmid).length;
        await sleep(300);
      }
    });
    t.ok(amid > 20, `${amid} were in a transaction`);
  });

  await t.test('one of whose tables is locked for 15 s', async (t) => {
    const sql = asSuperuser(t, { ...cluster, url: databaseUrl });
    const others: number[] = [];
    const traffic = await endure(t, hospital, async () => {
      let isHeld = true;
      const live = async (url: string): Promise<void> => {
        for (let turn = 0; isHeld; turn++) {
          const path = ['/doctors/', '/services/', '/designations/', '/api/user/profiles/'][turn % 4] as string;
          const { status, took } = await ask(url, { path, token: hospital.people[0]?.token ?? '' });
          if (status === 200) others.push(took);
          else t.fail(`${path} answered ${status}`);
        }
      };
      await sql.begin(async (tx) => {
        await tx`lock table appointments in access exclusive mode`;
        const lives = hospital.urls.map(live);
        await sleep(15_000);
        isHeld = false;
        await Promise.all(lives);
      });
    });
    t.ok(traffic.seen.some(({ operation, status }) => operation === 'createAppointment' && status === 503));
    const p99 = others.sort((a, b) => a - b)[Math.floor(others.length * 0.99)] as number;
    t.ok(p99 < 1_000, `of ${others.length} requests that do not need it 99 % took less than ${Math.round(p99)} ms`);
  });

  await t.test('whose connections somebody else takes, all of them', async (t) => {
    const sql = asSuperuser(t, cluster);
    await endure(t, hospital, async (traffic) => {
      let isGreedy = true;
      const taken: postgres.Sql[] = [];
      const take = async (): Promise<void> => {
        while (isGreedy) {
          const one = postgres(databaseUrl, {
            max: 1,
            onnotice: () => undefined,
            connection: { application_name: 'greedy' },
          });
          await one`select`.then(
            () => taken.push(one),
            () => one.end({ timeout: 0 }),
          );
        }
      };
      const takers = Array.from({ length: 4 }, take);
      for (
        const from = traffic.seen.length;
        traffic.seen.slice(from).filter(({ status }) => status === 503).length < 20;
      ) {
        await sql`select pg_terminate_backend(pid) from pg_stat_activity
          where usename = 'hospital' and application_name <> 'greedy'`;
        await sleep(50);
      }
      t.ok(taken.length > 20, `${taken.length} connections are taken`);
      isGreedy = false;
      await Promise.all(takers);
      await Promise.all(taken.map((one) => one.end({ timeout: 0 })));
    });
  });

  await close(t, hospital);
});

t.test('a PostgreSQL server whose disk is full', async (t) => {
  const disk = mountSmallDisk(t, 300);
  if (disk === undefined) return t.comment('skipped: this process may not mount a file system');
  const settings = { max_wal_size: '64MB', min_wal_size: '32MB' };
  const cluster = await startCluster(t, { folder: disk.folder, settings });
  const hospital = await openHospital(t, await makeDatabase(cluster));
  for (const round of [1, 2]) {
    await t.test(`round ${round}`, (t) =>
      endure(t, hospital, async (traffic) => {
        disk.fill();
        await untilRefused(traffic);
        for (const url of hospital.urls) while ((await ask(url, { path: '/health/ready' })).status !== 503);
        disk.free();
        // It ends where it can not write its log, and whoever runs it starts it again.
        t.comment(`it ${cluster.isRunning() ? 'runs' : 'has ended'}`);
        if (!cluster.isRunning()) await cluster.start();
      }),
    );
  }
  await close(t, hospital);
});

t.test('a standby', async (t) => {
  const primary = await startCluster(t);
  const name = await makeDatabase(primary);
  const standby = await startCluster(t, { primary });
  const sql = asSuperuser(t, primary);
  await sql`alter system set synchronous_standby_names = '*'`;
  await sql`select pg_reload_conf()`;
  while ((await sql`select from pg_stat_replication where sync_state = 'sync'`).length === 0) await sleep(50);
  const either = name.replace(String(primary.port), `${primary.port},127.0.0.1:${standby.port}`);
  const hospital = await openHospital(t, `${either}?target_session_attrs=read-write`);
  const promoted = { ...hospital, databaseUrl: name.replace(String(primary.port), String(standby.port)) };

  const alone = await startServerProcess(t, {
    ...hospital.environment,
    DATABASE_URL: promoted.databaseUrl,
    DATA_DIR: dataFolder(t),
  });
  for (const path of ['/health/ready', '/doctors/']) {
    const { status, headers } = await ask(alone.url, { path });
    t.match([status, headers['retry-after']], [503, '5'], `as DATABASE_URL: ${path}`);
  }

  await t.test('that is promoted when the primary has died', async (t) => {
    await endure(t, { ...promoted, urls: hospital.urls }, async (traffic) => {
      await primary.kill();
      await untilRefused(traffic);
      await standby.promote();
    });
    t.equal((await ask(alone.url, { path: '/doctors/' })).status, 200, 'and is served by who had it as DATABASE_URL');
    alone.child.kill('SIGTERM');
    t.equal(await alone.ended, 0);
  });
  await close(t, promoted);
});
