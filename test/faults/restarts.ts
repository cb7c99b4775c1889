/** Two instances behind HAProxy are exchanged while they serve; `npm run test:faults`. */
import { renameSync } from 'node:fs';
import t from 'tap';
import { ask } from '../helpers/ask.js';
import { makeDatabase, startCluster } from '../helpers/cluster.js';
import { startHaproxy } from '../helpers/haproxy.js';
import { openHospital } from '../helpers/hospital.js';
import { close, judge } from '../helpers/judge.js';
import { beginTraffic, pictureForm } from '../helpers/traffic.js';

t.test('a rolling restart behind HAProxy', async (t) => {
  const behind = await openHospital(t, await makeDatabase(await startCluster(t)), {
    TRUST_PROXY: '1',
    SHUTDOWN_DELAY: '5s',
  });
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

  await t.test('while no instance is ready, what does without pictures is served', async (t) => {
    const aside = `${hospital.pictures}-aside`;
    renameSync(hospital.pictures, aside);
    const path = `/patients/${hospital.people[0]?.patient}/`;
    const form = await pictureForm();
    const upload = () => ask(proxy.url, { method: 'PATCH', path, token: hospital.people[0]?.token ?? '', form });
    for (const url of behind.urls) while ((await ask(url, { path: '/health/ready' })).status === 200) await upload();
    await Promise.all([proxy.until('one', 'DOWN'), proxy.until('two', 'DOWN')]);
    t.equal((await ask(proxy.url, { path: '/doctors/' })).status, 200, 'what does without is served');
    t.match(await upload(), { status: 503, text: /Pictures can not be stored/ });
    renameSync(aside, hospital.pictures);
    await Promise.all([proxy.until('one', 'UP'), proxy.until('two', 'UP')]);
    t.equal((await upload()).status, 200);
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
