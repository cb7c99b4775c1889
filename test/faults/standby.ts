/** A PostgreSQL server that follows another one, and takes its place; `npm run test:faults`. */
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { ask } from '../helpers/ask.js';
import { makeDatabase, openSql, startCluster } from '../helpers/cluster.js';
import { openHospital } from '../helpers/hospital.js';
import { close, endure, untilRefused } from '../helpers/judge.js';
import { dataFolder, startServerProcess } from '../helpers/process.js';

t.test('a standby', async (t) => {
  const primary = await startCluster(t);
  const name = await makeDatabase(primary);
  const standby = await startCluster(t, { primary });
  const sql = openSql(t, primary.url);
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
