/** A server of mail. */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';
import type { Test } from 'tap';

export interface Mailed {
  readonly from: string;
  readonly to: readonly string[];
  /** By which user it was sent; undefined for nobody. */
  readonly user: string | undefined;
  readonly isEncrypted: boolean;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly text: string;
}

/** Each header once, unfolded, and the text without its encoding. */
function read(raw: string): Pick<Mailed, 'headers' | 'text'> {
  const end = raw.indexOf('\r\n\r\n');
  const lines = raw
    .slice(0, end)
    .replaceAll(/\r\n[ \t]+/g, ' ')
    .split('\r\n')
    .map((line) => /^([^:]+): ?(.*)$/.exec(line) ?? [line, line, '']);
  const headers = new Map(lines.map(([, name = '', value = '']) => [name.toLowerCase(), value]));
  if (headers.size < lines.length) throw new Error(`a header is there twice: ${raw}`);
  const body = raw.slice(end + 4);
  const isQuoted = headers.get('content-transfer-encoding') === 'quoted-printable';
  const decoded = body
    .replaceAll(/=\r\n/g, '')
    .replaceAll(/(=[0-9A-F]{2})+/g, (bytes) => Buffer.from(bytes.replaceAll('=', ''), 'hex').toString('utf8'));
  return { headers, text: (isQuoted ? decoded : body).replaceAll('\r\n', '\n') };
}

/**
 * Starts one, which takes everything unless the options say otherwise.
 * @returns where it listens, and what it was sent so far
 */
export async function openSmtp(t: Test, options: SMTPServerOptions = {}) {
  const mails: Mailed[] = [];
  const server = new SMTPServer({
    ...{ disabledCommands: ['STARTTLS'], authOptional: true, disableReverseLookup: true, closeTimeout: 1 },
    onData: (stream, { envelope, user, secure }, taken) => {
      const parts: Buffer[] = [];
      stream.on('data', (part: Buffer) => parts.push(part));
      stream.on('end', () => {
        const { mailFrom, rcptTo } = envelope;
        mails.push({
          from: mailFrom === false ? '' : mailFrom.address,
          to: rcptTo.map(({ address }) => address),
          user: user as string | undefined,
          isEncrypted: secure,
          ...read(Buffer.concat(parts).toString('utf8')),
        });
        taken();
      });
    },
    ...options,
  });
  // What a client breaks off is no fault of the test's.
  server.on('error', () => undefined);
  server.listen(0, '127.0.0.1');
  await once(server.server, 'listening');
  const { port } = server.server.address() as AddressInfo;
  const close = () => new Promise<void>((resolve) => server.close(resolve));
  t.teardown(close);
  return { url: `smtp://127.0.0.1:${port}`, port, mails, close };
}
