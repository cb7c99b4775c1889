/**
 * What a person has written is all in the export, and after the erasure nowhere: each text that operations take is a word
 * that nothing else has, and the whole database and all pictures are looked through for it.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { inflateRawSync } from 'node:zlib';
import { eq } from 'drizzle-orm';
import t, { type Test } from 'tap';
import { totps } from '../../db/tables/index.js';
import { buildTestApp, MORNING, PASSWORD, type Body, type CallOptions, type TestApp } from '../helpers/app.js';
import { buildClinic, linkIdentity } from '../helpers/clinic.js';
import { allOperations, type Operation } from '../helpers/operations.js';
import { pictureFile } from '../helpers/pictures.js';
import { enrol } from '../helpers/totp.js';

const inDays = (days: number): string => new Date(MORNING.getTime() + days * 86_400_000).toISOString().slice(0, 10);

type Schema = { type?: string | string[]; enum?: unknown; format?: string; properties?: Record<string, Schema> };

/** The fields of a body that take any text. */
function textsOf({ schema }: Operation): string[] {
  const walk = ({ type, enum: values, format, properties }: Schema, path: string): string[] => {
    if (properties !== undefined)
      return Object.entries(properties).flatMap(([name, field]) => walk(field, path === '' ? name : `${path}.${name}`));
    const isText = type === undefined || [type].flat().includes('string');
    return isText && values === undefined && !['date', 'date-time', 'binary'].includes(format ?? '') ? [path] : [];
  };
  return schema.body === undefined ? [] : walk(schema.body as Schema, '');
}

/** What is not kept as it is sent: compared, hashed, or read as something else. */
const NOT_KEPT = new Set([
  ...['password', 'confirm_password', 'current_password', 'invitation', 'refresh', 'code', 'otp', 'hold'],
  ...['appointment_status', 'from', 'to', 'logIn.username', 'forgotPassword.email', 'resetPassword.username', 'user'],
  ...['redirect_uri', 'state'],
]);

/** Those that people send about themselves: what staff alone may send is of the clinic. */
const PERSONAL = new Map(
  allOperations
    .filter(({ config }) => config.access !== 'staff')
    .map((operation) => {
      const { operationId } = operation.config;
      const kept = (field: string): boolean => !NOT_KEPT.has(field) && !NOT_KEPT.has(`${operationId}.${field}`);
      return [operationId, textsOf(operation).filter(kept)] as const;
    }),
);

type Person = 'ann' | 'child' | 'desk';

interface Planted {
  readonly word: string;
  readonly person: Person;
  readonly field: string;
  /** Where it stands: a later word there takes its place. */
  readonly place: string;
}

/** Makes words, and bodies of them. */
class Planter {
  readonly planted: Planted[] = [];
  readonly sent = new Set<string>();

  word(person: Person, field: string, place: string): string {
    const number = this.planted.length + 1;
    const isPhone = field === 'phone';
    const word = isPhone ? `79${String(number).padStart(8, '0')}` : `qz${String(number).padStart(3, '0')}w`;
    this.planted.push({ word, person, field, place });
    return word;
  }

  /** A body with a word in each text field of an operation, or in some. */
  body(operationId: string, [person, place]: readonly [Person, string], base: object = {}, only?: string[]): Body {
    const body: Body = { ...base };
    for (const field of PERSONAL.get(operationId) ?? []) {
      if (only !== undefined && !only.includes(field)) continue;
      this.sent.add(`${operationId}.${field}`);
      const word = this.word(person, field, `${place}.${field}`);
      const value =
        field === 'email' ? `${word}@example.com` : field === 'meet_link' ? `https://${word}.example.com/` : word;
      const [name = '', inner] = field.split('.');
      body[name] = inner === undefined ? value : { ...body[name], [inner]: value };
    }
    return body;
  }

  /** The words that a person's data have now. */
  current(person: Person): Planted[] {
    const last = new Map(this.planted.filter((each) => each.person === person).map((each) => [each.place, each]));
    return [...last.values()];
  }
}

