/** Instances under load while another version of the program migrates their database; `npm run test:faults`. */
import { join } from 'node:path';
import t from 'tap';
import { makeDatabase, startCluster } from '../helpers/cluster.js';
import { lookInto, openHospital } from '../helpers/hospital.js';
import { close, isBack, judge } from '../helpers/judge.js';
import { makeNextVersion } from '../helpers/next-version.js';
import { runProgram, start } from '../helpers/process.js';
import { beginTraffic } from '../helpers/traffic.js';

t.test('two versions on one database', async (t) => {
  // Both instances of it migrate an empty database at once.
  const hospital = await openHospital(t, await makeDatabase(await startCluster(t)));
  const sql = lookInto(t, hospital.databaseUrl);
  const columns = () => sql`select from information_schema.columns where column_name = 'urgency'`;
  const slow = 'ALTER TABLE appointments ADD COLUMN urgency text;\n--> statement-breakpoint\nSELECT pg_sleep(3);';

  await t.test('a migration that fails leaves the version before it as it was', async (t) => {
    const root = makeNextVersion(t, { '9000_urgency': slow, '9001_wrong': 'ALTER TABLE nothing ADD COLUMN x int;' });
    const traffic = await beginTraffic(t, hospital);
    await traffic.untilMore(20);
    const { code, stderr } = await runProgram(join(root, 'dist/src/server.js'), hospital.environment);
    t.equal(code, 1);
    t.match(stderr, /the database refused the migration 9001_wrong.sql, and is as it was before/);
    t.equal((await columns()).length, 0);
    await isBack(t, hospital);
    await traffic.untilMore(20);
    await traffic.stop();
    await judge(t, hospital, traffic);
  });

  await t.test('so does one that is killed with -9', async (t) => {
    const root = makeNextVersion(t, { '9000_urgency': slow });
    const traffic = await beginTraffic(t, hospital);
    await traffic.untilMore(20);
    const child = start([join(root, 'dist/src/migrate.js')], hospital.environment);
    const sleeping = () =>
      sql`select from pg_stat_activity where query like '%pg_sleep(3)%' and pid <> pg_backend_pid()`;
    while ((await sleeping()).length === 0);
    child.kill('SIGKILL');
    // PostgreSQL ends a statement whose client is gone when it is done.
    while ((await sleeping()).length > 0);
    await isBack(t, hospital);
    t.equal((await columns()).length, 0);
    await traffic.untilMore(20);
    await traffic.stop();
    await judge(t, hospital, traffic);
  });
  await close(t, hospital);
});
