/** `npm run bench:data`: makes the data of the bench and keeps it. @see HELP */
import { readFlags } from '../src/command-line.js';
import { runCommand, say } from './command.js';
import { openDatabase } from './database.js';

const HELP = `Fills a database with the data of the bench: an embedded one, in a folder below the one that --into names, or the one
that DATABASE_URL names. What the bench made of the same size on the same day stays as it is; a database with other
data in it is refused.

  npm run bench:data -- --appointments 1000000 --into ./bench-data

The server then runs on it:

  DATA_DIR=./bench-data/1000000 npm start

  --appointments <n>  appointments (1000000): 500 for each of the first doctors, from 20 days ago on, with five full days
                      from today and the two weeks after at 60 %
  --doctors <n>       doctors (2000), with 20 slots a day, and to each 10 users, 9 of them patients alone, and 50 reviews
  --into <folder>     of the embedded databases
`;

async function main(): Promise<void> {
  const values = readFlags(HELP, {
    appointments: { type: 'string', default: '1000000' },
    doctors: { type: 'string', default: '2000' },
    into: { type: 'string' },
  });
  if (values.into === undefined && !process.env['DATABASE_URL']) throw new Error('--into is missing, or DATABASE_URL');
  const shape = { doctors: Number(values.doctors), appointments: Number(values.appointments) };
  const start = performance.now();
  const log = (line: string): void => say(`${((performance.now() - start) / 1000).toFixed(1).padStart(6)} s  ${line}`);
  await (await openDatabase(values.into, shape, log)).close();
}

await runCommand(main);
