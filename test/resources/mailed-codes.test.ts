/** A forgotten password, by a real server of mail. */
import { eq } from 'drizzle-orm';
import { pino } from 'pino';
import t, { type Test } from 'tap';
import { passwordResets, users } from '../../db/tables/index.js';
import { buildTestApp, MORNING, PASSWORD, type TestApp } from '../helpers/app.js';
import { RACING, untilWaiting } from '../helpers/races.js';
import { openSmtp, type Mailed } from '../helpers/smtp.js';

const NEW = 'walnut-Bicycle-7';
const NO_MAIL = { SMTP_URL: '', MAIL_FROM: '' };

const forget = (api: TestApp, email: string, more: object = {}) =>
  api.post('/api/user/password/forgot/', { body: { email }, ...more });
/** The same, until all is done that comes after the answer. */
const forgotten = async (api: TestApp, email: string, more: object = {}) => {
  const answer = await forget(api, email, more);
  await api.app.errands.settled();
  return answer;
};
const reset = (api: TestApp, username: string, code: string, password = NEW) =>
  api.post('/api/user/password/reset/', { body: { username, code, password, confirm_password: password } });
const logIn = (api: TestApp, username: string, password: string) =>
  api.post('/api/user/login/', { body: { username, password } });
const codeIn = (mail: Mailed | undefined): string => /^Code: (\S+)$/m.exec(mail?.text ?? '')?.[1] ?? '';

async function open(t: Test, environment: Record<string, string> = {}, parts: Parameters<typeof buildTestApp>[2] = {}) {
  const smtp = await openSmtp(t);
  const api = await buildTestApp(t, { SMTP_URL: smtp.url, ...environment }, parts);
  return { smtp, api };
}

