/** `npm run move-to`: the embedded database to a server. */
import { openDatabase } from '../db/client.js';
import { connect } from '../db/connect.js';
import { noteMove } from '../db/embedded/moved.js';
import { migrateDatabase } from '../db/migrate.js';
import { moveDatabase, MoveRefused } from '../db/move.js';
import { ParameterRefused } from '../db/url.js';
import { readFlags } from './command-line.js';
import { readEmbeddedConfig } from './config.js';
import { showProgress } from './progress.js';
import { endOnSignal } from './signals.js';
import { orRefuse } from './start-server.js';

const USAGE = `Copies the embedded database under DATA_DIR (./.data) into an empty database of a PostgreSQL server, compares the two,
and leaves a note in DATA_DIR so that nobody goes on with the old one.

  npm run move-to -- postgres://hospital@db.example.com/hospital

The role of the URL has to own that database; its password may be in PGPASSWORD instead. The server of this program has to be
stopped. A move that was interrupted goes on when it is started again. Pictures stay in DATA_DIR. docs/deploy.md has more.
`;

await orRefuse(async () => {
  const { URL: url } = readFlags(USAGE, {}, ['URL']);
  const config = readEmbeddedConfig(process.env);
  if (!/^postgres(ql)?:\/\/./.test(url)) throw new MoveRefused('the URL has to begin with postgres://');
  const progress = showProgress((line) => process.stderr.write(line));
  const { dataDir, clinicTimeZone: timeZone } = config;
  const opening = openDatabase({ url: null, dataDir, timeZone, pool: 1 });
  endOnSignal(() => opening.then((database) => database.close()));
  const database = await opening;
  try {
    await database.migrated;
    const [source, target] = [connect(database.ownerUrl, { max: 1 }), connect(url, { max: 1 })];
    try {
      progress.step('making the tables');
      await migrateDatabase(url, database.timeZone(), url, { isMoving: true }).catch((error: unknown) => {
        throw error instanceof ParameterRefused ? new MoveRefused(`the URL must ${error.message}`) : error;
      });
      const rows = await moveDatabase(source, target, progress);
      const total = [...rows.values()].reduce((sum, each) => sum + each, 0);
      const { host, pathname } = new URL(url);
      noteMove(dataDir, `postgres://${host}${pathname}`);
      process.stdout.write(
        `${total.toLocaleString('en')} rows of ${rows.size} tables were moved. Start the server with DATABASE_URL set to it, and with the same ` +
          'DATA_DIR, which has the pictures.\n',
      );
    } finally {
      progress.end();
      await Promise.all([source, target].map((client) => client.end({ timeout: 5 })));
    }
  } finally {
    await database.close();
  }
}, 'The database was not moved');
