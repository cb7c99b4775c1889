import * as fs from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import {
  ConfigError,
  Environment,
  readConfig,
  readEmbeddedConfig,
  readVariable,
  signingSecrets,
  without,
  type Config,
} from '../../src/config.js';

const LONG = 'x'.repeat(32);

const DEFAULTS: Config = {
  isProduction: false,
  host: '0.0.0.0',
  port: 8000,
  workers: null,
  metricsPort: null,
  databaseUrl: null,
  migrationUrl: null,
  replicaUrl: null,
  databasePool: 10,
  dataDir: './.data',
  jwtSecrets: null,
  accessTokenTtl: 3600,
  refreshTokenTtl: 30 * 86_400,
  refreshRotation: false,
  staffMfa: 'off',
  oidc: null,
  admin: null,
  publicUrl: null,
  allowedHosts: null,
  trustProxy: 0,
  corsOrigins: true,
  redisUrl: null,
  bucket: null,
  mail: null,
  clinicName: 'Clinic',
  doctorApproval: 'none',
  reviewsFrom: 'anyone',
  retentionYears: 10,
  clinicTimeZone: 'UTC',
  slotMinutes: 30,
  bookingHorizonDays: 365,
  bookingNotice: 0,
  changeNotice: 0,
  maxOpenBookings: 20,
  maxOpenBookingsPerDoctor: 5,
  waitingOffer: 1800,
  rateLimit: { anonymous: 100, user: 600, auth: 20 },
  securityContact: null,
  shutdownDelay: 0,
  traces: null,
  logLevel: 'info',
};

t.test('a command for the embedded database goes by none that a server has', (t) => {
  const [url, secret] = ['postgres://db.example.com/clinic?sslmode=disable', 'short'];
  const urls = { DATABASE_URL: url, MIGRATION_DATABASE_URL: url, DATABASE_REPLICA_URL: url };
  const config = readEmbeddedConfig({ ...urls, NODE_ENV: 'production', JWT_SECRET: secret, ADMIN_USERNAME: 'boss' });
  t.match(config, { databaseUrl: null, migrationUrl: null, replicaUrl: null, jwtSecrets: null, admin: null });
  t.end();
});

t.test('defaults', async (t) => {
  const config = readConfig({});
  t.match(config, DEFAULTS);
  t.ok(Object.isFrozen(config));
  const names = Object.keys(Environment.properties);
  t.match(readConfig(Object.fromEntries(names.map((name) => [name, '']))), DEFAULTS, 'an empty variable is not set');
  t.match(readConfig({ HOME: '/root', PORTS: '1', port: '2' }), DEFAULTS, 'other variables do not count');
  t.match(readConfig({ NODE_ENV: 'production', JWT_SECRET: LONG }), {
    ...DEFAULTS,
    isProduction: true,
    jwtSecrets: [LONG],
    corsOrigins: [],
  });
});

const OIDC = {
  ...{ OIDC_ISSUER: 'https://login.example', OIDC_CLIENT_ID: 'hospital' },
  OIDC_REDIRECT_URIS: 'https://app.example/signed-in',
};
const BY_OIDC: Config['oidc'] = {
  ...{ issuer: 'https://login.example', clientId: 'hospital', clientSecret: null },
  ...{ redirectUris: ['https://app.example/signed-in'], scopes: 'openid email profile' },
  ...{ mfaAcr: [], createUsers: false },
};

const IN_BUCKET: Config['bucket'] = {
  ...{ name: 'pictures.clinic-1', region: 'us-east-1', endpoint: null, prefix: '', credentials: null },
};

