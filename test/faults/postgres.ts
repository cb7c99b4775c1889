/** A PostgreSQL server that is injured while two instances serve; `npm run test:faults`. */
import { setTimeout as sleep } from 'node:timers/promises';
import postgres from 'postgres';
import t from 'tap';
import { ask } from '../helpers/ask.js';
import { makeDatabase, openSql, startCluster } from '../helpers/cluster.js';
import { openHospital } from '../helpers/hospital.js';
import { close, endure, untilRefused } from '../helpers/judge.js';

t.test('two instances on a PostgreSQL server', async (t) => {
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
    const sql = openSql(t, cluster.url);
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
    const sql = openSql(t, databaseUrl);
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
      // More at once of what needs the table than there are connections, and another as soon as one is answered.
      const insist = async (url: string): Promise<void> => {
        while (isHeld) await ask(url, { path: '/appointments/', token: hospital.people[1]?.token ?? '' });
      };
      await sql.begin(async (tx) => {
        await tx`lock table appointments in access exclusive mode`;
        const lives = hospital.urls.flatMap((url) => [live(url), ...Array.from({ length: 15 }, () => insist(url))]);
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
    const sql = openSql(t, cluster.url);
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
