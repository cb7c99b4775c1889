/** `npm run fuzz`. @see HELP */
import { join } from 'node:path';
import { JWT_SECRET } from '../../bench/callers.js';
import { later, numberOf, runCommand, say, temporaryFolder } from '../../bench/command.js';
import { startServer } from '../../bench/servers.js';
import { readFlags } from '../../src/command-line.js';
import { promoteUser } from '../../src/resources/users/staff.js';
import { fuzz, Report, type Target } from './fuzz.js';
import { expireKey, openHospital } from './hospital.js';
import { fuzzedOperations } from './operations.js';
import { written } from './report.js';
import type { World } from './world.js';

const HELP = `Starts the built server with its production configuration on the demo's hospital, in a database of its own, and sends
it requests that are made by chance from the contract's schemas: valid ones, such that break one rule, and odd ones, by
people of each kind and services with keys, 8 at once. Holds each answer against the contract, and what is stored and logged against what must
never be. Exits with 1 if something is wrong, and shows the smallest request that has it.

  npm run fuzz
  npm run fuzz -- --seed 7 --requests 20000 --operation createAppointment

  --seed <n>          makes the same requests again, but for what the server gave meanwhile (by the time)
  --requests <n>      how many (20000)
  --operation <id>    those of that operation alone, or of several, comma-separated
  --verbose           tells of each operation what was answered, and how often each rule was broken

The last twentieth meets limits of 20 requests a minute. DATABASE_URL names an empty database in the place of an embedded one.
`;

const LIMITED = { RATE_LIMIT_ANON: '20', RATE_LIMIT_USER: '20', RATE_LIMIT_AUTH: '5' };

async function main(): Promise<void> {
  const values = readFlags(HELP, {
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    requests: { type: 'string', default: '20000' },
    operation: { type: 'string' },
    verbose: { type: 'boolean', default: false },
  });
  const seed = numberOf(values, 'seed', 0);
  const requests = numberOf(values, 'requests', 1);
  const chosen = values.operation?.split(',');
  const operations = fuzzedOperations.filter(({ operationId }) => chosen?.includes(operationId) ?? true);
  const unknown = chosen?.filter((id) => !operations.some(({ operationId }) => operationId === id)) ?? [];
  if (operations.length === 0 || unknown.length > 0)
    throw new Error('--operation takes ids of operations of the contract');
  say(`seed ${seed}: ${requests} requests`);

  const folder = await temporaryFolder();
  const {
    url: databaseUrl,
    database,
    sql,
    close,
  } = await openHospital(join(folder, 'database'), join(folder, 'product'));
  later(close);
  const report = new Report();
  let world: World | undefined;
  const run = async (from: number, to: number, environment: Readonly<Record<string, string>>): Promise<void> => {
    const server = await startServer({ kind: 'product', databaseUrl, sql, folder, environment });
    later(() => server.stop());
    const target: Target = {
      ...{ url: server.url, sql, secret: JWT_SECRET, log: server.log },
      promote: (username) => promoteUser(database.db, username),
      expire: (key) => expireKey(database.db, key),
    };
    world = await fuzz(target, { seed, from, to, operations, isLimited: environment === LIMITED }, report, world);
    await server.stop();
  };
  const limited = Math.floor(requests / 20);
  await run(0, requests - limited, {});
  if (limited > 0) await run(requests - limited, requests, LIMITED);
  say(written(report, operations, values.verbose));
  if (report.faults.size > 0) process.exitCode = 1;
}

await runCommand(main);
