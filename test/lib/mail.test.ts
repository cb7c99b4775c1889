/** How mail is sent, to real servers of mail that are slow, refuse, or are not who they should be. */
import { readFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { SMTPServerOptions } from 'smtp-server';
import t, { type Test } from 'tap';
import { openMail } from '../../src/lib/mail.js';
import { readMailServer } from '../../src/lib/mail-url.js';
import { makeCertificate } from '../helpers/certificates.js';
import { dataFolder, runProgram, startServerProcess } from '../helpers/process.js';
import { openSmtp } from '../helpers/smtp.js';

const FROM = { name: 'Clínica, São José', address: 'post@clinic.example' };
const LETTER = { to: 'ada@example.com', subject: 'A new password', text: 'Code: secret-code\n' };
/** This machine, by an address that is not known to be its own. */
const ELSEWHERE = '0.0.0.0';

/** A sender whose pauses take no time, and what it has told and waited for. */
async function senderTo(url: string, within = 15_000) {
  const log: string[] = [];
  const pauses: number[] = [];
  const server = readMailServer(url);
  if (server === undefined) throw new Error(`${url} is no URL of a mail server`);
  const send = await openMail(
    { server, from: FROM },
    { warn: (about, line) => void log.push(`${line} ${JSON.stringify(about)}`) },
    {
      within,
      pause: async (milliseconds, stop) => {
        stop.throwIfAborted();
        pauses.push(milliseconds);
      },
    },
  );
  return { log, pauses, send: (letter = LETTER, stop = new AbortController().signal) => send(letter, stop) };
}

const refusal = (responseCode: number): Error =>
  Object.assign(new Error(`no mail for <${LETTER.to}>`), { responseCode });
/** Refuses the first few mails by a status. */
const refusing = (status: number, count: number): SMTPServerOptions => {
  let left = count;
  return { onRcptTo: (_address, _session, done) => done(left-- > 0 ? refusal(status) : null) };
};
const keepsSecrets = (t: Test, log: readonly string[]): void =>
  void t.notMatch(log.join(), /secret|ada|example|user7|sesame/);

t.test('a mail arrives as it was written, with nothing that tells of the program', async (t) => {
  const { url, mails } = await openSmtp(t);
  const { send, log } = await senderTo(url);
  await send({ ...LETTER, text: 'Code: 1\nhttps://clinic.example/reset#code=1&username=ä\n.\n' });
  t.match(mails, [{ from: 'post@clinic.example', to: ['ada@example.com'], isEncrypted: false, user: undefined }]);
  const [mail] = mails;
  t.equal(mail?.text.trimEnd(), 'Code: 1\nhttps://clinic.example/reset#code=1&username=ä\n.');
  t.strictSame([...(mail?.headers.keys() ?? [])].sort(), [
    ...['auto-submitted', 'content-transfer-encoding', 'content-type', 'date', 'from', 'message-id'],
    ...['mime-version', 'subject', 'to'],
  ]);
  t.match(mail?.headers.get('from'), /^=\?UTF-8\?[BQ]\?\S+\?= <post@clinic\.example>$/);
  t.strictSame(log, []);
});

t.test('what could be a header or a second address is sent to nobody', async (t) => {
  const { url, mails } = await openSmtp(t);
  const { send, log } = await senderTo(url);
  const bad = [
    ...['a@example.com\r\nBcc: b@example.com', 'a@example.com\nSubject: x', 'a@example.com, b@example.com'],
    ...['"b@example.com x"@example.com', '<b@example.com>a@example.com', 'a@example.com b@example.com', 'a', ''],
    ...['a@example.com\0', 'a@[127.0.0.1]', 'a@b@example.com', 'a@example.com>', 'g:a@example.com;'],
  ];
  for (const to of bad) await send({ ...LETTER, to });
  t.strictSame(mails, []);
  t.equal(log.length, bad.length);
  keepsSecrets(t, log);
});

t.test('the server is signed in to', async (t) => {
  const { port, mails } = await openSmtp(t, {
    authOptional: false,
    onAuth: ({ username, password }, _session, done) =>
      username === 'user7@clinic' && password === 'open sesame/7'
        ? done(null, { user: username })
        : done(Object.assign(new Error('no'), { responseCode: 535 })),
  });
  const right = await senderTo(`smtp://user7%40clinic:open%20sesame%2F7@127.0.0.1:${port}`);
  await right.send();
  t.match(mails, [{ user: 'user7@clinic' }]);
  const wrong = await senderTo(`smtp://user7%40clinic:sesame@127.0.0.1:${port}`);
  await wrong.send();
  t.equal(mails.length, 1);
  t.strictSame(wrong.pauses, [], 'what is refused for good is not tried again');
  t.match(wrong.log, [/^a mail was not sent .*"code":"EAUTH".*"responseCode":535/]);
  keepsSecrets(t, wrong.log);
});

t.test('a mail that the server may take later is tried again, three times, with growing pauses', async (t) => {
  for (const [status, count, arrived, pauses] of [
    [451, 1, 1, [5_000]],
    [421, 3, 1, [5_000, 30_000, 120_000]],
    [450, 4, 0, [5_000, 30_000, 120_000]],
    [550, 1, 0, []],
    [554, 1, 0, []],
  ] as const) {
    const { url, mails } = await openSmtp(t, refusing(status, count));
    const sender = await senderTo(url);
    await sender.send();
    t.equal(mails.length, arrived, `${status} ${count} times`);
    t.strictSame(sender.pauses, pauses);
    t.equal(sender.log.length, pauses.length + (arrived === 0 ? 1 : 0));
    t.ok(sender.log.every((line) => line.includes(`"responseCode":${status}`)));
    t.match(sender.log.at(-1), arrived === 0 ? /^a mail was not sent / : /^a mail is tried again /);
    keepsSecrets(t, sender.log);
  }
});

t.test('a server that is away is tried again', async (t) => {
  const { url, close } = await openSmtp(t);
  await close();
  const { send, pauses, log } = await senderTo(url);
  await send();
  t.strictSame(pauses, [5_000, 30_000, 120_000]);
  t.equal(log.length, 4);
  keepsSecrets(t, log);
});

t.test('a server that says nothing, or too little at a time, is left after a while', async (t) => {
  for (const [greeting, drop] of [
    ['', ''],
    ['220 mail.example.com\r\n', '2'],
  ] as const) {
    const server = createServer((socket) => {
      // No line that ends, but never silent for long.
      socket.write(greeting);
      const trickle = setInterval(() => void socket.write(drop), 20);
      socket.on('error', () => undefined).on('close', () => clearInterval(trickle));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const { send, pauses, log } = await senderTo(`smtp://127.0.0.1:${port}`, 150);
    const started = performance.now();
    await send();
    t.ok(performance.now() - started < 5_000);
    t.equal(pauses.length, 3);
    keepsSecrets(t, log);
    // It waits for the last connection.
    await new Promise((resolve) => server.close(resolve));
  }
});

t.test('nothing is tried again once the server stops', async (t) => {
  const { url, mails } = await openSmtp(t, refusing(451, 9));
  const { send, pauses, log } = await senderTo(url);
  await send(LETTER, AbortSignal.abort());
  t.strictSame([mails, pauses], [[], []]);
  t.match(log.at(-1), /^a mail was not sent: the server stops/);
});

const folder = dataFolder(t);
const path = (name: string): string => join(folder, name);
makeCertificate(folder, 'authority', '');
makeCertificate(folder, 'good', 'IP:0.0.0.0', 'authority');
makeCertificate(folder, 'elsewhere', 'DNS:mail.example.com', 'authority');
makeCertificate(folder, 'unknown', 'IP:0.0.0.0');
const certificate = (name: string) => ({
  key: readFileSync(path(`${name}.key`)),
  cert: readFileSync(path(`${name}.pem`)),
});

/** A server of mail that takes TLS and whoever signs in, and what it hears of passwords. */
async function openTls(t: Test, name: string, more: SMTPServerOptions = {}) {
  const heard: string[] = [];
  const smtp = await openSmtp(t, {
    ...{ disabledCommands: [], ...certificate(name), authOptional: true, allowInsecureAuth: true },
    onAuth: ({ username, password }, _session, done) => {
      heard.push(password ?? '');
      done(null, { user: username });
    },
    ...more,
  });
  return { ...smtp, heard };
}

/** The same as `send`, in a process that knows our authority. */
const SEND = `
  const [{ openMail }, { readMailServer }] = await Promise.all([
    import('./dist/src/lib/mail.js'), import('./dist/src/lib/mail-url.js') ]);
  const log = { warn: (about, line) => console.log(line, JSON.stringify(about)) };
  const from = { name: '', address: 'post@clinic.example' };
  const times = { within: 15000, pause: async () => { throw new Error('once is enough'); } };
  const send = await openMail({ server: readMailServer(process.argv[1]), from }, log, times);
  await send({ to: 'ada@example.com', subject: 'x', text: 'x' }, new AbortController().signal);`;
const sendTrusting = (url: string) =>
  runProgram('--input-type=module', { NODE_EXTRA_CA_CERTS: path('authority.pem') }, ['-e', SEND, url]);

t.test('a server elsewhere has to show a certificate of its name, before it hears anything', async (t) => {
  const user = 'user7:sesame@';
  for (const [name, isTrusted, more] of [
    ['good', true, {}],
    ['good', true, { secure: true }],
    ['elsewhere', false, {}],
    ['unknown', false, {}],
    ['unknown', false, { secure: true }],
    // Who is in between and takes the offer away.
    ['good', false, { hideSTARTTLS: true }],
    ['good', false, { disabledCommands: ['STARTTLS'] }],
  ] as const) {
    const { port, mails, heard } = await openTls(t, name, more as SMTPServerOptions);
    const url = `smtp${'secure' in more ? 's' : ''}://${user}${ELSEWHERE}:${port}`;
    const { stdout, stderr } = await sendTrusting(url);
    const isHidden = 'hideSTARTTLS' in more;
    const label = `${name} ${JSON.stringify(more)} ${stdout} ${stderr}`;
    // It asks for STARTTLS all the same, which may be there.
    t.equal(mails.length, isTrusted || isHidden ? 1 : 0, label);
    t.strictSame(heard, isTrusted || isHidden ? ['sesame'] : [], label);
    t.ok(mails.every(({ isEncrypted }) => isEncrypted));
  }
});

t.test('on this machine TLS is taken where it is offered, and by tls= it is as it says', async (t) => {
  const { port, mails } = await openTls(t, 'unknown');
  for (const [url, isEncrypted] of [
    [`smtp://127.0.0.1:${port}`, true],
    [`smtp://localhost:${port}?tls=offered`, true],
    [`smtp://127.0.0.1:${port}?tls=off`, false],
    [`smtp://${ELSEWHERE}:${port}?tls=off`, false],
    [`smtp://${ELSEWHERE}:${port}/?tls=offered`, true],
    [`smtp://127.0.0.1:${port}?tls=on`, undefined],
  ] as const) {
    mails.length = 0;
    await (await senderTo(url)).send();
    t.strictSame(
      mails.map((mail) => mail.isEncrypted),
      isEncrypted === undefined ? [] : [isEncrypted],
      url,
    );
  }
});

t.test('the start says where mail goes, and nothing of the password', async (t) => {
  const { log } = await startServerProcess(t, {
    ...{ DATA_DIR: path('data'), DATABASE_URL: 'postgres://x:x@127.0.0.1:1/x' },
    ...{ SMTP_URL: 'smtp://user7:sesame@smtp.example.com', MAIL_FROM: 'post@clinic.example' },
  });
  t.equal(log.filter((line) => line.includes('mail goes by smtp.example.com:587, encrypted and verified')).length, 1);
  t.notMatch(log.join(), /sesame|user7/);
});
