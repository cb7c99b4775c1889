/** What the bench uses of autocannon, which comes without types. */
declare module 'autocannon' {
  import type { EventEmitter } from 'node:events';

  interface Request {
    method: string;
    path: string;
    headers: Record<string, string>;
    body: string;
  }

  interface Options {
    url: string;
    connections: number;
    /** Seconds. */
    duration: number;
    /** Milliseconds between looks at the clock. */
    sampleInt: number;
    /** Seconds. */
    timeout: number;
    /** What a connection sends, one after the other. */
    requests: { setupRequest: (request: Request) => Request }[];
  }

  interface Result {
    /** Seconds. */
    duration: number;
    errors: number;
    timeouts: number;
  }

  export default function autocannon(options: Options): EventEmitter & Promise<Result>;
}
