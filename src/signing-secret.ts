import { desc, sql } from 'drizzle-orm';
import { createHmac } from 'node:crypto';
import type { Db } from '../db/client.js';
import { oneOrNone } from '../db/rows.js';
import { signingSecrets } from '../db/tables/index.js';

const fingerprintOf = (secret: string): string =>
  createHmac('sha256', secret).update('which secret this is').digest('base64url');

/**
 * Notes on the database which secret this instance signs tokens with, not to be read from it.
 * @param secrets the first signs, and all verify
 * @returns false where the instance that started before on this database signs with one that is not among them
 */
export async function noteSecret(db: Db, secrets: readonly string[]): Promise<boolean> {
  const [fingerprint = '', ...others] = secrets.map(fingerprintOf);
  return db.transaction(async (tx) => {
    // Of two that start at once, the second waits here for the first.
    await tx.execute(sql`lock table ${signingSecrets} in share row exclusive mode`);
    const known = oneOrNone(
      await tx
        .select({ fingerprint: signingSecrets.fingerprint })
        .from(signingSecrets)
        .orderBy(desc(signingSecrets.notedAt))
        .limit(1),
    );
    if (known?.fingerprint === fingerprint) return true;
    // Not when the transaction began, which was before the wait.
    await tx.insert(signingSecrets).values({ fingerprint, notedAt: sql`clock_timestamp()` });
    return known === undefined || others.includes(known.fingerprint);
  });
}
