/** What deploy/ has for whoever installs it. */
import t from 'tap';
import { cpSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SECRET } from './helpers/app.js';
import { createTestDatabase } from './helpers/database.js';
import { dataFolder, runProgram, startServerProcess } from './helpers/process.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const dockerfile = readFileSync(join(root, 'deploy/Dockerfile'), 'utf8');

t.test('the image has all that the server reads: pages, contract, answers', async (t) => {
  // tap has one folder for a test.
  const folder = t.testdir({ image: {}, data: {} });
  const image = join(folder, 'image');
  for (const [, from = '', to = ''] of dockerfile.matchAll(/^COPY --from=build \/app\/(\S+) (\S+)$/gm)) {
    mkdirSync(dirname(join(image, to)), { recursive: true });
    if (from === 'node_modules') symlinkSync(join(root, from), join(image, to));
    else cpSync(join(root, from), join(image, to), { recursive: true });
  }
  const [, command = ''] = /^CMD (\[.*\])$/m.exec(dockerfile) ?? [];
  t.strictSame(JSON.parse(command), ['node', '--enable-source-maps', 'dist/src/server.js'], 'as tests start it');
  const environment = { NODE_ENV: 'production', JWT_SECRET: SECRET, DATABASE_URL: await createTestDatabase(t) };
  const server = await startServerProcess(t, { ...environment, DATA_DIR: join(folder, 'data') }, image);
  for (const path of [
    '/doctors/',
    '/docs/',
    '/reference/',
    '/guide/',
    '/problems/',
    '/openapi.yaml',
    '/openapi-3.0.yaml',
    '/health/ready',
  ]) {
    t.equal((await fetch(server.url + path)).status, 200, path);
  }
  t.equal((await fetch(`${server.url}/agenda/`, { headers: { accept: 'text/html' } })).status, 401);
});

t.test('the image is built of what .dockerignore lets through', (t) => {
  const allowed = readFileSync(join(root, '.dockerignore'), 'utf8')
    .split('\n')
    .flatMap((line) => /^!(.*)/.exec(line)?.[1] ?? []);
  const [build = ''] = dockerfile.split(/^FROM node\S* *$/m);
  for (const [, names = ''] of build.matchAll(/^COPY (.*) \S+$/gm)) {
    for (const name of names.split(' ')) if (name !== '.') t.ok(allowed.includes(name), name);
  }
  t.notOk(allowed.some((name) => /^(\.data|\.git|test|node_modules|dist)/.test(name)));
  t.end();
});

t.test('migrate: brings an empty database up to date and ends, and finds nothing to do the next time', async (t) => {
  const environment = { DATABASE_URL: await createTestDatabase(t, 'template0'), DATA_DIR: dataFolder(t) };
  for (const time of ['first', 'second']) {
    const { code, stdout } = await runProgram('dist/src/migrate.js', environment);
    t.strictSame({ code, stdout }, { code: 0, stdout: 'The database is up to date.\n' }, time);
  }
});
