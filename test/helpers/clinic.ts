/** A clinic with a record of each kind, and for every operation a request about them with what each caller gets. */
import { identities } from '../../db/tables/index.js';
import type { operations } from '../../openapi/generated/operations.js';
import { inTransaction } from '../../src/lib/visit.js';
import { MORNING, PASSWORD, type CallOptions, type TestApp, type User } from './app.js';
import { pictureFile } from './pictures.js';
import { codeOf, enrol } from './totp.js';
import { visitOf } from './visit.js';

export const ACTORS = ['anonymous', 'owner', 'other', 'treating', 'doctor', 'staff', 'inactive'] as const;
export type Actor = (typeof ACTORS)[number];
type Statuses = readonly [number, number, number, number, number, number, number];

/** The records that the requests are about: the owner's, and those of the doctor who treats the owner. */
export interface Clinic {
  readonly users: Readonly<Record<Exclude<Actor, 'anonymous'>, User>>;
  readonly ids: Readonly<Record<string, number | string>>;
}
export type Request = CallOptions & { readonly path?: string };
export type Row = readonly [Statuses, ((clinic: Clinic, actor: Actor) => Request | Promise<Request>)?];

const anyone = (status: number): Statuses => [status, status, status, status, status, status, status];
const signedIn = (status: number): Statuses => [401, status, status, status, status, status, 401];
const staffOnly = (status: number): Statuses => [401, 403, 403, 403, 403, status, 401];
/** Hidden from everyone but the owner and staff. */
const ownersOnly = (status: number): Statuses => [401, status, 404, 404, 404, status, 401];

const credentials = ({ users }: Clinic, actor: Actor) =>
  actor === 'anonymous' ? { username: 'nobody', refresh: 'rubbish' } : users[actor];
const image = async (): Promise<Request> => ({
  form: { image: await pictureFile(), name: 'Vaccination', description: 'For travellers.' },
});
const booking = ({ ids }: Pick<Clinic, 'ids'>) => ({
  doctor: ids['doctorId'],
  appointment_type: 'Online',
  symptoms: 'Headache',
  time: ids['timeId'],
});
/** The first of two days, a week apart, of which the clinic's clock stands the given number before. */
const series = (clinic: Pick<Clinic, 'ids'>, days = 30) => ({
  date: new Date(MORNING.getTime() + days * 86_400_000).toISOString().slice(0, 10),
  count: 2,
  ...booking(clinic),
});
/** Of the doctor who treats the owner. */
const secondFactor = ({ ids }: Pick<Clinic, 'ids'>): Request => ({
  body: { current_password: PASSWORD, otp: ids['recoveryCode'] },
});
const review = ({ ids }: Pick<Clinic, 'ids'>) => ({ doctor: ids['doctorId'], body: 'Kind.', rating: 5 });
const dependant = { date_of_birth: '2017-05-09', first_name: 'Nils', last_name: 'Byron' };
const deskPatient = { first_name: 'Rosa', last_name: 'Marsh', phone: '+44 20 9876' };
const contact = { name: 'Ada', phone: '12345', massage: 'Hello?' };
const of =
  (id: string, request: Request = {}) =>
  (clinic: Clinic): Request => ({ path: String(clinic.ids[id]), ...request });

const lookup = (id: string, body: object) => ({
  create: [staffOnly(201), () => ({ body })] as Row,
  get: [anyone(200), of(id)] as Row,
  replace: [staffOnly(200), of(id, { body })] as Row,
  update: [staffOnly(200), of(id, { body: {} })] as Row,
  delete: [staffOnly(204), of(id)] as Row,
});
const designation = lookup('designationId', { name: 'Surgeon', slug: 'surgeon' });
const specialisation = lookup('specialisationId', { name: 'Surgery', slug: 'surgery' });
const availableTime = lookup('unusedTimeId', { time: '15:00 - 15:30' });

