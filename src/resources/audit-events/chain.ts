/** The chain by which it shows that events were changed, removed or put in between: each block has the hash of the one before. */
import { sql } from 'drizzle-orm';
import { transaction, type Db, type Tx } from '../../../db/client.js';
import { one, oneOrNone } from '../../../db/rows.js';

/** The most events of a block. */
const BLOCK = 10_000;

/** Ties all events that are there to the chain. */
export async function sealEvents(db: Db | Tx, most = BLOCK): Promise<void> {
  for (;;) {
    const { sealed } = one(await db.execute<{ sealed: number }>(sql`select seal_audit_events(${most}) as sealed`));
    if (sealed < most) return;
  }
}

/** A block by its number and hash: with what is in it, all that came before is as it was if it still has them. */
export interface Head {
  readonly number: number;
  readonly hash: string;
}

export interface Verdict {
  readonly events: number;
  readonly blocks: number;
  readonly head: Head | null;
  /** What is wrong, first things first; null where all holds. */
  readonly fault: string | null;
}

/** Runs what may take as long as it takes: nobody waits for it. */
const patiently = <T>(db: Db | Tx, work: (tx: Tx) => Promise<T>): Promise<T> =>
  transaction(db, async (tx) => {
    await tx.execute(sql`set local statement_timeout = 0`);
    return work(tx);
  });

/** Blocks that are looked at together. */
const STEP = 20;

interface Checked {
  readonly number: number;
  readonly hash: string;
  readonly events: number;
  readonly missing: number | null;
  readonly follows: boolean;
  readonly holds: boolean;
}

const checkedAfter = (db: Db | Tx, { number, hash }: Head) =>
  db.execute<Checked & Record<string, unknown>>(sql`
    select b.number::float8 as number, b.hash, cardinality(b.event_ids) as events,
      b.number = 1 + lag(b.number, 1, ${number}::bigint) over chain as follows,
      b.hash = audit_block_hash(b.number, lag(b.hash, 1, nullif(${hash}::text, '')) over chain, b.event_ids) as holds,
      (select min(id)::float8 from unnest(b.event_ids) as listed (id)
        where not exists (select from audit_events e where e.id = listed.id)) as missing
    from (select * from audit_blocks where number > ${number} order by number limit ${STEP}) as b
    window chain as (order by b.number) order by b.number`);

/** An event that stands where the chain is closed, and is in no block. */
const intruder = (db: Db | Tx) =>
  db.execute<{ id: number }>(sql`
    select e.id::float8 as id from audit_events e
    where e.id <= (select max(sealed_to) from audit_blocks)
      and not exists (select from (select unnest(event_ids) as id from audit_blocks) as sealed where sealed.id = e.id)
    order by e.id limit 1`);

/**
 * Seals what is not sealed, and holds all events against the chain.
 * @param kept a block that was noted elsewhere
 */
export async function verifyEvents(db: Db | Tx, kept: Head | null = null): Promise<Verdict> {
  await sealEvents(db);
  let [events, blocks] = [0, 0];
  let head: Head | null = null;
  let isKept = kept === null;
  const wrong = (fault: string): Verdict => ({ events, blocks, head, fault });
  for (;;) {
    const from: Head = head ?? { number: 0, hash: '' };
    const step: readonly Checked[] = await patiently(db, (tx) => checkedAfter(tx, from));
    for (const { number, hash, follows, holds, missing, ...block } of step) {
      if (!follows) return wrong(`a block before block ${number} is missing`);
      if (missing !== null) return wrong(`event ${missing} of block ${number} is missing`);
      if (!holds) return wrong(`block ${number} or one of its ${block.events} events was changed`);
      events += block.events;
      blocks++;
      head = { number, hash };
      if (kept?.number === number) {
        if (kept.hash !== hash) return wrong(`block ${number} is not the one that was noted`);
        isKept = true;
      }
    }
    if (step.length < STEP) break;
  }
  if (kept !== null && !isKept) return wrong(`block ${kept.number}, which was noted, is missing`);
  const found = oneOrNone(await patiently(db, intruder));
  return found === undefined ? { events, blocks, head, fault: null } : wrong(`event ${found.id} is in no block`);
}
