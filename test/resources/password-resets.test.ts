import { eq } from 'drizzle-orm';
import t from 'tap';
import { passwordResets, sessions, users } from '../../db/tables/index.js';
import { hashPassword } from '../../src/lib/passwords.js';
import { anotherInstance, buildTestApp, MORNING, PASSWORD, type TestApp } from '../helpers/app.js';
import { keepFull } from '../helpers/line.js';
import { race, RACING } from '../helpers/races.js';

const NEW = 'walnut-Bicycle-7';
const WRONG = { code: ['is not valid: it is wrong, was used or replaced, or has expired'] };

const logIn = (api: TestApp, username: string, password: string) =>
  api.post('/api/user/login/', { body: { username, password } });
const resetPassword = (api: TestApp, username: string, code: string, password = NEW, more: object = {}) =>
  api.post('/api/user/password/reset/', { body: { username, code, password, confirm_password: password }, ...more });
/** 404 says that the access token is good. */
const knock = async (api: TestApp, token: string) => (await api.patch('/doctors/999999/', { token, body: {} })).status;

t.test('password resets', async (t) => {
  let clock = MORNING.getTime();
  const api = await buildTestApp(t, RACING, { now: () => new Date(clock) });
  const { db } = api.database;
  const staff = await api.registerStaff();
  const make = async (id: number): Promise<string> =>
    (await api.post(`/api/user/users/${id}/password-reset/`, { token: staff.token })).body.code;
  const refused = async (answer: ReturnType<typeof resetPassword>): Promise<void> => {
    const { status, body } = await answer;
    t.equal(status, 400);
    t.strictSame(body.errors, WRONG);
  };

  await t.test(
    'createPasswordReset 200 with a code that only its user can use, of which no copy is kept',
    async (t) => {
      const { id } = await api.register();
      const answer = await api.post(`/api/user/users/${id}/password-reset/`, { token: staff.token });
      t.equal(answer.status, 200);
      const { code, expires_at: expiresAt } = answer.body;
      t.match(code, /^([0-9A-HJKMNP-TV-Z]{4}-){2}[0-9A-HJKMNP-TV-Z]{4}$/);
      t.equal(Date.parse(expiresAt), clock + 3_600_000);
      const rows = await db.select().from(passwordResets);
      t.equal(rows.length, 1);
      t.match(rows[0], { userId: id, createdBy: staff.id, tries: 0 });
      t.notMatch(JSON.stringify(rows), code.replaceAll('-', ''));
      t.notMatch(JSON.stringify(rows), code);
      const other = await api.register();
      await refused(resetPassword(api, other.username, code));
      t.equal((await logIn(api, other.username, PASSWORD)).status, 200);
    },
  );

  await t.test('createPasswordReset 403 of the own user, 404 of none', async (t) => {
    const { token } = staff;
    t.match(await api.post(`/api/user/users/${staff.id}/password-reset/`, { token }), {
      status: 403,
      body: { detail: 'Change your own password with POST /api/user/password/.' },
    });
    t.equal((await api.post('/api/user/users/999999/password-reset/', { token })).status, 404);
  });

  await t.test('resetPassword 204 once: the new password is the only one, and all sessions are ended', async (t) => {
    const { id, username, token, refresh } = await api.register();
    const second = await anotherInstance(t, api);
    t.equal(await knock(api, token), 404);
    const code = await make(id);
    t.equal((await resetPassword(api, username.toUpperCase(), code)).status, 204);
    t.equal(await knock(api, token), 401);
    t.equal(await knock(second, token), 401);
    t.equal((await api.post('/api/user/token/refresh/', { body: { refresh } })).status, 401);
    t.equal(await db.$count(sessions, eq(sessions.userId, id)), 0);
    t.equal((await logIn(api, username, PASSWORD)).status, 401);
    t.equal((await logIn(api, username, NEW)).status, 200);
    await refused(resetPassword(api, username, code, 'another-Ladder-8'));
    t.equal((await logIn(api, username, NEW)).status, 200);
  });

  for (const [title, typed] of [
    ['in lower case', (code: string) => code.toLowerCase()],
    ['without hyphens', (code: string) => code.replaceAll('-', '')],
    ['with blanks', (code: string) => ` ${code.replaceAll('-', ' ')} `],
    ['with letters that look like digits', (code: string) => code.replaceAll('0', 'o').replaceAll('1', 'l')],
    ['with others that do', (code: string) => code.replaceAll('0', 'O').replaceAll('1', 'i')],
  ] as const) {
    await t.test(`resetPassword 204 for a code ${title}`, async (t) => {
      const { id, username } = await api.register();
      t.equal((await resetPassword(api, username, typed(await make(id)))).status, 204);
    });
  }

  await t.test('resetPassword 204 within the hour, 400 after it', async (t) => {
    const { id, username } = await api.register();
    const code = await make(id);
    clock += 3_600_000;
    await refused(resetPassword(api, username, code));
    const next = await make(id);
    clock += 3_599_000;
    t.equal((await resetPassword(api, username, next)).status, 204);
  });

  await t.test('resetPassword 400 for a code that was replaced', async (t) => {
    const { id, username } = await api.register();
    const [first, second] = [await make(id), await make(id)];
    await refused(resetPassword(api, username, first));
    t.equal((await resetPassword(api, username, second)).status, 204);
  });

  await t.test('resetPassword 400, one and the same for whatever is wrong with user and code', async (t) => {
    const [wrong, none, inactive] = [await api.register(), await api.register(), await api.register()];
    await make(wrong.id);
    const code = await make(inactive.id);
    await db.update(users).set({ isActive: false }).where(eq(users.id, inactive.id));
    const bodies = new Set<string>();
    for (const [username, typed] of [
      [wrong.username, '7K2M-Q9XD-4TRW'],
      [wrong.username, '-'],
      [none.username, '7K2M-Q9XD-4TRW'],
      [inactive.username, code],
      ['nobody', '7K2M-Q9XD-4TRW'],
      ["' or true --", '7K2M-Q9XD-4TRW'],
    ] as const) {
      const { status, body } = await resetPassword(api, username, typed);
      t.equal(status, 400);
      bodies.add(JSON.stringify({ ...body, instance: '' }));
    }
    t.equal(bodies.size, 1);
  });

  await t.test('resetPassword 400 for a code of before whatever ends all sessions', async (t) => {
    const change = { current_password: PASSWORD, password: NEW, confirm_password: NEW };
    for (const end of [
      ({ token }: { token: string }) => api.post('/api/user/password/', { token, body: change }),
      ({ token }: { token: string }) => api.delete('/api/user/sessions/', { token }),
      async ({ id }: { id: number }) => {
        await api.patch(`/api/user/users/${id}/`, { token: staff.token, body: { is_active: false } });
        return api.patch(`/api/user/users/${id}/`, { token: staff.token, body: { is_active: true } });
      },
    ]) {
      const user = await api.register();
      const code = await make(user.id);
      t.ok((await end(user)).status < 300);
      await refused(resetPassword(api, user.username, code, 'another-Ladder-8'));
    }
  });

  await t.test('resetPassword 400 for passwords that registration would refuse, and the code stays good', async (t) => {
    const { id, username } = await api.register({ first_name: 'Augusta', email: 'countess@example.org' });
    const code = await make(id);
    const ALIKE = ['must not be much like your user name, email or name'];
    for (const [password, faults] of [
      ['short-7', ['must have at least 8 characters']],
      ['73519462850', ['must not be all digits']],
      ['ＰassＷord', ['must not be a commonly used password']],
      [`${username}.99`, ALIKE],
      ['augusta-1', ALIKE],
      ['countess1', ALIKE],
      ['Augusta.7', ALIKE],
      ['countess7', ALIKE],
    ] as const) {
      const { status, body } = await resetPassword(api, username, code, password);
      t.equal(status, 400);
      t.strictSame(body.errors, { password: faults }, password);
    }
    const answer = await api.post('/api/user/password/reset/', {
      body: { username, code, password: NEW, confirm_password: 'other' },
    });
    t.strictSame(answer.body.errors, { confirm_password: ['must be the same as password'] });
    t.equal((await resetPassword(api, username, code)).status, 204);
  });

  await t.test('resetPassword 400 for the right code after 5 wrong ones, however many come at once', async (t) => {
    for (const guesses of [4, 5]) {
      const { id, username } = await api.register();
      const code = await make(id);
      const answers = await Promise.all(
        Array.from({ length: guesses }, (_, index) => resetPassword(api, username, `wrong-${index}`)),
      );
      t.strictSame(new Set(answers.map(({ status }) => status)), new Set([400]));
      t.equal((await resetPassword(api, username, code)).status, guesses === 4 ? 204 : 400);
    }
    const { id, username } = await api.register();
    const code = await make(id);
    await Promise.all(Array.from({ length: 9 }, (_, index) => resetPassword(api, username, `wrong-${index}`)));
    const [row] = await db.select().from(passwordResets).where(eq(passwordResets.userId, id));
    t.equal(row?.tries, 5);
    await refused(resetPassword(api, username, code));
  });

  await t.test('resetPassword 204 for one and 400 for the rest of many at once with one code', async (t) => {
    const { id, username } = await api.register();
    const code = await make(id);
    const answers = await race(
      api,
      `select from password_resets where user_id = ${id} for update`,
      [1, 2, 3].map((index) => () => resetPassword(api, username, code, `walnut-Bicycle-${index}`)),
    );
    t.strictSame(answers.map(({ status }) => status).sort(), [204, 400, 400]);
    const winner = answers.findIndex(({ status }) => status === 204) + 1;
    for (const index of [1, 2, 3]) {
      t.equal((await logIn(api, username, `walnut-Bicycle-${index}`)).status, index === winner ? 200 : 401);
    }
  });

  await t.test('resetPassword 400 where the password is changed while the code is judged', async (t) => {
    const { id, username } = await api.register();
    const code = await make(id);
    const [answer] = await race(
      api,
      `update users set password_hash = '!', token_generation = token_generation + 1 where id = ${id}`,
      [() => resetPassword(api, username, code)],
    );
    t.equal(answer?.status, 400);
    t.equal((await logIn(api, username, NEW)).status, 401);
  });

  await t.test('resetPassword 503 where too many passwords wait, which is no try', async (t) => {
    const { id, username } = await api.register();
    const code = await make(id);
    await keepFull(
      (turn) => hashPassword(PASSWORD, turn),
      async () => {
        const answers = await Promise.all(Array.from({ length: 12 }, () => resetPassword(api, username, code)));
        t.strictSame(new Set(answers.map(({ status }) => status)), new Set([503]));
      },
    );
    t.equal((await resetPassword(api, username, code)).status, 204);
  });

  await t.test('resetPassword 400 works as long for a name that nobody has', async (t) => {
    const { id, username } = await api.register();
    await make(id);
    const fastest = { unknown: Infinity, wrong: Infinity };
    for (let round = 0; round < 4; round++) {
      for (const [kind, name] of [
        ['unknown', 'nobody-at-all'],
        ['wrong', username],
      ] as const) {
        const start = process.cpuUsage();
        await resetPassword(api, name, '7K2M-Q9XD-4TRW');
        const { user, system } = process.cpuUsage(start);
        fastest[kind] = Math.min(fastest[kind], (user + system) / 1000);
      }
    }
    t.ok(fastest.unknown > fastest.wrong / 2 && fastest.unknown < fastest.wrong * 2, JSON.stringify(fastest));
  });

  await t.test('resetPassword 429 after 10 wrong codes of one address, which leaves logins alone', async (t) => {
    const { id, username } = await api.register();
    const from = { remoteAddress: '192.0.2.7' };
    const answers = await Promise.all(
      Array.from({ length: 30 }, (_, index) => resetPassword(api, username, `wrong-${index}`, NEW, from)),
    );
    t.strictSame(answers.map(({ status }) => status).sort(), [
      ...Array<number>(10).fill(400),
      ...Array<number>(20).fill(429),
    ]);
    const code = await make(id);
    t.match(await resetPassword(api, username, code, NEW, from), {
      status: 429,
      body: { detail: 'There were too many failed codes for this user name.' },
    });
    t.equal((await api.post('/api/user/login/', { body: { username, password: PASSWORD }, ...from })).status, 200);
    t.equal((await resetPassword(api, username, code)).status, 204, 'from another address');
  });
});
