/** Signing in by OpenID Connect, with a real provider. */
import { and, eq, sql } from 'drizzle-orm';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { identities, sessions, users } from '../../db/tables/index.js';
import { sealsOf } from '../../src/lib/seals.js';
import { anotherInstance, buildTestApp, MORNING, PASSWORD, SECRET, type TestApp, type User } from '../helpers/app.js';
import {
  claimsIn,
  CLIENTS,
  newKey,
  OpenIdServer,
  REDIRECT_URI,
  signIdToken,
  type Somebody,
} from '../helpers/openid.js';
import { race, RACING } from '../helpers/races.js';
import { codeOf, enrol } from '../helpers/totp.js';

const CALLBACK = '/api/user/oidc/callback/';
const IDENTITIES = '/api/user/oidc/identities/';
const NOT_CONFIRMED = { status: 401, body: { type: '/problems/not-authenticated' } };
const BAD_STATE = {
  status: 400,
  body: { errors: { state: ['is not one of this server, or has expired: begin again'] } },
};

/** A front end of a server, and what users do with it. */
async function open(t: Test, environment: Record<string, string> = {}, provider?: OpenIdServer) {
  const server = provider ?? (await OpenIdServer.start(t));
  const clock = { now: MORNING };
  const api = await buildTestApp(t, server.environment(environment), { now: () => clock.now });
  const start = async (token?: string, current_password: string | undefined = token && PASSWORD, to: TestApp = api) => {
    const body = { redirect_uri: REDIRECT_URI, ...(current_password !== undefined && { current_password }) };
    const answer = await to.post('/api/user/oidc/start/', { token, body });
    if (answer.status !== 200) throw new Error(`starting answered ${answer.status}: ${answer.text}`);
    return answer.body as { authorization_url: string; state: string };
  };
  const finish = (body: object, token?: string, remoteAddress?: string, to: TestApp = api) =>
    to.post(CALLBACK, { token, body, ...(remoteAddress !== undefined && { remoteAddress }) });
  /** The whole way. */
  const signIn = async (somebody: Somebody, { otp, token }: { otp?: string; token?: string } = {}) => {
    const { authorization_url: url } = await start(token);
    const came = await server.signIn(url, somebody);
    return finish({ ...came, ...(otp !== undefined && { otp }) }, token);
  };
  let people = 0;
  /** A user who is linked to somebody at the provider. */
  const registerLinked = async (more: Partial<Somebody> = {}) => {
    const user = await api.register();
    const somebody: Somebody = { sub: `person-${++people}`, ...more };
    const linked = await signIn(somebody, { token: user.token });
    if (linked.status !== 200) throw new Error(`linking answered ${linked.status}: ${linked.text}`);
    return { user, somebody };
  };
  return { api, clock, server, start, finish, signIn, registerLinked };
}

const userIdOf = (tokens: { access: string }): number => Number(claimsIn(tokens.access)['sub']);
const isKnown = async (api: TestApp, token: string) =>
  (await api.get('/api/user/profiles/me/', { token })).status === 200;

