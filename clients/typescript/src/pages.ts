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
  options: NoInfer<Exclude<O, undefined>> & { query?: { page?: number; after?: string } },
): AsyncGenerator<T, void> {
  let place: { page?: number; after?: string } | undefined;
  for (;;) {
    const outcome = await list({ ...options, query: { ...options.query, ...place } } as O);
    // The last page is gone by now.
    if (outcome.response.status === 404 && place !== undefined) return;
    const { data } = orThrow(outcome);
    yield* data.results;
    if (data.next === null) return;
    const next = new URL(data.next).searchParams;
    const after = next.get('after');
    place = { page: Number(next.get('page')), ...(after !== null && { after }) };
  }
}
