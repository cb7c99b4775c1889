import { eq, sql } from 'drizzle-orm';
import { URL } from 'node:url';
import t, { type Test } from 'tap';
import { sessions, totps, users } from '../../db/tables/index.js';
import { sealsOf } from '../../src/lib/seals.js';
import { resealTotps } from '../../src/resources/users/totps.js';
import { ensureStaff, removeSecondFactor } from '../../src/resources/users/staff.js';
import { anotherInstance, buildTestApp, MORNING, PASSWORD, SECRET, type TestApp, type User } from '../helpers/app.js';
import { race, RACING } from '../helpers/races.js';
import { codeOf, enrol } from '../helpers/totp.js';

const HALF_MINUTE = 30_000;
const DAY = 86_400_000;
const IS_WRONG = 'is wrong, was used before, or too many were wrong';
const IS_FOR_NOTHING = 'is for a second factor that is not on';

/** An application with a clock that the tests set. */
async function open(t: Test, environment: Record<string, string> = {}) {
  const clock = { now: MORNING };
  const api = await buildTestApp(t, environment, { now: () => clock.now });
  const logIn = (username: string, otp?: string, password = PASSWORD, from = '127.0.0.1') =>
    api.post('/api/user/login/', {
      body: { username, password, ...(otp !== undefined && { otp }) },
      remoteAddress: from,
    });
  const pass = (milliseconds: number): void => {
    clock.now = new Date(clock.now.getTime() + milliseconds);
  };
  /** A user whose second factor is on; the code of the present half minute was not used yet. */
  const registerTwoFactor = async () => {
    const user = await api.register();
    const factor = await enrol(api, user, clock.now);
    pass(HALF_MINUTE);
    return { ...user, ...factor, code: (steps = 0) => codeOf(factor.secret, clock.now, steps) };
  };
  return { api, clock, pass, logIn, registerTwoFactor };
}

const stateOf = async (api: TestApp, { token }: Pick<User, 'token'>) =>
  (await api.get('/api/user/totp/', { token })).body;
const wrongOf = (code: string): string => (code === '000000' ? '000001' : '000000');

