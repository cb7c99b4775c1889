import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { checkServerIdentity, type PeerCertificate } from 'node:tls';
import type { Options } from 'postgres';

type DriverOptions = Options<Record<string, never>>;

/** What a DATABASE_URL says besides where the database is. */
interface Wishes {
  ssl?: DriverOptions['ssl'];
  sslnegotiation?: string;
  connect_timeout?: number;
  target_session_attrs?: DriverOptions['target_session_attrs'];
  host?: string | string[];
  port?: number | number[];
  connection: { application_name?: string; options?: string };
}

/** A parameter that can not be honoured. The message follows "must", and has no value that may be secret. */
export class ParameterRefused extends Error {
  override readonly name = 'ParameterRefused';
}

function refuse(must: string): never {
  throw new ParameterRefused(must);
}

/** One of a parameter's values, all of which mean what this program does anyway. */
const harmless =
  (...values: string[]) =>
  (_wishes: Wishes, value: string, name: string): void => {
    if (!values.includes(value)) refuse(`have ${name} as one of: ${values.join(', ')}`);
  };
const anyValue = (): void => undefined;

function readNumber(value: string, name: string): number {
  return /^\d{1,5}$/.test(value) ? Number(value) : refuse(`have a number of seconds as ${name}`);
}

/** As libpq has them, but that what has no sslmode is verified where the host is not this machine. */
const SSL_MODES = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'] as const;
type SslMode = (typeof SSL_MODES)[number];

/** How a connection is encrypted, and whether anybody knows who answers. */
export interface Tls {
  readonly mode: SslMode;
  /** Whether nobody has chosen the mode. */
  readonly isDefault: boolean;
  /** Whether nothing leaves this machine. */
  readonly isLocal: boolean;
}

function readFile(name: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return refuse(`have a file that can be read as ${name}`);
  }
}

const isSocket = (host: string): boolean => host.startsWith('/');
/** Whether a host is this machine. */
export const isHere = (host: string): boolean => isSocket(host) || /^(localhost|127(\.\d{1,3}){3}|::1)$/i.test(host);

/** What the parameters about TLS come to for the hosts of a URL. */
function readTls(hosts: readonly string[], parameters: URLSearchParams): { tls: Tls; ssl: DriverOptions['ssl'] } {
  const given = (name: string): string | undefined => parameters.get(name) || undefined;
  const [sslmode, ssl, root] = [given('sslmode'), given('ssl'), given('sslrootcert')];
  if (sslmode !== undefined && !SSL_MODES.includes(sslmode as SslMode)) {
    refuse(`have sslmode as one of: ${SSL_MODES.join(', ')}`);
  }
  if (ssl !== undefined && !['true', 'false', '1', '0'].includes(ssl)) refuse('have ssl as true or false, or sslmode');
  const isLocal = hosts.every(isHere);
  const chosen = sslmode ?? (ssl && (/^(true|1)$/.test(ssl) ? 'require' : 'disable'));
  let mode = (chosen ?? (isLocal && root === undefined ? 'disable' : 'verify-full')) as SslMode;
  if (root === 'system' && mode !== 'verify-full' && sslmode !== undefined) {
    refuse('have sslmode=verify-full with sslrootcert=system');
  }
  if (root === 'system') mode = 'verify-full';
  // As libpq has it.
  if (mode === 'require' && root !== undefined) mode = 'verify-ca';
  if (hosts.every(isSocket)) mode = 'disable';
  const tls = { mode, isDefault: chosen === undefined && root === undefined, isLocal };
  if (mode === 'disable') return { tls, ssl: false };
  // It checks no certificate, since it goes on without TLS anyway.
  if (mode === 'allow' || mode === 'prefer') return { tls, ssl: 'prefer' };
  const [certificate, key] = [given('sslcert'), given('sslkey')];
  if ((certificate === undefined) !== (key === undefined)) refuse('have sslcert and sslkey, or neither');
  return {
    tls,
    ssl: {
      ...(root !== undefined && root !== 'system' && { ca: readFile('sslrootcert', root) }),
      ...(certificate !== undefined && { cert: readFile('sslcert', certificate) }),
      ...(key !== undefined && { key: readFile('sslkey', key) }),
      ...(mode === 'require' && { rejectUnauthorized: false }),
      ...(mode === 'verify-ca' && { checkServerIdentity: () => undefined }),
      ...(mode === 'verify-full' && { checkServerIdentity: identityCheck(hosts) }),
    },
  };
}

/** The driver names no host that is an address, and Node then takes a certificate of "localhost". */
function identityCheck(hosts: readonly string[]) {
  return (name: string, certificate: PeerCertificate): Error | undefined => {
    const expected = hosts.includes(name) ? [name] : hosts.filter((host) => isIP(host) !== 0);
    const refusals = expected.map((host) => checkServerIdentity(host, certificate));
    return refusals.includes(undefined) ? undefined : (refusals[0] ?? checkServerIdentity(name, certificate));
  };
}

