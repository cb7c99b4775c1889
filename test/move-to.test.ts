/** The embedded database of a demo, moved to a server. */
import t, { type Test } from 'tap';
import postgres from 'postgres';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { moveDatabase } from '../db/move.js';
import { ACCOUNTS, PASSWORD } from '../src/demo/people.js';
import { createTestDatabase, openTestDatabase } from './helpers/database.js';
import { fillTables } from './helpers/fill.js';
import { dataFolder, runProgram, startDemo, startServerProcess } from './helpers/process.js';

const MOVE = 'dist/src/move-to.js';
const open = (t: Test, url: string): postgres.Sql => {
  const sql = postgres(url, { max: 1, onnotice: () => undefined });
  t.teardown(() => sql.end());
  return sql;
};

/** All rows of all tables, as text. */
async function contentsOf(sql: postgres.Sql): Promise<Record<string, string[]>> {
  const tables = await sql<{ name: string }[]>`
    select relname as name from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r' order by 1`;
  const contents: Record<string, string[]> = {};
  for (const { name } of tables) {
    const rows = await sql<{ row: string }[]>`select t::text as row from public.${sql(name)} as t order by 1`;
    contents[name] = rows.map(({ row }) => row);
  }
  return contents;
}

t.test(
  'move-to: the demo goes to a server, which goes on from there, and the old one is not used by mistake',
  async (t) => {
    const DATA_DIR = dataFolder(t);
    // One that is ended and gone: the demo's process is this test's until its teardown.
    await t.test('the demo makes its data', (t) => startDemo(t, { DATA_DIR, PORT: '0' }).then(() => undefined));
    const url = await createTestDatabase(t);
    const moved = await runProgram(MOVE, { DATA_DIR }, [url]);
    t.equal(moved.code, 0, moved.stderr);
    t.match(moved.stdout, /^[\d,]+ rows of \d+ tables were moved\. Start the server with DATABASE_URL set to it/);
    t.match(moved.stderr, /copying appointments \.\.\.[^]*comparing appointments \.\.\./);
    const sql = open(t, url);
    const [{ total } = { total: 0 }] = await sql<{ total: number }[]>`select count(*)::int as total from appointments`;
    t.ok(total > 100);
    t.strictSame([...(await sql`select nspname from pg_namespace where nspname = 'hospital_move'`)], []);

    const environment = { DATABASE_URL: url, DATA_DIR };
    const server = await startServerProcess(t, environment);
    const login = await fetch(`${server.url}/api/user/login/`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ username: ACCOUNTS[0]?.username, password: PASSWORD }),
    });
    t.equal(login.status, 200, 'accounts are there');
    const made = await fetch(`${server.url}/contacts/`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ name: 'Ada', phone: '+44 20 7946 0958', massage: 'When?' }),
    });
    t.equal(made.status, 201, `a row gets a number that none has: ${await made.text()}`);
    const audit = await runProgram('dist/src/audit-verify.js', environment);
    t.equal(audit.code, 0, audit.stderr);

    const old = await runProgram('dist/src/server.js', { DATA_DIR });
    t.equal(old.code, 1);
    t.match(
      old.stderr,
      /^the database in \S+ was moved to postgres:\/\/\S+ on \S+: set DATABASE_URL to that; to use the old one[^\n]*\n$/,
    );
    const { host, pathname } = new URL(url);
    const note = readFileSync(join(DATA_DIR, 'moved-to'), 'utf8');
    t.equal(note.split(' on ')[0], `postgres://${host}${pathname}`, 'nothing of who signs in');
    const again = await runProgram(MOVE, { DATA_DIR }, [await createTestDatabase(t)]);
    t.equal(again.code, 1, 'nor is it moved twice');
    rmSync(join(DATA_DIR, 'moved-to'));
    const wrong = await runProgram(MOVE, { DATA_DIR }, [url]);
    t.match(wrong.stderr, /the database to move to has rows already, in \w+: it has to be an empty one\n$/);
    t.notOk(existsSync(join(DATA_DIR, 'moved-to')));
  },
);

t.test('move-to refuses what it can not use with one line', async (t) => {
  const DATA_DIR = dataFolder(t);
  t.match(await runProgram(MOVE, { DATA_DIR }), { code: 2, stderr: 'It takes URL. --help tells what there is.\n' });
  t.match(await runProgram(MOVE, { DATA_DIR }, ['mysql://x']), {
    code: 1,
    stderr: 'the URL has to begin with postgres://\n',
  });
});

t.test('a move that is ended at any table goes on with the next, and loses nothing', async (t) => {
  const source = open(t, await createTestDatabase(t));
  await fillTables(source);
  const before = await contentsOf(source);
  const url = await createTestDatabase(t);
  for (let steps = 3, isDone = false; !isDone; steps += 6) {
    const target = postgres(url, { max: 1, onnotice: () => undefined });
    let left = steps;
    const step = (what: string) => {
      // As if it were killed: the connection ends in the middle of a transaction.
      if (left-- === 0) throw new Error(`ended before ${what}`);
    };
    isDone = await moveDatabase(source, target, { step }).then(
      () => true,
      (error: unknown) =>
        /^ended before/.test(String((error as Error).message)) ? false : Promise.reject(error as Error),
    );
    await target.end({ timeout: 0 });
  }
  t.strictSame(await contentsOf(open(t, url)), before);
});

t.test('a server does not begin on a database whose move is not done, and a change meanwhile is found', async (t) => {
  const { url: from } = await openTestDatabase(t);
  const source = open(t, from);
  await fillTables(source);
  const url = await createTestDatabase(t);
  const target = open(t, url);
  const step = (what: string) => {
    if (what === 'comparing users') throw new Error('ended');
  };
  await t.rejects(moveDatabase(source, target, { step }), { message: 'ended' });
  const { stderr } = await runProgram('dist/src/server.js', { DATABASE_URL: url, DATA_DIR: dataFolder(t) });
  t.match(stderr, /a database that npm run move-to is not done with: run that again\n$/);
  await source`update contacts set name = name || ' II' where id = (select min(id) from contacts)`;
  await t.rejects(moveDatabase(source, target, { step: () => undefined }), /^contacts was changed since it was copied/);
});
