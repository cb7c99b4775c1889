import { constants } from 'node:os';

/** What tells a program to stop. */
export const STOP_SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT'] as const;

/**
 * Ends the process when it is told to stop, yet not before `finish`.
 * @returns takes that back
 */
export function endOnSignal(finish: () => Promise<unknown>): () => void {
  const end = (signal: NodeJS.Signals): void => {
    void finish().finally(() => process.exit(128 + constants.signals[signal]));
  };
  for (const signal of STOP_SIGNALS) process.on(signal, end);
  return () => {
    for (const signal of STOP_SIGNALS) process.off(signal, end);
  };
}
