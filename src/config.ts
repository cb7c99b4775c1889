import { Type, type Static } from '@sinclair/typebox';
import { Ajv } from 'ajv';
import { randomBytes, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { link, mkdir, readFile, unlink, writeFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { ParameterRefused, readDatabaseUrl } from '../db/url.js';
import { isHost } from '../plugins/addresses.js';
import type { Bucket } from '../plugins/pictures/bucket.js';
import type { PicturePlace } from '../plugins/pictures/place.js';
import { readMailServer, readSender, type MailServer, type Sender } from './lib/mail-url.js';

const integer = (minimum: number, maximum: number, byDefault: number) =>
  Type.Integer({ minimum, maximum, default: byDefault });

const DURATION = '^[1-9][0-9]{0,8}(s|m|h|d)$';
const SECONDS = { s: 1, m: 60, h: 3600, d: 86_400 };
const MAX_DURATION = 3650 * SECONDS.d;
const MAX_NOTICE = 30 * SECONDS.d;

const NOTICE = {
  pattern: `^0$|${DURATION}`,
  default: '0',
  must: 'be 0 or a duration of at most 30d, like 90m, 12h or 2d',
};

const MAX_WAITING_OFFER = 7 * SECONDS.d;
const MUST_BE_WAITING_OFFER = 'be a duration from 1m to 7d, like 30m';

const MUST_BE_DATABASE_URL = 'be a postgres:// URL';
const MUST_BE_REDIS_URL = 'be a redis:// or rediss:// URL';
const MUST_BE_MAIL_SERVER =
  'be a URL like smtp://user:password@smtp.example.com:587 or smtps://smtp.example.com, with no parameter but tls';
const MUST_BE_SENDER = 'be an address like clinic@example.com or Clinic <clinic@example.com>';
const MUST_BE_PAGE = 'be an https URL, or an http one of localhost, without a fragment';
const MUST_BE_CONTACT =
  'be a URI like mailto:security@example.com, https://example.com/security or tel:+1-201-555-0123';
const MUST_BE_URL = 'be an http or https URL';
const MUST_BE_ISSUER = 'be an https URL without query or fragment, like https://login.example.com';
const MUST_BE_REDIRECT_URIS =
  'be a list of https URLs without query or fragment, as the provider knows them, like https://app.example.com/signed-in';
const MUST_BE_SCOPES = 'be a list with openid in it, like openid email profile';

const MUST_BE_BUCKET = 'be the name of a bucket, of 3 to 63 lower-case letters, digits, dots and hyphens';
const MUST_BE_S3_ENDPOINT = 'be an http or https URL without a path, like https://s3.example.com';
const MUST_BE_REGION = 'be a region like eu-central-1';
const MUST_BE_PREFIX =
  'be words of letters, digits, dots, hyphens and underscores with slashes between, like clinic/pictures';

/** Every variable of the environment that the program knows; each that is `secret` may come from a file, by `<NAME>_FILE`. */
export const Environment = Type.Object({
  NODE_ENV: Type.Optional(Type.String()),
  HOST: Type.String({ minLength: 1, default: '0.0.0.0' }),
  PORT: integer(0, 65_535, 8000),
  WORKERS: Type.Optional(Type.Integer({ minimum: 1, maximum: 256 })),
  METRICS_PORT: Type.Optional(Type.Integer({ minimum: 0, maximum: 65_535 })),
  DATABASE_URL: Type.Optional(
    Type.String({ pattern: '^postgres(ql)?://.+', must: MUST_BE_DATABASE_URL, secret: true }),
  ),
  MIGRATION_DATABASE_URL: Type.Optional(
    Type.String({ pattern: '^postgres(ql)?://.+', must: MUST_BE_DATABASE_URL, secret: true }),
  ),
  DATABASE_REPLICA_URL: Type.Optional(
    Type.String({ pattern: '^postgres(ql)?://.+', must: MUST_BE_DATABASE_URL, secret: true }),
  ),
  DATABASE_POOL: integer(1, 1000, 10),
  DATA_DIR: Type.String({ minLength: 1, default: './.data' }),
  JWT_SECRET: Type.Optional(Type.String({ secret: true })),
  ACCESS_TOKEN_TTL: Type.String({ pattern: DURATION, default: '1h', must: 'be a duration like 30m, 1h or 30d' }),
  REFRESH_TOKEN_TTL: Type.String({ pattern: DURATION, default: '30d', must: 'be a duration like 30m, 1h or 30d' }),
  REFRESH_ROTATION: Type.Unsafe<'on' | 'off'>({ enum: ['on', 'off'], default: 'off' }),
  STAFF_MFA: Type.Unsafe<'off' | 'required'>({ enum: ['off', 'required'], default: 'off' }),
  OIDC_ISSUER: Type.Optional(Type.String()),
  OIDC_CLIENT_ID: Type.Optional(Type.String()),
  OIDC_CLIENT_SECRET: Type.Optional(Type.String({ secret: true })),
  OIDC_REDIRECT_URIS: Type.Optional(Type.String()),
  OIDC_SCOPES: Type.Optional(Type.String()),
  OIDC_MFA_ACR: Type.Optional(Type.String()),
  OIDC_CREATE_USERS: Type.Optional(Type.Unsafe<'on' | 'off'>({ enum: ['on', 'off'] })),
  ADMIN_USERNAME: Type.Optional(Type.String()),
  ADMIN_EMAIL: Type.Optional(Type.String()),
  ADMIN_PASSWORD: Type.Optional(Type.String({ secret: true })),
  PUBLIC_URL: Type.Optional(Type.String({ pattern: '^https?://[^/?#\\s]+(/[^?#\\s]*)?$', must: MUST_BE_URL })),
  ALLOWED_HOSTS: Type.Optional(Type.String()),
  TRUST_PROXY: Type.String({ default: 'off' }),
  CORS_ORIGINS: Type.Optional(Type.String()),
  REDIS_URL: Type.Optional(
    Type.String({
      pattern: '^rediss?://[^/?#\\s]+(/[0-9]{0,4})?(\\?[^#\\s]*)?$',
      must: MUST_BE_REDIS_URL,
      secret: true,
    }),
  ),
  S3_BUCKET: Type.Optional(Type.String({ pattern: '^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$', must: MUST_BE_BUCKET })),
  S3_REGION: Type.Optional(Type.String({ pattern: '^[a-z0-9-]{1,50}$', must: MUST_BE_REGION })),
  S3_ENDPOINT: Type.Optional(Type.String({ pattern: '^https?://[^/?#@\\s]+/?$', must: MUST_BE_S3_ENDPOINT })),
  S3_PREFIX: Type.Optional(
    Type.String({ pattern: '^\\w[\\w.-]*(/\\w[\\w.-]*)*/?$', maxLength: 200, must: MUST_BE_PREFIX }),
  ),
  S3_ACCESS_KEY_ID: Type.Optional(Type.String({ secret: true })),
  S3_SECRET_ACCESS_KEY: Type.Optional(Type.String({ secret: true })),
  SMTP_URL: Type.Optional(Type.String({ pattern: '^smtps?://[^#\\s]+$', must: MUST_BE_MAIL_SERVER, secret: true })),
  MAIL_FROM: Type.Optional(Type.String({ maxLength: 320, must: MUST_BE_SENDER })),
  PASSWORD_RESET_URL: Type.Optional(
    Type.String({
      pattern: '^(https://[^/?#\\s]+|http://localhost(:[0-9]+)?)([/?][^#\\s]*)?$',
      maxLength: 1000,
      must: MUST_BE_PAGE,
    }),
  ),
  CLINIC_NAME: Type.String({
    pattern: '^[^\\p{Cc}]*[^\\p{Cc}\\s][^\\p{Cc}]*$',
    maxLength: 150,
    default: 'Clinic',
    must: 'be a name of at most 150 characters on one line',
  }),
  CLINIC_TIME_ZONE: Type.String({ default: 'UTC' }),
  SLOT_MINUTES: integer(1, 1440, 30),
  BOOKING_HORIZON_DAYS: integer(1, 3650, 365),
  BOOKING_NOTICE: Type.String(NOTICE),
  CHANGE_NOTICE: Type.String(NOTICE),
  MAX_OPEN_BOOKINGS: integer(1, 1_000_000, 20),
  MAX_OPEN_BOOKINGS_PER_DOCTOR: integer(1, 1_000_000, 5),
  WAITING_OFFER: Type.String({ pattern: DURATION, default: '30m', must: MUST_BE_WAITING_OFFER }),
  DOCTOR_APPROVAL: Type.Unsafe<'none' | 'staff'>({ enum: ['none', 'staff'], default: 'none' }),
  REVIEWS_FROM: Type.Unsafe<'anyone' | 'patients'>({ enum: ['anyone', 'patients'], default: 'anyone' }),
  RETENTION_YEARS: integer(1, 100, 10),
  RATE_LIMIT_ANON: integer(1, 1_000_000_000, 100),
  RATE_LIMIT_USER: integer(1, 1_000_000_000, 600),
  RATE_LIMIT_AUTH: integer(1, 1_000_000_000, 20),
  SECURITY_CONTACT: Type.Optional(
    Type.String({
      pattern: '^(mailto:[!-?A-~]+@[!-?A-~]+|https://[!-~]+|tel:[+]?[0-9][0-9().-]*)$',
      maxLength: 250,
      must: MUST_BE_CONTACT,
    }),
  ),
  SHUTDOWN_DELAY: Type.String({
    pattern: '^(0|[1-9][0-9]{0,2}s|[1-9]m|10m)$',
    default: '0',
    must: 'be 0 or a duration of at most 10m, like 15s',
  }),
  OTEL_EXPORTER_OTLP_ENDPOINT: Type.Optional(Type.String({ pattern: '^https?://[^/?#\\s]', must: MUST_BE_URL })),
  OTEL_EXPORTER_OTLP_PROTOCOL: Type.Unsafe<'http/protobuf' | 'http/json'>({
    enum: ['http/protobuf', 'http/json'],
    default: 'http/protobuf',
  }),
  OTEL_SDK_DISABLED: Type.Optional(Type.String()),
  LOG_LEVEL: Type.Unsafe<'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'silent'>({
    enum: ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'],
    default: 'info',
  }),
});

