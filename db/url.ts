import { readFileSync } from 'node:fs';
import type { Options } from 'postgres';

type DriverOptions = Options<Record<string, never>>;

/** What a DATABASE_URL says besides where the database is. */
interface Wishes {
  ssl?: DriverOptions['ssl'];
  sslnegotiation?: string;
  connect_timeout?: number;
  target_session_attrs?: DriverOptions['target_session_attrs'];
  host?: string;
  port?: number;
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

/** A certificate of whatever name. */
const ANY_NAME = { checkServerIdentity: () => undefined };

/** What each parameter that libpq, or a library in common use, knows comes to. */
const PARAMETERS: Readonly<Record<string, (wishes: Wishes, value: string, name: string) => void>> = {
  sslmode: (wishes, value) => {
    const modes: Record<string, DriverOptions['ssl']> = {
      disable: false,
      allow: 'prefer',
      prefer: 'prefer',
      require: 'require',
      'verify-ca': ANY_NAME,
      'verify-full': 'verify-full',
    };
    if (!Object.hasOwn(modes, value)) refuse(`have sslmode as one of: ${Object.keys(modes).join(', ')}`);
    wishes.ssl = modes[value];
  },
  ssl: (wishes, value) => {
    if (!['true', 'false', '1', '0'].includes(value)) refuse('have ssl as true or false, or sslmode');
    wishes.ssl = value === 'true' || value === '1' ? 'require' : false;
  },
  sslrootcert: (wishes, value) => {
    // Where libpq goes on without TLS, it checks no certificate; and by `require` with one it means `verify-ca`.
    if (wishes.ssl === false || wishes.ssl === 'prefer') return;
    if (value === 'system') {
      wishes.ssl = 'verify-full';
      return;
    }
    try {
      const given = wishes.ssl === 'require' ? ANY_NAME : typeof wishes.ssl === 'object' ? wishes.ssl : {};
      wishes.ssl = { ...given, ca: readFileSync(value, 'utf8') };
    } catch {
      refuse('have a file that can be read as sslrootcert');
    }
  },
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

/**
 * Reads a DATABASE_URL, since the driver sends what it does not know of one on to the server, which refuses it.
 * @returns the URL without its parameters, and what these ask of the driver
 * @throws ParameterRefused
 */
export function readDatabaseUrl(text: string): { readonly url: string; readonly wishes: Wishes } {
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
  // A root certificate adds to what sslmode says.
  for (const [name, value] of [...new URLSearchParams(query)].sort(([a], [b]) => a.localeCompare(b))) {
    const read = Object.hasOwn(PARAMETERS, name) ? PARAMETERS[name] : undefined;
    if (read === undefined) refuse(`not have the parameter ${name.slice(0, 40)}, which this program does not know`);
    if (value !== '') read?.(wishes, value, name);
  }
  return { url, wishes };
}
