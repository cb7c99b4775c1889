/**
 * `npm run demo`: the server with a made-up hospital in it, on a database that is empty or the demo's own.
 * It takes the server's environment but for the `ADMIN_` variables: the demo has a staff account of its own.
 */
import { join, resolve } from 'node:path';
import { openFolder } from '../plugins/pictures/store.js';
import { ConfigError, readConfig, type Config } from './config.js';
import { ACCOUNTS, PASSWORD } from './demo/people.js';
import { seedDemo } from './demo/seed.js';
import { checkUsers, refuseOthers } from './demo/users.js';
import { calendarOf } from './scheduling/calendar.js';
import { orRefuse, startServer } from './start-server.js';

function readDemoConfig(): Config {
  const { HOST, DATA_DIR, LOG_LEVEL, NODE_ENV } = process.env;
  if (NODE_ENV === 'production') throw new ConfigError('NODE_ENV must not be production: the demo is not for that');
  return readConfig({
    ...process.env,
    // Everybody knows the passwords, so other machines are kept out.
    HOST: HOST || '127.0.0.1',
    DATA_DIR: DATA_DIR || './.data/demo',
    LOG_LEVEL: LOG_LEVEL || 'warn',
    ...{ ADMIN_USERNAME: '', ADMIN_EMAIL: '', ADMIN_PASSWORD: '' },
  });
}

/** @param accounts those that still have the name they were made with */
function greeting(url: string, { host, dataDir, databaseUrl }: Config, accounts: readonly string[]): string {
  const rows = ACCOUNTS.map(({ username, who }) =>
    accounts.includes(username) ? [username, PASSWORD, who] : [username, '(changed)', 'somebody changed this account'],
  );
  const [header, ...table] = [['User name', 'Password', 'Who'], ...rows].map(
    ([name = '', password = '', who = '']) => `  ${name.padEnd(11)}  ${password.padEnd(15)}  ${who}`,
  );
  const folder = resolve(dataDir);
  const data = databaseUrl === null ? folder : `in the database of DATABASE_URL, pictures in ${folder}`;
  const network = /^(localhost|127\..*|::1)$/.test(host)
    ? 'this machine only; set HOST to let others in'
    : `open on ${host}: whoever reaches it knows the passwords above`;
  const credentials = `"{\\"username\\": \\"patient\\", \\"password\\": \\"${PASSWORD}\\"}"`;
  return `
The demo hospital is open. All people and records in it are made up.

  Swagger UI   ${url}/docs/

${header}
${table.join('\n')}

  First calls  curl "${url}/doctors/?limits=2"
               curl -H "Content-Type: application/json" -d ${credentials} ${url}/api/user/login/
               bash examples/first-visit.sh ${url}

  Data         ${data}
  Network      ${network}
  Stop         Ctrl-C

`;
}

await orRefuse(async () => {
  const config = readDemoConfig();
  await checkUsers(config);
  let accounts: readonly string[] = ACCOUNTS.map(({ username }) => username);
  const { url } = await startServer(
    config,
    async ({ database }) => {
      const store = await openFolder(join(config.dataDir, 'pictures'));
      const users = await seedDemo(database.db, store, calendarOf(config, database.timeZone(), new Date()));
      refuseOthers(users, config);
      accounts = users.accounts;
    },
    ACCOUNTS.map(({ username, who }) => ({ username, password: PASSWORD, who })),
  );
  process.stdout.write(greeting(url, config, accounts));
});
