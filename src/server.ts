/** `npm start`: the server, by the environment alone. */
import { readFlags } from './command-line.js';
import { readConfig } from './config.js';
import { orRefuse, startServer } from './start-server.js';

const USAGE = `Starts the server, on PORT (8000), with the embedded PostgreSQL under DATA_DIR (./.data) or the one that
DATABASE_URL names. All settings are variables of the environment: README.md has the table.

  npm start                      --help, --version
  PORT=9000 npm start

Ctrl-C, or SIGTERM, stops it when what is in flight is done; a second one hurries it.
`;

readFlags(USAGE, {});
await orRefuse(async () => {
  const { url } = await startServer(readConfig(process.env));
  if (!process.stdout.isTTY) return;
  process.stdout.write(
    `Try it at ${url}/docs/\nMake somebody staff with: npm run admin -- --username NAME --email ADDRESS\n`,
  );
});
