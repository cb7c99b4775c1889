import t from 'tap';
import { operations } from '../../openapi/generated/operations.js';
import type { Operation, OperationId } from '../../openapi/operation.js';
import { hooksOf } from '../../plugins/operation.js';
import { buildTestApp } from '../helpers/app.js';
import { allOperations } from '../helpers/operations.js';

const STAGES = [
  ...(['onRequest', 'preParsing', 'preValidation', 'preHandler', 'preSerialization', 'onSend', 'onResponse'] as const),
];

/** The names of an operation's hooks, by stage. */
const hookNames = (operation: Operation): string =>
  STAGES.map((stage) => hooksOf(operation)[stage].map(({ name }) => name))
    .filter((names) => names.length > 0)
    .map((names) => names.join(' '))
    .join(' | ');

/** The order of all hooks, of which each operation has those that it needs. */
const ORDER = [
  [
    ...['identifyBearer', 'limitRequests', 'limitAttempts', 'expectRequest', 'refuseUntilMigrated'],
    ...['refuseUnrecorded', 'recognizeCaller', 'guardAccess'],
  ],
  ['watchArrival'],
  ['readFormBody', 'noteStrictness', 'admitForm', 'encodeForm'],
  ['noteHash', 'storeForm'],
  ['noteAnswer', 'addTag', 'addPages'],
  ['sendNotModified', 'forgiveUnchanged', 'discardFiles', 'settleAttempt'],
  ['recordAnswer'],
];

/** What an operation needs, by what the contract says of it. */
const isNeeded: Readonly<Record<string, (operation: (typeof allOperations)[number]) => boolean>> = {
  identifyBearer: () => true,
  limitRequests: ({ config }) => config.limit === 'general',
  limitAttempts: ({ config }) => config.limit === 'auth',
  expectRequest: () => true,
  refuseUntilMigrated: ({ config }) => config.problems.includes(503),
  refuseUnrecorded: ({ config }) => config.audit !== null,
  noteAnswer: ({ config }) => ![undefined, null, 'path'].includes(config.audit?.ids),
  recordAnswer: () => true,
  recognizeCaller: ({ config }) => config.ignoredTokens === 'all',
  guardAccess: ({ config }) => config.access !== 'public' && config.ignoredTokens !== 'all',
  watchArrival: ({ config }) => config.consumes.length > 0,
  noteStrictness: () => true,
  readFormBody: ({ config }) => config.consumes.includes('multipart/form-data'),
  admitForm: ({ config }) => config.consumes.includes('multipart/form-data') && config.access !== 'staff',
  encodeForm: ({ config }) => config.consumes.includes('multipart/form-data'),
  noteHash: ({ config }) => config.takesIdempotencyKey,
  storeForm: ({ config }) => config.consumes.includes('multipart/form-data'),
  addTag: ({ config }) => config.hasEntityTag,
  addPages: ({ config }) => config.hasLinks,
  sendNotModified: ({ method, config }) => method === 'GET' && config.hasEntityTag,
  forgiveUnchanged: ({ method, config }) => method === 'GET' && config.hasEntityTag,
  discardFiles: ({ method, config }) =>
    method !== 'GET' && ['profiles', 'patients', 'doctors', 'services'].includes(config.tag),
  settleAttempt: ({ config }) => config.limit === 'auth',
};

t.test('what happens to a request, for every operation', async (t) => {
  for (const operation of allOperations) {
    const expected = ORDER.map((names) => names.filter((name) => isNeeded[name]?.(operation)))
      .filter((names) => names.length > 0)
      .map((names) => names.join(' '))
      .join(' | ');
    t.equal(hookNames(operation), expected, operation.config.operationId);
  }
});

