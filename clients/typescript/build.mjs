/**
 * The contract's form for generators -> src/generated/ -> dist/: one ES module and its types. The generator is that of
 * ../check, and is installed there if it is not yet.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';

const here = import.meta.dirname;
const run = (command, args) => execFileSync(command, args, { cwd: here, stdio: ['ignore', 'ignore', 'inherit'] });

const contract = '../../openapi/generated/openapi-sdk.json';
const plugins = ['@hey-api/client-fetch', '@hey-api/typescript', '@hey-api/sdk'];
const generator = '../check/node_modules/.bin/openapi-ts';
if (!existsSync(join(here, generator))) run('npm', ['ci', '--prefix', '../check']);
run(generator, ['-i', contract, '-o', 'src/generated', '-p', ...plugins]);
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
