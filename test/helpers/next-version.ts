import { cpSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';

export const migrationsFolder = 'db/migrations';

interface Journal {
  readonly entries: {
    readonly idx: number;
    readonly tag: string;
    readonly when: number;
    readonly breakpoints: boolean;
  }[];
}
export const readJournal = (path: string) =>
  JSON.parse(readFileSync(join(path, 'meta/_journal.json'), 'utf8')) as Journal;

/** A copy of the built program, with migrations of its own. */
export function copyProgram(t: Test): string {
  const root = t.testdir();
  for (const part of [
    'dist/libraries',
    'dist/openapi',
    'dist/db',
    'dist/plugins',
    'dist/src',
    'openapi',
    'plugins/docs',
    migrationsFolder,
  ]) {
    cpSync(part, join(root, part), { recursive: true });
  }
  cpSync('package.json', join(root, 'package.json'));
  symlinkSync(join(process.cwd(), 'node_modules'), join(root, 'node_modules'));
  return root;
}

/** Where the built program is with further migrations, as its next version brings them. */
export function makeNextVersion(t: Test, migrations: Readonly<Record<string, string>>): string {
  const root = copyProgram(t);
  const journal = readJournal(migrationsFolder);
  for (const [tag, text] of Object.entries(migrations)) {
    writeFileSync(join(root, migrationsFolder, `${tag}.sql`), text);
    const when = (journal.entries.at(-1)?.when ?? 0) + 1;
    journal.entries.push({ ...journal.entries[0], idx: journal.entries.length, tag, when, breakpoints: true });
  }
  writeFileSync(join(root, migrationsFolder, 'meta/_journal.json'), JSON.stringify(journal));
  return root;
}
