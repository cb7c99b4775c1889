/** The numbers of reviews that are kept beside them, against the reviews themselves. */
import postgres from 'postgres';
import t from 'tap';
import type { ListReviewsQuery } from '../../openapi/generated/operations.js';
import type { ReviewPage } from '../../openapi/generated/schemas.js';
import { listReviews } from '../../src/resources/reviews/service.js';
import { someOf, staysRight } from '../helpers/counts.js';
import { createTestDatabase, openTestDatabase } from '../helpers/database.js';
import { visitOf } from '../helpers/visit.js';

const PEOPLE = `
  insert into users (username, email, password_hash) select 'u' || n, 'u' || n || '@example.com', ''
    from generate_series(1, 9) n;
  insert into doctors (user_id) select n from generate_series(1, 3) n;
  insert into patients (user_id) select n from generate_series(4, 9) n`;

const INSERT = `insert into reviews (doctor_id, patient_id, body, rating)
  select 1 + floor(random() * 3), 1 + floor(random() * 6), 'Fine.', 1 + floor(random() * 5) from generate_series(1, $1)`;

const SOME = someOf('reviews');

const CHANGES = [
  `update reviews set rating = 1 + floor(random() * 5) ${SOME}`,
  `update reviews set rating = 6 - rating ${SOME}`,
  `update reviews set body = 'Fine!' ${SOME}`,
  `delete from reviews ${SOME}`,
];

const WRONG = `
  select rating, sum(total) as difference
  from (select rating, total from review_counts union all select rating, -1 from reviews) as kept
  group by rating having sum(total) <> 0`;

t.test('the numbers are right at every moment of what many writers do, and few', async (t) => {
  const reader = await staysRight(t, { people: PEOPLE, insert: INSERT, changes: CHANGES, wrong: WRONG });
  const count = async () => {
    const [row] = await reader`
      select (select count(*)::int from reviews) as reviews, (select count(*)::int from review_counts) as kept,
        (select max(id)::int from review_counts) as made`;
    return row as unknown as { reviews: number; kept: number; made: number };
  };
  const { reviews, made } = await count();
  t.ok(reviews > 50 && made > 200, `${reviews} reviews, ${made} changes`);
  for (let left = 64; left > 0; left--) await reader.unsafe(INSERT, [1]);
  const { kept } = await count();
  t.ok(kept <= 64 + 5, `${kept} rows`);
  await reader`truncate reviews`;
  t.strictSame([...(await reader.unsafe(WRONG))], [], 'right when all is gone');
});

t.test('no writer waits for another one that counts, nor fails for it', async (t) => {
  const url = await createTestDatabase(t);
  const [first, second] = [1, 2].map(() => postgres(url, { max: 1 })) as [postgres.Sql, postgres.Sql];
  t.teardown(() => Promise.all([first.end(), second.end()]));
  await first.unsafe(PEOPLE);
  await first`set lock_timeout = '5s'`;
  const fill = async (sql: Pick<postgres.Sql, 'unsafe'>) => {
    for (let left = 65; left > 0; left--) await sql.unsafe(INSERT, [1]);
  };
  await fill(first);
  await second.begin(async (tx) => {
    await fill(tx);
    await fill(first);
  });
  await first.begin('isolation level repeatable read', async (tx) => {
    await tx`select count(*) from reviews`;
    await fill(second);
    await fill(tx);
  });
  t.strictSame([...(await first.unsafe(WRONG))], []);
});

t.test('a list of reviews counts what it has', async (t) => {
  const { db } = (await openTestDatabase(t)).database;
  await db.execute(PEOPLE);
  await db.execute(`insert into reviews (doctor_id, patient_id, body, rating)
    select 1 + n % 3, 1 + n % 6, 'Fine.', 1 + n % 4 from generate_series(0, 299) n`);
  await db.execute('delete from reviews where id % 7 = 0');
  await db.execute('update reviews set rating = 3 where id % 5 = 0');
  const queries: Partial<ListReviewsQuery>[] = [
    {},
    { rating: '⭐⭐⭐' },
    { rating: '⭐⭐⭐⭐⭐' },
    { doctor: 2 },
    { doctor: 2, rating: '⭐' },
    { search: 'u4' },
    { search: 'u4', rating: '⭐' },
  ];
  for (const query of queries) {
    const { text } = await listReviews(visitOf(db), { query: { page: 1, limits: 1000, ...query } });
    const { count, results } = JSON.parse(text) as ReviewPage;
    t.equal(count, results.length, JSON.stringify(query));
  }
});
