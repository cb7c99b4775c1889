import { and, eq, or, sql } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/postgres-js';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { isUnavailable, type Db, type Tx } from '../../db/client.js';
import { connect } from '../../db/connect.js';
import { openEmbedded } from '../../db/embedded/index.js';
import { reasonOf } from '../../db/reason.js';
import { one } from '../../db/rows.js';
import { users } from '../../db/tables/index.js';
import { ConfigError, type Config } from '../config.js';
import { endOnSignal } from '../signals.js';
import { ACCOUNTS } from './people.js';

/** Whose users a database has, and which of the demo's accounts are there under their own name. */
export interface Users {
  readonly owner: 'nobody' | 'demo' | 'others';
  readonly accounts: readonly string[];
}

const NOBODY: Users = { owner: 'nobody', accounts: [] };

/** The database need not be migrated, nor be one of this program. */
export async function usersOf(db: Db | Tx): Promise<Users> {
  const tables = await db.execute<{ exists: boolean; is_ours: boolean }>(sql`
    select count(*) > 0 as exists, count(*) filter (where attname in ('username', 'email')) = 2 as is_ours
    from pg_attribute where attrelid = to_regclass('users')`);
  const table = one(tables);
  if (!table.exists) return NOBODY;
  const rows = await db.execute<{ has_users: boolean }>(sql`select exists (select from users) as has_users`);
  if (!one(rows).has_users) return NOBODY;
  const isAccount = ACCOUNTS.map(({ username, email }) => and(eq(users.username, username), eq(users.email, email)));
  const found = table.is_ours
    ? await db
        .select({ username: users.username })
        .from(users)
        .where(or(...isAccount))
    : [];
  return { owner: found.length > 0 ? 'demo' : 'others', accounts: found.map(({ username }) => username) };
}

/** @throws ConfigError where the users are not the demo's */
export function refuseOthers({ owner }: Users, { databaseUrl, dataDir }: Config): void {
  if (owner !== 'others') return;
  const [name, what] = databaseUrl === null ? ['DATA_DIR', dataDir] : ['DATABASE_URL', 'this one'];
  throw new ConfigError(
    `${name} must lead the demo to a database without users, but ${what} has some; it is unchanged`,
  );
}

/**
 * Looks whose users the configured database has, before the server's start could migrate it.
 * @throws ConfigError where they are not the demo's, or the database does not answer
 */
export async function checkUsers(config: Config): Promise<void> {
  const { databaseUrl, dataDir } = config;
  // Not made yet.
  if (databaseUrl === null && !existsSync(join(dataDir, 'postgres'))) return;
  const opening = databaseUrl === null ? openEmbedded({ dataDir }) : undefined;
  const beDeaf = endOnSignal(async () => (await opening)?.stop());
  const embedded = await opening;
  const client = connect(embedded?.url ?? (databaseUrl as string), { max: 1 });
  try {
    refuseOthers(await usersOf(drizzle(client)), config);
  } catch (error) {
    if (!isUnavailable(error)) throw error;
    throw new ConfigError(`DATABASE_URL must lead to a database that answers: ${reasonOf(error)}`);
  } finally {
    await client.end({ timeout: 5 });
    await embedded?.stop();
    beDeaf();
  }
}
