import type { Problem, SlotTakenProblem } from './generated/types.gen.js';

/** An answer: the data with its `ETag`, or the problem. Its `type` tells problems apart. */
export type Outcome<T, E> =
  | { readonly data: T; readonly error: undefined; readonly etag: string | null; readonly response: Response }
  | { readonly data: undefined; readonly error: E; readonly etag: null; readonly response: Response };

export class ProblemError extends Error {
  override readonly name = 'ProblemError';
  constructor(readonly problem: Problem | SlotTakenProblem) {
    super(`${problem.title}: ${problem.detail}`);
  }
}

/** What came in the place of an answer of this API: a proxy's page, or a 304 to an `If-None-Match`. */
export class AnswerError extends Error {
  override readonly name = 'AnswerError';
  constructor(readonly response: Response) {
    super(`${response.url} is answered ${response.status}, without a problem document`);
  }
}

export const isProblem = (value: unknown): value is Problem =>
  typeof value === 'object' && value !== null && 'type' in value && 'detail' in value;

/** Whether a booking or a move was refused since the slot is taken; then `alternatives` has free ones. */
export function isSlotTaken(problem: { type: string } | undefined): problem is SlotTakenProblem {
  return problem?.type === '/problems/slot-taken';
}

/**
 * The answer, where there is no problem.
 * @throws ProblemError
 */
export function orThrow<T>(outcome: Outcome<T, Problem | SlotTakenProblem>): { data: T; etag: string | null } {
  if (outcome.error !== undefined) throw new ProblemError(outcome.error);
  return outcome;
}
