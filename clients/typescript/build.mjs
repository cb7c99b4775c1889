/**
 * The contract's form for generators -> src/generated/ -> dist/: one ES module and its types. The generator is the one that
 * `npm run sdk:check` installs in ../check.
 */
import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';

const here = import.meta.dirname;
const run = (command, args) => execFileSync(command, args, { cwd: here, stdio: ['ignore', 'ignore', 'inherit'] });

const contract = '../../openapi/generated/openapi-sdk.json';
const plugins = ['@hey-api/client-fetch', '@hey-api/typescript', '@hey-api/sdk'];
run('../check/node_modules/.bin/openapi-ts', ['-i', contract, '-o', 'src/generated', '-p', ...plugins]);
rmSync(join(here, 'dist'), { recursive: true, force: true });
await build({
  entryPoints: [join(here, 'src/index.ts')],
  outfile: join(here, 'dist/index.js'),
  bundle: true,
  format: 'esm',
  target: 'es2022',
  logLevel: 'warning',
});
run('../../node_modules/.bin/tsc', ['-p', '.']);
