import type { JsonText } from '../../db/json.js';
import { ProblemError } from '../../openapi/generated/problems.js';

export class ChangedMeanwhile extends ProblemError {
  constructor() {
    super('precondition-failed', 'The record has changed since the state that If-Match names.');
  }
}

/**
 * Holds the record, which the transaction has locked, against the request's If-Match.
 * @param read the record's present representation
 * @throws ChangedMeanwhile
 */
export async function checkIfMatch(ifMatch: string | undefined, read: () => Promise<JsonText<unknown>>): Promise<void> {
  if (ifMatch !== undefined && !(await read()).isNamedBy(ifMatch)) throw new ChangedMeanwhile();
}
