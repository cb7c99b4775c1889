import { sql } from 'drizzle-orm';
import type { FastifyInstance } from 'fastify';
import { setTimeout as sleep } from 'node:timers/promises';
import { openDatabase, type Database } from '../db/client.js';
import { PoolerRefused, TlsRefused } from '../db/connect.js';
import { EmbeddedInUse } from '../db/embedded/in-use.js';
import { EmbeddedMoved } from '../db/embedded/moved.js';
import { MoveRefused } from '../db/move.js';
import { reasonOf } from '../db/reason.js';
import { one } from '../db/rows.js';
import { loggable } from '../plugins/errors.js';
import { describeBucket } from '../plugins/pictures/place.js';
import { buildApp, type AppParts } from './app.js';
import { readVersion } from './command-line.js';
import { ConfigError, signingSecrets, type Config } from './config.js';
import { openLog } from './log.js';
import { calendarOf } from './scheduling/calendar.js';
import { alignPeriods, OverlappingAppointments } from './scheduling/periods.js';
import { describeMailServer } from './lib/mail-url.js';
import { sealsOf } from './lib/seals.js';
import { ensureStaff, InvalidStaff } from './resources/users/staff.js';
import { resealTotps } from './resources/users/totps.js';
import { noteSecret } from './signing-secret.js';
import { STOP_SIGNALS } from './signals.js';

/**
 * How long requests in flight have when the server stops, and then the database, in milliseconds: in all, less than the
 * half minute after which containers are killed.
 */
const GRACE = 20_000;
/** How long a server that stops takes the requests that are on their way over connections that are open, in milliseconds. */
const LINGER = 2_000;
/** How long a collector has to take what is left, in milliseconds. */
const LAST_TRACES = 3_000;
/** Milliseconds within which a signal comes twice: from a terminal or service manager, and passed on by npm. */
const ECHO = 250;

function nameVariable(error: unknown): never {
  if (!(error instanceof InvalidStaff) || error.field === undefined) throw error;
  throw new ConfigError(`ADMIN_${error.field.toUpperCase()} can not be used: ${error.message}`);
}

