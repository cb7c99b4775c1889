import type { Problem } from './generated/types.gen.js';
import { orThrow, type Outcome } from './outcome.js';

interface Page<T> {
  results: readonly T[];
  next: string | null;
}

/**
 * Everything that a list has, page by page: `for await (const doctor of pages(clinic.listDoctors, { query: … }))`.
 * @throws ProblemError
 */
export async function* pages<T, O>(
  list: (options: O) => Promise<Outcome<Page<T>, Problem>>,
  options: NoInfer<Exclude<O, undefined>> & { query?: { page?: number } },
): AsyncGenerator<T, void> {
  let page = options.query?.page;
  for (;;) {
    const outcome = await list({ ...options, query: { ...options.query, ...(page !== undefined && { page }) } } as O);
    // The last page is gone by now.
    if (outcome.response.status === 404 && page !== options.query?.page) return;
    const { data } = orThrow(outcome);
    yield* data.results;
    if (data.next === null) return;
    page = Number(new URL(data.next).searchParams.get('page'));
  }
}
