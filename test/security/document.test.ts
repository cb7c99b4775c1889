import { readFileSync } from 'node:fs';
import t from 'tap';

const read = (path: string): string => readFileSync(path, 'utf8');

t.test('every row of docs/security.md has its test, and every test its row', (t) => {
  const rows = [...read('docs/security.md').matchAll(/^\| ((?:API|V)\d+) /gm)].map(([, id]) => id);
  const tests = ['owasp', 'asvs'].flatMap((name) =>
    [...read(`test/security/${name}.test.ts`).matchAll(/^ *(?:t\.test\(\s*)?'((?:API|V)\d+) /gm)].map(([, id]) => id),
  );
  t.ok(rows.length > 20);
  t.strictSame([...new Set(tests)].sort(), rows.sort());
  t.end();
});

t.test('every file that docs/security.md names is there', (t) => {
  const names = [...read('docs/security.md').matchAll(/`((?:src|plugins|test|db|openapi)\/[\w./-]+)`/g)].map(
    ([, name]) => name,
  );
  for (const name of names) {
    try {
      t.ok(readFileSync(name as string) !== undefined);
    } catch (error) {
      t.equal((error as { code?: string }).code, 'EISDIR', `${name}`);
    }
  }
  t.ok(names.length > 10);
  t.end();
});