/** Whether the role that the program works as may do anything. */
async function isSuperuser(db: Database['db']): Promise<boolean> {
  const rows = await db.execute<{ isSuperuser: boolean }>(
    sql`select rolsuper as "isSuperuser" from pg_roles where rolname = current_user`,
  );
  return one(rows).isSuperuser;
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

/** Never comes: who waits for it goes no further, and the process ends by what is done elsewhere. */
const never = new Promise<never>(() => undefined);

/**
 * Starts the server, which ends the process when it is told to stop: a first signal lets it finish what is in flight, a
 * second one hurries it. In either case it leaves no database running.
 * @param prepare further work on the migrated database before the first request
 * @param accounts whose names and passwords the pages show: those of a demo
 * @param isOneOfMany whether others listen on the port, so that it need not before the database is ready
 */
export async function startServer(
  config: Config,
  prepare?: (parts: { config: Config; database: Pick<Database, 'db' | 'timeZone' | 'ownerUrl'> }) => Promise<void>,
  accounts?: AppParts['accounts'],
  isOneOfMany = false,
): Promise<RunningServer> {
  const traces =
    config.traces === null
      ? undefined
      : (await import('./traces.js')).openTraces(config.traces, readVersion(), {
          warn: (line) => logger.warn(line),
          log: (line) => logger.info(line),
        });
  const logger = await openLog(config, process.stdout.isTTY, traces?.ids);
  for (const line of traces?.complaints ?? []) logger.warn(line);
  let opening: Promise<Database> | undefined;
  let app: FastifyInstance | undefined;
  let stopping: Promise<void> | undefined;
  let hurry = (): void => undefined;
  const hurried = new Promise<void>((resolve) => (hurry = resolve));
  const atMost = (milliseconds: number) => Promise.race([sleep(milliseconds, undefined, { ref: false }), hurried]);

  const closeDatabase = async (): Promise<void> => {
    // One that is about to start has to be there before it can be stopped.
    const database = await opening?.catch(() => undefined);
    await database?.close();
  };
  const sendTraces = (): Promise<unknown> =>
    Promise.race([traces?.close().catch(() => undefined), sleep(LAST_TRACES, undefined, { ref: false }), hurried]);
  async function finish(): Promise<void> {
    if (app !== undefined) {
      app.drain();
      await atMost(config.shutdownDelay * 1000);
      for (const end = Date.now() + LINGER; app.connections() > 0 && Date.now() < end;) {
        if ((await Promise.race([sleep(50, 'on'), hurried])) !== 'on') break;
      }
      await Promise.race([app.close(), atMost(GRACE)]);
    }
    await Promise.race([Promise.all([closeDatabase(), sendTraces()]), sleep(GRACE, undefined, { ref: false })]);
  }
  /** Ends the process, with 0 unless there is an error. */
  const stop = (signal: string, error?: unknown): Promise<void> =>
    (stopping ??= (async () => {
      if (error === undefined) logger.info({ signal }, 'stopping');
      else logger.fatal({ error: loggable(error) }, 'stopping after an unexpected error');
      await finish().catch((error: unknown) => logger.error({ error: loggable(error) }, 'the stop met an error'));
      logger.flush();
      process.exit(error === undefined ? 0 : 1);
    })());
  let told = -Infinity;
  for (const signal of STOP_SIGNALS) {
    process.on(signal, () => {
      if (stopping === undefined) {
        told = performance.now();
        void stop(signal);
      } else if (performance.now() - told > ECHO) hurry();
    });
  }
  process.on('uncaughtException', (error) => void stop('', error));
  process.on('unhandledRejection', (error) => void stop('', error));

  try {
    opening = openDatabase({
      url: config.databaseUrl,
      migrationUrl: config.migrationUrl,
      replicaUrl: config.replicaUrl,
      dataDir: config.dataDir,
      timeZone: config.clinicTimeZone,
      pool: config.databasePool,
      trace: traces?.queries,
      log: (line) => logger.info(line),
      warn: (line) => logger.warn(line),
      prepare: async (database) => {
        const isDemo = accounts !== undefined;
        if (!isDemo && (await isSuperuser(database.db))) {
          logger.warn(
            'the role of DATABASE_URL is a superuser, who may do far more to the server than this program needs: give it a ' +
              'role of its own, as docs/deploy.md has it',
          );
        }
        const moved = await alignPeriods(database.db, calendarOf(config, database.timeZone(), new Date()));
        if (moved > 0) {
          logger.warn(`${moved} upcoming appointments were put back on the clock of ${config.clinicTimeZone}`);
        }
        if (!(await noteSecret(database.db, await signingSecrets(config)))) {
          const own = config.jwtSecrets === null ? ` (this one made its own, in ${config.dataDir})` : '';
          logger.warn(
            'JWT_SECRET lacks that of the instance that started on this database before: each refuses tokens of the ' +
              `other. All need the same JWT_SECRET${own}`,
          );
        }
        const lost = await resealTotps(database.db, sealsOf(await signingSecrets(config)));
        if (lost > 0) {
          logger.warn(
            `the second factors of ${lost} users can not be read without a JWT_SECRET of before: put it back as the last of ` +
              'the list until the next start is done; else they need a recovery code, or staff who remove the second factor',
          );
        }
        if (config.admin !== null) await ensureStaff(database.db, config.admin).catch(nameVariable);
        await prepare?.({ config, database });
      },
    });
    if (config.isProduction && config.publicUrl === null && config.allowedHosts === null) {
      logger.warn(
        'Neither PUBLIC_URL nor ALLOWED_HOSTS is set: URLs in answers begin with whatever Host a request names',
      );
    }
    if (config.bucket !== null) {
      const { line, isSafe } = describeBucket(config.bucket);
      logger[isSafe ? 'info' : 'warn'](line);
    }
    if (config.mail !== null) logger.info(`mail goes by ${describeMailServer(config.mail.server)}`);
    const database = await opening;
    if (stopping !== undefined) await never;
    // It listens before the database is ready, so that whoever asks whether it lives gets an answer meanwhile.
    app = await buildApp({
      config,
      database,
      secrets: await signingSecrets(config),
      logger,
      accounts,
      traces: traces?.plugin,
    });
    if (stopping !== undefined) await never;
    if (isOneOfMany) await database.migrated;
    // For the name, Fastify would open a second server, of which the app does not know.
    const host = config.host === 'localhost' ? '127.0.0.1' : config.host;
    const address = await app.listen({ host, port: config.port });
    await database.firstTry;
    // A refusal, other than an absence, is final at once.
    await Promise.race([database.migrated, new Promise(setImmediate)]);
    if (database.isMigrated()) {
      logger.info('ready');
    } else {
      logger.warn('listening without a database');
      void database.migrated.then(
        () => logger.info('ready'),
        (error: unknown) => void stop('', new Error('the database could not be prepared', { cause: error })),
      );
    }
    return { url: address.replace(/\/\/(0\.0\.0\.0|127\.0\.0\.1|\[::1?\])/, '//localhost') };
  } catch (error) {
    if (stopping !== undefined) await never;
    // The embedded server is a process of its own: it would outlive this one.
    hurry();
    await finish();
    throw error;
  }
}

/** Runs `start`, and turns what a person can mend into one line; others get `failure` before their reason. */
export async function orRefuse<T>(start: () => Promise<T>, failure = 'The server could not start'): Promise<T> {
  try {
    return await start();
  } catch (error) {
    if (
      error instanceof ConfigError ||
      error instanceof EmbeddedInUse ||
      error instanceof EmbeddedMoved ||
      error instanceof InvalidStaff ||
      error instanceof MoveRefused ||
      error instanceof OverlappingAppointments ||
      error instanceof PoolerRefused ||
      error instanceof TlsRefused
    ) {
      refuse(error.message);
    }
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') {
      const { port, variable = 'PORT' } = error as { port?: number; variable?: string };
      refuse(`${variable} must be free, but something listens on ${String(port)} already`);
    }
    process.stderr.write(`${failure}: ${reasonOf(error)}\n`);
    return process.exit(1);
  }
}
