import { sql } from 'drizzle-orm';
import type { Tx } from '../../db/client.js';

/** Names the transaction's author to the triggers that write history, which refuse what has none. */
export async function signTransaction({ db, caller }: { db: Tx; caller: { readonly id: number } }): Promise<void> {
  await db.execute(sql`select set_config('hospital.user_id', ${String(caller.id)}, true)`);
}