t.test('the whole way', async (t) => {
  const { api, clock, server, start, finish, signIn, registerLinked } = await open(t);
  const { db } = api.database;

  await t.test('startOidcSignIn 200 with a URL of the provider that has PKCE, a nonce and the state', async (t) => {
    const { authorization_url, state } = await start();
    const { origin, pathname, searchParams } = new URL(authorization_url);
    t.equal(origin + pathname, `${server.issuer}/auth`);
    t.match(Object.fromEntries(searchParams), {
      ...{ response_type: 'code', client_id: 'hospital', redirect_uri: REDIRECT_URI, scope: 'openid email profile' },
      ...{ code_challenge: /^[\w-]{43}$/, code_challenge_method: 'S256', nonce: /^[\w-]{43}$/, state },
    });
    t.notMatch(state, REDIRECT_URI);
    t.not((await start()).state, state);
  });

  await t.test('finishOidcSignIn 200 links and then signs in, as a login does', async (t) => {
    const user = await api.register();
    const linked = await signIn({ sub: 'ann' }, { token: user.token });
    t.equal(linked.status, 200);
    t.equal(userIdOf(linked.body), user.id);
    clock.now = new Date(MORNING.getTime() + 60_000);
    const { status, body } = await signIn({ sub: 'ann' });
    t.equal(status, 200);
    t.strictSame(Object.keys(body).sort(), ['access', 'refresh']);
    t.equal(userIdOf(body), user.id);
    t.ok(await isKnown(api, body.access));
    t.equal((await api.post('/api/user/token/refresh/', { body: { refresh: body.refresh } })).status, 200);
    t.equal((await api.post('/api/user/logout/', { body: { refresh: body.refresh } })).status, 200);
    const list = await api.get(IDENTITIES, { token: user.token });
    t.match(list.body, [{ issuer: server.issuer, subject: 'ann', last_used_at: clock.now.toISOString() }]);
    t.equal(list.body.length, 1);
    t.equal((await signIn({ sub: 'ann' }, { token: user.token })).status, 200, 'to link again changes nothing');
    t.equal((await api.get(IDENTITIES, { token: user.token })).body.length, 1);
    clock.now = MORNING;
  });

  await t.test('finishOidcSignIn 403 for somebody who is linked to nobody, whatever the email', async (t) => {
    const user = await api.register({ username: 'victim' });
    const claims = { email: 'victim@example.com', email_verified: true, preferred_username: 'victim' };
    const before = await db.$count(sessions);
    const answer = await signIn({ sub: 'stranger', claims });
    t.match(answer, { status: 403, body: { type: '/problems/identity-unknown' } });
    t.equal(await db.$count(sessions), before);
    t.equal((await api.get(IDENTITIES, { token: user.token })).body.length, 0);
  });

  await t.test('finishOidcSignIn 409 for somebody who is linked to another user, and for a second one', async (t) => {
    const { user, somebody } = await registerLinked();
    const other = await registerLinked();
    const taken = await signIn(somebody, { token: (await api.register()).token });
    t.match(taken, { status: 409, body: { type: '/problems/already-exists', detail: /linked to another user/ } });
    const second = await signIn({ sub: 'a second one' }, { token: other.user.token });
    t.match(second, { status: 409, body: { type: '/problems/already-exists', detail: /Remove that first/ } });
    t.equal(userIdOf((await signIn(somebody)).body), user.id);
  });

  await t.test(
    'startOidcSignIn 400 for a page that is not listed, in whatever way it is like one that is',
    async (t) => {
      for (const redirect_uri of [
        ...[
          'https://evil.example/',
          `${REDIRECT_URI}/`,
          `${REDIRECT_URI}/other`,
          `${REDIRECT_URI}?x=1`,
          `${REDIRECT_URI}#`,
        ],
        ...[REDIRECT_URI.toUpperCase(), ` ${REDIRECT_URI}`, 'https://app.example.com.evil.example/signed-in', 'x'],
      ]) {
        const answer = await api.post('/api/user/oidc/start/', { body: { redirect_uri } });
        t.match(answer, { status: 400, body: { errors: { redirect_uri: [/^is not one of those/] } } }, redirect_uri);
      }
    },
  );

  await t.test('startOidcSignIn 400 without the password of who is signed in, and for a wrong one', async (t) => {
    const { token } = await api.register();
    const begin = (more: object) =>
      api.post('/api/user/oidc/start/', { token, body: { redirect_uri: REDIRECT_URI, ...more } });
    t.match(await begin({}), { status: 400, body: { errors: { current_password: [/^is required/] } } });
    const wrong = { current_password: 'wrong-Apple-1' };
    t.match(await begin(wrong), { status: 400, body: { errors: { current_password: ['is wrong'] } } });
    for (let count = 0; count < 9; count++) await begin(wrong);
    t.equal((await begin({ current_password: PASSWORD })).status, 429, 'they count as failed logins');
  });

  await t.test('startOidcSignIn 401 for a bad token, and 403 for a service', async (t) => {
    const body = { redirect_uri: REDIRECT_URI };
    t.equal((await api.post('/api/user/oidc/start/', { token: 'rubbish', body })).status, 401);
    const { token } = await api.registerStaff();
    const key = await api.post('/service-keys/', { token, body: { name: 'Laboratory', scopes: ['patients:read'] } });
    t.equal((await api.post('/api/user/oidc/start/', { token: key.body.secret, body })).status, 403);
    const state = (await start()).state;
    t.equal((await finish({ code: 'x', state }, key.body.secret)).status, 403);
  });

  await t.test('finishOidcSignIn 401, 403: what begins with one user ends with the same', async (t) => {
    const [ann, ben] = [await api.register(), await api.register()];
    const { authorization_url } = await start(ann.token);
    const came = await server.signIn(authorization_url, { sub: 'mallory' });
    t.match(await finish(came), { status: 401, body: { detail: /access token/ } });
    t.match(await finish(came, ben.token), { status: 403, body: { type: '/problems/not-allowed' } });
    t.equal(await db.$count(identities, eq(identities.subject, 'mallory')), 0);
    t.equal((await finish(came, ann.token)).status, 200);
    const own = await server.signIn((await start()).authorization_url, { sub: 'mallory' });
    t.equal(userIdOf((await finish(own, ben.token)).body), ann.id, 'a token of another user links nothing by itself');
  });

  await t.test('finishOidcSignIn 401 for a user who is inactive', async (t) => {
    const { user, somebody } = await registerLinked();
    const { token } = await api.registerStaff();
    await api.patch(`/api/user/users/${user.id}/`, { token, body: { is_active: false } });
    t.match(await signIn(somebody), NOT_CONFIRMED);
  });

  await t.test('finishOidcSignIn 403 for a user who was erased, of whom nothing is left', async (t) => {
    const { user, somebody } = await registerLinked();
    const { token } = await api.registerStaff();
    const { id } = (await api.get('/patients/me/', { token: user.token })).body;
    const came = await server.signIn((await start()).authorization_url, somebody);
    t.equal((await api.post(`/patients/${id}/erase/`, { token, body: { reason: 'Asked for.' } })).status, 200);
    t.match(await finish(came), { status: 403, body: { type: '/problems/identity-unknown' } });
    t.equal(await db.$count(identities, eq(identities.userId, user.id)), 0);
  });

  await t.test('removeIdentity 204, 400, 404: by the password, the own alone', async (t) => {
    const { user, somebody } = await registerLinked();
    const other = await api.register();
    const [{ id }] = (await api.get(IDENTITIES, { token: user.token })).body;
    const remove = ({ token }: User, current_password = PASSWORD) =>
      api.post(`${IDENTITIES}${id}/remove/`, { token, body: { current_password } });
    t.equal((await remove(other)).status, 404);
    t.match(await remove(user, 'wrong-Apple-1'), { status: 400, body: { errors: { current_password: ['is wrong'] } } });
    t.equal((await signIn(somebody)).status, 200);
    t.equal((await remove(user)).status, 204);
    t.equal((await remove(user)).status, 404);
    t.match(await signIn(somebody), { status: 403, body: { type: '/problems/identity-unknown' } });
    t.equal(userIdOf((await signIn(somebody, { token: other.token })).body), other.id, 'it may be somebody else’s now');
  });

  await t.test('exportPatient 200 with whom the user is at the provider', async (t) => {
    const { user, somebody } = await registerLinked();
    const { id } = (await api.get('/patients/me/', { token: user.token })).body;
    const { body } = await api.get(`/patients/${id}/export/`, { token: user.token });
    t.match(body.identities, [{ issuer: server.issuer, subject: somebody.sub }]);
  });

  await t.test('the audit has each, by whom', async (t) => {
    const { user, somebody } = await registerLinked();
    const [{ id }] = (await api.get(IDENTITIES, { token: user.token })).body;
    await signIn(somebody);
    await api.post(`${IDENTITIES}${id}/remove/`, { token: user.token, body: { current_password: PASSWORD } });
    await signIn(somebody);
    await api.app.audit.flush();
    const events = await db.execute<{ event: string }>(sql`
      select actor || ' ' || action || ' ' || outcome as event from audit_events
      where resource = 'users' and ${user.id} = any(record_ids) and action ~ 'identity' and outcome = 'stored' order by id`);
    t.strictSame(
      events.map(({ event }) => event),
      ['user link-identity stored', 'user unlink-identity stored'],
    );
    const signIns = await db.execute<{ event: string }>(sql`
      select outcome || ' ' || status as event from audit_events
      where operation = 'finishOidcSignIn' and outcome <> 'stored' order by id desc limit 3`);
    t.strictSame(
      signIns.map(({ event }) => event),
      ['refused 403', 'answered 200', 'answered 200'],
    );
    t.equal(await db.$count(sessions, eq(sessions.userId, user.id)), 3, 'sessions go on');
  });
});

