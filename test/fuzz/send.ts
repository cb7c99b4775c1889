import { Agent, request } from 'node:http';
import type { Wire } from './requests.js';

export interface Received {
  /** 0 where none came. */
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  readonly milliseconds: number;
  /** Why no answer came. */
  readonly failure: string | undefined;
}

/** How many connections are open at once. */
export const CONNECTIONS = 8;
/** Milliseconds after which an answer is one that did not come. */
const PATIENCE = 30_000;

export type Send = (wire: Wire) => Promise<Received>;

export function sender(url: string): { send: Send; close: () => void } {
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  const send: Send = ({ method, target, headers, body }) =>
    new Promise((resolve) => {
      const begin = performance.now();
      const end = (received: Partial<Received>): void =>
        resolve({
          ...{ status: 0, headers: {}, text: '', failure: undefined },
          ...received,
          milliseconds: performance.now() - begin,
        });
      const length = body === undefined ? {} : { 'content-length': String(body.length) };
      const { hostname, port } = new URL(url);
      const sent = request(
        { ...{ hostname, port, method, agent, path: target, timeout: PATIENCE }, headers: { ...length, ...headers } },
        (answer) => {
          const chunks: Buffer[] = [];
          answer.on('data', (chunk: Buffer) => chunks.push(chunk));
          answer.on('error', (error) => end({ failure: error.message }));
          answer.on('end', () =>
            end({ status: answer.statusCode ?? 0, headers: answer.headers, text: Buffer.concat(chunks).toString() }),
          );
        },
      );
      sent.on('timeout', () => sent.destroy(new Error(`no answer within ${PATIENCE / 1000} s`)));
      sent.on('error', (error) => end({ failure: error.message }));
      sent.end(body);
    });
  return { send, close: () => agent.destroy() };
}
