import { eq } from 'drizzle-orm';
import { createHmac } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import postgres from 'postgres';
import t from 'tap';
import { patients, sessions, users } from '../../db/tables/index.js';
import { anotherInstance, buildTestApp, type TestApp } from '../helpers/app.js';
import { someoneWaits } from '../helpers/database.js';
import { claimsOf, forgeToken, now } from '../helpers/tokens.js';

/** An operation for users; 404 says that the token was good. */
const knock = (api: TestApp, headers: Record<string, string>) => api.patch('/doctors/999999/', { body: {}, headers });
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

const NEEDED = 'The operation needs an access token in the Authorization header.';
const INVALID = 'The access token is not valid.';
const EXPIRED = 'The access token has expired.';

t.test('tokens', async (t) => {
  const api = await buildTestApp(t);
  const { id, token, refresh } = await api.register();
  const sub = String(id);
  const exp = now() + 60;
  const good = { sub, use: 'access', exp };
  const unsigned = (alg: string) => forgeToken(good, { header: { alg, typ: 'JWT' } }).replace(/[^.]*$/, '');
  const [head = '', , signature = ''] = token.split('.');
  const otherClaims = Buffer.from(JSON.stringify({ ...claimsOf(token), sub: '2' })).toString('base64url');
  const hs512 = (() => {
    const [header, claims] = forgeToken(good, { header: { alg: 'HS512', typ: 'JWT' } }).split('.');
    const text = `${header}.${claims}`;
    return `${text}.${createHmac('sha512', 'a secret of the tests, long enough for HS256').update(text).digest('base64url')}`;
  })();

  await t.test('what an access token says', async (t) => {
    const { iat, sid, ...claims } = claimsOf(token);
    t.match(sid, /^[0-9a-f]{64}$/);
    t.strictSame(claims, { sub, use: 'access', gen: 0, exp: Number(iat) + 3600 });
    t.strictSame(Object.keys(claimsOf(refresh)), ['sub', 'use', 'jti', 'iat', 'exp']);
    t.equal(Number(claimsOf(refresh)['exp']) - Number(claimsOf(refresh)['iat']), 30 * 86_400);
  });

  for (const [title, headers] of [
    ['as RFC 6750 has it', bearer(token)],
    ['with the scheme in lower case', { authorization: `bearer ${token}` }],
    ['with the scheme in upper case', { authorization: `BEARER ${token}` }],
    ['with more spaces', { authorization: `Bearer   ${token}  ` }],
    ['in a header of another spelling', { AUTHORIZATION: `Bearer ${token}` }],
    ['that another instance with the secret has signed', bearer(forgeToken(good))],
  ] as const) {
    await t.test(`updateDoctor takes an access token ${title}`, async (t) => {
      t.equal((await knock(api, headers)).status, 404);
    });
  }

  for (const [title, headers, detail] of [
    ['no header', {}, NEEDED],
    ['an empty header', { authorization: '' }, INVALID],
    ['a scheme without a token', { authorization: 'Bearer' }, INVALID],
    ['a token without a scheme', { authorization: token }, INVALID],
    ['another scheme', { authorization: `Basic ${token}` }, INVALID],
    ['another scheme that ends alike', { authorization: `XBearer ${token}` }, INVALID],
    ['two tokens', { authorization: `Bearer ${token} ${token}` }, INVALID],
    ['a list', { authorization: `Bearer ${token}, Bearer ${token}` }, INVALID],
    ['garbage', bearer('garbage'), INVALID],
    ['garbage in three parts', bearer('a.b.c'), INVALID],
    ['a token of 15 kB', bearer('a'.repeat(15_000)), INVALID],
    ['a token cut short', bearer(token.slice(0, -1)), INVALID],
    ['a refresh token', bearer(refresh), INVALID],
    [
      'a token of another secret',
      bearer(forgeToken(good, { secret: 'another secret, as long as it has to be' })),
      INVALID,
    ],
    ['a token with other claims', bearer(`${head}.${otherClaims}.${signature}`), INVALID],
    ['alg none', bearer(unsigned('none')), INVALID],
    ['alg None', bearer(unsigned('None')), INVALID],
    ['alg none with a signature', bearer(forgeToken(good, { header: { alg: 'none' } })), INVALID],
    ['no alg', bearer(forgeToken(good, { header: {} })), INVALID],
    ['HS256 without a signature', bearer(unsigned('HS256')), INVALID],
    ['HS512', bearer(hs512), INVALID],
    ['a token without a use', bearer(forgeToken({ sub, exp })), INVALID],
    ['a token without a user', bearer(forgeToken({ use: 'access', exp })), INVALID],
    ['a token for later', bearer(forgeToken({ ...good, nbf: now() + 60 })), INVALID],
    ...[`${sub}.0`, `-${sub}`, '', 'x', '1e3', '9'.repeat(17), '9'.repeat(16), '999999', {}, null].map(
      (subject): [string, object, string] => [
        `the user ${JSON.stringify(subject)}`,
        bearer(forgeToken({ ...good, sub: subject })),
        INVALID,
      ],
    ),
    ['claims that are no object', bearer(forgeToken('claims')), INVALID],
    ['claims that are null', bearer(forgeToken(null)), INVALID],
    ['an expired token', bearer(forgeToken({ ...good, exp: now() - 1 })), EXPIRED],
    [
      'an expired token of another secret',
      bearer(forgeToken({ ...good, exp: 1 }, { secret: 'x'.repeat(32) })),
      INVALID,
    ],
    ['an expired refresh token', bearer(forgeToken({ sub, use: 'refresh', jti: 'x', exp: now() - 1 })), EXPIRED],
  ] as [string, Record<string, string>, string][]) {
    await t.test(`updateDoctor 401 for ${title}`, async (t) => {
      const answer = await knock(api, headers);
      t.match(answer, { status: 401, body: { detail, type: '/problems/not-authenticated' } });
      t.equal(answer.headers['www-authenticate'], 'Bearer');
    });
  }

  await t.test('a public operation does not look at the token', async (t) => {
    for (const header of ['garbage', `Bearer ${refresh}`, bearer(forgeToken({ ...good, exp: 1 })).authorization]) {
      t.equal((await api.get('/doctors/', { headers: { authorization: header } })).status, 200);
    }
  });

  await t.test('createDesignation 401 without a token, 403 for a user, 201 for staff', async (t) => {
    const body = { name: 'Consultant', slug: 'consultant' };
    const create = (token?: string) => api.post('/designations/', { body, token });
    t.match(await create(), { status: 401, body: { detail: NEEDED } });
    t.match(await create(token), { status: 403, body: { detail: 'Only staff may do this.' } });
    t.equal((await create((await api.registerStaff()).token)).status, 201);
  });

  await t.test('the guard comes before the body is looked at', async (t) => {
    t.equal((await api.post('/designations/', { body: '{' })).status, 401);
    t.equal((await api.post('/designations/', { body: '{', token })).status, 403);
  });
});

