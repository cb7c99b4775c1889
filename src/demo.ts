/** `npm run demo`: the server with a made-up hospital in it, on a database that is empty or the demo's own. */
import { drizzle } from 'drizzle-orm/postgres-js';
import { resolve } from 'node:path';
import { styleText } from 'node:util';
import { connect } from '../db/connect.js';
import { openStore } from '../plugins/pictures/place.js';
import { readFlags } from './command-line.js';
import { ConfigError, picturePlace, readConfig, without, type Config } from './config.js';
import { checkContents, refuseOthers } from './demo/contents.js';
import { ACCOUNTS, PASSWORD } from './demo/people.js';
import { seedDemo } from './demo/seed.js';
import { calendarOf } from './scheduling/calendar.js';
import { showProgress } from './progress.js';
import { orRefuse, startServer } from './start-server.js';

const USAGE = `Starts the server with a made-up hospital in it, for this machine only. Its data is in DATA_DIR (./.data/demo), or in
the database that DATABASE_URL names, which has to be empty or the demo's own. It takes the server's environment, of
which README.md has the table, but for the ADMIN_ variables: the demo has a staff account of its own.

  npm run demo                   --help, --version
  npm run demo -- --reset        makes the data anew, with today's appointments around now
  PORT=9000 npm run demo

--reset removes what was changed in the demo and who registered there; it refuses other data, and while a server runs on it.
`;

const RULE = '-'.repeat(72);
const emphasis = (text: string): string => (process.stdout.isTTY && text !== '' ? styleText('bold', text) : text);

function readDemoConfig(): Config {
  const { HOST, DATA_DIR, LOG_LEVEL, MAX_OPEN_BOOKINGS_PER_DOCTOR, NODE_ENV } = process.env;
  if (NODE_ENV === 'production') throw new ConfigError('NODE_ENV must not be production: the demo is not for that');
  return readConfig({
    ...without(process.env, 'ADMIN_USERNAME', 'ADMIN_EMAIL', 'ADMIN_PASSWORD'),
    // Everybody knows the passwords, so other machines are kept out.
    HOST: HOST || '127.0.0.1',
    DATA_DIR: DATA_DIR || './.data/demo',
    LOG_LEVEL: LOG_LEVEL || 'warn',
    // The patient's account has more with its doctor than the default leaves room for.
    MAX_OPEN_BOOKINGS_PER_DOCTOR: MAX_OPEN_BOOKINGS_PER_DOCTOR || '20',
  });
}

/** A table for people: no terminal is needed to read it, and in one the first column stands out. */
function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_cell, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  return rows
    .map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)))
    .map(([first = '', ...others]) => `  ${emphasis(first)}   ${others.join('   ').trimEnd()}`)
    .join('\n');
}

/** @param accounts those that still have the name they were made with */
function greeting(url: string, { host, dataDir, databaseUrl, bucket }: Config, accounts: readonly string[]): string {
  const rows = ACCOUNTS.map(({ username, who }) =>
    accounts.includes(username) ? [username, PASSWORD, who] : [username, '(changed)', 'somebody changed this account'],
  );
  const folder = resolve(dataDir);
  const pictures = bucket === null ? folder : `the bucket ${bucket.name}`;
  const network = /^(localhost|127\..*|::1)$/.test(host)
    ? 'this machine only; set HOST to let others in'
    : `open on ${host}: whoever reaches it knows the passwords above`;
  return `
${RULE}
${emphasis('The demo hospital is open.')} All people and records in it are made up.

${table([
  ['Swagger UI', `${url}/docs/`],
  ['API', `${url}/`],
  ['OpenAPI', `${url}/openapi.yaml`],
])}

${table([['User name', 'Password', 'Who'], ...rows])}

${table([
  ['First calls', `curl "${url}/doctors/?limits=2"`],
  ['', `bash examples/first-visit.sh ${url}`],
  ['Data', databaseUrl === null ? folder : `in the database of DATABASE_URL, pictures in ${pictures}`],
  ['Anew', 'npm run demo -- --reset'],
  ['Network', network],
  ['Stop', 'Ctrl-C'],
])}
${RULE}
`;
}

const { reset: isReset } = readFlags(USAGE, { reset: { type: 'boolean', default: false } });
const progress = showProgress((line) => process.stdout.write(line));
await orRefuse(async () => {
  const config = readDemoConfig();
  const isOwn = config.databaseUrl === null;
  process.stdout.write('The demo: the server, with a made-up hospital in it.\n');
  progress.step(
    isOwn ? `Starting PostgreSQL in ${resolve(config.dataDir)}` : 'Looking at the database of DATABASE_URL',
  );
  await checkContents(config, { isReset });
  let accounts: readonly string[] = ACCOUNTS.map(({ username }) => username);
  const { url } = await startServer(
    config,
    async ({ database }) => {
      const store = await openStore(picturePlace(config));
      const calendar = calendarOf(config, database.timeZone(), new Date());
      // Who only reads and writes rows can not have ids begin at 1.
      const owner = connect(database.ownerUrl, { max: 1 });
      const contents = await seedDemo(drizzle(owner, { casing: 'snake_case' }), store, calendar, {
        isReset,
        report: progress.step,
      }).finally(() => owner.end({ timeout: 5 }));
      refuseOthers(contents, config);
      accounts = contents.accounts;
      progress.step('Opening the server');
    },
    ACCOUNTS.map(({ username, who }) => ({ username, password: PASSWORD, who })),
  );
  progress.end();
  process.stdout.write(greeting(url, config, accounts));
});