/** The OpenID provider by which users may sign in, and this server as a client of it. */
export interface OidcConfig {
  readonly issuer: string;
  readonly clientId: string;
  /** null: of a public client. */
  readonly clientSecret: string | null;
  /** The pages that the provider may send somebody back to. */
  readonly redirectUris: readonly string[];
  readonly scopes: string;
  /** Values of `acr` that tell of a second factor. */
  readonly mfaAcr: readonly string[];
  /** Whether somebody who has no user here is given one. */
  readonly createUsers: boolean;
}

export interface Config {
  readonly isProduction: boolean;
  readonly host: string;
  readonly port: number;
  /** Processes of `npm run start:cluster`; null: as many as there are processors. */
  readonly workers: number | null;
  /** Of the metrics; null: they are told on the port of the API, to staff and this machine alone. */
  readonly metricsPort: number | null;
  /** null: the embedded server under `dataDir`. */
  readonly databaseUrl: string | null;
  /** The same database for the role that owns it; null: `databaseUrl` is that one's. */
  readonly migrationUrl: string | null;
  /** A standby of it; null: there is none. */
  readonly replicaUrl: string | null;
  readonly databasePool: number;
  readonly dataDir: string;
  /** The first signs, and all verify; null: one is made once and kept under `dataDir`. */
  readonly jwtSecrets: readonly string[] | null;
  /** Seconds. */
  readonly accessTokenTtl: number;
  /** Seconds. */
  readonly refreshTokenTtl: number;
  /** Whether a refresh token is good once, and answered with its successor. */
  readonly refreshRotation: boolean;
  /** Whether staff need a second factor for what only staff may do. */
  readonly staffMfa: 'off' | 'required';
  /** null: users do not sign in so. */
  readonly oidc: OidcConfig | null;
  readonly admin: { readonly username: string; readonly email: string; readonly password: string } | null;
  /** Base of absolute URLs without a slash at its end; null: from the request. */
  readonly publicUrl: string | null;
  /** The server's names with their ports, in lower case, that URLs may begin with where they are from the request; null: any. */
  readonly allowedHosts: readonly string[] | null;
  /** The proxies whose `X-Forwarded-*` count: their number, or their networks. */
  readonly trustProxy: number | string[];
  /** `true`: any origin. */
  readonly corsOrigins: true | readonly string[];
  /** null: each instance limits requests on its own. */
  readonly redisUrl: string | null;
  /** Where pictures are kept; null: under `dataDir`. */
  readonly bucket: Bucket | null;
  /** How mail is sent; null: none is. */
  readonly mail: {
    readonly server: MailServer;
    readonly from: Sender;
    /** The page of the clinic's on which a new password is chosen; null: mails name none. */
    readonly passwordResetUrl: string | null;
  } | null;
  readonly clinicName: string;
  readonly clinicTimeZone: string;
  readonly slotMinutes: number;
  readonly bookingHorizonDays: number;
  /** Seconds. */
  readonly bookingNotice: number;
  /** Seconds. */
  readonly changeNotice: number;
  /** Of one patient, in all. */
  readonly maxOpenBookings: number;
  /** Of one patient with one doctor. */
  readonly maxOpenBookingsPerDoctor: number;
  /** Seconds. */
  readonly waitingOffer: number;
  /** Who approves a user that becomes a doctor. */
  readonly doctorApproval: 'none' | 'staff';
  /** Who may review a doctor: any patient, or those whom the doctor has seen. */
  readonly reviewsFrom: 'anyone' | 'patients';
  /** How many years after its day an appointment of somebody who is gone is kept. */
  readonly retentionYears: number;
  readonly rateLimit: { readonly anonymous: number; readonly user: number; readonly auth: number };
  /** A URI by which whoever finds a weakness reaches the clinic. */
  readonly securityContact: string | null;
  /** Seconds that the server goes on serving after it was told to stop. */
  readonly shutdownDelay: number;
  /** Where spans go; null: nowhere. */
  readonly traces: { readonly endpoint: string; readonly protocol: 'http/protobuf' | 'http/json' } | null;
  readonly logLevel: string;
}

