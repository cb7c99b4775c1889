/** `npm run admin`: makes a staff user, makes an existing user staff, or lets one in who has lost the second factor. */
import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { readFlags } from './command-line.js';
import { readVariable } from './config.js';
import { ensureStaff, InvalidStaff, promoteUser, removeSecondFactor } from './resources/users/staff.js';
import { orRefuse } from './start-server.js';
import { withDatabase } from './with-database.js';

const USAGE = `Makes a staff user, makes an existing user staff, or removes the second factor of a user who has lost it.

  npm run admin -- --username NAME --email ADDRESS
  npm run admin -- --username NAME --promote
  npm run admin -- --username NAME --remove-second-factor

The password is read from ADMIN_PASSWORD (or the file ADMIN_PASSWORD_FILE), else asked for, else read as the first line of standard input.
The database is the one that the server uses; the server may be running.
`;

/** Reads one line, without showing it on a terminal. */
async function readPassword(): Promise<string> {
  if (process.stdin.isTTY) process.stderr.write('Password: ');
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: process.stdin, output: silent, terminal: process.stdin.isTTY });
  for await (const line of lines) {
    if (process.stdin.isTTY) process.stderr.write('\n');
    lines.close();
    return line;
  }
  throw new InvalidStaff('no password was given');
}

await orRefuse(async () => {
  const { username, email, promote, ...flags } = readFlags(USAGE, {
    username: { type: 'string' },
    email: { type: 'string' },
    promote: { type: 'boolean', default: false },
    'remove-second-factor': { type: 'boolean', default: false },
  });
  if (username === undefined) throw new InvalidStaff('--username is missing. --help tells what there is.');
  const isRemoval = flags['remove-second-factor'];
  if (email === undefined && !promote && !isRemoval) {
    throw new InvalidStaff('--email is missing, or --promote for a user that exists. --help tells what there is.');
  }
  await withDatabase(process.env, async (database) => {
    if (isRemoval) {
      if (!(await removeSecondFactor(database.db, username))) throw new InvalidStaff(`there is no user ${username}`);
      process.stdout.write(`${username} has no second factor now.\n`);
      return;
    }
    if (promote) {
      if (!(await promoteUser(database.db, username))) throw new InvalidStaff(`there is no user ${username}`);
      process.stdout.write(`${username} is staff now.\n`);
      return;
    }
    const password = readVariable(process.env, 'ADMIN_PASSWORD') ?? (await readPassword());
    const id = await ensureStaff(database.db, { username, email: email as string, password });
    if (id === null) throw new InvalidStaff(`there is a user ${username} already; use --promote to make them staff`);
    process.stdout.write(`Made the staff user ${username}.\n`);
  });
}, 'Nothing was changed');
