import { sql } from 'drizzle-orm';
import { drizzle, type PostgresJsDatabase } from 'drizzle-orm/postgres-js';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from './connect.js';
import type postgres from './driver.js';
import { migrateDatabase } from './migrate.js';
import { Outage } from './outage.js';
import { openReplica, type Replica } from './replica.js';
import { describeTls, readDatabaseUrl } from './url.js';
import { NoConnection, shareConnections, type ConnectionUse, type Kind, type Lane } from './shares.js';

export type Db = PostgresJsDatabase<Record<string, never>>;
export type Tx = Parameters<Parameters<Db['transaction']>[0]>[0];

export interface DatabaseOptions {
  /** A postgres:// URL; null for the embedded server under `dataDir`. */
  readonly url: string | null;
  /** The same database for the role that owns it, which migrates. Default: `url`. */
  readonly migrationUrl?: string | null;
  /** A standby of it, for reads that may be seconds behind. Default: none. */
  readonly replicaUrl?: string | null;
  readonly dataDir: string;
  /** The clinic's. Default UTC. */
  readonly timeZone?: string;
  /** Connections of this process, at the most. */
  readonly pool: number;
  /** What has to be done on a migrated database before anybody uses it; again if the database went away meanwhile. */
  readonly prepare?: (database: Pick<Database, 'db' | 'timeZone' | 'ownerUrl'>) => Promise<void>;
  /** Lets a short command use the embedded database of a server that is running. Default false. */
  readonly join?: boolean;
  readonly log?: (line: string) => void;
  /** For what somebody should look at. Default: `log`. */
  readonly warn?: (line: string) => void;
  /** Milliseconds that have passed, by which the standby is judged. Default: the process's. */
  readonly elapsed?: () => number;
  /** Default: nobody follows what is asked. */
  readonly trace?: QueryTrace | undefined;
}

/** Follows what is asked of PostgreSQL. */
export interface QueryTrace {
  /** A statement begins; what is returned is told of its end. */
  statement(text: string): ((error?: unknown) => void) | undefined;
  /** A transaction or savepoint, from its beginning to its end. */
  transaction<T>(run: () => Promise<T>): Promise<T>;
}

export interface Database {
  /** For work of no kind that is named. */
  readonly db: Db;
  /** For a kind of work: what of it waits for a lock keeps no other kind from its connections. */
  of(kind: string): Db;
  /** For reads whose cost grows with what is stored: `size` connections, on which no statement takes long. */
  readonly costly: { readonly db: Db; readonly size: number };
  readonly hasReplica: boolean;
  /** Undefined where there is none, and until the database is migrated. */
  replica(): Replica | undefined;
  /** Of the role that owns the database, which need not be the one that all else here works as. */
  readonly ownerUrl: string;
  /** True once the migrations have run here, and what prepares the database. */
  isMigrated(): boolean;
  /** Whether it is migrated and, as far as is known, does its work. */
  isUp(): boolean;
  use(): ConnectionUse;
  /** Resolves when that is so; rejects when it fails for a reason that waiting does not mend. */
  readonly migrated: Promise<void>;
  /** The clinic's time zone; once migrated, in a spelling that the server knows. */
  timeZone(): string;
  /** Resolves when the first try to migrate is over, well or not. */
  readonly firstTry: Promise<void>;
  /** Tells of an error that says that the database is away; until it is back, and takes writes, `ping` rejects. */
  noteFailure(error: unknown): void;
  /** Rejects if the database does not answer within `milliseconds`, or does not do its work. */
  ping(milliseconds: number): Promise<void>;
  /** Ends the connections when their queries are done, then the embedded server. Idempotent. */
  close(): Promise<void>;
}

/** PostgreSQL's error, also from inside the error that Drizzle wraps around it. */
function postgresError(error: unknown): postgres.PostgresError | NodeJS.ErrnoException | undefined {
  for (let cause: unknown = error, depth = 0; cause instanceof Error && depth < 5; cause = cause.cause, depth++) {
    if ('code' in cause && typeof cause.code === 'string') return cause as postgres.PostgresError;
  }
  return undefined;
}

/** The SQLSTATE of an error, or the code that the driver or the system has for it. */
export const codeOf = (error: unknown): string | undefined => postgresError(error)?.code;

/** The name of the constraint that refused a statement, if one did. */
export function violatedConstraint(error: unknown): string | undefined {
  const cause = postgresError(error);
  return cause !== undefined && 'constraint_name' in cause ? cause.constraint_name : undefined;
}