/** A bad value in the environment; its message is one line that names the variable. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

function refuse(name: string, must: string, value?: string): never {
  throw new ConfigError(`${name} must ${must}${value === undefined ? '' : `, but is ${JSON.stringify(value)}`}`);
}

type Name = keyof typeof Environment.properties;

const isSecret = (name: Name): boolean => (Environment.properties[name] as { secret?: boolean }).secret === true;

/**
 * A variable's value, or that of the file which `<NAME>_FILE` names where it is a secret. An empty variable is one that is
 * not set, as shells and compose files have it.
 * @throws ConfigError
 */
export function readVariable(source: NodeJS.ProcessEnv, name: Name): string | undefined {
  const value = source[name] || undefined;
  const inFile = `${name}_FILE`;
  const path = isSecret(name) ? source[inFile] : undefined;
  if (!path) return value;
  if (value !== undefined) refuse(inFile, `not be set beside ${name}`);
  let text: string;
  try {
    text = readFileSync(path, 'utf8').replace(/\r?\n$/, '');
  } catch (error) {
    return refuse(inFile, `name a file that can be read (${String((error as NodeJS.ErrnoException).code)})`, path);
  }
  return text === '' ? refuse(inFile, 'name a file that is not empty', path) : text;
}

/** An environment in which some variables are not set, by whatever way. */
export const without = (source: NodeJS.ProcessEnv, ...names: Name[]): NodeJS.ProcessEnv => ({
  ...source,
  ...Object.fromEntries(names.flatMap((name) => [name, `${name}_FILE`]).map((name) => [name, ''])),
});