t.test('setting up', async (t) => {
  const { api, clock, pass, logIn } = await open(t);
  const { db } = api.database;
  const begin = ({ token }: User, current_password = PASSWORD) =>
    api.post('/api/user/totp/', { token, body: { current_password } });
  const confirm = ({ token }: User, code: string) => api.post('/api/user/totp/confirm/', { token, body: { code } });

  await t.test('createTotp 200 with what an app reads, of which no copy is kept; logins are as before', async (t) => {
    const user = await api.register();
    t.strictSame(await stateOf(api, user), { is_active: false, recovery_codes_left: 0 });
    const { status, body } = await begin(user);
    t.equal(status, 200);
    t.match(body.secret, /^[A-Z2-7]{32}$/);
    const uri = new URL(body.uri);
    t.strictSame(Object.fromEntries(uri.searchParams), {
      ...{ issuer: 'Clinic', secret: body.secret, algorithm: 'SHA1', digits: '6', period: '30' },
    });
    t.equal(`${uri.protocol}//${uri.host}${uri.pathname}`, `otpauth://totp/Clinic:${user.username}`);
    t.notMatch(JSON.stringify(await db.select().from(totps)), body.secret);
    t.strictSame(await stateOf(api, user), { is_active: false, recovery_codes_left: 0 });
    t.equal((await logIn(user.username)).status, 200);
  });

  await t.test('createTotp 400 for a wrong password, which counts as a failed login', async (t) => {
    const user = await api.register();
    const answer = await begin(user, 'wrong-Apple-1');
    t.equal(answer.status, 400);
    t.strictSame(answer.body.errors, { current_password: ['is wrong'] });
    for (let count = 0; count < 9; count++) t.equal((await begin(user, 'wrong-Apple-1')).status, 400);
    t.equal((await begin(user)).status, 429);
    t.equal((await logIn(user.username)).status, 429);
    t.equal(await db.$count(totps, eq(totps.userId, user.id)), 0);
  });

  await t.test('createTotp 200 again ends the secret of before; 409 once one is on', async (t) => {
    const user = await api.register();
    const [first, second] = [(await begin(user)).body.secret, (await begin(user)).body.secret];
    t.match(await confirm(user, codeOf(first)), { status: 400, body: { errors: { code: [IS_WRONG] } } });
    t.equal((await confirm(user, codeOf(second))).status, 200);
    t.match(await begin(user), { status: 409, body: { type: '/problems/already-exists', detail: /totp\/remove/ } });
    pass(HALF_MINUTE);
    t.equal((await logIn(user.username, codeOf(second, clock.now))).status, 200, 'it is the same as before');
  });

  await t.test('confirmTotp 200 with ten codes, shown once and stored as hashes; the next code logs in', async (t) => {
    const user = await api.register();
    const { secret } = (await begin(user)).body;
    const code = codeOf(secret, clock.now);
    const { status, body } = await confirm(user, ` ${code.slice(0, 3)} ${code.slice(3)} `);
    t.equal(status, 200);
    t.equal(new Set(body.recovery_codes).size, 10);
    for (const each of body.recovery_codes) t.match(each, /^([0-9A-HJKMNP-TV-Z]{4}-){5}[0-9A-HJKMNP-TV-Z]{4}$/);
    t.strictSame(await stateOf(api, user), { is_active: true, recovery_codes_left: 10 });
    const stored = JSON.stringify(await db.select().from(totps).where(eq(totps.userId, user.id)));
    for (const each of body.recovery_codes) {
      t.notMatch(stored, each);
      t.notMatch(stored, each.replaceAll('-', ''));
    }
    t.match(await logIn(user.username), { status: 401, body: { type: '/problems/otp-required' } });
    t.match(await logIn(user.username, code), { status: 401, body: { type: '/problems/otp-wrong' } }, 'was used');
    t.equal((await logIn(user.username, codeOf(secret, clock.now, 1))).status, 200);
  });

  await t.test('confirmTotp 400 for a wrong code, without a beginning, and when it is on', async (t) => {
    const user = await api.register();
    const NOTHING = { code: ['has nothing to confirm: begin with POST /api/user/totp/'] };
    t.match(await confirm(user, '123456'), { status: 400, body: { errors: NOTHING } });
    const { secret } = (await begin(user)).body;
    const code = codeOf(secret, clock.now);
    for (const wrong of [wrongOf(code), code.slice(1), `${code}1`, 'x', 'Nguyễn', '٣٣٣٣٣٣']) {
      t.match(await confirm(user, wrong), { status: 400, body: { errors: { code: [IS_WRONG] } } }, wrong);
    }
    t.equal((await logIn(user.username)).status, 200);
    t.equal((await confirm(user, code)).status, 200);
    t.match(await confirm(user, codeOf(secret, clock.now, 1)), { status: 400, body: { errors: NOTHING } });
  });

  await t.test('confirmTotp 400 for the right code after 10 wrong ones', async (t) => {
    const user = await api.register();
    const { secret } = (await begin(user)).body;
    const code = codeOf(secret, clock.now);
    await Promise.all(Array.from({ length: 10 }, () => confirm(user, wrongOf(code))));
    t.equal((await confirm(user, code)).status, 400);
    const next = (await begin(user)).body.secret;
    t.equal((await confirm(user, codeOf(next, clock.now))).status, 200, 'of a new secret');
  });

  await t.test('confirmTotp 200 for one and 400 for the rest of many at once', async (t) => {
    const racing = await buildTestApp(t, RACING);
    const user = await racing.register();
    const body = { current_password: PASSWORD };
    const { secret } = (await racing.post('/api/user/totp/', { token: user.token, body })).body;
    const answers = await race(
      racing,
      `select from totps for update`,
      [1, 2, 3].map(
        () => () => racing.post('/api/user/totp/confirm/', { token: user.token, body: { code: codeOf(secret) } }),
      ),
    );
    t.strictSame(answers.map(({ status }) => status).sort(), [200, 400, 400]);
  });

  await t.test('confirmTotp turns on no other secret than that of the code, which createTotp may end', async (t) => {
    const racing = await buildTestApp(t, RACING);
    const { token } = await racing.register();
    const setUp = () => racing.post('/api/user/totp/', { token, body: { current_password: PASSWORD } });
    for (let round = 0; round < 8; round++) {
      const { secret } = (await setUp()).body;
      const [confirmed, begun] = await race(racing, 'select from totps for update', [
        () => racing.post('/api/user/totp/confirm/', { token, body: { code: codeOf(secret) } }),
        setUp,
      ]);
      const statuses = [confirmed?.status, begun?.status].join();
      t.ok(['200,409', '400,200'].includes(statuses), statuses);
      const { is_active } = await stateOf(racing, { token });
      t.equal(is_active, confirmed?.status === 200);
      await racing.database.db.delete(totps);
    }
  });
});

