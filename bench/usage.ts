/** What processes take of the system, as Linux tells it; NaN where it does not. */
import { readdirSync, readFileSync } from 'node:fs';

export interface Usage {
  /** MiB. */
  readonly memory: number;
  /** Open ones. */
  readonly descriptors: number;
}

/** @returns undefined where the system does not tell, or the process has ended */
function statusOf(pid: number, name: string): string | undefined {
  try {
    return new RegExp(`^${name}:\\s+(\\S+)`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  } catch {
    return undefined;
  }
}

const mebibytes = (kibibytes: string | undefined): number => Number(kibibytes) / 1024;

/** Resident memory in MiB. */
export const residentMemory = (pid: number): number => mebibytes(statusOf(pid, 'VmRSS'));

function descriptorsOf(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/fd`).length;
  } catch {
    return NaN;
  }
}

export const usageOf = (pid: number): Usage => ({ memory: residentMemory(pid), descriptors: descriptorsOf(pid) });

/** PostgreSQL's first process, by that of a connection; undefined where it does not run on this machine. */
export function findPostmaster(backend: number): number | undefined {
  if (statusOf(backend, 'Name') !== 'postgres') return undefined;
  return Number(statusOf(backend, 'PPid'));
}

/**
 * Of PostgreSQL's first process with all that it has begun: the memory that each has of its own, without the buffers that
 * all of them share, which fill up to what they were given.
 */
export function usageOfPostgres(postmaster: number): Usage {
  let children: number[];
  try {
    children = readFileSync(`/proc/${postmaster}/task/${postmaster}/children`, 'utf8').trim().split(/\s+/).map(Number);
  } catch {
    return { memory: NaN, descriptors: NaN };
  }
  const each = [postmaster, ...children].map((pid) => ({
    memory: mebibytes(statusOf(pid, 'RssAnon')),
    descriptors: descriptorsOf(pid),
  }));
  // One that has ended meanwhile takes nothing any more.
  const sum = (what: keyof Usage): number => each.reduce((total, usage) => total + (usage[what] || 0), 0);
  return { memory: sum('memory'), descriptors: sum('descriptors') };
}
