import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Keeps files under names that are unique and never used again. */
export interface PictureStore {
  /** Once it resolves, the whole file outlives a crash. */
  write(name: string, bytes: Buffer): Promise<void>;
  /** Null if there is no such file. */
  read(name: string): Promise<Buffer | null>;
  /** Removes also what an interrupted write has left; no such file is fine. */
  remove(name: string): Promise<void>;
}

/** Keeps files in a folder, which is made if it is absent. */
export async function openFolder(folder: string): Promise<PictureStore> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const path = (name: string): string => join(folder, name);
  const unfinished = (name: string): string => path(`${name}.part`);
  return {
    write: async (name, bytes) => {
      await writeFile(unfinished(name), bytes, { mode: 0o600, flag: 'wx', flush: true });
      await rename(unfinished(name), path(name));
    },
    read: (name) =>
      readFile(path(name)).catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return null;
        throw error;
      }),
    remove: async (name) => {
      await rm(unfinished(name), { force: true });
      await rm(path(name), { force: true });
    },
  };
}