/** Where in the database texts stand, as `table.column`: in every table that there is. */
async function find({ database: { db } }: TestApp, words: readonly string[]): Promise<Map<string, Set<string>>> {
  const found = new Map<string, Set<string>>(words.map((word) => [word, new Set()]));
  const tables = await db.execute<{ name: string }>(
    `select c.oid::regclass::text as name from pg_class c
     where c.relkind in ('r', 'p', 'm') and c.relnamespace not in ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
       and c.relnamespace::regnamespace::text not like 'pg_toast%'`,
  );
  for (const { name } of tables) {
    for (const { row } of await db.execute<{ row: Record<string, unknown> }>(
      `select to_jsonb(x) as row from ${name} as x`,
    )) {
      for (const [column, value] of Object.entries(row)) {
        const text = JSON.stringify(value).toLowerCase();
        for (const word of words) if (text.includes(word)) found.get(word)?.add(`${name}.${column}`);
      }
    }
  }
  return found;
}

t.test('a person: what was planted is in the export, and after the erasure nowhere but in the symptoms', async (t) => {
  const api = await buildTestApp(t);
  const planter = new Planter();
  const staff = await api.registerStaff({ username: 'staff' });
  const ok = async (method: string, url: string, options: CallOptions): Promise<Body> => {
    const answer = await api.call(method, url, options);
    if (answer.status >= 300) throw new Error(`${method} ${url} answered ${answer.status}: ${answer.text}`);
    return answer.body;
  };
  const byStaff = { token: staff.token };
  const time = (await ok('POST', '/available-time/', { ...byStaff, body: { time: '10:00 - 10:30' } })).id as number;
  const other = await api.registerDoctor({ available_time: [time] });
  const doctor = other.doctorId;
  const header = (name: string, person: Person, place: string) => ({ [name]: planter.word(person, name, place) });
  const key = (person: Person, place: string) => ({ headers: header('idempotency-key', person, place) });

  // Ann's account, with all that an account can have.
  const password = { password: PASSWORD, confirm_password: PASSWORD };
  const registered = await ok('POST', '/api/user/register/', {
    body: planter.body('registerUser', ['ann', 'user'], password),
    headers: header('user-agent', 'ann', 'session 1'),
  });
  const by = { token: registered.tokens.access as string };
  const profile = await ok('POST', '/api/user/profiles/', {
    ...by,
    form: { ...planter.body('createProfile', ['ann', 'user']), profile_picture: await pictureFile() },
    ...key('ann', 'key of profile'),
  });
  const profilePath = `/api/user/profiles/${profile.id}/`;
  await ok('PUT', profilePath, { ...by, body: planter.body('replaceProfile', ['ann', 'user']) });
  const named = planter.body('updateProfile', ['ann', 'user']);
  await ok('PATCH', profilePath, { ...by, body: named });
  const login = { username: named.username as string, password: PASSWORD };
  await ok('POST', '/api/user/login/', { body: login, headers: header('user-agent', 'ann', 'session 2') });
  await ok('POST', `/api/user/users/${registered.user.id}/password-reset/`, byStaff);

  const record = await ok('POST', '/patients/', {
    ...by,
    form: { ...planter.body('createPatient', ['ann', 'record'], {}, ['phone']), profile: await pictureFile() },
  });
  const path = `/patients/${record.id}/`;
  await ok('PUT', path, { ...by, body: planter.body('replacePatient', ['ann', 'record'], {}, ['phone']) });
  await ok('PATCH', path, { ...by, body: planter.body('updatePatient', ['ann', 'record'], {}, ['phone']) });

  const own = await ok('POST', '/doctors/', { ...by, body: planter.body('createDoctor', ['ann', 'doctor']) });
  const doctorPath = `/doctors/${own.id}/`;
  await ok('PUT', doctorPath, { ...by, body: planter.body('replaceDoctor', ['ann', 'doctor']) });
  const form = { ...planter.body('updateDoctor', ['ann', 'doctor']), profile: await pictureFile() };
  await ok('PATCH', doctorPath, { ...by, form });
  const leave = { doctor: own.id, from: inDays(200), to: inDays(201) };
  await ok('POST', '/time-off/', { ...by, body: planter.body('createTimeOff', ['ann', 'leave'], leave) });

  const rated = { doctor, rating: 2 };
  const review = await ok('POST', '/reviews/', { ...by, body: planter.body('createReview', ['ann', 'review'], rated) });
  await ok('PUT', `/reviews/${review.id}/`, { ...by, body: planter.body('replaceReview', ['ann', 'review'], rated) });
  await ok('PATCH', `/reviews/${review.id}/`, { ...by, body: planter.body('updateReview', ['ann', 'review']) });
  const contact = await ok('POST', '/contacts/', { ...by, body: planter.body('createContact', ['ann', 'contact']) });
  const contactPath = `/contacts/${contact.id}/`;
  await ok('PUT', contactPath, { ...by, body: planter.body('replaceContact', ['ann', 'contact']) });
  await ok('PATCH', contactPath, { ...by, body: planter.body('updateContact', ['ann', 'contact']) });

  const booking = (days: number) => ({ doctor, time, appointment_type: 'Offline', date: inDays(days) });
  const cancelled = { cancel: true };
  const first = await ok('POST', '/appointments/', {
    ...by,
    ...key('ann', 'key of appointment'),
    body: planter.body('createAppointment', ['ann', 'first'], { ...booking(2), ...cancelled }),
  });
  const firstPath = `/appointments/${first.id}/`;
  const replaced = planter.body('replaceAppointment', ['ann', 'first'], { ...booking(3), ...cancelled });
  await ok('PUT', firstPath, { ...by, body: replaced });
  await ok('PATCH', firstPath, { ...by, body: planter.body('updateAppointment', ['ann', 'first'], cancelled) });
  await ok('POST', '/appointments/', {
    ...by,
    body: planter.body('createAppointment', ['ann', 'second'], booking(4), ['symptoms']),
  });
  const series = await ok('POST', '/appointments/series/', {
    ...by,
    body: planter.body('createAppointmentSeries', ['ann', 'series'], { ...booking(60), count: 2 }),
  });
  await ok('PATCH', `/appointments/series/${series.id}/`, {
    ...by,
    body: planter.body('updateAppointmentSeries', ['ann', 'series'], cancelled),
  });
  await ok('POST', '/holds/', { ...by, body: { doctor, time, date: inDays(90) } });
  await ok('POST', '/waiting-list/', { ...by, body: { doctor } });

  // Those without an account: a child, and whom the desk has taken down.
  const birth = { date_of_birth: '2017-05-09' };
  const child = await ok('POST', '/patients/dependants/', {
    ...by,
    body: planter.body('createDependant', ['child', 'record'], birth),
    ...key('child', 'key'),
  });
  const childPath = `/patients/${child.id}/`;
  await ok('PUT', childPath, { ...by, body: planter.body('replacePatient', ['child', 'record'], birth) });
  await ok('PATCH', childPath, { ...by, body: planter.body('updatePatient', ['child', 'record']) });
  await ok('POST', '/appointments/', {
    ...by,
    body: planter.body('createAppointment', ['child', 'appointment'], { ...booking(5), patient: child.id }, [
      'symptoms',
    ]),
  });
  const desk = await ok('POST', '/patients/', {
    ...byStaff,
    headers: { 'idempotency-key': 'k1' },
    form: { ...planter.body('createPatient', ['desk', 'record']), profile: await pictureFile() },
  });
  await ok('POST', '/appointments/', {
    ...byStaff,
    headers: { 'idempotency-key': 'k2' },
    body: planter.body('createAppointment', ['desk', 'appointment'], { ...booking(6), patient: desk.id }, ['symptoms']),
  });
  await ok('POST', '/time-off/', {
    ...byStaff,
    headers: { 'idempotency-key': 'k3' },
    body: { doctor, from: inDays(6), to: inDays(6), reason: 'Away', displace: 'cancel' },
  });
  await ok('PATCH', `/patients/${desk.id}/`, { ...byStaff, body: planter.body('updatePatient', ['desk', 'record']) });
  await ok('POST', `/patients/${desk.id}/invitation/`, byStaff);
  await enrol(api, { token: registered.tokens.access });
  const subject = planter.word('ann', 'subject', 'identity');
  await linkIdentity(api, { userId: registered.user.id, issuer: 'https://login.example.com', subject });
  const secondFactors = (): Promise<number> => api.database.db.$count(totps, eq(totps.userId, registered.user.id));
  t.equal(await secondFactors(), 1);

  const expected = [...PERSONAL].flatMap(([operationId, fields]) => fields.map((field) => `${operationId}.${field}`));
  t.strictSame([...planter.sent].sort(), expected.sort(), 'every text that people can send was sent');
  await api.app.audit.flush();

  const pictures = (): string[] => readdirSync(join(t.testdirName, 'pictures'));
  t.equal(pictures().length, 4);
  // The child's key is in what the parent stored, and the parent's to have.
  const ids = { child: child.id as number, desk: desk.id as number, ann: record.id as number };
  const before = await find(
    api,
    planter.planted.map(({ word }) => word),
  );
  for (const person of ['child', 'desk', 'ann'] as const) {
    const { status, text, body } = await api.get(`/patients/${ids[person]}/export/`, byStaff);
    t.equal(status, 200);
    t.equal(body.second_factors.length, person === 'ann' ? 1 : 0);
    const isTheirs = ({ field }: Planted): boolean => person === 'ann' || field !== 'idempotency-key';
    for (const { word, place } of planter.current(person).filter(isTheirs)) {
      t.ok((before.get(word)?.size ?? 0) > 0, `${person} ${place} is stored`);
      t.ok(text.includes(word), `${person} ${place} is in the export`);
    }
    const erased = await api.post(`/patients/${ids[person]}/erase/`, { ...byStaff, body: { reason: 'Letter 17' } });
    t.equal(erased.status, 200);
    await api.app.audit.flush();
    const theirs = planter.planted.filter((each) => each.person === person && isTheirs(each));
    const after = await find(
      api,
      theirs.map(({ word }) => word),
    );
    for (const { word, field, place } of theirs) {
      const where = [...(after.get(word) ?? [])].filter(
        (column) =>
          field !== 'symptoms' ||
          !['appointments.symptoms', 'appointment_changes.before', 'appointment_changes.after'].includes(column),
      );
      t.strictSame(where, [], `${person} ${place} is gone`);
    }
    const facts = theirs.filter(
      ({ field, word }) => field === 'symptoms' && after.get(word)?.has('appointments.symptoms'),
    );
    t.ok(facts.length > 0, 'clinical facts are kept');
    for (const name of pictures()) {
      const bytes = readFileSync(join(t.testdirName, 'pictures', name), 'latin1');
      t.notOk(theirs.some(({ word }) => bytes.includes(word)));
    }
  }
  t.strictSame(pictures(), []);
  t.equal(await secondFactors(), 0);
});