t.test('values that are taken', async (t) => {
  const admin = { ADMIN_USERNAME: 'ada', ADMIN_EMAIL: 'ada@example.org', ADMIN_PASSWORD: 'secret' };
  for (const [environment, expected] of [
    [
      { HOST: '::1', PORT: '0' },
      { host: '::1', port: 0 },
    ],
    [{ PORT: '65535' }, { port: 65_535 }],
    [{ WORKERS: '4' }, { workers: 4 }],
    ...[
      'postgres://db/clinic',
      'postgresql://user:p%40ss@db:5432/clinic?sslmode=require',
      'postgres://user:pass@[::1]:5432/clinic',
      'postgres://user:pass@first:5432,second:5433/clinic?target_session_attrs=read-write',
      'postgres://user:a,b@db/clinic',
      'postgres:///clinic?host=/var/run/postgresql',
    ].map((url) => [{ DATABASE_URL: url }, { databaseUrl: url }]),
    ...[
      'redis://localhost',
      'redis://:p%40ss@redis.example:6380/2',
      'rediss://user:pass@redis.example/?family=6',
      'redis://[::1]:6379',
    ].map((url) => [{ REDIS_URL: url }, { redisUrl: url }]),
    ...(
      [
        [{}, {}],
        [{ S3_REGION: 'eu-central-1' }, { region: 'eu-central-1' }],
        [{ S3_ENDPOINT: 'http://store:9000/' }, { endpoint: 'http://store:9000' }],
        [{ S3_PREFIX: 'clinic/pictures' }, { prefix: 'clinic/pictures/' }],
        [{ S3_PREFIX: 'clinic/' }, { prefix: 'clinic/' }],
        [
          { S3_ACCESS_KEY_ID: 'id', S3_SECRET_ACCESS_KEY: 'se/cr+et' },
          { credentials: { accessKeyId: 'id', secretAccessKey: 'se/cr+et' } },
        ],
      ] as const
    ).map(([environment, bucket]) => [
      { S3_BUCKET: 'pictures.clinic-1', ...environment },
      { bucket: { ...IN_BUCKET, ...bucket } },
    ]),
    [
      { DATABASE_POOL: '1', DATA_DIR: '/data' },
      { databasePool: 1, dataDir: '/data' },
    ],
    ...[
      'ä'.repeat(16),
      'a passphrase, with commas, [brackets] and "quotes"',
      `["${LONG}`,
      `["${LONG}"] and so on`,
      `${LONG}\n${LONG}`,
      `[${LONG}]`,
    ].map((secret) => [{ JWT_SECRET: secret }, { jwtSecrets: [secret] }]),
    [{ JWT_SECRET: ` [ "${LONG}1",\n"${LONG}2" ]\n` }, { jwtSecrets: [`${LONG}1`, `${LONG}2`] }],
    [{ JWT_SECRET: `["${LONG}"]` }, { jwtSecrets: [LONG] }],
    [
      { ACCESS_TOKEN_TTL: '45s', REFRESH_TOKEN_TTL: '90m' },
      { accessTokenTtl: 45, refreshTokenTtl: 5400 },
    ],
    [
      { ACCESS_TOKEN_TTL: '2h', REFRESH_TOKEN_TTL: '3650d' },
      { accessTokenTtl: 7200, refreshTokenTtl: 315_360_000 },
    ],
    ...[
      [OIDC, {}],
      [{ ...OIDC, OIDC_CLIENT_SECRET: 's:+%' }, { clientSecret: 's:+%' }],
      [
        { ...OIDC, OIDC_ISSUER: 'http://127.0.0.1:8080/realms/clinic' },
        { issuer: 'http://127.0.0.1:8080/realms/clinic' },
      ],
      [{ ...OIDC, OIDC_ISSUER: 'https://login.example/' }, { issuer: 'https://login.example/' }],
      [
        { ...OIDC, OIDC_REDIRECT_URIS: 'https://app.example/a, http://localhost:3000/' },
        { redirectUris: ['https://app.example/a', 'http://localhost:3000/'] },
      ],
      [{ ...OIDC, OIDC_SCOPES: 'email,openid  groups' }, { scopes: 'email openid groups' }],
      [{ ...OIDC, OIDC_MFA_ACR: 'gold urn:mfa' }, { mfaAcr: ['gold', 'urn:mfa'] }],
      [{ ...OIDC, OIDC_CREATE_USERS: 'on' }, { createUsers: true }],
    ].map(([environment, more]) => [environment, { oidc: { ...BY_OIDC, ...more } }]),
    [admin, { admin: { username: 'ada', email: 'ada@example.org', password: 'secret' } }],
    [{ PUBLIC_URL: 'https://clinic.example' }, { publicUrl: 'https://clinic.example' }],
    [{ PUBLIC_URL: 'http://localhost:8000/api//' }, { publicUrl: 'http://localhost:8000/api' }],
    ...['off', 'OFF', 'false', 'no', '0'].map((value) => [{ TRUST_PROXY: value }, { trustProxy: 0 }]),
    ...['on', 'true', 'Yes'].map((value) => [{ TRUST_PROXY: value }, { trustProxy: 1 }]),
    [{ TRUST_PROXY: '2' }, { trustProxy: 2 }],
    [
      { TRUST_PROXY: 'loopback, 10.0.0.0/8,2001:db8::/32, 192.0.2.1' },
      { trustProxy: ['loopback', '10.0.0.0/8', '2001:db8::/32', '192.0.2.1'] },
    ],
    [
      { ALLOWED_HOSTS: 'API.clinic.example, localhost:8000,[::1]:80' },
      { allowedHosts: ['api.clinic.example', 'localhost:8000', '[::1]:80'] },
    ],
    [{ CORS_ORIGINS: '*' }, { corsOrigins: true }],
    [
      { CORS_ORIGINS: 'https://app.example/, http://localhost:3000' },
      { corsOrigins: ['https://app.example', 'http://localhost:3000'] },
    ],
    [{ DOCTOR_APPROVAL: 'staff' }, { doctorApproval: 'staff' }],
    [{ REFRESH_ROTATION: 'on' }, { refreshRotation: true }],
    [{ STAFF_MFA: 'required' }, { staffMfa: 'required' }],
    [{ REVIEWS_FROM: 'patients' }, { reviewsFrom: 'patients' }],
    [{ RETENTION_YEARS: '30' }, { retentionYears: 30 }],
    [{ CLINIC_NAME: 'Clínica São José, 3.º' }, { clinicName: 'Clínica São José, 3.º' }],
    [{ CLINIC_TIME_ZONE: 'Europe/Berlin' }, { clinicTimeZone: 'Europe/Berlin' }],
    // Node knows it by its old spelling, which newer servers do not.
    [{ CLINIC_TIME_ZONE: 'Asia/Kolkata' }, { clinicTimeZone: 'Asia/Kolkata' }],
    // To PostgreSQL this would be Beijing's.
    [{ CLINIC_TIME_ZONE: 'CST' }, { clinicTimeZone: 'America/Chicago' }],
    [
      { SLOT_MINUTES: '1440', BOOKING_HORIZON_DAYS: '1' },
      { slotMinutes: 1440, bookingHorizonDays: 1 },
    ],
    [
      { RATE_LIMIT_ANON: '1', RATE_LIMIT_USER: '2', RATE_LIMIT_AUTH: '3' },
      { rateLimit: { anonymous: 1, user: 2, auth: 3 } },
    ],
    [
      { BOOKING_NOTICE: '90m', CHANGE_NOTICE: '30d' },
      { bookingNotice: 5400, changeNotice: 2_592_000 },
    ],
    [
      { BOOKING_NOTICE: '0', CHANGE_NOTICE: '1s' },
      { bookingNotice: 0, changeNotice: 1 },
    ],
    [
      { MAX_OPEN_BOOKINGS: '1', MAX_OPEN_BOOKINGS_PER_DOCTOR: '1000000' },
      { maxOpenBookings: 1, maxOpenBookingsPerDoctor: 1_000_000 },
    ],
    [{ WAITING_OFFER: '7d' }, { waitingOffer: 604_800 }],
    [{ WAITING_OFFER: '60s' }, { waitingOffer: 60 }],
    ...['mailto:security@clinic.example', 'https://clinic.example/security?x=1', 'tel:+49-30-1234567'].map(
      (contact) => [{ SECURITY_CONTACT: contact }, { securityContact: contact }],
    ),
    [{ LOG_LEVEL: 'silent' }, { logLevel: 'silent' }],
    [
      { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://localhost:4318' },
      { traces: { endpoint: 'http://localhost:4318', protocol: 'http/protobuf' } },
    ],
    [
      { OTEL_EXPORTER_OTLP_ENDPOINT: 'https://collector.example/otlp', OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json' },
      { traces: { endpoint: 'https://collector.example/otlp', protocol: 'http/json' } },
    ],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://localhost:4318', OTEL_SDK_DISABLED: 'true' }, { traces: null }],
    ...(
      [
        ['smtp://mail.example.com', { port: 587 }],
        ['smtp://mail.example.com:2525/?tls=on', { port: 2525 }],
        ['smtp://mail.example.com?tls=off', { port: 587, tls: 'off' }],
        ['smtps://mail.example.com', { port: 465, isSecure: true }],
        ['smtp://localhost', { host: 'localhost', port: 587, tls: 'offered' }],
        ['smtp://[::1]:25', { host: '::1', port: 25, tls: 'offered' }],
        ['smtp://127.0.0.1:25?tls=on', { host: '127.0.0.1', port: 25 }],
        [
          'smtps://post%40clinic:open%20sesame@mail.example.com',
          { port: 465, isSecure: true, login: { user: 'post@clinic', pass: 'open sesame' } },
        ],
      ] as const
    ).map(([url, server]) => [
      { SMTP_URL: url, MAIL_FROM: 'clinic@example.com' },
      {
        mail: {
          server: { host: 'mail.example.com', isSecure: false, tls: 'verified', login: null, ...server },
          from: { name: '', address: 'clinic@example.com' },
          passwordResetUrl: null,
        },
      },
    ]),
    ...(
      [
        ['Clínica São José <post@clinic.example>', { name: 'Clínica São José', address: 'post@clinic.example' }],
        ['a+b@clinic.example', { name: '', address: 'a+b@clinic.example' }],
      ] as const
    ).map(([from, sender]) => [
      { SMTP_URL: 'smtp://localhost', MAIL_FROM: from, PASSWORD_RESET_URL: 'http://localhost:3000/reset?a=b' },
      {
        mail: {
          server: { host: 'localhost', port: 587, isSecure: false, tls: 'offered', login: null },
          from: sender,
          passwordResetUrl: 'http://localhost:3000/reset?a=b',
        },
      },
    ]),
  ] as [NodeJS.ProcessEnv, Partial<Config>][]) {
    await t.test(JSON.stringify(environment), async (t) => {
      t.strictSame(readConfig(environment), { ...DEFAULTS, ...expected });
    });
  }
});

t.test('values that stop the start with one line that names the variable', async (t) => {
  const integer = (minimum: number, maximum: number) => `be an integer from ${minimum} to ${maximum}`;
  const DATABASE = 'be a postgres:// URL';
  const SMTP =
    'be a URL like smtp://user:password@smtp.example.com:587 or smtps://smtp.example.com, with no parameter but tls';
  const REDIS = 'be a redis:// or rediss:// URL';
  const DURATION = 'be a duration like 30m, 1h or 30d';
  const S3 = 'be an http or https URL without a path, like https://s3.example.com';
  const PROXY = 'be off, on, a number of proxies, or their addresses';
  const ORIGINS = 'be * or a list of origins like https://app.example.com';
  const cases: [name: string, value: string, must: string, isSecret?: boolean, more?: NodeJS.ProcessEnv][] = [
    ...['-1', '65536', '80.5', 'http', 'true', '8000x', 'Infinity', '٨٠'].map((value): (typeof cases)[0] => [
      'PORT',
      value,
      integer(0, 65_535),
    ]),
    ...['mysql://user:secret@db/clinic', 'db/clinic', 'postgres://', 'postgres://user:secret@db:99999999/clinic'].map(
      (value): (typeof cases)[0] => ['DATABASE_URL', value, DATABASE, true],
    ),
    ['DATABASE_URL', 'postgres://user:sec%ret@db/clinic', DATABASE, true],
    ...[
      'redis.example',
      'http://redis.example',
      'redis://',
      'redis://a b',
      'redis://redis.example/clinic',
      'redis://redis.example:99999',
      'redis://user:sec%ret@redis.example',
    ].map((value): (typeof cases)[0] => ['REDIS_URL', value, REDIS, true]),
    ...[
      'mail.example.com',
      'http://mail.example.com',
      'smtp://',
      'smtp://a b',
      'smtp://mail.example.com/inbox',
      'smtp://mail.example.com:99999',
      'smtp://user:sec%ret@mail.example.com',
      'smtp://mail.example.com?tls=maybe',
      'smtp://mail.example.com?pool=true',
      'smtps://mail.example.com?tls=off',
    ].map((value): (typeof cases)[0] => ['SMTP_URL', value, SMTP, true]),
    ...[
      'clinic',
      'Clinic',
      'a@b, c@d',
      'Clinic <a@b>, c@d',
      'a@b\r\nBcc: c@d',
      '"Clinic" <a@b>',
      '<a@b>',
      'A\nB <a@b>',
    ].map((value): (typeof cases)[0] => [
      'MAIL_FROM',
      value,
      'be an address like clinic@example.com or Clinic <clinic@example.com>',
    ]),
    ...[
      'clinic.example',
      'http://clinic.example',
      'https://',
      'https://a b',
      'https://a/#b',
      'http://localhost.evil/',
    ].map((value): (typeof cases)[0] => [
      'PASSWORD_RESET_URL',
      value,
      'be an https URL, or an http one of localhost, without a fragment',
    ]),
    ['DATABASE_POOL', '0', integer(1, 1000)],
    ['DATABASE_POOL', '1001', integer(1, 1000)],
    ['JWT_SECRET', 'secret of fewer than 32 bytes', 'have at least 32 bytes', true],
    ['JWT_SECRET', '["secret of fewer than 32 bytes"]', 'have at least 32 bytes', true],
    ['JWT_SECRET', `["${LONG}", "too short"]`, 'have at least 32 bytes in each secret', true],
    ...[`["${LONG}" "${LONG}"]`, `["${LONG}", 1, "${LONG}"]`].map((value): (typeof cases)[0] => [
      'JWT_SECRET',
      value,
      'be a secret, or a list such as ["the new one","the old one"]',
      true,
    ]),
    ...['0s', '1', 'h', '1w', '1.5h', '-1h', '1h 30m', '1H', '1234567890s'].flatMap((value): typeof cases => [
      ['ACCESS_TOKEN_TTL', value, DURATION],
      ['REFRESH_TOKEN_TTL', value, DURATION],
    ]),
    ['REFRESH_TOKEN_TTL', '3651d', 'be at most 3650d'],
    ['ACCESS_TOKEN_TTL', '999999999d', 'be at most 3650d'],
    ...[
      'clinic.example',
      'ftp://clinic.example',
      'http://',
      'http://a b',
      'http://a/?b',
      'http://a/#b',
      'http://a:99999',
    ].map((value): (typeof cases)[0] => ['PUBLIC_URL', value, 'be an http or https URL']),
    ...[
      'maybe',
      'proxy.example',
      '999.1.1.1',
      '10.0.0',
      'a',
      '10.0.0.0/33',
      '::/129',
      '10.0.0.0/0',
      '10.0.0.0/8/8',
      '1.1.1.1,',
    ].map((value): (typeof cases)[0] => ['TRUST_PROXY', value, PROXY]),
    ['TRUST_PROXY', 'a\nb', PROXY],
    ...[
      'app.example',
      'https://app.example/path',
      'null',
      'https://app.example,',
      'https://a.example;https://b.example',
    ].map((value): (typeof cases)[0] => ['CORS_ORIGINS', value, ORIGINS]),
    ...['https://app.example', 'a b', 'a/', 'a@b', 'a,', 'a:b', ''.padEnd(256, 'a')].map((value): (typeof cases)[0] => [
      'ALLOWED_HOSTS',
      value,
      'be a list of hosts like api.example.com or localhost:8000',
    ]),
    ['DOCTOR_APPROVAL', 'admin', 'be one of none, staff'],
    ['REFRESH_ROTATION', 'yes', 'be one of on, off'],
    ['STAFF_MFA', 'on', 'be one of off, required'],
    ['REVIEWS_FROM', 'doctors', 'be one of anyone, patients'],
    ['RETENTION_YEARS', '0', 'be an integer from 1 to 100'],
    ...[' ', 'Clinic\nof two lines', 'x'.repeat(151)].map((value): (typeof cases)[0] => [
      'CLINIC_NAME',
      value,
      'be a name of at most 150 characters on one line',
    ]),
    ...['Berlin', 'Europe/Nowhere', '+25:00', '+05:30', '-03'].map((value): (typeof cases)[0] => [
      'CLINIC_TIME_ZONE',
      value,
      'be a time zone like Europe/Berlin',
    ]),
    ...['0', '257', 'auto'].map((value): (typeof cases)[0] => ['WORKERS', value, integer(1, 256)]),
    ['SLOT_MINUTES', '0', integer(1, 1440)],
    ['SLOT_MINUTES', '1441', integer(1, 1440)],
    ['BOOKING_HORIZON_DAYS', '0', integer(1, 3650)],
    ['BOOKING_HORIZON_DAYS', '3651', integer(1, 3650)],
    ...['MAX_OPEN_BOOKINGS', 'MAX_OPEN_BOOKINGS_PER_DOCTOR'].flatMap((name) =>
      ['0', '-1', '2.5', 'none', '1000001'].map((value): (typeof cases)[0] => [name, value, integer(1, 1_000_000)]),
    ),
    ...['RATE_LIMIT_ANON', 'RATE_LIMIT_USER', 'RATE_LIMIT_AUTH'].map((name): (typeof cases)[0] => [
      name,
      '0',
      integer(1, 1_000_000_000),
    ]),
    ...['BOOKING_NOTICE', 'CHANGE_NOTICE'].flatMap((name) =>
      ['00', '0h', '12', '1w', '-1h', '1.5h', '31d', '721h', '999999999d'].map((value): (typeof cases)[0] => [
        name,
        value,
        'be 0 or a duration of at most 30d, like 90m, 12h or 2d',
      ]),
    ),
    ...['0', '59s', '8d', '30', '999999999d'].map((value): (typeof cases)[0] => [
      'WAITING_OFFER',
      value,
      'be a duration from 1m to 7d, like 30m',
    ]),
    ...[
      'security@clinic.example',
      'http://clinic.example',
      'mailto:security',
      'mailto:a@b@c',
      'https://',
      'https://a b',
      'https://clinic.example\nPolicy: https://other.example',
      'mailto:a@b\r\n',
      'tel:',
      'tel:security',
      `https://${'a'.repeat(250)}`,
    ].map((value): (typeof cases)[0] => [
      'SECURITY_CONTACT',
      value,
      'be a URI like mailto:security@example.com, https://example.com/security or tel:+1-201-555-0123',
    ]),
    ...['localhost:4318', 'grpc://localhost:4317', 'http://', 'http://a b', 'http://[1'].map(
      (value): (typeof cases)[0] => ['OTEL_EXPORTER_OTLP_ENDPOINT', value, 'be an http or https URL'],
    ),
    ['OTEL_EXPORTER_OTLP_PROTOCOL', 'grpc', 'be one of http/protobuf, http/json'],
    ...['ftp://store', 'store:9000'].map((value): (typeof cases)[0] => ['S3_ENDPOINT', value, S3]),
    ...['https://user:secret@store', 'https://store/path', 'https://store?x', 'https://a b'].map(
      (value): (typeof cases)[0] => ['S3_ENDPOINT', value, S3],
    ),
    ...['Pictures', 'ab', '-pictures', 'a/b', 'x'.repeat(64)].map((value): (typeof cases)[0] => [
      'S3_BUCKET',
      value,
      'be the name of a bucket, of 3 to 63 lower-case letters, digits, dots and hyphens',
    ]),
    ['S3_REGION', 'EU', 'be a region like eu-central-1'],
    ...['/pictures', '..', 'a/../b', 'a//b', 'a b', 'x'.repeat(201)].map((value): (typeof cases)[0] => [
      'S3_PREFIX',
      value,
      'be words of letters, digits, dots, hyphens and underscores with slashes between, like clinic/pictures',
    ]),
    ['LOG_LEVEL', 'INFO', 'be one of fatal, error, warn, info, debug, trace, silent'],
  ];
  for (const [name, value, must, isSecret = false] of cases) {
    await t.test(`${name} ${JSON.stringify(value)}`, async (t) => {
      const message = `${name} must ${must}${isSecret ? '' : `, but is ${JSON.stringify(value)}`}`;
      t.throws(() => readConfig({ [name]: value }), new ConfigError(message));
      t.notMatch(message, '\n');
    });
  }

  for (const [environment, message] of [
    [{ NODE_ENV: 'production' }, 'JWT_SECRET must be set in production'],
    [{ MIGRATION_DATABASE_URL: 'postgres://db/clinic' }, 'DATABASE_URL must be set with MIGRATION_DATABASE_URL'],
    [{ DATABASE_REPLICA_URL: 'postgres://db/clinic' }, 'DATABASE_URL must be set with DATABASE_REPLICA_URL'],
    [
      { DATABASE_URL: 'postgres://db/x', MIGRATION_DATABASE_URL: 'postgres://db/x?sslmode=on' },
      'MIGRATION_DATABASE_URL must have sslmode as one of: disable, allow, prefer, require, verify-ca, verify-full',
    ],
    ...Object.entries({
      ...OIDC,
      OIDC_CLIENT_SECRET: 's',
      OIDC_SCOPES: 'openid',
      OIDC_MFA_ACR: 'a',
      OIDC_CREATE_USERS: 'off',
    })
      .filter(([name]) => name !== 'OIDC_ISSUER')
      .map(([name, value]): [NodeJS.ProcessEnv, string] => [{ [name]: value }, `OIDC_ISSUER must be set with ${name}`]),
    ...[
      ...[
        'http://login.example',
        'login.example',
        'https://a@login.example',
        'https://login.example?x',
        'https://login.example#x',
      ],
      ...['ftp://localhost', 'https://login.example/a/../b', 'http://127.0.0.1.example', 'HTTPS://login.example'],
    ].map((issuer): [NodeJS.ProcessEnv, string] => [
      { ...OIDC, OIDC_ISSUER: issuer },
      `OIDC_ISSUER must be an https URL without query or fragment, like https://login.example.com, but is "${issuer}"`,
    ]),
    [{ OIDC_ISSUER: 'https://login.example' }, 'OIDC_CLIENT_ID must be set with OIDC_ISSUER'],
    ...[
      'http://app.example/',
      'https://app.example',
      '*',
      'https://app.example/*, app',
      'https://app.example/?x=1',
      ',',
    ].map((uris): [NodeJS.ProcessEnv, string] => [
      { ...OIDC, OIDC_REDIRECT_URIS: uris },
      'OIDC_REDIRECT_URIS must be a list of https URLs without query or fragment, as the provider knows them, like ' +
        `https://app.example.com/signed-in, but is "${uris}"`,
    ]),
    [
      { ...OIDC, OIDC_SCOPES: 'email' },
      'OIDC_SCOPES must be a list with openid in it, like openid email profile, but is "email"',
    ],
    [{ ...OIDC, OIDC_CREATE_USERS: 'yes' }, 'OIDC_CREATE_USERS must be one of on, off, but is "yes"'],
    ...['S3_REGION', 'S3_ENDPOINT', 'S3_PREFIX', 'S3_ACCESS_KEY_ID', 'S3_SECRET_ACCESS_KEY'].map(
      (name): [NodeJS.ProcessEnv, string] => [
        { [name]: name === 'S3_ENDPOINT' ? 'https://store' : 'x' },
        `S3_BUCKET must be set with ${name}`,
      ],
    ),
    [{ S3_BUCKET: 'pictures', S3_ENDPOINT: 'https://a:99999' }, `S3_ENDPOINT must ${S3}, but is "https://a:99999"`],
    [{ S3_BUCKET: 'pictures', S3_ACCESS_KEY_ID: 'x' }, 'S3_SECRET_ACCESS_KEY must be set with S3_ACCESS_KEY_ID'],
    [{ S3_BUCKET: 'pictures', S3_SECRET_ACCESS_KEY: 'x' }, 'S3_ACCESS_KEY_ID must be set with S3_SECRET_ACCESS_KEY'],
    [{ SMTP_URL: 'smtp://mail.example.com' }, 'MAIL_FROM must be set with SMTP_URL'],
    [{ MAIL_FROM: 'clinic@example.com' }, 'SMTP_URL must be set with MAIL_FROM and PASSWORD_RESET_URL'],
    [{ PASSWORD_RESET_URL: 'https://clinic.example/' }, 'SMTP_URL must be set with MAIL_FROM and PASSWORD_RESET_URL'],
    [{ ADMIN_USERNAME: 'ada' }, 'ADMIN_EMAIL must be set with ADMIN_USERNAME'],
    [{ ADMIN_USERNAME: 'ada', ADMIN_EMAIL: 'a@b.c' }, 'ADMIN_PASSWORD must be set with ADMIN_USERNAME'],
    [{ ADMIN_EMAIL: 'a@b.c' }, 'ADMIN_USERNAME must be set with the other two'],
    [{ ADMIN_PASSWORD: 'secret' }, 'ADMIN_USERNAME must be set with the other two'],
    [{ ADMIN_EMAIL: 'a@b.c', ADMIN_PASSWORD: 'secret' }, 'ADMIN_USERNAME must be set with the other two'],
  ] as const) {
    await t.test(message, async (t) => {
      t.throws(() => readConfig(environment), new ConfigError(message));
    });
  }
});

t.test('secrets from files', async (t) => {
  const names = Object.keys(Environment.properties) as (keyof typeof Environment.properties)[];
  const secrets = names.filter((name) => (Environment.properties[name] as { secret?: boolean }).secret === true);
  const folder = t.testdir();
  const file = (text: string): string => {
    fs.writeFileSync(join(folder, 'secret'), text);
    return join(folder, 'secret');
  };

  await t.test('whatever sounds like a secret is one', async (t) => {
    const known = ['PUBLIC_URL', 'ACCESS_TOKEN_TTL', 'REFRESH_TOKEN_TTL', 'PASSWORD_RESET_URL'];
    t.strictSame(
      names.filter((name) => /SECRET|PASSWORD|KEY|TOKEN|CREDENTIAL|URL/.test(name) && !known.includes(name)),
      secrets,
    );
    t.ok(secrets.length >= 4);
  });

  for (const name of secrets) {
    await t.test(`${name}_FILE`, async (t) => {
      const value = 'planted'.padEnd(32, '.');
      t.equal(readVariable({ [`${name}_FILE`]: file(`${value}\n`) }, name), value);
      for (const [text, read] of [
        [value, value],
        [`${value}\r\n`, value],
        [`${value}\n\n`, `${value}\n`],
        [` ${value} `, ` ${value} `],
      ] as const) {
        t.equal(readVariable({ [`${name}_FILE`]: file(text) }, name), read, JSON.stringify(text));
      }
      t.equal(readVariable({ [name]: value, [`${name}_FILE`]: '' }, name), value);
      t.equal(readVariable(without({ [name]: value, [`${name}_FILE`]: file(value) }, name), name), undefined);
      for (const [environment, must] of [
        [{ [name]: value, [`${name}_FILE`]: file(value) }, `not be set beside ${name}`],
        [
          { [`${name}_FILE`]: join(folder, 'none') },
          `name a file that can be read (ENOENT), but is "${join(folder, 'none')}"`,
        ],
        [{ [`${name}_FILE`]: folder }, `name a file that can be read (EISDIR), but is "${folder}"`],
      ] as const) {
        t.throws(() => readConfig(environment), new ConfigError(`${name}_FILE must ${must}`));
      }
      for (const text of ['', '\n']) {
        const path = file(text);
        t.throws(
          () => readConfig({ [`${name}_FILE`]: path }),
          new ConfigError(`${name}_FILE must name a file that is not empty, but is "${path}"`),
        );
      }
    });
  }

  await t.test('other variables come from no file', async (t) => {
    for (const name of names.filter((name) => !secrets.includes(name))) {
      t.equal(readVariable({ [`${name}_FILE`]: file('8080') }, name), undefined, name);
    }
  });

  await t.test('are judged as values are, and not shown', async (t) => {
    t.throws(
      () => readConfig({ JWT_SECRET_FILE: file('planted') }),
      new ConfigError('JWT_SECRET must have at least 32 bytes'),
    );
    t.throws(
      () => readConfig({ REDIS_URL_FILE: file('planted') }),
      new ConfigError('REDIS_URL must be a redis:// or rediss:// URL'),
    );
    t.match(readConfig({ NODE_ENV: 'production', JWT_SECRET_FILE: file(JSON.stringify([LONG, `${LONG}2`])) }), {
      jwtSecrets: [LONG, `${LONG}2`],
    });
  });
});

t.test('every variable is documented', async (t) => {
  const readme = fs.readFileSync(new URL('../../../README.md', import.meta.url), 'utf8');
  for (const name of Object.keys(Environment.properties)) {
    t.match(readme, new RegExp(`^\\|[^|]*\`${name}\``, 'm'), `README.md's table has ${name}`);
  }
});

t.test('the secret that signs tokens', async (t) => {
  await t.test('is the configured one, and nothing is written', async (t) => {
    const dataDir = join(t.testdir(), 'data');
    t.strictSame(await signingSecrets(readConfig({ JWT_SECRET: LONG, DATA_DIR: dataDir })), [LONG]);
    t.notOk(fs.existsSync(dataDir));
  });

  await t.test(
    'is else made once, for its owner alone, and one and the same for many that start at once',
    async (t) => {
      const dataDir = join(t.testdir(), 'data');
      const config = readConfig({ DATA_DIR: dataDir });
      const secrets = await Promise.all(Array.from({ length: 8 }, () => signingSecrets(config)));
      t.equal(new Set(secrets.flat()).size, 1);
      t.ok(Buffer.byteLength(secrets[0]?.[0] ?? '') >= 32);
      t.strictSame(await signingSecrets(config), secrets[0]);
      t.strictSame(fs.readdirSync(dataDir), ['jwt-secret'], 'no draft is left');
      t.equal(fs.statSync(join(dataDir, 'jwt-secret')).mode & 0o777, 0o600);
    },
  );

  await t.test('is refused where its file is too short', async (t) => {
    const dataDir = t.testdir({ 'jwt-secret': 'short\n' });
    const file = join(dataDir, 'jwt-secret');
    await t.rejects(
      signingSecrets(readConfig({ DATA_DIR: dataDir })),
      new ConfigError(`${file} must hold at least 32 bytes; delete it to have a new one made`),
    );
    fs.writeFileSync(file, `${LONG}\n`);
    t.strictSame(await signingSecrets(readConfig({ DATA_DIR: dataDir })), [LONG]);
  });
});
