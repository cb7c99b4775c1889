/** `npm run audit:verify`: holds the audit against its chain. */
import { readFlags } from './command-line.js';
import { verifyEvents, type Head } from './resources/audit-events/chain.js';
import { orRefuse } from './start-server.js';
import { withDatabase } from './with-database.js';

const USAGE = `Holds the audit against its chain, and says in one line whether it is whole, and the head of the chain; or what
is wrong first, and ends with 1. Whoever keeps the head elsewhere also sees later whether the chain was written anew.

  npm run audit:verify
  npm run audit:verify -- --head 12:5feceb66...    block 12 has to be there still, with this hash

The database is the one that the server uses; the server may be running.
`;

function readHead(text: string | undefined): Head | null {
  if (text === undefined) return null;
  const [, number, hash = ''] = /^([1-9]\d{0,15}):([0-9a-f]{64})$/.exec(text) ?? [];
  if (number === undefined)
    throw new Error('--head must be a number and a hash, as in 12:5feceb66..., from a line of this command');
  return { number: Number(number), hash };
}

/** Writes how far it is each time that a million more hold. */
function reporter(): (events: number) => void {
  let told = 0;
  return (events) => {
    if (events - told < 1_000_000) return;
    told = events;
    process.stderr.write(`${events} events hold so far\n`);
  };
}

await orRefuse(async () => {
  const { head } = readFlags(USAGE, { head: { type: 'string' } });
  const kept = readHead(head);
  await withDatabase(process.env, async (database) => {
    const { events, blocks, head, fault } = await verifyEvents(database.db, kept, reporter());
    const upTo = `${events} events in ${blocks} blocks hold`;
    if (fault !== null) {
      process.stdout.write(`The audit is broken: ${fault}. Before it, ${upTo}.\n`);
      process.exitCode = 1;
    } else process.stdout.write(`${upTo}.${head === null ? '' : ` Head: ${head.number}:${head.hash}`}\n`);
  });
}, 'The audit was not verified');
