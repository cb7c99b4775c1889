/** The embedded database of an older major version, by Debian's PostgreSQL 15. */
import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { openEmbedded } from '../../db/embedded/index.js';
import { serverUser } from '../../db/embedded/place.js';
import { ACCOUNTS, PASSWORD } from '../../src/demo/people.js';
import { runProgram, start, startDemo } from '../helpers/process.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const BIN = '/usr/lib/postgresql/15/bin';
const UPGRADE = 'dist/src/upgrade-database.js';

/** Makes the files that a version of this program with PostgreSQL 15 would have made. */
function makeCluster(dataDir: string): void {
  const user = serverUser(dataDir);
  const home = join(dataDir, 'postgres');
  mkdirSync(home, { mode: 0o700 });
  writeFileSync(join(home, 'password'), 'a password of the tests\n', { mode: 0o600 });
  if (user !== undefined) for (const path of [home, join(home, 'password')]) chownSync(path, user.uid, user.gid);
  const args = ['-D', join(home, 'data'), '-U', 'hospital', '--auth=scram-sha-256', '--encoding=UTF8', '--no-locale'];
  const { status, stderr } = spawnSync(
    join(BIN, 'initdb'),
    [...args, `--pwfile=${join(home, 'password')}`, '--no-sync'],
    {
      ...{ cwd: dataDir, encoding: 'utf8', env: { PATH: process.env['PATH'] } },
      ...user,
    },
  );
  if (status !== 0) throw new Error(stderr);
  appendFileSync(join(home, 'data/postgresql.conf'), "\ninclude_if_exists = 'server.conf'\n");
}

t.test('upgrade-database: data of another major is told in one line, and brought over with all its rows', async (t) => {
  const DATA_DIR = mkdtempSync(join(tmpdir(), 'hospital-upgrade-'));
  t.teardown(() => rmSync(DATA_DIR, { recursive: true, force: true }));
  chmodSync(DATA_DIR, 0o755);
  makeCluster(DATA_DIR);
  const old = await openEmbedded({ dataDir: DATA_DIR, binaries: BIN });
  await t.test('a hospital in it', (t) =>
    startDemo(t, { DATABASE_URL: old.programUrl, MIGRATION_DATABASE_URL: old.url, DATA_DIR }).then(() => undefined),
  );
  await old.stop();

  const refused = await runProgram('dist/src/server.js', { DATA_DIR });
  t.equal(refused.code, 1);
  t.match(
    refused.stderr,
    /^The server could not start: .* was made by PostgreSQL 15, but this is \d+: npm run upgrade-database -- FOLDER .*\n$/,
  );
  const without = await runProgram(UPGRADE, { DATA_DIR }, [join(DATA_DIR, 'nowhere')]);
  t.match(without.stderr, /^The database was not upgraded: .*nowhere has no programs of PostgreSQL that run here/);
  t.ok(existsSync(join(DATA_DIR, 'postgres/data/PG_VERSION')), 'it is left as it was');

  const killed = start([UPGRADE, BIN], { DATA_DIR });
  const ended = new Promise((resolve) => killed.on('exit', resolve));
  killed.stderr.on('data', (said: Buffer) => {
    if (said.toString().includes('copying appointments')) killed.kill('SIGKILL');
  });
  await ended;
  const upgraded = await runProgram(UPGRADE, { DATA_DIR }, [BIN]);
  t.equal(upgraded.code, 0, upgraded.stderr);
  t.match(upgraded.stdout, `The database is upgraded. The old one is in ${join(DATA_DIR, 'postgres-15')}`);
  t.notMatch(upgraded.stderr, /copying users /, 'what was copied is not copied again');
  t.not(readFileSync(join(DATA_DIR, 'postgres/data/PG_VERSION'), 'utf8').trim(), '15');
  t.notOk(existsSync(join(DATA_DIR, 'upgrade')));

  const { url } = await startDemo(t, { DATA_DIR });
  const login = await fetch(`${url}/api/user/login/`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ username: ACCOUNTS[0]?.username, password: PASSWORD }),
  });
  t.equal(login.status, 200);
  const visit = spawnSync('bash', [join(root, 'examples/first-visit.sh'), url], { encoding: 'utf8' });
  t.equal(visit.status, 0, visit.stdout + visit.stderr);
});
