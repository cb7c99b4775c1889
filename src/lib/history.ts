import { sql } from 'drizzle-orm';
import type { Visit } from './visit.js';
import type { Tx } from '../../db/client.js';
import { direct } from '../../db/prepared.js';

const signature = direct((db) =>
  db
    .select({
      user: sql<string>`set_config('hospital.user_id', ${sql.placeholder('user')}, true)`.as('user'),
      request: sql<string>`set_config('hospital.request', ${sql.placeholder('request')}, true)`.as('request'),
    })
    .from(sql`(select) as nothing`),
);

/** Who a caller is to the audit. */
function actorOf(caller: Visit['caller']) {
  if (caller === null) return { actor: 'anonymous', author: '' };
  if (!('id' in caller)) return { actor: 'service', author: `service:${caller.serviceId}` };
  return { actor: caller.isStaff ? 'staff' : 'user', author: String(caller.id) };
}

/** Names the transaction's author and request to the triggers that write the history and the audit. */
export async function signTransaction(
  db: Tx,
  { caller, client, request }: Pick<Visit, 'caller' | 'client' | 'request'>,
): Promise<void> {
  const { actor, author } = actorOf(caller);
  await signature(db)({ user: author, request: JSON.stringify({ ...request, client, actor }) });
}
