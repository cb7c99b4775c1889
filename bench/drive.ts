/** Asking a server for something as fast as it answers. */
import autocannon from 'autocannon';
import { headersOf } from './callers.js';
import type { Call } from './endpoints.js';
import type { Server } from './servers.js';

export interface Load {
  /** Answers a second. */
  readonly throughput: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
  /** Milliseconds of processor time for an answer. */
  readonly server: number;
  readonly database: number;
  /** MiB after the load. */
  readonly memory: number;
  /** Requests that had another answer than they should, or none. */
  readonly failures: number;
}

interface Drive {
  readonly calls: readonly Call[];
  readonly connections: number;
  readonly seconds: number;
  /** How many answers, however long they take, instead of for how long. */
  readonly amount?: number;
  readonly staffId: number;
  /** What every answer has to be. */
  readonly status?: number;
}

export async function drive(server: Server, how: Drive): Promise<Load> {
  const { calls, connections, seconds, amount, staffId, status } = how;
  const latencies: number[] = [];
  let failures = 0;
  let next = 0;
  const before = await server.processorTime();
  const run = autocannon({
    url: server.url,
    connections,
    duration: seconds,
    ...(amount !== undefined && { amount }),
    sampleInt: 100,
    timeout: 30,
    requests: [
      {
        setupRequest: (request) => {
          // One counter for all connections: no two of them book the same slot.
          const { path, caller, body } = calls[next++ % calls.length] as Call;
          const headers = { ...request.headers, ...headersOf(caller, server.kind, staffId) };
          return body === undefined
            ? { ...request, path, headers }
            : {
                ...{ ...request, method: 'POST', path, body: JSON.stringify(body) },
                headers: { ...headers, 'content-type': 'application/json' },
              };
        },
      },
    ],
  });
  void run.on('response', (_client, code: number, _bytes, milliseconds: number) => {
    if (status === undefined ? code < 300 : code === status) latencies.push(milliseconds);
    else failures++;
  });
  const result = await run;
  await server.settle();
  const after = await server.processorTime();
  latencies.sort((a, b) => a - b);
  const quantile = (share: number): number => latencies[Math.floor(latencies.length * share)] ?? NaN;
  return {
    throughput: latencies.length / result.duration,
    p50: quantile(0.5),
    p99: quantile(0.99),
    server: (after.server - before.server) / latencies.length,
    database: (after.database - before.database) / latencies.length,
    memory: server.memory(),
    failures: failures + result.errors + result.timeouts,
  };
}

export function quantile(values: readonly number[], share: number): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length * share)] ?? NaN;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 > 0 ? (sorted[middle] ?? NaN) : ((sorted[middle - 1] ?? NaN) + (sorted[middle] ?? NaN)) / 2;
}

/** The median of a few loads in each respect. */
export function medianOf(loads: readonly Load[]): Load {
  const of = (what: keyof Load): number => median(loads.map((load) => load[what]));
  return {
    ...{ throughput: of('throughput'), p50: of('p50'), p99: of('p99') },
    ...{ server: of('server'), database: of('database'), memory: of('memory') },
    failures: loads.reduce((sum, load) => sum + load.failures, 0),
  };
}
