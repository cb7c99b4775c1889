/** Sends mail by the server that `SMTP_URL` names. */
import { setTimeout as sleep } from 'node:timers/promises';
import { isAddress, type MailServer, type Sender } from './mail-url.js';

export interface Letter {
  readonly to: string;
  readonly subject: string;
  readonly text: string;
}

/**
 * Sends a letter, again where the server may take it later. What is lost the log tells.
 * @param stop aborted where nothing is to be tried again
 */
export type SendMail = (letter: Letter, stop: AbortSignal) => Promise<void>;

/** By what a sender of mail counts its time. */
export interface MailTimes {
  /** Milliseconds that one try may take: less than a server that stops has. */
  readonly within: number;
  /** Waits before a further try; rejects when the signal is aborted. */
  readonly pause: (milliseconds: number, stop: AbortSignal) => Promise<unknown>;
}

const TIMES: MailTimes = {
  within: 15_000,
  pause: (milliseconds, signal) => sleep(milliseconds, undefined, { signal, ref: false }),
};

/** Milliseconds before each further try. */
const PAUSES = [5_000, 30_000, 120_000];

/** A refusal of the server's that is final. All else may be gone soon: it was away, too slow, or asked to come again. */
const isFinal = ({ responseCode = 0 }: { responseCode?: number }): boolean => responseCode >= 500;

/** @param log is told what was lost, without whose it was: what servers answer has addresses in it */
export async function openMail(
  { server, from }: { readonly server: MailServer; readonly from: Sender },
  log: { warn(about: object, line: string): void },
  { within, pause }: MailTimes = TIMES,
): Promise<SendMail> {
  const { createTransport } = await import('nodemailer');
  const { host, port, isSecure, tls, login } = server;
  const transport = createTransport({
    ...{ host, port, secure: isSecure, requireTLS: tls === 'verified', ignoreTLS: tls === 'off' },
    tls: { rejectUnauthorized: tls === 'verified', minVersion: 'TLSv1.2' },
    ...(login !== null && { auth: login }),
    ...{ connectionTimeout: within, greetingTimeout: within, socketTimeout: within, dnsTimeout: within },
    ...{ socketCloseTimeout: 0, maxResponseSize: 65_536, disableFileAccess: true, disableUrlAccess: true },
  });

  async function send({ to, subject, text }: Letter, signal: AbortSignal): Promise<void> {
    await transport.sendMail({
      ...{ subject, text, xMailer: false, signal },
      ...{ from, to: { name: '', address: to }, envelope: { from: from.address, to: [to] } },
      // So that nobody's absence answers it (RFC 3834).
      headers: { 'Auto-Submitted': 'auto-generated' },
    });
  }

  return async (letter, stop) => {
    if (!isAddress(letter.to)) {
      log.warn({}, 'a mail was not sent: the address of its user is none that mail goes to');
      return;
    }
    for (const [tries, milliseconds] of [...PAUSES, undefined].entries()) {
      try {
        await send(letter, AbortSignal.timeout(within));
        return;
      } catch (error) {
        const { code, command, responseCode } = error as { code?: string; command?: string; responseCode?: number };
        const isLost = milliseconds === undefined || isFinal({ ...(responseCode !== undefined && { responseCode }) });
        const about = { code, command, responseCode, tries: tries + 1 };
        if (isLost) {
          log.warn(about, 'a mail was not sent');
          return;
        }
        log.warn(about, 'a mail is tried again');
        try {
          await pause(milliseconds, stop);
        } catch {
          log.warn({}, 'a mail was not sent: the server stops');
          return;
        }
      }
    }
  };
}
