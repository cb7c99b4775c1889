import { DrizzleQueryError } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/postgres-js';
import { migrate } from 'drizzle-orm/postgres-js/migrator';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { checkSession, connect, poolerRefusal, tlsRefusal } from './connect.js';
import postgres from './driver.js';
import { isBeingMovedTo } from './move.js';
import { reasonOf } from './reason.js';
import { one } from './rows.js';
import { spellingOf } from './time-zone.js';

const migrationsFolder = fileURLToPath(new URL('../../db/migrations', import.meta.url));

/** Any number will do, as long as every instance takes the same. */
const LOCK = 7_203_118;

/** PostgreSQL refused a migration. The message is one line, names its file, and has no values of rows. */
export class MigrationRefused extends Error {
  override name = 'MigrationRefused';
}

function refusalOf(error: unknown): unknown {
  const reason = error instanceof DrizzleQueryError ? error.cause : error;
  if (!(reason instanceof postgres.PostgresError)) return error;
  // Of equal statements in two files the newer one is more likely not to have run before.
  const file = readdirSync(migrationsFolder)
    .filter((name) => name.endsWith('.sql'))
    .sort()
    .findLast(
      (name) =>
        error instanceof DrizzleQueryError && readFileSync(join(migrationsFolder, name), 'utf8').includes(error.query),
    );
  return new MigrationRefused(
    `the database refused ${file === undefined ? 'to be migrated' : `the migration ${file}`}, and is as it was before: ` +
      reasonOf(reason) +
      (reason.code === '42501' ? '; MIGRATION_DATABASE_URL is for the role that owns the database' : ''),
    { cause: error },
  );
}

/**
 * Lets the role that a URL signs in as read and write the rows of all tables, and nothing more. Done at each start, so that
 * the tables of later migrations are open to it too.
 * @param owner a session of the role that owns them, which holds LOCK
 * @throws MigrationRefused where the URL leads to another database
 */
async function admit(url: string, owner: postgres.Sql): Promise<void> {
  const program = connect(url, { max: 1 });
  try {
    await checkSession(url, program);
    const { pid } = one(await owner<{ pid: number }[]>`select pg_backend_pid() as pid`);
    const { role, isHere } = one(
      await program<{ role: string; isHere: boolean }[]>`
        select current_user::text as role, exists (
          select from pg_locks join pg_database on pg_database.oid = pg_locks.database
          where locktype = 'advisory' and objid = ${LOCK} and pid = ${pid} and datname = current_database()
        ) as "isHere"`,
    );
    if (!isHere) throw new MigrationRefused('DATABASE_URL and MIGRATION_DATABASE_URL must lead to the same database');
    const missing = await owner<{ grant: string }[]>`
      select format('grant usage on schema %I to %I', nspname, ${role}::text) as grant from pg_namespace
      where nspname in ('public', 'extensions') and not has_schema_privilege(${role}, oid, 'usage')
      union all
      select format('grant %s on %s to %I', privileges, oid::regclass, ${role}::text) from pg_class
      cross join lateral (
        -- What is only added to is so for its triggers, and is not the role's to change in the first place.
        select case when relname in ('audit_events', 'audit_blocks') then 'select, insert'
          else 'select, insert, update, delete' end as privileges
      ) as due
      where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and exists (
        select from unnest(string_to_array(privileges, ', ')) as privilege
        where not has_table_privilege(${role}, oid, privilege))`;
    for (const { grant } of missing) await owner.unsafe(grant);
  } catch (error) {
    throw poolerRefusal(error) ?? tlsRefusal('DATABASE_URL', url, error) ?? error;
  } finally {
    await program.end({ timeout: 5 });
  }
}

/**
 * Brings the schema up to date, in one transaction; of several processes at once, one migrates and the others wait for it.
 * @param timeZone that of the clinic, by which one migration reads instants
 * @param isMoving whether rows are only being moved there; by default that is refused
 * @param migrationUrl the same database for the role that owns it, which lets the other one read and write its rows
 * @returns the zone in a spelling that the server knows
 * @throws MigrationRefused
 */
export async function migrateDatabase(
  url: string,
  timeZone = 'UTC',
  migrationUrl = url,
  { isMoving = false } = {},
): Promise<string> {
  const client = connect(migrationUrl, { max: 1 });
  try {
    await checkSession(migrationUrl, client);
    if (!isMoving && (await isBeingMovedTo(client))) {
      throw new MigrationRefused(
        'DATABASE_URL leads to a database that npm run move-to is not done with: run that again',
      );
    }
    // The lock belongs to the one connection and ends with it, even if this process dies.
    const spelling = await spellingOf(client, timeZone);
    await client`select pg_advisory_lock(${LOCK}), set_config('hospital.time_zone', ${spelling}, false)`;
    await migrate(drizzle(client), { migrationsFolder }).catch((error: unknown) => {
      throw refusalOf(error);
    });
    if (migrationUrl !== url) await admit(url, client);
    return spelling;
  } catch (error) {
    const variable = migrationUrl === url ? 'DATABASE_URL' : 'MIGRATION_DATABASE_URL';
    throw poolerRefusal(error) ?? tlsRefusal(variable, migrationUrl, error) ?? error;
  } finally {
    await client.end({ timeout: 5 });
  }
}
