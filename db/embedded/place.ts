/** As which user the server runs, and in which folder. */
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { dirname, join } from 'node:path';

export interface User {
  uid: number;
  gid: number;
}

/** Where root puts what the server's user could not reach elsewhere. */
export const SHARED = '/var/lib/hospital-management-api';

/** Whom the server runs as when this process is root, which PostgreSQL refuses. */
export function serverUser(dataDir: string): User | undefined {
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
export function chooseHome(dataDir: string, user: User | undefined): string {
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
