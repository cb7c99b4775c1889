import t from 'tap';
import type { OperationId } from '../../openapi/operation.js';
import { hooksOf } from '../../plugins/operation.js';
import { buildTestApp } from '../helpers/app.js';
import { allOperations } from '../helpers/operations.js';

const STAGES = ['onRequest', 'preValidation', 'preHandler', 'preSerialization', 'onSend'] as const;

/** The names of an operation's hooks, by stage. */
const hookNames = (operation: (typeof allOperations)[number]): string =>
  STAGES.map((stage) => hooksOf(operation)[stage].map(({ name }) => name))
    .filter((names) => names.length > 0)
    .map((names) => names.join(' '))
    .join(' | ');

const OPEN = 'identifyBearer limitRequests expectRequest refuseUntilMigrated';
const GUARDED = `${OPEN} guardAccess`;
const FORM = 'readFormBody encodeForm';

/** The operations that stand for each kind, and what happens to a request for them. */
const KINDS: Readonly<Record<string, readonly OperationId[]>> = {
  'identifyBearer limitRequests expectRequest': ['getProblemType'],
  'identifyBearer limitRequests expectRequest | addTag | sendNotModified': ['getPicture'],
  'identifyBearer limitAttempts expectRequest refuseUntilMigrated | settleAttempt': [
    ...(['registerUser', 'logIn', 'refreshToken'] as const),
  ],
  [OPEN]: [
    ...(['listDesignations', 'getDesignation', 'listSpecialisations', 'getSpecialisation'] as const),
    ...(['listAvailableTimes', 'getAvailableTime', 'listDoctorAvailability', 'searchAvailability'] as const),
  ],
  [`${OPEN} | addTag | sendNotModified`]: [
    ...(['listDoctors', 'getDoctor', 'listReviews', 'getReview', 'listServices', 'getService'] as const),
  ],
  [GUARDED]: [
    ...(['logOut', 'changePassword', 'listUsers', 'getUser', 'updateUser', 'listAppointmentHistory'] as const),
    ...(['replaceDesignation', 'updateDesignation', 'deleteDesignation'] as const),
    ...(['replaceSpecialisation', 'updateSpecialisation', 'deleteSpecialisation'] as const),
    ...(['replaceAvailableTime', 'updateAvailableTime', 'deleteAvailableTime'] as const),
    ...(['listContacts', 'getContact', 'replaceContact', 'updateContact', 'deleteContact'] as const),
    ...(['deleteReview', 'deleteAppointment'] as const),
  ],
  [`${GUARDED} | addTag | sendNotModified`]: [
    ...(['listProfiles', 'getMyProfile', 'getProfile', 'listPatients', 'getPatient'] as const),
    ...(['listAppointments', 'getAppointment'] as const),
  ],
  [`${GUARDED} | addTag`]: ['replaceReview', 'updateReview', 'replaceAppointment', 'updateAppointment'],
  [`${GUARDED} | noteHash`]: ['createDesignation', 'createSpecialisation', 'createAvailableTime'],
  [`${GUARDED.replace('limitRequests', 'limitAttempts')} | noteHash | settleAttempt`]: ['createContact'],
  [`${GUARDED} | noteHash | addTag`]: ['createReview', 'createAppointment'],
  [`${GUARDED} | ${FORM} | noteHash storeForm | addTag | discardFiles`]: [
    ...(['createProfile', 'createPatient', 'createDoctor', 'createService'] as const),
  ],
  [`${GUARDED} | ${FORM} | storeForm | addTag | discardFiles`]: [
    ...(['replaceProfile', 'updateProfile', 'replacePatient', 'updatePatient'] as const),
    ...(['replaceDoctor', 'updateDoctor', 'replaceService', 'updateService'] as const),
  ],
  [`${GUARDED} | discardFiles`]: ['deleteProfile', 'deletePatient', 'deleteDoctor', 'deleteService'],
};

t.test('what happens to a request, for every operation', async (t) => {
  const expected = Object.entries(KINDS).flatMap(([hooks, ids]) => ids.map((id) => [id, hooks] as const));
  t.strictSame(
    Object.fromEntries(allOperations.map((operation) => [operation.config.operationId, hookNames(operation)])),
    Object.fromEntries(expected),
  );
});

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
    return (await api.get('/doctors/?limits=1&fee=0', { headers })).body.next;
  };
  const query = 'limits=1&fee=0&page=2';
  t.equal(await next({}, { host: 'clinic.example:8000' }), `http://clinic.example:8000/doctors/?${query}`);
  const forged = { host: 'a', 'x-forwarded-host': 'evil', 'x-forwarded-proto': 'https' };
  t.equal(await next({}, forged), `http://a/doctors/?${query}`);
  const publicUrl = { PUBLIC_URL: 'https://clinic.example/api' };
  t.equal(await next(publicUrl, { host: 'inside' }), `https://clinic.example/api/doctors/?${query}`);
});
