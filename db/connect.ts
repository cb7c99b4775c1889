import { DrizzleQueryError } from 'drizzle-orm';
import postgres from './driver.js';
import { oneOrNone } from './rows.js';
import { reasonOf } from './reason.js';
import { readDatabaseUrl } from './url.js';

/**
 * What this program's queries stand on, whatever the server, the database or the role has for its sessions. The limits
 * are those of a migration; a request has its own.
 */
const SESSION = {
  application_name: 'hospital-management-api',
  DateStyle: 'ISO, MDY',
  IntervalStyle: 'postgres',
  TimeZone: 'UTC',
  extra_float_digits: '1',
  bytea_output: 'hex',
  standard_conforming_strings: 'on',
  array_nulls: 'on',
  transform_null_equals: 'off',
  // Where extensions are not in public, they are there.
  search_path: 'public, extensions',
  default_transaction_isolation: 'read committed',
  default_transaction_read_only: 'off',
  default_transaction_deferrable: 'off',
  // What is acknowledged is on the disk.
  synchronous_commit: 'on',
  statement_timeout: '0',
  lock_timeout: '0',
  idle_in_transaction_session_timeout: '0',
  idle_session_timeout: '0',
  gin_fuzzy_search_limit: '0',
  // That of SSDs and cached data. By the default, for turning disks, a search reads all patients rather than an index.
  random_page_cost: '1.1',
  // Compiling a query takes longer than any of ours runs; bookings that wait for each other would add that up.
  jit: 'off',
};

/** Those on which answers depend; the others are limits, speed and a name, and how soon a disk has what is stored. */
const MEANING = [
  ...['DateStyle', 'IntervalStyle', 'TimeZone', 'extra_float_digits', 'bytea_output', 'standard_conforming_strings'],
  ...['array_nulls', 'transform_null_equals', 'default_transaction_isolation', 'default_transaction_read_only'],
  ...['default_transaction_deferrable', 'gin_fuzzy_search_limit'],
] as const;

type DriverOptions = NonNullable<Parameters<typeof postgres>[1]>;

/** Connections to the database of a DATABASE_URL, as this program needs them. @throws ParameterRefused */
export function connect(databaseUrl: string, { connection, ...options }: DriverOptions): postgres.Sql {
  const { url, wishes } = readDatabaseUrl(databaseUrl);
  return postgres(url, {
    connect_timeout: 5,
    // The driver's own query for them ends the process if the connection is lost meanwhile; nothing here needs arrays.
    fetch_types: false,
    onnotice: () => undefined,
    ...options,
    ...wishes,
    connection: { ...SESSION, ...connection, ...wishes.connection } as DriverOptions['connection'],
  } as DriverOptions);
}

/** A pooler stands before the database in a way that this program can not work with. The message is one line. */
export class PoolerRefused extends Error {
  override readonly name = 'PoolerRefused';
}

const lendsTooShortly = () =>
  new PoolerRefused(
    'DATABASE_URL must lead to PostgreSQL, or to a pooler in session mode: this one lends its connections for a ' +
      'transaction or a statement at a time (pool_mode of PgBouncer), which loses prepared statements and settings',
  );

/** Milliseconds within which a pooler gives a second connection to the server. */
const PATIENCE = 5_000;

/**
 * Makes sure that a connection has a session of its own: prepared statements and settings are lost where a pooler lends
 * it to others between two statements.
 * @param client of one connection
 * @throws PoolerRefused
 */
export async function checkSession(databaseUrl: string, client: postgres.Sql): Promise<void> {
  const other = connect(databaseUrl, { max: 1 });
  try {
    await client`select set_config('hospital.session', 'own', false)`;
    const work = other.begin(async (tx) => {
      await tx`select`;
      // The other one now has the connection to the server that a pooler would lend next.
      const patience = new Promise<[]>((resolve) => setTimeout(resolve, PATIENCE, []).unref());
      const asked = client<{ session: string | null }[]>`select current_setting('hospital.session', true) as session`;
      return oneOrNone(await Promise.race([asked, patience]))?.session === 'own';
    });
    const isOwn = await work.catch(async (error: unknown) => {
      // What lends for a statement at a time closes a connection that begins a transaction, and no other.
      await client`select`.catch(() => Promise.reject(error as Error));
      return false;
    });
    if (!isOwn) throw lendsTooShortly();
    await checkMeaning(client);
  } finally {
    await other.end({ timeout: 1 });
  }
}

