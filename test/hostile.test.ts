/** Bad values in every field of every operation: a documented problem, never a 500, and nothing stored. */
import t, { type Test } from 'tap';
import { buildTestApp, type TestApp } from './helpers/app.js';
import { ACTORS, backUp, buildClinic, isPossible, TABLE } from './helpers/clinic.js';
import { allOperations, exampleOf, pathOf } from './helpers/operations.js';
import { pictureFile } from './helpers/pictures.js';

const BAD_VALUES: [string, unknown][] = [
  ['null', null],
  ['empty text', ''],
  ['spaces', '   '],
  ['a number', 7],
  ['a negative number', -7],
  ['a fraction', 1.5],
  ['an id over 2^53', 9_007_199_254_740_992],
  ['a huge number', 1e308],
  ['digits of a huge id', '99999999999999999999'],
  ['true', true],
  ['an empty list', []],
  ['an empty object', {}],
  ['a list of lists', [[[]]]],
  ['a list of nulls', [null]],
  ['a list of unknown ids', [999_999, 9_007_199_254_740_991]],
  ['a long list', Array.from({ length: 2000 }, (_, index) => index)],
  ['a nested object', { a: { b: { c: [] } } }],
  ['long text', 'x'.repeat(100_000)],
  ['NUL', 'a\0b'],
  ['a lone surrogate', 'a\ud800b'],
  ['the other lone surrogate', '\udc00'],
  ['emoji', '👩‍⚕️'],
  ['right-to-left text', '\u202Eabc'],
  ['SQL', "'; drop table users; --"],
  ['markup', '<script>alert(1)</script>'],
  ['a date that is none', '2026-02-30'],
];

/**
 * A digest of all that is stored, without what a request may use up: sessions of logins, tries of codes, the list of files
 * and the audit.
 */
async function stored(api: TestApp): Promise<string> {
  const without = ['sessions', 'password_resets', 'totps', 'discarded_pictures', 'audit_events', 'audit_blocks'];
  const tables = await api.database.db.execute<{ name: string }>(
    `select table_name as name from information_schema.tables where table_schema = 'public'
     and table_name not in (${without.map((name) => `'${name}'`).join(', ')}) order by 1`,
  );
  const parts = tables.map(
    ({ name }) =>
      `select '${name} ' || coalesce(md5(string_agg(x::text, ',' order by x::text)), '') as part from "${name}" x`,
  );
  // In no order of their own: what is planned in parallel comes as it gets ready.
  const rows = await api.database.db.execute<{ part: string }>(`${parts.join(' union all ')} order by 1`);
  return rows.map(({ part }) => part).join('\n');
}

interface Attack {
  readonly api: TestApp;
  /** Puts back what a request that succeeded has changed. */
  readonly restore: () => Promise<void>;
}

/** Sends requests one after the other, and fails for a 500 and for anything that a refused one has stored. */
async function attack(
  t: Test,
  { api, restore }: Attack,
  requests: readonly { what: string; send: () => Promise<{ status: number }> }[],
): Promise<void> {
  const before = await stored(api);
  const refused: string[] = [];
  for (const { what, send } of requests) {
    const { status } = await send();
    if (status >= 500) t.fail(`${what} answered ${status}`);
    if (status >= 400) refused.push(what);
    else await restore();
  }
  t.same(await stored(api), before, `nothing is stored by: ${refused.join(', ')}`);
}

t.test('bad values', async (t) => {
  const api = await buildTestApp(t);
  const clinic = await buildClinic(api);
  const { token } = clinic.users.staff;
  const putBack = await backUp(api);
  const restore = async (): Promise<void> => {
    await putBack();
    for (const user of Object.values(clinic.users)) api.app.tokens.forgetUser(user.id);
  };
  await restore();

  for (const [index, operation] of allOperations.filter(({ config }) => config.consumes.length > 0).entries()) {
    const { method, config, schema, url: pattern } = operation;
    const { operationId } = config;
    // Of what one who may do it does, only one value is bad.
    const [statuses, prepare] = TABLE[operationId as keyof typeof TABLE];
    const actor = [...ACTORS].reverse().find((each) => (statuses[ACTORS.indexOf(each)] as number) < 300) ?? 'staff';
    const { path = '', ...good } = (await prepare?.(clinic, actor)) ?? {};
    const url = pattern.replace(/:\w+/, path);
    const options = {
      token: actor === 'anonymous' ? undefined : clinic.users[actor].token,
      // Wrong passwords of one operation must not shut the next one's caller out.
      remoteAddress: `192.0.2.${index}`,
    };
    const isForm = config.consumes.includes('multipart/form-data');

    await t.test(`${operationId} answers bad values with a problem and stores nothing of it`, async (t) => {
      const answer = await api.call(method, url, { ...options, ...good });
      t.equal(answer.status < 300, isPossible(operationId), `${actor} may do it: ${answer.status}`);
      await restore();
      const example = { ...exampleOf(operation), ...(good.body as object | undefined) };
      for (const field of Object.keys(schema.body?.properties ?? {})) {
        const requests = BAD_VALUES.map(([what, value]) => ({
          what: `${field}: ${what}`,
          send: () => api.call(method, url, { ...options, body: { ...example, [field]: value } }),
        }));
        await attack(t, { api, restore }, requests);
      }
    });
    if (!isForm) continue;
    await t.test(`${operationId} answers bad forms with a problem and stores nothing of it`, async (t) => {
      const files = [new File(['just text'], 'a.png', { type: 'image/png' }), new File([], ''), await pictureFile()];
      for (const field of [...Object.keys(schema.body?.properties ?? {}), '__proto__', 'constructor', '']) {
        const values = [...files, 'x', '', '[', '[1,', '1,,2', '-1', '\0', '9'.repeat(40)];
        const requests = values.map((value, index) => ({
          what: `${field}: value ${index}`,
          send: () => api.call(method, url, { ...options, form: { ...good.form, [field]: value } }),
        }));
        await attack(t, { api, restore }, requests);
      }
    });
  }

  for (const operation of allOperations) {
    await t.test(`${operation.config.operationId} answers bad queries and headers with less than 500`, async (t) => {
      const names = Object.keys(operation.schema.querystring?.properties ?? {});
      const url = pathOf(operation);
      for (const name of [...names, 'unknown']) {
        for (const [what, value] of BAD_VALUES.filter(([, each]) => typeof each !== 'object')) {
          const query = `${name}=${encodeURIComponent(String(value).slice(0, 5000).toWellFormed())}`;
          if (operation.method === 'GET') {
            const answer = await api.call('GET', `${url}?${query}`, { token });
            t.ok(answer.status < 500, `${name}: ${what} ${answer.status}`);
          }
        }
        for (const raw of ['%', '%zz', '%ed%a0%80', '[]=1', `${name}[]=1`, '&&&', '='.repeat(50)]) {
          if (operation.method === 'GET') t.ok((await api.call('GET', `${url}?${raw}`, { token })).status < 500, raw);
        }
      }
      const headers = { authorization: 'Bearer \u00ff', 'if-none-match': '"', 'if-match': 'x', 'x-forwarded-for': 'x' };
      if (operation.method === 'GET') t.ok((await api.call('GET', url, { headers })).status < 500, 'headers');
    });
  }
});
