import { eq, sql } from 'drizzle-orm';
import t from 'tap';
import { sessions, users } from '../../db/tables/index.js';
import { anotherInstance, buildTestApp, MORNING, PASSWORD, type TestApp } from '../helpers/app.js';
import { race, RACING } from '../helpers/races.js';
import { claimsOf } from '../helpers/tokens.js';

const SESSIONS = '/api/user/sessions/';

const logIn = (api: TestApp, username: string, more: object = {}) =>
  api.post('/api/user/login/', { body: { username, password: PASSWORD }, ...more });
const refreshToken = (api: TestApp, refresh: unknown) => api.post('/api/user/token/refresh/', { body: { refresh } });
/** 404 says that the access token is good. */
const knock = async (api: TestApp, token: string) => (await api.patch('/doctors/999999/', { token, body: {} })).status;

t.test('sessions', async (t) => {
  const api = await buildTestApp(t, {}, { now: () => new Date() });
  const { db } = api.database;
  const list = async (token: string) => (await api.get(SESSIONS, { token })).body.results;

  await t.test('listSessions 200 with when and whence each was opened, of the caller alone', async (t) => {
    const ada = await api.register();
    await api.register();
    const { body } = await logIn(api, ada.username, {
      remoteAddress: '2001:db8:7:8:9::1',
      headers: { 'user-agent': ` Mozilla/5.0 \x9f${'x'.repeat(300)}` },
    });
    const before = Date.now() - 1000;
    await refreshToken(api, body.refresh);
    const [first, second, ...rest] = await list(body.access);
    t.strictSame(rest, []);
    t.match(first, { address: '127.0.0.1', user_agent: 'lightMyRequest', refreshed_at: null, is_current: false });
    t.match(second, { address: '2001:db8:7:8::', is_current: true });
    t.equal(second.user_agent, `Mozilla/5.0 ${'x'.repeat(188)}`);
    t.ok(Date.parse(second.created_at) > before && Date.parse(second.refreshed_at) >= Date.parse(second.created_at));
    t.equal(Date.parse(second.expires_at) / 1000, claimsOf(body.refresh)['exp']);
    const { text } = await api.get(SESSIONS, { token: body.access });
    t.notMatch(text, String(claimsOf(body.access)['sid']), 'nothing that opens or names a session elsewhere');
    t.strictSame(
      (await list(ada.token)).map(({ is_current: isCurrent }: { is_current: boolean }) => isCurrent),
      [true, false],
    );
  });

  await t.test(
    'listSessions 200 in pages, without sessions that have expired, and of before this was kept',
    async (t) => {
      const { id, token, username } = await api.register();
      for (let round = 0; round < 3; round++) await logIn(api, username);
      await db.update(sessions).set({ address: null, userAgent: null }).where(eq(sessions.userId, id));
      const page = await api.get(`${SESSIONS}?limits=3`, { token });
      t.match(page.body, { count: 4, results: [{ address: null, user_agent: null }, {}, {}] });
      t.equal((await api.get(page.body.next, { token })).body.results.length, 1);
      const [{ id: oldest }] = page.body.results;
      await db
        .update(sessions)
        .set({ expiresAt: sql`now() - interval '1 second'` })
        .where(eq(sessions.id, oldest));
      t.equal((await api.get(SESSIONS, { token })).body.count, 3);
    },
  );

  await t.test('deleteSession 204: its tokens end, on other instances within 5 s, and no others do', async (t) => {
    const { username, token, refresh } = await api.register();
    const other = (await logIn(api, username)).body;
    const second = await anotherInstance(t, api);
    t.equal(await knock(api, other.access), 404);
    const [{ id: own }, { id }] = await list(token);
    t.equal((await api.delete(`${SESSIONS}${id}/`, { token })).status, 204);
    t.equal(await knock(api, other.access), 401);
    t.equal(await knock(second, other.access), 401);
    t.equal((await refreshToken(api, other.refresh)).status, 401);
    t.equal((await refreshToken(api, refresh)).status, 200);
    t.equal((await api.delete(`${SESSIONS}${id}/`, { token })).status, 404);
    t.equal((await api.delete(`${SESSIONS}${own}/`, { token })).status, 204, 'also the own');
    t.equal(await knock(api, token), 401);
  });

  await t.test("deleteSession 404 for another user's, also by staff, and it goes on", async (t) => {
    const [ada, bob, staff] = [await api.register(), await api.register(), await api.registerStaff()];
    const [{ id }] = await list(ada.token);
    for (const { token } of [bob, staff]) t.equal((await api.delete(`${SESSIONS}${id}/`, { token })).status, 404);
    t.equal((await refreshToken(api, ada.refresh)).status, 200);
    t.equal(await knock(api, ada.token), 404);
  });

  await t.test('deleteOtherSessions 204: all but the own end', async (t) => {
    const { username, token, refresh } = await api.register();
    const bystander = await api.register();
    const others = [(await logIn(api, username)).body, (await logIn(api, username)).body];
    for (const { access } of others) t.equal(await knock(api, access), 404);
    t.equal((await api.delete(SESSIONS, { token })).status, 204);
    for (const other of others) {
      t.equal(await knock(api, other.access), 401);
      t.equal((await refreshToken(api, other.refresh)).status, 401);
    }
    t.equal(await knock(api, token), 404);
    t.equal(await knock(api, (await refreshToken(api, refresh)).body.access), 404);
    t.equal((await list(token)).length, 1);
    t.equal((await api.delete(SESSIONS, { token })).status, 204, 'and twice');
    t.equal(await knock(api, bystander.token), 404);
  });

  await t.test('deleteOtherSessions 204 and a login that read the user before it opens no session', async (t) => {
    const { id, token } = await api.register();
    const generation = async () =>
      (await db.select({ generation: users.tokenGeneration }).from(users).where(eq(users.id, id)))[0]?.generation;
    t.equal(await generation(), 0);
    t.equal((await api.delete(SESSIONS, { token })).status, 204);
    // test/resources/users.test.ts has what a login makes of it.
    t.equal(await generation(), 1);
  });
});

