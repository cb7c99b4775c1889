/** The files of the database. */
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { dirname, join } from 'node:path';
import type { User } from './place.js';
import { ownName, run, windows } from './processes.js';

/** Of the database and its superuser. */
export const NAME = 'hospital';
/** Of the role that the program works as. */
export const PROGRAM = 'hospital_program';
const INIT_SECONDS = 60;

/** What every command on one cluster needs. `home` holds `data` (the cluster), the password and the server's log. */
export interface Server {
  bin: string;
  user: User | undefined;
  home: string;
  data: string;
  log: (line: string) => void;
  /** The process that was started last, once it was ready. */
  postmaster?: { pid: number; start: string | undefined };
}

/** A new file that belongs to the server's user, on disk whole or not at all. */
export function writePrivate(path: string, text: string, user: User | undefined): void {
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
export async function prepareCluster(server: Server, major: string, isFast: boolean): Promise<void> {
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
        `npm run upgrade-database -- FOLDER brings it over, with the folder of the programs of PostgreSQL ${made}`,
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

export const oneLine = (text: string): string => text.trim().replace(/\s+/g, ' ');

export function lastLines(text: string): string {
  return text.trim().split('\n').slice(-15).join('\n');
}