/** In the order of ACTORS. Kinds that have no relation to a record are "other" and "doctor". */
export const TABLE: Readonly<Record<keyof typeof operations, Row>> = {
  registerUser: [
    anyone(201),
    () => ({ body: { username: 'new', email: 'new@example.com', password: PASSWORD, confirm_password: PASSWORD } }),
  ],
  logIn: [
    [401, 200, 200, 200, 200, 200, 401],
    (clinic, actor) => ({
      body: {
        ...{ username: credentials(clinic, actor).username, password: PASSWORD },
        ...(actor === 'treating' && { otp: clinic.ids['recoveryCode'] }),
      },
    }),
  ],
  refreshToken: [
    [401, 200, 200, 200, 200, 200, 401],
    (clinic, actor) => ({ body: { refresh: credentials(clinic, actor).refresh } }),
  ],
  logOut: [[200, 200, 403, 403, 403, 403, 200], ({ users }) => ({ body: { refresh: users.owner.refresh } })],
  changePassword: [
    signedIn(200),
    () => ({
      body: { current_password: PASSWORD, password: 'walnut-Bicycle-7', confirm_password: 'walnut-Bicycle-7' },
    }),
  ],
  listSessions: [signedIn(200)],
  deleteOtherSessions: [signedIn(204)],
  deleteSession: [[401, 204, 404, 404, 404, 404, 401], of('sessionId')],
  listUsers: [staffOnly(200)],
  getUser: [staffOnly(200), of('userId')],
  updateUser: [staffOnly(200), of('userId', { body: { is_active: false } })],
  createPasswordReset: [staffOnly(200), of('userId')],
  forgotPassword: [anyone(202), () => ({ body: { email: 'nobody@example.com' } })],
  resetPassword: [
    anyone(204),
    ({ users, ids }) => ({
      body: {
        ...{ username: users.other.username, code: ids['resetCode'] },
        ...{ password: 'walnut-Bicycle-7', confirm_password: 'walnut-Bicycle-7' },
      },
    }),
  ],
  getTotp: [signedIn(200)],
  createTotp: [[401, 200, 200, 409, 200, 200, 401], () => ({ body: { current_password: PASSWORD } })],
  confirmTotp: [[401, 200, 400, 400, 400, 400, 401], ({ ids }) => ({ body: { code: codeOf(String(ids['totp'])) } })],
  createRecoveryCodes: [[401, 400, 400, 200, 400, 400, 401], secondFactor],
  removeTotp: [[401, 400, 400, 204, 400, 400, 401], secondFactor],
  deleteUserTotp: [staffOnly(204), of('treatingId')],
  startOidcSignIn: [
    [404, 404, 404, 404, 404, 404, 401],
    () => ({ body: { redirect_uri: 'https://app.example.com/' } }),
  ],
  finishOidcSignIn: [[404, 404, 404, 404, 404, 404, 401], () => ({ body: { code: 'x', state: 'y' } })],
  listIdentities: [signedIn(200)],
  removeIdentity: [[401, 204, 404, 404, 404, 404, 401], of('identityId', { body: { current_password: PASSWORD } })],
  listProfiles: [signedIn(200)],
  createProfile: [[401, 409, 201, 201, 201, 201, 401], () => ({ body: { bio: 'x' } })],
  getMyProfile: [signedIn(200)],
  getProfile: [ownersOnly(200), of('profileId')],
  replaceProfile: [ownersOnly(200), of('profileId', { body: { bio: 'x' } })],
  updateProfile: [ownersOnly(200), of('profileId', { body: { bio: 'x' } })],
  deleteProfile: [ownersOnly(204), of('profileId')],
  listPatients: [signedIn(200)],
  createPatient: [[401, 409, 201, 201, 201, 201, 401], () => ({ body: { phone: '555 1234' } })],
  getMyPatient: [signedIn(200)],
  listDependants: [signedIn(200)],
  createDependant: [signedIn(201), () => ({ body: dependant })],
  createInvitation: [staffOnly(200), of('deskPatientId')],
  exportPatient: [[401, 200, 404, 403, 404, 200, 401], of('patientId')],
  erasePatient: [staffOnly(200), of('deskPatientId', { body: { reason: 'Asked for.' } })],
  getPatient: [[401, 200, 404, 200, 404, 200, 401], of('patientId')],
  replacePatient: [[401, 200, 404, 403, 404, 200, 401], of('patientId', { body: { phone: '555 1234' } })],
  updatePatient: [[401, 200, 404, 403, 404, 200, 401], of('patientId', { body: {} })],
  deletePatient: [[401, 204, 404, 403, 404, 204, 401], of('patientId')],
  listDoctors: [anyone(200)],
  createDoctor: [[401, 201, 201, 409, 409, 201, 401], () => ({ body: {} })],
  getMyDoctor: [[401, 404, 404, 200, 200, 404, 401]],
  getDoctor: [anyone(200), of('doctorId')],
  replaceDoctor: [[401, 403, 403, 200, 403, 200, 401], of('doctorId', { body: { fee: 1 } })],
  updateDoctor: [[401, 403, 403, 200, 403, 200, 401], of('doctorId', { body: { fee: 1 } })],
  deleteDoctor: [[401, 403, 403, 403, 204, 204, 401], of('idleDoctorId')],
  listDoctorAvailability: [anyone(200), of('doctorId')],
  searchAvailability: [anyone(200)],
  listDesignations: [anyone(200)],
  createDesignation: designation.create,
  getDesignation: designation.get,
  replaceDesignation: designation.replace,
  updateDesignation: designation.update,
  deleteDesignation: designation.delete,
  listSpecialisations: [anyone(200)],
  createSpecialisation: specialisation.create,
  getSpecialisation: specialisation.get,
  replaceSpecialisation: specialisation.replace,
  updateSpecialisation: specialisation.update,
  deleteSpecialisation: specialisation.delete,
  listAvailableTimes: [anyone(200)],
  createAvailableTime: availableTime.create,
  getAvailableTime: availableTime.get,
  replaceAvailableTime: availableTime.replace,
  updateAvailableTime: availableTime.update,
  deleteAvailableTime: availableTime.delete,
  listReviews: [anyone(200)],
  createReview: [[401, 201, 201, 400, 201, 201, 401], (clinic) => ({ body: review(clinic) })],
  getReview: [anyone(200), of('reviewId')],
  replaceReview: [
    [401, 200, 403, 403, 403, 403, 401],
    (clinic) => ({ path: String(clinic.ids['reviewId']), body: review(clinic) }),
  ],
  updateReview: [[401, 200, 403, 403, 403, 403, 401], of('reviewId', { body: { rating: 1 } })],
  deleteReview: [[401, 204, 403, 403, 403, 204, 401], of('reviewId')],
  listAppointments: [signedIn(200)],
  createAppointment: [signedIn(201), (clinic) => ({ body: booking(clinic) })],
  getAppointment: [[401, 200, 404, 200, 404, 200, 401], of('appointmentId')],
  replaceAppointment: [
    [401, 200, 404, 200, 404, 200, 401],
    (clinic) => ({ path: String(clinic.ids['appointmentId']), body: booking(clinic) }),
  ],
  updateAppointment: [[401, 200, 404, 200, 404, 200, 401], of('appointmentId', { body: { symptoms: 'x' } })],
  deleteAppointment: [[401, 204, 404, 403, 404, 204, 401], of('appointmentId')],
  listAppointmentHistory: [[401, 200, 404, 200, 404, 200, 401], of('appointmentId')],
  getDoctorHours: [anyone(200), of('doctorId')],
  replaceDoctorHours: [[401, 403, 403, 200, 403, 200, 401], of('doctorId', { body: { hours: [] } })],
  listWaitingEntries: [signedIn(200)],
  createWaitingEntry: [[401, 409, 201, 201, 201, 201, 401], ({ ids }) => ({ body: { doctor: ids['idleDoctorId'] } })],
  getWaitingEntry: [[401, 200, 404, 404, 404, 200, 401], of('waitingId')],
  deleteWaitingEntry: [[401, 204, 404, 404, 404, 204, 401], of('waitingId')],
  declineOffer: [[401, 204, 404, 404, 404, 204, 401], of('waitingId')],
  listTimeOff: [signedIn(200)],
  createTimeOff: [
    [401, 403, 403, 201, 403, 201, 401],
    ({ ids }) => ({ body: { doctor: ids['doctorId'], from: '2030-01-01', to: '2030-01-02', reason: 'Leave' } }),
  ],
  getTimeOff: [[401, 404, 404, 200, 404, 200, 401], of('timeOffId')],
  deleteTimeOff: [[401, 404, 404, 204, 404, 204, 401], of('timeOffId')],
  listAppointmentChanges: [[401, 200, 404, 200, 404, 200, 401], of('appointmentId')],
  listAuditEvents: [staffOnly(200)],
  listMyAccesses: [signedIn(200)],
  listServiceKeys: [staffOnly(200)],
  createServiceKey: [staffOnly(201), () => ({ body: { name: 'Billing', scopes: ['appointments:read'] } })],
  getServiceKey: [staffOnly(200), of('serviceKeyId')],
  updateServiceKey: [staffOnly(200), of('serviceKeyId', { body: { limit_per_minute: 5 } })],
  deleteServiceKey: [staffOnly(204), of('serviceKeyId')],
  rotateServiceKey: [staffOnly(200), of('serviceKeyId', { body: {} })],
  createHold: [
    [201, 201, 201, 201, 201, 201, 401],
    ({ ids }) => ({ body: { doctor: ids['doctorId'], time: ids['timeId'], minutes: 15 } }),
  ],
  deleteHold: [anyone(204), of('holdToken')],
  createAppointmentSeries: [signedIn(201), (clinic) => ({ body: series(clinic) })],
  getAppointmentSeries: [[401, 200, 404, 200, 404, 200, 401], of('seriesId')],
  updateAppointmentSeries: [[401, 200, 404, 200, 404, 200, 401], of('seriesId', { body: { cancel: true } })],
  getAgenda: [[401, 403, 403, 200, 200, 200, 401]],
  getClinic: [anyone(200)],
  listServices: [anyone(200)],
  createService: [staffOnly(201), image],
  getService: [anyone(200), of('serviceId')],
  replaceService: [staffOnly(200), of('serviceId', { body: { name: 'x', description: 'y' } })],
  updateService: [staffOnly(200), of('serviceId', { body: {} })],
  deleteService: [staffOnly(204), of('serviceId')],
  listContacts: [signedIn(200)],
  createContact: [[201, 201, 201, 201, 201, 201, 401], () => ({ body: contact })],
  getContact: [ownersOnly(200), of('contactId')],
  replaceContact: [ownersOnly(200), of('contactId', { body: contact })],
  updateContact: [ownersOnly(200), of('contactId', { body: {} })],
  deleteContact: [ownersOnly(204), of('contactId')],
  getPicture: [anyone(200), of('picture')],
  getProblemType: [anyone(200), of('problem')],
};

