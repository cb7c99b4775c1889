import type { Placeholder } from 'drizzle-orm';
import type { PersonVisit, UserVisit, Visit } from 'fastify';
import { transaction, type Tx } from '../../db/client.js';
import { signTransaction } from './history.js';

export type { PersonVisit, UserVisit, Visit };
export type Caller = UserVisit['caller'];
export type Person = PersonVisit['caller'];
export type Link = Visit['link'];

/** A caller, or a placeholder of one. A service is staff where it may do something, and has nothing of its own. */
export type SomeCaller =
  | { readonly id: number | Placeholder; readonly isStaff: boolean }
  | { readonly serviceId: number; readonly isStaff: true };

/** The user who calls, for a query or a column; null for a service: it owns nothing, and no column that names a user has it. */
export const userIdOf = (caller: Caller | null): number | null =>
  caller !== null && 'id' in caller ? caller.id : null;

/** Whether the caller is a user: of a record that is nobody's, no service is it either. */
export const isUser = (caller: Caller | null, id: number | null | undefined): boolean =>
  caller !== null && 'id' in caller && caller.id === id;

/** A visit whose queries are part of a transaction. */
export type Within<V extends Visit = Visit> = V & { readonly db: Tx };

/** Gives a visit on a transaction. What is made when it is asked for stays so: spread, all of it would be made. */
function within<V extends Visit>(visit: V): (db: Tx) => Within<V> {
  const own = Object.getOwnPropertyDescriptors(visit);
  return (db) => Object.defineProperties({}, { ...own, db: { value: db, enumerable: true } }) as Within<V>;
}

/** Transactions that say whose they are. */
const signed = new WeakSet<object>();

/**
 * Runs a transaction of a visit, under the name of who calls. Its visit takes the name of the outer one, so that no query can miss the transaction:
 * one that does would wait for another connection, which may not come before this one is given back.
 */
export function inTransaction<V extends Visit, T>(visit: V, work: (visit: Within<V>) => Promise<T>): Promise<T> {
  const { db: outer } = visit;
  const on = within(visit);
  return transaction(outer, async (db) => {
    const visit = on(db);
    // It travels with what comes first.
    const signing = signed.has(outer) ? undefined : signTransaction(db, visit);
    signed.add(db);
    // A query of Drizzle's, which may be all of the work, runs each time that it is waited for.
    const working = Promise.resolve(work(visit));
    await Promise.all([working, signing]);
    return working;
  });
}

/**
 * Counts the caller's claim to what only one can have, unless the caller sees everybody's anyway. Outside the transaction:
 * it may wait for other claims.
 * @throws ProblemError too-many-requests
 */
export async function claim({ caller, logins }: UserVisit, ...values: (string | null | undefined)[]): Promise<void> {
  const isClaim = values.some((value) => (value ?? '') !== '');
  if (isClaim && !caller.isStaff) await logins.claim(caller.id);
}

/** Undoes a transaction that has come to its result. */
class Undone<T> extends Error {
  readonly result: T;

  constructor(result: T) {
    super('a dry run');
    this.result = result;
  }
}

/** The same; a dry run does all of it and then undoes it, so that it comes to what the real one would. */
export async function inTrial<V extends Visit, T>(
  visit: V,
  isDryRun: boolean,
  work: (visit: Within<V>) => Promise<T>,
): Promise<T> {
  if (!isDryRun) return inTransaction(visit, work);
  try {
    return await inTransaction(visit, async (visit) => {
      throw new Undone(await work(visit));
    });
  } catch (error) {
    if (error instanceof Undone) return error.result as T;
    throw error;
  }
}
