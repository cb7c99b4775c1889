/** What is asked for when, so that each second has about the same of all. */

/**
 * Which of the things that have these weights is next, time after time: by the weights, and each as evenly spread as can
 * be.
 */
export function* turns(weights: readonly number[]): Generator<number, never> {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const due = weights.map(() => 0);
  for (;;) {
    for (const [index, weight] of weights.entries()) due[index] = (due[index] ?? 0) + weight;
    const next = due.indexOf(Math.max(...due));
    due[next] = (due[next] ?? 0) - total;
    yield next;
  }
}
