import { drizzle } from 'drizzle-orm/postgres-js';
import { migrate } from 'drizzle-orm/postgres-js/migrator';
import { fileURLToPath } from 'node:url';
import postgres from './driver.js';

const migrationsFolder = fileURLToPath(new URL('../../db/migrations', import.meta.url));

/** Any number will do, as long as every instance takes the same. */
const LOCK = 7_203_118;

/** Brings the schema up to date; of several processes at once, one migrates and the others wait for it. */
export async function migrateDatabase(url: string): Promise<void> {
  const client = postgres(url, { max: 1, connect_timeout: 5, fetch_types: false, onnotice: () => undefined });
  try {
    // The lock belongs to the one connection and ends with it, even if this process dies.
    await client`select pg_advisory_lock(${LOCK})`;
    await migrate(drizzle(client), { migrationsFolder });
  } finally {
    await client.end({ timeout: 5 });
  }
}
