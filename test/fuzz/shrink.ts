import type { Plan } from './requests.js';

/** Requests that are sent to find a smaller one, at the most. */
const TRIES = 60;

/** The requests that have one part less, but not that which is broken. */
function* withoutOne(plan: Plan): Generator<Plan> {
  const { query, headers, body, intent } = plan;
  const isBroken = (name: string): boolean => name === intent.field;
  for (const [at, [name]] of query.entries()) {
    if (!isBroken(name)) yield { ...plan, query: query.filter((_, other) => other !== at) };
  }
  for (const name of Object.keys(headers)) {
    if (isBroken(name)) continue;
    yield { ...plan, headers: Object.fromEntries(Object.entries(headers).filter(([other]) => other !== name)) };
  }
  if (body === undefined || !('type' in body)) return;
  const { type, members } = body;
  for (const [at, [name]] of members.entries()) {
    if (!isBroken(name)) yield { ...plan, body: { type, members: members.filter((_, other) => other !== at) } };
  }
}

/**
 * The smallest request that has the same fault still, taken apart part by part.
 * @returns undefined where it can not be had again, since the state that it met is gone
 */
export async function smaller(plan: Plan, isSame: (plan: Plan) => Promise<boolean>): Promise<Plan | undefined> {
  if (!(await isSame(plan))) return undefined;
  let best = plan;
  let tries = 0;
  for (let found = true; found && tries < TRIES;) {
    found = false;
    for (const candidate of withoutOne(best)) {
      if (tries++ >= TRIES) break;
      if (!(await isSame(candidate))) continue;
      best = candidate;
      found = true;
      break;
    }
  }
  return best;
}
