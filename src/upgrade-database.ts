/** `npm run upgrade-database`: the embedded database to the major version of PostgreSQL that this program has. */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { connect } from '../db/connect.js';
import { openEmbedded } from '../db/embedded/index.js';
import { migrateDatabase } from '../db/migrate.js';
import { moveDatabase, MoveRefused } from '../db/move.js';
import { readFlags } from './command-line.js';
import { readEmbeddedConfig } from './config.js';
import { showProgress } from './progress.js';
import { orRefuse } from './start-server.js';

const USAGE = `Brings the embedded database under DATA_DIR (./.data), which another major version of PostgreSQL has made, to the one that
this program has: copies it beside itself, compares the two, and puts the copy in its place. The old one is kept.

  npm run upgrade-database -- /usr/lib/postgresql/17/bin

The folder has the programs of the old version. The server has to be stopped. An upgrade that was interrupted goes on when it
is started again. docs/operations.md has more.
`;

await orRefuse(async () => {
  const { FOLDER: folder } = readFlags(USAGE, {}, ['FOLDER']);
  const { dataDir, clinicTimeZone } = readEmbeddedConfig(process.env);
  const home = join(dataDir, 'postgres');
  const place = join(dataDir, 'upgrade');
  const [copy, noted] = [join(place, 'postgres'), join(place, 'done')];
  if (!existsSync(noted)) {
    if (!existsSync(home)) throw new MoveRefused(`there is no embedded database in ${dataDir}`);
    const made = readFileSync(join(home, 'data/PG_VERSION'), 'utf8').trim();
    await copyInto(place, { dataDir, folder, clinicTimeZone });
    // From here on all is renames: what was done is not done again.
    writeFileSync(noted, made, { flush: true });
  }
  const old = `${home}-${readFileSync(noted, 'utf8')}`;
  if (!existsSync(old)) renameSync(home, old);
  if (existsSync(copy)) renameSync(copy, home);
  rmSync(place, { recursive: true });
  process.stdout.write(`The database is upgraded. The old one is in ${old}: remove it when all is well.\n`);
}, 'The database was not upgraded');

/** All rows of the embedded database, into a new one in a folder of its own. */
async function copyInto(
  place: string,
  { dataDir, folder, clinicTimeZone }: { dataDir: string; folder: string; clinicTimeZone: string },
): Promise<void> {
  const progress = showProgress((line) => process.stderr.write(line));
  mkdirSync(place, { recursive: true });
  const from = await openEmbedded({ dataDir, binaries: resolve(folder) });
  try {
    const to = await openEmbedded({ dataDir: place });
    try {
      progress.step('making the tables');
      await migrateDatabase(from.programUrl, clinicTimeZone, from.url);
      await migrateDatabase(to.url, clinicTimeZone, to.url, { isMoving: true });
      const [source, target] = [connect(from.url, { max: 1 }), connect(to.url, { max: 1 })];
      try {
        await moveDatabase(source, target, progress);
      } finally {
        await Promise.all([source, target].map((client) => client.end({ timeout: 5 })));
      }
    } finally {
      progress.end();
      await to.stop();
    }
  } finally {
    await from.stop();
  }
}