t.test('what is forged', async (t) => {
  const { api, clock, server, start, finish, registerLinked } = await open(t);
  const { db } = api.database;
  const { somebody } = await registerLinked();
  const come = async () => server.signIn((await start()).authorization_url, somebody);

  await t.test('finishOidcSignIn 400 for a state that is not of this server', async (t) => {
    const { code, state } = await come();
    const [keyId = '', sealed = ''] = state.split('.');
    const changed = Buffer.from(sealed, 'base64url');
    changed[20] = (changed[20] as number) ^ 1;
    const forger = sealsOf(['a secret of somebody else, long enough to be one']);
    const forged = forger.seal('{"linkTo":1,"expiresAt":99999999999999}', 'oidc state');
    const others = sealsOf([SECRET]).seal('{"linkTo":1,"expiresAt":99999999999999}', 'totp 1');
    for (const bad of [
      ...['x', '.', `${keyId}.`, `.${sealed}`, sealed, `${keyId}.${changed.toString('base64url')}`, `${keyId}.AAAA`],
      ...[`${state.slice(0, -8)}`, `${forged.keyId}.${forged.sealed}`, `${keyId}.${forged.sealed}`],
      `${others.keyId}.${Buffer.from(others.sealed, 'base64').toString('base64url')}`,
    ]) {
      t.match(await finish({ code, state: bad }), BAD_STATE, bad);
    }
    t.equal((await finish({ code, state })).status, 200);
  });

  await t.test('finishOidcSignIn 400 for a state of ten minutes ago', async (t) => {
    const { code, state } = await come();
    clock.now = new Date(MORNING.getTime() + 600_000);
    t.match(await finish({ code, state }), BAD_STATE);
    clock.now = new Date(MORNING.getTime() + 599_999);
    t.equal((await finish({ code, state })).status, 200);
    clock.now = MORNING;
  });

  await t.test('finishOidcSignIn 401 for the state of another flow, which a front end should not send', async (t) => {
    const [mine, other] = [await come(), await come()];
    t.match(await finish({ code: mine.code, state: other.state }), NOT_CONFIRMED);
    t.equal((await finish(other)).status, 200);
  });

  await t.test('finishOidcSignIn 401 for a code that was used, and one that is none', async (t) => {
    const came = await come();
    t.equal((await finish(came)).status, 200);
    t.match(await finish(came), NOT_CONFIRMED);
    t.match(await finish({ ...came, code: 'none' }), NOT_CONFIRMED);
  });

  const otherKey = newKey();
  const claims = (change: object) => (tokens: Record<string, unknown>) => ({
    ...tokens,
    id_token: signIdToken({ ...claimsIn(tokens['id_token']), ...change }, server.key),
  });
  const tokenOf =
    (header: Record<string, unknown>, key = server.key) =>
    (tokens: Record<string, unknown>) => ({
      ...tokens,
      id_token: signIdToken(claimsIn(tokens['id_token']), key, header),
    });
  const seconds = Math.floor(Date.now() / 1000);
  for (const [what, tamper] of Object.entries({
    'that has the nonce of another flow': claims({ nonce: 'of another' }),
    'without a nonce': claims({ nonce: undefined }),
    'of another issuer': claims({ iss: 'http://127.0.0.1:1' }),
    'for another client': claims({ aud: 'another' }),
    'for several clients, given to another': claims({ aud: ['hospital', 'another'], azp: 'another' }),
    'that has expired': claims({ exp: seconds - 60, iat: seconds - 120 }),
    'without an end': claims({ exp: undefined }),
    'of the future': claims({ nbf: seconds + 3600 }),
    'of nobody': claims({ sub: undefined }),
    'of somebody with too long a name': claims({ sub: 'x'.repeat(256) }),
    'with the signature of another key': tokenOf({ alg: 'RS256', kid: 'first' }, otherKey),
    'of a key that is not the issuer’s': tokenOf({ alg: 'RS256', kid: 'second' }, otherKey),
    'without a signature': tokenOf({ alg: 'none' }),
    'of an algorithm that takes the public key for a secret': tokenOf({ alg: 'HS256', kid: 'first' }),
    'whose claims were changed': (tokens: Record<string, unknown>) => {
      const [header, , signature] = String(tokens['id_token']).split('.');
      const changed = { ...claimsIn(tokens['id_token']), sub: 'person-1', amr: ['mfa'] };
      return {
        ...tokens,
        id_token: [header, Buffer.from(JSON.stringify(changed)).toString('base64url'), signature].join('.'),
      };
    },
    'that is none': (tokens: Record<string, unknown>) => ({ ...tokens, id_token: 'rubbish' }),
    'that did not come': (tokens: Record<string, unknown>) => ({ ...tokens, id_token: undefined }),
  })) {
    await t.test(`finishOidcSignIn 401 for an ID token ${what}`, async (t) => {
      const came = await come();
      const before = await db.$count(sessions);
      server.tamper = tamper;
      t.match(await finish(came), NOT_CONFIRMED);
      server.tamper = undefined;
      t.equal(await db.$count(sessions), before);
    });
  }

  await t.test('finishOidcSignIn 200 for the same that is changed in nothing', async (t) => {
    const came = await come();
    server.tamper = claims({});
    t.equal((await finish(came)).status, 200);
    server.tamper = undefined;
  });
});

