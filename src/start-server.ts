import closeWithGrace from 'close-with-grace';
import pino from 'pino';
import { openDatabase } from '../db/client.js';
import { PoolerRefused } from '../db/connect.js';
import { EmbeddedInUse } from '../db/embedded/index.js';
import { reasonOf } from '../db/reason.js';
import { loggable } from '../plugins/errors.js';
import { buildApp } from './app.js';
import { ConfigError, signingSecret, type Config } from './config.js';
import { calendarOf } from './scheduling/calendar.js';
import { alignPeriods, OverlappingAppointments } from './scheduling/periods.js';
import { ensureStaff, InvalidStaff } from './resources/users/staff.js';
import { noteSecret } from './signing-secret.js';

/** How long requests in flight have when the server stops, in milliseconds. */
const GRACE = 30_000;

function nameVariable(error: unknown): never {
  if (!(error instanceof InvalidStaff) || error.field === undefined) throw error;
  throw new ConfigError(`ADMIN_${error.field.toUpperCase()} can not be used: ${error.message}`);
}

/** Stops the start with one line for whoever started it. */
function refuse(line: string): never {
  process.stderr.write(`${line}\n`);
  process.exit(1);
}

export interface RunningServer {
  /** Where the server listens, as a URL for this machine. */
  readonly url: string;
}

/**
 * Starts the server.
 * @param beforeListen work on the migrated database before the first request
 */
export async function startServer(
  config: Config,
  beforeListen?: (parts: { config: Config; database: Awaited<ReturnType<typeof openDatabase>> }) => Promise<void>,
): Promise<RunningServer> {
  const logger = pino(
    {
      level: config.logLevel,
      base: { pid: process.pid },
      // Errors that reach the log by way of libraries are held to the same rule as ours.
      serializers: { err: loggable },
    },
    // Lines leave together, at the latest after a tenth of a second: a write for each costs as much as a small answer.
    pino.destination({ sync: false, minLength: 8192, periodicFlush: 100 }),
  );
  const database = await openDatabase({
    url: config.databaseUrl,
    dataDir: config.dataDir,
    timeZone: config.clinicTimeZone,
    pool: config.databasePool,
    log: (line) => logger.info(line),
    warn: (line) => logger.warn(line),
  });
  const closers: (() => Promise<void>)[] = [() => database.close()];
  let isStopping = false;
  closeWithGrace({ delay: GRACE, logger: false }, async ({ err, signal }) => {
    isStopping = true;
    if (err) logger.fatal({ error: loggable(err) }, 'stopping after an unexpected error');
    else logger.info({ signal }, 'stopping');
    for (const close of closers) await close();
    if (err) process.exitCode = 1;
  });

  // The first staff user has to wait for a database that is away, the server does not.
  const prepared: Promise<void> = database.migrated.then(async () => {
    const moved = await alignPeriods(database.db, calendarOf(config, database.timeZone(), new Date()));
    if (moved > 0) logger.warn(`${moved} upcoming appointments were put back on the clock of ${config.clinicTimeZone}`);
    if (!(await noteSecret(database.db, await signingSecret(config)))) {
      const own = config.jwtSecret === null ? ` (this one made its own, in ${config.dataDir})` : '';
      logger.warn(
        'JWT_SECRET is not that of the instance that started on this database before: each refuses tokens of the ' +
          `other. All need the same JWT_SECRET${own}`,
      );
    }
    if (config.admin !== null) await ensureStaff(database.db, config.admin).catch(nameVariable);
    await beforeListen?.({ config, database });
  });
  try {
    await database.firstTry;
    // A refusal, other than an absence, is final at once.
    await Promise.race([database.migrated, new Promise(setImmediate)]);
    if (database.isMigrated()) {
      await prepared;
    } else {
      logger.warn('listening without a database');
      void prepared.catch((error: unknown) => {
        // Unhandled, it stops the server as any unexpected error does. A stop ends the wait by an error, too.
        if (!isStopping) throw new Error('the database could not be prepared', { cause: error });
      });
    }
    const app = await buildApp({ config, database, secret: await signingSecret(config), logger });
    closers.unshift(() => app.close());
    const address = await app.listen({ host: config.host, port: config.port });
    return { url: address.replace(/\/\/(0\.0\.0\.0|127\.0\.0\.1|\[::1?\])/, '//localhost') };
  } catch (error) {
    // The embedded server is a process of its own: it would outlive this one.
    for (const close of closers) await close();
    throw error;
  }
}

/** Runs `start`, and turns what a person can mend into one line. */
export async function orRefuse<T>(start: () => Promise<T>): Promise<T> {
  try {
    return await start();
  } catch (error) {
    if (
      error instanceof ConfigError ||
      error instanceof EmbeddedInUse ||
      error instanceof InvalidStaff ||
      error instanceof OverlappingAppointments ||
      error instanceof PoolerRefused
    ) {
      refuse(error.message);
    }
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') {
      refuse(`PORT must be free, but something listens on ${String((error as { port?: number }).port)} already`);
    }
    process.stderr.write(`The server could not start: ${reasonOf(error)}\n`);
    return process.exit(1);
  }
}