/** Whether the clinic has what an operation needs: an OpenID provider is there in tests of its own. */
export const isPossible = (operationId: string): boolean =>
  TABLE[operationId as keyof typeof TABLE][0].some((status) => status < 300);

const overbooking = (clinic: Pick<Clinic, 'ids'>) => ({
  ...booking(clinic),
  patient: clinic.ids['patientId'],
  date: new Date(MORNING.getTime() + 10 * 86_400_000).toISOString().slice(0, 10),
  overbook: true,
});

/** What callers get for requests that overbook. */
export const OVERBOOKING: Readonly<Partial<Record<keyof typeof operations, Row>>> = {
  createAppointment: [[401, 403, 403, 201, 403, 201, 401], (clinic) => ({ body: overbooking(clinic) })],
  replaceAppointment: [
    [401, 403, 404, 200, 404, 200, 401],
    (clinic) => ({ path: String(clinic.ids['appointmentId']), body: overbooking(clinic) }),
  ],
  updateAppointment: [[401, 403, 404, 200, 404, 200, 401], of('appointmentId', { body: { overbook: true } })],
};

/** Links a user without asking a provider. */
export const linkIdentity = (
  { database: { db } }: TestApp,
  values: { readonly userId: number; readonly issuer: string; readonly subject: string },
): Promise<number> =>
  inTransaction(visitOf(db), async ({ db }) => {
    const [row] = await db.insert(identities).values(values).returning({ id: identities.id });
    return row?.id as number;
  });