t.test('a provider that is not there', async (t) => {
  const AWAY = {
    status: 503,
    headers: { 'retry-after': '5' },
    body: { type: '/problems/unavailable', detail: 'The OpenID provider can not be reached at the moment.' },
  };
  const { api, server, start, finish, registerLinked } = await open(t, { RATE_LIMIT_AUTH: '5', DATABASE_POOL: '2' });
  const { somebody } = await registerLinked();
  const begin = () => api.post('/api/user/oidc/start/', { body: { redirect_uri: REDIRECT_URI } });

  await t.test(
    'finishOidcSignIn 503 while it answers rubbish or hangs up, which is none of the user’s failures',
    async (t) => {
      for (const before of [
        (_: unknown, response: { writeHead: (status: number) => { end: (body: string) => void } }) => {
          response.writeHead(502).end('<h1>Bad gateway</h1>');
          return true;
        },
        (_: unknown, response: { writeHead: (status: number) => { end: (body: string) => void } }) => {
          response.writeHead(200).end('{');
          return true;
        },
        (request: { socket: { destroy: () => void } }) => {
          request.socket.destroy();
          return true;
        },
        (
          _: unknown,
          response: { writeHead: (status: number, headers?: object) => { end: (body: string) => void } },
        ) => {
          response.writeHead(307, { location: 'http://169.254.169.254/latest/meta-data/' }).end('');
          return true;
        },
        (
          _: unknown,
          response: { writeHead: (status: number, headers?: object) => { end: (body: string) => void } },
        ) => {
          response.writeHead(401, { 'content-type': 'application/json' }).end('{"error":"invalid_client"}');
          return true;
        },
      ] as OpenIdServer['before'][]) {
        const came = await server.signIn((await start()).authorization_url, somebody);
        server.before = before;
        for (let count = 0; count < 6; count++) t.match(await finish(came), AWAY);
        server.before = () => undefined;
        t.equal((await finish(came)).status, 200);
      }
    },
  );

  await t.test('finishOidcSignIn 503 after five seconds of a slow one, and meanwhile others are served', async (t) => {
    const came = await server.signIn((await start()).authorization_url, somebody);
    const waiting = new Set<() => void>();
    server.before = (request) =>
      request.url === '/token' ? new Promise<void>((resolve) => waiting.add(resolve)) : undefined;
    const began = performance.now();
    const slow = Promise.all([1, 2, 3, 4].map(() => finish(came)));
    while (waiting.size < 4) await sleep(20);
    t.equal((await api.get('/doctors/')).status, 200, 'it holds no connection to the database');
    for (const answer of await slow) t.match(answer, AWAY);
    t.ok(performance.now() - began < 7_000);
    server.before = () => undefined;
    for (const resolve of waiting) resolve();
  });

  await t.test('startOidcSignIn 503 while it is away, and 200 when it has come', async (t) => {
    const second = await anotherInstance(t, api, server.environment());
    const body = { redirect_uri: REDIRECT_URI };
    server.before = (request) => {
      request.socket.destroy();
      return true;
    };
    t.match(await second.post('/api/user/oidc/start/', { body }), AWAY);
    t.equal((await begin()).status, 200, 'who knows its metadata does not ask again');
    server.before = () => undefined;
    t.equal((await second.post('/api/user/oidc/start/', { body })).status, 200);
  });

  await t.test('startOidcSignIn 503 where its metadata are of another issuer', async (t) => {
    const second = await anotherInstance(
      t,
      api,
      server.environment({ OIDC_ISSUER: server.issuer.replace('127.0.0.1', 'localhost') }),
    );
    t.match(await second.post('/api/user/oidc/start/', { body: { redirect_uri: REDIRECT_URI } }), AWAY);
  });

  await t.test('its metadata are asked for once, by however many', async (t) => {
    const second = await anotherInstance(t, api, server.environment());
    const before = server.asked.length;
    const body = { redirect_uri: REDIRECT_URI };
    await Promise.all([1, 2, 3, 4, 5].map(() => second.post('/api/user/oidc/start/', { body })));
    t.strictSame(server.asked.slice(before), ['/.well-known/openid-configuration']);
  });
});

