/** What is told of changes of the contract, each made to a copy of it. */
import { readFile } from 'node:fs/promises';
import t from 'tap';
import { parse } from 'yaml';
import { incompatibilities, releaseFaults } from '../../openapi/compatibility.js';

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- a copy of the contract, of which the tests know the shape
type Loose = any;

const asItIs = parse(await readFile(new URL('../../../openapi/openapi.yaml', import.meta.url), 'utf8'));
const contract = (change: (document: Loose) => void = () => undefined): Loose => {
  const document = structuredClone(asItIs);
  change(document);
  return document;
};
const found = (change: (document: Loose) => void): string[] => incompatibilities(contract(), contract(change));

t.test('a contract breaks nothing of itself', (t) => {
  t.strictSame(
    found(() => undefined),
    [],
  );
  t.end();
});

const BREAKING: Readonly<Record<string, [change: (document: Loose) => void, line: string | RegExp]>> = {
  'the type of a field of an answer': [
    ({ components: { schemas } }) => (schemas.Fee = { type: 'string' }),
    'createDoctor body application/json fee: type was "integer" and is "string"',
  ],
  'an answer that may be null now': [
    ({ components: { schemas } }) => (schemas.Doctor.properties.user = { type: ['string', 'null'] }),
    'listDoctors 200 application/json results[] user: type was "string" and is ["string","null"]',
  ],
  'a value that is gone': [
    ({ components: { schemas } }) => schemas.AppointmentStatus.enum.pop(),
    'listAppointments query parameter status: the value "Complated" is gone',
  ],
  'a value of an answer that is new': [
    ({ components: { schemas } }) => schemas.AppointmentStatus.enum.push('Missed'),
    /appointment_status: the value "Missed" is new/,
  ],
  'the name of a value': [
    ({ components: { schemas } }) => (schemas.AppointmentStatus['x-enum-varnames'][1] = 'Begun'),
    'listAppointments query parameter status: the name "Running" of a value is gone',
  ],
  'a field that is needed': [
    ({ components: { schemas } }) => {
      schemas.ReviewInput.properties.title = { type: 'string' };
      schemas.ReviewInput.required.push('title');
    },
    'createReview body application/json: the field title has become required',
  ],
  'a field of an answer that may be missing': [
    ({ components: { schemas } }) => schemas.Doctor.required.shift(),
    'listDoctors 200 application/json results[]: the field id may be missing',
  ],
  'a field of an answer that is gone': [
    ({ components: { schemas } }) => delete schemas.Doctor.properties.fee,
    'listDoctors 200 application/json results[]: the field fee is gone',
  ],
  'a bound that is tighter': [
    ({ components: { schemas } }) => (schemas.Symptoms.maxLength = 5),
    'createAppointment body application/json symptoms: maxLength was 2000 and is 5',
  ],
  'a pattern': [
    ({ components: { schemas } }) => (schemas.Username.pattern = '^[a-z]+$'),
    'registerUser body application/json username: pattern was "^[A-Za-z0-9_.@+-]+$" and is "^[a-z]+$"',
  ],
  'a name of an operation': [
    ({ paths }) => delete paths['/doctors/'].get.operationId,
    'listDoctors: operationId was "listDoctors" and is none',
  ],
  'an operation that is gone': [({ paths }) => delete paths['/doctors/'].get, 'listDoctors: GET /doctors/ is gone'],
  'a parameter that is gone': [
    ({
      paths: {
        '/doctors/': { get },
      },
    }) =>
      get.parameters.splice(
        get.parameters.findIndex(({ name }: { name?: string }) => name === 'ordering'),
        1,
      ),
    'listDoctors: query parameter ordering is gone',
  ],
  'a parameter that is needed': [
    ({ paths }) => paths['/doctors/'].get.parameters.push({ name: 'city', in: 'query', required: true }),
    'listDoctors: query parameter city is new, and required',
  ],
  'a caller who is let in no more': [
    ({ paths }) => (paths['/services/'].get.security = [{ bearerAuth: [] }]),
    'listServices: who may call it was [] and is [["bearerAuth"]]',
  ],
  'a role that is needed': [
    ({ paths }) => (paths['/doctors/'].post.security = [{ bearerAuth: ['staff'] }]),
    'createDoctor: who may call it was [["bearerAuth"]] and is [["bearerAuth","bearerAuth staff"]]',
  ],
  'a status that is gone': [
    ({ paths }) => delete paths['/appointments/'].post.responses['409'],
    'createAppointment: 409 is gone',
  ],
  'a status of success that is new': [
    ({ paths }) => (paths['/appointments/'].post.responses['202'] = { description: 'Later.' }),
    'createAppointment: 202 is new',
  ],
  'a media type that is gone': [
    ({ paths }) => delete paths['/doctors/'].post.requestBody.content['multipart/form-data'],
    'createDoctor body: multipart/form-data is gone',
  ],
  'a header that is gone': [
    ({ paths }) => delete paths['/doctors/'].post.responses['201'].headers.Location,
    'createDoctor 201: header Location is gone',
  ],
  'a kind of problem that is new': [
    ({ components: { schemas } }) => schemas.BookingConflict.oneOf.push({ $ref: '#/components/schemas/Message' }),
    'createAppointment 409 application/problem+json: it can be Message too',
  ],
  'a format of an answer that is new': [
    ({ components: { schemas } }) => (schemas.Doctor.properties.user.format = 'hostname'),
    'listDoctors 200 application/json results[] user: format was none and is "hostname"',
  ],
  'a type of what was sent as it liked': [
    ({ paths }) =>
      (paths['/doctors/'].get.parameters = paths['/doctors/'].get.parameters.map((each: Loose) =>
        each.name === 'search' ? { ...each, schema: { ...each.schema, items: { type: 'integer' } } } : each,
      )),
    'listDoctors query parameter search[]: type was none and is "integer"',
  ],
  'a keyword that this knows nothing of': [
    ({ components: { schemas } }) => (schemas.ReviewInput.dependentRequired = { body: ['rating'] }),
    'createReview body application/json: dependentRequired was none and is {"body":["rating"]}',
  ],
  'a rule of this API that is new': [
    ({ components: { schemas } }) => (schemas.ReviewInput.properties.body['x-not-before'] = 'rating'),
    'createReview body application/json body: x-not-before was none and is "rating"',
  ],
  'a part that a body has to fit too': [
    ({ components: { schemas } }) => (schemas.ReviewInput.allOf = [{ required: ['rating'] }]),
    'createReview body application/json: it has to be branch 1',
  ],
  'a union that a body has to be of': [
    ({ components: { schemas } }) => (schemas.ReviewInput.oneOf = [{ required: ['rating'] }]),
    'createReview body application/json: it has to be branch 1',
  ],
  'fields of any name that have a type now': [
    ({ components: { schemas } }) => (schemas.ReviewInput.additionalProperties = { type: 'string' }),
    'createReview body application/json: other fields were any and are {"type":"string"}',
  ],
  'how many fields there may be': [
    ({ components: { schemas } }) => (schemas.ReviewInput.maxProperties = 2),
    'createReview body application/json: maxProperties was none and is 2',
  ],
  'the name of a schema': [
    ({ components: { schemas } }) => {
      schemas.Physician = schemas.Doctor;
      schemas.DoctorPage.properties.results.items = { $ref: '#/components/schemas/Physician' };
    },
    'listDoctors 200 application/json results[]: its schema was "Doctor" and is "Physician"',
  ],
  'what tells the members of a union apart': [
    ({ components: { schemas } }) => (schemas.BookingConflict.discriminator.propertyName = 'title'),
    /^createAppointment 409 application\/problem\+json: discriminator was .*"type".* and is .*"title"/,
  ],
  'a field of an answer that is only sent now': [
    ({ components: { schemas } }) => (schemas.Doctor.properties.user.writeOnly = true),
    'listDoctors 200 application/json results[] user: writeOnly was none and is true',
  ],
  'how a field of a form is written': [
    ({ paths }) =>
      (paths['/doctors/'].post.requestBody.content['multipart/form-data'].encoding.designation.explode = false),
    /^createDoctor body multipart\/form-data: encoding was .* and is /,
  ],
  'the media type that generators take, since it comes first': [
    ({ paths }) => {
      const body = paths['/doctors/'].post.requestBody;
      body.content = Object.fromEntries(Object.entries(body.content).reverse());
    },
    'createDoctor body: multipart/form-data stands before application/json',
  ],
  'a link that is gone': [
    ({ paths }) => delete paths['/appointments/'].post.responses['201'].links,
    /^createAppointment 201: links was .* and is none/,
  ],
  'a limit that is tighter': [
    ({ paths }) => (paths['/doctors/'].get['x-rate-limit'] = 'auth'),
    'listDoctors: x-rate-limit was none and is "auth"',
  ],
  'tokens that are refused': [
    ({ paths }) => (paths['/doctors/'].get['x-ignored-tokens'] = 'expired'),
    'listDoctors: refuses tokens that it took for none',
  ],
  'the scope by which services have an operation': [
    ({ paths }) => delete paths['/doctors/'].get['x-service-scope'],
    'listDoctors: services have it no longer by "doctors:read"',
  ],
  'the scheme by which callers sign in': [
    ({ components }) =>
      (components.securitySchemes.bearerAuth = { type: 'apiKey', in: 'header', name: 'Authorization' }),
    /^securitySchemes bearerAuth: type was "http" and is "apiKey"/,
  ],
  'where the server is': [
    ({ servers }) => (servers[0].url = 'http://localhost:9000'),
    /^servers: was .*8000.* and is .*9000/,
  ],
  'a type of problem that is gone': [
    (document) => delete document['x-problems']['slot-taken'],
    'x-problems: slot-taken is gone',
  ],
  'the status of a problem': [
    (document) => (document['x-problems']['slot-taken'].status = 400),
    'x-problems slot-taken: status was 409 and is 400',
  ],
};
for (const [title, [change, line]] of Object.entries(BREAKING)) {
  t.test(`${title} breaks clients`, (t) => {
    const lines = found(change);
    const isTold = lines.some((each) => (typeof line === 'string' ? each === line : line.test(each)));
    t.ok(isTold, `${String(line)}\n${lines.join('\n')}`);
    t.end();
  });
}