/** The files of a ZIP, by its central directory. */
function unzip(bytes: Buffer): Map<string, Buffer> {
  const files = new Map<string, Buffer>();
  const end = bytes.lastIndexOf('PK\x05\x06', undefined, 'latin1');
  let at = bytes.readUInt32LE(end + 16);
  for (let left = bytes.readUInt16LE(end + 10); left > 0; left--) {
    const [method, size, nameLength] = [
      bytes.readUInt16LE(at + 10),
      bytes.readUInt32LE(at + 20),
      bytes.readUInt16LE(at + 28),
    ];
    const local = bytes.readUInt32LE(at + 42);
    const from = local + 30 + bytes.readUInt16LE(local + 26) + bytes.readUInt16LE(local + 28);
    const content = bytes.subarray(from, from + size);
    files.set(bytes.toString('utf8', at + 46, at + 46 + nameLength), method === 8 ? inflateRawSync(content) : content);
    at += 46 + nameLength + bytes.readUInt16LE(at + 30) + bytes.readUInt16LE(at + 32);
  }
  return files;
}

async function openExport(t: Test) {
  const api = await buildTestApp(t);
  const clinic = await buildClinic(api);
  const path = `/patients/${clinic.ids['patientId']}/export/`;
  return { api, ...clinic, path };
}

