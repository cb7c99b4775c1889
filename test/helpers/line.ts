import { ProblemError } from '../../openapi/problem-error.js';
import type { Turn } from '../../openapi/turns.js';

/**
 * Keeps a line of tasks full while `meanwhile` runs, however fast they are: each that ends gives its place to another one
 * before anything else can take it.
 * @param task one that waits for its turn, or is refused by a ProblemError; each is somebody else's, so that none makes room
 * @returns how many stood in the line
 */
export async function keepFull(
  task: (turn: Turn) => Promise<unknown>,
  meanwhile: () => Promise<void>,
): Promise<number> {
  let isFull = false;
  let isOver = false;
  const tasks: Promise<void>[] = [];
  const stand = async (by: string): Promise<void> => {
    do {
      try {
        await task({ by });
      } catch (error) {
        if (!(error instanceof ProblemError && error.slug === 'unavailable')) throw error;
        isFull = true;
        return;
      }
    } while (!isOver);
  };
  while (!isFull) {
    tasks.push(stand(`waiter ${tasks.length}`));
    // A refusal is told in the next microtasks, long before any task has ended.
    for (let turn = 0; turn < 5 && !isFull; turn++) await Promise.resolve();
  }
  try {
    await meanwhile();
  } finally {
    isOver = true;
    await Promise.all(tasks);
  }
  return tasks.length - 1;
}
