/**
 * TypeScript -> dist/, file by file, without type-checking (`npm run check` does that). An installation without the
 * development dependencies runs the dist/ that it came with.
 */
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';

const outdir = 'dist';
const folders = ['openapi', 'db', 'plugins', 'src', 'test', 'bench'];
const pages = join(outdir, 'plugins/docs');
/** What a page loads of a library that nothing else needs, so that it need not be installed where the server runs. */
const redoc = join(pages, 'redoc.standalone.js');
/** Libraries of hundreds of small files, each of which the server would look for when it starts: here each is one. */
const modules = [
  '@sinclair/typebox',
  ...['', '/pg-core', '/postgres-js', '/postgres-js/migrator'].map((part) => `drizzle-orm${part}`),
];
const commonJs = [
  ...['ajv', 'ajv-formats', 'fast-json-stringify', 'fastify', 'fastify-plugin', 'pino', 'prom-client'],
  ...['accept-negotiator', 'jwt', 'multipart', 'swagger', 'swagger-ui'].map((part) => `@fastify/${part}`),
  ...['', '/store/LocalStore.js', '/store/RedisStore.js'].map((part) => `@fastify/rate-limit${part}`),
];
const bundled = [...modules, ...commonJs];
/** What they load for what is not asked of them here. */
const late = ['yaml'];
const bundles = join(outdir, 'libraries');
const bundleOf = (library) => join(bundles, `${library.replaceAll(/\W+/g, '-').replace(/^-/, '')}.js`);
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
  const options = { format: 'esm', platform: 'node', target: 'node20.19', bundle: true, logLevel: 'warning' };
  const isLate = new RegExp(`^(${late.join('|')})$`);
  await esbuild.build({
    ...options,
    entryPoints: bundled.map((library) => ({ in: library, out: basename(bundleOf(library), '.js') })),
    outdir: bundles,
    splitting: true,
    // The text stays in memory.
    minifyWhitespace: true,
    external: ['postgres'],
    banner: { js: "import { createRequire } from 'node:module';\nconst require = createRequire(import.meta.url);" },
    plugins: [
      {
        name: 'CommonJS in ES modules',
        setup(build) {
          build.onResolve({ filter: /./ }, ({ kind, path, namespace }) => {
            if (kind === 'entry-point' && commonJs.includes(path)) return { path, namespace: 'names' };
            if (isLate.test(path)) return namespace === 'late' ? { path, external: true } : { path, namespace: 'late' };
            return undefined;
          });
          // As Node does it: what `module.exports` has, under its names.
          build.onLoad({ filter: /./, namespace: 'names' }, async ({ path }) => {
            const names = Object.keys(await import(path)).filter((name) => /^(?!default$)[\w$]+$/.test(name));
            const contents = `const library = require('${path}');
              export default library;
              ${names.map((name) => `const its_${name} = library.${name};`).join('\n')}
              export { ${names.map((name) => `its_${name} as ${name}`).join(', ')} };`;
            return { contents, resolveDir: '.' };
          });
          build.onLoad({ filter: /./, namespace: 'late' }, ({ path }) => ({
            contents: `module.exports = new Proxy({}, { get: (_, name) => require('${path}')[name] });`,
            resolveDir: '.',
          }));
          // A library's other files are where they were.
          build.onLoad({ filter: /node_modules.*\.js$/ }, ({ path }) => {
            const contents = readFileSync(path, 'utf8');
            if (!/\b__dirname\b/.test(contents)) return undefined;
            const [, name, inside] = /.*node_modules\/((?:@[^/]+\/)?[^/]+)\/?(.*)$/.exec(dirname(path));
            const place = `require('node:path').join(require.resolve('${name}/package.json'), '..', '${inside}')`;
            return { contents: contents.replaceAll(/\b__dirname\b/g, place) };
          });
        },
      },
    ],
  });
  await esbuild.build({
    ...options,
    entryPoints: sources,
    outdir,
    outbase: '.',
    sourcemap: true,
    sourcesContent: false,
    plugins: [
      {
        name: 'file by file',
        setup(build) {
          build.onResolve({ filter: /./ }, ({ kind, path, importer }) => {
            if (kind === 'entry-point') return undefined;
            if (!bundled.includes(path)) return { path, external: true };
            const place = relative(join(outdir, relative('.', dirname(importer))), bundleOf(path));
            return { path: place, external: true };
          });
        },
      },
    ],
  });
  // Its one request to somebody else's server is for a picture in its foot.
  const library = readFileSync('node_modules/redoc/bundles/redoc.standalone.js', 'utf8');
  writeFileSync(redoc, library.replace('https://cdn.redoc.ly/redoc/logo-mini.svg', 'data:,'));
  // To read the contract would be half of the server's start.
  const { parse } = await import('yaml');
  const { withSamples } = await import(`./${outdir}/openapi/samples.js`);
  const contract = parse(readFileSync('openapi/openapi.yaml', 'utf8'));
  writeFileSync(join(pages, 'openapi.json'), JSON.stringify(contract));
  writeFileSync(join(pages, 'openapi-with-samples.json'), JSON.stringify(withSamples(contract)));
}
