import { ProblemError } from '../../openapi/problem-error.js';

/**
 * Keeps a line of tasks full while `meanwhile` runs, however fast they are: each that ends gives its place to another one
 * before anything else can take it.
 * @param task one that waits for its turn, or is refused by a ProblemError
 * @returns how many stood in the line
 */
export async function keepFull(task: () => Promise<unknown>, meanwhile: () => Promise<void>): Promise<number> {
  let isFull = false;
  let isOver = false;
  const tasks: Promise<void>[] = [];
  const stand = async (): Promise<void> => {
    do {
      try {
        await task();
      } catch (error) {
        if (!(error instanceof ProblemError && error.slug === 'unavailable')) throw error;
        isFull = true;
        return;
      }
    } while (!isOver);
  };
  while (!isFull) {
    tasks.push(stand());
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