t.test('startOidcSignIn 404, finishOidcSignIn 404 where there is no provider', async (t) => {
  const api = await buildTestApp(t);
  const { token } = await api.register();
  const missing = { status: 404, body: { type: '/problems/not-configured' } };
  t.match(await api.post('/api/user/oidc/start/', { body: { redirect_uri: REDIRECT_URI } }), missing);
  t.match(await api.post(CALLBACK, { body: { code: 'x', state: 'y' } }), missing);
  t.strictSame((await api.get(IDENTITIES, { token })).body, []);
});

t.test('finishOidcSignIn 429 after too many failed ones of an address', async (t) => {
  const { server, start, finish, registerLinked } = await open(t, { RATE_LIMIT_AUTH: '3' });
  const { somebody } = await registerLinked();
  const from = '192.0.2.1';
  const { authorization_url, state } = await start();
  const came = await server.signIn(authorization_url, somebody);
  const second = await server.signIn((await start()).authorization_url, somebody);
  t.equal((await finish({ code: 'wrong', state }, undefined, from)).status, 401);
  t.equal((await finish({ code: 'wrong', state: 'x' }, undefined, from)).status, 400);
  t.equal((await finish(second, undefined, from)).status, 200, 'what succeeds is not counted');
  t.equal((await finish({ code: 'wrong', state }, undefined, from)).status, 401);
  t.equal((await finish(came, undefined, from)).status, 429);
  t.equal((await finish(came, undefined, '192.0.2.2')).status, 200);
});

