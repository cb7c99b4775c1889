/** Starting and stopping the server on its files. */
import * as fs from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { lastLines, oneLine, writePrivate, type Server } from './cluster.js';
import { askPs, processStart, readIfThere, run, windows } from './processes.js';

const LOG = 'server.log';
export const START_SECONDS = 60;
const STOP_SECONDS = { fast: 20, immediate: 10 };

const DEFAULTS = {
  shared_buffers: '128MB',
  max_connections: '100',
  // Bounds the recovery after a crash to a few seconds.
  max_wal_size: '256MB',
  timezone: 'UTC',
  log_timezone: 'UTC',
  log_checkpoints: 'off',
  // Ranks above ERROR: refused statements are the application's to report, and name people in their details.
  log_min_messages: 'log',
};

/** Starts the server on a free port, and returns that. */
export async function startServer(server: Server, settings: Record<string, string>): Promise<number> {
  for (const deadline = Date.now() + START_SECONDS * 1000; ; await sleep(200)) {
    const port = await freePort();
    const failure = await tryStart(server, settings, port);
    if (failure === undefined) return port;
    if (!failure.isPassing || Date.now() > deadline) throw new Error(failure.message);
  }
}

async function tryStart(
  server: Server,
  settings: Record<string, string>,
  port: number,
): Promise<{ isPassing: boolean; message: string } | undefined> {
  const { bin, user, home, data } = server;
  const logFile = join(home, LOG);
  await clearRemains(server);
  const fixed = { listen_addresses: '127.0.0.1', port: String(port), unix_socket_directories: '' };
  const lines = Object.entries({ ...DEFAULTS, ...settings, ...fixed }).map(
    ([name, value]) => `${name} = '${value.replaceAll('\\', '\\\\').replaceAll("'", "''")}'\n`,
  );
  writePrivate(join(data, 'server.conf'), lines.join(''), user);
  // Bounds the log, and what follows in it is about this start.
  if (fs.existsSync(logFile)) fs.renameSync(logFile, `${logFile}.1`);
  const args = ['start', '-s', '-w', '-t', String(START_SECONDS), '-D', data, '-l', logFile];
  const { isOk, output } = await run(join(bin, 'pg_ctl'), args, START_SECONDS + 5, home, user);
  if (isOk) {
    const pid = pidOf(data);
    server.postmaster = { pid, start: processStart(pid) };
    return undefined;
  }
  const said = `${readIfThere(logFile) ?? ''}\n${output}`;
  return {
    // Someone took the port; or a server that died, or one that a killed process was just starting, is not gone yet.
    isPassing: /could not bind|still in use|lock file .* already exists/.test(said),
    message: `the embedded PostgreSQL did not start; the end of ${logFile}:\n${lastLines(said)}`,
  };
}

/** Milliseconds between looks at the server, and after a start that failed for a reason that may stay. */
const WATCH = { every: 500, afterFailure: 2000 };

/**
 * Starts the server again when it has died, on the same port, which its clients know.
 * @param port that of the first start
 * @returns ends that; resolves when no start is under way
 */
export function keepRunning(server: Server, settings: Record<string, string>, port: number): () => Promise<void> {
  const { log, home } = server;
  const ending = new AbortController();
  const pause = (milliseconds: number) =>
    sleep(milliseconds, undefined, { signal: ending.signal, ref: false }).catch(() => undefined);

  /** Where even that can not be seen, for want of file handles, nothing is to be done. */
  const isDead = (): boolean => {
    try {
      return !isRunning(server.data);
    } catch {
      return false;
    }
  };
  async function startAgain(): Promise<void> {
    for (let isSaid = false; !ending.signal.aborted;) {
      const failure = await tryStart(server, settings, port).catch(({ message }: Error) => ({
        isPassing: false,
        message,
      }));
      if (failure === undefined) {
        log(`the embedded PostgreSQL in ${home} had died and was started again`);
        return;
      }
      if (!isSaid && !failure.isPassing) {
        log(`the embedded PostgreSQL in ${home} has died and can not be started again: ${oneLine(failure.message)}`);
        isSaid = true;
      }
      await pause(failure.isPassing ? WATCH.every : WATCH.afterFailure);
    }
  }
  async function watch(): Promise<void> {
    while (!ending.signal.aborted) {
      if (isDead()) await startAgain();
      await pause(WATCH.every);
    }
  }
  const watching = watch();
  return () => {
    ending.abort();
    return watching;
  };
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as AddressInfo;
      probe.close(() => resolve(port));
    });
  });
}

/** What the pid file names, else NaN. */
const pidOf = (data: string): number => Number.parseInt(readIfThere(join(data, 'postmaster.pid')) ?? '', 10);

/** Whether the process that the pid file names is this cluster's server, and not another one that got its number. */
function isRunning(data: string): boolean {
  const pid = pidOf(data);
  if (!(pid > 0) || processStart(pid) === undefined) return false;
  if (windows) return true;
  const command = process.platform === 'linux' ? readIfThere(`/proc/${pid}/cmdline`) : askPs(pid, 'command');
  return command?.replaceAll('\0', ' ').includes(data) ?? false;
}

/** Ends our server where its files are gone, which it would notice within a minute, and pg_ctl never. */
async function endLost({ data, postmaster }: Server): Promise<void> {
  if (windows || postmaster === undefined) return;
  const { pid, start } = postmaster;
  for (const deadline = Date.now() + STOP_SECONDS.immediate * 1000; Date.now() < deadline; await sleep(50)) {
    if (isRunning(data) || start === undefined || processStart(pid) !== start) return;
    process.kill(pid, 'SIGQUIT');
  }
}

/** Stops the server that a killed owner left behind, and mends a pid file that would keep PostgreSQL from starting. */
async function clearRemains(server: Server): Promise<void> {
  const { data, user } = server;
  if (isRunning(data)) {
    server.log('stopping the PostgreSQL of a process that was killed');
    await stopServer(server);
  }
  await endLost(server);
  const path = join(data, 'postmaster.pid');
  const written = readIfThere(path);
  if (written === undefined || windows) return;
  if (written.trim() === '') fs.rmSync(path);
  // A number that came into use again would count as a live server. The rest of the file must stay: by it PostgreSQL
  // finds processes of the dead server that still hold its memory.
  else writePrivate(path, written.replace(/^\d+/, '2147483647'), user);
}

/** First lets the server end its clients' transactions and write everything down; if that takes too long, at once. */
export async function stopServer(server: Server): Promise<void> {
  const { bin, user, home, data } = server;
  await endLost(server);
  let said = '';
  for (const [mode, seconds] of Object.entries(STOP_SECONDS)) {
    if (!isRunning(data)) return;
    const args = ['stop', '-s', '-w', '-t', String(seconds), '-m', mode, '-D', data];
    const { isOk, output } = await run(join(bin, 'pg_ctl'), args, seconds + 2, home, user);
    if (isOk) return;
    said = output;
  }
  if (isRunning(data)) throw new Error(`the embedded PostgreSQL in ${home} did not stop: ${said}`);
}
