/**
 * `npm run new -- lab-results`: a resource of staff's that has only a name, from the templates of
 * examples/new-resource: the contract's block, table, service, routes, access rows and a test that is red until it is
 * filled in. The second argument is the singular, where that is not the plural without its `s`.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

const stop = (line) => {
  process.stderr.write(`${line}\n`);
  process.exit(1);
};
const USAGE = `Writes a resource that has only a name, with all that belongs to it.

  npm run new -- lab-results
  npm run new -- series one-series     with the singular, where it is not the plural without its s
`;
if (process.argv.includes('--help')) {
  process.stdout.write(USAGE);
  process.exit(0);
}
const isName = (name) => /^[a-z]+(-[a-z]+)*$/.test(name);

const [plural = '', singular = plural.replace(/ies$/, 'y').replace(/(?<=s|x|z|ch|sh)es$|s$/, '')] =
  process.argv.slice(2);
if (!isName(plural) || !isName(singular)) stop('Name the resource as its URL has it: npm run new -- lab-results');
if (plural === singular) stop(`Name the singular too: npm run new -- ${plural} <singular>`);
if (existsSync(`src/resources/${plural}`)) stop(`src/resources/${plural} is there already.`);

const camel = (name) => name.replaceAll(/-(.)/g, (_dash, letter) => letter.toUpperCase());
const pascal = (name) => camel(`-${name}`);
const words = {
  plural,
  word: singular.replaceAll('-', ' '),
  words: plural.replaceAll('-', ' '),
  table: plural.replaceAll('-', '_'),
  singular: camel(singular),
  plurals: camel(plural),
  Singular: pascal(singular),
  Plural: pascal(plural),
};
const template = (name) =>
  readFileSync(`examples/new-resource/${name}`, 'utf8').replaceAll(/\{\{(\w+)\}\}/g, (_all, word) => words[word]);

const changed = [];
function write(file, text) {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  changed.push(file);
}
/** Puts a text before the first place that is `anchor`. */
function insert(file, anchor, text) {
  const before = readFileSync(file, 'utf8');
  const at = before.search(anchor);
  if (at < 0) stop(`${file} has no place for it: ${anchor}`);
  write(file, before.slice(0, at) + text + before.slice(at));
}

insert('openapi/openapi.yaml', /^ {2}- name: files$/m, template('tag.yaml'));
insert('openapi/openapi.yaml', /^ {2}\/pictures\//m, template('paths.yaml'));
write('openapi/openapi.yaml', readFileSync('openapi/openapi.yaml', 'utf8') + template('schemas.yaml'));
write(`db/tables/${plural}.ts`, template('table.ts.txt'));
write('db/tables/index.ts', `${readFileSync('db/tables/index.ts', 'utf8')}export * from './${plural}.js';\n`);
write(`src/resources/${plural}/service.ts`, template('service.ts.txt'));
write(`src/resources/${plural}/index.ts`, template('index.ts.txt'));
insert('src/resources/index.ts', /^import users /m, `import ${words.plurals} from './${plural}/index.js';\n`);
insert('src/resources/index.ts', /^\];$/m, `  ${words.plurals},\n`);
insert('test/helpers/clinic.ts', /^ {2}getPicture: /m, template('access.ts.txt'));
insert('test/helpers/clinic.ts', /^ {2}ids\['picture'\]/m, template('clinic.ts.txt'));
write(`test/resources/${plural}.test.ts`, template('test.ts.txt'));

const run = (...command) => execFileSync(process.execPath, command, { stdio: ['ignore', 'ignore', 'inherit'] });
run('node_modules/tsx/dist/cli.mjs', 'openapi/generate.ts');
const sources = [...new Set(changed)].filter((file) => file.endsWith('.ts'));
run('node_modules/prettier/bin/prettier.cjs', '--write', ...sources);

process.stdout.write(`${[...new Set(changed)].join('\n')}

Next, in this order:
  1. openapi/openapi.yaml: its fields, examples, who may do what (security) and each answer; then npm run generate
  2. db/tables/${plural}.ts: its columns and indexes; then npm run db:generate -- --name ${words.table}
  3. src/resources/${plural}/service.ts: its rules. The compiler names each field that is still left out
  4. test/helpers/clinic.ts: what each kind of caller gets, and the bodies that are sent, in the rows of ${words.plurals}
  5. test/resources/${plural}.test.ts: a test for each rule; then it and the suites that try every operation:
     npm test -- test/resources/${plural}.test.ts test/access.test.ts test/conditions.test.ts test/contract.test.ts test/hostile.test.ts test/strict.test.ts
  6. src/demo/: some of them for the demo, and a look at them in test/src/demo.test.ts
  7. npm run format; npm run check; npm test
`);
