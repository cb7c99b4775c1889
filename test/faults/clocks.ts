/** Clocks of instances are set while they serve; `npm run test:faults`. */
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { PASSWORD } from '../helpers/app.js';
import { ask, type Answer } from '../helpers/ask.js';
import { makeDatabase, startCluster } from '../helpers/cluster.js';
import { openHospital } from '../helpers/hospital.js';
import { close, judge } from '../helpers/judge.js';
import { beginTraffic } from '../helpers/traffic.js';

t.test('clocks that are set by an hour', async (t) => {
  const folder = t.testdir();
  const hospital = await openHospital(t, await makeDatabase(await startCluster(t)));
  const files = ['one', 'two'].map((name) => join(folder, name));
  const set = (index: number, hours: number): void => {
    const file = files[index] as string;
    // At once: it is read at each look at the clock.
    writeFileSync(`${file}.next`, `${hours < 0 ? '-' : '+'}${Math.abs(hours) * 3600}\n`);
    renameSync(`${file}.next`, file);
  };
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
    if (made.status !== 201) throw new Error(made.text);
    return body(made).tokens;
  };
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
    });
  }
  await traffic.stop();
  t.notOk(traffic.seen.some(({ status }) => status === 503));
  await judge(t, hospital, traffic);
  await close(t, hospital);
});
