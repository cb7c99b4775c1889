import { access, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { ProblemError } from '../../openapi/problem-error.js';

/** Keeps files under names that are unique and never used again. */
export interface PictureStore {
  /** Once it resolves, the whole file outlives a crash. */
  write(name: string, bytes: Buffer): Promise<void>;
  /** Null if there is no such file. */
  read(name: string): Promise<Buffer | null>;
  /** Removes also what an interrupted write has left; no such file is fine. */
  remove(name: string): Promise<void>;
  /** Rejects where a picture could not be written and read now. */
  check(): Promise<void>;
}

/** About that of a picture. */
const CHECKED_BYTES = 1_000_000;

/** Keeps files in a folder, which is made if it is absent. */
export async function openFolder(folder: string): Promise<PictureStore> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const path = (name: string): string => join(folder, name);
  const unfinished = (name: string): string => path(`${name}.part`);
  const write = (file: string, bytes: Buffer): Promise<void> =>
    writeFile(file, bytes, { mode: 0o600, flag: 'wx', flush: true });
  return {
    write: async (name, bytes) => {
      await write(unfinished(name), bytes);
      await rename(unfinished(name), path(name));
    },
    read: (name) =>
      readFile(path(name)).catch(async (error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOENT') throw error;
        // A folder that is gone must not look like a picture that is.
        await access(folder);
        return null;
      }),
    remove: async (name) => {
      await rm(unfinished(name), { force: true });
      await rm(path(name), { force: true });
    },
    check: async () => {
      const file = unfinished(`check-${randomUUID()}`);
      try {
        await write(file, Buffer.alloc(CHECKED_BYTES));
        await readFile(file);
      } finally {
        await rm(file, { force: true });
      }
    },
  };
}

/** What is wrong with one name, and says nothing of the folder. */
const OF_ONE_FILE = ['EISDIR', 'ERR_FS_EISDIR', 'EEXIST', 'EINVAL'];

/** The store as requests see it: what the system has against the folder is told to `onFault`, and is 503. */
export function answering(store: PictureStore, onFault: (fault: Error) => void): PictureStore {
  const refuse = (error: unknown): never => {
    if (!(error instanceof Error) || !('syscall' in error)) throw error;
    if (OF_ONE_FILE.includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    // Without the file's name.
    onFault(new Error(error.message.replace(/, \w+( '.*)?$/s, '')));
    const detail = 'Pictures can not be stored or shown at the moment.';
    throw new ProblemError('unavailable', detail, {}, { 'retry-after': '5' });
  };
  return {
    write: (name, bytes) => store.write(name, bytes).catch(refuse),
    read: (name) => store.read(name).catch(refuse),
    remove: (name) => store.remove(name).catch(refuse),
    check: () => store.check(),
  };
}
