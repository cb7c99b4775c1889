import { and, eq, getTableName, is, or, sql } from 'drizzle-orm';
import { PgTable } from 'drizzle-orm/pg-core';
import { drizzle } from 'drizzle-orm/postgres-js';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { isUnavailable, type Db, type Tx } from '../../db/client.js';
import { connect, tlsRefusal } from '../../db/connect.js';
import { openEmbedded } from '../../db/embedded/index.js';
import { reasonOf } from '../../db/reason.js';
import { one } from '../../db/rows.js';
import * as tables from '../../db/tables/index.js';
import { ConfigError, type Config } from '../config.js';
import { endOnSignal } from '../signals.js';
import { ACCOUNTS } from './people.js';

const { users } = tables;

/** Whose data a database holds, and which of the demo's accounts are there under their own name. */
export interface Contents {
  readonly owner: 'nobody' | 'demo' | 'others';
  readonly accounts: readonly string[];
}

/** All tables but those for what a server notes of itself. */
export const RECORDS: readonly PgTable[] = Object.values<unknown>(tables).filter(
  (table): table is PgTable =>
    is(table, PgTable) &&
    ![tables.discardedPictures, tables.signingSecrets, tables.picturePlaces].some((own) => own === table),
);

async function hasRows(db: Db | Tx, table: PgTable): Promise<boolean> {
  const name = getTableName(table);
  const rows = await db.execute<{ exists: boolean }>(sql`select to_regclass(${name}) is not null as exists`);
  if (!one(rows).exists) return false;
  return one(await db.execute<{ found: boolean }>(sql`select exists (select from ${table}) as found`)).found;
}

/** The database need not be migrated, nor be one of this program. */
export async function contentsOf(db: Db | Tx): Promise<Contents> {
  const table = await db.execute<{ is_ours: boolean }>(sql`
    select count(*) = 2 as is_ours from pg_attribute
    where attrelid = to_regclass('users') and attname in ('username', 'email')`);
  const isAccount = ACCOUNTS.map(({ username, email }) => and(eq(users.username, username), eq(users.email, email)));
  const found = one(table).is_ours
    ? await db
        .select({ username: users.username })
        .from(users)
        .where(or(...isAccount))
    : [];
  if (found.length > 0) return { owner: 'demo', accounts: found.map(({ username }) => username) };
  for (const table of RECORDS) if (await hasRows(db, table)) return { owner: 'others', accounts: [] };
  return { owner: 'nobody', accounts: [] };
}

/** @throws ConfigError where the data is not the demo's */
export function refuseOthers({ owner }: Contents, { databaseUrl, dataDir }: Config): void {
  if (owner !== 'others') return;
  const [name, what] = databaseUrl === null ? ['DATA_DIR', dataDir] : ['DATABASE_URL', 'this one'];
  throw new ConfigError(
    `${name} must lead the demo to an empty database or one that it has made, but ${what} holds other data; it is ` +
      'unchanged',
  );
}

/**
 * A server that runs would go on with tokens for people who are gone, and others may be at work with it.
 * @throws ConfigError where one is connected
 */
async function refuseRunning(db: Db): Promise<void> {
  const rows = await db.execute<{ count: number }>(sql`
    select count(*)::int as count from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid() and usename is not null
      and coalesce(application_name, current_setting('application_name')) = current_setting('application_name')`);
  if (one(rows).count === 0) return;
  throw new ConfigError(
    'DATABASE_URL must lead --reset to a database that no server uses: stop the one that is connected; it is unchanged',
  );
}

/**
 * Looks whose data the configured database holds, before the server's start could migrate it.
 * @throws ConfigError where it is not the demo's, where it can not be reset now, or the database does not answer
 */
export async function checkContents(config: Config, { isReset }: { isReset: boolean }): Promise<void> {
  const { dataDir } = config;
  // The role that owns the database sees all there is in it.
  const databaseUrl = config.migrationUrl ?? config.databaseUrl;
  // Not made yet.
  if (databaseUrl === null && !existsSync(join(dataDir, 'postgres'))) return;
  const opening = databaseUrl === null ? openEmbedded({ dataDir }) : undefined;
  const beDeaf = endOnSignal(async () => (await opening)?.stop());
  const embedded = await opening;
  const client = connect(embedded?.url ?? (databaseUrl as string), { max: 1 });
  try {
    const db = drizzle(client);
    refuseOthers(await contentsOf(db), config);
    if (isReset) await refuseRunning(db);
  } catch (error) {
    const refusal = databaseUrl === null ? undefined : tlsRefusal('DATABASE_URL', databaseUrl, error);
    if (refusal !== undefined) throw refusal;
    if (!isUnavailable(error)) throw error;
    throw new ConfigError(`DATABASE_URL must lead to a database that answers: ${reasonOf(error)}`);
  } finally {
    await client.end({ timeout: 5 });
    await embedded?.stop();
    beDeaf();
  }
}
