/** ETag, If-None-Match, If-Match and Idempotency-Key on every operation that has them. */
import t from 'tap';
import type { operations } from '../openapi/generated/operations.js';
import { buildTestApp, MORNING, PASSWORD, type CallOptions, type TestAnswer } from './helpers/app.js';
import { ACTORS, backUp, buildClinic, TABLE, type Request } from './helpers/clinic.js';
import { allOperations, type Operation } from './helpers/operations.js';
import { pictureFile } from './helpers/pictures.js';

const takesIfMatch = ({ schema }: Operation): boolean => schema.headers?.properties['if-match'] !== undefined;

t.test('conditions and keys', async (t) => {
  const api = await buildTestApp(t);
  const clinic = await buildClinic(api);
  const restoreTables = await backUp(api);
  const restore = async (): Promise<void> => {
    await restoreTables();
    for (const user of Object.values(clinic.users)) api.app.tokens.forgetUser(user.id);
  };

  /** The row's request, of a caller who may make it. */
  const requestOf = async ({ config }: Operation): Promise<Request> => {
    const [statuses, prepare] = TABLE[config.operationId as keyof typeof operations];
    const actor = ACTORS.find((name, index) => name !== 'anonymous' && statuses[index] === config.success);
    if (actor === undefined || actor === 'anonymous') throw new Error(`nobody may ${config.operationId}`);
    return { ...(await prepare?.(clinic, actor)), token: clinic.users[actor].token };
  };
  const send = (
    { method, url }: Pick<Operation, 'method' | 'url'>,
    { path = '', ...options }: Request,
    headers: CallOptions['headers'],
  ): Promise<TestAnswer> => api.call(method, url.replace(/:\w+/, path), { ...options, headers: headers ?? {} });

  for (const operation of allOperations.filter(({ method, config }) => method === 'GET' && config.hasEntityTag)) {
    await t.test(`${operation.config.operationId} 200 with an ETag, 304 for who has it`, async (t) => {
      const request = await requestOf(operation);
      const { status, headers } = await send(operation, request, {});
      t.equal(status, 200);
      const { etag } = headers as { etag: string };
      t.match(etag, /^(W\/)?"[^"]+"$/);
      const origin = { origin: 'https://clinic.example' };
      const full = await send(operation, request, origin);
      for (const method of ['GET', 'HEAD']) {
        const ask = (condition: string) =>
          send({ ...operation, method }, request, { ...origin, 'if-none-match': condition });
        for (const condition of [etag, '*', `"x", ${etag}`, `W/${etag}`, etag.replace(/"$/, '-gzip"')]) {
          const answer = await ask(condition);
          t.equal(answer.status, 304, `${method} ${condition}`);
          t.equal(answer.bytes.length, 0);
          for (const name of [
            'etag',
            'vary',
            'cache-control',
            'access-control-allow-origin',
            'content-security-policy',
          ]) {
            t.equal(answer.headers[name], full.headers[name], name);
          }
        }
        t.equal((await ask('"x"')).status, 200);
      }
    });
  }

  for (const operation of allOperations.filter(takesIfMatch)) {
    const { operationId, success } = operation.config;
    await t.test(`${operationId} ${success} for the present ETag, 412 for another one`, async (t) => {
      const request = await requestOf(operation);
      const read = () => send({ method: 'GET', url: operation.url }, { ...request, body: undefined }, {});
      const before = await read();
      const { etag } = before.headers as { etag: string };
      for (const headers of [
        { 'if-match': '"x"' },
        { 'if-match': 'rubbish' },
        { 'if-match': etag.replace(/"$/, '0"') },
        { 'if-none-match': '*' },
        { 'if-none-match': etag },
        { 'if-none-match': `"x", W/${etag}` },
        { 'if-match': etag, 'if-none-match': '*' },
      ]) {
        t.equal((await send(operation, request, headers)).status, 412, JSON.stringify(headers));
      }
      t.equal((await read()).text, before.text, 'nothing has changed');
      for (const headers of [
        { 'if-match': etag },
        { 'if-match': `"x", ${etag}` },
        { 'if-match': '*' },
        { 'if-match': `W/${etag}` },
        { 'if-match': etag.replace(/"$/, '-gzip"') },
        { 'if-none-match': '"x"' },
        { 'if-match': etag, 'if-none-match': '"x"' },
      ]) {
        t.equal((await send(operation, request, headers)).status, success, JSON.stringify(headers));
        await restore();
      }
      const absent = await send(operation, { ...request, path: '999999' }, { 'if-none-match': '*', 'if-match': '*' });
      t.equal(absent.status, 404, 'what is absent');
    });
  }

  for (const operation of allOperations.filter(({ config }) => config.takesIdempotencyKey)) {
    const { operationId } = operation.config;
    await t.test(`${operationId} 201 once for a key, 422 with another body`, async (t) => {
      const { form, body, ...request } = await requestOf(operation);
      const content = (form ?? body) as Record<string, unknown>;
      const valueOf = (type: string) => Object.entries(content).findLast(([, value]) => typeof value === type);
      const [name, value] = valueOf('string') ?? valueOf('number') ?? ['fee', 8];
      const other = { ...content, [name]: typeof value === 'number' ? value - 1 : `${String(value)}2` };
      const headers = { 'idempotency-key': operationId };
      const create = (values: object) =>
        send(
          operation,
          { ...request, ...(form === undefined ? { body: values } : { form: values as never }) },
          headers,
        );
      const answers = await Promise.all([create(content), create(content), create(content)]);
      const replay = await create(content);
      for (const answer of [...answers, replay]) {
        t.equal(answer.status, 201);
        t.equal(answer.text, replay.text);
        t.equal(answer.headers['etag'], replay.headers['etag']);
      }
      t.equal(answers.filter(({ headers }) => headers['idempotent-replayed'] === undefined).length, 1);
      t.equal(replay.headers['idempotent-replayed'], 'true');
      t.equal((await create(other)).status, 422);
      await restore();
    });

    await t.test(`${operationId} with more keys at once than there are connections`, async (t) => {
      const request = await requestOf(operation);
      const answers = await Promise.all(
        Array.from({ length: 30 }, (_, key) =>
          send(operation, request, { 'idempotency-key': `${operationId} ${key}` }),
        ),
      );
      t.ok(answers.some(({ status }) => status === 201));
      t.strictSame(
        answers.filter(({ status }) => status >= 500).map(({ status }) => status),
        [],
      );
      await restore();
    });
  }
});

t.test('what shows in an answer is in its tag, and nothing else is', async (t) => {
  const clock = { now: MORNING };
  const api = await buildTestApp(t, {}, { now: () => clock.now });
  const { users, ids } = await buildClinic(api);
  const { owner, treating, staff } = users;
  const asOwner = { token: owner.token };
  const paths = {
    ...{ doctor: `/doctors/${ids['doctorId']}/`, doctors: '/doctors/' },
    ...{ patient: `/patients/${ids['patientId']}/`, patients: '/patients/' },
    ...{ profile: `/api/user/profiles/${ids['profileId']}/`, profiles: '/api/user/profiles/' },
    ...{ review: `/reviews/${ids['reviewId']}/`, reviews: '/reviews/' },
    ...{ service: `/services/${ids['serviceId']}/`, services: '/services/' },
    ...{ appointment: `/appointments/${ids['appointmentId']}/`, appointments: '/appointments/' },
  };
  const change = async (path: string, options: CallOptions) => t.equal((await api.patch(path, options)).status, 200);
  const { id: treatingProfile } = (await api.get('/api/user/profiles/me/', { token: treating.token })).body;
  const ofTreating = { path: `/api/user/profiles/${treatingProfile}/`, token: treating.token };
  await change(paths.patient, { ...asOwner, form: { profile: await pictureFile() } });
  await change(paths.profile, { ...asOwner, form: { profile_picture: await pictureFile() } });
  await change(paths.doctor, {
    token: treating.token,
    body: { designation: [ids['designationId']], specialisation: [ids['specialisationId']] },
  });

  const mine = (token: string) => api.get('/api/user/profiles/me/', { token });
  const [first, second] = [await mine((await api.register()).token), await mine((await api.register()).token)];
  t.not(first.headers['etag'], second.headers['etag'], 'one URL, two records');

  const read = async (headers: Record<string, string> = {}) => {
    const tags: Record<string, string> = {};
    for (const [name, path] of Object.entries(paths)) {
      tags[name] = (await api.get(path, { token: staff.token, headers })).headers['etag'] as string;
    }
    return tags;
  };
  let before = await read();
  // A list of public pictures is of its host, whose name is in it; only records are named by others, in If-Match.
  const { doctors, services } = await read({ host: 'clinic.example' });
  t.strictSame(
    await read({ host: 'clinic.example' }),
    { ...before, doctors, services },
    'the host is in the URLs, but not in the tags of records',
  );
  clock.now = new Date(clock.now.getTime() + 20 * 60_000);
  t.strictSame(await read(), before, 'the signatures of pictures change, but the tags do not');

  for (const [what, make, touched] of [
    [
      "a doctor's name",
      () => change(ofTreating.path, { token: treating.token, body: { first_name: 'Grace' } }),
      ['doctor', 'doctors', 'patients', 'profiles', 'review', 'reviews', 'appointment', 'appointments'],
    ],
    [
      "a patient's user name",
      () => change(paths.profile, { ...asOwner, body: { username: 'renamed' } }),
      ['patient', 'patients', 'profile', 'profiles', 'review', 'reviews', 'appointment', 'appointments'],
    ],
    [
      "a designation's name",
      () => change(`/designations/${ids['designationId']}/`, { token: staff.token, body: { name: 'Head' } }),
      ['doctor', 'doctors'],
    ],
    [
      "a specialisation's name",
      () => change(`/specialisations/${ids['specialisationId']}/`, { token: staff.token, body: { name: 'Eye' } }),
      ['doctor', 'doctors'],
    ],
    [
      "a slot's label",
      () => change(`/available-time/${ids['timeId']}/`, { token: staff.token, body: { time: '10:00-10:30' } }),
      ['appointment', 'appointments'],
    ],
    ['a fee', () => change(paths.doctor, { token: treating.token, body: { fee: 3 } }), ['doctor', 'doctors']],
    ['a picture', () => change(paths.patient, { ...asOwner, form: { profile: '' } }), ['patient', 'patients']],
    [
      'a cancellation',
      () => change(paths.appointment, { ...asOwner, body: { cancel: true } }),
      ['appointment', 'appointments'],
    ],
    [
      'a password, which shows nowhere',
      async () => {
        const body = { current_password: PASSWORD, password: 'walnut-Bicycle-7', confirm_password: 'walnut-Bicycle-7' };
        t.equal((await api.post('/api/user/password/', { ...asOwner, body })).status, 200);
      },
      [],
    ],
  ] as [string, () => Promise<unknown>, string[]][]) {
    await make();
    const after = await read();
    t.strictSame(
      Object.keys(after).filter((name) => after[name] !== before[name]),
      touched,
      what,
    );
    before = after;
  }
});