t.test('codes by mail', async (t) => {
  let clock = MORNING.getTime();
  const { smtp, api } = await open(t, RACING, { now: () => new Date(clock) });
  const { mails } = smtp;
  const { db } = api.database;
  const staff = await api.registerStaff();

  await t.test('forgotPassword 202, resetPassword 204, logIn 200: the whole way', async (t) => {
    const { username, token, refresh } = await api.register({ first_name: 'Augusta', last_name: 'King' });
    const answer = await forgotten(api, `${username}@EXAMPLE.com`);
    t.match(answer, { status: 202, body: { message: 'If a user has this email, a mail with a code is on its way.' } });
    t.equal(mails.length, 1);
    const [mail] = mails;
    t.match(mail, { from: 'clinic@example.com', to: [`${username}@example.com`], isEncrypted: false });
    t.equal(mail?.headers.get('subject'), 'A new password');
    t.equal(mail?.headers.get('auto-submitted'), 'auto-generated');
    t.match(mail?.text, `User name: ${username}\n`);
    t.match(mail?.text, 'a new password at Clinic.');
    t.notMatch([...(mail?.headers ?? []), mail?.text].join(), /Augusta|King|nodemailer/i);
    const code = codeIn(mail);
    t.match(code, /^([0-9A-HJKMNP-TV-Z]{4}-){2}[0-9A-HJKMNP-TV-Z]{4}$/);
    const rows = await db.select().from(passwordResets);
    t.equal(rows.length, 1);
    t.match(rows[0], { createdBy: null, tries: 0, expiresAt: new Date(clock + 3_600_000) });
    t.notMatch(JSON.stringify(rows), code.replaceAll('-', ''));
    t.equal((await reset(api, username, code)).status, 204);
    t.equal((await api.get('/api/user/sessions/', { token })).status, 401);
    t.equal((await api.post('/api/user/token/refresh/', { body: { refresh } })).status, 401);
    t.equal((await logIn(api, username, PASSWORD)).status, 401);
    t.equal((await logIn(api, username, NEW)).status, 200);
    t.equal((await reset(api, username, code, 'another-Ladder-8')).status, 400, 'the code is good once');
  });

  await t.test('forgotPassword 202, the same to all: nobody is mailed but who is there', async (t) => {
    const [known, inactive, erased] = [await api.register(), await api.register(), await api.register()];
    await db.update(users).set({ isActive: false }).where(eq(users.id, inactive.id));
    const { id: patient } = (await api.get('/patients/me/', { token: erased.token })).body;
    const erase = { token: staff.token, body: { reason: 'Asked for.' } };
    t.equal((await api.post(`/patients/${patient}/erase/`, erase)).status, 200);
    mails.length = 0;
    const answers = new Set<string>();
    for (const { username } of [{ username: 'nobody' }, inactive, erased, known]) {
      const { status, text, headers } = await forgotten(api, `${username}@example.com`);
      const fixed = Object.entries(headers).filter(([name]) => !/^(x-request-id|date|ratelimit.*)$/.test(name));
      answers.add(JSON.stringify([status, text, fixed]));
      t.equal(mails.length, username === known.username ? 1 : 0, username);
    }
    t.equal(answers.size, 1);
    t.equal(await db.$count(passwordResets, eq(passwordResets.userId, inactive.id)), 0);
  });

  await t.test('forgotPassword 202 before anybody is looked for', async (t) => {
    const { username } = await api.register();
    mails.length = 0;
    await db.transaction(async (tx) => {
      await tx.execute('lock table users');
      t.equal((await forget(api, `${username}@example.com`)).status, 202);
      t.equal(mails.length, 0);
    });
    await api.app.errands.settled();
    t.equal(mails.length, 1);
  });

  await t.test('forgotPassword 400 for what is no email, with newlines too', async (t) => {
    for (const email of [
      '',
      'ada',
      'a@b@c',
      'a@example.com\r\nBcc: b@example.com',
      'a@example.com, b@example.com',
      7,
    ]) {
      const { status, body } = await api.post('/api/user/password/forgot/', { body: { email } });
      t.equal(status, 400, JSON.stringify(email));
      t.strictSame(Object.keys(body.errors), ['email']);
    }
    t.equal((await api.post('/api/user/password/forgot/', { body: {} })).status, 400);
  });

  await t.test('forgotPassword 413, 415', async (t) => {
    t.equal((await forget(api, 'x'.repeat(300_000))).status, 413);
    t.equal((await api.post('/api/user/password/forgot/', { form: { email: 'a@example.com' } })).status, 415);
  });

  await t.test('forgotPassword 202, and three mails an hour from however many addresses at once', async (t) => {
    const { id, username } = await api.register();
    const ask = (from: number) => forget(api, `${username}@example.com`, { remoteAddress: `192.0.2.${from}` });
    mails.length = 0;
    const answers = await db.transaction(async (tx) => {
      await tx.execute('lock table password_resets');
      const answers = await Promise.all(Array.from({ length: 8 }, (_, index) => ask(index)));
      // As many as run at once.
      await untilWaiting(tx, () => 4);
      return answers;
    });
    t.ok(answers.every(({ status }) => status === 202));
    await api.app.errands.settled();
    t.equal(mails.length, 3);
    // Each ends the one before; which was made last need not be what was sent last.
    const statuses = [];
    for (const mail of mails) statuses.push((await reset(api, username, codeIn(mail))).status);
    t.strictSame(statuses.sort(), [204, 400, 400]);

    await db.delete(passwordResets).where(eq(passwordResets.userId, id));
    mails.length = 0;
    for (const [minutes, count] of [
      [0, 1],
      [20, 2],
      [20, 3],
      [19, 3],
      // An hour after the first one.
      [1, 4],
      [19, 4],
      [1, 5],
    ] as const) {
      clock += minutes * 60_000;
      await forgotten(api, `${username}@example.com`);
      t.equal(mails.length, count, `after ${minutes} minutes`);
    }
    const [row] = await db.select().from(passwordResets).where(eq(passwordResets.userId, id));
    t.equal(row?.mailedAt.length, 3, 'no more is kept than is counted');
  });

  await t.test('forgotPassword 202, and a code that staff have made stays while it is good', async (t) => {
    const { id, username } = await api.register();
    const make = async () =>
      (await api.post(`/api/user/users/${id}/password-reset/`, { token: staff.token })).body.code as string;
    mails.length = 0;
    const first = await make();
    await forgotten(api, `${username}@example.com`);
    t.equal(mails.length, 0);
    t.equal((await reset(api, username, first)).status, 204);
    await make();
    clock += 3_600_000;
    await forgotten(api, `${username}@example.com`);
    t.equal(mails.length, 1, 'one that has expired does not count');
    await make();
    for (let tries = 0; tries < 5; tries++) await reset(api, username, 'wrong');
    await forgotten(api, `${username}@example.com`);
    t.equal(mails.length, 2, 'nor one that was guessed at');
    await make();
    await api.patch(`/api/user/users/${id}/`, { token: staff.token, body: { is_active: false } });
    await api.patch(`/api/user/users/${id}/`, { token: staff.token, body: { is_active: true } });
    await forgotten(api, `${username}@example.com`);
    t.equal(mails.length, 3, 'nor one that ended with all sessions');
    t.equal((await reset(api, username, codeIn(mails[2]), 'another-Ladder-8')).status, 204);
    const third = await make();
    await forgotten(api, `${username}@example.com`);
    t.equal(mails.length, 3);
    t.equal((await reset(api, username, third)).status, 204);
  });

  await t.test('forgotPassword 202, and the mail goes to the address that the user has', async (t) => {
    await api.register({ email: 'Augusta@example.com' });
    mails.length = 0;
    await forgotten(api, 'AUGUSTA@EXAMPLE.COM');
    t.match(mails, [{ to: ['Augusta@example.com'] }]);
    t.equal(mails[0]?.headers.get('to'), 'Augusta@example.com');
  });

  await t.test('forgotPassword 202, and no word of a name gets into the mail', async (t) => {
    const { id } = await api.register({ email: 'odd+tag@example.com' });
    const name = 'Ada\r\nBcc: evil@example.com\r\n\r\nSee https://evil.example';
    await db.update(users).set({ firstName: name, lastName: name }).where(eq(users.id, id));
    mails.length = 0;
    await forgotten(api, 'odd+tag@example.com');
    const [mail] = mails;
    t.strictSame(mail?.to, ['odd+tag@example.com']);
    t.notMatch([...(mail?.headers ?? []), mail?.text].join(), /evil|bcc/i);
  });

  await t.test('forgotPassword 202, and the audit says who asked', async (t) => {
    const { id, username } = await api.register();
    const { headers } = await forgotten(api, `${username}@example.com`, { remoteAddress: '192.0.2.9' });
    await api.app.audit.flush();
    const events = await db.execute(
      `select actor, action, resource, record_ids::text as ids, operation, outcome, address
       from audit_events where request_id = '${headers['x-request-id']}' order by outcome`,
    );
    const event = {
      ...{ actor: 'anonymous', action: 'reset-password', resource: 'users' },
      ...{ operation: 'forgotPassword', address: '192.0.2.9' },
    };
    t.strictSame(
      [...events],
      [
        { ...event, ids: '{}', outcome: 'answered' },
        { ...event, ids: `{${id}}`, outcome: 'stored' },
      ],
    );
  });
});