t.test('REFRESH_ROTATION=on', async (t) => {
  let clock = MORNING.getTime();
  const api = await buildTestApp(t, { ...RACING, REFRESH_ROTATION: 'on' }, { now: () => new Date(clock) });
  const { db } = api.database;
  const DETAIL = 'The refresh token was used before. Its session is ended.';
  const reused = { status: 401, body: { type: '/problems/refresh-token-reused', detail: DETAIL } };

  await t.test('refreshToken 200 with a successor that is good once too, and ends when the first would', async (t) => {
    const { token, refresh } = await api.register();
    let last = refresh;
    for (let round = 1; round <= 3; round++) {
      const { status, body } = await refreshToken(api, last);
      t.equal(status, 200);
      t.strictSame(Object.keys(body), ['access', 'refresh']);
      t.equal(await knock(api, body.access), 404);
      t.strictSame({ ...claimsOf(body.refresh), iat: 0 }, { ...claimsOf(refresh), seq: round, iat: 0 });
      last = body.refresh;
    }
    t.equal(await knock(api, token), 404, 'access tokens of before go on');
    t.equal((await api.post('/api/user/logout/', { body: { refresh } })).status, 200, 'each logs the session out');
    t.match(await refreshToken(api, last), { status: 401, body: { type: '/problems/not-authenticated' } });
  });

  await t.test('refreshToken 200 with the same successor for the last one within a minute, 401 later', async (t) => {
    for (const [later, expected] of [
      [59_000, 200],
      [60_000, 401],
    ] as const) {
      const { refresh, token } = await api.register();
      const { body } = await refreshToken(api, refresh);
      clock += later;
      const again = await refreshToken(api, refresh);
      t.equal(again.status, expected);
      if (expected === 200) {
        t.equal(claimsOf(again.body.refresh)['seq'], 1);
        clock += 2_000;
        t.match(await refreshToken(api, refresh), reused, 'which gives it no further minute');
      } else t.match(again, reused);
      t.match(await refreshToken(api, body.refresh), { status: 401, body: { type: '/problems/not-authenticated' } });
      t.equal(await knock(api, token), 401, 'the session is ended');
    }
  });

  await t.test('refreshToken 401 at once where the successor was used, and the whole session ends', async (t) => {
    const { id, refresh, token } = await api.register();
    const bystander = await api.register();
    const first = (await refreshToken(api, refresh)).body;
    const second = (await refreshToken(api, first.refresh)).body;
    const answer = await refreshToken(api, refresh);
    t.match(answer, reused);
    t.equal(answer.headers['www-authenticate'], 'Bearer');
    t.equal((await refreshToken(api, second.refresh)).status, 401);
    for (const access of [token, first.access, second.access]) t.equal(await knock(api, access), 401);
    t.equal(await db.$count(sessions, eq(sessions.userId, id)), 0);
    t.equal((await refreshToken(api, bystander.refresh)).status, 200, "and no other's");
  });

  await t.test('refreshToken 200 for all of many at once with one token, each with the same successor', async (t) => {
    const { id, refresh } = await api.register();
    const answers = await race(
      api,
      `select from sessions where user_id = ${id} for update`,
      Array.from({ length: 8 }, () => () => refreshToken(api, refresh)),
    );
    t.strictSame(new Set(answers.map(({ status }) => status)), new Set([200]));
    t.strictSame(new Set(answers.map(({ body }) => claimsOf(body.refresh)['seq'])), new Set([1]));
    t.equal((await refreshToken(api, answers[3]?.body.refresh)).status, 200);
    t.match(await refreshToken(api, refresh), reused);
  });

  await t.test(
    'refreshToken 401 for a spent one that comes at once with the newest, and the session ends',
    async (t) => {
      const { id, refresh } = await api.register();
      const first = (await refreshToken(api, refresh)).body;
      const newest = (await refreshToken(api, first.refresh)).body.refresh;
      const [spent, next] = await race(api, `select from sessions where user_id = ${id} for update`, [
        () => refreshToken(api, refresh),
        () => refreshToken(api, newest),
      ]);
      t.match(spent, reused);
      t.ok([200, 401].includes(next?.status ?? 0));
      for (const token of [newest, next?.body.refresh ?? newest]) t.equal((await refreshToken(api, token)).status, 401);
      t.equal(await db.$count(sessions, eq(sessions.userId, id)), 0);
    },
  );

  await t.test('refreshToken 200 for a session of before, and as before where it is off again', async (t) => {
    const off = await anotherInstance(t, api);
    const { username } = await api.register();
    const { refresh } = (await logIn(off, username)).body;
    for (let round = 0; round < 2; round++) {
      const { status, body } = await refreshToken(off, refresh);
      t.strictSame([status, Object.keys(body)], [200, ['access']]);
    }
    const { body } = await refreshToken(api, refresh);
    t.equal((await refreshToken(api, body.refresh)).status, 200);
    t.equal((await refreshToken(off, refresh)).status, 200);
    t.match(await refreshToken(api, refresh), reused);
  });
});
