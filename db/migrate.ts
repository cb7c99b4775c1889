import { DrizzleQueryError } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/postgres-js';
import { migrate } from 'drizzle-orm/postgres-js/migrator';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { checkSession, connect, poolerRefusal, tlsRefusal } from './connect.js';
import postgres from './driver.js';
import { reasonOf } from './reason.js';
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
      reasonOf(reason),
    { cause: error },
  );
}

/**
 * Brings the schema up to date, in one transaction; of several processes at once, one migrates and the others wait for it.
 * @param timeZone that of the clinic, by which one migration reads instants
 * @returns the zone in a spelling that the server knows
 * @throws MigrationRefused
 */
export async function migrateDatabase(url: string, timeZone = 'UTC'): Promise<string> {
  const client = connect(url, { max: 1 });
  try {
    await checkSession(url, client);
    // The lock belongs to the one connection and ends with it, even if this process dies.
    const spelling = await spellingOf(client, timeZone);
    await client`select pg_advisory_lock(${LOCK}), set_config('hospital.time_zone', ${spelling}, false)`;
    await migrate(drizzle(client), { migrationsFolder }).catch((error: unknown) => {
      throw refusalOf(error);
    });
    return spelling;
  } catch (error) {
    throw poolerRefusal(error) ?? tlsRefusal('DATABASE_URL', url, error) ?? error;
  } finally {
    await client.end({ timeout: 5 });
  }
}
