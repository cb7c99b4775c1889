/** `npm run check`: everything about the code that can be judged without running the program. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const digest = (folder) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
    .map((name) => `${name} ${createHash('sha256').update(readFileSync(name)).digest('hex')}`)
    .join('\n');

/** `generates`: a folder that has to be the same after the command as before it, untracked files included. */
const steps = [
  { name: 'contract', command: 'redocly lint openapi/openapi.yaml' },
  { name: 'generated code', command: 'tsx openapi/generate.ts', generates: 'openapi/generated' },
  { name: 'migrations', command: 'node build.mjs && drizzle-kit generate', generates: 'db/migrations' },
  { name: 'answers', command: 'node build.mjs && node dist/test/answers.js' },
  { name: 'format', command: 'prettier --check --log-level warn .' },
  { name: 'types', command: 'tsc -p .' },
  { name: 'lint', command: 'eslint .' },
];

const env = {
  ...process.env,
  PATH: `${join(import.meta.dirname, 'node_modules/.bin')}:${process.env.PATH}`,
  REDOCLY_TELEMETRY: 'off',
  REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true',
};
let failed = 0;
for (const { name, command, generates } of steps) {
  const before = generates && digest(generates);
  const { status, stdout, stderr } = spawnSync(command, { shell: true, encoding: 'utf8', env });
  const isDrifted = generates !== undefined && digest(generates) !== before;
  const isGood = status === 0 && !isDrifted;
  process.stdout.write(`${isGood ? 'good  ' : 'FAILED'} ${name}\n`);
  if (isGood) continue;
  failed++;
  process.stdout.write(stdout + stderr);
  if (isDrifted) process.stdout.write(`${generates} was out of date; it is made anew now, commit it.\n`);
}
process.exitCode = failed > 0 ? 1 : 0;
