import type { dictionary } from '@zxcvbn-ts/language-common';
import argon2 from 'argon2';
import { distance } from 'fastest-levenshtein';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { readText } from '../../openapi/text.js';
import { inTurn, type Turn } from '../../openapi/turns.js';

/** OWASP's first choice for argon2id: 19 MiB, two passes, one lane. */
const COST = { memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const;

const require = createRequire(import.meta.url);
const words = require.resolve('@zxcvbn-ts/language-common');
let common: ReadonlySet<string> | undefined;

/** Reads them when the first new password is judged: a fifth of what the server holds after its start. */
function commonPasswords(): ReadonlySet<string> {
  const read = () => (require(words) as { dictionary: typeof dictionary }).dictionary['passwords-common'];
  return (common ??= new Set(read() as readonly string[]));
}

/** From this share of equal characters on, two texts are much alike. */
const ALIKE = 0.7;

/** A processor stays free for whatever else is asked, and threads of libuv's for files (plugins/pictures/encoder.ts). */
const takeTurn = inTurn({
  running: availableParallelism() > 2 ? 2 : 1,
  waiting: 100,
  // Of an address, which a whole clinic may share.
  each: 50,
  detail: 'Too many are signing in or up at the moment.',
});

export const passwordQueue = takeTurn.state;

const makeHash = (password: string): Promise<string> => argon2.hash(readText(password, 'password'), COST);

/** @throws ProblemError `unavailable` where too many passwords wait to be hashed or verified, in all or of one client */
export function hashPassword(password: string, turn?: Turn): Promise<string> {
  return takeTurn(() => makeHash(password), turn);
}

/** In the place of a hash: no password is right. */
export const NO_PASSWORD = '!';

let decoy: Promise<string> | undefined;

/**
 * Whether the password is right; takes the same time where there is no hash to compare with. Whose last one was right does
 * not wait for all of those who guess.
 * @param password as it was typed: hashes of old are of that
 * @throws ProblemError `unavailable` where too many passwords wait to be hashed or verified, in all or of one client
 */
export async function verifyPassword(hash: string | undefined, password: string, turn?: Turn): Promise<boolean> {
  // Out of turn, since it is made once, and what failed for others would stay so.
  decoy ??= makeHash('no password has this hash');
  const isKnown = hash !== undefined && hash !== NO_PASSWORD;
  const compared = isKnown ? hash : await decoy;
  const texts = new Set([readText(password, 'password'), password]);
  const isRight = await takeTurn(async () => {
    for (const text of texts) if (await argon2.verify(compared, text)) return isKnown;
    return false;
  }, turn);
  takeTurn.favour(turn?.by, isRight);
  return isRight;
}

function isMuchLike(password: string, own: string): boolean {
  if (own.length < 3) return false;
  if (1 - distance(password, own) / Math.max(password.length, own.length) >= ALIKE) return true;
  return own.length >= 4 && password.includes(own) && own.length / password.length >= 0.5;
}

/**
 * What is wrong with a new password, in words that follow the field's name.
 * @param own the user's own data that it must not be much like: user name, email, names
 */
export function passwordFaults(password: string, own: readonly string[]): string[] {
  const faults: string[] = [];
  const lower = password.toLowerCase();
  if (/^\d+$/.test(password)) faults.push('must not be all digits');
  if (commonPasswords().has(lower)) faults.push('must not be a commonly used password');
  const parts = own.flatMap((value) => [value, ...value.split(/[\s@._+-]+/)]).map((value) => value.toLowerCase());
  if (parts.some((part) => isMuchLike(lower, part))) faults.push('must not be much like your user name, email or name');
  return faults;
}

/** No field that counts here may be longer; comparing texts takes time that grows with their product. */
const MAX_LENGTH = 300;

/** The rule behind the contract's `x-password-of`, whose argument names the fields with the user's own data. */
export function passwordRule(value: string, fields: unknown, siblings: Readonly<Record<string, unknown>>): string[] {
  const isBounded = (part: unknown): part is string => typeof part === 'string' && part.length <= MAX_LENGTH;
  if (!isBounded(value)) return [];
  return passwordFaults(value, (fields as string[]).map((field) => siblings[field]).filter(isBounded));
}
