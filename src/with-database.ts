import { openDatabase, type Database } from '../db/client.js';
import { readConfig, without, type Config } from './config.js';
import { endOnSignal } from './signals.js';

/**
 * Runs a command of the operator's on the database that the server uses, which may be running, and closes it at the end.
 * @param source the environment, of which a command needs neither the secret of tokens nor the first staff user
 */
export async function withDatabase(
  source: NodeJS.ProcessEnv,
  work: (database: Database, config: Config) => Promise<void>,
): Promise<void> {
  const config = readConfig(
    without(source, 'NODE_ENV', 'JWT_SECRET', 'ADMIN_USERNAME', 'ADMIN_EMAIL', 'ADMIN_PASSWORD'),
  );
  const opening = openDatabase({
    url: config.databaseUrl,
    migrationUrl: config.migrationUrl,
    dataDir: config.dataDir,
    timeZone: config.clinicTimeZone,
    pool: 1,
    join: true,
    warn: (line) => process.stderr.write(`${line}\n`),
  });
  endOnSignal(() => opening.then((database) => database.close()));
  const database = await opening;
  try {
    await database.migrated;
    await work(database, config);
  } finally {
    await database.close();
  }
}