t.test('logIn with a second factor', async (t) => {
  const { api, clock, pass, logIn, registerTwoFactor } = await open(t);
  const { db } = api.database;

  await t.test('logIn 401 otp-required only to who has the right password', async (t) => {
    const user = await registerTwoFactor();
    const plain = await api.register();
    const REQUIRED = {
      status: 401,
      body: { type: '/problems/otp-required' },
      headers: { 'www-authenticate': 'Bearer' },
    };
    for (const otp of [undefined, '', ' ']) t.match(await logIn(user.username, otp), REQUIRED);
    const answers = [
      await logIn(user.username, undefined, 'wrong-Apple-1'),
      await logIn(user.username, user.code(), 'wrong-Apple-1'),
      await logIn(plain.username, '123456', 'wrong-Apple-1'),
      await logIn('nobody', '123456', 'wrong-Apple-1'),
    ];
    t.equal(new Set(answers.map(({ status, body }) => JSON.stringify([status, { ...body, instance: '' }]))).size, 1);
    t.match(answers[0], { status: 401, body: { type: '/problems/not-authenticated' } });
    t.equal((await logIn(user.username, user.code())).status, 200, 'which has used up no code');
  });

  await t.test('logIn 200 for who has none, whatever otp is', async (t) => {
    const user = await api.register();
    for (const otp of [undefined, '', '123456', 'x'.repeat(100)])
      t.equal((await logIn(user.username, otp)).status, 200);
    t.equal((await logIn(user.username, 'x'.repeat(101))).status, 400);
  });

  for (const [steps, status] of [
    [-2, 401],
    [-1, 200],
    [0, 200],
    [1, 200],
    [2, 401],
  ] as const) {
    await t.test(`logIn ${status} for the code of ${steps} half minutes from now`, async (t) => {
      const user = await registerTwoFactor();
      pass(10 * HALF_MINUTE);
      t.equal((await logIn(user.username, user.code(steps))).status, status);
    });
  }

  await t.test('logIn 401 for a code that was used, and for one before it', async (t) => {
    const user = await registerTwoFactor();
    pass(10 * HALF_MINUTE);
    t.equal((await logIn(user.username, user.code(0))).status, 200);
    t.match(await logIn(user.username, user.code(0)), { status: 401, body: { type: '/problems/otp-wrong' } });
    t.equal((await logIn(user.username, user.code(-1))).status, 401);
    t.equal((await logIn(user.username, user.code(1))).status, 200);
    t.equal((await logIn(user.username, user.code(1))).status, 401);
  });

  await t.test('logIn 200 for one and 401 for the rest of many at once with one code, on every instance', async (t) => {
    const racing = await buildTestApp(t, RACING);
    const second = await anotherInstance(t, racing);
    const user = await racing.register();
    const { secret, recoveryCodes } = await enrol(racing, user);
    for (const otp of [codeOf(secret, MORNING, 1), recoveryCodes[0]]) {
      const body = { username: user.username, password: PASSWORD, otp };
      const answers = await race(
        racing,
        'select from totps for update',
        [racing, second, racing].map((api) => () => api.post('/api/user/login/', { body })),
      );
      t.strictSame(answers.map(({ status }) => status).sort(), [200, 401, 401]);
    }
  });

  await t.test('logIn 200 once for each recovery code, however it is typed', async (t) => {
    const user = await registerTwoFactor();
    const typed = user.recoveryCodes.map((code, index) =>
      [
        code,
        code.toLowerCase(),
        code.replaceAll('-', ''),
        ` ${code.replaceAll('-', ' ')} `,
        code.replaceAll('0', 'o'),
      ].at(index % 5),
    ) as string[];
    for (const [index, code] of typed.entries()) {
      const from = `192.0.2.${index}`;
      t.equal((await logIn(user.username, code, PASSWORD, from)).status, 200, code);
      t.match(await logIn(user.username, code, PASSWORD, from), { status: 401, body: { type: '/problems/otp-wrong' } });
      t.strictSame(await stateOf(api, user), { is_active: true, recovery_codes_left: 9 - index });
    }
    t.equal((await logIn(user.username, user.code())).status, 200, 'codes of the app go on');
  });

  await t.test('logIn 401 for codes of another user', async (t) => {
    const [ann, ben] = [await registerTwoFactor(), await registerTwoFactor()];
    t.equal((await logIn(ann.username, ben.code())).status, 401);
    t.equal((await logIn(ann.username, ben.recoveryCodes[0])).status, 401);
    await db.execute(sql`update totps set sealed_secret = (select sealed_secret from totps where user_id = ${ben.id})
      where user_id = ${ann.id}`);
    t.equal((await logIn(ann.username, ben.code())).status, 500, 'not by a row that was put in its place either');
  });

  await t.test('logIn 401 for the right code after 10 wrong ones of a day, from wherever and at once', async (t) => {
    const user = await registerTwoFactor();
    const wrong = wrongOf(user.code());
    const guesses = await Promise.all(
      Array.from({ length: 30 }, (_, index) => logIn(user.username, wrong, PASSWORD, `198.51.100.${index}`)),
    );
    t.strictSame(new Set(guesses.map(({ status }) => status)), new Set([401]));
    const [row] = await db.select().from(totps).where(eq(totps.userId, user.id));
    t.equal(row?.wrongCodes, 10);
    t.match(await logIn(user.username, user.code(), PASSWORD, '203.0.113.1'), {
      status: 401,
      body: { type: '/problems/otp-wrong' },
    });
    t.equal((await logIn(user.username, user.recoveryCodes[0], PASSWORD, '203.0.113.2')).status, 200);
    pass(DAY - HALF_MINUTE);
    t.equal((await logIn(user.username, user.code(), PASSWORD, '203.0.113.3')).status, 401);
    pass(HALF_MINUTE);
    t.equal((await logIn(user.username, user.code(), PASSWORD, '203.0.113.4')).status, 200);
  });

  await t.test('logIn 200 leaves the wrong codes of before counted, and is none itself', async (t) => {
    const user = await registerTwoFactor();
    for (let count = 0; count < 9; count++)
      await logIn(user.username, wrongOf(user.code()), PASSWORD, `192.0.2.${count}`);
    for (let count = 0; count < 3; count++) {
      t.equal((await logIn(user.username, user.code(), PASSWORD, '198.51.100.1')).status, 200);
      pass(HALF_MINUTE);
    }
    await logIn(user.username, wrongOf(user.code()), PASSWORD, '198.51.100.2');
    t.equal((await logIn(user.username, user.code(), PASSWORD, '198.51.100.3')).status, 401);
  });

  await t.test('logIn 429 after 10 wrong or missing codes of one address', async (t) => {
    for (const otp of [undefined, 'wrong']) {
      const user = await registerTwoFactor();
      const answers = await Promise.all(Array.from({ length: 15 }, () => logIn(user.username, otp)));
      t.strictSame(answers.map(({ status }) => status).sort(), [...Array(10).fill(401), ...Array(5).fill(429)]);
      t.equal((await logIn(user.username, user.code())).status, 429);
    }
  });

  await t.test('logIn 401 opens no session', async (t) => {
    const user = await registerTwoFactor();
    const before = await db.$count(sessions, eq(sessions.userId, user.id));
    await logIn(user.username);
    await logIn(user.username, 'wrong');
    t.equal(await db.$count(sessions, eq(sessions.userId, user.id)), before);
  });

  await t.test('changePassword and resetPassword leave the second factor as it is', async (t) => {
    const user = await registerTwoFactor();
    const NEW = 'walnut-Bicycle-7';
    const change = { current_password: PASSWORD, password: NEW, confirm_password: NEW };
    t.equal((await api.post('/api/user/password/', { token: user.token, body: change })).status, 200);
    t.match(await logIn(user.username, undefined, NEW), { status: 401, body: { type: '/problems/otp-required' } });
    const staff = await api.registerStaff();
    const { code } = (await api.post(`/api/user/users/${user.id}/password-reset/`, { token: staff.token })).body;
    const reset = { username: user.username, code, password: PASSWORD, confirm_password: PASSWORD };
    t.equal((await api.post('/api/user/password/reset/', { body: reset })).status, 204);
    t.match(await logIn(user.username), { status: 401, body: { type: '/problems/otp-required' } });
    t.equal((await logIn(user.username, user.code())).status, 200);
  });

  await t.test('logIn 401 where the second factor is removed while the code is judged', async (t) => {
    const racing = await buildTestApp(t, RACING);
    const user = await racing.register();
    const { secret } = await enrol(racing, user);
    const body = { username: user.username, password: PASSWORD, otp: codeOf(secret, MORNING, 1) };
    const [answer] = await race(racing, `delete from totps where user_id = ${user.id}`, [
      () => racing.post('/api/user/login/', { body }),
    ]);
    t.equal(answer?.status, 401);
  });

  t.ok(clock.now > MORNING);
});

