/** What the variables about mail come to. */
import { isHere } from '../../db/url.js';

export interface MailServer {
  readonly host: string;
  readonly port: number;
  /** Whether the connection begins with TLS; else STARTTLS turns to it. */
  readonly isSecure: boolean;
  /** Whether it has to be TLS with a certificate of the host's name, may be TLS whoever answers, or is none. */
  readonly tls: 'verified' | 'offered' | 'off';
  readonly login: { readonly user: string; readonly pass: string } | null;
}

export interface Sender {
  readonly name: string;
  readonly address: string;
}

/** What mail goes to and from: nothing that could be read as two addresses, or as a header. */
const ADDRESS = String.raw`[^\s\p{Cc}<>"(),:;\\@]+@[A-Za-z0-9.-]+`;
const ONE_ADDRESS = new RegExp(`^${ADDRESS}$`, 'u');
const SENDER = new RegExp(String.raw`^(?:([^\p{Cc}<>"]*[^\p{Cc}<>"\s])\s*<(${ADDRESS})>|(${ADDRESS}))$`, 'u');

export const isAddress = (text: string): boolean => ONE_ADDRESS.test(text);

/** Undefined for what is no sender. */
export function readSender(text: string): Sender | undefined {
  const [isSender, name = '', named, alone] = SENDER.exec(text) ?? [];
  return isSender === undefined ? undefined : { name: name.trim(), address: named ?? alone ?? '' };
}

/** Undefined for what is no URL of a mail server, or has parameters that are not known. */
export function readMailServer(text: string): MailServer | undefined {
  try {
    const { protocol, hostname, port, username, password, pathname, searchParams, hash } = new URL(text);
    const [isSecure, host] = [protocol === 'smtps:', decodeURIComponent(hostname.replace(/^\[(.*)\]$/, '$1'))];
    const { tls = isHere(host) ? 'offered' : 'on', ...others } = Object.fromEntries(searchParams);
    const isKnown = ['on', 'off', 'offered'].includes(tls) && Object.keys(others).length === 0;
    const isWhole = /^smtps?:$/.test(protocol) && host !== '' && /^\/?$/.test(pathname) && hash === '';
    if (!isKnown || !isWhole || (isSecure && tls === 'off')) return undefined;
    return {
      ...{ host, port: Number(port) || (isSecure ? 465 : 587), isSecure },
      tls: tls === 'on' ? 'verified' : (tls as 'offered' | 'off'),
      login: username === '' ? null : { user: decodeURIComponent(username), pass: decodeURIComponent(password) },
    };
  } catch {
    return undefined;
  }
}

/** Where mail goes and how, for the log. */
export function describeMailServer({ host, port, isSecure, tls }: MailServer): string {
  const offered = isSecure ? 'encrypted' : 'encrypted if the server takes it';
  const words = { verified: 'encrypted and verified', offered, off: 'not encrypted' };
  return `${host}:${port}, ${words[tls]}`;
}