const AWAY = new Set([
  ...['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH'],
  ...['CONNECT_TIMEOUT', 'CONNECTION_CLOSED', 'CONNECTION_ENDED', 'CONNECTION_DESTROYED'],
  // admin_shutdown, crash_shutdown, cannot_connect_now, too_many_connections, read_only_sql_transaction (a standby)
  ...['57P01', '57P02', '57P03', '53300', '25006'],
  // Too busy for now: serialization_failure and deadlock_detected after all tries, lock_not_available, query_canceled
  ...['40001', '40P01', '55P03', '57014'],
]);

/** Of those, what says nothing of the next statement. Also the idle-in-transaction and transaction timeouts. */
const BUSY = new Set(['40001', '40P01', '53300', '55P03', '57014', '25P03', '25P04']);

/**
 * What somebody has to mend: invalid_authorization_specification, invalid_catalog_name (no such database),
 * insufficient_privilege, object_not_in_prerequisite_state, and certificates.
 */
const MISCONFIGURED =
  /^(28...|3D000|42501|55000|CERT_.*|ERR_TLS_.*|ERR_SSL_.*|DEPTH_ZERO_.*|SELF_SIGNED_.*|UNABLE_TO_.*)$/;

/** Connection exceptions, insufficient resources such as a full disk, operator intervention, system errors. */
const AWAY_CLASSES = /^(08|53|57|58)...$/;

/** Whether an error says that the database does not do its work for now, rather than that it refused a statement. */
export function isUnavailable(error: unknown): boolean {
  const cause = postgresError(error);
  if (cause?.code === undefined) return false;
  const { code } = cause;
  // Whatever the system has against a connection: pictures, the other users of the system, open none.
  if ('syscall' in cause && ['connect', 'getaddrinfo'].includes(cause.syscall ?? '')) return true;
  return AWAY.has(code) || BUSY.has(code) || AWAY_CLASSES.test(code) || MISCONFIGURED.test(code);
}

/** Whether a start that met the error should wait, rather than have somebody mend what is wrong. */
function isWorthWaiting(error: unknown): boolean {
  return isUnavailable(error) && !MISCONFIGURED.test(codeOf(error) ?? '');
}

/**
 * What ends a transaction that may well succeed when it is run again, since nothing of it was stored: serialization
 * failure and deadlock, where another transaction stood in its way; transaction_rollback, a COMMIT that PostgreSQL
 * answered with ROLLBACK; and a prepared statement that the connection's server has forgotten, or planned for a table
 * that has changed since (the driver prepares it anew, but can not repair a transaction that has failed by then).
 * A COMMIT that ends in ROLLBACK time and again is a fault that someone has to see, so it is not `isUnavailable`.
 */
function isWorthAnotherTry(error: unknown): boolean {
  const cause = postgresError(error);
  const isStale = cause !== undefined && 'routine' in cause && cause.routine === 'RevalidateCachedQuery';
  return isStale || ['40001', '40P01', '40000', '26000'].includes(cause?.code ?? '');
}

/** Whether a statement was ended as it had run for longer than it may: query_canceled. */
export const tookTooLong = (error: unknown): boolean => codeOf(error) === '57014';

/** Whether a standby failed where its primary may not: it is away, a conflict with what it replays, or a table it has not yet. */
const isOfStandby = (error: unknown): boolean =>
  (isUnavailable(error) && !tookTooLong(error)) || /^42(703|P01|883)$/.test(codeOf(error) ?? '');

/** Whether it was refused as a user of it was erased meanwhile (`refuse_for_erased_user` of the migrations). */
export const isOfErasedUser = (error: unknown): boolean =>
  codeOf(error) === '40001' && postgresError(error)?.message === 'the user was erased';

const MAX_TRIES = 6;

/** Thrown inside a transaction that met another one in its way: the transaction runs again. */
export class Contention extends Error {
  override readonly name = 'Contention';
  /** PostgreSQL's own for it: serialization_failure. */
  readonly code = '40001';
}

/**
 * Runs a transaction, again where it failed for a reason that may be gone: `work` must not do anything but queries.
 * Inside a transaction it is a savepoint, and the outermost one is what is tried again.
 */
