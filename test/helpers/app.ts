import type { FastifyBaseLogger, FastifyInstance, InjectOptions } from 'fastify';
import type { Test } from 'tap';
import { openDatabase, type Database } from '../../db/client.js';
import { buildApp, type AppParts } from '../../src/app.js';
import { readConfig, type Config } from '../../src/config.js';
import { promoteUser } from '../../src/resources/users/staff.js';
import { checkAnswer } from './contract.js';
import { openTestDatabase } from './database.js';

export const SECRET = 'a secret of the tests, long enough for HS256';

/** A server of mail that is away, since none of its own is what most tests need. */
const MAIL = { SMTP_URL: 'smtp://127.0.0.1:1', MAIL_FROM: 'clinic@example.com' };

/** The limits that tests of other things must not meet. */
const GENEROUS = {
  ...{ RATE_LIMIT_ANON: '1000000', RATE_LIMIT_USER: '1000000', RATE_LIMIT_AUTH: '1000000' },
  ...{ MAX_OPEN_BOOKINGS: '1000000', MAX_OPEN_BOOKINGS_PER_DOCTOR: '1000000' },
};

export function testConfig(t: Test, environment: Record<string, string> = {}): Config {
  return readConfig({
    DATA_DIR: t.testdir(),
    JWT_SECRET: SECRET,
    LOG_LEVEL: 'silent',
    ...GENEROUS,
    ...MAIL,
    ...environment,
  });
}

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- tests look into answers that the helper has checked
export type Body = any;

export interface TestAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
  readonly bytes: Buffer;
  /** The JSON body, else null. */
  readonly body: Body;
}

export interface CallOptions {
  readonly token?: string | undefined;
  readonly body?: unknown;
  /** Sent as multipart/form-data; a list as repeated fields. */
  readonly form?: Readonly<Record<string, string | number | Blob | readonly (string | number)[]>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly remoteAddress?: string;
}

export interface User {
  readonly id: number;
  readonly username: string;
  readonly password: string;
  readonly token: string;
  readonly refresh: string;
}

export const PASSWORD = 'plum-Tractor-91';

async function payloadOf({ body, form }: CallOptions): Promise<{ payload?: string | Buffer; type?: string }> {
  if (form !== undefined) {
    const data = new FormData();
    for (const [name, value] of Object.entries(form)) {
      if (value instanceof Blob) data.append(name, value, 'name' in value ? String(value.name) : 'file');
      else for (const item of [value].flat()) data.append(name, String(item));
    }
    const request = new Response(data);
    return { payload: Buffer.from(await request.arrayBuffer()), type: request.headers.get('content-type') as string };
  }
  if (body === undefined) return {};
  return typeof body === 'string' || Buffer.isBuffer(body)
    ? { payload: body, type: 'application/json' }
    : { payload: JSON.stringify(body), type: 'application/json' };
}

/** The application as production builds it, on a database of its own, and a client that checks every answer. */
export class TestApp {
  readonly app: FastifyInstance;
  readonly database: Database;
  readonly databaseUrl: string;
  #users = 0;

  constructor(app: FastifyInstance, database: Database, databaseUrl: string) {
    this.app = app;
    this.database = database;
    this.databaseUrl = databaseUrl;
  }

  async call(method: string, url: string, options: CallOptions = {}): Promise<TestAnswer> {
    const { payload, type } = await payloadOf(options);
    const response = await this.app.inject({
      method: method as NonNullable<InjectOptions['method']>,
      url,
      ...(payload !== undefined && { payload }),
      ...(options.remoteAddress !== undefined && { remoteAddress: options.remoteAddress }),
      headers: {
        host: 'localhost:8000',
        ...(type !== undefined && { 'content-type': type }),
        ...(options.token !== undefined && { authorization: `Bearer ${options.token}` }),
        ...options.headers,
      },
    });
    const { statusCode: status, rawPayload: bytes, payload: text } = response;
    const isAnonymous = options.token === undefined && options.headers?.['authorization'] === undefined;
    const isPrivate = !isAnonymous || !['GET', 'HEAD'].includes(method);
    checkAnswer(method, url, { isPrivate, status, headers: response.headers, text });
    const isCoded = response.headers['content-encoding'] !== undefined;
    const isJson = !isCoded && /json/.test(String(response.headers['content-type']));
    return {
      status,
      headers: response.headers as Record<string, string>,
      text,
      bytes,
      body: isJson && text !== '' ? JSON.parse(text) : null,
    };
  }

