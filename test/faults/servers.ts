/** Two instances under load that end, are exchanged, or whose clocks are set; `npm run test:faults`. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { PASSWORD } from '../helpers/app.js';
import { makeDatabase, startCluster } from '../helpers/cluster.js';
import { startHaproxy } from '../helpers/haproxy.js';
import { openHospital } from '../helpers/hospital.js';
import { close, isBack, judge } from '../helpers/judge.js';
import { ask, beginTraffic, type Answer } from '../helpers/traffic.js';

const newDatabase = async (t: Test): Promise<string> => makeDatabase(await startCluster(t));

t.test('servers that are killed with -9 amid bookings, ten times', async (t) => {
  const hospital = await openHospital(t, await newDatabase(t));
  let killed: string | undefined;
  const traffic = await beginTraffic(t, hospital, { mayBreak: (url) => url === killed });
  for (let round = 0; round < 10; round++) {
    await traffic.untilMore(10);
    const index = round % 2;
    const server = hospital.servers[index];
    killed = hospital.urls[index];
    server?.child.kill('SIGKILL');
    t.equal(await server?.ended, 'SIGKILL');
    await hospital.restart(index);
    await isBack(t, hospital);
  }
  await traffic.untilMore(10);
  await traffic.stop();
  await judge(t, hospital, traffic);
  await close(t, hospital);
});

t.test('a rolling restart behind HAProxy', async (t) => {
  const behind = await openHospital(t, await newDatabase(t), { TRUST_PROXY: '1', SHUTDOWN_DELAY: '5s' });
  const proxy = await startHaproxy(t, behind.urls);
  const hospital = { ...behind, urls: [proxy.url] };

  await t.test('SIGTERM under load: no request fails', async (t) => {
    const traffic = await beginTraffic(t, hospital);
    for (const [index, name] of (['one', 'two', 'one'] as const).entries()) {
      await traffic.untilMore(20);
      const server = hospital.servers[index % 2];
      server?.child.kill('SIGTERM');
      await proxy.until(name, 'DOWN');
      t.equal(await server?.ended, 0, `${name} has ended`);
      await hospital.restart(index % 2);
      await proxy.until(name, 'UP');
    }
    await traffic.untilMore(20);
    await traffic.stop();
    t.strictSame(
      traffic.seen.filter(({ status }) => status === 0 || status >= 500),
      [],
      `none of ${traffic.seen.length}`,
    );
    await judge(t, hospital, traffic);
  });

  await t.test('SIGKILL under load: what was under way fails, and nothing else', async (t) => {
    const traffic = await beginTraffic(t, hospital, { mayBreak: () => true });
    await traffic.untilMore(20);
    const server = hospital.servers[0];
    server?.child.kill('SIGKILL');
    await server?.ended;
    await traffic.untilMore(20);
    await hospital.restart(0);
    await proxy.until('one', 'UP');
    await traffic.untilMore(20);
    await traffic.stop();
    const broken = traffic.seen.filter(({ status }) => status === 0).length;
    t.ok(broken <= hospital.people.length, `${broken} were broken`);
    await judge(t, hospital, traffic);
  });
  await close(t, hospital);
});

t.test('clocks that are set by an hour', async (t) => {
  const folder = t.testdir();
  mkdirSync(folder, { recursive: true });
  const hospital = await openHospital(t, await newDatabase(t));
  const files = ['one', 'two'].map((name) => join(folder, name));
  const set = (index: number, hours: number): void => writeFileSync(files[index] as string, `${hours * 3600}\n`);
  for (const [index, file] of files.entries()) {
    set(index, 0);
    const { child, ended } = hospital.servers[index] as (typeof hospital.servers)[number];
    child.kill('SIGTERM');
    await ended;
    await hospital.restart(index, {
      // libfaketime is no program of its own: the loader puts it between a program and the C library.
      LD_PRELOAD: '/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1',
      FAKETIME_TIMESTAMP_FILE: file,
      ...{ FAKETIME_NO_CACHE: '1', FAKETIME_DONT_FAKE_MONOTONIC: '1' },
      RATE_LIMIT_AUTH: '20',
    });
  }
  const [one = '', two = ''] = hospital.urls;
  const clockOf = async (url: string): Promise<number> => {
    const { headers } = await ask(url, { path: '/health/live' });
    return Math.round((Date.parse(String(headers['date'])) - Date.now()) / 3_600_000);
  };
  const body = (value: Answer) => JSON.parse(value.text) as Record<string, string> & { tokens: Record<string, string> };
  const register = async (url: string) => {
    const username = `clock${performance.now()}`.replace('.', '-');
    const made = await ask(url, {
      ...{ method: 'POST', path: '/api/user/register/' },
      body: { username, email: `${username}@example.com`, password: PASSWORD, confirm_password: PASSWORD },
    });
    t.equal(made.status, 201, made.text);
    return body(made).tokens;
  };
  const guess = (url: string) =>
    ask(url, { method: 'POST', path: '/api/user/login/', body: { username: 'nobody', password: PASSWORD } });
  const traffic = await beginTraffic(t, hospital);
  for (const [first, second] of [
    [1, 0],
    [0, 0],
    [-1, 0],
    [-1, 1],
    [0, 0],
  ] as const) {
    await t.test(`one by ${first} h, the other by ${second} h`, async (t) => {
      const before = await register(one);
      set(0, first);
      set(1, second);
      while ((await clockOf(one)) !== first || (await clockOf(two)) !== second);
      await traffic.untilMore(20);
      // Whoever signed in under another clock, or at the other instance, at worst has to refresh.
      const now = await register(two);
      for (const [what, { refresh }] of Object.entries({ before, now })) {
        for (const url of [one, two]) {
          const refreshed = await ask(url, { method: 'POST', path: '/api/user/token/refresh/', body: { refresh } });
          t.equal(refreshed.status, 200, `${what}: ${refreshed.text}`);
          const { access } = body(refreshed);
          t.equal((await ask(url, { path: '/patients/me/', token: access as string })).status, 200, what);
        }
      }
      t.ok(Number((await guess(one)).headers['retry-after'] ?? 0) <= 900, 'nobody is locked out for long');
    });
  }
  await traffic.stop();
  t.notOk(traffic.seen.some(({ status }) => status === 503));
  await judge(t, hospital, traffic);
  await close(t, hospital);
});
