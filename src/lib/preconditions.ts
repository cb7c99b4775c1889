import { ProblemError } from '../../openapi/problem-error.js';
import type { Visit } from './visit.js';

export class ChangedMeanwhile extends ProblemError {
  constructor() {
    super('precondition-failed', 'The record has changed since the state that If-Match names.');
  }
}

export class PresentState extends ProblemError {
  constructor() {
    super('precondition-failed', 'The record is in a state that If-None-Match names.');
  }
}

/**
 * Holds a record, which the transaction has locked, against the request's If-Match and If-None-Match.
 * @param tags of the record's present state: more than one where the answers to some callers show more
 * @throws ChangedMeanwhile
 * @throws PresentState
 */
export function checkConditions({ ifMatch, ifNoneMatch }: Visit, ...tags: readonly string[]): void {
  if (ifMatch !== undefined && !tags.some(ifMatch)) throw new ChangedMeanwhile();
  if (ifNoneMatch !== undefined && tags.some(ifNoneMatch)) throw new PresentState();
}