t.test(
  'forgotPassword 202 as soon and as long while the mail server holds or refuses mail, and a stop waits for it',
  async (t) => {
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    const heard: string[] = [];
    let begun = (): void => undefined;
    const hasBegun = new Promise<void>((resolve) => (begun = resolve));
    const { url, mails } = await openSmtp(t, {
      onRcptTo: ({ address }, _session, done) => {
        heard.push(address);
        if (address.startsWith('late')) return done(Object.assign(new Error('later'), { responseCode: 451 }));
        begun();
        void held.then(() => done());
      },
    });
    let paused = (): void => undefined;
    const isPaused = new Promise<void>((resolve) => (paused = resolve));
    const pause = (_milliseconds: number, stop: AbortSignal) =>
      new Promise<never>((_resolve, reject) => {
        paused();
        stop.addEventListener('abort', () => reject(new Error('stopped')));
      });
    const lines: string[] = [];
    const logger = pino({ level: 'info' }, { write: (line: string) => void lines.push(line) });
    const api = await buildTestApp(t, { SMTP_URL: url }, { logger, mailTimes: { within: 15_000, pause } });
    const [slow, late] = [await api.register({ username: 'slow' }), await api.register({ username: 'late' })];
    const answers = [];
    for (const { username } of [late, slow, { username: 'nobody' }])
      answers.push(await forget(api, `${username}@example.com`));
    t.strictSame(new Set(answers.map(({ status }) => status)), new Set([202]));
    t.equal(new Set(answers.map(({ text }) => text)).size, 1);
    await Promise.all([hasBegun, isPaused]);
    t.equal((await api.get('/health/ready')).status, 200, 'readiness does not go by mail');
    let isClosed = false;
    const closed = api.app.close().then(() => (isClosed = true));
    await new Promise(setImmediate);
    t.equal(isClosed, false, 'what is being sent is waited for');
    release();
    await closed;
    t.match(mails, [{ to: ['slow@example.com'] }]);
    t.strictSame([...heard].sort(), ['late@example.com', 'slow@example.com']);
    const told = lines.filter((line) => line.includes('a mail'));
    t.match(told, [/a mail is tried again/, /a mail was not sent: the server stops/]);
    t.notMatch(
      lines.join(),
      /example\.com|(?<![\w-])[0-9A-Z]{4}(-[0-9A-Z]{4}){2}(?![\w-])/,
      'neither address nor code is logged',
    );
  },
);

