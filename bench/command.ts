/** What the commands of the bench have in common: they end with 1 and one line, and tidy up, also after Ctrl-C. */

import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const steps: (() => unknown)[] = [];
let undone: Promise<void> | undefined;

/** What has to be undone in the end, the last first. */
export function later(step: () => unknown): void {
  steps.push(step);
}

function cleanUp(): Promise<void> {
  return (undone ??= (async () => {
    for (const step of steps.reverse()) {
      try {
        await step();
      } catch (error) {
        process.stderr.write(`while cleaning up: ${(error as Error).message}\n`);
      }
    }
  })());
}

/** A folder that is gone in the end; an embedded database in it may run as another user. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'hospital-bench-'));
  later(() => rm(folder, { recursive: true, force: true }));
  await chmod(folder, 0o755);
  return folder;
}

export async function runCommand(main: () => Promise<void>): Promise<void> {
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    process.once(signal, () => void cleanUp().then(() => process.exit(code)));
  }
  try {
    await main();
  } catch (error) {
    if (undone === undefined) {
      process.stderr.write(`${(error as Error).message}\n`);
      process.exitCode = 1;
    }
  } finally {
    await cleanUp();
  }
}

export const say = (line: string): void => void process.stdout.write(`${line}\n`);

/** @throws Error for what is no number from a least one on */
export function numberOf(flags: Readonly<Record<string, unknown>>, name: string, least: number): number {
  const value = Number(flags[name]);
  if (value >= least) return value;
  throw new Error(`--${name} takes a number from ${least}`);
}