t.test('clients of each kind', async (t) => {
  const server = await OpenIdServer.start(t);
  for (const [name, environment] of Object.entries({
    'with a secret in the header': {},
    'without a secret': { OIDC_CLIENT_ID: 'public', OIDC_CLIENT_SECRET: '' },
  })) {
    await t.test(`finishOidcSignIn 200 of a client ${name}`, async (t) => {
      const { registerLinked, signIn } = await open(t, environment, server);
      const { somebody } = await registerLinked({ sub: name });
      t.equal((await signIn(somebody)).status, 200);
    });
  }
  await t.test(
    'finishOidcSignIn 200 of a client with a secret in the body, where the provider takes no other',
    async (t) => {
      const configuration = { clientAuthMethods: ['client_secret_post'], clients: [CLIENTS.post] };
      const { registerLinked } = await open(t, {}, await OpenIdServer.start(t, configuration));
      await t.resolves(registerLinked());
    },
  );
  await t.test('finishOidcSignIn 503 with a secret that is wrong: the operator’s fault, not the user’s', async (t) => {
    const { start, finish } = await open(t, { OIDC_CLIENT_SECRET: 'wrong' }, server);
    const came = await server.signIn((await start()).authorization_url, { sub: 'ann' });
    t.equal((await finish(came)).status, 503);
  });
});

