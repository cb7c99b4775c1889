/** Instances that are killed while they serve; `npm run test:faults`. */
import t from 'tap';
import { makeDatabase, startCluster } from '../helpers/cluster.js';
import { openHospital } from '../helpers/hospital.js';
import { close, isBack, judge } from '../helpers/judge.js';
import { beginTraffic } from '../helpers/traffic.js';

t.test('servers that are killed with -9 amid bookings, ten times', async (t) => {
  const hospital = await openHospital(t, await makeDatabase(await startCluster(t)));
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
