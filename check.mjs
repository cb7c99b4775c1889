/**
 * `npm run check`: everything about the code that can be judged without running the program, what is quick first. What
 * it remembers from one time to the next is in node_modules/.cache.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

if (process.argv.includes('--help')) {
  process.stdout.write(
    'Judges all that can be judged without running the program, and exits with 1 if a check fails.\n',
  );
  process.exit(0);
}

const digest = (folders) =>
  folders
    .flatMap((folder) => readdirSync(folder, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
    .map((name) => `${name} ${createHash('sha256').update(readFileSync(name)).digest('hex')}`)
    .join('\n');

/** `generates`: folders that have to be the same after the command as before it, untracked files included. */
const steps = [
  { name: 'build', command: 'node build.mjs' },
  {
    name: 'contract',
    command: 'redocly lint openapi/openapi.yaml openapi/generated/openapi-sdk.json openapi/generated/openapi-3.0.yaml',
  },
  {
    name: 'generated code',
    command: 'tsx openapi/generate.ts && tsx deploy/generate.ts',
    generates: ['openapi/generated', 'docs', 'deploy'],
  },
  { name: 'compatibility', command: 'tsx openapi/check-compatibility.ts' },
  { name: 'migrations', command: 'node dist/db/generate.js --check' },
  { name: 'answers', command: 'node dist/test/answers.js' },
  {
    name: 'format',
    command: 'prettier --check --log-level warn --cache --cache-strategy content .',
  },
  { name: 'types', command: 'tsc -p . --incremental --tsBuildInfoFile node_modules/.cache/types.tsbuildinfo' },
  { name: 'lint', command: 'eslint .' },
];

const env = {
  ...process.env,
  PATH: `${join(import.meta.dirname, 'node_modules/.bin')}:${process.env.PATH}`,
  REDOCLY_TELEMETRY: 'off',
  REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true',
};

/** Runs a command with its name and, in a terminal, the seconds so far on the line that its outcome completes. */
async function run({ name, command }) {
  const start = performance.now();
  const seconds = (digits) => `${((performance.now() - start) / 1000).toFixed(digits)} s`;
  process.stdout.write(name.padEnd(16));
  const ticking =
    process.stdout.isTTY && setInterval(() => process.stdout.write(`\r${name.padEnd(16)}${seconds(0)}`), 1000);
  const child = spawn(command, { shell: true, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));
  const code = await new Promise((resolve) => child.on('close', resolve));
  clearInterval(ticking);
  if (ticking) process.stdout.write(`\r${name.padEnd(16)}`);
  return { isGood: code === 0, output, took: seconds(1) };
}

let failed = 0;
for (const { generates, ...step } of steps) {
  const before = generates && digest(generates);
  const { isGood, output, took } = await run(step);
  const isDrifted = generates !== undefined && digest(generates) !== before;
  process.stdout.write(`${isGood && !isDrifted ? 'good  ' : 'FAILED'} ${took}\n`);
  if (isGood && !isDrifted) continue;
  failed++;
  process.stdout.write(output);
  if (isDrifted)
    process.stdout.write(`What is in ${generates.join(' and ')} was out of date; it is made anew now, commit it.\n`);
  // What follows would judge the build before this one.
  if (step.name === 'build') break;
}
process.exitCode = failed > 0 ? 1 : 0;