t.test('OIDC_CREATE_USERS=on', async (t) => {
  const { api, server, start, finish, signIn } = await open(t, { OIDC_CREATE_USERS: 'on', ...RACING });
  const { db } = api.database;
  const claims = {
    ...{ preferred_username: 'Zoë Müller', given_name: 'Zoë\u0000', family_name: ' Müller ' },
    ...{ email: 'zoe@example.com', email_verified: true },
  };

  await t.test('finishOidcSignIn 200 registers who is linked to nobody, as a patient', async (t) => {
    const { status, body } = await signIn({ sub: 'zoe', claims });
    t.equal(status, 200);
    const profile = await api.get('/api/user/profiles/me/', { token: body.access });
    t.match(profile.body.user, {
      ...{ username: 'ZoMller', email: 'zoe@example.com', first_name: 'Zoë', last_name: 'Müller' },
      ...{ is_staff: false, is_active: true },
    });
    t.equal((await api.get('/patients/me/', { token: body.access })).status, 200);
    t.equal(userIdOf((await signIn({ sub: 'zoe' })).body), userIdOf(body), 'once');
    const login = { username: 'ZoMller', password: '!' };
    t.equal((await api.post('/api/user/login/', { body: login })).status, 401, 'without a password');
  });

  await t.test(
    'finishOidcSignIn 200 registers under another name and without the email where they are taken',
    async (t) => {
      const user = await api.register({ username: 'taken' });
      const same = { preferred_username: 'TAKEN', email: 'Taken@Example.com', email_verified: true };
      const { body } = await signIn({ sub: 'another', claims: same });
      t.not(userIdOf(body), user.id);
      const [row] = await db
        .select()
        .from(users)
        .where(eq(users.id, userIdOf(body)));
      t.match(row, { username: /^TAKEN-[\w-]{8}$/, email: /^user-[\w-]+@oidc\.invalid$/, isStaff: false });
    },
  );

  for (const [what, more, expected] of [
    ['an email that is not verified', { email_verified: false }, { email: /\.invalid$/ }],
    ['an email of which nobody says so', { email_verified: 'true' }, { email: /\.invalid$/ }],
    ['an email that is none', { email: 'a\r\nBcc: b@c.example', email_verified: true }, { email: /\.invalid$/ }],
    ['no name', { preferred_username: undefined }, { username: 'subwithoutname' }],
    ['a name of nothing that may be in one', { preferred_username: '漢字' }, { username: 'subwithoutname' }],
    ['names that are too long', { given_name: 'x'.repeat(300) }, { firstName: 'x'.repeat(150) }],
    ['names that are none', { given_name: { a: 1 }, family_name: 7 }, { firstName: '', lastName: '' }],
  ] as const) {
    await t.test(`finishOidcSignIn 200 registers somebody with ${what}`, async (t) => {
      const { body } = await signIn({
        sub: 'sub with out name',
        claims: { ...claims, email: 'a@example.com', preferred_username: 'somebody', ...more },
      });
      const [row] = await db
        .select()
        .from(users)
        .where(eq(users.id, userIdOf(body)));
      t.match(row, expected);
      await db.execute(sql`delete from patients where user_id = ${row?.id}`);
      await db.delete(users).where(eq(users.id, row?.id as number));
      t.equal(await db.$count(identities, eq(identities.subject, 'sub with out name')), 0);
    });
  }

  await t.test('removeIdentity 409 where it is the only way in', async (t) => {
    const { body } = await signIn({ sub: 'no password' });
    const [{ id }] = (await api.get(IDENTITIES, { token: body.access })).body;
    const remove = (current_password: string) =>
      api.post(`${IDENTITIES}${id}/remove/`, { token: body.access, body: { current_password } });
    t.match(await remove(PASSWORD), { status: 409, body: { type: '/problems/in-use' } });
    const staff = await api.registerStaff();
    const userId = userIdOf(body);
    const reset = await api.post(`/api/user/users/${userId}/password-reset/`, { token: staff.token });
    const [{ username } = { username: '' }] = await db.select().from(users).where(eq(users.id, userId));
    const choice = { username, code: reset.body.code, password: PASSWORD, confirm_password: PASSWORD };
    t.equal((await api.post('/api/user/password/reset/', { body: choice })).status, 204);
    const again = (await signIn({ sub: 'no password' })).body.access;
    const removal = { token: again, body: { current_password: PASSWORD } };
    t.equal((await api.post(`${IDENTITIES}${id}/remove/`, removal)).status, 204);
  });

  await t.test('finishOidcSignIn 200 registers somebody once who signs in twice at once', async (t) => {
    const second = await anotherInstance(t, api, server.environment({ OIDC_CREATE_USERS: 'on' }));
    const came = await Promise.all(
      [1, 2, 3].map(async () =>
        server.signIn((await start()).authorization_url, { sub: 'twice', claims: { preferred_username: 'twice' } }),
      ),
    );
    const answers = await race(
      api,
      'lock table identities in share mode',
      came.map((each, index) => () => finish(each, undefined, undefined, index === 1 ? second : api)),
    );
    t.strictSame(
      answers.map(({ status }) => status),
      [200, 200, 200],
    );
    t.equal(new Set(answers.map(({ body }) => userIdOf(body))).size, 1);
    t.equal(await db.$count(users, sql`username like 'twice%'`), 1);
  });
});

