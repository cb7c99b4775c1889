/** `npm run migrate`: the schema of the database, ahead of the servers. */
import { readFlags } from './command-line.js';
import { orRefuse } from './start-server.js';
import { withDatabase } from './with-database.js';

const USAGE = `Brings the schema of the database up to date, and ends. Each server does so by itself when it starts; this is for whoever
wants to see it done before one is exchanged. It takes the server's variables.

  npm run migrate

It waits for a database that is away. Several at once, and servers that start meanwhile, wait for each other.
`;

await orRefuse(async () => {
  readFlags(USAGE, {});
  await withDatabase(process.env, () => Promise.resolve());
  process.stdout.write('The database is up to date.\n');
}, 'The database was not migrated');
