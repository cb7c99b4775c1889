/**
 * The `sh` blocks of the pages, from top to bottom, each page's in one shell and against a demo of its own. Not part of
 * `npm test`: some need the client programs of PostgreSQL, and of the major version of the server.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { createTestDatabase } from '../helpers/database.js';
import { dataFolder, startDemo } from '../helpers/process.js';
import { endsWithUs } from '../helpers/reaper.js';

const root = new URL('../../../', import.meta.url);
const PAGES = [
  'README.md',
  'CONTRIBUTING.md',
  ...readdirSync(new URL('docs', root))
    .filter((name) => name.endsWith('.md'))
    .sort()
    .map((name) => `docs/${name}`),
];
const ci = readFileSync(new URL('.ci/run', root), 'utf8');

interface Block {
  /** Where it begins. */
  readonly line: number;
  readonly marks: readonly string[];
  readonly text: string;
}

function blocksOf(page: string): Block[] {
  const text = readFileSync(new URL(page, root), 'utf8');
  return [...text.matchAll(/^( *)```sh\b(.*)\n([^]*?)\n\1```$/gm)].map(
    ({ 1: indent = '', 2: marks = '', 3: body = '', index }) => ({
      line: text.slice(0, index).split('\n').length,
      marks: marks.trim().split(/ +/).filter(Boolean),
      text: body.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
    }),
  );
}

/** Tells of each answer's status beside what curl is asked for. */
const PRELUDE = `set -eo pipefail
curl() { command curl -sS --max-time 30 -w '%{stderr}@status %{http_code}\\n' "$@"; }
`;

/** What came of each block that was run: the statuses of its answers, or how the shell ended in it. */
async function run(blocks: readonly Block[], cwd: string | URL, environment: Readonly<Record<string, string>>) {
  const script = blocks.map(({ line, text }) => `echo '@block ${line}' >&2\n${text}\n`).join('');
  const child = endsWithUs(spawn('bash', ['-c', PRELUDE + script], { cwd, env: { ...process.env, ...environment } }));
  let said = '';
  let errors = '';
  child.stdout.on('data', (bytes: Buffer) => (said += bytes.toString()));
  child.stderr.on('data', (bytes: Buffer) => (errors += bytes.toString()));
  child.stdin.end();
  const [code] = (await once(child, 'close')) as [number | null];
  const outcomes = new Map<number, { statuses: string[]; ended: boolean }>();
  let current = { statuses: [] as string[], ended: false };
  for (const [, word, value = ''] of errors.matchAll(/^@(block|status) (\d+)$/gm)) {
    if (word === 'status') current.statuses.push(value);
    else outcomes.set(Number(value), (current = { statuses: [], ended: false }));
  }
  current.ended = code !== 0;
  return { outcomes, trace: `${said.slice(-800)}\n${errors.slice(-800)}` };
}

async function tryPage(t: Test, page: string): Promise<void> {
  const blocks = blocksOf(page);
  for (const { line, marks, text } of blocks.filter(({ marks }) => marks.includes('by-ci'))) {
    t.strictSame(
      text.split('\n').filter((command) => !ci.includes(command)),
      [],
      `${page}:${line} is in .ci/run`,
    );
    t.equal(marks.length, 1);
  }
  const tried = blocks.filter(({ marks }) => !marks.includes('by-ci') && !marks.includes('not-run'));
  const isLast = ({ marks }: Block): boolean => marks.includes('last');
  const runnable = [...tried.filter((block) => !isLast(block)), ...tried.filter(isLast).reverse()];
  if (runnable.length === 0) return;
  const DATABASE_URL = await createTestDatabase(t);
  const DATA_DIR = dataFolder(t);
  const { url } = await startDemo(t, { DATABASE_URL, DATA_DIR });
  const { hostname, port, username, password } = new URL(DATABASE_URL);
  const { outcomes, trace } = await run(
    runnable.map((block) => ({ ...block, text: block.text.replaceAll('http://localhost:8000', url) })),
    // The pages of docs/ are for people who need not have a clone, and write files.
    page.startsWith('docs/') ? DATA_DIR : root,
    {
      ...{ DATABASE_URL, DATA_DIR },
      ...{
        PGHOST: hostname,
        PGPORT: port,
        PGUSER: decodeURIComponent(username),
        PGPASSWORD: decodeURIComponent(password),
      },
    },
  );
  for (const { line, marks } of runnable) {
    const expected = marks.filter((mark) => /^\d{3}$/.test(mark));
    const { statuses = [], ended = true } = outcomes.get(line) ?? {};
    t.notOk(ended, `${page}:${line} runs to its end\n${ended ? trace : ''}`);
    const refused = statuses.filter((status) => status >= '400');
    t.strictSame(refused, expected, `${page}:${line} is answered as it says`);
  }
}

for (const page of PAGES) t.test(page, (t) => tryPage(t, page));