function readEnvironment(source: NodeJS.ProcessEnv): Static<typeof Environment> {
  const given = Object.fromEntries(
    (Object.keys(Environment.properties) as Name[]).flatMap((name) => {
      const value = readVariable(source, name);
      return value === undefined ? [] : [[name, value]];
    }),
  );
  const validate = new Ajv({
    ...{ coerceTypes: true, useDefaults: true, strict: false, verbose: true },
    // The schema is ours, and the schema of schemas takes longer than all the rest.
    ...{ meta: false, validateSchema: false },
  }).compile(Environment);
  if (validate(given)) return given;
  const error = validate.errors?.[0];
  const name = error?.instancePath.slice(1) as Name;
  const schema = Environment.properties[name] as unknown as {
    must?: string;
    minimum?: number;
    maximum?: number;
    enum?: string[];
  };
  const must =
    schema.must ??
    (schema.minimum === undefined
      ? `be one of ${schema.enum?.join(', ') ?? ''}`
      : `be an integer from ${schema.minimum} to ${String(schema.maximum)}`);
  return refuse(name, must, isSecret(name) ? undefined : source[name]);
}

const secondsOf = (duration: string): number =>
  Number.parseInt(duration, 10) * SECONDS[duration.at(-1) as keyof typeof SECONDS];