t.test('exportPatient 200 as a file of JSON, and as a ZIP with the pictures', async (t) => {
  const { api, users, ids, path } = await openExport(t);
  const { token } = users.owner;
  await api.patch(`/patients/${ids['patientId']}/`, { token, form: { profile: await pictureFile() } });
  const json = await api.get(path, { token });
  t.equal(json.status, 200);
  t.match(json.headers, {
    'content-type': /^application\/json/,
    'content-disposition': `attachment; filename="patient-${ids['patientId']}.json"`,
    'cache-control': 'no-store',
  });
  const { pictures } = json.body;
  t.equal(pictures.length, 1);
  const zip = await api.get(`${path}?as=zip`, { token });
  t.match(zip.headers, {
    'content-type': 'application/zip',
    'content-disposition': `attachment; filename="patient-${ids['patientId']}.zip"`,
    'cache-control': 'no-store',
  });
  const files = unzip(zip.bytes);
  t.strictSame([...files.keys()], ['export.json', `pictures/${pictures[0]}`]);
  t.match(JSON.parse(String(files.get('export.json'))), { records: [{ id: ids['patientId'] }], pictures });
  t.strictSame(
    files.get(`pictures/${pictures[0]}`),
    readFileSync(join(t.testdirName, 'pictures', String(pictures[0]))),
  );
  t.equal((await api.get(`${path}?as=tar`, { token })).status, 400);
});

