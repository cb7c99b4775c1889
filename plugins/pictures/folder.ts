import { randomUUID } from 'node:crypto';
import { access, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { StoreFault, type PictureStore } from './store.js';

/** About that of a picture. */
const CHECKED_BYTES = 1_000_000;

/** What is wrong with one name, and says nothing of the folder. */
const OF_ONE_FILE = ['EISDIR', 'ERR_FS_EISDIR', 'EEXIST', 'EINVAL'];

function refuse(error: unknown): never {
  if (!(error instanceof Error) || !('syscall' in error)) throw error;
  if (OF_ONE_FILE.includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  throw new StoreFault(error.message.replace(/, \w+( '.*)?$/s, ''), { cause: error });
}

/** Keeps files in a folder, which is made if it is absent. */
export async function openFolder(folder: string): Promise<PictureStore> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const path = (name: string): string => join(folder, name);
  const unfinished = (name: string): string => path(`${name}.part`);
  const write = (file: string, bytes: Buffer): Promise<void> =>
    writeFile(file, bytes, { mode: 0o600, flag: 'wx', flush: true });
  return {
    title: `the folder of pictures, ${folder},`,
    mayHang: false,
    write: (name, bytes) =>
      write(unfinished(name), bytes)
        .then(() => rename(unfinished(name), path(name)))
        .catch(refuse),
    read: (name) =>
      readFile(path(name))
        .catch(async (error: NodeJS.ErrnoException) => {
          if (error.code !== 'ENOENT') throw error;
          // A folder that is gone must not look like a picture that is.
          await access(folder);
          return null;
        })
        .catch(refuse),
    remove: async (name) => {
      for (const file of [unfinished(name), path(name)]) await rm(file, { force: true }).catch(refuse);
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
