/**
 * TypeScript -> dist/, file by file, without type-checking (`npm run check` does that). An installation without the
 * development dependencies runs the dist/ that it came with.
 */
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const outdir = 'dist';
const folders = ['openapi', 'db', 'plugins', 'src', 'test', 'bench'];
/** What a page loads of a library that nothing else needs, so that it need not be installed where the server runs. */
const redoc = join(outdir, 'plugins/docs/redoc.standalone.js');
const list = (folder, ending) =>
  existsSync(folder)
    ? readdirSync(folder, { recursive: true })
        .filter((name) => name.endsWith(ending))
        .map((name) => join(folder, name))
    : [];

const esbuild = await import('esbuild').catch(() => undefined);
if (esbuild === undefined) {
  if (!existsSync(join(outdir, 'src/server.js'))) {
    process.stderr.write('There is no build in dist/ and no compiler to make one: run `npm ci` first.\n');
    process.exit(1);
  }
} else {
  const sources = folders.flatMap((folder) => list(folder, '.ts')).filter((name) => !name.endsWith('.d.ts'));
  const known = new Set([...sources.map((name) => join(outdir, name.replace(/\.ts$/, '.js'))), redoc]);
  for (const name of list(outdir, '.js')) if (!known.has(name)) rmSync(name);
  await esbuild.build({
    entryPoints: sources,
    outdir,
    outbase: '.',
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    sourcemap: true,
    logLevel: 'warning',
  });
  // Its one request to somebody else's server is for a picture in its foot.
  const library = readFileSync('node_modules/redoc/bundles/redoc.standalone.js', 'utf8');
  writeFileSync(redoc, library.replace('https://cdn.redoc.ly/redoc/logo-mini.svg', 'data:,'));
}