const KIND: Readonly<Record<string, (document: Loose) => void>> = {
  'an operation': ({ paths }) => (paths['/wards/'] = { get: { operationId: 'listWards', responses: {} } }),
  'a field of an answer': ({ components: { schemas } }) => (schemas.Doctor.properties.room = { type: 'string' }),
  'a field that may be sent': ({ components: { schemas } }) =>
    (schemas.ReviewInput.properties.title = { type: 'string' }),
  'a looser bound of what is sent': ({ components: { schemas } }) =>
    (schemas.ReviewInput.properties.doctor = { type: ['integer', 'string'] }),
  'a parameter that may be left out': ({ paths }) =>
    paths['/doctors/'].get.parameters.push({ name: 'city', in: 'query', schema: { type: 'string' } }),
  'a status of an error': ({ paths }) => (paths['/doctors/'].get.responses['451'] = { description: 'Law.' }),
  'a rule that is left out': ({ components: { schemas } }) =>
    delete schemas.Registration.properties.password['x-password-of'],
  'words about a field, and an example': ({ components: { schemas } }) => {
    schemas.Fee.description = 'Other words.';
    schemas.Fee.examples = [7];
    schemas.Fee.deprecated = true;
  },
  'a part that an answer fits too': ({ components: { schemas } }) => (schemas.Doctor.allOf = [{ required: ['fee'] }]),
  'a type of problem': (document) => (document['x-problems'].gone = { status: 410 }),
  'a server': ({ servers }) => servers.push({ url: 'https://clinic.example' }),
  'a text': ({ info }) => (info.description = 'Other words.'),
};
for (const [title, change] of Object.entries(KIND)) {
  t.test(`${title} that is new breaks nothing`, (t) => {
    t.strictSame(found(change), []);
    t.end();
  });
}

