/**
 * What the contract shows of requests, sent to a fresh demo as it stands, in the order of the guide: what a tester does
 * who clicks through Swagger UI. What ends a record or a session goes last, the last kind of record first.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { parse } from 'yaml';
import { examplesOf, type Shown } from '../openapi/examples.js';
import { BY_STAFF } from '../openapi/guide.js';
import { openFolder } from '../plugins/pictures/folder.js';
import { ACCOUNTS, PASSWORD } from '../src/demo/people.js';
import { seedDemo } from '../src/demo/seed.js';
import { buildTestApp, type Body } from './helpers/app.js';
import { linkIdentity } from './helpers/clinic.js';
import { claimsIn, OpenIdServer } from './helpers/openid.js';
import { codeOf } from './helpers/totp.js';
import { allOperations, type Operation } from './helpers/operations.js';
import { pictureFile } from './helpers/pictures.js';

interface Parameter extends Shown<string | number> {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  readonly required?: boolean;
  readonly $ref?: string;
}
type Content = Readonly<Record<string, Shown>>;
interface Documented {
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content: Content };
  readonly responses: Readonly<Record<string, { readonly content?: Content }>>;
}

const document = parse(readFileSync(new URL('../../openapi/openapi.yaml', import.meta.url), 'utf8')) as {
  readonly tags: readonly { readonly name: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, Documented>> & Pick<Documented, 'parameters'>>>;
  readonly components: { readonly parameters: Readonly<Record<string, Parameter>> };
};

const shownBy = <T>(shown: Shown<T> = {}): T | undefined => examplesOf(document, shown)[0];

/** Of an operation: its parameters, and the first example of its body and of its answer. */
function documented({ method, url, config: { success } }: Operation) {
  const path = document.paths[url.replaceAll(/:(\w+)/g, '{$1}')];
  const operation = path?.[method.toLowerCase()] as Documented;
  const parameters = [...(path?.parameters ?? []), ...(operation.parameters ?? [])].map(
    (one) => document.components.parameters[one.$ref?.split('/').at(-1) ?? ''] ?? one,
  );
  const body = shownBy(Object.values(operation.requestBody?.content ?? {})[0]);
  const answer = shownBy(Object.values(operation.responses[success]?.content ?? {})[0]);
  return { parameters, body, answer };
}

const group = ({ config: { tag } }: Operation): number => document.tags.findIndex(({ name }) => name === tag);
const inOrder = [...allOperations].sort((a, b) => group(a) - group(b));
const isEnd = ({ method, config: { operationId } }: Operation): boolean =>
  method === 'DELETE' || ['logOut', 'erasePatient'].includes(operationId);
const sent = [...inOrder.filter((operation) => !isEnd(operation)), ...inOrder.filter(isEnd).reverse()];

const OF_WHO_HAS_REGISTERED = new Set([
  ...['changePassword', 'deleteOtherSessions', 'createTotp', 'confirmTotp', 'createRecoveryCodes', 'removeTotp'],
  ...['listIdentities', 'removeIdentity'],
]);

/** Who signs in: whom the contract asks for, or who can do it without harm to the rest. */
function callerOf({ config: { operationId, access } }: Operation): string | undefined {
  if (access === 'public' || access === 'optional') return undefined;
  if (OF_WHO_HAS_REGISTERED.has(operationId)) return 'who has registered';
  return access === 'staff' || BY_STAFF.includes(operationId) ? 'staff' : 'patient';
}

/** Of a second factor, in the examples. */
const CODE = '287082';
/** Of an OpenID provider: what it sends a browser back with, and somebody whom it knows. */
const OIDC_CODE = 'SplxlOBeZQQYbYS6WxSbIA';
const SUBJECT = '248289761001';

/** What goes by the clock, by chance, or by how much there is. */
const VARIES = new Set([
  ...['date_joined', 'created_at', 'updated_at', 'changed_at', 'created_on', 'date', 'from', 'to'],
  ...['start', 'end', 'today', 'clock', 'now', 'at', 'user_agent'],
  ...['access', 'refresh', 'token', 'code', 'expires_at', 'count', 'next'],
  ...['secret', 'old_secret_ends_at', 'uri', 'recovery_codes'],
  ...['authorization_url', 'state', 'issuer', 'linked_at', 'last_used_at'],
]);

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

/** Seldom there, yet worth showing. */
const RARE = new Set(['profile_picture', 'still_booked']);
/** They come before the account's empty records are filled. */
const BEFORE_FILLED = ['listProfiles', 'listPatients'];

const isEmpty = (value: unknown): boolean =>
  value === null || value === '' || (Array.isArray(value) && value.length === 0);

/** Compares an answer with the example of it, but for what varies. */
class Comparison {
  readonly differences: string[] = [];
  readonly #varies: ReadonlySet<string>;
  readonly #mayBeEmpty: boolean;

  constructor(varies: ReadonlySet<string>, mayBeEmpty: boolean) {
    this.#varies = varies;
    this.#mayBeEmpty = mayBeEmpty;
  }

