/** What the commands say to people. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import t from 'tap';
import { PASSWORD } from '../helpers/app.js';
import { createTestDatabase } from '../helpers/database.js';
import { dataFolder, runProgram } from '../helpers/process.js';
import { endsWithUs } from '../helpers/reaper.js';

const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

for (const file of [
  'dist/src/server.js',
  'dist/src/admin.js',
  'dist/src/demo.js',
  'dist/src/purge.js',
  'dist/bench/run.js',
  'dist/bench/make-data.js',
  'dist/bench/growth.js',
  'dist/bench/start.js',
  'dist/bench/soak.js',
  'dist/bench/load.js',
  'dist/test/run.js',
]) {
  t.test(`${file} --help, --version`, async (t) => {
    // Without an environment that it could start in.
    const environment = { PORT: 'none' };
    const help = await runProgram(file, environment, ['--help']);
    t.match(help, { code: 0, stderr: '', stdout: /^[A-Z][^]*npm (run )?\w+/ });
    t.strictSame(await runProgram(file, environment, ['--version']), { code: 0, stderr: '', stdout: `${version}\n` });
    if (file === 'dist/test/run.js') return;
    const unknown = await runProgram(file, environment, ['--frobnicate']);
    t.match(unknown, {
      code: 2,
      stdout: '',
      stderr: /^Unknown option '--frobnicate'\. --help tells what there is\.\n$/,
    });
  });
}

t.test('npm run admin needs no JWT_SECRET, also in production', async (t) => {
  const environment = { NODE_ENV: 'production', DATABASE_URL: await createTestDatabase(t), DATA_DIR: dataFolder(t) };
  const args = ['--username', 'chief', '--email', 'chief@example.com'];
  const made = await runProgram('dist/src/admin.js', environment, args, `${PASSWORD}\n`);
  t.match(made, { code: 0, stdout: 'Made the staff user chief.\n' });
});

t.test('npm run admin says in one line what is missing, and that nothing was done', async (t) => {
  const url = new URL(await createTestDatabase(t));
  url.pathname = '/absent';
  const environment = { DATABASE_URL: url.href, DATA_DIR: dataFolder(t) };
  for (const [args, stderr] of [
    [[], /^--username is missing\. --help tells what there is\.\n$/],
    [['--username', 'chief'], /^--email is missing, or --promote for a user that exists\. --help .*\n$/],
    [['--username', 'chief', '--promote'], /^Nothing was changed: database "absent" does not exist\n$/],
  ] as const) {
    t.match(await runProgram('dist/src/admin.js', environment, args), { code: 1, stdout: '', stderr });
  }
});

/** What a server shows in a terminal until it is ready, has answered once and has ended. */
async function watchTerminal(environment: Readonly<Record<string, string>>): Promise<string> {
  const child = endsWithUs(
    spawn('script', ['-qec', `${process.execPath} dist/src/server.js`, '/dev/null'], {
      env: { PATH: process.env['PATH'], HOST: '127.0.0.1', PORT: '0', ...environment },
    }),
  );
  let shown = '';
  child.stdout.setEncoding('utf8');
  const until = async (words: RegExp): Promise<RegExpExecArray> => {
    for (let found = words.exec(shown); ; found = words.exec(shown)) {
      if (found !== null) return found;
      shown += String((await once(child.stdout, 'data'))[0]);
    }
  };
  const [, url = ''] = await until(/Try it at (http:\/\/localhost:\d+)\/docs\/\r\n/);
  await fetch(`${url}/nothing/?search=ada`);
  await until(/\/nothing\//);
  child.stdin.write('\u0003');
  child.stdout.on('data', (text: string) => (shown += text));
  await once(child, 'close');
  return shown;
}

t.test('in a terminal npm start says where to try it and how to make staff', async (t) => {
  const DATABASE_URL = await createTestDatabase(t);
  const DATA_DIR = dataFolder(t);
  // The log, which comes a moment later where it is for programs, may stand before or after it.
  const people =
    /(?:^|\n)Try it at .*\r\nMake somebody staff with: npm run admin -- --username NAME --email ADDRESS\r\n/;
  const readable = await watchTerminal({ DATABASE_URL, DATA_DIR });
  t.match(readable, people);
  t.match(readable, /\[\d\d:\d\d:\d\d\].*GET \/nothing\/ 404 in [\d.]+ ms \(not-found\)/);
  t.notMatch(readable, /"level"|ada/);
  const environment = {
    NODE_ENV: 'production',
    JWT_SECRET: 'of thirty-two bytes at the least',
    DATABASE_URL,
    DATA_DIR,
  };
  const inProduction = await watchTerminal(environment);
  t.match(inProduction, people);
  t.match(inProduction, /"level":30.*"path":"\/nothing\/"/);
});
