import { connect } from 'node:net';

export interface RawAnswer {
  readonly status: number;
  /** By lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Takes the first answer out of what came over a connection. */
export function readAnswer(text: string): RawAnswer {
  const [head = '', ...rest] = text.split('\r\n\r\n');
  const [line = '', ...fields] = head.split('\r\n');
  const headers = Object.fromEntries(
    fields.map((field) => [field.slice(0, field.indexOf(':')).toLowerCase(), field.slice(field.indexOf(':') + 2)]),
  );
  return { status: Number(line.split(' ', 2)[1]), headers, body: rest.join('\r\n\r\n') };
}

/** Writes bytes to a server and gives all that it answers before it closes the connection. */
export function exchange(port: number, bytes: string | Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
    socket.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    socket.on('error', reject).on('close', () => resolve(text));
  });
}

/** Sends all of a request before it reads the answer, as most clients do. Rejects where the connection breaks. */
export function sendAll(port: number, head: string, body: Buffer): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    socket.pause().setEncoding('utf8').on('error', reject);
    socket
      .on('data', (chunk: string) => (text += chunk))
      .on('end', () => {
        socket.destroy();
        resolve(readAnswer(text));
      });
    socket.write(`${head}\r\n\r\n`);
    socket.write(body, () => socket.resume());
  });
}

/** A body as chunks of 64 KiB. */
export function chunked(body: Buffer): Buffer {
  const size = 65_536;
  const parts = Array.from({ length: Math.ceil(body.length / size) }, (_, index) => {
    const part = body.subarray(index * size, (index + 1) * size);
    return [Buffer.from(`${part.length.toString(16)}\r\n`), part, Buffer.from('\r\n')];
  });
  return Buffer.concat([...parts.flat(), Buffer.from('0\r\n\r\n')]);
}
