import { ProblemError } from '../../openapi/problem-error.js';

/** Keeps files under names that are unique and never used again. Each call ends within some seconds. */
export interface PictureStore {
  /** What it is, as the log names it. */
  readonly title: string;
  /** Whether a call may take seconds to fail, as over a network. */
  readonly mayHang: boolean;
  /** Once it resolves, the whole file outlives a crash. */
  write(name: string, bytes: Buffer): Promise<void>;
  /** Null if there is no such file. */
  read(name: string): Promise<Buffer | null>;
  /** Removes also what an interrupted write has left; no such file is fine. */
  remove(name: string): Promise<void>;
  /** Rejects where a picture could not be written and read now. */
  check(): Promise<void>;
}

/** Thrown by a store that does not do its work; the message names no picture. */
export class StoreFault extends Error {
  override readonly name = 'StoreFault';
}

/** What the store is asked for. */
export type StoreAction = 'write' | 'read' | 'remove';

/**
 * The store as requests see it: its faults are told to `onFault`, and are 503.
 * @param isAway whether it is known to be: nobody waits then for one that may hang
 */
export function answering(
  store: PictureStore,
  { isAway, onFault }: { isAway: () => boolean; onFault: (fault: StoreFault, action: StoreAction) => void },
): Pick<PictureStore, StoreAction> {
  const ask = async <T>(action: StoreAction, call: () => Promise<T>): Promise<T> => {
    try {
      if (!store.mayHang || !isAway()) return await call();
    } catch (error) {
      if (!(error instanceof StoreFault)) throw error;
      onFault(error, action);
    }
    const detail = 'Pictures can not be stored or shown at the moment.';
    throw new ProblemError('unavailable', detail, {}, { 'retry-after': '5' });
  };
  return {
    write: (name, bytes) => ask('write', () => store.write(name, bytes)),
    read: (name) => ask('read', () => store.read(name)),
    remove: (name) => ask('remove', () => store.remove(name)),
  };
}
