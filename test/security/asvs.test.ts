/** The chapters of OWASP's ASVS 5.0, level 2, as far as they concern an API; docs/security.md has the defence of each. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import t from 'tap';
import { readConfig } from '../../src/config.js';
import { buildTestApp, MORNING, PASSWORD, type TestApp } from '../helpers/app.js';
import { buildClinic } from '../helpers/clinic.js';
import { allOperations } from '../helpers/operations.js';
import { claimsIn, newKey, OpenIdServer, REDIRECT_URI, signIdToken } from '../helpers/openid.js';
import { openSmtp } from '../helpers/smtp.js';
import { claimsOf, forgeToken, now } from '../helpers/tokens.js';
import { codeOf, enrol } from '../helpers/totp.js';

const DAY = 86_400_000;
const inDays = (days: number): string => new Date(MORNING.getTime() + days * DAY).toISOString().slice(0, 10);

/** Everything that the database holds, as text. */
async function dump({ database: { db } }: TestApp): Promise<string> {
  const tables = await db.execute<{ name: string }>(
    `select table_name as name from information_schema.tables where table_schema = 'public'`,
  );
  const parts = await Promise.all(tables.map(({ name }) => db.execute(`select x::text as row from "${name}" x`)));
  return JSON.stringify(parts);
}

/** A doctor with a slot, a patient and a way to book. */
async function open(api: TestApp) {
  const staff = await api.registerStaff();
  const { id: time } = (await api.post('/available-time/', { token: staff.token, body: { time: '10:00' } })).body;
  const doctor = await api.registerDoctor({ available_time: [time] });
  const book = (token: string, more: object = {}) =>
    api.post('/appointments/', {
      token,
      body: { doctor: doctor.doctorId, time, appointment_type: 'Offline', symptoms: 'Cough', ...more },
    });
  return { staff, doctor, book };
}

