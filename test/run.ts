/**
 * Runs the tests, or those of the files and folders that it is given, with tap's flags: opens a PostgreSQL server for all of them (the one that DATABASE_URL names, else an embedded one),
 * with databases of the locale TEST_LOCALE, if it is given; migrates a template database for the test files to clone, runs tap, and compares the answers that the tests have
 * seen with those that the contract documents.
 */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { chmod, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { createInterface } from 'node:readline';
import postgres from 'postgres';
import { openEmbedded } from '../db/embedded/index.js';
import { migrateDatabase } from '../db/migrate.js';
import { readFlags } from '../src/command-line.js';
import { makeRecord, readRecord, storeRecord, type PassedTitles, type SeenAnswers } from './answers.js';
import { createDatabase } from './helpers/database.js';
import { databaseEndsWithUs, endsWithUs } from './helpers/reaper.js';

const USAGE = `Runs all tests, or those of the files and folders that are named, with tap's flags (--grep=word, --bail, ...), on an
embedded PostgreSQL or the one that DATABASE_URL names, in databases of the locale that TEST_LOCALE names (C).

  npm test
  npm test -- test/resources/reviews.test.ts test/db --grep=409
`;

const args = process.argv.slice(2);
if (args.some((arg) => /^--(help|version)$/.test(arg))) readFlags(USAGE, {});
const flags = args.filter((arg) => arg.startsWith('-'));
const files = args
  .filter((arg) => !arg.startsWith('-'))
  .flatMap((arg) => {
    const found = findTests(arg);
    if (found.length === 0) {
      process.stderr.write(
        `There is no test ${arg}: name files or folders of test/, and write tap's flags as --grep=word\n`,
      );
      process.exit(1);
    }
    return found;
  });

/** The built tests that a file or folder of test/ or dist/test/ stands for. */
function findTests(path: string): string[] {
  const built = join(
    'dist',
    relative('', path)
      .replace(/^dist\//, '')
      .replace(/\.ts$/, '.js'),
  );
  const isTest = (name: string) =>
    /^dist\/test\/(.+\.test|(browser|docs|faults|redis|pgbouncer|restore)\/.+)\.js$/.test(name);
  if (!existsSync(built)) return [];
  if (!statSync(built).isDirectory()) return isTest(built) ? [built] : [];
  return readdirSync(built, { recursive: true, encoding: 'utf8' })
    .map((name) => join(built, name))
    .filter((name) => name.endsWith('.test.js') && isTest(name));
}

const folder = await mkdtemp(join(tmpdir(), 'hospital-test-'));
// As root the embedded server runs as another user, who has to reach its data.
await chmod(folder, 0o755);
const external = process.env['DATABASE_URL'];
databaseEndsWithUs(join(folder, 'data'));
const embedded = external
  ? undefined
  : await openEmbedded({
      dataDir: join(folder, 'data'),
      // Nothing of a test run has to outlive it.
      settings: { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off', max_connections: '300' },
    });
const server = embedded?.url ?? external ?? '';
const prefix = `test_${randomBytes(4).toString('hex')}`;
const template = `${prefix}_template`;
const admin = postgres(server, { max: 1, onnotice: () => undefined });

function databaseUrl(name: string): string {
  const url = new URL(server);
  url.pathname = `/${name}`;
  return url.href;
}

interface Result {
  passed: number;
  failed: number;
  isGood: boolean;
  titles: PassedTitles;
}

const sourceOf = (file: string): string => file.replace(/^dist\//, '').replace(/\.js$/, '.ts');

/** Runs tap and passes on a line for each file and whatever failed. */
async function runTap(env: NodeJS.ProcessEnv): Promise<Result> {
  const child = endsWithUs(
    spawn('npx', ['tap', 'run', '--no-color', ...flags, ...files], {
      stdio: ['ignore', 'pipe', 'inherit'],
      detached: true,
      env,
    }),
    true,
  );
  const ended = new Promise<number>((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code) => resolve(code ?? 1));
  });
  const titles = new Map<string, string[]>();
  const result: Result = { passed: 0, failed: 0, isGood: false, titles };
  let isDiagnostic = false;
  // A file's line comes after those of its tests.
  let titlesOfFile: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    const text = line.trimStart();
    if (text.startsWith('not ok')) isDiagnostic = true;
    const [, file] = /^(?:not )?ok \d+ - (\S+)/.exec(line) ?? [];
    const [, title] = /^ok \d+ - (.*) # time=/.exec(text) ?? [];
    if (file !== undefined) {
      titles.set(sourceOf(file), titlesOfFile);
      titlesOfFile = [];
    } else if (title !== undefined) titlesOfFile.push(title);
    if (file !== undefined || isDiagnostic || line.startsWith('Bail out')) process.stdout.write(`${line}\n`);
    if (text === '...' || (text.startsWith('ok') && isDiagnostic)) isDiagnostic = false;
    const totals = /^# \{ total: (\d+)(?:, pass: (\d+))?(?:, fail: (\d+))?/.exec(line);
    if (totals !== null) {
      result.passed = Number(totals[2] ?? 0);
      // A test that is skipped has failed, unless a flag such as --grep left it out.
      result.failed = flags.length > 0 ? Number(totals[3] ?? 0) : Number(totals[1]) - result.passed;
    }
  }
  result.isGood = (await ended) === 0 && result.passed > 0;
  if (!result.isGood && result.failed === 0) result.failed = 1;
  return result;
}

async function readSeenAnswers(seenFolder: string): Promise<SeenAnswers> {
  const seen = new Map<string, Set<string>>();
  for (const name of await readdir(seenFolder)) {
    for (const line of (await readFile(join(seenFolder, name), 'utf8')).split('\n')) {
      const [file = '', answer = ''] = line.split('\t');
      seen.set(sourceOf(file), (seen.get(sourceOf(file)) ?? new Set()).add(answer));
    }
  }
  return seen;
}

let result: Result;
try {
  await createDatabase(admin, template, 'template0');
  const [row] = await admin<{ version: string; locale: string }[]>`
    select current_setting('server_version') as version, datctype as locale from pg_database where datname = ${template}`;
  process.stdout.write(`Node ${process.version}, PostgreSQL ${row?.version}, locale ${row?.locale}\n`);
  await migrateDatabase(databaseUrl(template));
  const seenFolder = await mkdtemp(join(folder, 'seen-'));
  const env = {
    ...process.env,
    TEST_SERVER_URL: server,
    TEST_TEMPLATE: template,
    TEST_PREFIX: prefix,
    TEST_SEEN: seenFolder,
  };
  result = await runTap(env);
  if (!result.isGood) process.stdout.write('Tests failed: the record of answers, test/answers.txt, stays as it was.\n');
  // With tap's flags a file's tests may have run in part.
  if (result.isGood && flags.length === 0) {
    const isWhole = files.length === 0;
    const { record, missing } = makeRecord(
      await readSeenAnswers(seenFolder),
      result.titles,
      isWhole ? undefined : readRecord(),
    );
    const changes = storeRecord(record);
    if (isWhole) {
      for (const answer of missing) {
        process.stdout.write(`no test whose title names it has seen this answer of the contract: ${answer}\n`);
      }
      if (missing.length === 0) {
        process.stdout.write('Every answer that the contract documents was seen by a test that names it.\n');
      }
      result.failed += missing.length + (changes.length > 0 ? 1 : 0);
    }
    if (changes.length > 0) {
      process.stdout.write(
        `test/answers.txt, the record of which test has seen which answer, has changed: commit it.\n${changes.join('\n')}\n`,
      );
    }
  }
} finally {
  const left = await admin<
    { datname: string }[]
  >`select datname from pg_database where starts_with(datname, ${prefix})`;
  for (const { datname } of left) await admin`drop database ${admin(datname)} with (force)`;
  await admin.end();
  await embedded?.stop();
  await rm(folder, { recursive: true, force: true });
}
process.stdout.write(`${result.passed} passed, ${result.failed} failed\n`);
process.exitCode = result.failed > 0 ? 1 : 0;
