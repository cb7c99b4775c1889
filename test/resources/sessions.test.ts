import { eq, sql } from 'drizzle-orm';
import t from 'tap';
import { sessions, users } from '../../db/tables/index.js';
import { anotherInstance, buildTestApp, PASSWORD, type TestApp } from '../helpers/app.js';
import { claimsOf } from '../helpers/tokens.js';

const SESSIONS = '/api/user/sessions/';

const logIn = (api: TestApp, username: string, more: object = {}) =>
  api.post('/api/user/login/', { body: { username, password: PASSWORD }, ...more });
const refreshToken = (api: TestApp, refresh: unknown) => api.post('/api/user/token/refresh/', { body: { refresh } });
/** 404 says that the access token is good. */
const knock = async (api: TestApp, token: string) => (await api.patch('/doctors/999999/', { token, body: {} })).status;

t.test('sessions', async (t) => {
  const api = await buildTestApp(t);
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
