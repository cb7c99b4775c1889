/**
 * The record of which test has seen which answer of the contract: a line for each documented status of each operation,
 * with a test whose title names both. `npm test` writes it, that of some files into the lines of their answers; that of all
 * fails where an answer has no such test. Run alone, as `npm run check` does, this fails where the contract documents an
 * answer that is not in the record.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { documentedAnswers } from './helpers/operations.js';

const RECORD = new URL('../../test/answers.txt', import.meta.url);

/** An answer as operationId and status, by the file of the tests that have seen it. */
export type SeenAnswers = ReadonlyMap<string, ReadonlySet<string>>;
/** The titles of the tests that have passed, by their file. */
export type PassedTitles = ReadonlyMap<string, readonly string[]>;

export interface RecordLine {
  readonly answer: string;
  readonly file: string;
  readonly title: string;
}

/** The lines of the stored record by their answers. */
export function readRecord(): Map<string, RecordLine> {
  const lines = readFileSync(RECORD, 'utf8').split('\n').filter(Boolean);
  return new Map(
    lines.map((line) => {
      const [answer = '', file = '', ...title] = line.split(' | ');
      return [answer, { answer, file, title: title.join(' | ') }];
    }),
  );
}

/** The first test that has seen the answer and names it in its title. */
function findLine(answer: string, seen: SeenAnswers, passed: PassedTitles): RecordLine | undefined {
  for (const [file, titles] of [...passed].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (seen.get(file)?.has(answer) !== true) continue;
    const title = titles.find((candidate) => {
      const words = new Set(candidate.split(/\W+/));
      return answer.split(' ').every((word) => words.has(word));
    });
    if (title !== undefined) return { answer, file, title };
  }
  return undefined;
}

/**
 * The record as it should be, and the documented answers that have no line in it.
 * @param stored where not all tests have run: the lines that stay unless a test of these has a better one
 */
export function makeRecord(
  seen: SeenAnswers,
  passed: PassedTitles,
  stored: ReadonlyMap<string, RecordLine> = new Map(),
): { record: string; missing: string[] } {
  const missing: string[] = [];
  const lines = documentedAnswers.flatMap((answer) => {
    const [old, found] = [stored.get(answer), findLine(answer, seen, passed)];
    // Of two files' tests a whole run takes that of the first, too.
    const line = found === undefined || (old !== undefined && old.file < found.file) ? old : found;
    if (line === undefined) missing.push(answer);
    return line === undefined ? [] : [`${line.answer} | ${line.file} | ${line.title}\n`];
  });
  return { record: lines.join(''), missing };
}

/** Stores the record. Returns the lines that it lost (-) and gained (+): none where it is the stored one already. */
export function storeRecord(record: string): string[] {
  const [old, made] = [readFileSync(RECORD, 'utf8'), record].map((text) => new Set(text.split('\n')));
  const lost = [...(old ?? [])].filter((line) => made?.has(line) !== true);
  const gained = [...(made ?? [])].filter((line) => old?.has(line) !== true);
  writeFileSync(RECORD, record);
  return [...lost.map((line) => `-${line}`), ...gained.map((line) => `+${line}`)];
}

if (process.argv[1] === import.meta.filename) {
  const recorded = readRecord();
  const missing = documentedAnswers.filter((answer) => !recorded.has(answer));
  const statuses = new Map<string, string[]>();
  for (const answer of missing) {
    const [operationId = '', status = ''] = answer.split(' ');
    statuses.set(operationId, [...(statuses.get(operationId) ?? []), status]);
  }
  for (const [operationId, all] of statuses) {
    process.stdout.write(`no test has seen these answers of ${operationId}: ${all.join(', ')}\n`);
  }
  if (missing.length > 0) {
    process.stdout
      .write(`Tests put what they see into the record: npm test, or those of the resource and the suites that try every operation:
npm test -- test/resources/<name>.test.ts test/access.test.ts test/conditions.test.ts test/contract.test.ts test/hostile.test.ts test/strict.test.ts\n`);
    process.exitCode = 1;
  }
}