function readDuration(name: 'ACCESS_TOKEN_TTL' | 'REFRESH_TOKEN_TTL', duration: string): number {
  const seconds = secondsOf(duration);
  return seconds <= MAX_DURATION ? seconds : refuse(name, 'be at most 3650d', duration);
}

function readNotice(name: 'BOOKING_NOTICE' | 'CHANGE_NOTICE', duration: string): number {
  const seconds = duration === '0' ? 0 : secondsOf(duration);
  return seconds <= MAX_NOTICE ? seconds : refuse(name, NOTICE.must, duration);
}

function readWaitingOffer(duration: string): number {
  const seconds = secondsOf(duration);
  return seconds >= SECONDS.m && seconds <= MAX_WAITING_OFFER
    ? seconds
    : refuse('WAITING_OFFER', MUST_BE_WAITING_OFFER, duration);
}

/** Whether a URL and the name and password in it can be read. */
function isServerUrl(value: string): boolean {
  try {
    const { username, password } = new URL(value);
    decodeURIComponent(username + password);
    return true;
  } catch {
    return false;
  }
}

const DATABASE_URLS = ['DATABASE_URL', 'MIGRATION_DATABASE_URL', 'DATABASE_REPLICA_URL'] as const;

function checkDatabaseUrl(name: (typeof DATABASE_URLS)[number], value: string): void {
  try {
    const { url } = readDatabaseUrl(value);
    // The driver also takes several hosts, of which a URL has one.
    const isUrl = isServerUrl(url.replace(/^(\w+:\/\/(?:[^/]*@)?[^/,@]*),[^/@]*(?=[/]|$)/, '$1'));
    if (!isUrl) refuse(name, MUST_BE_DATABASE_URL);
  } catch (error) {
    throw error instanceof ParameterRefused ? new ConfigError(`${name} must ${error.message}`) : error;
  }
}

/** What is written as a list of texts in JSON, which no single secret in use looks like; all else is one secret. */
const SECRETS = /^\s*\[\s*".*"\s*\]\s*$/s;

function readSecrets(value: string | undefined, isProduction: boolean): string[] | null {
  if (value === undefined) return isProduction ? refuse('JWT_SECRET', 'be set in production') : null;
  const secrets = SECRETS.test(value) ? readTexts(value) : [value];
  if (secrets === undefined)
    return refuse('JWT_SECRET', 'be a secret, or a list such as ["the new one","the old one"]');
  const areLong = secrets.every((secret) => Buffer.byteLength(secret) >= 32);
  return areLong
    ? secrets
    : refuse('JWT_SECRET', `have at least 32 bytes${secrets.length > 1 ? ' in each secret' : ''}`);
}

/** A list of texts in JSON; undefined for anything else. */
function readTexts(json: string): string[] | undefined {
  try {
    const list = JSON.parse(json) as unknown[];
    return list.every((item) => typeof item === 'string') ? list : undefined;
  } catch {
    return undefined;
  }
}

function isNetwork(text: string): boolean {
  if (/^(loopback|linklocal|uniquelocal)$/.test(text)) return true;
  const [address = '', bits, ...rest] = text.split('/');
  const family = isIP(address);
  if (family === 0 || rest.length > 0) return false;
  return bits === undefined || (/^[1-9]\d{0,2}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128));
}

/** `off`, `on` (one: what a client says of further ones is its own word), a number of proxies, or the addresses and networks of trusted ones. */
function readTrustProxy(value: string): number | string[] {
  if (/^(off|false|no)$/i.test(value)) return 0;
  if (/^(on|true|yes)$/i.test(value)) return 1;
  if (/^\d{1,2}$/.test(value)) return Number(value);
  const networks = value.split(',').map((part) => part.trim());
  if (networks.every(isNetwork)) return networks;
  return refuse('TRUST_PROXY', 'be off, on, a number of proxies, or their addresses', value);
}

