import { Ajv } from 'ajv';
import addFormats from 'ajv-formats';
import { eq } from 'drizzle-orm';
import type { Db } from '../../../db/client.js';
import { oneOrNone } from '../../../db/rows.js';
import { caseless } from '../../../db/tables/columns.js';
import { totps, users } from '../../../db/tables/index.js';
import { ProblemError } from '../../../openapi/problem-error.js';
import { readText, textFault } from '../../../openapi/text.js';
import { Email, Registration, Username } from '../../../openapi/generated/schemas.js';
import { passwordFaults } from '../../lib/passwords.js';
import { createUser } from './service.js';
import { endSessions, voidTokens } from './sessions.js';

export interface StaffInput {
  readonly username: string;
  readonly email: string;
  readonly password: string;
}

/** Data that no staff user can be made of; its message is one line. */
export class InvalidStaff extends Error {
  override readonly name = 'InvalidStaff';

  /** What is at fault, where it is one of them. */
  readonly field: keyof StaffInput | undefined;

  constructor(message: string, field?: keyof StaffInput) {
    super(message);
    this.field = field;
  }
}

/** @throws InvalidStaff */
function check({ username, email, password }: StaffInput): void {
  const ajv = new Ajv({ strict: false });
  addFormats.default(ajv, ['email', 'password']);
  if (!ajv.validate(Username, username)) {
    throw new InvalidStaff('the user name must have 1 to 150 letters, digits or any of _ . @ + -', 'username');
  }
  if (!ajv.validate(Email, email)) throw new InvalidStaff('the email must be an email address', 'email');
  if (!ajv.validate(Registration.properties.password, password)) {
    throw new InvalidStaff('the password must have 8 to 128 characters', 'password');
  }
  // Node shows bytes of the environment and of standard input that are no UTF-8 as U+FFFD, and so all of them as the same.
  const isDecoded = !password.includes('\ufffd');
  const fault = isDecoded
    ? (textFault(password) ?? passwordFaults(password, [username, email])[0])
    : 'must be Unicode text in UTF-8';
  if (fault !== undefined) throw new InvalidStaff(`the password ${fault.replace('your', 'the')}`, 'password');
}

async function findUser(db: Db, username: string): Promise<number | undefined> {
  const row = oneOrNone(
    await db
      .select({ id: users.id })
      .from(users)
      .where(eq(caseless(users.username), caseless(readText(username, 'word')))),
  );
  return row?.id;
}

/**
 * Makes a staff user where no user has the name; a user who has it is left alone.
 * @returns the new user's id, or null where there was one
 * @throws InvalidStaff
 */
export async function ensureStaff(db: Db, given: StaffInput): Promise<number | null> {
  const input = {
    username: readText(given.username, 'word'),
    email: readText(given.email, 'word'),
    password: readText(given.password, 'password'),
  };
  if ((await findUser(db, input.username)) !== undefined) return null;
  check(input);
  try {
    const { user } = await createUser({ db }, { ...input, isStaff: true }, () => Promise.resolve());
    return user.id;
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error;
    // Another instance that starts at the same time may have been faster.
    if ((await findUser(db, input.username)) !== undefined) return null;
    throw new InvalidStaff('the email is taken by another user', 'email');
  }
}

/** Makes an existing user staff, and active. Returns false where no user has the name. */
export async function promoteUser(db: Db, username: string): Promise<boolean> {
  const id = await findUser(db, username);
  if (id === undefined) return false;
  await db.update(users).set({ isStaff: true, isActive: true }).where(eq(users.id, id));
  return true;
}

/** Removes a user's second factor, and their sessions. Returns false where no user has the name. */
export async function removeSecondFactor(db: Db, username: string): Promise<boolean> {
  const id = await findUser(db, username);
  if (id === undefined) return false;
  await db.transaction(async (tx) => {
    await tx.delete(totps).where(eq(totps.userId, id));
    await tx.update(users).set(voidTokens()).where(eq(users.id, id));
    await endSessions({ db: tx }, id);
  });
  return true;
}
