import { createHmac } from 'node:crypto';
import type { Db } from '../db/client.js';
import { one } from '../db/rows.js';
import { signingSecrets } from '../db/tables/index.js';

/**
 * Notes on the database which secret this instance signs tokens with, not to be read from it.
 * @returns false where the instance that started before on this database signs with another one
 */
export async function noteSecret(db: Db, secret: string): Promise<boolean> {
  const fingerprint = createHmac('sha256', secret).update('which secret this is').digest('base64url');
  // Of two that start at once on an empty table, the second waits here for the first.
  await db.insert(signingSecrets).values({ fingerprint }).onConflictDoNothing();
  const known = one(await db.select({ fingerprint: signingSecrets.fingerprint }).from(signingSecrets));
  if (known.fingerprint === fingerprint) return true;
  await db.update(signingSecrets).set({ fingerprint });
  return false;
}