export async function buildClinic(api: TestApp): Promise<Clinic> {
  const staff = await api.registerStaff();
  const { token } = staff;
  const create = async (path: string, options: CallOptions) => {
    const answer = await api.post(path, options);
    if (answer.status !== 201) throw new Error(`${path} answered ${answer.status}: ${answer.text}`);
    return answer.body;
  };
  const time = await create('/available-time/', { token, body: { time: '10:00 - 10:30' } });
  const treating = await api.registerDoctor({ available_time: [time.id] });
  const doctor = await api.registerDoctor({ available_time: [time.id] });
  const [owner, other, inactive] = [await api.register(), await api.register(), await api.register()];
  const own = { token: owner.token };
  await api.patch(`/doctors/${treating.doctorId}/`, { token: treating.token, form: { profile: await pictureFile() } });
  const { profile } = (await api.get(`/doctors/${treating.doctorId}/`)).body;
  // One by one, so that a record can refer to those before it.
  const ids: Record<string, number | string> = {};
  ids['userId'] = other.id;
  ids['resetCode'] = (await api.post(`/api/user/users/${other.id}/password-reset/`, { token })).body.code;
  ids['totp'] = (await api.post('/api/user/totp/', { ...own, body: { current_password: PASSWORD } })).body.secret;
  ids['treatingId'] = treating.id;
  ids['recoveryCode'] = (await enrol(api, treating)).recoveryCodes[0] as string;
  ids['identityId'] = await linkIdentity(api, { userId: owner.id, issuer: 'https://login.example.com', subject: '1' });
  ids['sessionId'] = (await api.get('/api/user/sessions/', own)).body.results[0].id;
  ids['profileId'] = (await create('/api/user/profiles/', { ...own, body: { bio: 'Mine.' } })).id;
  ids['patientId'] = (await create('/patients/', { ...own, body: { phone: '+44 20 1234' } })).id;
  ids['deskPatientId'] = (await create('/patients/', { token, body: deskPatient })).id;
  ids['doctorId'] = treating.doctorId;
  ids['idleDoctorId'] = doctor.doctorId;
  ids['timeId'] = time.id;
  ids['unusedTimeId'] = (await create('/available-time/', { token, body: { time: 'Evening' } })).id;
  ids['designationId'] = (await create('/designations/', { token, body: { name: 'Chief', slug: 'chief' } })).id;
  ids['specialisationId'] = (await create('/specialisations/', { token, body: { name: 'Eyes', slug: 'eyes' } })).id;
  ids['reviewId'] = (await create('/reviews/', { ...own, body: review({ ids }) })).id;
  ids['appointmentId'] = (await create('/appointments/', { ...own, body: booking({ ids }) })).id;
  ids['seriesId'] = (await create('/appointments/series/', { ...own, body: series({ ids }, 60) })).id;
  ids['timeOffId'] = (
    await create('/time-off/', { token, body: { doctor: treating.doctorId, from: '2031-01-01', to: '2031-01-02' } })
  ).id;
  ids['holdToken'] = (await create('/holds/', { ...own, body: { doctor: treating.doctorId, time: time.id } })).token;
  // What was booked is offered to the owner.
  const date = new Date(MORNING.getTime() + 200 * 86_400_000).toISOString().slice(0, 10);
  const freed = { ...booking({ ids }), doctor: doctor.doctorId, date };
  const taken = await create('/appointments/', { token: other.token, body: freed });
  ids['waitingId'] = (await create('/waiting-list/', { ...own, body: { doctor: doctor.doctorId } })).id;
  await api.delete(`/appointments/${taken.id}/`, { token });
  ids['serviceId'] = (await create('/services/', { token, ...(await image()) })).id;
  ids['serviceKeyId'] = (
    await create('/service-keys/', { token, body: { name: 'Laboratory', scopes: ['patients:read'] } })
  ).id;
  ids['contactId'] = (await create('/contacts/', { ...own, body: contact })).id;
  ids['picture'] = new URL(profile).pathname.split('/').at(-1) as string;
  ids['problem'] = 'invalid-input';
  await api.patch(`/api/user/users/${inactive.id}/`, { token, body: { is_active: false } });
  return { users: { owner, other, treating, doctor, staff, inactive }, ids };
}

/** Copies all tables, and gives a function that puts the copies back. */
export async function backUp(api: TestApp): Promise<() => Promise<void>> {
  const { db } = api.database;
  const tables = await db.execute<{ name: string; columns: string }>(`
    select table_name as name, string_agg(quote_ident(column_name), ',') as columns from information_schema.columns
    where table_schema = 'public' and is_generated = 'NEVER' group by 1`);
  await db.execute('create schema backup');
  for (const { name } of tables) await db.execute(`create table backup."${name}" as select * from public."${name}"`);
  const statements = [
    `set local session_replication_role = replica`,
    ...tables.map(({ name }) => `delete from public."${name}"`),
    ...tables.map(
      ({ name, columns }) =>
        `insert into public."${name}" (${columns}) overriding system value select ${columns} from backup."${name}"`,
    ),
  ];
  return () =>
    db.transaction(async (tx) => {
      for (const statement of statements) await tx.execute(statement);
    });
}