t.test('races', async (t) => {
  const { api, server, start, finish, registerLinked } = await open(t, RACING);
  const { db } = api.database;

  await t.test(
    'finishOidcSignIn signs one in and refuses the rest of the same answer many times at once',
    async (t) => {
      const { user, somebody } = await registerLinked();
      const came = await server.signIn((await start()).authorization_url, somebody);
      const before = await db.$count(sessions, eq(sessions.userId, user.id));
      const answers = await Promise.all([1, 2, 3, 4].map(() => finish(came)));
      t.strictSame(answers.map(({ status }) => status).sort(), [200, 401, 401, 401]);
      t.equal(await db.$count(sessions, eq(sessions.userId, user.id)), before + 1);
    },
  );

  await t.test('finishOidcSignIn 409 for all but one of the users who link the same person at once', async (t) => {
    const linkers = [await api.register(), await api.register(), await api.register()];
    const came = await Promise.all(
      linkers.map(async ({ token }) => server.signIn((await start(token)).authorization_url, { sub: 'coveted' })),
    );
    const answers = await race(
      api,
      'lock table identities in share mode',
      came.map((each, index) => () => finish(each, linkers[index]?.token)),
    );
    t.strictSame(answers.map(({ status }) => status).sort(), [200, 409, 409]);
    t.equal(await db.$count(identities, eq(identities.subject, 'coveted')), 1);
  });

  for (const [what, change] of [
    ['the link is removed', (id: number) => `delete from identities where user_id = ${id}`],
    ['the user becomes inactive', (id: number) => `update users set is_active = false where id = ${id}`],
    [
      'all sessions are ended',
      (id: number) => `update users set token_generation = token_generation + 1 where id = ${id}`,
    ],
  ] as const) {
    await t.test(`finishOidcSignIn 401 where ${what} meanwhile`, async (t) => {
      const { user, somebody } = await registerLinked();
      const came = await server.signIn((await start()).authorization_url, somebody);
      const before = await db.$count(sessions, eq(sessions.userId, user.id));
      const [answer] = await race(api, change(user.id), [() => finish(came)]);
      t.match(answer, NOT_CONFIRMED);
      t.equal(await db.$count(sessions, eq(sessions.userId, user.id)), before);
    });
  }
});

t.test('second factors', async (t) => {
  const { api, clock, signIn, registerLinked } = await open(t, { STAFF_MFA: 'required', OIDC_MFA_ACR: 'gold, silver' });
  const isStaff = async (tokens: { access: string }) =>
    (await api.get('/api/user/users/', { token: tokens.access })).status;

  await t.test('finishOidcSignIn 401 without the second factor of the user, which may be the provider’s', async (t) => {
    const { user, somebody } = await registerLinked();
    const { secret } = await enrol(api, user, clock.now);
    const code = () => codeOf(secret, clock.now);
    clock.now = new Date(clock.now.getTime() + 60_000);
    t.match(await signIn(somebody), { status: 401, body: { type: '/problems/otp-required' } });
    t.match(await signIn(somebody, { otp: 'wrong' }), { status: 401, body: { type: '/problems/otp-wrong' } });
    t.equal((await signIn(somebody, { otp: code() })).status, 200);
    t.match(await signIn(somebody, { otp: code() }), { status: 401, body: { type: '/problems/otp-wrong' } }, 'once');
    t.equal((await signIn({ ...somebody, amr: ['mfa'] })).status, 200);
    t.equal((await signIn({ ...somebody, amr: ['pwd'] })).status, 401);
  });

  await t.test('finishOidcSignIn 401: to link, that of the provider is none', async (t) => {
    const user = await api.register();
    const { secret } = await enrol(api, user, clock.now);
    clock.now = new Date(clock.now.getTime() + 60_000);
    const thief = { sub: 'thief', amr: ['mfa'] };
    t.match(await signIn(thief, user), { status: 401, body: { type: '/problems/otp-required' } });
    t.equal((await api.get(IDENTITIES, { token: user.token })).body.length, 0);
    t.equal((await signIn(thief, { token: user.token, otp: codeOf(secret, clock.now) })).status, 200);
  });

  for (const [proof, status] of [
    [{}, 403],
    [{ amr: ['pwd'] }, 403],
    [{ amr: ['pwd', 'mfa'] }, 200],
    [{ amr: ['otp'] }, 200],
    [{ amr: ['hwk'] }, 200],
    [{ acr: 'gold' }, 200],
    [{ acr: 'silver' }, 200],
    [{ acr: 'bronze' }, 403],
  ] as const) {
    await t.test(`listUsers ${status} to staff by a sign-in of ${JSON.stringify(proof)}`, async (t) => {
      const { user, somebody } = await registerLinked();
      await api.database.db
        .update(users)
        .set({ isStaff: true })
        .where(and(eq(users.id, user.id)));
      api.app.tokens.forgetUser(user.id);
      const { status: signedIn, body } = await signIn({ ...somebody, ...proof });
      t.equal(signedIn, 200);
      t.equal(await isStaff(body), status);
    });
  }
});
