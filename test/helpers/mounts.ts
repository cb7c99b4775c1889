import { spawnSync } from 'node:child_process';
import { chmodSync, closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';

export interface SmallDisk {
  readonly folder: string;
  /** Leaves not a byte. */
  fill(): void;
  /** Takes that back. */
  free(): void;
  setReadOnly(isReadOnly: boolean): void;
}

const mount = (...args: string[]): boolean => spawnSync('mount', args).status === 0;

/** A file system of a size, gone when the test ends; undefined where this process may not mount one. */
export function mountSmallDisk(t: Test, megabytes: number): SmallDisk | undefined {
  const folder = mkdtempSync('/var/tmp/disk-');
  const filler = join(folder, 'filler');
  const isMounted = mount('-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', folder);
  t.teardown(() => {
    if (isMounted) spawnSync('umount', ['-l', folder]);
    rmSync(folder, { recursive: true });
  });
  if (!isMounted) return undefined;
  chmodSync(folder, 0o755);
  return {
    folder,
    fill: () => {
      const file = openSync(filler, 'a');
      const page = Buffer.alloc(4096, 1);
      try {
        for (;;) writeSync(file, page);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
      } finally {
        closeSync(file);
      }
    },
    free: () => rmSync(filler, { force: true }),
    setReadOnly: (isReadOnly) => {
      if (!mount('-o', `remount,${isReadOnly ? 'ro' : 'rw'}`, folder)) throw new Error(`${folder} is in use`);
    },
  };
}
