/** A collector of traces, by OpenTelemetry's protocol. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Test } from 'tap';

export interface Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | undefined;
  readonly name: string;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly status: number;
  /** Milliseconds from its beginning to its end. */
  readonly took: number;
}

interface Wire {
  resourceSpans: {
    resource: { attributes: WireAttribute[] };
    scopeSpans: {
      spans: (Pick<Span, 'traceId' | 'spanId' | 'parentSpanId' | 'name'> & {
        attributes: WireAttribute[];
        status: { code?: number };
        startTimeUnixNano: string;
        endTimeUnixNano: string;
      })[];
    }[];
  }[];
}
interface WireValue {
  stringValue?: string;
  intValue?: number;
  arrayValue?: { values: WireValue[] };
}
interface WireAttribute {
  key: string;
  value: WireValue;
}

const valueOf = ({ stringValue, intValue, arrayValue }: WireValue): unknown =>
  arrayValue?.values.map(valueOf) ?? stringValue ?? intValue;
const read = (attributes: readonly WireAttribute[]): Record<string, unknown> =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, valueOf(value)]));

/**
 * Starts one.
 * @param port 0: one that is free
 */
export async function openCollector(t: Test, port = 0) {
  const bodies: { type: string | undefined; bytes: Buffer }[] = [];
  let release = (): void => undefined;
  let held: Promise<void> | undefined;
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      void (async () => {
        await held;
        bodies.push({ type: request.headers['content-type'], bytes: Buffer.concat(parts) });
        response.setHeader('content-type', 'application/json').end('{}');
      })();
    });
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const close = async (): Promise<void> => {
    if (!server.listening) return;
    release();
    server.close();
    server.closeAllConnections();
    await once(server, 'close');
  };
  t.teardown(close);
  const wires = (): Wire['resourceSpans'] =>
    bodies.flatMap(({ bytes }) => (JSON.parse(bytes.toString()) as Wire).resourceSpans);
  return {
    port: (server.address() as AddressInfo).port,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    bodies,
    /** What was sent so far, as `http/json`. */
    spans: (): Span[] =>
      wires().flatMap(({ scopeSpans }) =>
        scopeSpans.flatMap(({ spans }) =>
          spans.map(({ traceId, spanId, parentSpanId, name, attributes, status, ...times }) => ({
            ...{ traceId, spanId, parentSpanId, name, attributes: read(attributes), status: status.code ?? 0 },
            took: Number(BigInt(times.endTimeUnixNano) - BigInt(times.startTimeUnixNano)) / 1e6,
          })),
        ),
      ),
    /** Who sends. */
    resources: () => wires().map(({ resource }) => read(resource.attributes)),
    /** Leaves what comes without an answer until it is let go. */
    hold: (): void => {
      held = new Promise((resolve) => (release = resolve));
    },
    letGo: () => release(),
    close,
  };
}