t.test('RATE_LIMIT_AUTH: who has sent the right password alone is counted as the user', async (t) => {
  const { api, logIn } = await open(t, { RATE_LIMIT_AUTH: '3' });
  const user = await api.register();
  await enrol(api, user);
  for (let count = 0; count < 5; count++) t.equal((await logIn(user.username)).status, 401);
  for (const [otp, status] of [
    ['wrong', 401],
    ['wrong', 401],
    ['wrong', 429],
  ] as const) {
    t.equal((await logIn(user.username, otp)).status, status);
  }
});

t.test('changing and turning off', async (t) => {
  const { api, clock, logIn, registerTwoFactor, pass } = await open(t);
  const { db } = api.database;
  const post = ({ token }: Pick<User, 'token'>, path: string, otp: string, current_password = PASSWORD) =>
    api.post(`/api/user/totp/${path}/`, { token, body: { current_password, otp } });
  const knock = async (token: string) => (await api.patch('/doctors/999999/', { token, body: {} })).status;

  await t.test('createRecoveryCodes 200 with ten others, which end those of before', async (t) => {
    const user = await registerTwoFactor();
    t.equal((await logIn(user.username, user.recoveryCodes[1])).status, 200);
    const { status, body } = await post(user, 'recovery-codes', user.recoveryCodes[0] as string);
    t.equal(status, 200);
    t.equal(new Set([...body.recovery_codes, ...user.recoveryCodes]).size, 20);
    t.strictSame(await stateOf(api, user), { is_active: true, recovery_codes_left: 10 });
    t.equal((await logIn(user.username, user.recoveryCodes[2])).status, 401);
    t.equal((await logIn(user.username, body.recovery_codes[2])).status, 200);
  });

  for (const path of ['recovery-codes', 'remove']) {
    const operation = path === 'remove' ? 'removeTotp' : 'createRecoveryCodes';
    await t.test(`${operation} 400 for a wrong password or code, and where there is none`, async (t) => {
      const user = await registerTwoFactor();
      const errors = async (answer: ReturnType<typeof post>) => {
        const { status, body } = await answer;
        t.equal(status, 400);
        return body.errors;
      };
      t.strictSame(await errors(post(user, path, user.code(), 'wrong-Apple-1')), { current_password: ['is wrong'] });
      t.strictSame(await errors(post(user, path, wrongOf(user.code()))), { otp: [IS_WRONG] });
      t.strictSame(await errors(post(user, path, 'ABCD-ABCD-ABCD-ABCD-ABCD-ABCD')), { otp: [IS_WRONG] });
      t.strictSame(await errors(post(await api.register(), path, '123456')), { otp: [IS_FOR_NOTHING] });
      const pending = await api.register();
      const begun = await api.post('/api/user/totp/', { token: pending.token, body: { current_password: PASSWORD } });
      t.strictSame(await errors(post(pending, path, codeOf(begun.body.secret, clock.now))), { otp: [IS_FOR_NOTHING] });
      t.equal((await stateOf(api, user)).is_active, true);
      for (let count = 0; count < 7; count++) await post(user, path, 'wrong');
      t.equal((await post(user, path, user.code())).status, 429, 'they count as failed logins');
    });
  }

  await t.test('removeTotp 204: the password is enough again, and all other sessions are ended', async (t) => {
    for (const otpOf of [
      (user: { code: () => string; recoveryCodes: string[] }) => user.code(),
      (user: { code: () => string; recoveryCodes: string[] }) => user.recoveryCodes[3] as string,
    ]) {
      const user = await registerTwoFactor();
      const other = (await logIn(user.username, user.recoveryCodes[0])).body;
      t.equal((await post(user, 'remove', otpOf(user))).status, 204);
      t.strictSame(await stateOf(api, user), { is_active: false, recovery_codes_left: 0 });
      t.equal((await logIn(user.username)).status, 200);
      t.equal(await knock(user.token), 404);
      t.equal(await knock(other.access), 401);
      t.equal(await db.$count(totps, eq(totps.userId, user.id)), 0);
    }
  });

  await t.test('deleteUserTotp 204: staff turn it off, and end the sessions on every instance', async (t) => {
    const user = await registerTwoFactor();
    const staff = await api.registerStaff();
    const second = await anotherInstance(t, api);
    t.equal((await api.delete(`/api/user/users/${user.id}/totp/`, { token: staff.token })).status, 204);
    t.equal(await knock(user.token), 401);
    t.equal((await second.patch('/doctors/999999/', { token: user.token, body: {} })).status, 401);
    t.equal((await api.post('/api/user/token/refresh/', { body: { refresh: user.refresh } })).status, 401);
    t.equal((await logIn(user.username)).status, 200);
    t.equal((await api.delete(`/api/user/users/${user.id}/totp/`, { token: staff.token })).status, 404);
  });

  await t.test(
    'deleteUserTotp 404 of one that is not confirmed, whose user stays signed in; 403 of the own',
    async (t) => {
      const [user, staff] = [await api.register(), await api.registerStaff()];
      await api.post('/api/user/totp/', { token: user.token, body: { current_password: PASSWORD } });
      t.equal((await api.delete(`/api/user/users/${user.id}/totp/`, { token: staff.token })).status, 404);
      t.equal(await knock(user.token), 404);
      await enrol(api, staff, clock.now);
      t.match(await api.delete(`/api/user/users/${staff.id}/totp/`, { token: staff.token }), {
        status: 403,
        body: { type: '/problems/not-allowed', detail: 'Remove your own with POST /api/user/totp/remove/.' },
      });
      t.equal((await stateOf(api, staff)).is_active, true);
    },
  );

  await t.test('removeSecondFactor, of the operator', async (t) => {
    const user = await registerTwoFactor();
    t.equal(await removeSecondFactor(db, 'nobody'), false);
    t.equal(await removeSecondFactor(db, user.username.toUpperCase()), true);
    t.equal((await logIn(user.username)).status, 200);
    t.equal(await db.$count(sessions, eq(sessions.userId, user.id)), 1);
  });

  await t.test('a user who is deleted leaves none', async (t) => {
    const user = await registerTwoFactor();
    await db.execute(sql`delete from patients where user_id = ${user.id}`);
    await db.delete(users).where(eq(users.id, user.id));
    t.equal(await db.$count(totps, eq(totps.userId, user.id)), 0);
  });

  await t.test('the audit has each, by whom', async (t) => {
    const user = await api.register();
    const staff = await api.registerStaff();
    const { secret, recoveryCodes } = await enrol(api, user, clock.now);
    pass(HALF_MINUTE);
    await logIn(user.username, recoveryCodes[0]);
    await post(user, 'recovery-codes', codeOf(secret, clock.now));
    await api.delete(`/api/user/users/${user.id}/totp/`, { token: staff.token });
    await api.app.audit.flush();
    const events = await db.execute<{ event: string }>(sql`
      select actor || ' ' || coalesce(actor_id::text, '') || ' ' || action || ' ' || outcome as event from audit_events
      where resource = 'users' and (actor_id = ${user.id} or ${user.id} = any(record_ids))
        and action ~ 'totp|recovery' order by id`);
    const [u, s] = [`user ${user.id}`, `staff ${staff.id}`];
    t.strictSame(events.map(({ event }) => event).sort(), [
      `${s} disable-totp answered`,
      `${s} disable-totp stored`,
      `${u} begin-totp answered`,
      `${u} enable-totp answered`,
      `${u} enable-totp stored`,
      `${u} renew-recovery-codes answered`,
      `${u} renew-recovery-codes stored`,
      `${u} use-recovery-code stored`,
    ]);
    const unsigned = await db.execute(
      `select from audit_events where actor = 'database' and action ~ 'totp|recovery' and record_ids = '{${user.id}}'`,
    );
    t.equal(unsigned.length, 0);
  });
});

