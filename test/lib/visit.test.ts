import { sql } from 'drizzle-orm';
import t from 'tap';
import { one } from '../../db/rows.js';
import { inTransaction, type Visit } from '../../src/lib/visit.js';
import { buildTestApp } from '../helpers/app.js';

t.test('what a visit makes when it is asked for, a transaction does not make for it', async (t) => {
  const { database } = await buildTestApp(t);
  const made: string[] = [];
  const outer = {
    db: database.db,
    caller: null,
    client: '192.0.2.7',
    request: { id: '1', operation: 'createAppointment' },
    get signal() {
      made.push('signal');
      return AbortSignal.timeout(1);
    },
    get link() {
      made.push('link');
      return { base: 'https://clinic.example' };
    },
  } as unknown as Visit;
  await inTransaction(outer, async (visit) => {
    const rows = await visit.db.execute<{ request: string }>(
      sql`select current_setting('hospital.request')::json ->> 'client' as request`,
    );
    t.equal(one(rows).request, '192.0.2.7', 'in the transaction');
    t.strictSame(made, []);
    t.equal(visit.link.base, 'https://clinic.example');
    t.strictSame(made, ['link']);
  });
});
