/** Whether the floor answers as the product does. */
import { isDeepStrictEqual } from 'node:util';
import { headersOf } from './callers.js';
import type { Call } from './endpoints.js';
import type { Server } from './servers.js';

/** The status, and of a success the body; a problem's words are the product's own. */
async function meaning(server: Server, { path, caller, body }: Call, staffId: number): Promise<unknown> {
  const response = await fetch(server.url + path, {
    headers: {
      ...headersOf(caller, server.kind, staffId),
      ...(body !== undefined && { 'content-type': 'application/json' }),
    },
    ...(body !== undefined && { method: 'POST', body: JSON.stringify(body) }),
  });
  // The floor has no positions in its links.
  const text = (await response.text()).replaceAll(server.url, '').replaceAll(/&after=[\w-]+/g, '');
  return { status: response.status, body: response.ok && (JSON.parse(text) as unknown) };
}

function compare([floor, product]: readonly [unknown, unknown], { path, caller }: Call): void {
  if (isDeepStrictEqual(floor, product)) return;
  const [left, right] = [floor, product].map((answer) => JSON.stringify(answer));
  throw new Error(
    `the answers to ${path} for ${caller ?? 'nobody'} differ:\nfloor   ${left?.slice(0, 2000)}\nproduct ${right?.slice(0, 2000)}`,
  );
}

interface Servers {
  readonly floor: Server;
  readonly product: Server;
  readonly staffId: number;
}

/** @throws Error with the first two answers that differ */
export async function compareReads({ floor, product, staffId }: Servers, calls: readonly Call[]): Promise<void> {
  for (const call of calls) {
    compare([await meaning(floor, call, staffId), await meaning(product, call, staffId)], call);
  }
}

/**
 * Books the same with both, one after the other.
 * @param undo takes back what was booked
 * @throws Error
 */
export async function compareBookings(
  { floor, product, staffId }: Servers,
  calls: readonly Call[],
  undo: () => Promise<void>,
): Promise<void> {
  const bookAll = async (server: Server): Promise<unknown[]> => {
    const answers = [];
    for (const call of calls) answers.push(await meaning(server, call, staffId));
    await undo();
    // Those of another one.
    return answers.map((answer) => {
      const { body } = answer as { body: object };
      return { ...(answer as object), body: body && { ...body, id: 0, created_at: '', updated_at: '' } };
    });
  };
  const [left, right] = [await bookAll(floor), await bookAll(product)];
  for (const [at, call] of calls.entries()) compare([left[at], right[at]], call);
}
