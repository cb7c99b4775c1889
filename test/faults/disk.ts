/** The disk of a PostgreSQL server is full while two instances serve; `npm run test:faults`. */
import t from 'tap';
import { ask } from '../helpers/ask.js';
import { makeDatabase, startCluster } from '../helpers/cluster.js';
import { openHospital } from '../helpers/hospital.js';
import { close, endure, untilRefused } from '../helpers/judge.js';
import { mountSmallDisk } from '../helpers/mounts.js';

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
