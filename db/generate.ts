/**
 * `npm run db:generate -- --name what_it_does`: writes the migration that leads from those there are to the tables. With
 * `--check` alone, as `npm run check` runs it: says whether one is missing, and writes nothing.
 */
import { generateDrizzleJson } from 'drizzle-kit/api';
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import * as tables from './tables/index.js';

const HOW = 'npm run db:generate -- --name what_it_does';

const folder = new URL('../../db/migrations/', import.meta.url);

/** The newest file of the migrations whose name ends so. */
const newest = (place: string, ending: string): URL => {
  const names = readdirSync(new URL(place, folder)).filter((name) => name.endsWith(ending));
  return new URL(`${place}${names.sort().at(-1)}`, folder);
};

/** Counting versions up takes a trigger, of which drizzle-kit knows nothing. */
function addVersionTriggers(): void {
  const file = newest('./', '.sql');
  const sql = readFileSync(file, 'utf8');
  const statements = sql.split('--> statement-breakpoint').filter((statement) => /"version" integer/.test(statement));
  const tables = statements.map((statement) => /TABLE "(\w+)"/.exec(statement)?.[1]);
  const triggers = tables.map(
    (table) =>
      `--> statement-breakpoint\nCREATE TRIGGER count_version BEFORE UPDATE ON "${table}" FOR EACH ROW EXECUTE FUNCTION count_version();`,
  );
  if (triggers.length > 0) writeFileSync(file, `${sql.trimEnd()}${triggers.join('\n')}\n`);
}

/** What to think of before a migration that adds columns to tables with rows is committed. */
function adviseOnColumns(): void {
  const file = newest('./', '.sql');
  const added = readFileSync(file, 'utf8').matchAll(/^ALTER TABLE "(\w+)" ADD COLUMN "(\w+)"(.*)$/gm);
  for (const [, table, column, type = ''] of added) {
    if (column === 'version' || !type.includes('NOT NULL') || type.includes('GENERATED')) continue;
    process.stdout.write(
      type.includes('DEFAULT')
        ? `${table}.${column}: rows that are there show its default under the ETag they had; an UPDATE of them in the migration gives them a new one.\n`
        : `${table}.${column} is required, and a table with rows refuses it: in the migration, add it without NOT NULL, UPDATE the rows, then ALTER COLUMN "${column}" SET NOT NULL. Try it with npm test -- test/db/migrations.test.ts\n`,
    );
  }
}

/** Names of the tables, enums and so on that are not as the newest migration's snapshot has them. */
function findDrift(): string[] {
  const read = (json: string) => JSON.parse(json) as Record<string, Record<string, unknown>>;
  const before = read(readFileSync(newest('meta/', '_snapshot.json'), 'utf8'));
  const after = read(JSON.stringify(generateDrizzleJson(tables, undefined, undefined, 'snake_case')));
  return Object.keys(after)
    .filter((kind) => !['id', 'prevId'].includes(kind))
    .flatMap((kind) =>
      Object.keys({ ...before[kind], ...after[kind] }).filter(
        (name) => !isDeepStrictEqual(before[kind]?.[name], after[kind]?.[name]),
      ),
    );
}

/** Without a name drizzle-kit would make one up, by which nobody finds the migration again. */
function refusal(args: readonly string[]): string | undefined {
  const at = args.findIndex((arg) => /^--name(=|$)/.test(arg));
  const name = args[at]?.split('=')[1] ?? args[at + 1];
  if (at < 0) return `A migration needs a name: ${HOW}`;
  return /^[a-z0-9_]+$/.test(name ?? '') ? undefined : `A migration's name is a word of a-z, 0-9 and _: ${HOW}`;
}

const args = process.argv.slice(2);
if (args.includes('--help')) {
  process.stdout.write(`Writes the migration that leads from those there are to db/tables: ${HOW}\n`);
  process.exit();
}
const fault =
  args[0] !== '--check'
    ? refusal(args)
    : findDrift().length > 0
      ? `db/tables and db/migrations differ in ${findDrift().join(', ')}: run ${HOW}`
      : undefined;
if (fault !== undefined) {
  process.stdout.write(`${fault}\n`);
  process.exitCode = 1;
} else if (args[0] !== '--check') {
  const before = newest('./', '.sql').href;
  process.exitCode = spawnSync('drizzle-kit', ['generate', ...args], { stdio: 'inherit' }).status ?? 1;
  if (newest('./', '.sql').href !== before) {
    adviseOnColumns();
    addVersionTriggers();
  }
}
