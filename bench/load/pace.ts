/** Requests at a rate that does not wait for the answers. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Agent } from 'node:https';
import { ask } from '../../test/helpers/ask.js';
import type { Clinic } from './clinic.js';

export interface Seen {
  readonly kind: string;
  /** Milliseconds from the moment at which it was due. */
  readonly took: number;
  /** Where the answer was not as it should be. */
  readonly error?: string;
}

/** Resolves when all are answered. */
export async function pace(
  { url, agent, clinic }: { url: string; agent: Agent; clinic: Clinic },
  { rate, seconds }: { rate: number; seconds: number },
  see: (seen: Seen) => void,
): Promise<void> {
  const run = async (due: number): Promise<void> => {
    const { kind, call, status, learn } = clinic.next();
    const answer = await ask(url, call, agent);
    const took = performance.now() - due;
    if (answer.status === status) {
      learn?.(answer);
      return see({ kind, took });
    }
    const what = answer.status === 0 ? 'not answered' : `answered with ${answer.status}`;
    see({ kind, took, error: `${call.method ?? 'GET'} ${call.path} was ${what}: ${answer.text.slice(0, 300)}` });
  };
  const total = Math.round(rate * seconds);
  const begin = performance.now();
  const dueAt = (count: number): number => begin + (count * 1000) / rate;
  const open = new Set<Promise<void>>();
  for (let count = 0; count < total; await sleep(Math.max(1, dueAt(count) - performance.now()))) {
    for (const now = performance.now(); count < total && dueAt(count) <= now; count++) {
      const request = run(dueAt(count)).finally(() => open.delete(request));
      open.add(request);
    }
  }
  await Promise.all(open);
}