  compare(shown: unknown, real: unknown, place: string): void {
    if (Array.isArray(shown) && Array.isArray(real) && isObject(shown[0])) {
      // Free slots go by the clock; any other list has the record that the example shows.
      const [{ id }] = shown as [{ id?: number }];
      if (id === undefined) return;
      const records = real as Record<string, unknown>[];
      const found = this.#varies.has('id') ? records[0] : records.find((record) => record['id'] === id);
      this.compare(shown[0], found, `${place}[${id}]`);
    } else if (isObject(shown) && isObject(real) && !Array.isArray(shown)) {
      for (const [key, value] of Object.entries(shown)) {
        if (this.#varies.has(key) || (isEmpty(real[key]) && (this.#mayBeEmpty || RARE.has(key)))) continue;
        this.compare(value, real[key], `${place}.${key}`);
      }
    } else if (JSON.stringify(shown) !== JSON.stringify(real)) {
      this.differences.push(`${place} is ${JSON.stringify(real)} where the example has ${JSON.stringify(shown)}`);
    }
  }
}

t.test('each request that the contract shows is answered as it shows', async (t) => {
  const now = new Date();
  const provider = await OpenIdServer.start(t);
  const environment = { MAX_OPEN_BOOKINGS: '', MAX_OPEN_BOOKINGS_PER_DOCTOR: '20' };
  const api = await buildTestApp(t, provider.environment(environment), { now: () => now });
  const store = await openFolder(join(t.testdirName, 'pictures'));
  await seedDemo(api.database.db, store, {
    now,
    zone: 'UTC',
    horizonDays: 365,
    slotMinutes: 30,
    bookingNotice: 0,
    changeNotice: 0,
    maxOpenBookings: 20,
    maxOpenBookingsPerDoctor: 5,
    waitingOffer: 1800,
  });
  const tokens = new Map<string, string>();
  for (const { username } of ACCOUNTS) {
    const { body } = await api.post('/api/user/login/', { body: { username, password: PASSWORD } });
    tokens.set(username, body.access);
  }
  /** The tokens that were given, by those that stand for them in the examples. */
  const real = new Map<string, string>();

  /** Sets up a second factor for whom an example takes it from. */
  async function enrolDoctor(): Promise<void> {
    const token = tokens.get('doctor');
    const { body } = await api.post('/api/user/totp/', { token, body: { current_password: PASSWORD } });
    await api.post('/api/user/totp/confirm/', { token, body: { code: codeOf(body.secret, now) } });
  }

  for (const operation of sent) {
    const { method, url, config, schema } = operation;
    const { operationId, success } = config;
    await t.test(`${operationId} ${success}`, async (t) => {
      const { parameters, body, answer } = documented(operation);
      const query = new URLSearchParams();
      const headers: Record<string, string> = {};
      let path = url;
      for (const parameter of parameters) {
        const value = shownBy(parameter);
        if (value === undefined) {
          t.notOk(parameter.required, `the contract shows no ${parameter.name}`);
        } else if (parameter.in === 'path') {
          const shown = String(value);
          path = path.replace(`:${parameter.name}`, encodeURIComponent(real.get(shown) ?? shown));
        } else if (parameter.in === 'query') query.set(parameter.name, String(value));
        else headers[parameter.name] = String(value);
      }
      t.equal(body === undefined, config.consumes.length === 0, 'a body is shown where one is asked for');
      const filled = JSON.parse(JSON.stringify(body ?? null), (_key, value: unknown) =>
        typeof value === 'string' ? (real.get(value) ?? value) : value,
      ) as Record<string, string> | null;
      const file = schema.body?.required?.find((name: string) => schema.body?.properties[name]?.format === 'binary');
      const caller = callerOf(operation);
      if (operationId === 'deleteUserTotp') await enrolDoctor();
      if (operationId === 'startOidcSignIn') {
        const userId = Number(claimsIn(tokens.get('who has registered'))['sub']);
        await linkIdentity(api, { userId, issuer: provider.issuer, subject: SUBJECT });
      }
      const response = await api.call(method, `${path}?${query.toString()}`, {
        headers,
        token: caller === undefined ? undefined : tokens.get(caller),
        ...(filled !== null &&
          (file === undefined ? { body: filled } : { form: { ...filled, [file]: await pictureFile() } })),
      });
      t.equal(response.status, success, `${method} ${path} ${JSON.stringify(filled)} is answered ${response.text}`);
      if (operationId === 'changePassword') {
        const { current_password: shown } = body as Record<string, string>;
        real.set(shown ?? '', filled?.['password'] ?? '');
      }
      if (response.body === null || answer === undefined) return;
      // What is made has the next id, and the picture that was sent.
      const varies = success === 201 ? new Set([...VARIES, 'id', file ?? 'id']) : VARIES;
      const comparison = new Comparison(varies, BEFORE_FILLED.includes(operationId));
      comparison.compare(answer, response.body, operationId);
      t.strictSame(comparison.differences, []);

      const session = response.body.tokens ?? response.body;
      const standsFor = (answer as Body).tokens ?? answer;
      for (const name of ['refresh', 'access', 'token', 'code']) {
        if (session[name] !== undefined) real.set(standsFor[name], session[name]);
      }
      if (operationId === 'startOidcSignIn') {
        const { code, state } = await provider.signIn(session.authorization_url, { sub: SUBJECT });
        real.set(OIDC_CODE, code).set(standsFor.state, state);
      }
      // Each code of a second factor is good once.
      if (operationId === 'createTotp') real.set(CODE, codeOf(session.secret, now));
      if (session.recovery_codes !== undefined) real.set(CODE, session.recovery_codes[0]);
      if (operationId === 'logIn') tokens.set('who has registered', session.access);
    });
  }
});