t.test('an access token of a user who is no more, or no longer active, or of a session that has ended', async (t) => {
  const first = await buildTestApp(t);
  const second = await anotherInstance(t, first);
  const { db } = first.database;
  const gone = await first.register();
  const inactive = await first.register();
  const demoted = await first.registerStaff();
  const left = await first.register();
  const body = { name: 'n', slug: 's' };
  const outcomes = () =>
    Promise.all(
      [first, second].map(async (api) => [
        (await knock(api, bearer(gone.token))).status,
        (await knock(api, bearer(inactive.token))).status,
        (await api.put('/designations/999999/', { body, token: demoted.token })).status,
        (await knock(api, bearer(left.token))).status,
      ]),
    );
  t.strictSame(await outcomes(), [
    [404, 404, 404, 404],
    [404, 404, 404, 404],
  ]);
  await db.delete(patients).where(eq(patients.userId, gone.id));
  await db.delete(users).where(eq(users.id, gone.id));
  await db.update(users).set({ isActive: false }).where(eq(users.id, inactive.id));
  await db.update(users).set({ isStaff: false }).where(eq(users.id, demoted.id));
  await db.delete(sessions).where(eq(sessions.userId, left.id));
  const changed = performance.now();
  let began;
  let seen;
  do {
    // Requests go on, so that no instance may live on what it knew before. How long they take does not matter.
    began = performance.now();
    seen = await outcomes();
    await sleep(50);
  } while (String(seen) !== '401,401,403,401,401,401,403,401' && began - changed < 5_000);
  t.strictSame(
    seen,
    [
      [401, 401, 403, 401],
      [401, 401, 403, 401],
    ],
    'stops within 5 s on every instance',
  );
  await db.update(users).set({ isActive: true }).where(eq(users.id, inactive.id));
  first.app.tokens.forgetUser(inactive.id);
  t.equal((await knock(first, bearer(inactive.token))).status, 404, 'forgetUser makes an instance look anew at once');
});

