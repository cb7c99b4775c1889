/** Numbers that triggers keep, against what many writers do at once. */
import postgres from 'postgres';
import type { Test } from 'tap';
import { createTestDatabase } from './database.js';

const WRITERS = 6;
const TRANSACTIONS = 25;

/** What is written, by chance. */
interface Writing {
  /** What has to be there before. */
  readonly people: string;
  /** Of as many rows as its parameter tells. */
  readonly insert: string;
  readonly changes: readonly string[];
  /** Selects the numbers that are wrong, all in one look. */
  readonly wrong: string;
}

const pick = <T>(values: readonly T[]): T => values[Math.floor(Math.random() * values.length)] as T;

/** Some rows, by chance. */
export const someOf = (table: string): string =>
  `where id in (select id from ${table} order by random() limit 1 + floor(random() * 3)::int)`;

/** What a transaction may meet of another one, or of a constraint: it is rolled back then. */
const REFUSALS = new Set(['23505', '23514', '23P01', '40001', '40P01']);

const undo = new Error('undone on purpose');

const forgive = (error: unknown): void => {
  if (error !== undo && !REFUSALS.has((error as postgres.PostgresError).code)) throw error;
};

async function write(sql: postgres.Sql, { insert, changes }: Writing): Promise<void> {
  const isolation = pick(['read committed', 'read committed', 'read committed', 'repeatable read', 'serializable']);
  await sql
    .begin(`isolation level ${isolation}`, async (tx) => {
      await tx`select set_config('hospital.user_id', '1', true)`;
      for (let left = pick([1, 1, 2, 5]); left > 0; left--) {
        const step = () => (Math.random() < 0.5 ? tx.unsafe(insert, [pick([1, 1, 1, 7])]) : tx.unsafe(pick(changes)));
        if (Math.random() < 0.7) await step();
        else {
          await tx
            .savepoint(async () => {
              await step();
              if (Math.random() < 0.5) throw undo;
            })
            .catch(forgive);
        }
      }
      if (Math.random() < 0.2) throw undo;
    })
    .catch(forgive);
}

/**
 * Asserts that no number is wrong at any moment while many write, nor after it.
 * @returns a connection to their database
 */
export async function staysRight(t: Test, writing: Writing): Promise<postgres.Sql> {
  const url = await createTestDatabase(t);
  const connect = () => {
    const sql = postgres(url, { max: 1, onnotice: () => undefined });
    t.teardown(() => sql.end());
    return sql;
  };
  const reader = connect();
  await reader.unsafe(writing.people);
  let isWriting = true;
  const writers = Array.from({ length: WRITERS }, async () => {
    const sql = connect();
    for (let left = TRANSACTIONS; left > 0; left--) await write(sql, writing);
  });
  const done = Promise.all(writers).finally(() => (isWriting = false));
  let looks = 0;
  do {
    t.strictSame([...(await reader.unsafe(writing.wrong))], [], 'right while they write');
    looks += 1;
  } while (isWriting);
  await done;
  t.ok(looks > 1, `${looks} looks`);
  t.strictSame([...(await reader.unsafe(writing.wrong))], [], 'right when they have done');
  return reader;
}
