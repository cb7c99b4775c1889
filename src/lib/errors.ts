import { violatedConstraint } from '../../db/client.js';
import { ProblemError } from '../../openapi/problem-error.js';

export { InvalidInput } from '../../openapi/problem-error.js';

/** A record that is absent, or that the caller may not see: the two must not differ. */
export class NotFound extends ProblemError {
  constructor() {
    super('not-found', 'There is no such record.');
  }
}

export class NotAllowed extends ProblemError {
  constructor(detail = 'Only the owner and staff may do this.') {
    super('not-allowed', detail);
  }
}

/** The operation needs what this installation has not. */
export class NotConfigured extends ProblemError {
  constructor(detail: string) {
    super('not-configured', detail);
  }
}

/** The operation is for patients, and the caller has no patient record. */
export class NoPatientRecord extends ProblemError {
  constructor() {
    super('no-patient-record', 'You have no patient record. Create one first with POST /patients/.');
  }
}

/** Values that have to be unique and are taken. */
export class AlreadyTaken extends ProblemError {
  constructor(fields: readonly string[]) {
    const errors = Object.fromEntries(fields.map((field) => [field, ['is taken already']]));
    super('already-exists', `Taken already: ${fields.join(', ')}.`, { errors });
  }
}

/** The record that each user has one of has been filled already. */
export class AlreadyFilled extends ProblemError {
  constructor(what: string, url: string, isOwn = true) {
    super('already-exists', `${isOwn ? 'You have' : 'The user has'} a ${what} already: ${url}`);
  }
}

export class InUse extends ProblemError {
  constructor(detail: string) {
    super('in-use', detail);
  }
}

/** Gives the errors of named constraints their meaning; any other error passes. */
export async function explain<T>(work: Promise<T>, meanings: Readonly<Record<string, () => Error>>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw meanings[violatedConstraint(error) ?? '']?.() ?? error;
  }
}