t.test('forgetUser while the user is being looked up fails no request', async (t) => {
  const api = await buildTestApp(t);
  const { id, token } = await api.register();
  const lock = postgres(api.databaseUrl, { max: 1 });
  t.teardown(() => lock.end());
  const pending = await lock.begin(async (tx) => {
    await tx`lock table users in access exclusive mode`;
    const answer = knock(api, bearer(token));
    await someoneWaits(tx);
    api.app.tokens.forgetUser(id);
    return { answer };
  });
  t.equal((await pending.answer).status, 404);
});

t.test('a list of secrets', async (t) => {
  const [old, next] = ['the old one'.padEnd(40, '.'), 'the next one'.padEnd(40, '.')];
  const first = await buildTestApp(t);
  const [before, during, after] = await Promise.all(
    [[old], [next, old], [next]].map((list) => anotherInstance(t, first, { JWT_SECRET: JSON.stringify(list) })),
  );
  if (before === undefined || during === undefined || after === undefined) throw new Error();
  const headerOf = (token: string): unknown =>
    JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString());
  const seen = async ({ token, refresh }: { token: string; refresh: string }) =>
    Promise.all(
      [before, during, after].map(async (api) => [
        (await knock(api, bearer(token))).status,
        (await api.post('/api/user/token/refresh/', { body: { refresh } })).status,
      ]),
    );
  const [GOOD, BAD] = [
    [404, 200],
    [401, 401],
  ];
  const [ofBefore, ofDuring, ofAfter] = [
    await before.register({ username: 'before' }),
    await during.register({ username: 'during' }),
    await after.register({ username: 'after' }),
  ];

  await t.test('the first signs, with a kid of its own that gives nothing away; all verify', async (t) => {
    t.strictSame(await seen(ofBefore), [GOOD, GOOD, BAD]);
    t.strictSame(await seen(ofDuring), [BAD, GOOD, GOOD]);
    t.strictSame(await seen(ofAfter), [BAD, GOOD, GOOD]);
    const [header, other] = [ofDuring.token, ofBefore.token].map(headerOf) as [{ kid: string }, { kid: string }];
    t.strictSame(Object.keys(header), ['alg', 'typ', 'kid']);
    t.match(header.kid, /^[\w-]{16}$/);
    t.not(header.kid, other.kid);
    t.strictSame(headerOf(ofAfter.token), header, 'wherever the secret stands in a list');
    t.strictSame(headerOf(ofDuring.refresh), header);
  });

  const claims = { sub: String(ofBefore.id), use: 'access', exp: now() + 60 };
  const { kid: kidOfNext } = headerOf(ofAfter.token) as { kid: string };
  for (const [title, token, statuses] of [
    ['without a kid, from before there were several', forgeToken(claims, { secret: old }), [404, 404, 401]],
    ['of the next secret without a kid', forgeToken(claims, { secret: next }), [401, 404, 404]],
    ...['unknown', '', null, 7, {}, '__proto__'].map((kid): [string, string, number[]] => [
      `with the kid ${JSON.stringify(kid)}`,
      forgeToken(claims, { secret: old, header: { alg: 'HS256', typ: 'JWT', kid } }),
      [401, 401, 401],
    ]),
    [
      'with the kid of another secret of the list',
      forgeToken(claims, { secret: old, header: { alg: 'HS256', typ: 'JWT', kid: kidOfNext } }),
      [401, 401, 401],
    ],
  ] as [string, string, number[]][]) {
    await t.test(`updateDoctor ${[...new Set(statuses)].join(' or ')} for a token ${title}`, async (t) => {
      const answers = await Promise.all([before, during, after].map((api) => knock(api, bearer(token))));
      t.strictSame(
        answers.map(({ status }) => status),
        statuses,
      );
    });
  }

  await t.test('an expired token of either is said to be expired, and still logs out', async (t) => {
    for (const secret of [old, next]) {
      const answer = await knock(during, bearer(forgeToken({ ...claims, exp: now() - 1 }, { secret })));
      t.match(answer, { status: 401, body: { detail: EXPIRED } });
      const refresh = forgeToken({ ...claims, use: 'refresh', jti: 'x', exp: now() - 1 }, { secret });
      t.equal((await during.post('/api/user/logout/', { body: { refresh } })).status, 200);
    }
  });
});