/** @throws ConfigError */
function readMail({
  SMTP_URL: url,
  MAIL_FROM: sender,
  PASSWORD_RESET_URL: page,
}: Static<typeof Environment>): Config['mail'] {
  const server = url === undefined ? undefined : (readMailServer(url) ?? refuse('SMTP_URL', MUST_BE_MAIL_SERVER));
  const from = sender === undefined ? undefined : (readSender(sender) ?? refuse('MAIL_FROM', MUST_BE_SENDER, sender));
  if (page !== undefined && !URL.canParse(page)) refuse('PASSWORD_RESET_URL', MUST_BE_PAGE, page);
  if (server === undefined) {
    return from === undefined && page === undefined
      ? null
      : refuse('SMTP_URL', 'be set with MAIL_FROM and PASSWORD_RESET_URL');
  }
  return from === undefined
    ? refuse('MAIL_FROM', 'be set with SMTP_URL')
    : { server, from, passwordResetUrl: page ?? null };
}

/** @throws ConfigError */
function readBucket(env: Static<typeof Environment>): Bucket | null {
  const { S3_BUCKET: name, S3_ACCESS_KEY_ID: accessKeyId, S3_SECRET_ACCESS_KEY: secretAccessKey } = env;
  if (name === undefined) {
    for (const other of Object.keys(env)) if (other.startsWith('S3_')) refuse('S3_BUCKET', `be set with ${other}`);
    return null;
  }
  const endpoint = env.S3_ENDPOINT?.replace(/\/$/, '') ?? null;
  if (endpoint !== null && !URL.canParse(endpoint)) refuse('S3_ENDPOINT', MUST_BE_S3_ENDPOINT, endpoint);
  const prefix = env.S3_PREFIX?.replace(/\/?$/, '/') ?? '';
  const rest = { name, region: env.S3_REGION ?? 'us-east-1', endpoint, prefix };
  if (accessKeyId === undefined) {
    return secretAccessKey === undefined
      ? { ...rest, credentials: null }
      : refuse('S3_ACCESS_KEY_ID', 'be set with S3_SECRET_ACCESS_KEY');
  }
  if (secretAccessKey === undefined) return refuse('S3_SECRET_ACCESS_KEY', 'be set with S3_ACCESS_KEY_ID');
  return { ...rest, credentials: { accessKeyId, secretAccessKey } };
}

function readContact(value: string | undefined): string | null {
  if (value === undefined) return null;
  return URL.canParse(value) ? value : refuse('SECURITY_CONTACT', MUST_BE_CONTACT, value);
}

function readHosts(value: string | undefined): string[] | null {
  if (value === undefined) return null;
  return value.split(',').map((part) => {
    const host = part.trim().toLowerCase();
    return isHost(host)
      ? host
      : refuse('ALLOWED_HOSTS', 'be a list of hosts like api.example.com or localhost:8000', value);
  });
}

function readOrigins(value: string | undefined, isProduction: boolean): true | string[] {
  if (value === undefined) return isProduction ? [] : true;
  if (value.trim() === '*') return true;
  return value.split(',').map((part) => {
    const origin = part.trim().replace(/\/$/, '');
    if (!URL.canParse(origin) || new URL(origin).origin !== origin) {
      refuse('CORS_ORIGINS', 'be * or a list of origins like https://app.example.com', value);
    }
    return origin;
  });
}

/** A list as people write it: by commas or blanks. */
const wordsOf = (value: string | undefined): string[] => value?.split(/[\s,]+/).filter((word) => word !== '') ?? [];

