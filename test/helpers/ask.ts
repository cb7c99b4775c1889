/** Asking servers as clients do. */
import { Agent, request as overHttp } from 'node:http';
import { Agent as TlsAgent, request as overTls } from 'node:https';

export interface Call {
  readonly method?: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly token?: string;
  readonly body?: object;
  /** Bytes of a body that is no JSON, with its media type. */
  readonly form?: { readonly type: string; readonly bytes: Buffer };
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Answer {
  /** 0: the connection was refused, or ended before the answer did. */
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  /** Milliseconds. */
  readonly took: number;
}

const agents = [new Agent({ keepAlive: true }), new TlsAgent({ keepAlive: true, rejectUnauthorized: false })] as const;

/** Makes a request over connections that are kept, as clients do: those of the agent, or of this process. */
export function ask(
  base: string,
  { method = 'GET', path, token, body, form, headers }: Call,
  agent?: TlsAgent,
): Promise<Answer> {
  const began = performance.now();
  const bytes = form?.bytes ?? (body === undefined ? undefined : Buffer.from(JSON.stringify(body)));
  const isTls = base.startsWith('https:');
  const done = { took: 0 };
  return new Promise((resolve) => {
    const fail = (error: Error): void => {
      resolve({ status: 0, headers: {}, text: error.message, took: performance.now() - began });
    };
    const call = (isTls ? overTls : overHttp)(
      base + path,
      {
        method,
        agent: agent ?? agents[isTls ? 1 : 0],
        headers: {
          ...(token !== undefined && { authorization: `Bearer ${token}` }),
          ...(bytes !== undefined && {
            'content-type': form?.type ?? 'application/json',
            'content-length': bytes.length,
          }),
          ...headers,
        },
      },
      (answer) => {
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => chunks.push(chunk));
        answer.on('error', fail);
        answer.on('end', () => {
          done.took = performance.now() - began;
          const { statusCode: status = 0, headers } = answer;
          resolve({ status, headers, text: Buffer.concat(chunks).toString(), ...done });
        });
      },
    );
    call.on('error', fail).end(bytes);
  });
}
