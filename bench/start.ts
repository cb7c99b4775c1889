/** `npm run bench:start`: how long the product takes to be ready, and what it holds then. @see HELP */
import { join } from 'node:path';
import { connect } from '../db/connect.js';
import { openEmbedded } from '../db/embedded/index.js';
import { migrateDatabase } from '../db/migrate.js';
import { readFlags } from '../src/command-line.js';
import { later, numberOf, runCommand, say, temporaryFolder } from './command.js';
import { median } from './drive.js';
import { startServer } from './servers.js';
import { table } from './table.js';

const HELP = `Starts the built server several times on a migrated database that runs already: an embedded one, or the one that
DATABASE_URL names. Prints the time until /health/ready says 200, the processor time that it took, and the resident memory
then. Exits with 1 if the medians are not under 800 ms and 110 MiB.

  npm run bench:start -- --starts 3

  --starts <n>     starts (9)
  --no-targets     measure only
  --profile <dir>  also write a CPU profile of each start there
`;

const MAX_MILLISECONDS = 800;
const MAX_MEMORY = 110;

async function main(): Promise<void> {
  const values = readFlags(HELP, {
    starts: { type: 'string', default: '9' },
    'no-targets': { type: 'boolean', default: false },
    profile: { type: 'string' },
  });
  const folder = await temporaryFolder();
  let databaseUrl = process.env['DATABASE_URL'] ?? '';
  if (databaseUrl === '') {
    const embedded = await openEmbedded({ dataDir: join(folder, 'data') });
    later(() => embedded.stop());
    databaseUrl = embedded.url;
  }
  await migrateDatabase(databaseUrl);
  const sql = connect(databaseUrl, { max: 1, connection: { application_name: 'hospital-bench' } });
  later(() => sql.end({ timeout: 5 }));

  const nodeOptions = values.profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${values.profile}`];
  const starts: number[][] = [];
  for (let count = numberOf(values, 'starts', 1); count > 0; count--) {
    const begin = performance.now();
    const server = await startServer({ kind: 'product', databaseUrl, sql, folder, nodeOptions });
    const milliseconds = performance.now() - begin;
    const memory = server.memory();
    starts.push([milliseconds, (await server.processorTime()).server, memory]);
    await server.stop();
  }
  const middle = [0, 1, 2].map((column) => median(starts.map((start) => start[column] ?? NaN)));
  const least = [0, 1, 2].map((column) => Math.min(...starts.map((start) => start[column] ?? NaN)));
  const cells = (name: string, numbers: readonly number[]) => [name, ...numbers.map((number) => number.toFixed(0))];
  const header = [`${starts.length} starts`, 'until ready ms', 'processor ms', 'memory MiB'];
  say(table([header, cells('median', middle), cells('least', least)]));
  const [milliseconds = NaN, , memory = NaN] = middle;
  const isMet = milliseconds < MAX_MILLISECONDS && memory < MAX_MEMORY;
  if (!isMet && !values['no-targets']) process.exitCode = 1;
}

await runCommand(main);
