import type { Session } from './session.js';

export interface SendOptions {
  readonly fetch: (request: Request) => Promise<Response>;
  /** The longest wait, in seconds, that a 429 or 503 may ask for. */
  readonly maxWait: number;
  readonly session: () => Session;
}

/** How often a request is sent again after a wait. */
const WAITS = 3;

/** The wait that an answer asks for, in milliseconds. */
function waitOf({ status, headers }: Response, maxWait: number): number | undefined {
  const seconds = Number(headers.get('Retry-After') ?? Number.NaN);
  return (status === 429 || status === 503) && seconds <= maxWait ? seconds * 1000 : undefined;
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason as Error);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', stop);
      resolve();
    }, milliseconds);
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
  });
}

/**
 * Sends a request, and again: with a new access token where the one it has is refused, and after the wait that a 429 or
 * 503 asks for. What it creates has an Idempotency-Key, the same each time, so that nothing is made twice.
 */
export function createSend({ fetch, maxWait, session }: SendOptions): (request: Request) => Promise<Response> {
  return async (request) => {
    if (request.method === 'POST' && !request.headers.has('Idempotency-Key')) {
      request.headers.set('Idempotency-Key', crypto.randomUUID());
    }
    let isRenewed = false;
    for (let waits = 0; ;) {
      const response = await fetch(request.clone());
      const sent = /^Bearer (.+)$/.exec(request.headers.get('Authorization') ?? '')?.[1];
      if (response.status === 401 && sent !== undefined && !isRenewed) {
        const access = await session().renew(sent);
        if (access === undefined) return response;
        isRenewed = true;
        request.headers.set('Authorization', `Bearer ${access}`);
        continue;
      }
      const wait = waitOf(response, maxWait);
      if (wait === undefined || waits === WAITS) return response;
      waits++;
      await pause(wait, request.signal);
    }
  };
}
