import { eq, sql } from 'drizzle-orm';
import { mock } from 'node:test';
import t from 'tap';
import { caseless } from '../../db/tables/columns.js';
import { patients, profiles, sessions, users } from '../../db/tables/index.js';
import { ensureStaff, InvalidStaff, promoteUser } from '../../src/resources/users/staff.js';
import { hashPassword } from '../../src/lib/passwords.js';
import { anotherInstance, buildTestApp, PASSWORD, type TestApp } from '../helpers/app.js';
import { keepFull } from '../helpers/line.js';
import { race } from '../helpers/races.js';
import { claimsOf, forgeToken, now } from '../helpers/tokens.js';

const REGISTER = '/api/user/register/';
const LOGIN = '/api/user/login/';
const REFRESH = '/api/user/token/refresh/';
const LOGOUT = '/api/user/logout/';

const person = (username: string, more: object = {}) => ({
  username,
  email: `${username}@example.org`,
  password: PASSWORD,
  confirm_password: PASSWORD,
  ...more,
});
const logIn = (api: TestApp, username: string, password = PASSWORD) =>
  api.post(LOGIN, { body: { username, password } });
const refreshToken = (api: TestApp, refresh: unknown) => api.post(REFRESH, { body: { refresh } });
const logOut = (api: TestApp, refresh: unknown, token?: string) => api.post(LOGOUT, { body: { refresh }, token });
/** 404 says that the access token is good. */
const knock = async (api: TestApp, token: string) => (await api.patch('/doctors/999999/', { token, body: {} })).status;
const usersNamed = (api: TestApp, username: string) =>
  api.database.db.$count(users, sql`${caseless(users.username)} = ${username.toLowerCase()}`);

