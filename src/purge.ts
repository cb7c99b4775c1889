/** `npm run purge`: removes what is past its time. */
import { readFlags } from './command-line.js';
import { showProgress } from './progress.js';
import { countKind, kindsOf, removeKind } from './purge/kinds.js';
import { orRefuse } from './start-server.js';
import { withDatabase } from './with-database.js';

const USAGE = `Removes for good what is past its time, and prints how much of each kind: appointments of deleted and erased patients
RETENTION_YEARS (10) after their day; deleted patients and doctors as long after, and erased ones at once, where nothing is
left that refers to them; sessions, invitations, codes, holds and stored answers that have ended.

  npm run purge -- --dry-run    prints what would be removed, and removes nothing
  npm run purge

It works in small steps: one that is stopped goes on when it is started again. The database is the one that the server uses;
the server may be running. docs/privacy.md has more.
`;

/** For people: the names and right-aligned numbers. */
function table(head: readonly [string, string], rows: readonly (readonly [string, number])[]): string {
  const lines = [head, ...rows.map(([name, total]) => [name, total.toLocaleString('en')] as const)];
  const [left, right] = [0, 1].map((column) => Math.max(...lines.map((line) => (line[column] ?? '').length)));
  return lines.map(([name, total]) => `${name.padEnd(left ?? 0)}  ${total.padStart(right ?? 0)}\n`).join('');
}

await orRefuse(async () => {
  const { 'dry-run': isDryRun } = readFlags(USAGE, { 'dry-run': { type: 'boolean', default: false } });
  await withDatabase(process.env, async ({ db, timeZone }, { retentionYears: years }) => {
    const progress = showProgress((line) => process.stderr.write(line));
    const rows: [string, number][] = [];
    try {
      for (const kind of kindsOf({ years, now: new Date(), zone: timeZone() })) {
        progress.step(kind.name);
        rows.push([kind.name, await (isDryRun ? countKind(db, kind) : removeKind(db, kind, { tell: progress.count }))]);
      }
    } finally {
      progress.end();
      if (rows.length > 0) process.stdout.write(table(['', isDryRun ? 'would be removed' : 'removed'], rows));
    }
  });
}, 'Not all was removed');