t.test('V1 encoding: what people write is text in SQL, JSON, HTML, CSV and headers', async (t) => {
  const api = await buildTestApp(t);
  const { doctor, book } = await open(api);
  const evil = [
    `=cmd|'/c calc'!A1`,
    '<script>alert(1)</script>',
    `'; drop table users; --`,
    '%_\\',
    'a\r\nSet-Cookie: x=1',
  ];
  for (const [index, text] of evil.entries()) {
    const { token } = await api.register({ first_name: text.replaceAll(/[\r\n]/g, ' '), last_name: 'X' });
    const { status, body } = await book(token, { symptoms: text, date: inDays(1 + index) });
    t.equal(status, 201, text);
    t.equal((await api.get(`/appointments/${body.id}/`, { token })).body.symptoms, text);
    const agenda = (accept: string) =>
      api.get(`/agenda/?date=${inDays(1 + index)}`, {
        token: doctor.token,
        headers: { accept },
      });
    const csv = await agenda('text/csv');
    t.equal(csv.status, 200);
    t.match(csv.text, /,booked,|,appointment,/, 'has the appointment');
    t.notMatch(csv.text, /(^|,|\n)"?[=+@]/, 'no cell is a formula');
    t.notMatch((await agenda('text/html')).text, /<script/i);
    t.notOk('set-cookie' in csv.headers);
  }
  for (const word of [`' or 1=1 --`, '%', '_', '\\']) {
    const { status, body } = await api.get(`/doctors/?search=${encodeURIComponent(word)}`);
    t.match([status, body.count], [200, 0], `${word} is no pattern`);
  }
});

t.test('V2 business logic: of fifty who book one time at once one has it', async (t) => {
  const api = await buildTestApp(t);
  const { book } = await open(api);
  const patients = await Promise.all(Array.from({ length: 10 }, () => api.register()));
  const answers = await Promise.all(
    Array.from({ length: 50 }, (_, n) => book(patients[n % 10]?.token as string, { date: inDays(3) })),
  );
  t.equal(answers.filter(({ status }) => status === 201).length, 1);
  t.ok(answers.every(({ status }) => status === 201 || status === 409));
  const { db } = api.database;
  const [row] = await db.execute<{ columns: string }>(
    `select string_agg(quote_ident(column_name), ',') as columns from information_schema.columns
     where table_name = 'appointments' and is_generated = 'NEVER' and column_name <> 'id'`,
  );
  await t.rejects(
    db.execute(`insert into appointments (${row?.columns}) select ${row?.columns} from appointments`),
    { cause: { constraint_name: /^appointments_(doctor|patient)_period_excl$/ } },
    'the database itself refuses',
  );
});

t.test('V3 web front end: pages run no code of others, stand in no frame and set no cookie', async (t) => {
  const api = await buildTestApp(t);
  for (const path of ['/docs/', '/guide/', '/reference/']) {
    const { status, headers, text } = await api.get(path);
    t.equal(status, 200, path);
    const policy = String(headers['content-security-policy']);
    const scripts = /script-src ([^;]*)/.exec(policy)?.[1] ?? /default-src ([^;]*)/.exec(policy)?.[1] ?? '*';
    t.notMatch(scripts, /unsafe|\*|https?:/, path);
    t.match(policy, /frame-ancestors '(none|self)'/, path);
    t.notOk('set-cookie' in headers, path);
    t.notMatch(text, /(src|href)="https?:\/\/(?!localhost)[^"]*\.(js|css)"/, `${path} brings its own files`);
  }
});

t.test('V4 API: a body is what it says it is, and a parameter is there once', async (t) => {
  const api = await buildTestApp(t);
  const { token } = await api.registerStaff();
  for (const operation of allOperations) {
    if (!operation.config.consumes.includes('application/json')) continue;
    const path = operation.url.replaceAll(/:\w+/g, '1');
    const body = '{"name":"x"}';
    for (const type of ['text/plain', 'application/xml', 'application/x-yaml']) {
      const { status } = await api.call(operation.method, path, { token, body, headers: { 'content-type': type } });
      t.equal(status, 415, `${operation.config.operationId} ${type}`);
    }
    const coded = await api.call(operation.method, path, { token, body, headers: { 'content-encoding': 'gzip' } });
    t.equal(coded.status, 415, `${operation.config.operationId} gzip`);
  }
  t.equal((await api.get('/doctors/?page=1&page=2')).status, 400);
  const polluting = '{"__proto__":{"planted":1},"constructor":{"prototype":{"planted":1}},"name":"x","slug":"x"}';
  t.equal((await api.post('/designations/', { token, body: polluting })).status, 201, 'of unknown fields');
  t.notOk('planted' in {});
});

t.test('V5 files: a picture is taken for its bytes, made anew and without what the camera wrote', async (t) => {
  const api = await buildTestApp(t);
  const { token } = await api.register();
  const camera = await sharp({ create: { width: 64, height: 64, channels: 3, background: '#a72' } })
    .withExif({ IFD0: { Artist: 'planted-artist', Copyright: '<script>planted</script>' } })
    .jpeg()
    .toBuffer();
  const send = (bytes: Uint8Array<ArrayBuffer> | string, name: string, type: string) =>
    api.patch('/patients/1/', { token, form: { profile: new File([bytes], name, { type }) } });
  t.match((await send(Buffer.concat([camera]), '../../etc/passwd.jpeg', 'image/jpeg')).status, 200);
  const { profile } = (await api.get('/patients/me/', { token })).body;
  const shown = await api.get(new URL(profile).pathname + new URL(profile).search);
  t.equal(shown.status, 200);
  t.match(shown.headers, { 'content-type': 'image/jpeg', 'x-content-type-options': 'nosniff' });
  t.notOk(shown.bytes.includes('planted'));
  t.notMatch(profile, /passwd|\.\./);
  for (const [bytes, name, type] of [
    ['<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>', 'a.png', 'image/png'],
    ['<html><script>alert(1)</script></html>', 'a.jpeg', 'image/jpeg'],
    ['MZ\0\0', 'a.gif', 'image/gif'],
  ] as const) {
    t.equal((await send(bytes, name, type)).status, 400, bytes.slice(0, 10));
  }
  for (const path of ['..%2f..%2fetc%2fpasswd', '%2e%2e/secret', 'p-x.jpeg%00.png']) {
    t.ok([400, 404].includes((await api.get(`/pictures/${path}`)).status), path);
  }
});

t.test(
  'V6 authentication: weak passwords are refused, strong ones kept by argon2id, and nobody learns who is there',
  async (t) => {
    const api = await buildTestApp(t);
    const user = await api.register();
    const register = (password: string) =>
      api.post('/api/user/register/', {
        body: { username: 'mallory', email: 'mallory@example.com', password, confirm_password: password },
      });
    for (const weak of ['short1A', 'password', 'mallory1', '12345678', 'qwertyuiop']) {
      t.equal((await register(weak)).status, 400, weak);
    }
    const [row] = await api.database.db.execute<{ hash: string }>(
      `select password_hash as hash from users where id = ${user.id}`,
    );
    t.match(row?.hash, /^\$argon2id\$v=19\$m=\d+,t=\d+,p=\d+\$/);
    const logIn = async (username: string, password: string) => {
      const { status, body } = await api.post('/api/user/login/', { body: { username, password } });
      return { status, ...body };
    };
    const [wrong, unknown] = [
      await logIn(user.username, 'wrong-Password-1'),
      await logIn('nobody', 'wrong-Password-1'),
    ];
    t.equal(wrong.status, 401);
    t.strictSame({ ...wrong, instance: null }, { ...unknown, instance: null });

    const strict = await buildTestApp(t, { STAFF_MFA: 'required' });
    const staff = await strict.registerStaff();
    const listUsers = async (token: string) => (await strict.get('/api/user/users/', { token })).status;
    t.equal(await listUsers(staff.token), 403, 'staff without a second factor are none');
    const { secret } = await enrol(strict, staff);
    t.equal(await listUsers(staff.token), 200);
    const withCode = (otp: string, remoteAddress = '127.0.0.1') =>
      strict.post('/api/user/login/', { body: { username: staff.username, password: PASSWORD, otp }, remoteAddress });
    const code = codeOf(secret, MORNING, 1);
    t.equal((await withCode(code)).status, 200);
    t.equal((await withCode(code)).status, 401, 'a code is good once');
    const guesses = Array.from({ length: 12 }, (_, index) =>
      withCode(index % 2 ? '000000' : '111111', `192.0.2.${index}`),
    );
    await Promise.all(guesses);
    const [totp] = await strict.database.db.execute<{ wrong: number }>('select wrong_codes as wrong from totps');
    t.equal(totp?.wrong, 10, 'and no more are judged, from wherever they come');
  },
);

t.test(
  'V6 authentication: a code by mail goes to its user alone, a few times, and its request tells nobody who is there',
  async (t) => {
    const { url, mails } = await openSmtp(t);
    const api = await buildTestApp(t, { SMTP_URL: url });
    const { username } = await api.register();
    const forget = async (email: string, from: number) => {
      const answer = await api.post('/api/user/password/forgot/', {
        ...{ body: { email }, remoteAddress: `192.0.2.${from}` },
        headers: { host: 'evil.example', 'x-forwarded-host': 'evil.example' },
      });
      await api.app.errands.settled();
      return [answer.status, answer.text];
    };
    const known = await forget(`${username}@example.com`, 1);
    t.equal(known[0], 202);
    t.strictSame(await forget('nobody@example.com', 1), known);
    for (let from = 2; from < 9; from++) t.strictSame(await forget(`${username}@example.com`, from), known);
    t.strictSame(
      mails.map(({ to }) => to),
      Array(3).fill([`${username}@example.com`]),
      'three an hour, from wherever they are asked for',
    );
    t.ok(
      mails.every(({ text }) => /^Code: ([0-9A-Z]{4}-){2}[0-9A-Z]{4}$/m.test(text)),
      'of 60 bits',
    );
    t.notMatch(JSON.stringify(mails), /evil/, 'no word of the request gets into the mail');
    const stored = await dump(api);
    for (const { text } of mails) {
      const [, code = ''] = /^Code: (\S+)$/m.exec(text) ?? [];
      t.notOk(stored.includes(code) || stored.includes(code.replaceAll('-', '')), 'its hash alone is kept');
    }
  },
);

t.test('V7 sessions: what ends a session ends its tokens', async (t) => {
  const api = await buildTestApp(t);
  const staff = await api.registerStaff();
  const refresh = async (refresh: string) => (await api.post('/api/user/token/refresh/', { body: { refresh } })).status;
  const knows = async (token: string) => (await api.get('/api/user/profiles/me/', { token })).status;
  for (const [how, end] of [
    ['logging out', (user) => api.post('/api/user/logout/', { token: user.token, body: { refresh: user.refresh } })],
    [
      'deactivation',
      (user) => api.patch(`/api/user/users/${user.id}/`, { token: staff.token, body: { is_active: false } }),
    ],
  ] as [string, (user: Awaited<ReturnType<TestApp['register']>>) => Promise<{ status: number }>][]) {
    const user = await api.register();
    t.equal(await knows(user.token), 200);
    t.equal(await refresh(user.refresh), 200);
    t.equal((await end(user)).status, 200, how);
    t.equal(await refresh(user.refresh), 401, how);
    t.equal(await knows(user.token), 401, how);
  }
  const user = await api.register();
  const other = (await api.post('/api/user/login/', { body: { username: user.username, password: PASSWORD } })).body;
  const body = { current_password: PASSWORD, password: 'walnut-Bicycle-7', confirm_password: 'walnut-Bicycle-7' };
  t.equal((await api.post('/api/user/password/', { token: user.token, body })).status, 200);
  t.equal(await refresh(other.refresh), 401, 'a change of the password ends the others');
  t.equal(await refresh(user.refresh), 200, 'and keeps the own one');
});

t.test('V8 authorization: who is staff no more has no right of staff with the token of before', async (t) => {
  const api = await buildTestApp(t);
  const [staff, other] = [await api.registerStaff(), await api.registerStaff()];
  const users = async () => (await api.get('/api/user/users/', { token: other.token })).status;
  t.equal(await users(), 200);
  await api.patch(`/api/user/users/${other.id}/`, { token: staff.token, body: { is_staff: false } });
  t.equal(await users(), 403);
  t.equal(
    (await api.patch(`/api/user/users/${other.id}/`, { token: other.token, body: { is_staff: true } })).status,
    403,
  );
});

t.test('V9 tokens: one algorithm, one use, an end; nothing in the header leads elsewhere', async (t) => {
  const api = await buildTestApp(t);
  const user = await api.register();
  const status = async (token: string) => (await api.get('/api/user/profiles/me/', { token })).status;
  const claims = { sub: String(user.id), use: 'access', exp: now() + 60 };
  t.equal(await status(forgeToken(claims)), 200);
  for (const header of [{ alg: 'none' }, { alg: 'HS384' }, { alg: 'RS256' }, { alg: 'ES256' }, {}]) {
    t.equal(await status(forgeToken(claims, { header })), 401, JSON.stringify(header));
  }
  for (const more of [
    { kid: '../../dev/null' },
    { kid: "x' union select 'a" },
    { jku: 'http://127.0.0.1/' },
    { jwk: {} },
  ]) {
    const token = forgeToken(claims, { secret: '', header: { alg: 'HS256', typ: 'JWT', ...more } });
    t.equal(await status(token), 401, JSON.stringify(more));
  }
  t.equal(await status(forgeToken({ ...claims, use: 'refresh' })), 401);
  t.ok(Number(claimsOf(user.token)['exp']) <= now() + 3601);
  t.notMatch(JSON.stringify(claimsOf(user.token)), new RegExp(`${user.username}|example.com|${PASSWORD}`));
});

t.test('V10 OAuth: what the provider has not said to this flow signs nobody in, and no email links', async (t) => {
  const provider = await OpenIdServer.start(t);
  const clock = { now: MORNING };
  const api = await buildTestApp(t, provider.environment(), { now: () => clock.now });
  const user = await api.register({ username: 'ann' });
  const start = async (redirect_uri: string, token?: string) => {
    const body = { redirect_uri, ...(token !== undefined && { current_password: PASSWORD }) };
    return api.post('/api/user/oidc/start/', { token, body });
  };
  const come = async (sub: string, token?: string) => {
    const claims = { email: 'ann@example.com', email_verified: true };
    return provider.signIn((await start(REDIRECT_URI, token)).body.authorization_url, { sub, claims });
  };
  const finish = async (body: object, token?: string) =>
    (await api.post('/api/user/oidc/callback/', { token, body })).status;

  t.equal((await start('https://evil.example/')).status, 400);
  const { searchParams } = new URL((await start(REDIRECT_URI)).body.authorization_url);
  t.equal(searchParams.get('response_type'), 'code');
  t.equal(searchParams.get('code_challenge_method'), 'S256');
  t.equal(await finish(await come('mallory')), 403, 'an email that is the same links nobody');
  const bare = { redirect_uri: REDIRECT_URI };
  t.equal(
    (await api.post('/api/user/oidc/start/', { token: user.token, body: bare })).status,
    400,
    'nor a token alone',
  );
  t.equal(await finish(await come('ann', user.token)), 401, 'nor a state alone');
  t.equal(await finish(await come('ann', user.token), user.token), 200);

  const [first, second] = [await come('ann'), await come('ann')];
  t.equal(await finish({ ...first, state: second.state }), 401, 'a code of another flow');
  t.equal(await finish({ ...first, state: `${second.state.slice(0, -4)}AAAA` }), 400, 'a state that is made up');
  t.equal(await finish(second), 200);
  t.equal(await finish(second), 401, 'a code is good once');
  const late = await come('ann');
  clock.now = new Date(MORNING.getTime() + 600_000);
  t.equal(await finish(late), 400);

  const stranger = newKey();
  for (const [what, change, key] of [
    ['nonce', { nonce: 'another' }, provider.key],
    ['issuer', { iss: 'https://evil.example' }, provider.key],
    ['audience', { aud: 'another' }, provider.key],
    ['end', { exp: now() - 60 }, provider.key],
    ['signature', {}, stranger],
  ] as const) {
    const came = await come('ann');
    provider.tamper = (tokens) => ({
      ...tokens,
      id_token: signIdToken({ ...claimsIn(tokens['id_token']), ...change }, key),
    });
    t.equal(await finish(came), 401, what);
    provider.tamper = undefined;
  }
  t.equal(await finish(await come('ann')), 200);
});

t.test('V11 cryptography: what is secret is stored as a hash, and cannot be guessed', async (t) => {
  const api = await buildTestApp(t);
  const { users, ids } = await buildClinic(api);
  const { token } = users.staff;
  const invitation = await api.post(`/patients/${ids['deskPatientId']}/invitation/`, { token, body: {} });
  const { secret, recoveryCodes } = await enrol(api, users.doctor);
  const secrets = {
    'an access token': users.owner.token,
    'a refresh token': users.owner.refresh,
    'the id of a session': String(claimsOf(users.owner.refresh)['jti']),
    'a password': PASSWORD,
    'a hold': String(ids['holdToken']),
    'the secret of a second factor': secret,
    'a recovery code': recoveryCodes[0] as string,
    'a recovery code as it is read': recoveryCodes[1]?.replaceAll('-', '') as string,
    'an invitation': Object.values(invitation.body as object).find((value) => typeof value === 'string') as string,
  };
  const all = await dump(api);
  for (const [name, secret] of Object.entries(secrets)) {
    t.ok(secret.length >= 8, name);
    t.notOk(all.includes(secret), name);
  }
  t.ok(Buffer.from(String(ids['holdToken']), 'base64url').length >= 16);
});

t.test('V13 configuration: production does not start on a weak or missing secret, and says no value', async (t) => {
  for (const JWT_SECRET of [undefined, '', 'short', 'planted-31-bytes-of-a-secret-xx']) {
    const environment = {
      NODE_ENV: 'production',
      DATA_DIR: t.testdir(),
      ...(JWT_SECRET !== undefined && { JWT_SECRET }),
    };
    t.throws(() => readConfig(environment), /JWT_SECRET must/, JWT_SECRET ?? 'none');
    try {
      readConfig(environment);
    } catch (error) {
      t.notMatch(String(error), /planted/);
    }
  }
  const api = await buildTestApp(t);
  const { token } = await api.register();
  const form = {
    profile: new File(
      [
        await sharp({ create: { width: 8, height: 8, channels: 3, background: '#123' } })
          .png()
          .toBuffer(),
      ],
      'a.png',
    ),
  };
  t.equal((await api.patch('/patients/1/', { token, form })).status, 200);
  const folder = join(t.testdirName, 'pictures');
  for (const name of await readdir(folder, { recursive: true })) {
    const { mode } = await stat(join(folder, name));
    t.equal(mode & 0o007, 0, `others can not read ${name}`);
  }
});

t.test('V14 data protection: no cache keeps an answer to somebody who is signed in, nor tokens', async (t) => {
  const api = await buildTestApp(t);
  const { users, ids } = await buildClinic(api);
  const { token, refresh } = users.owner;
  for (const path of ['/patients/me/', `/patients/${ids['patientId']}/`, '/appointments/', '/api/user/profiles/me/']) {
    t.match((await api.get(path, { token })).headers['cache-control'], /no-store/, path);
  }
  const answer = await api.post('/api/user/token/refresh/', { body: { refresh } });
  t.match(answer.headers['cache-control'], /no-store/);

  // Word for word it is in test/resources/rights.test.ts.
  const by = { token: users.staff.token };
  const { username } = users.owner;
  t.match((await api.get(`/patients/${ids['patientId']}/export/`, { token })).text, username, 'all that is held');
  t.match(await dump(api), username);
  t.equal((await api.post(`/patients/${ids['patientId']}/erase/`, { ...by, body: { reason: 'x' } })).status, 200);
  t.notMatch(await dump(api), new RegExp(`\\b${username}\\b`), 'and is erased');
});

t.test('V15 supply: every dependency is pinned, has its checksum and comes from the registry', (t) => {
  const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as Record<string, Record<string, string>>;
  for (const kind of ['dependencies', 'devDependencies', 'overrides']) {
    for (const [name, version] of Object.entries(manifest[kind] ?? {})) {
      t.match(version, /^\d+\.\d+\.\d+(-[\w.]+)?$/, name);
    }
  }
  const lock = JSON.parse(readFileSync('package-lock.json', 'utf8')) as {
    packages: Record<string, { integrity?: string; resolved?: string; link?: boolean; inBundle?: boolean }>;
  };
  for (const [path, { integrity, resolved, inBundle }] of Object.entries(lock.packages)) {
    if (path === '' || inBundle === true) continue;
    t.match(integrity, /^sha512-/, path);
    t.equal(resolved, undefined, path);
  }
  const scripts = execFileSync(
    'git',
    ['grep', '-lE', 'child_process|[^.]eval\\(|new Function', '--', 'src', 'plugins', 'db'],
    {
      encoding: 'utf8',
    },
  );
  t.strictSame(
    scripts
      .trim()
      .split('\n')
      .filter((name) => !name.startsWith('db/embedded/') && name !== 'db/generate.ts'),
    [],
    'only the embedded database and a command of developers start processes',
  );
  t.end();
});

t.test('V16 logs and errors: a fault of the server says nothing of itself', async (t) => {
  const api = await buildTestApp(t);
  const { token } = await api.registerStaff();
  await api.database.db.execute('alter table services rename to services_gone');
  const { status, body, text } = await api.get('/services/', { token });
  t.equal(status, 500);
  t.match(body, { type: '/problems/internal-error', status: 500 });
  t.notMatch(text, /services_gone|relation|42P01|select|\.js/);
});
