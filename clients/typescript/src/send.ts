import type { Session } from './session.js';

export interface SendOptions {
  readonly fetch: (request: Request) => Promise<Response>;
  /** The longest wait, in seconds, that a 429 or 503 may ask for. */
  readonly maxWait: number;
  readonly session: () => Session;
}

/** How often a request is sent again after a wait. */
const WAITS = 3;

/** The longest wait of a timer, in seconds. */
const LONGEST = (2 ** 31 - 1) / 1000;

/** The seconds, or the time (RFC 9110, section 10.2.3). */
function secondsOf(retryAfter: string): number {
  if (/^\d+$/.test(retryAfter)) return Number(retryAfter);
  return retryAfter.endsWith(' GMT') ? Math.max(0, (Date.parse(retryAfter) - Date.now()) / 1000) : Number.NaN;
}

/** The wait that an answer asks for, in milliseconds. */
function waitOf({ status, headers }: Response, maxWait: number): number | undefined {
  const seconds = secondsOf(headers.get('Retry-After') ?? '');
  return (status === 429 || status === 503) && seconds <= Math.min(maxWait, LONGEST) ? seconds * 1000 : undefined;
}

/** What comes of some work, unless the caller gives up before. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  let stop: () => void = () => undefined;
  const aborted = new Promise<never>((_resolve, reject) => {
    stop = () => {
      reject(signal.reason as Error);
    };
    signal.addEventListener('abort', stop);
    if (signal.aborted) stop();
  });
  return Promise.race([work, aborted]).finally(() => {
    signal.removeEventListener('abort', stop);
  });
}

async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const waited = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, milliseconds);
  });
  await unlessAborted(waited, signal).finally(() => {
    clearTimeout(timer);
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
        const access = await unlessAborted(session().renew(sent), request.signal);
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
