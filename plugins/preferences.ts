import { closest } from 'fastest-levenshtein';
import type { preValidationHookHandler } from 'fastify';
import type { Operation } from '../openapi/operation.js';
import { InvalidInput, type FieldErrors } from '../openapi/problem-error.js';

/** Faults of a request that are told at the most, and characters of a name. */
const MAX_UNKNOWN = 50;
const MAX_NAME = 100;

/** Queries and bodies in which nothing unknown may be. */
const strict = new WeakSet<object>();

export const isStrict = (data: object): boolean => strict.has(data);

/** Says of each name that is not known which known one is the nearest. */
export function unknownNames(names: readonly string[], known: readonly string[]): FieldErrors {
  // Names are the client's: none may meet what objects inherit.
  const faults = Object.create(null) as FieldErrors;
  for (const name of names.filter((each) => !known.includes(each)).slice(0, MAX_UNKNOWN)) {
    const short = name.slice(0, MAX_NAME);
    const nearest = known.length > 0 ? `; the nearest known name is "${closest(short, known)}"` : '';
    faults[short] = [`is not known here${nearest}`];
  }
  return faults;
}

/** Whether a Prefer header (RFC 7240) asks for it; of several `handling` the first counts. */
export function asksForStrict(prefer: string): boolean {
  const handling = /(?:^|,)\s*handling\s*=\s*"?([^\s",;]*)/i.exec(prefer)?.[1];
  return handling?.toLowerCase() === 'strict';
}

/** Holds a request to what its operation knows, where the client asks for it. */
export function honorPreference({ schema }: Operation): preValidationHookHandler {
  return function noteStrictness({ headers, query, body }, reply, next) {
    const { prefer } = headers;
    if (prefer === undefined || !asksForStrict(String(prefer))) {
      next();
      return;
    }
    reply.header('preference-applied', 'handling=strict');
    for (const part of [query, body]) if (typeof part === 'object' && part !== null) strict.add(part);
    // What the contract has no parameters for is not validated.
    const faults = schema.querystring === undefined ? unknownNames(Object.keys(query as object), []) : {};
    next(Object.keys(faults).length > 0 ? new InvalidInput(faults) : undefined);
  };
}