t.test('a release follows semantic versioning', (t) => {
  const at = (version: string, change: (document: Loose) => void = () => undefined) =>
    contract((document: Loose) => {
      document.info.version = version;
      change(document);
    });
  const faults = (version: string, change: (document: Loose) => void, reasons = {}) =>
    releaseFaults({ released: at('1.2.3'), contract: at(version, change), reasons });
  const gone = (document: Loose): void => void delete document.paths['/doctors/'].get;
  const line = 'listDoctors: GET /doctors/ is gone';
  t.strictSame(
    faults('1.2.3', () => undefined),
    [],
  );
  t.match(faults('2.0.0', gone), [`incompatible, without a reason: ${line}`]);
  t.strictSame(faults('2.0.0', gone, { [line]: 'Nobody calls it.' }), []);
  t.match(faults('1.3.0', gone, { [line]: 'Nobody calls it.' }), [/^info\.version has to be 2\.0\.0 at least/]);
  t.match(
    faults('1.2.3', () => undefined, { [line]: 'It was.' }),
    [`a reason for what is not changed: ${line}`],
  );
  const room = (document: Loose) => (document.components.schemas.Doctor.properties.room = { type: 'string' });
  t.match(faults('1.2.4', room), [/^info\.version has to be 1\.3\.0 at least: .*the field room is gone/]);
  t.strictSame(faults('1.3.0', room), []);
  for (const version of ['0.9.0', '1.1.9', '1.2.2', '1.3', 'next']) {
    t.match(
      faults(version, () => undefined),
      [/^info\.version has to be three numbers, 1\.2\.3 at least/],
      version,
    );
  }
  t.end();
});
