/**
 * `npm run db:generate -- --name what_it_does`: writes the migration that leads from those there are to the tables. With
 * `--check` alone, as `npm run check` runs it: says whether one is missing, and writes nothing.
 */
import { generateDrizzleJson } from 'drizzle-kit/api';
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import * as tables from './tables/index.js';

const HOW = 'npm run db:generate -- --name what_it_does';

/** Names of the tables, enums and so on that are not as the newest migration's snapshot has them. */
function findDrift(): string[] {
  const folder = new URL('../../db/migrations/meta/', import.meta.url);
  const newest = readdirSync(folder)
    .filter((name) => name.endsWith('_snapshot.json'))
    .sort()
    .at(-1);
  const read = (json: string) => JSON.parse(json) as Record<string, Record<string, unknown>>;
  const before = read(readFileSync(new URL(String(newest), folder), 'utf8'));
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
  process.exitCode = spawnSync('drizzle-kit', ['generate', ...args], { stdio: 'inherit' }).status ?? 1;
}
