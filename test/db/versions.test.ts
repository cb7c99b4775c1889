import { getTableColumns, getTableName, is } from 'drizzle-orm';
import { PgTable } from 'drizzle-orm/pg-core';
import t from 'tap';
import * as tables from '../../db/tables/index.js';
import { openTestDatabase } from '../helpers/database.js';

t.test('each table with a version counts it up with every change of a row', async (t) => {
  const { db } = (await openTestDatabase(t)).database;
  const counted = await db.execute<{ name: string }>(`
    select tgrelid::regclass::text as name from pg_trigger
    where tgfoid = 'count_version'::regproc and tgtype & 19 = 19`); // before update, for each row
  const versioned = Object.values(tables)
    .filter((table): table is PgTable & typeof table => is(table, PgTable))
    .filter((table) => 'version' in getTableColumns(table))
    .map((table) => getTableName(table));
  t.ok(versioned.length > 5);
  t.strictSame(counted.map(({ name }) => name).sort(), versioned.sort());
});

t.test('of a user only what others see counts', async (t) => {
  const { db } = (await openTestDatabase(t)).database;
  await db.execute(`insert into users (username, email, password_hash) values ('ada', 'ada@example.com', '-')`);
  const versionAfter = async (set: string): Promise<unknown> =>
    (await db.execute(`update users set ${set} returning version`))[0]?.['version'];
  t.equal(await versionAfter(`password_hash = '!', token_generation = 7`), 1);
  t.equal(await versionAfter(`first_name = 'Ada'`), 2);
  t.equal(await versionAfter('is_active = false'), 3);
});