t.test('registerUser', async (t) => {
  const api = await buildTestApp(t);
  const { db } = api.database;
  const register = (body: unknown) => api.post(REGISTER, { body });

  await t.test('registerUser 201 with the user and tokens that work', async (t) => {
    const before = Date.now() - 1000;
    const answer = await register(person('Ada', { first_name: ' Ada ', last_name: 'Lovelace', is_staff: true, id: 7 }));
    t.equal(answer.status, 201);
    const { message, tokens, user } = answer.body;
    t.equal(message, 'User registered successfully.');
    const { id, date_joined: joined, ...rest } = user;
    t.strictSame(rest, {
      username: 'Ada',
      email: 'Ada@example.org',
      first_name: 'Ada',
      last_name: 'Lovelace',
      is_staff: false,
      is_active: true,
    });
    t.match(joined, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    t.ok(Date.parse(joined) > before && Date.parse(joined) < Date.now() + 1000);
    t.equal(await knock(api, tokens.access), 404);
    t.equal((await refreshToken(api, tokens.refresh)).status, 200);
    t.equal(claimsOf(tokens.access)['sub'], String(id));
    const [profile] = await db.select().from(profiles).where(eq(profiles.userId, id));
    t.match(profile, { bio: '', address: '', dateOfBirth: null, picture: null, filled: false });
    const [patient] = await db.select().from(patients).where(eq(patients.userId, id));
    t.match(patient, { phone: null, picture: null, filled: false, archivedAt: null });
    const [stored] = await db.select({ hash: users.passwordHash }).from(users).where(eq(users.id, id));
    t.match(stored?.hash, /^\$argon2id\$/);
    t.notMatch(answer.text, PASSWORD);
  });

  for (const [title, body, expected] of [
    ['without names', person('plain'), { first_name: '', last_name: '' }],
    ['with the shortest name', person('b'), { username: 'b' }],
    ['with the longest name', person('c'.repeat(150), { email: 'c@example.org' }), { username: 'c'.repeat(150) }],
    ['with every kind of character', person('A_z.9@x+-', { email: 'd@example.org' }), { username: 'A_z.9@x+-' }],
    ['with the longest names', person('e', { first_name: '⭐'.repeat(150) }), { first_name: '⭐'.repeat(150) }],
    ['with the longest email', person('f', { email: `${'f'.repeat(242)}@example.org` }), { username: 'f' }],
  ] as const) {
    await t.test(`registerUser 201 ${title}`, async (t) => {
      const answer = await register(body);
      t.match(answer, { status: 201, body: { user: expected } });
    });
  }
  for (const password of [
    '8 chars!',
    'x'.repeat(100) + '-Tractor-plum',
    '           ',
    'пароль-и-трактор',
    'a\tb\nc-91-plum',
  ]) {
    await t.test(`registerUser 201 and logIn 200 with the password ${JSON.stringify(password)}`, async (t) => {
      const name = `p${password.length}${password.charCodeAt(0)}`;
      t.equal((await register(person(name, { password, confirm_password: password }))).status, 201);
      t.equal((await logIn(api, name, password)).status, 200);
      t.equal((await logIn(api, name, `${password} `)).status, 401);
    });
  }

  const NAME = ['may contain only letters, digits and _ . @ + -'];
  const EMAIL = ['must be an email address'];
  const SHORT = 'must have at least 8 characters';
  const COMMON = 'must not be a commonly used password';
  const DIGITS = 'must not be all digits';
  const ALIKE = 'must not be much like your user name, email or name';
  const SAME = 'must be the same as password';
  for (const [change, errors] of [
    ...['a b', 'ä', 'a/b', 'a\nb', 'a,b', '<a>', '⭐'].map((username) => [{ username }, { username: NAME }]),
    [{ username: 'x'.repeat(151) }, { username: ['must have at most 150 characters'] }],
    [{ username: null }, { username: ['must be a string'] }],
    [
      { username: undefined, email: undefined },
      { username: ['is required'], email: ['is required'] },
    ],
    ...['new', 'new@', 'new@x', 'a b@example.org', '@example.org', 'a@b@example.org', 'new@example\n.org'].map(
      (email) => [{ email }, { email: EMAIL }],
    ),
    [{ email: `${'x'.repeat(243)}@example.org` }, { email: ['must have at most 254 characters'] }],
    [{ email: '' }, { email: EMAIL }],
    [
      { first_name: 'x'.repeat(151), last_name: 7 },
      { first_name: ['must have at most 150 characters'], last_name: ['must be a string'] },
    ],
    [{ first_name: null }, { first_name: ['must be a string'] }],
    [{ first_name: 'a\0b' }, { first_name: ['must not contain control characters'] }],
    [{ confirm_password: 'plum-Tractor-92' }, { confirm_password: [SAME] }],
    [{ confirm_password: undefined }, { confirm_password: ['is required'] }],
    [{ password: undefined }, { password: ['is required'], confirm_password: [SAME] }],
    ...(
      [
        ['plum-91', [SHORT]],
        ['x'.repeat(129), ['must have at most 128 characters']],
        ['7351946285', [DIGITS]],
        ['password', [COMMON]],
        ['12345678', [DIGITS, COMMON]],
        ['newcomer', [COMMON, ALIKE]],
        ['NewComer7', [ALIKE]],
        ['newcomer@example', [ALIKE]],
        ['lovelace-1', [ALIKE]],
        ['augusta.1', [ALIKE]],
      ] as const
    ).map(([password, faults]) => [
      { password, confirm_password: password, first_name: 'Augusta', last_name: 'Lovelace' },
      { password: faults, ...(password.length > 128 && { confirm_password: faults }) },
    ]),
    [
      { username: '', email: 'x', first_name: 1, last_name: 2, password: 'plum-91', confirm_password: 'other' },
      {
        username: ['must not be empty', ...NAME],
        email: EMAIL,
        first_name: ['must be a string'],
        last_name: ['must be a string'],
        password: [SHORT],
        confirm_password: [SAME],
      },
    ],
  ] as [object, object][]) {
    await t.test(`registerUser 400 for ${JSON.stringify(change).slice(0, 100)}`, async (t) => {
      const answer = await register({ ...person('newcomer'), ...change });
      t.equal(answer.status, 400);
      t.strictSame(answer.body.errors, errors);
      t.equal(await usersNamed(api, 'newcomer'), 0);
    });
  }

  await t.test('registerUser 409 for user name and email, without regard to case, both at once', async (t) => {
    await api.register({ username: 'Grace', email: 'Grace@Example.org' });
    const taken = ['is taken already'];
    for (const [body, errors] of [
      [person('GRACE', { email: 'other@example.org' }), { username: taken }],
      [person('other', { email: 'gRACE@eXAMPLE.oRG' }), { email: taken }],
      [person('grace'), { username: taken, email: taken }],
      [person('Ada', { email: 'grace@example.org' }), { username: taken, email: taken }],
    ] as const) {
      const answer = await register(body);
      t.match(answer, { status: 409, body: { type: '/problems/already-exists' } });
      t.strictSame(answer.body.errors, errors);
    }
    t.equal(await usersNamed(api, 'other'), 0);
  });

  await t.test('registerUser 201 for one and 409 for the rest of many at once', async (t) => {
    for (const bodies of [
      Array.from({ length: 20 }, () => person('crowd')),
      Array.from({ length: 6 }, (_, index) => person(index % 2 ? 'Mob' : 'mOB', { email: `mob${index}@example.org` })),
      Array.from({ length: 6 }, (_, index) =>
        person(`host${index}`, { email: index % 2 ? 'Host@example.org' : 'hOST@example.org' }),
      ),
    ]) {
      const statuses = (await Promise.all(bodies.map(register))).map(({ status }) => status).sort();
      t.strictSame(statuses, [201, ...bodies.slice(1).map(() => 409)]);
    }
    t.equal(await usersNamed(api, 'crowd'), 1);
    t.equal(await db.$count(profiles), await db.$count(users), 'each user has a profile');
    t.equal(await db.$count(patients), await db.$count(users), 'and a patient record');
  });

  await t.test('registerUser is all or nothing', async (t) => {
    await db.execute(sql`alter table patients add constraint never check (false) not valid`);
    const { statusCode, payload } = await api.app.inject({ method: 'POST', url: REGISTER, payload: person('half') });
    await db.execute(sql`alter table patients drop constraint never`);
    t.equal(statusCode, 500);
    t.notMatch(payload, /never|patients|half/);
    t.equal(await usersNamed(api, 'half'), 0);
    t.equal((await register(person('half'))).status, 201);
  });
});

t.test('logIn', async (t) => {
  const api = await buildTestApp(t);
  const { db } = api.database;
  const ada = await api.register({ username: 'Ada' });
  const idle = await api.register({ username: 'idle' });
  await db.update(users).set({ isActive: false }).where(eq(users.id, idle.id));

  await t.test('logIn 200 with tokens that work, whatever the case of the name', async (t) => {
    for (const name of ['Ada', 'ada', 'ADA']) {
      const answer = await logIn(api, name);
      t.equal(answer.status, 200);
      t.strictSame(Object.keys(answer.body).sort(), ['access', 'refresh']);
      t.equal(await knock(api, answer.body.access), 404);
      t.equal((await refreshToken(api, answer.body.refresh)).status, 200);
    }
    t.equal((await refreshToken(api, ada.refresh)).status, 200, 'and earlier sessions go on');
  });

  await t.test('logIn 401, one and the same for a wrong name, a wrong password and an inactive user', async (t) => {
    const bodies = new Set<string>();
    for (const [name, password] of [
      ['nobody', PASSWORD],
      ['Ada', 'plum-Tractor-92'],
      ['Ada', PASSWORD.toUpperCase()],
      ['Ada', ` ${PASSWORD}`],
      ['idle', PASSWORD],
      ['idle', 'plum-Tractor-92'],
      ['Ada@example.com', PASSWORD],
      ['A da', PASSWORD],
      ['%', PASSWORD],
      ["' or true --", PASSWORD],
    ] as const) {
      const answer = await logIn(api, name, password);
      t.equal(answer.status, 401, name);
      t.equal(answer.headers['www-authenticate'], 'Bearer');
      bodies.add(JSON.stringify({ ...answer.body, instance: '' }));
    }
    t.equal(bodies.size, 1);
    t.match([...bodies][0], 'User name or password is wrong, or the user is inactive.');
  });

  await t.test('logIn 401 works as long for a name that nobody has', async (t) => {
    const fastest = { unknown: Infinity, wrong: Infinity, inactive: Infinity };
    const fresh = await buildTestApp(t);
    await fresh.register({ username: 'ada' });
    const { id } = await fresh.register({ username: 'idle' });
    await fresh.database.db.update(users).set({ isActive: false }).where(eq(users.id, id));
    for (let round = 0; round < 5; round++) {
      for (const [kind, name, password] of [
        ['unknown', 'nobody', 'wrong password'],
        ['wrong', 'ada', 'wrong password'],
        ['inactive', 'idle', PASSWORD],
      ] as const) {
        const start = process.cpuUsage();
        await logIn(fresh, name, password);
        const { user, system } = process.cpuUsage(start);
        fastest[kind] = Math.min(fastest[kind], (user + system) / 1000);
      }
    }
    // Processor time, for which it does not matter what else runs: a lookup takes a few milliseconds, a hash tens.
    for (const time of [fastest.unknown, fastest.inactive]) {
      t.ok(time > fastest.wrong / 2 && time < fastest.wrong * 2, JSON.stringify(fastest));
    }
  });

  await t.test('logIn 400', async (t) => {
    for (const [body, errors] of [
      [{}, { username: ['is required'], password: ['is required'] }],
      [
        { username: '', password: '' },
        { username: ['must not be empty'], password: ['must not be empty'] },
      ],
      [
        { username: 7, password: null },
        { username: ['must be a string'], password: ['must be a string'] },
      ],
      [
        { username: 'x'.repeat(151), password: 'x'.repeat(129) },
        { username: ['must have at most 150 characters'], password: ['must have at most 128 characters'] },
      ],
      [{ username: 'a\0', password: 'x' }, { username: ['must not contain control characters'] }],
    ] as const) {
      const answer = await api.post(LOGIN, { body });
      t.equal(answer.status, 400);
      t.strictSame(answer.body.errors, errors);
    }
  });

  await t.test('logIn 200 for many at once, each with a session of its own', async (t) => {
    const answers = await Promise.all(Array.from({ length: 10 }, () => logIn(api, 'Ada')));
    t.strictSame(new Set(answers.map(({ status }) => status)), new Set([200]));
    t.equal(new Set(answers.map(({ body }) => claimsOf(body.refresh)['jti'])).size, 10);
  });

  await t.test('logIn 503, registerUser 503 where too many passwords wait, none of which is judged', async (t) => {
    await logIn(api, 'Ada', 'x');
    const count = await keepFull(
      (turn) => hashPassword(PASSWORD, turn),
      async () => {
        const calls = Array.from({ length: 12 }, () => [
          logIn(api, 'Ada'),
          logIn(api, 'nobody'),
          logIn(api, 'Ada', 'x'),
        ]);
        const answers = await Promise.all([...calls.flat(), api.post(REGISTER, { body: person('late') })]);
        for (const { status, headers, body } of answers) {
          t.match([status, headers['retry-after'], body.type], [503, '5', '/problems/unavailable']);
        }
      },
    );
    t.ok(count > 100);
    t.equal(await usersNamed(api, 'late'), 0);
    t.equal((await logIn(api, 'Ada')).status, 200, 'what was not judged is no failed login');
  });

  await t.test('logIn 200 while too many passwords wait, from where the last one was right', async (t) => {
    await logIn(api, 'Ada');
    await keepFull(
      (turn) => hashPassword(PASSWORD, turn),
      async () => void t.equal((await logIn(api, 'Ada')).status, 200),
    );
  });

  await t.test('logIn clears away sessions that have expired, and no others', async (t) => {
    const count = (userId: number) => db.$count(sessions, eq(sessions.userId, userId));
    const before = await count(ada.id);
    const expiresAt = new Date(Date.now() - 1000);
    await db.insert(sessions).values([
      { tokenHash: 'a'.repeat(64), userId: ada.id, expiresAt },
      { tokenHash: 'b'.repeat(64), userId: idle.id, expiresAt },
    ]);
    await logIn(api, 'Ada');
    t.equal(await count(ada.id), before + 1);
    t.equal(await count(idle.id), 2, "another user's stay");
  });

  for (const [title, change] of [
    ['its password is changed', `password_hash = '!'`],
    ['it becomes inactive', 'is_active = false'],
  ] as const) {
    await t.test(
      `logIn 401, changePassword 400 for a user of whom, while the old password is judged, ${title}`,
      async (t) => {
        const { id, token, username } = await api.register();
        const body = { current_password: PASSWORD, password: 'walnut-Ladder-63', confirm_password: 'walnut-Ladder-63' };
        const answers = await race(
          api,
          `update users set ${change}, token_generation = token_generation + 1 where id = ${id}`,
          [() => logIn(api, username), () => api.post('/api/user/password/', { token, body })],
        );
        t.strictSame(
          answers.map(({ status }) => status),
          [401, 400],
        );
        t.match(answers[1]?.body, { errors: { current_password: ['is wrong'] } });
        t.equal(await db.$count(sessions, eq(sessions.userId, id)), 1, 'and no session is opened');
      },
    );
  }

  await t.test('no token is in the database', async (t) => {
    const rows = await db.select().from(sessions);
    t.ok(rows.length > 0);
    t.notMatch(JSON.stringify(rows), String(claimsOf(ada.refresh)['jti']));
  });
});

t.test('refreshToken', async (t) => {
  const api = await buildTestApp(t, { ACCESS_TOKEN_TTL: '10m', REFRESH_TOKEN_TTL: '2d' });
  const { db } = api.database;
  const ada = await api.register({ username: 'ada' });
  const sub = String(ada.id);
  const { jti } = claimsOf(ada.refresh);
  const exp = now() + 60;
  const DETAIL = 'The refresh token is not valid, has expired or was logged out.';

  await t.test('refreshToken 200 again and again', async (t) => {
    for (let round = 0; round < 2; round++) {
      const answer = await refreshToken(api, ada.refresh);
      t.equal(answer.status, 200);
      t.strictSame(Object.keys(answer.body), ['access']);
      t.match(claimsOf(answer.body.access), { sub, use: 'access' });
      t.equal(await knock(api, answer.body.access), 404);
    }
  });

  await t.test('refreshToken 200 without regard to an access token that comes with it', async (t) => {
    for (const token of ['garbage', forgeToken({ sub, use: 'access', exp: 1 })]) {
      t.equal((await api.post(REFRESH, { body: { refresh: ada.refresh }, token })).status, 200);
    }
  });

  for (const [title, refresh] of [
    ['garbage', 'garbage'],
    ['an access token', ada.token],
    ['another secret', forgeToken({ sub, use: 'refresh', jti, exp }, { secret: 'x'.repeat(40) })],
    ['an expired token', forgeToken({ sub, use: 'refresh', jti, exp: now() - 1 })],
    ['a session that there is not', forgeToken({ sub, use: 'refresh', jti: 'none', exp })],
    ['no session', forgeToken({ sub, use: 'refresh', exp })],
    ["another user's session", forgeToken({ sub: '999999', use: 'refresh', jti, exp })],
    ['a token without a signature', `${ada.refresh.split('.').slice(0, 2).join('.')}.`],
  ] as const) {
    await t.test(`refreshToken 401 for ${title}`, async (t) => {
      const answer = await refreshToken(api, refresh);
      t.match(answer, { status: 401, body: { detail: DETAIL } });
      t.equal(answer.headers['www-authenticate'], 'Bearer');
    });
  }

  await t.test('refreshToken 400', async (t) => {
    for (const [refresh, message] of [
      [undefined, 'is required'],
      ['', 'must not be empty'],
      [null, 'must be a string'],
      [7, 'must be a string'],
      [[ada.refresh], 'must be a string'],
      ['x'.repeat(2001), 'must have at most 2000 characters'],
    ] as const) {
      t.match(await refreshToken(api, refresh), { status: 400, body: { errors: { refresh: [message] } } });
    }
  });

  await t.test('refreshToken 401 and 200 as the user is made inactive and active again', async (t) => {
    await db.update(users).set({ isActive: false }).where(eq(users.id, ada.id));
    t.equal((await refreshToken(api, ada.refresh)).status, 401);
    await db.update(users).set({ isActive: true }).where(eq(users.id, ada.id));
    t.equal((await refreshToken(api, ada.refresh)).status, 200);
  });

  await t.test('the lifetimes are those of the configuration', async (t) => {
    const start = Date.now();
    mock.timers.enable({ apis: ['Date'], now: start });
    t.teardown(() => mock.timers.reset());
    const { access, refresh } = (await logIn(api, 'ada')).body;
    const life = (token: string) => Number(claimsOf(token)['exp']) - Number(claimsOf(token)['iat']);
    t.strictSame([life(access), life(refresh)], [600, 2 * 86_400]);
    mock.timers.setTime(start + 599_000);
    t.equal(await knock(api, access), 404);
    mock.timers.setTime(start + 601_000);
    t.equal(await knock(api, access), 401);
    mock.timers.setTime(start + 2 * 86_400_000 - 1000);
    t.equal(await knock(api, (await refreshToken(api, refresh)).body.access), 404);
    mock.timers.setTime(start + 2 * 86_400_000 + 1000);
    t.equal((await refreshToken(api, refresh)).status, 401);
    t.equal((await logOut(api, refresh)).status, 200, 'a token that has expired can still be logged out');
  });

  await t.test('refreshToken 401 for a session that has expired in the database', async (t) => {
    const { refresh } = (await logIn(api, 'ada')).body;
    await db.update(sessions).set({ expiresAt: sql`now() - interval '1 second'` });
    t.equal((await refreshToken(api, refresh)).status, 401);
  });

  await t.test('refreshToken 401 once the user is no more', async (t) => {
    const gone = await api.register();
    await db.delete(patients).where(eq(patients.userId, gone.id));
    await db.delete(users).where(eq(users.id, gone.id));
    t.equal((await refreshToken(api, gone.refresh)).status, 401);
  });
});

t.test('logOut', async (t) => {
  const api = await buildTestApp(t);
  const { db } = api.database;
  const ada = await api.register({ username: 'ada' });
  const bob = await api.register({ username: 'bob' });
  const sub = String(ada.id);
  const session = async () => (await logIn(api, 'ada')).body as { refresh: string; access: string };
  const isOpen = async (refresh: string) => (await refreshToken(api, refresh)).status === 200;

  for (const [title, tokenOf] of [
    ['with an access token', ({ access }: { access: string }) => access],
    ['without one', () => undefined],
    ['with one that has expired', () => forgeToken({ sub, use: 'access', exp: now() - 1 })],
    ["with another user's that has expired", () => forgeToken({ sub: String(bob.id), use: 'access', exp: now() - 1 })],
  ] as const) {
    await t.test(`logOut 200 ${title}, and twice`, async (t) => {
      const own = await session();
      for (let round = 0; round < 2; round++) {
        const answer = await logOut(api, own.refresh, tokenOf(own));
        t.match(answer, { status: 200, body: { message: 'Logged out successfully.' } });
        t.notOk(await isOpen(own.refresh));
      }
      t.ok(await isOpen(ada.refresh), 'other sessions go on');
      t.equal(await knock(api, own.access), 401, 'its access tokens end with it');
      t.equal(await knock(api, ada.token), 404);
    });
  }

  await t.test('logOut 401 and 403 for access tokens that are not right, and the session goes on', async (t) => {
    const { refresh } = await session();
    t.match(await logOut(api, refresh, bob.token), {
      status: 403,
      body: { detail: 'The refresh token is of another user.' },
    });
    const staff = await api.registerStaff();
    t.equal((await logOut(api, refresh, staff.token)).status, 403, 'staff are no exception');
    for (const token of ['garbage', refresh, forgeToken({ sub, use: 'access', exp: 1 }, { secret: 'x'.repeat(40) })]) {
      t.equal((await logOut(api, refresh, token)).status, 401);
    }
    t.ok(await isOpen(refresh));
  });

  await t.test('logOut 400 for what is no refresh token of this server', async (t) => {
    const { jti } = claimsOf(ada.refresh);
    const notOurs = ['must be a refresh token of this server'];
    for (const [refresh, faults] of [
      ['garbage', notOurs],
      [ada.token, notOurs],
      [forgeToken({ sub, use: 'refresh', jti, exp: now() + 60 }, { secret: 'x'.repeat(40) }), notOurs],
      [forgeToken({ sub, use: 'refresh', jti, exp: now() - 60 }, { secret: 'x'.repeat(40) }), notOurs],
      [forgeToken({ sub, use: 'refresh', jti, exp: now() + 60 }, { header: { alg: 'none' } }), notOurs],
      [forgeToken({ sub, use: 'access', jti, exp: now() - 60 }), notOurs],
      ['', ['must not be empty']],
      [null, ['must be a string']],
      [undefined, ['is required']],
    ] as const) {
      const answer = await logOut(api, refresh);
      t.equal(answer.status, 400);
      t.strictSame(answer.body.errors, { refresh: faults });
    }
    t.ok(await isOpen(ada.refresh));
  });

  await t.test('logOut 200 for a user who is inactive', async (t) => {
    const { refresh, access } = await session();
    await db.update(users).set({ isActive: false }).where(eq(users.id, ada.id));
    api.app.tokens.forgetUser(ada.id);
    t.equal((await logOut(api, refresh, access)).status, 200);
    await db.update(users).set({ isActive: true }).where(eq(users.id, ada.id));
    api.app.tokens.forgetUser(ada.id);
    t.notOk(await isOpen(refresh));
  });
});

t.test('several instances on one database', async (t) => {
  const first = await buildTestApp(t);

  await t.test('tokens and log-outs hold on all that share the secret', async (t) => {
    const second = await anotherInstance(t, first);
    const { refresh, token } = await first.register();
    t.equal(await knock(second, token), 404);
    t.equal((await refreshToken(second, refresh)).status, 200);
    t.equal((await logOut(second, refresh)).status, 200);
    t.equal((await refreshToken(first, refresh)).status, 401);
    t.equal((await refreshToken(second, refresh)).status, 401);
  });

  await t.test('and are worth nothing where the secret is another', async (t) => {
    const other = await anotherInstance(t, first, { JWT_SECRET: 'another secret, as long as it has to be' });
    const { refresh, token, username } = await first.register();
    t.equal(await knock(other, token), 401);
    t.equal((await refreshToken(other, refresh)).status, 401);
    t.equal((await logOut(other, refresh)).status, 400);
    t.equal((await logIn(other, username)).status, 200);
  });
});

t.test('staff users', async (t) => {
  const api = await buildTestApp(t);
  const { db } = api.database;
  const boss = { username: 'Boss', email: 'boss@example.org', password: PASSWORD };
  const newcomer = { username: 'newcomer', email: 'newcomer@example.org', password: PASSWORD };

  await t.test(
    'ensureStaff makes one, of however many processes at once, and leaves an existing user alone',
    async (t) => {
      const ids = await Promise.all(Array.from({ length: 5 }, () => ensureStaff(db, boss)));
      t.equal(ids.filter((id) => id !== null).length, 1);
      const login = await logIn(api, 'boss');
      t.equal(
        (await api.post('/designations/', { body: { name: 'n', slug: 's' }, token: login.body.access })).status,
        201,
      );
      const other = { username: 'BOSS', email: 'other@example.org', password: 'short' };
      t.equal(await ensureStaff(db, other), null);
      const { username } = await api.register();
      t.equal(await ensureStaff(db, { ...boss, username }), null);
      const [row] = await db.select({ isStaff: users.isStaff }).from(users).where(eq(users.username, username));
      t.strictSame(row, { isStaff: false });
    },
  );

  for (const [change, message] of [
    [{ username: 'a b' }, 'the user name must have 1 to 150 letters, digits or any of _ . @ + -'],
    [{ username: '' }, 'the user name must have 1 to 150 letters, digits or any of _ . @ + -'],
    [{ email: 'x' }, 'the email must be an email address'],
    [{ password: 'short' }, 'the password must have 8 to 128 characters'],
    [{ password: 'x'.repeat(129) }, 'the password must have 8 to 128 characters'],
    [{ password: 'password' }, 'the password must not be a commonly used password'],
    [{ password: 'newcomer1' }, 'the password must not be much like the user name, email or name'],
    [{ email: 'BOSS@example.org' }, 'the email is taken by another user'],
  ] as const) {
    await t.test(`ensureStaff refuses ${JSON.stringify(change).slice(0, 60)}`, async (t) => {
      await t.rejects(
        ensureStaff(db, { ...newcomer, ...change }),
        new InvalidStaff(message, Object.keys(change)[0] as 'username'),
      );
    });
  }

  await t.test('promoteUser makes a user staff and active', async (t) => {
    const { id, username } = await api.register();
    await db.update(users).set({ isActive: false }).where(eq(users.id, id));
    t.equal(await promoteUser(db, username.toUpperCase()), true);
    const [row] = await db
      .select({ isStaff: users.isStaff, isActive: users.isActive })
      .from(users)
      .where(eq(users.id, id));
    t.strictSame(row, { isStaff: true, isActive: true });
    t.equal(await promoteUser(db, 'nobody'), false);
  });
});

t.test('user names and emails are of ASCII, and one by case alone, whatever the locale makes of I', async (t) => {
  const api = await buildTestApp(t);
  const { db } = api.database;
  const { id, token } = await api.register({ username: 'Ivy.Inigo', email: 'Ivy.Inigo@example.org' });
  const other = await api.register({ username: 'other' });
  const profile = (await api.get('/api/user/profiles/me/', { token: other.token })).body.id as number;
  const spellings = ['Ivy.Inigo', 'IVY.INIGO', 'ivy.inigo'];

  await t.test('registerUser 409 and updateProfile 409 in every spelling', async (t) => {
    for (const name of spellings) {
      const both = { username: name, email: `${name}@EXAMPLE.org` };
      const again = await api.post(REGISTER, { body: { ...both, password: PASSWORD, confirm_password: PASSWORD } });
      t.match(again, { status: 409, body: { errors: { username: [/taken/], email: [/taken/] } } });
      const change = await api.patch(`/api/user/profiles/${profile}/`, { token: other.token, body: both });
      t.match(change, { status: 409, body: { errors: { username: [/taken/], email: [/taken/] } } });
    }
  });

  await t.test('logIn 200 in every spelling, 401 with letters that are like them', async (t) => {
    for (const name of spellings) t.equal((await logIn(api, name)).status, 200);
    for (const name of ['ıvy.ınıgo', 'İVY.İNİGO']) t.equal((await logIn(api, name)).status, 401);
  });

  await t.test('a staff user is found in every spelling', async (t) => {
    for (const username of spellings) {
      t.equal(await ensureStaff(db, { username, email: 'x@example.org', password: PASSWORD }), null);
      t.equal(await promoteUser(db, username), true);
    }
    t.match((await api.get(`/api/user/users/${id}/`, { token })).body, { is_staff: true });
  });
});
