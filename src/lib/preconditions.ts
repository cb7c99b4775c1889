import { ProblemError } from '../../openapi/problem-error.js';
import type { Visit } from './visit.js';

export class ChangedMeanwhile extends ProblemError {
  constructor() {
    super('precondition-failed', 'The record has changed since the state that If-Match names.');
  }
}

/**
 * Holds a record, which the transaction has locked, against the request's If-Match.
 * @param tag of the record's present state
 * @throws ChangedMeanwhile
 */
export function checkIfMatch({ ifMatch }: Visit, tag: string): void {
  if (ifMatch !== undefined && !ifMatch(tag)) throw new ChangedMeanwhile();
}