/**
 * Makes sure that a session means by our queries what we do: a pooler may have ignored what was asked for.
 * @throws PoolerRefused
 */
async function checkMeaning(client: postgres.Sql): Promise<void> {
  const rows = await client<{ name: string; setting: string }[]>`
    select name, setting from pg_settings where name in ${client([...MEANING, 'session_replication_role'])}
    union all select 'search_path', coalesce(current_schema(), '')`;
  // The last one only superusers may set: without triggers, what they hold up is not held up.
  const others = { search_path: 'public', session_replication_role: 'origin' };
  const needed: ReadonlyMap<string, string> = new Map(Object.entries({ ...SESSION, ...others }));
  for (const { name, setting } of rows) {
    if (setting === needed.get(name)) continue;
    const what = Object.hasOwn(SESSION, name) ? 'a pooler that ignores' : 'sessions that can not have';
    throw new PoolerRefused(
      `DATABASE_URL leads to ${what} ${name}: it is "${setting}" and has to be "${needed.get(name)}"; ` +
        `set it for the user that signs in, by ALTER ROLE ... SET ${name}`,
    );
  }
}

/** The server's certificate is not taken, or it has none. The message is one line that tells what to put. */
export class TlsRefused extends Error {
  override readonly name = 'TlsRefused';
}

/** The codes of what Node has against a certificate. */
const CERTIFICATE = /^(CERT_|ERR_TLS_|ERR_SSL_|ERR_OSSL_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|INVALID_CA$)/;

/**
 * What a fault of TLS means, which is final.
 * @param variable that has the URL
 */
export function tlsRefusal(variable: string, databaseUrl: string, error: unknown): TlsRefused | undefined {
  if (error instanceof DrizzleQueryError) return tlsRefusal(variable, databaseUrl, error.cause);
  if (!(error instanceof Error)) return undefined;
  const { tls } = readDatabaseUrl(databaseUrl);
  const whose = `sslmode=${tls.mode}${tls.isDefault ? ' (the default where the host is not this machine)' : ''}`;
  const put = (parameters: string): string => {
    const others = tls.isDefault ? 'add' : 'have';
    return `${others} ${databaseUrl.includes('?') ? '&' : '?'}${parameters} ${tls.isDefault ? 'to' : 'in'} ${variable}`;
  };
  // How Node tells of a server that has refused TLS.
  if (/before secure TLS connection/.test(error.message)) {
    return new TlsRefused(
      `${variable} leads to a server that takes no TLS, which ${whose} asks for: give the server a certificate, or ` +
        `${put('sslmode=disable')}, and patients' data crosses the network unencrypted`,
    );
  }
  const { code } = error as NodeJS.ErrnoException;
  if (code === undefined || !CERTIFICATE.test(code)) return undefined;
  const remedy =
    code === 'ERR_TLS_CERT_ALTNAME_INVALID'
      ? `name the host as its certificate does, or ${put('sslmode=verify-ca')}, which takes any name`
      : `${put('sslmode=verify-full&sslrootcert=/path/to/ca.pem')} with the certificate of its authority, or ` +
        `sslmode=require, which takes whoever answers`;
  return new TlsRefused(
    `${variable} leads to a server whose certificate ${whose} does not take: ${reasonOf(error)}; ${remedy}`,
  );
}

/** What a pooler's refusal to connect means, where it is final. */
export function poolerRefusal(error: unknown): PoolerRefused | undefined {
  if (!(error instanceof postgres.PostgresError) || error.code !== '08P01') return undefined;
  return /startup parameter/.test(error.message)
    ? new PoolerRefused(
        `DATABASE_URL leads to a pooler that says "${error.message}": this program's sessions have settings of their own; ` +
          `in PgBouncer, ignore_startup_parameters = ${Object.keys(SESSION).join(', ')}`,
      )
    : undefined;
}