/** A URL as it would be sent, with TLS where it is not of this machine. */
function isEndpoint(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { href, protocol, hostname, username, password } = new URL(text);
  const isLocal = /^(localhost|127\.0\.0\.1|\[::1\])$/.test(hostname);
  const isPlain = username === '' && password === '' && !/[?#]/.test(text);
  return (
    isPlain &&
    href.replace(/\/$/, '') === text.replace(/\/$/, '') &&
    (protocol === 'https:' || (protocol === 'http:' && isLocal))
  );
}

function readOidc(env: Static<typeof Environment>): OidcConfig | null {
  const { OIDC_ISSUER: issuer, OIDC_CLIENT_ID: clientId } = env;
  if (issuer === undefined) {
    for (const name of Object.keys(env)) if (name.startsWith('OIDC_')) refuse('OIDC_ISSUER', `be set with ${name}`);
    return null;
  }
  if (!isEndpoint(issuer)) refuse('OIDC_ISSUER', MUST_BE_ISSUER, issuer);
  if (clientId === undefined) return refuse('OIDC_CLIENT_ID', 'be set with OIDC_ISSUER');
  const redirectUris = wordsOf(env.OIDC_REDIRECT_URIS);
  const areSent = redirectUris.every((uri) => isEndpoint(uri) && new URL(uri).href === uri);
  if (redirectUris.length === 0 || !areSent) {
    refuse('OIDC_REDIRECT_URIS', MUST_BE_REDIRECT_URIS, env.OIDC_REDIRECT_URIS);
  }
  const scopes = wordsOf(env.OIDC_SCOPES ?? 'openid email profile');
  if (!scopes.includes('openid')) refuse('OIDC_SCOPES', MUST_BE_SCOPES, env.OIDC_SCOPES);
  return {
    ...{ issuer, clientId, clientSecret: env.OIDC_CLIENT_SECRET ?? null, redirectUris, scopes: scopes.join(' ') },
    ...{ mfaAcr: wordsOf(env.OIDC_MFA_ACR), createUsers: env.OIDC_CREATE_USERS === 'on' },
  };
}

function readTraces(env: Static<typeof Environment>): Config['traces'] {
  const { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_EXPORTER_OTLP_PROTOCOL: protocol } = env;
  if (endpoint === undefined || env.OTEL_SDK_DISABLED?.toLowerCase() === 'true') return null;
  return URL.canParse(endpoint) ? { endpoint, protocol } : refuse('OTEL_EXPORTER_OTLP_ENDPOINT', MUST_BE_URL, endpoint);
}

/**
 * Reads the environment into one frozen Config. Nothing else reads it.
 * @throws ConfigError
 */
export function readConfig(source: NodeJS.ProcessEnv): Config {
  const env = readEnvironment(source);
  const isProduction = env.NODE_ENV === 'production';
  for (const name of DATABASE_URLS) {
    const url = env[name];
    if (url === undefined) continue;
    checkDatabaseUrl(name, url);
    if (env.DATABASE_URL === undefined) refuse('DATABASE_URL', `be set with ${name}`);
  }
  if (env.REDIS_URL !== undefined && !isServerUrl(env.REDIS_URL)) refuse('REDIS_URL', MUST_BE_REDIS_URL);
  if (env.PUBLIC_URL !== undefined && !URL.canParse(env.PUBLIC_URL)) {
    refuse('PUBLIC_URL', MUST_BE_URL, env.PUBLIC_URL);
  }
  let clinicTimeZone: string;
  try {
    const given = env.CLINIC_TIME_ZONE;
    // To PostgreSQL an offset such as +02:00 has the other sign, and an abbreviation such as CST is another zone.
    if (/^[^a-z]/i.test(given)) throw new RangeError();
    const { timeZone } = new Intl.DateTimeFormat('en', { timeZone: given }).resolvedOptions();
    clinicTimeZone = given.includes('/') ? given : timeZone;
  } catch {
    return refuse('CLINIC_TIME_ZONE', 'be a time zone like Europe/Berlin', env.CLINIC_TIME_ZONE);
  }
  const { ADMIN_USERNAME: username, ADMIN_EMAIL: email, ADMIN_PASSWORD: password } = env;
  if (username === undefined && (email ?? password) !== undefined)
    refuse('ADMIN_USERNAME', 'be set with the other two');
  if (username !== undefined && email === undefined) refuse('ADMIN_EMAIL', 'be set with ADMIN_USERNAME');
  if (username !== undefined && password === undefined) refuse('ADMIN_PASSWORD', 'be set with ADMIN_USERNAME');
  return Object.freeze<Config>({
    isProduction,
    host: env.HOST,
    port: env.PORT,
    workers: env.WORKERS ?? null,
    metricsPort: env.METRICS_PORT ?? null,
    databaseUrl: env.DATABASE_URL ?? null,
    migrationUrl: env.MIGRATION_DATABASE_URL ?? null,
    replicaUrl: env.DATABASE_REPLICA_URL ?? null,
    databasePool: env.DATABASE_POOL,
    dataDir: env.DATA_DIR,
    jwtSecrets: readSecrets(env.JWT_SECRET, isProduction),
    accessTokenTtl: readDuration('ACCESS_TOKEN_TTL', env.ACCESS_TOKEN_TTL),
    refreshTokenTtl: readDuration('REFRESH_TOKEN_TTL', env.REFRESH_TOKEN_TTL),
    refreshRotation: env.REFRESH_ROTATION === 'on',
    staffMfa: env.STAFF_MFA,
    oidc: readOidc(env),
    admin:
      username === undefined || email === undefined || password === undefined ? null : { username, email, password },
    publicUrl: env.PUBLIC_URL?.replace(/\/+$/, '') ?? null,
    allowedHosts: readHosts(env.ALLOWED_HOSTS),
    trustProxy: readTrustProxy(env.TRUST_PROXY),
    corsOrigins: readOrigins(env.CORS_ORIGINS, isProduction),
    redisUrl: env.REDIS_URL ?? null,
    bucket: readBucket(env),
    mail: readMail(env),
    clinicName: env.CLINIC_NAME,
    clinicTimeZone,
    slotMinutes: env.SLOT_MINUTES,
    bookingHorizonDays: env.BOOKING_HORIZON_DAYS,
    bookingNotice: readNotice('BOOKING_NOTICE', env.BOOKING_NOTICE),
    changeNotice: readNotice('CHANGE_NOTICE', env.CHANGE_NOTICE),
    maxOpenBookings: env.MAX_OPEN_BOOKINGS,
    maxOpenBookingsPerDoctor: env.MAX_OPEN_BOOKINGS_PER_DOCTOR,
    waitingOffer: readWaitingOffer(env.WAITING_OFFER),
    doctorApproval: env.DOCTOR_APPROVAL,
    reviewsFrom: env.REVIEWS_FROM,
    retentionYears: env.RETENTION_YEARS,
    rateLimit: { anonymous: env.RATE_LIMIT_ANON, user: env.RATE_LIMIT_USER, auth: env.RATE_LIMIT_AUTH },
    securityContact: readContact(env.SECURITY_CONTACT),
    shutdownDelay: env.SHUTDOWN_DELAY === '0' ? 0 : secondsOf(env.SHUTDOWN_DELAY),
    traces: readTraces(env),
    logLevel: env.LOG_LEVEL,
  });
}

/** What a command that works on the embedded database goes by: nothing of a server, or of another database. */
export const readEmbeddedConfig = (source: NodeJS.ProcessEnv): Config =>
  readConfig(
    without(source, 'NODE_ENV', 'JWT_SECRET', 'ADMIN_USERNAME', 'ADMIN_EMAIL', 'ADMIN_PASSWORD', ...DATABASE_URLS),
  );

/** Where pictures are kept. */
export const picturePlace = ({ bucket, dataDir }: Config): PicturePlace =>
  bucket === null ? { folder: join(dataDir, 'pictures') } : { bucket };

/**
 * The secrets of tokens, of which the first signs and all verify: the configured ones, else one made once and kept under
 * the data folder.
 */
export async function signingSecrets(config: Config): Promise<readonly string[]> {
  if (config.jwtSecrets !== null) return config.jwtSecrets;
  const file = join(config.dataDir, 'jwt-secret');
  await mkdir(config.dataDir, { recursive: true });
  // Two processes that start at once must end up with one secret: the first link wins.
  const draft = `${file}.${randomUUID()}`;
  await writeFile(draft, randomBytes(48).toString('base64url'), { mode: 0o600, flush: true });
  try {
    await link(draft, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    await unlink(draft);
  }
  const secret = (await readFile(file, 'utf8')).trim();
  if (Buffer.byteLength(secret) < 32)
    throw new ConfigError(`${file} must hold at least 32 bytes; delete it to have a new one made`);
  return [secret];
}
