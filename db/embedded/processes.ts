/** Other processes: running them, and telling whether one that is known by its number still lives. */
import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { basename } from 'node:path';
import type { User } from './place.js';

export const windows = process.platform === 'win32';

/** Runs a command to its end, as `user`; its failure is an outcome, not an exception. */
export function run(
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

/**
 * Tells a process from a later one with its number; undefined if there is none. Windows has no quick answer: there a
 * number that came into use again counts as the same process.
 */
export function processStart(pid: number): string | undefined {
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

export function askPs(pid: number, field: string): string {
  const env = { PATH: process.env['PATH'], LC_ALL: 'C', TZ: 'UTC' };
  const ps = spawnSync('ps', ['-ww', '-o', `${field}=`, '-p', String(pid)], { encoding: 'utf8', env });
  if (ps.error !== undefined) throw ps.error;
  return ps.stdout;
}

/** Undefined if there is no such file or, below /proc, no such process. */
export function readIfThere(path: string): string | undefined {
  try {
    return fs.readFileSync(path, 'utf8');
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}

/** Unique, and tells others whether the process that chose it still lives. */
export function ownName(prefix: string): string {
  return [prefix, process.pid, processStart(process.pid), randomBytes(4).toString('hex')].join('-');
}

export function hasLiveOwner(name: string): boolean {
  const [pid, start] = name.split('-').slice(-3);
  return start !== undefined && processStart(Number(pid)) === start;
}
