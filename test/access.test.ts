/** Who may do what: the exact status of every operation for every kind of caller. */
import t from 'tap';
import { operations } from '../openapi/generated/operations.js';
import { buildTestApp } from './helpers/app.js';
import { ACTORS, backUp, buildClinic, OVERBOOKING, TABLE } from './helpers/clinic.js';

t.test('every operation for every kind of caller', async (t) => {
  const api = await buildTestApp(t);
  const clinic = await buildClinic(api);
  const restore = await backUp(api);
  t.strictSame(Object.keys(TABLE).sort(), Object.keys(operations).sort(), 'every operation has its row');

  for (const [operationId, [expected, prepare]] of [...Object.entries(TABLE), ...Object.entries(OVERBOOKING)]) {
    const { method, url } = operations[operationId as keyof typeof operations];
    await t.test(`${operationId} ${[...new Set(expected)].join(', ')}`, async (t) => {
      const statuses: Record<string, number> = {};
      for (const actor of ACTORS) {
        const { path, ...options } = (await prepare?.(clinic, actor)) ?? {};
        const token = actor === 'anonymous' ? undefined : clinic.users[actor].token;
        const answer = await api.call(method, url.replace(/:\w+/, path ?? ''), { ...options, token });
        statuses[actor] = answer.status;
        if (method !== 'GET' && answer.status < 300) {
          await restore();
          for (const user of Object.values(clinic.users)) api.app.tokens.forgetUser(user.id);
        }
      }
      t.strictSame(statuses, Object.fromEntries(ACTORS.map((actor, index) => [actor, expected[index]])));
    });
  }
});