t.test('exportPatient 200 also of what was deleted; 404 of who was erased', async (t) => {
  const { api, users, ids, path } = await openExport(t);
  const { token } = users.owner;
  await api.delete(`/appointments/${ids['appointmentId']}/`, { token });
  await api.delete(`/patients/${ids['patientId']}/`, { token });
  const again = await api.post('/patients/', { token, body: { phone: '+44 20 5678' } });
  for (const by of [users.owner, users.staff]) {
    const { body } = await api.get(path, { token: by.token });
    t.match(body.records, [
      { id: ids['patientId'], archived_at: String },
      { id: again.body.id, archived_at: null },
    ]);
    const { archived_at } = body.appointments.find((each: Body) => each.appointment.id === ids['appointmentId']);
    t.type(archived_at, 'string');
  }
  t.equal((await api.get(path, { token: users.treating.token })).status, 404, 'a doctor does not see it any more');
  await api.post(`/patients/${ids['patientId']}/erase/`, { token: users.staff.token, body: { reason: 'x' } });
  t.equal((await api.get(path, { token: users.staff.token })).status, 404);
});

t.test('exportPatient 200 for who manages the record, of which the account is no part', async (t) => {
  const { api, users } = await openExport(t);
  const { token } = users.other;
  const body = { first_name: 'Nils', last_name: 'Byron', date_of_birth: '2017-05-09' };
  const child = await api.post('/patients/dependants/', { token, body });
  const answer = await api.get(`/patients/${child.body.id}/export/`, { token });
  t.match(answer.body, { users: [], sessions: [], activity: [], records: [{ name: 'Nils Byron' }] });
  t.equal((await api.get(`/patients/${child.body.id}/export/`, { token: users.owner.token })).status, 404);
  const own = await api.get('/patients/me/', { token });
  t.match((await api.get(`/patients/${own.body.id}/export/`, { token })).body, { manages: [child.body.id] });
});

t.test('exportPatient tells who looked, and is itself in the audit', async (t) => {
  const { api, users, ids, path } = await openExport(t);
  await api.get(path, { token: users.staff.token });
  await api.app.audit.flush();
  const { body } = await api.get(path, { token: users.owner.token });
  t.match(
    body.accesses.find((each: Body) => each.action === 'export'),
    { resource: 'patients', records: [ids['patientId']], actor: 'staff', actor_name: users.staff.username },
  );
  t.ok(body.activity.every((each: Body) => each.records === undefined));
});
