/** Migrations on databases that are in use. */
import { readMigrationFiles } from 'drizzle-orm/migrator';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import postgres from 'postgres';
import t, { type Test } from 'tap';
import { migrateDatabase } from '../../db/migrate.js';
import { createTestDatabase } from '../helpers/database.js';
import { countRows, fillTables, readTables } from '../helpers/fill.js';
import { copyProgram, makeNextVersion, migrationsFolder as folder, readJournal } from '../helpers/next-version.js';
import { runProgram, startServerProcess } from '../helpers/process.js';
import { openProxy } from '../helpers/proxy.js';

function connect(t: Test, url: string): postgres.Sql {
  const sql = postgres(url, { max: 1, onnotice: () => undefined, connection: { DateStyle: 'ISO' } });
  t.teardown(() => sql.end());
  return sql;
}

t.test(
  'each migration goes through on a database that the version before it has filled, and loses no row',
  async (t) => {
    const sql = connect(t, await createTestDatabase(t, 'template0'));
    const migrations = readMigrationFiles({ migrationsFolder: folder });
    for (const [index, { tag }] of readJournal(folder).entries.entries()) {
      await t.test(tag, async (t) => {
        const before = await countRows(sql);
        const statements = migrations[index]?.sql ?? [];
        await sql.begin(async (tx) => {
          for (const statement of statements) await tx.unsafe(statement);
        });
        const after = await countRows(sql);
        for (const [table, count] of before) {
          // A table that goes has to be said to go.
          if (after.has(table)) t.ok((after.get(table) ?? 0) >= count, `${table} keeps its ${count} rows`);
          else t.match(statements.join('\n'), new RegExp(`(DROP TABLE|RENAME TO)[^;]*\\b${table}\\b`, 'i'));
        }
        await fillTables(sql);
      });
    }

    await t.test('where a filled database refuses what an empty one does not', async (t) => {
      for (const { name, columns } of await readTables(sql)) {
        await t.rejects(sql`alter table ${sql(name)} add column required text not null`, { code: '23502' }, name);
        for (const column of columns.filter(({ isRequired }) => !isRequired)) {
          const change = sql`alter table ${sql(name)} alter column ${sql(column.name)} set not null`;
          await t.rejects(change, { code: '23502' }, `${name}.${column.name}`);
        }
      }
    });
  },
);

const start = (root: string, url: string, dataDir = join(root, 'data')) =>
  runProgram(join(root, 'dist/src/server.js'), { DATABASE_URL: url, DATA_DIR: dataDir });

/** Everything that a database holds, its schema included. */
async function contentsOf(sql: postgres.Sql): Promise<unknown> {
  const tables = await readTables(sql);
  const migrations = await sql`select * from drizzle.__drizzle_migrations`;
  const rows: unknown[] = [];
  for (const { name } of tables) rows.push([...(await sql`select * from ${sql(name)} as r order by r::text`)]);
  return { tables, migrations: [...migrations], rows };
}

t.test('a start that a migration fails says why in one line, and leaves everything as it was', async (t) => {
  const url = await createTestDatabase(t);
  const sql = connect(t, url);
  await fillTables(sql);
  const before = await contentsOf(sql);
  const root = makeNextVersion(t, {
    '9000_notes': `CREATE TABLE "notes" ("id" bigint);\n--> statement-breakpoint\nDELETE FROM "sessions";`,
    '9001_urgency': `ALTER TABLE "reviews" ADD COLUMN "urgency" text NOT NULL;`,
  });
  const { code, stderr } = await start(root, url);
  t.equal(
    stderr,
    'The server could not start: the database refused the migration 9001_urgency.sql, and is as it was before: ' +
      'column "urgency" of relation "reviews" contains null values\n',
  );
  t.equal(code, 1);
  t.strictSame(await contentsOf(sql), before);
  await startServerProcess(t, { DATABASE_URL: url, DATA_DIR: join(root, 'data') });
});

t.test('a refused migration tells no values', async (t) => {
  const url = await createTestDatabase(t);
  const sql = connect(t, url);
  await sql`insert into contacts (name, phone, message) values ('Ada "the first"', '1', 'x'), ('Ada "the first"', '1', 'x')`;
  for (const [statement, reason] of [
    [`ALTER TABLE contacts ALTER name TYPE int USING name::int`, 'invalid input syntax for type integer: "…"'],
    [`CREATE UNIQUE INDEX names ON contacts (name)`, 'could not create unique index "names"'],
  ] as const) {
    const root = makeNextVersion(t, { '9000_names': statement });
    const { code, stderr } = await start(root, url);
    t.match(stderr, new RegExp(`^The server could not start: [^\\n]+ 9000_names.sql, [^\\n]+: ${reason}\n$`));
    t.equal(code, 1);
  }
});

t.test('user names and emails that differ by case alone are people’s to change, and named by ids', async (t) => {
  const url = await createTestDatabase(t, 'template0');
  const sql = connect(t, url);
  const root = copyProgram(t);
  const journal = readJournal(folder);
  const entries = journal.entries.slice(
    0,
    journal.entries.findIndex(({ tag }) => tag.endsWith('_folded_text')),
  );
  writeFileSync(join(root, folder, 'meta/_journal.json'), JSON.stringify({ ...journal, entries }));
  const before = (await import(join(root, 'dist/db/migrate.js'))) as { migrateDatabase: typeof migrateDatabase };
  await before.migrateDatabase(url);
  // As a database of the locale tr_TR has let them in.
  await sql`drop index users_username_key, users_email_key`;
  await sql`insert into users (username, email, password_hash) values
    ('Ivy', 'ivy@example.org', '-'), ('other', 'other@example.org', '-'), ('IVY', 'IVY@example.org', '-')`;
  await sql`create unique index users_username_key on users (username)`;
  await sql`create unique index users_email_key on users (email)`;
  for (const field of ['username', 'email'] as const) {
    const { code, stderr } = await start(process.cwd(), url, join(root, 'data'));
    t.match(stderr, new RegExp(`^The server could not start: [^\\n]+ ${field} of users [^\\n]+: 1 and 3\\n$`));
    t.notMatch(stderr, /ivy/i);
    t.equal(code, 1);
    await sql`update users set ${sql(field)} = 'ivy.2@example.org' where id = 3`;
  }
  await migrateDatabase(url);
  t.equal((await sql`select from users`).length, 3);
});

t.test('a database of another encoding than UTF8 is refused in one line', async (t) => {
  const url = await createTestDatabase(t, 'template0', `encoding 'SQL_ASCII' locale 'C'`);
  const { code, stderr } = await start(process.cwd(), url, t.testdir());
  t.match(
    stderr,
    /^The server could not start: [^\n]+ the encoding of the database is SQL_ASCII, and has to be UTF8\n$/,
  );
  t.equal(code, 1);
});

t.test(
  'a migration that fails when the database comes after the start ends the server, and the log says why',
  async (t) => {
    const proxy = await openProxy(t, await createTestDatabase(t));
    const root = makeNextVersion(t, { '9000_wrong': 'ALTER TABLE nothing ADD COLUMN x int' });
    const server = await startServerProcess(t, { DATABASE_URL: proxy.url, DATA_DIR: join(root, 'data') }, root);
    await proxy.restore();
    t.equal(await server.ended, 1);
    t.match(
      server.log.join('\n'),
      /"the database refused the migration 9000_wrong.sql, [^"]+: relation \\"nothing\\" does not exist"/,
    );
  },
);
