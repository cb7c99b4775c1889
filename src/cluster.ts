/** `npm run start:cluster`: servers in several processes on one port, of which this one keeps them running. */
import cluster, { type Worker } from 'node:cluster';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { isatty } from 'node:tty';
import { readFlags } from './command-line.js';
import { ConfigError, readConfig, type Config } from './config.js';
import { openLog } from './log.js';
import { STOP_SIGNALS } from './signals.js';
import { orRefuse, startServer } from './start-server.js';

const USAGE = `Starts a server for each processor of this machine, or WORKERS of them, as processes on one PORT, and another for one that
ends. They take the server's variables, with a DATABASE_URL, and share the connections of DATABASE_POOL. With METRICS_PORT
each tells its metrics on a port of its own, from that one on.

  npm run start:cluster                      --help, --version
  WORKERS=4 METRICS_PORT=9464 npm run start:cluster

Ctrl-C, or SIGTERM, stops all as it stops one; a second one hurries them. SIGHUP exchanges them one after the other, and no
request fails for it.
`;

/** Milliseconds until there is another in the place of one that ended. */
const DELAY = 1_000;

/** How many servers there are, and how many connections to the database each has of those that one would have. */
function sharesOf({ workers, databasePool, databaseUrl }: Config): { count: number; pool: number } {
  const count = workers ?? availableParallelism();
  if (databaseUrl === null)
    throw new ConfigError('DATABASE_URL must be set: the embedded PostgreSQL is for one process');
  if (databasePool >= count) return { count, pool: Math.floor(databasePool / count) };
  throw new ConfigError(`DATABASE_POOL must be at least WORKERS, but is "${databasePool}" for ${count}`);
}

/** Starts the servers, and keeps them running until this process is told to stop, which it then ends. */
async function keepRunning(config: Config): Promise<void> {
  const { count, pool } = sharesOf(config);
  const { metricsPort } = config;
  const log = await openLog(config, process.stdout.isTTY);
  log.info(`${count} servers, each with ${pool} of the ${config.databasePool} connections of DATABASE_POOL`);
  if (config.redisUrl === null && count > 1) {
    log.warn(
      `each of the ${count} servers limits requests on its own: set REDIS_URL, or a client has ${count} times as many`,
    );
  }

  /** Those that are kept, by their places. */
  const servers: Worker[] = [];
  let isStopping = false;
  let isExchanging = false;

  function begin(place: number): { worker: Worker; isReady: Promise<boolean> } {
    const worker = cluster.fork({
      DATABASE_POOL: String(pool),
      ...(metricsPort !== null && { METRICS_PORT: String(metricsPort && metricsPort + place) }),
    });
    worker.on('exit', (code, signal) => {
      if (isStopping && code > 0) process.exitCode = 1;
      if (isStopping || servers[place] !== worker) return;
      log.error(
        `the server of process ${String(worker.process.pid)} has ended (${signal || code}), and another is started`,
      );
      setTimeout(() => {
        if (!isStopping && servers[place] === worker) servers[place] = begin(place).worker;
      }, DELAY);
    });
    const isReady = new Promise<boolean>((resolve) => {
      worker.once('message', () => resolve(true)).once('exit', () => resolve(false));
    });
    return { worker, isReady };
  }

  const stop = async (): Promise<void> => {
    const left = Object.values(cluster.workers ?? {}).filter((worker) => worker !== undefined);
    const ends = left.map((worker) => once(worker, 'exit'));
    for (const { process } of left) process.kill('SIGTERM');
    if (isStopping) return;
    isStopping = true;
    await Promise.all(ends);
    log.flush();
    process.exit();
  };

  /** Puts a new server into each place, and ends the old one once the new one is ready. */
  async function exchange(): Promise<void> {
    log.info('the servers are exchanged');
    for (const [place, old] of servers.entries()) {
      const { worker, isReady } = begin(place);
      if (!(await isReady)) {
        if (!isStopping) log.error('a new server could not start: the others stay as they were');
        return;
      }
      servers[place] = worker;
      if (old.isDead()) continue;
      old.process.kill('SIGTERM');
      await once(old, 'exit');
    }
    log.info('the servers have been exchanged');
  }

  // Of a terminal that is closed, it is for those that were started there.
  const isOnTerminal = [0, 1, 2].some((descriptor) => isatty(descriptor));
  for (const signal of STOP_SIGNALS) {
    process.on(signal, () => {
      if (signal !== 'SIGHUP' || isOnTerminal) void stop();
      else if (!isExchanging && !isStopping && servers.length === count) {
        isExchanging = true;
        void exchange().finally(() => (isExchanging = false));
      }
    });
  }
  // Alone, since it brings the schema up to date, and says what is wrong with the settings.
  const first = begin(0);
  if (!(await first.isReady)) {
    if (isStopping) return;
    process.exit(1);
  }
  for (let place = 1; place < count && !isStopping; place++) servers[place] = begin(place).worker;
  servers[0] = first.worker;
}

if (cluster.isPrimary) {
  readFlags(USAGE, {});
  await orRefuse(() => keepRunning(readConfig(process.env)));
} else {
  const isFirst = cluster.worker?.id === 1;
  await orRefuse(() => startServer(readConfig(process.env), undefined, undefined, !isFirst));
  process.send?.('ready');
}