const OPEN = 'identifyBearer limitRequests expectRequest refuseUntilMigrated';
for (const [operationId, expected] of Object.entries({
  getProblemType: 'identifyBearer limitRequests expectRequest | noteStrictness | recordAnswer',
  logIn:
    'identifyBearer limitAttempts expectRequest refuseUntilMigrated refuseUnrecorded | watchArrival | noteStrictness | settleAttempt | recordAnswer',
  listDoctors: `${OPEN} recognizeCaller | noteStrictness | addTag | sendNotModified forgiveUnchanged | recordAnswer`,
  createPatient: `${OPEN} refuseUnrecorded guardAccess | watchArrival | readFormBody noteStrictness admitForm encodeForm | noteHash storeForm | noteAnswer addTag | discardFiles | recordAnswer`,
  createAppointment: `${OPEN} refuseUnrecorded guardAccess | watchArrival | noteStrictness | noteHash | noteAnswer addTag | recordAnswer`,
  deleteDoctor: `${OPEN} guardAccess | noteStrictness | discardFiles | recordAnswer`,
} satisfies Partial<Record<OperationId, string>>)) {
  t.test(`what happens to a request for ${operationId}`, async (t) => {
    t.equal(hookNames(operations[operationId as OperationId]), expected);
  });
}

t.test('a request with every fault is told of the first: limit, media type, token, role, body', async (t) => {
  const api = await buildTestApp(t, { RATE_LIMIT_ANON: '3', RATE_LIMIT_USER: '3' });
  const { token } = await api.register();
  const send = async (type: string, headers: Record<string, string>): Promise<number> =>
    (await api.post('/designations/', { body: '{', headers: { 'content-type': type, ...headers } })).status;
  const signedIn = { authorization: `Bearer ${token}` };
  t.equal(await send('text/plain', {}), 415);
  t.equal(await send('application/json', {}), 401);
  t.equal(await send('application/json', signedIn), 403);
  t.equal(await send('text/plain', {}), 415);
  t.equal(await send('text/plain', {}), 429);
});

t.test('links name the server as the request does, or as PUBLIC_URL has it', async (t) => {
  const next = async (environment: Record<string, string>, headers: Record<string, string>): Promise<string> => {
    const api = await buildTestApp(t, environment);
    for (let count = 0; count < 2; count++) await api.registerDoctor();
    const { body } = await api.get('/doctors/?limits=1&fee=0', { headers });
    return body.next.replace(/&after=[\w-]+$/, '');
  };
  const query = 'limits=1&fee=0&page=2';
  t.equal(await next({}, { host: 'clinic.example:8000' }), `http://clinic.example:8000/doctors/?${query}`);
  const forged = { host: 'a', 'x-forwarded-host': 'evil', 'x-forwarded-proto': 'https' };
  t.equal(await next({}, forged), `http://a/doctors/?${query}`);
  // A proxy that counts says how it was asked, as far as there is such a way.
  for (const [said, scheme] of [
    ['https', 'https'],
    ['HTTPS', 'https'],
    ['javascript', 'http'],
    ['http://evil/?', 'http'],
    ['', 'http'],
  ] as const) {
    const headers = { host: 'a', 'x-forwarded-proto': said };
    t.equal(await next({ TRUST_PROXY: 'on' }, headers), `${scheme}://a/doctors/?${query}`, said);
  }
  for (const said of ['evil/?', 'user@evil', 'a b', '"><script>', 'a'.repeat(256)]) {
    const headers = { host: 'a', 'x-forwarded-host': said };
    t.match(await next({ TRUST_PROXY: 'on' }, headers), /^http:\/\/localhost:/, said);
  }
  const allowed = { ALLOWED_HOSTS: 'api.example,localhost:8000' };
  t.equal(await next(allowed, { host: 'LOCALHOST:8000' }), `http://localhost:8000/doctors/?${query}`);
  t.equal(await next(allowed, { host: 'evil.example' }), `http://api.example/doctors/?${query}`);
  const publicUrl = { PUBLIC_URL: 'https://clinic.example/api' };
  t.equal(await next(publicUrl, { host: 'inside' }), `https://clinic.example/api/doctors/?${query}`);
});