export async function transaction<T>(db: Db | Tx, work: (tx: Tx) => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await db.transaction(work);
    } catch (error) {
      if (!isWorthAnotherTry(error) || tries === MAX_TRIES || !('$client' in db)) throw error;
      await sleep(Math.random() * 20 * 2 ** tries);
    }
  }
}

type Client = postgres.Sql | postgres.TransactionSql;

/** The driver's query, which it tells of its answer by these two. */
interface Pending {
  readonly resolve: (rows: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** Has the end of a query told, without waiting for it: to wait for one is to send it. */
function follow(pending: Pending, end: (error?: unknown) => void): Pending {
  const { resolve, reject } = pending;
  return Object.assign(pending, {
    resolve: (rows: unknown) => {
      end();
      resolve(rows);
    },
    reject: (error: unknown) => {
      end(error);
      reject(error);
    },
  });
}

/** Drizzle asks for unprepared statements, which PostgreSQL would plan anew for every request. */
function prepareStatements<C extends Client>(client: C, trace: QueryTrace | undefined): C {
  const unsafe = client.unsafe.bind(client) as unknown as (...args: unknown[]) => Pending;
  const nested = (name: 'begin' | 'savepoint') => {
    const method = (client as unknown as Record<string, (...args: unknown[]) => unknown>)[name];
    if (method === undefined) return {};
    return {
      [name]: (...args: unknown[]) => {
        const run = args.pop() as (inner: Client) => unknown;
        const begin = () =>
          method.call(client, ...args, (inner: Client) => run(prepareStatements(inner, trace))) as Promise<unknown>;
        return trace === undefined ? begin() : trace.transaction(begin);
      },
    };
  };
  return Object.assign(client, {
    unsafe: (query: string, parameters: unknown, options: object) => {
      const pending = unsafe(query, parameters, { ...options, prepare: true });
      const end = trace?.statement(query);
      return end === undefined ? pending : follow(pending, end);
    },
    ...nested('begin'),
    ...nested('savepoint'),
  });
}

/** Enough for more reads than one process can answer, and few enough to stay in the caches of the processors. */
const SHARED_CONNECTIONS = 2;

/** How long statements wait for a lock, in milliseconds, on the connections of each sort. */
const LOCK_WAITS = { shared: 10, brief: 100, patient: 5_000 };

/** How long a statement may take, in milliseconds: far longer than any takes that somebody should wait for. */
const STATEMENT_TIMES = { costly: 5_000, other: 20_000 };

const pipelines = new WeakMap<Db | Tx, postgres.Sql>();

/**
 * Connections that queries share: each is sent while those before it are still on their way (PostgreSQL's pipeline
 * mode), so that many travel together. For reads by a key alone, since a query waits for those before it. To wake a
 * connection of its own would otherwise be a quarter of the work of such a read.
 * @returns undefined for a transaction, which has its one connection
 */
export function pipelineOf(db: Db | Tx): postgres.Sql | undefined {
  return pipelines.get(db);
}

/** Whether a statement gave up a lock: lock_not_available. */
const gaveUp = (error: unknown): boolean => codeOf(error) === '55P03';

/** As the driver's queries do, begins when somebody waits for it. */
const lazy = <T>(run: () => PromiseLike<T>): PromiseLike<T> => ({ then: (...handlers) => run().then(...handlers) });

/** What Drizzle and `direct` need of a client, on the connections that a kind of work may have. */
function clientOf(kind: Kind, { options }: postgres.Sql): postgres.Sql {
  const unsafe = (query: string, parameters: never[], more: object) => {
    const run = (read: (pending: postgres.PendingQuery<postgres.Row[]>) => PromiseLike<unknown>) => () =>
      kind.use((client) => read(client.unsafe(query, parameters, more)));
    return Object.assign(lazy(run((rows) => rows)), {
      values: run((rows) => rows.values()),
      raw: run((rows) => rows.raw()),
    });
  };
  const begin = (work: (tx: postgres.TransactionSql) => Promise<unknown>) => kind.use((client) => client.begin(work));
  return { options, unsafe, begin } as unknown as postgres.Sql;
}

/** A client for reads by a key: on shared connections, unless they wait for a lock. */
function pipelineClientOf(kind: Kind, pipeline: postgres.Sql): postgres.Sql {
  const unsafe = (query: string, parameters: never[]) =>
    lazy<unknown>(() =>
      kind.isHeldUp()
        ? kind.use((client) => client.unsafe(query, parameters))
        : pipeline.unsafe(query, parameters).then(undefined, (error: unknown) => {
            if (!gaveUp(error)) throw error;
            return kind.persist((client) => client.unsafe(query, parameters));
          }),
    );
  return { unsafe } as unknown as postgres.Sql;
}

/**
 * Opens the database. It may be away: the first migration is then tried again until it comes, and until then
 * `isMigrated()` is false.
 * @throws EmbeddedInUse when another process owns the embedded database
 */
export async function openDatabase(options: DatabaseOptions): Promise<Database> {
  const { log = () => undefined, warn = log } = options;
  const embedded =
    options.url === null
      ? await (
          await import('./embedded/index.js')
        ).openEmbedded({
          dataDir: options.dataDir,
          join: options.join ?? false,
          log,
        })
      : undefined;
  const url = embedded?.programUrl ?? (options.url as string);
  const ownerUrl = embedded?.url ?? options.migrationUrl ?? url;
  const { tls } = readDatabaseUrl(url);
  (tls.isLocal || tls.mode.startsWith('verify') ? log : warn)(`database: ${describeTls(tls)}`);
  const open = (
    max: number,
    max_pipeline: number,
    limits: postgres.Options<never>['connection'],
    { at = url, onclose = () => void checkConnection() }: { at?: string; onclose?: () => void } = {},
  ): postgres.Sql => {
    const client = connect(at, {
      max,
      // The driver's types do not know these two. The second is of its patch, in seconds: a connection that owes an
      // answer for longer than any statement may take is dead. Unlike an error of the connection, silence would never end.
      ...{ max_pipeline, answer_timeout: 25 },
      // A short wait between tries, so that service resumes as soon as the database does.
      backoff: () => 0.2,
      onclose,
      connection: { statement_timeout: STATEMENT_TIMES.other, idle_in_transaction_session_timeout: 30_000, ...limits },
    });
    // Has the client read dates as Drizzle does.
    drizzle(client);
    return prepareStatements(client, options.trace);
  };
  // By its default the driver gives a busy connection more to do, which then waits for a slow query or a lock of another
  // request though connections are free. So each gets one thing at a time, and what finds none free waits here.
  const laneOf = (size: number, lock_timeout: number): Lane => ({
    client: open(Math.max(1, size), 0, { lock_timeout }),
    size,
  });
  const shared = Math.min(SHARED_CONNECTIONS, options.pool >> 1);
  const forCostly = (options.pool - shared) >> 2;
  const own = options.pool - shared - forCostly;
  const brief = laneOf(own >> 1, LOCK_WAITS.brief);
  const patient = laneOf(own - (own >> 1), LOCK_WAITS.patient);
  const pipeline = shared > 0 ? open(shared, 100, { lock_timeout: LOCK_WAITS.shared }) : undefined;
  const costlyClient =
    forCostly > 0
      ? open(forCostly, 0, {
          lock_timeout: LOCK_WAITS.brief,
          statement_timeout: STATEMENT_TIMES.costly,
          // Or one of them takes as many processors as PostgreSQL has workers for it.
          max_parallel_workers_per_gather: '0',
        })
      : undefined;
  const clients = [brief.client, patient.client, pipeline, costlyClient].filter((client) => client !== undefined);
  const shares = shareConnections(brief, patient, gaveUp);
  const kinds = new Map<string, Db>();
  function of(name: string): Db {
    const known = kinds.get(name);
    if (known !== undefined) return known;
    const kind = shares.kind();
    const client = clientOf(kind, patient.client);
    const db: Db = drizzle(client, { casing: 'snake_case' });
    pipelines.set(db, pipeline === undefined ? client : pipelineClientOf(kind, pipeline));
    kinds.set(name, db);
    return db;
  }
  const db = of('');
  // Where connections are few, they are among those that all have.
  const costly =
    costlyClient === undefined
      ? { db: of('costly'), size: 1 }
      : { db: drizzle(costlyClient, { casing: 'snake_case' }), size: forCostly };
  const readiness = of('readiness');
  /** Behind nothing that takes long, where there are connections for that. */
  const ask = (): PromiseLike<unknown> => pipeline?.unsafe('select 1') ?? readiness.execute(sql`select 1`);
  const closing = new AbortController();
  let isMigrated = false;
  let timeZone = options.timeZone ?? 'UTC';
  let endFirstTry = (): void => undefined;
  const firstTry = new Promise<void>((resolve) => (endFirstTry = resolve));

  /** Writes a megabyte that nothing else sees: what answers, a full disk or a standby, need not take writes. */
  async function write(): Promise<void> {
    try {
      await db.transaction(async (tx) => {
        await tx.execute(sql`set local temp_tablespaces = ''`);
        await tx.execute(sql`create temporary table written on commit drop as select * from generate_series(1, 30000)`);
      });
    } catch (error) {
      if (isUnavailable(error) && codeOf(error) !== '42501') throw error;
      // A role that may not make temporary tables is no fault of the server's, unless it may not even connect.
      await db.execute(sql`select`);
    }
  }

  const placeOf = ({ options: { host, port, database: name } }: postgres.Sql): string =>
    `${name} at ${host.map((each, index) => `${each}:${port[index] ?? 5432}`).join(', ')}`;
  const outage = new Outage({
    of: `the database ${placeOf(patient.client)}`,
    isBack: () => migrated.then(write),
    warn,
    log,
  });
  const noteFailure = (error: unknown): void => {
    if (isUnavailable(error) && !BUSY.has(codeOf(error) ?? '')) outage.begin(error);
  };

  let isChecking = false;
  /** A connection has ended: was it the only one? */
  async function checkConnection(): Promise<void> {
    if (isChecking || !isMigrated || outage.isOn || closing.signal.aborted) return;
    isChecking = true;
    await db.execute(sql`select 1`).catch(noteFailure);
    isChecking = false;
  }

  async function migrateWhenThere(): Promise<void> {
    for (;;) {
      try {
        timeZone = await migrateDatabase(url, timeZone, ownerUrl);
        await options.prepare?.({ db, ownerUrl, timeZone: () => timeZone });
        outage.end();
        isMigrated = true;
        return;
      } catch (error) {
        if (!isWorthWaiting(error) || closing.signal.aborted) throw error;
        outage.begin(error);
        endFirstTry();
        await sleep(500, undefined, { signal: closing.signal });
      }
    }
  }

  const migrated = migrateWhenThere().finally(endFirstTry);
  // Whoever waits sees the rejection; nobody has to.
  migrated.catch(() => undefined);
  let replica: Replica | undefined;
  const { replicaUrl = null } = options;
  if (replicaUrl !== null) {
    const client = open(
      options.pool,
      0,
      {
        default_transaction_read_only: true,
        statement_timeout: STATEMENT_TIMES.costly,
        max_parallel_workers_per_gather: '0',
      },
      { at: replicaUrl, onclose: () => undefined },
    );
    clients.push(client);
    const half = options.pool >> 1;
    const lanes = shareConnections({ client, size: half }, { client, size: options.pool - half }, () => false);
    // What was there before the migration is not what the queries ask for.
    migrated.then(
      () => {
        if (closing.signal.aborted) return;
        replica = openReplica({
          ...(options.elapsed && { now: options.elapsed }),
          client,
          primary: clientOf(shares.kind(), patient.client),
          clientsOf: (kind) => ({
            standby: clientOf(lanes.kind(), client),
            primary: kind === 'costly' && costlyClient ? costlyClient : clientOf(shares.kind(), patient.client),
          }),
          isItsOwn: (error) => !(error instanceof NoConnection) && isOfStandby(error),
          outageOf: (isBack) => new Outage({ of: `the replica ${placeOf(client)}`, isBack, warn, log }),
        });
      },
      () => undefined,
    );
  }
  let closed: Promise<void> | undefined;
  return {
    db,
    of,
    costly,
    hasReplica: replicaUrl !== null,
    replica: () => replica,
    ownerUrl,
    migrated,
    firstTry,
    isMigrated: () => isMigrated,
    isUp: () => isMigrated && !outage.isOn,
    use: shares.use,
    timeZone: () => timeZone,
    noteFailure,
    ping: async (milliseconds) => {
      if (outage.isOn) throw new Error('the database has not come back yet');
      await Promise.race([
        ask(),
        sleep(milliseconds, undefined, { ref: false }).then(() => Promise.reject(new Error('no answer in time'))),
      ]);
    },
    close: () =>
      (closed ??= (async () => {
        closing.abort();
        outage.close();
        replica?.close();
        await migrated.catch(() => undefined);
        shares.close(Object.assign(new Error('the database was closed'), { code: 'CONNECTION_ENDED' }));
        await Promise.all(clients.map((client) => client.end({ timeout: 5 })));
        await embedded?.stop();
      })()),
  };
}