t.test('forgotPassword 404 where the server sends no mail', async (t) => {
  const api = await buildTestApp(t, NO_MAIL);
  const { username } = await api.register();
  for (const email of [`${username}@example.com`, 'nobody@example.com']) {
    t.match(await forget(api, email), {
      status: 404,
      body: {
        type: '/problems/not-configured',
        detail: "This server sends no mail. Ask the clinic's staff, who can make a code.",
      },
    });
  }
  t.equal((await forget(api, 'nonsense')).status, 400);
  t.equal(await api.database.db.$count(passwordResets), 0);
});

t.test('forgotPassword 429 after as many of one address as it may have failed logins', async (t) => {
  const { api, smtp } = await open(t, { RATE_LIMIT_AUTH: '4' });
  const from = { remoteAddress: '192.0.2.7' };
  const statuses = [];
  for (let n = 0; n < 6; n += 1) statuses.push((await forgotten(api, `nobody${n}@example.com`, from)).status);
  t.strictSame(statuses, [202, 202, 202, 202, 429, 429]);
  t.match((await api.post('/api/user/login/', { body: { username: 'a', password: 'b' }, ...from })).status, 429);
  t.equal(smtp.mails.length, 0);
});

t.test('forgotPassword 202 with a link to the page of the clinic, whose code no server sees', async (t) => {
  const { api, smtp } = await open(t, {
    ...{ PASSWORD_RESET_URL: 'https://clinic.example/reset?lang=de', CLINIC_NAME: 'Clínica São José' },
    MAIL_FROM: 'Clínica <post@clinic.example>',
  });
  const { username } = await api.register({ username: 'ada+x@y', email: 'ada@example.com' });
  await forgotten(api, 'ada@example.com');
  const [mail] = smtp.mails;
  const [link = ''] = /https:\S+/.exec(mail?.text ?? '') ?? [];
  t.equal(link, `https://clinic.example/reset?lang=de#code=${codeIn(mail)}&username=ada%2Bx%40y`);
  const { hash } = new URL(link);
  t.equal(new URLSearchParams(hash.slice(1)).get('username'), username);
  t.match(mail?.text, 'at Clínica São José.');
  t.equal(mail?.from, 'post@clinic.example');
});
