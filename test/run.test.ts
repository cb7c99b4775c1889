/** What `npm test` does with its arguments and with the record of answers. */
import t from 'tap';
import { makeRecord, type RecordLine } from './answers.js';
import { documentedAnswers } from './helpers/operations.js';
import { runProgram } from './helpers/process.js';

t.test('a name that is no test gets one line that says so', async (t) => {
  for (const name of ['test/resources/nothing.test.ts', 'test/nothing', 'test/helpers/app.ts', 'src/app.ts', 'dist']) {
    const { code, stderr, stdout } = await runProgram('dist/test/run.js', {}, ['test/lib', name]);
    t.equal(code, 1);
    t.match(stderr, new RegExp(`^There is no test ${name}: [^\\n]+\\n$`));
    t.equal(stdout, '');
  }
});

t.test('the record of answers', async (t) => {
  const [first = '', second = '', third = ''] = documentedAnswers;
  const seen = new Map([
    ['test/b.test.ts', new Set([first, second])],
    ['test/c.test.ts', new Set([first])],
  ]);
  const passed = new Map([
    ['test/c.test.ts', [`${first} in c`]],
    ['test/b.test.ts', ['another', `${first} in b`, `${third} in b`, second.split(' ')[1] ?? '']],
  ]);

  t.test('of a whole run has what was seen by a test that names it, and nothing else', async (t) => {
    const { record, missing } = makeRecord(seen, passed);
    t.equal(record, `${first} | test/b.test.ts | ${first} in b\n`);
    t.strictSame(missing, documentedAnswers.slice(1));
  });

  t.test('of a part keeps the lines of the other files and renews its own', async (t) => {
    const stored = (...lines: [string, string, string][]) =>
      new Map<string, RecordLine>(lines.map(([answer, file, title]) => [answer, { answer, file, title }]));
    const kept: [string, string, string][] = [
      [second, 'test/z.test.ts', 'kept'],
      [third, 'test/b.test.ts', 'kept, too'],
      ['noSuchOperation 200', 'test/z.test.ts', 'gone'],
    ];
    const rest = `${second} | test/z.test.ts | kept\n${third} | test/b.test.ts | kept, too\n`;
    const recordOn = (file: string, title = 'as it was') =>
      makeRecord(seen, passed, stored([first, file, title], ...kept)).record;
    t.equal(recordOn('test/b.test.ts'), `${first} | test/b.test.ts | ${first} in b\n${rest}`);
    t.equal(recordOn('test/c.test.ts'), `${first} | test/b.test.ts | ${first} in b\n${rest}`, 'the first file has it');
    t.equal(recordOn('test/a.test.ts'), `${first} | test/a.test.ts | as it was\n${rest}`);
    t.equal(makeRecord(seen, passed, stored(...kept)).record, `${first} | test/b.test.ts | ${first} in b\n${rest}`);
  });
});
