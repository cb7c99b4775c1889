/** TLS to a PostgreSQL whose certificates are made here. */
import { chmodSync, chownSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { createServer, connect as connectSocket } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { connect } from '../../db/connect.js';
import { openEmbedded } from '../../db/embedded/index.js';
import { describeTls, readDatabaseUrl } from '../../db/url.js';
import { makeCertificate } from '../helpers/certificates.js';
import { databaseEndsWithUs } from '../helpers/reaper.js';
import { dataFolder, runProgram, startServerProcess } from '../helpers/process.js';

const folder = dataFolder(t);
chmodSync(folder, 0o755);
const path = (name: string): string => join(folder, name);

makeCertificate(folder, 'authority', '');
makeCertificate(folder, 'stranger', '');
makeCertificate(folder, 'good', 'DNS:localhost,IP:0.0.0.0', 'authority');
makeCertificate(folder, 'elsewhere', 'DNS:db.example.com,IP:192.0.2.1', 'authority');
makeCertificate(folder, 'unknown', 'DNS:localhost', 'stranger');
makeCertificate(folder, 'someone', '', 'authority');

databaseEndsWithUs(path('data'));
const embedded = await openEmbedded({ dataDir: path('data'), settings: { fsync: 'off' } });
t.teardown(() => embedded.stop());
const admin = connect(embedded.url, { max: 1 });
t.teardown(() => admin.end());
const { uid, gid } = statSync(realpathSync(join(path('data'), 'postgres')));

/** Gives the server a certificate for the connections to come; null: it takes no TLS. */
async function serveWith(name: string | null): Promise<void> {
  const settings = { ssl: name === null ? 'off' : 'on', ssl_ca_file: path('authority.pem') };
  if (name !== null) {
    chownSync(path(`${name}.key`), uid, gid);
    Object.assign(settings, { ssl_cert_file: path(`${name}.pem`), ssl_key_file: path(`${name}.key`) });
  }
  for (const [setting, value] of Object.entries(settings))
    await admin.unsafe(`alter system set ${setting} = '${value}'`);
  const loaded = async (): Promise<Date | undefined> =>
    (await admin<{ at: Date }[]>`select pg_conf_load_time() as at`)[0]?.at;
  const before = await loaded();
  await admin`select pg_reload_conf()`;
  while ((await loaded())?.getTime() === before?.getTime());
}

/** This machine, by an address that is not known to be its own. */
const ELSEWHERE = '0.0.0.0';
const ROOT = `sslrootcert=${path('authority.pem')}`;

function urlOf(query: string, host = ELSEWHERE): string {
  const url = new URL(embedded.url);
  return `${url.protocol}//${url.username}:${url.password}@${host}:${url.port}${url.pathname}${query && `?${query}`}`;
}

/** Whether a connection is encrypted, or the code or message with which it fails. */
async function outcomeOf(url: string): Promise<boolean | string> {
  const client = connect(url, { max: 1, backoff: () => 0 });
  try {
    const [row] = await client<{ ssl: boolean }[]>`select ssl from pg_stat_ssl where pid = pg_backend_pid()`;
    return row?.ssl ?? 'no row';
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return /before secure TLS connection/.test(message) ? 'takes no TLS' : (code ?? message);
  } finally {
    await client.end({ timeout: 1 });
  }
}

const UNKNOWN = /^(SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_VERIFY_LEAF_SIGNATURE|UNABLE_TO_GET_ISSUER_CERT_LOCALLY)$/;
const WRONG_NAME = 'ERR_TLS_CERT_ALTNAME_INVALID';
const NO_TLS = 'takes no TLS';

/** What each mode makes of a server with a good certificate, one of another host, one of a stranger, and none. */
const OUTCOMES: readonly (readonly [query: string, ...outcomes: (boolean | string | RegExp)[]])[] = [
  ['', UNKNOWN, UNKNOWN, UNKNOWN, NO_TLS],
  ['sslmode=disable', false, false, false, false],
  ['sslmode=allow', true, true, true, false],
  ['sslmode=prefer', true, true, true, false],
  ['sslmode=require', true, true, true, NO_TLS],
  ['ssl=true', true, true, true, NO_TLS],
  [ROOT, true, WRONG_NAME, UNKNOWN, NO_TLS],
  [`sslmode=require&${ROOT}`, true, true, UNKNOWN, NO_TLS],
  [`sslmode=verify-ca&${ROOT}`, true, true, UNKNOWN, NO_TLS],
  [`${ROOT}&sslmode=verify-full`, true, WRONG_NAME, UNKNOWN, NO_TLS],
  ['sslmode=verify-full', UNKNOWN, UNKNOWN, UNKNOWN, NO_TLS],
  ['sslmode=verify-ca', UNKNOWN, UNKNOWN, UNKNOWN, NO_TLS],
  ['sslrootcert=system', UNKNOWN, UNKNOWN, UNKNOWN, NO_TLS],
  [`sslnegotiation=direct&${ROOT}`, true, WRONG_NAME, UNKNOWN, /./],
];

for (const [index, certificate] of ['good', 'elsewhere', 'unknown', null].entries()) {
  t.test(`a server with ${certificate === null ? 'no certificate' : `the certificate "${certificate}"`}`, async (t) => {
    await serveWith(certificate);
    for (const [query, ...outcomes] of OUTCOMES) {
      const url = urlOf(query, query === '' ? ELSEWHERE : 'localhost');
      t.match(await outcomeOf(url), outcomes[index] ?? '', query || 'by default');
    }
    t.equal(await outcomeOf(embedded.url), false, 'this machine goes without, unless it is asked');
  });
}

t.test('a host that is an address is verified by that address', async (t) => {
  await serveWith('good');
  t.equal(await outcomeOf(urlOf(ROOT, '0.0.0.0')), true);
  t.equal(await outcomeOf(urlOf(`${ROOT}&sslmode=verify-full`, '127.0.0.1')), WRONG_NAME, 'not by the name localhost');
  await serveWith('elsewhere');
  t.equal(await outcomeOf(urlOf(ROOT, '0.0.0.0')), WRONG_NAME);
});

t.test('a certificate of the program’s own', async (t) => {
  await serveWith('good');
  const client = connect(urlOf(`${ROOT}&sslcert=${path('someone.pem')}&sslkey=${path('someone.key')}`), { max: 1 });
  t.teardown(() => client.end());
  const [row] = await client<{ dn: string }[]>`select client_dn as dn from pg_stat_ssl where pid = pg_backend_pid()`;
  t.equal(row?.dn, '/CN=someone');
});

t.test('variables of libpq and the driver weaken nothing', async (t) => {
  await serveWith('unknown');
  const { code, stderr } = await runProgram('dist/src/server.js', {
    ...{ PGSSLMODE: 'disable', PGSSL: 'prefer', PGSSLROOTCERT: path('stranger.pem') },
    ...{ DATABASE_URL: urlOf(''), DATA_DIR: dataFolder(t) },
  });
  t.equal(code, 1);
  t.match(stderr, /^DATABASE_URL leads to a server whose certificate sslmode=verify-full \(the default/);
});

t.test('a start that is refused says in one line what to put, and sends no password', async (t) => {
  const START = /^DATABASE_URL leads to a server/;
  for (const [certificate, query, said] of [
    [null, '', /takes no TLS, .* add \?sslmode=disable to DATABASE_URL/],
    [null, 'connect_timeout=9', /takes no TLS, .* add &sslmode=disable to DATABASE_URL/],
    [null, 'sslmode=require', /takes no TLS, which sslmode=require asks for: .* have &sslmode=disable in DATABASE_URL/],
    ['unknown', '', /add \?sslmode=verify-full&sslrootcert=\/path\/to\/ca\.pem to DATABASE_URL/],
    ['elsewhere', ROOT, /IP: 0\.0\.0\.0 is not in the cert's list.* have &sslmode=verify-ca in DATABASE_URL/],
  ] as const) {
    await serveWith(certificate);
    const seen: Buffer[] = [];
    const { port } = new URL(embedded.url);
    const tap = createServer((client) => {
      const server = connectSocket(Number(port), '127.0.0.1');
      client.on('data', (bytes) => seen.push(bytes)).on('error', () => undefined);
      client.pipe(server).on('error', () => client.destroy());
      server.pipe(client);
    });
    await new Promise<void>((resolve) => tap.listen(0, '127.0.0.1', resolve));
    const DATABASE_URL = urlOf(query).replace(`:${port}/`, `:${(tap.address() as { port: number }).port}/`);
    for (const program of certificate === 'elsewhere' ? ['server', 'demo', 'admin'] : ['server']) {
      const args = program === 'admin' ? ['--username', 'boss', '--email', 'boss@example.com'] : [];
      const ended = await runProgram(`dist/src/${program}.js`, { DATABASE_URL, DATA_DIR: dataFolder(t) }, args, 'x\n');
      t.equal(ended.code, 1, program);
      t.match(ended.stderr, START);
      t.match(ended.stderr, said);
      t.equal(ended.stderr.trim().split('\n').length, 1, ended.stderr);
    }
    t.ok(seen.length > 0);
    t.notMatch(Buffer.concat(seen).toString('latin1'), /user\0|database\0/, 'nothing is said in clear text');
    await new Promise((resolve) => tap.close(resolve));
  }
});

t.test('the start says which it is', async (t) => {
  await serveWith('good');
  for (const [url, level, said] of [
    [urlOf(ROOT), 30, 'database: TLS, verified (sslmode=verify-full)'],
    [urlOf('sslmode=require'), 40, 'database: TLS, not verified (sslmode=require)'],
    [urlOf('sslmode=disable'), 40, 'database: not encrypted (sslmode=disable)'],
    [embedded.url, 30, 'database: not encrypted, on this machine (sslmode=disable)'],
  ] as const) {
    const { log } = await startServerProcess(t, { DATABASE_URL: url, DATA_DIR: dataFolder(t) });
    const [line, ...more] = log.filter((line) => line.includes('"database: '));
    t.match(JSON.parse(line ?? '{}'), { level, msg: said });
    t.strictSame(more, []);
    t.notMatch(log.join('\n'), readFileSync(join(path('data'), 'postgres/password'), 'utf8').trim());
  }
});

t.test('which hosts are this machine', (t) => {
  const tlsOf = (authority: string) => readDatabaseUrl(`postgres://u:p@${authority}/clinic`).tls;
  const LOCAL = 'not encrypted, on this machine (sslmode=disable)';
  for (const host of ['localhost', 'LOCALHOST:5433', '127.0.0.1', '127.8.9.10:1', '[::1]:5432', '%2Frun%2Fpg', '']) {
    t.equal(describeTls(tlsOf(host)), LOCAL, host);
  }
  for (const host of ['db', 'db:5432', '10.0.0.1', '127.0.0.1.example.com', 'localhost.example.com', '[fd00::1]']) {
    t.strictSame(tlsOf(host), { mode: 'verify-full', isDefault: true, isLocal: false }, host);
  }
  t.match(tlsOf('localhost,db'), { mode: 'verify-full' }, 'one of several is elsewhere');
  t.match(readDatabaseUrl('postgres:///clinic?host=db').tls, { mode: 'verify-full' });
  t.match(readDatabaseUrl('postgres://localhost/clinic?host=db').tls, { mode: 'verify-full' });
  t.match(readDatabaseUrl('postgres://db/clinic?host=/run/pg').tls, { mode: 'disable' }, 'a socket takes no TLS');
  t.match(readDatabaseUrl('postgres://u@[::1]:6000,[fd00::1]/clinic?port=7000').wishes, {
    host: ['::1', 'fd00::1'],
    port: [6000, 7000],
  });
  t.end();
});
