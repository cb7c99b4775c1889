/**
 * `npm run sdk:check`: makes clients by the generators that teams use, from the files that a demo serves, compiles them,
 * and has each tell the whole story to that demo. It prints a line for each, and whatever failed.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { readFlags } from '../../src/command-line.js';
import { CLIENTS, type Client } from './clients.js';

readFlags(
  `Makes clients by the generators that teams use, Java and Python where they are installed, compiles them, and has each
tell a whole story to a demo. The first run installs the generators.

  npm run sdk:check
`,
  {},
);

const here = import.meta.dirname;
const root = join(here, '../..');
const generated = join(here, 'generated');
const PATH = `${join(here, 'node_modules/.bin')}:${process.env['PATH'] ?? ''}`;

/** Runs a command of the shell here and gives what it printed. */
async function run(command: string): Promise<string> {
  const child = spawn(command, {
    cwd: here,
    shell: true,
    env: { ...process.env, PATH, DO_NOT_TRACK: '1' },
    timeout: 240_000,
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const code = await new Promise((resolve) => child.on('close', resolve));
  if (code !== 0) throw new Error(`${command}\n${output.trim().split('\n').slice(-30).join('\n')}`);
  return output;
}

/** The generators as the lock file has them. */
async function install(): Promise<void> {
  const digest = createHash('sha256')
    .update(await readFile(join(here, 'package-lock.json')))
    .digest('hex');
  const stamp = join(here, 'node_modules/.installed');
  if (existsSync(stamp) && (await readFile(stamp, 'utf8')) === digest) return;
  process.stdout.write('npm ci of the generators\n');
  await run('npm ci');
  await writeFile(stamp, digest);
}

interface Demo {
  readonly url: string;
  stop(): Promise<void>;
}

/** A demo with data of its own, whose limits by the minute are out of the way of many clients at one address. */
async function startDemo(): Promise<Demo> {
  const dataDir = await mkdtemp(join(tmpdir(), 'hospital-clients-'));
  // As root the embedded server runs as another user, who has to reach its data.
  await chmod(dataDir, 0o755);
  const limits = { RATE_LIMIT_ANON: '100000', RATE_LIMIT_USER: '100000', RATE_LIMIT_AUTH: '10000' };
  const child = spawn(process.execPath, ['--enable-source-maps', 'dist/src/demo.js'], {
    cwd: root,
    env: { ...process.env, ...limits, HOST: '127.0.0.1', PORT: '0', DATA_DIR: dataDir },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise((resolve) => child.on('exit', resolve));
  const stop = async () => {
    child.kill('SIGTERM');
    await ended;
    await rm(dataDir, { recursive: true, force: true });
  };
  for await (const line of createInterface({ input: child.stdout })) {
    const url = /Swagger UI\s+(http:\S+)\/docs\//.exec(line)?.[1];
    if (url === undefined) continue;
    child.stdout.resume();
    return { url, stop };
  }
  await stop();
  throw new Error('the demo has ended');
}

async function fetchContracts(url: string): Promise<void> {
  await rm(generated, { recursive: true, force: true });
  await mkdir(generated);
  for (const name of ['openapi.json', 'openapi-sdk.json', 'openapi-3.0.yaml']) {
    const answer = await fetch(`${url}/${name}`);
    if (!answer.ok) throw new Error(`/${name} is answered ${answer.status}`);
    await writeFile(join(generated, name), await answer.text());
  }
}

interface Row {
  readonly client: Client;
  readonly version: string;
  generated: string;
  compiled: string;
  ran: string;
  steps: number;
  isLeftOut: boolean;
  failure: Error | undefined;
}

async function newRow(client: Client): Promise<Row> {
  const file = join(here, 'node_modules', client.package, 'package.json');
  const { version } = JSON.parse(await readFile(file, 'utf8')) as { version: string };
  return { client, version, generated: '-', compiled: '-', ran: '-', steps: 0, isLeftOut: false, failure: undefined };
}

/** Does one of a row's stages, unless one before it has failed, and notes how long it took. */
async function stage(row: Row, name: 'generated' | 'compiled' | 'ran', act: () => Promise<unknown>): Promise<void> {
  if (row.isLeftOut || row.failure !== undefined) return;
  const start = performance.now();
  try {
    await act();
    row[name] = `${((performance.now() - start) / 1000).toFixed(1)} s`;
  } catch (error) {
    row[name] = 'FAILED';
    row.failure = error instanceof Error ? error : new Error(String(error));
  }
}

async function prepare(row: Row): Promise<void> {
  const { name, generate, compile, needs } = row.client;
  await mkdir(join(generated, name));
  if (needs !== undefined && !process.env['CI']) {
    row.isLeftOut = await run(needs).then(
      () => false,
      () => true,
    );
    if (row.isLeftOut) row.ran = 'left out: what it needs is not installed';
  }
  await stage(row, 'generated', () => run(generate));
  if (compile !== undefined) await stage(row, 'compiled', () => run(compile));
}

await install();
const demo = await startDemo();
const rows: Row[] = [];
try {
  await fetchContracts(demo.url);
  rows.push(...(await Promise.all(CLIENTS.map(newRow))));
  const waiting = [...rows];
  const worker = async () => {
    for (let row = waiting.shift(); row !== undefined; row = waiting.shift()) await prepare(row);
  };
  await Promise.all([worker(), worker()]);
  for (const row of rows) {
    await stage(row, 'ran', async () => {
      row.steps = await row.client.tell(demo.url, run);
      if (row.steps === 0) throw new Error('no step was run');
    });
  }
} finally {
  await demo.stop();
}

const line = (...cells: readonly string[]): void => {
  const [name = '', ...rest] = cells;
  process.stdout.write(`${name.padEnd(28)}${rest.map((cell) => cell.padEnd(11)).join('')}\n`.replace(/ +\n/, '\n'));
};
line('client', 'version', 'generated', 'compiled', 'ran', 'steps');
for (const { client, version, steps, ...row } of rows) {
  line(client.name, version, row.generated, row.compiled, row.ran, String(steps));
}
for (const { client, failure } of rows) {
  if (failure !== undefined) process.stdout.write(`\nFAILED ${client.name}: ${failure.message}\n`);
}
const failed = rows.filter(({ failure }) => failure !== undefined).length;
process.stdout.write(`\n${rows.reduce((sum, { steps }) => sum + steps, 0)} passed, ${failed} failed\n`);
process.exitCode = failed > 0 ? 1 : 0;