  readonly get = (url: string, options?: CallOptions) => this.call('GET', url, options);
  readonly post = (url: string, options?: CallOptions) => this.call('POST', url, options);
  readonly put = (url: string, options?: CallOptions) => this.call('PUT', url, options);
  readonly patch = (url: string, options?: CallOptions) => this.call('PATCH', url, options);
  readonly delete = (url: string, options?: CallOptions) => this.call('DELETE', url, options);

  /** Registers a user, who is a patient. */
  async register(fields: Readonly<Record<string, string>> = {}): Promise<User> {
    const username = fields['username'] ?? `user${++this.#users}`;
    const body = {
      username,
      email: `${username}@example.com`,
      password: PASSWORD,
      confirm_password: PASSWORD,
      ...fields,
    };
    const answer = await this.post('/api/user/register/', { body });
    if (answer.status !== 201) throw new Error(`registration answered ${answer.status}: ${answer.text}`);
    const { user, tokens } = answer.body;
    return { id: user.id, username, password: body.password, token: tokens.access, refresh: tokens.refresh };
  }

  async registerStaff(fields: Readonly<Record<string, string>> = {}): Promise<User> {
    const user = await this.register(fields);
    await promoteUser(this.database.db, user.username);
    this.app.tokens.forgetUser(user.id);
    return user;
  }

  /** Registers a user and makes a doctor of them. */
  async registerDoctor(
    body: object = {},
    fields?: Readonly<Record<string, string>>,
  ): Promise<User & { doctorId: number }> {
    const user = await this.register(fields);
    const answer = await this.post('/doctors/', { token: user.token, body });
    if (answer.status !== 201) throw new Error(`becoming a doctor answered ${answer.status}: ${answer.text}`);
    return { ...user, doctorId: answer.body.id };
  }
}

/** Six o'clock of today (UTC), when no slot of the tests has begun, at whatever hour they run. */
export const MORNING = new Date(new Date().setUTCHours(6, 0, 0, 0));

export async function buildTestApp(
  t: Test,
  environment: Record<string, string> = {},
  { now = () => MORNING, ...parts }: Pick<AppParts, 'now' | 'mailTimes'> & { logger?: FastifyBaseLogger } = {},
): Promise<TestApp> {
  const config = testConfig(t, environment);
  const { database, url } = await openTestDatabase(t, {
    pool: config.databasePool,
    timeZone: config.clinicTimeZone,
  });
  const app = await buildApp({ config, database, secrets: [SECRET], logger: false, now, ...parts });
  t.teardown(() => app.close());
  return new TestApp(app, database, url);
}

/** A second process, as it were: an instance with state of its own on the same database. */
export async function anotherInstance(
  t: Test,
  { databaseUrl }: Pick<TestApp, 'databaseUrl'>,
  environment: Record<string, string> = {},
  logger: FastifyBaseLogger | false = false,
): Promise<TestApp> {
  const config = testConfig(t, environment);
  const database = await openDatabase({
    url: databaseUrl,
    dataDir: config.dataDir,
    timeZone: config.clinicTimeZone,
    pool: 5,
  });
  t.teardown(() => database.close());
  await database.migrated;
  const app = await buildApp({ config, database, secrets: config.jwtSecrets ?? [SECRET], logger, now: () => MORNING });
  t.teardown(() => app.close());
  return new TestApp(app, database, databaseUrl);
}
