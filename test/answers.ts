/**
 * The record of which test has seen which answer of the contract: a line for each documented status of each operation,
 * with a test whose title names both. `npm test` writes it, and fails where an answer has no such test; run alone, as
 * `npm run check` does, this fails where the contract documents an answer that is not in the record.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { documentedAnswers } from './helpers/operations.js';

const RECORD = new URL('../../test/answers.txt', import.meta.url);

/** An answer as operationId and status, by the file of the tests that have seen it. */
export type SeenAnswers = ReadonlyMap<string, ReadonlySet<string>>;
/** The titles of the tests that have passed, by their file. */
export type PassedTitles = ReadonlyMap<string, readonly string[]>;

/** The record as it should be, and the documented answers that no test has seen that names them in its title. */
export function makeRecord(seen: SeenAnswers, passed: PassedTitles): { record: string; missing: string[] } {
  const files = [...passed].sort(([a], [b]) => (a < b ? -1 : 1));
  const missing: string[] = [];
  const lines = documentedAnswers.map((answer) => {
    for (const [file, titles] of files) {
      if (seen.get(file)?.has(answer) !== true) continue;
      const title = titles.find((candidate) => {
        const words = new Set(candidate.split(/\W+/));
        return answer.split(' ').every((word) => words.has(word));
      });
      if (title !== undefined) return `${answer} | ${file} | ${title}`;
    }
    missing.push(answer);
    return answer;
  });
  return { record: `${lines.join('\n')}\n`, missing };
}

/** Stores the record; false where it is the stored one already. */
export function storeRecord(record: string): boolean {
  if (readFileSync(RECORD, 'utf8') === record) return false;
  writeFileSync(RECORD, record);
  return true;
}

if (process.argv[1] === import.meta.filename) {
  const recorded = new Set(
    readFileSync(RECORD, 'utf8')
      .split('\n')
      .map((line) => line.split(' | ', 1)[0]),
  );
  const missing = documentedAnswers.filter((answer) => !recorded.has(answer));
  for (const answer of missing) process.stdout.write(`No test has seen this answer of the contract: ${answer}\n`);
  process.exitCode = missing.length > 0 ? 1 : 0;
}