t.test('STAFF_MFA=required', async (t) => {
  const { api, clock, logIn, pass } = await open(t, { STAFF_MFA: 'required' });
  const { db } = api.database;
  const MFA = { status: 403, body: { type: '/problems/mfa-required', detail: /POST \/api\/user\/totp\// } };
  const users = (token: string) => api.get('/api/user/users/', { token });

  await t.test('listUsers 403 to staff without one, 200 in the session in which it is set up', async (t) => {
    const staff = await api.registerStaff();
    t.match(await users(staff.token), MFA);
    t.equal((await api.get('/api/user/profiles/me/', { token: staff.token })).status, 200, 'what is their own');
    t.equal((await api.get('/doctors/', { token: staff.token })).status, 200, 'what is public');
    const { recoveryCodes } = await enrol(api, staff, clock.now);
    t.equal((await users(staff.token)).status, 200);
    const { refresh } = (await logIn(staff.username, recoveryCodes[0])).body;
    const { access } = (await api.post('/api/user/token/refresh/', { body: { refresh } })).body;
    t.equal((await users(access)).status, 200, 'and in those of logins with a code');
    pass(HALF_MINUTE);
  });

  await t.test('staff without one are like any other user: 403 says what lacks, 404 hides', async (t) => {
    const [staff, owner] = [await api.registerStaff(), await api.register()];
    const { id } = (await api.get('/patients/me/', { token: owner.token })).body;
    t.equal((await api.get(`/patients/${id}/`, { token: staff.token })).status, 404);
    const desk = { first_name: 'A', last_name: 'B', phone: '555 1234' };
    t.match(await api.post('/patients/', { token: staff.token, body: desk }), MFA);
    t.equal((await api.get('/patients/me/', { token: staff.token })).body.phone, null, 'is not their own');
    const doctor = await api.registerDoctor();
    t.match(await api.patch(`/doctors/${doctor.doctorId}/`, { token: staff.token, body: { fee: 1 } }), MFA);
    t.match(await api.post('/doctors/', { token: staff.token, body: { user: owner.id } }), MFA);
    t.match(await api.post('/api/user/logout/', { token: staff.token, body: { refresh: owner.refresh } }), {
      status: 403,
      body: { type: '/problems/not-allowed' },
    });
    t.match(await users(owner.token), { status: 403, body: { type: '/problems/not-allowed' } }, 'who is none');
  });

  await t.test('listUsers 403 in sessions of before, and in those of before it was removed', async (t) => {
    const staff = await api.registerStaff();
    const before = (await logIn(staff.username)).body;
    const second = await anotherInstance(t, api, { STAFF_MFA: 'required' });
    const { recoveryCodes } = await enrol(api, staff, clock.now);
    t.match(await users(before.access), MFA);
    t.equal((await users(staff.token)).status, 200);
    t.equal((await second.get('/api/user/users/', { token: staff.token })).status, 200);
    const body = { current_password: PASSWORD, otp: recoveryCodes[0] };
    t.equal((await api.post('/api/user/totp/remove/', { token: staff.token, body })).status, 204);
    t.match(await users(staff.token), MFA);
    const [row] = await db.select().from(sessions).where(eq(sessions.userId, staff.id));
    t.equal(row?.hasSecondFactor, false, 'as other instances read within 2 s');
  });

  await t.test('listUsers 403 to the first staff user too', async (t) => {
    await ensureStaff(db, { username: 'chief', email: 'chief@example.com', password: PASSWORD });
    const { access } = (await logIn('chief')).body;
    t.match(await users(access), MFA);
    await enrol(api, { token: access }, clock.now);
    t.equal((await users(access)).status, 200);
  });
});

t.test('STAFF_MFA=off: sessions of staff are staff without one', async (t) => {
  const api = await buildTestApp(t);
  const staff = await api.registerStaff();
  t.equal((await api.get('/api/user/users/', { token: staff.token })).status, 200);
});

t.test(
  'JWT_SECRET: what an older one has sealed is sealed anew at the start, and says so when it is lost',
  async (t) => {
    const NEW = 'the next secret of the tests, long enough too';
    const api = await buildTestApp(t);
    const { db } = api.database;
    const user = await api.register();
    const { secret, recoveryCodes } = await enrol(api, user);
    const logIn = (api: TestApp, otp: string | undefined) =>
      api.post('/api/user/login/', { body: { username: user.username, password: PASSWORD, otp } });
    const rows = () => db.select().from(totps);
    const [before] = await rows();
    t.equal(await resealTotps(db, sealsOf([SECRET])), 0);
    t.strictSame(await rows(), [before], 'nothing to do');

    const strange = await anotherInstance(t, api, { JWT_SECRET: NEW });
    t.match(await logIn(strange, codeOf(secret, MORNING, 1)), {
      status: 401,
      body: { type: '/problems/otp-wrong', detail: /^The code can not be checked any more: take a recovery code, or/ },
    });
    t.equal((await logIn(strange, recoveryCodes[0])).status, 200);
    t.equal(await resealTotps(db, sealsOf([NEW])), 1);
    t.equal(await resealTotps(db, sealsOf([NEW, SECRET])), 0);
    const [after] = await rows();
    t.not(after?.sealedSecret, before?.sealedSecret);
    t.not(after?.keyId, before?.keyId);
    t.equal((await logIn(strange, codeOf(secret, MORNING, 1))).status, 200, 'without the old one');
  },
);
