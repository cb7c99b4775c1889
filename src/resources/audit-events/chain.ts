/** The chain by which it shows that events were changed, removed or put in between: each block has the hash of the one before. */
import { sql, type SQL } from 'drizzle-orm';
import type { Db, Tx } from '../../../db/client.js';
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

/** Blocks that are looked at together, and ids. */
const [STEP, RANGE] = [5, 1_000_000];

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

/**
 * An event that stands where the chain is closed, and is in no block: such are looked for only where events are more than
 * the blocks have, to whom none is missing.
 * @param sealed how many events the blocks have
 */
async function intruder(db: Db | Tx, sealed: number): Promise<number | undefined> {
  const ends = await db.execute<{ from: number; to: number; beyond: number }>(sql`
    select closed.to, least(0, (select min(id) from audit_events))::float8 - 1 as "from",
      (select count(*) from audit_blocks, unnest(event_ids) as id where last_id > closed.to and id > closed.to)::float8 as beyond
    from (select coalesce(max(sealed_to), 0)::float8 as to from audit_blocks) as closed`);
  const { from, to, beyond } = one(ends);
  const inRanges = async function* <Row extends Record<string, unknown>>(query: (after: number, upto: number) => SQL) {
    for (let after = from; after < to; after += RANGE) {
      yield oneOrNone(await db.execute<Row>(query(after, Math.min(after + RANGE, to))));
    }
  };
  let events = 0;
  for await (const row of inRanges<{ count: number }>(
    (after, upto) =>
      sql`select count(*)::float8 as count from audit_events where id > ${after}::bigint and id <= ${upto}::bigint`,
  )) {
    events += row?.count ?? 0;
  }
  if (events === sealed - beyond) return undefined;
  for await (const row of inRanges<{ id: number }>(
    (after, upto) => sql`
      select id::float8 from audit_events where id > ${after}::bigint and id <= ${upto}::bigint
      except all select unnest(event_ids) from audit_blocks where last_id > ${after}::bigint and event_ids[1] <= ${upto}::bigint
      order by id limit 1`,
  )) {
    if (row !== undefined) return row.id;
  }
  return undefined;
}

/**
 * Seals what is not sealed, and holds all events against the chain.
 * @param kept a block that was noted elsewhere
 * @param report hears now and then how many events have been found to hold
 */
export async function verifyEvents(
  db: Db | Tx,
  kept: Head | null = null,
  report: (events: number) => void = () => undefined,
): Promise<Verdict> {
  await sealEvents(db);
  let [events, blocks] = [0, 0];
  let head: Head | null = null;
  let isKept = kept === null;
  const wrong = (fault: string): Verdict => ({ events, blocks, head, fault });
  for (;;) {
    const from: Head = head ?? { number: 0, hash: '' };
    const step: readonly Checked[] = await checkedAfter(db, from);
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
    report(events);
    if (step.length < STEP) break;
  }
  if (kept !== null && !isKept) return wrong(`block ${kept.number}, which was noted, is missing`);
  const found = await intruder(db, events);
  return found === undefined ? { events, blocks, head, fault: null } : wrong(`event ${found} is in no block`);
}
