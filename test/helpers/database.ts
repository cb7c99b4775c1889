import { randomBytes } from 'node:crypto';
import postgres from 'postgres';
import type { Test } from 'tap';
import { openDatabase, type Database } from '../../db/client.js';

function required(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set: run the tests by npm test`);
  return value;
}

const LOCALE = process.env['TEST_LOCALE'] ? `locale '${process.env['TEST_LOCALE']}'` : '';

/**
 * Makes a database that is a copy of another: of template0, an empty one of the locale that TEST_LOCALE names, by default
 * the server's.
 */
export async function createDatabase(
  admin: postgres.Sql,
  name: string,
  template: string,
  options = template === 'template0' ? `encoding 'UTF8' ${LOCALE}` : '',
): Promise<void> {
  await admin`create database ${admin(name)} template ${admin(template)} ${admin.unsafe(options)}`;
}

/** A database of its own on the test run's server, gone when the test ends. @param template by default a migrated one */
export async function createTestDatabase(
  t: Test,
  template = required('TEST_TEMPLATE'),
  options?: string,
): Promise<string> {
  const server = required('TEST_SERVER_URL');
  const name = `${required('TEST_PREFIX')}_${randomBytes(6).toString('hex')}`;
  const admin = postgres(server, { max: 1, onnotice: () => undefined });
  await createDatabase(admin, name, template, options);
  t.teardown(async () => {
    await admin`drop database if exists ${admin(name)} with (force)`;
    await admin.end();
  });
  const url = new URL(server);
  url.pathname = `/${name}`;
  return url.href;
}

/** @param options.settings PostgreSQL's, for its connections, as `-c name=value` */
export async function openTestDatabase(
  t: Test,
  { pool = 10, timeZone = 'UTC', settings = '' }: { pool?: number; timeZone?: string; settings?: string } = {},
): Promise<{ database: Database; url: string }> {
  const place = new URL(await createTestDatabase(t));
  if (settings !== '') place.searchParams.set('options', settings);
  const url = place.href;
  const database = await openDatabase({ url, dataDir: t.testdir(), pool, timeZone });
  t.teardown(() => database.close());
  await database.migrated;
  return { database, url };
}

/** Resolves when another connection waits for a lock that `holder` has. */
export async function someoneWaits(holder: postgres.Sql | postgres.TransactionSql): Promise<void> {
  for (;;) {
    // Not pg_stat_activity: inside a transaction that stays as it was at first.
    const rows = await holder`
      select 1 from pg_locks where not granted and pg_backend_pid() = any(pg_blocking_pids(pid))`;
    if (rows.length > 0) return;
  }
}
