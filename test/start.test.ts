/** What a start loads: each file of a library is looked for, read and compiled, whoever asks for it later or never. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { SECRET } from './helpers/app.js';
import { createTestDatabase } from './helpers/database.js';
import { dataFolder, startServerProcess } from './helpers/process.js';

/**
 * The packages of which a start loads files. All others are in bundles (build.mjs) where every server needs them, and else
 * loaded by what is set up, or asked for, with `await import`.
 */
const LOADED = [
  ...['@phc/format', 'argon2', 'buffer-crc32', 'fastest-levenshtein', 'lru-cache', 'node-gyp-build', 'otpauth'],
  ...['postgres', 'yazl'],
];

t.test('a plain start loads files of few packages', async (t) => {
  const DATA_DIR = dataFolder(t);
  const LOADED_SCRIPTS = join(DATA_DIR, 'scripts.json');
  const server = await startServerProcess(t, {
    ...{ DATABASE_URL: await createTestDatabase(t), DATA_DIR, JWT_SECRET: SECRET },
    NODE_OPTIONS: `--import=${new URL('helpers/loaded-scripts.js', import.meta.url).href}`,
    LOADED_SCRIPTS,
  });
  for (const path of ['/health/ready', '/docs/', '/metrics', '/doctors/']) {
    t.equal((await fetch(server.url + path)).status, 200, path);
  }
  server.child.kill('SIGTERM');
  await server.ended;
  const scripts = JSON.parse(readFileSync(LOADED_SCRIPTS, 'utf8')) as string[];
  // What comes before is the test runner's, which has part in every process.
  const begin = scripts.findIndex((url) => url.endsWith('/dist/src/server.js'));
  const packages = scripts.slice(begin).flatMap((url) => /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)?.[1] ?? []);
  t.strictSame([...new Set(packages)].sort(), LOADED);
});