/** What each parameter that libpq, or a library in common use, knows comes to. */
const PARAMETERS: Readonly<Record<string, (wishes: Wishes, value: string, name: string) => void>> = {
  // For these, see `readTls`.
  ...{ sslmode: anyValue, ssl: anyValue, sslrootcert: anyValue, sslcert: anyValue, sslkey: anyValue },
  sslnegotiation: (wishes, value) => {
    if (!['postgres', 'direct'].includes(value)) refuse('have sslnegotiation as one of: postgres, direct');
    if (value === 'direct') wishes.sslnegotiation = value;
  },
  connect_timeout: (wishes, value, name) => (wishes.connect_timeout = readNumber(value, name)),
  application_name: (wishes, value) => (wishes.connection.application_name = value),
  options: (wishes, value) => (wishes.connection.options = value),
  target_session_attrs: (wishes, value) => {
    // Not those of servers that take no writes.
    const known = ['any', 'read-write', 'primary'];
    if (!known.includes(value)) refuse(`have target_session_attrs as one of: ${known.join(', ')}`);
    if (value !== 'any') wishes.target_session_attrs = value as Exclude<Wishes['target_session_attrs'], undefined>;
  },
  host: (wishes, value) => (wishes.host = value),
  port: (wishes, value) => {
    if (!/^\d{1,5}$/.test(value)) refuse('have a port as port');
    wishes.port = Number(value);
  },
  channel_binding: harmless('disable', 'prefer'),
  gssencmode: harmless('disable', 'prefer'),
  client_encoding: harmless('UTF8', 'utf8', 'utf-8', 'UTF-8', 'auto'),
  schema: harmless('public'),
  currentSchema: harmless('public'),
  search_path: harmless('public'),
  require_auth: harmless('scram-sha-256', 'md5', 'password', 'none'),
  load_balance_hosts: harmless('disable'),
  replication: harmless('false', 'off', 'no', '0'),
  keepalives: anyValue,
  keepalives_idle: anyValue,
  keepalives_interval: anyValue,
  keepalives_count: anyValue,
  tcp_user_timeout: anyValue,
};

/** The hosts of a URL's authority, or of the parameters, with their ports. */
function hostsOf(authority: string, { host, port }: Wishes): { host: string; port: number }[] {
  return (typeof host === 'string' ? host : decodeURIComponent(authority)).split(',').map((text) => {
    const [, address, name = '', ownPort] = /^(?:\[(.*)\]|([^:]*))(?::(\d+))?$/.exec(text) ?? [text, undefined, text];
    return { host: address ?? name, port: Number(ownPort ?? port ?? 5432) };
  });
}

/**
 * Reads a DATABASE_URL, since the driver sends what it does not know of one on to the server, which refuses it.
 * @returns the URL without its parameters, what these ask of the driver, and what they say of TLS
 * @throws ParameterRefused
 */
export function readDatabaseUrl(text: string): { readonly url: string; readonly wishes: Wishes; readonly tls: Tls } {
  const [given = '', query = ''] = text.split(/\?(.*)/s);
  const wishes: Wishes = { connection: {} };
  // A socket's folder, or no host where a parameter names it: as libpq reads it, but no URL to others.
  const url = given.replace(
    /^(\w+:\/\/(?:[^/]*@)?)(%2f[^/:]*)?(?=[:/]|$)/i,
    (_all, before: string, folder?: string) => {
      if (folder !== undefined) wishes.host = decodeURIComponent(folder);
      return `${before}localhost`;
    },
  );
  const parameters = new URLSearchParams(query);
  for (const [name, value] of parameters) {
    const read = Object.hasOwn(PARAMETERS, name) ? PARAMETERS[name] : undefined;
    if (read === undefined) refuse(`not have the parameter ${name.slice(0, 40)}, which this program does not know`);
    if (value !== '') read?.(wishes, value, name);
  }
  const hosts = hostsOf(/^\w+:\/\/(?:[^/]*@)?([^/]*)/.exec(url)?.[1] ?? '', wishes);
  // The driver cuts an address at its first colon.
  if (hosts.some(({ host }) => host.includes(':'))) {
    wishes.host = hosts.map(({ host }) => host);
    wishes.port = hosts.map(({ port }) => port);
  }
  const { tls, ssl } = readTls(
    hosts.map(({ host }) => host),
    parameters,
  );
  return { url, tls, wishes: { ...wishes, ssl } };
}

/** How a connection is encrypted, in one line for whoever runs the program. */
export function describeTls({ mode, isLocal }: Tls): string {
  const said: Record<SslMode, string> = {
    disable: `not encrypted${isLocal ? ', on this machine' : ''}`,
    allow: 'TLS only if the server takes it, not verified',
    prefer: 'TLS only if the server takes it, not verified',
    require: 'TLS, not verified',
    'verify-ca': 'TLS, verified but for the name of the host',
    'verify-full': 'TLS, verified',
  };
  return `${said[mode]} (sslmode=${mode})`;
}
