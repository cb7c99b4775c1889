/** What the pictures of those who may not send one cost, of those who have gone, and of one who sends many. */
import { once } from 'node:events';
import sharp from 'sharp';
import t from 'tap';
import { encode } from '../plugins/pictures/encoder.js';
import { buildTestApp } from './helpers/app.js';
import { ACTORS, buildClinic, TABLE } from './helpers/clinic.js';
import { allOperations } from './helpers/operations.js';
import { pictureFile } from './helpers/pictures.js';

/** Whoever decodes it says that it is none. */
const NO_PICTURE = new File(['no picture'], 'picture.png', { type: 'image/png' });

t.test('a picture is not looked at where the caller is refused', async (t) => {
  const api = await buildTestApp(t);
  const clinic = await buildClinic(api);
  for (const operation of allOperations) {
    const field = Object.entries(operation.schema.body?.properties ?? {}).find(([, { format }]) => format === 'binary');
    if (field === undefined) continue;
    const { operationId } = operation.config;
    const [statuses, request] = TABLE[operationId as keyof typeof TABLE];
    await t.test(`${operationId} ${[...new Set(statuses)].filter((status) => status >= 400).join(', ')}`, async (t) => {
      for (const [index, actor] of ACTORS.entries()) {
        const { path, ...sent } = (await request?.(clinic, actor)) ?? {};
        const token = actor === 'anonymous' ? undefined : clinic.users[actor].token;
        const answer = await api.call(operation.method, operation.url.replace(':id', String(path)), {
          token,
          form: { ...(sent.body as object), ...sent.form, [field[0]]: NO_PICTURE },
        });
        const status = statuses[index] as number;
        t.equal(answer.status, status < 400 ? 400 : status, actor);
        if (status < 400) t.strictSame(answer.body.errors?.[field[0]], ['must be a JPEG, PNG, WebP or GIF picture']);
      }
    });
  }

  const { owner, staff, doctor } = clinic.users;
  const post = (token: string, path: string, fields: object) =>
    api.post(path, { token, form: { ...fields, profile: NO_PICTURE } });
  await t.test('createPatient, createDoctor 403 for another user, 404 where the path has no id', async (t) => {
    for (const path of ['/patients/', '/doctors/'])
      t.equal((await post(owner.token, path, { user: staff.id })).status, 403);
    t.equal((await api.patch('/patients/x/', { token: owner.token, form: { profile: NO_PICTURE } })).status, 404);
  });
  await t.test('createDoctor 409 for a user whom staff name', async (t) => {
    t.equal((await post(staff.token, '/doctors/', { user: doctor.id })).status, 409);
  });
});

t.test('createDoctor 201 again for a repeat of the request that made the doctor', async (t) => {
  const api = await buildTestApp(t);
  const { token } = await api.register();
  const form = { profile: await pictureFile(), fee: 7 };
  const headers = { 'idempotency-key': 'one' };
  const first = await api.post('/doctors/', { token, form, headers });
  t.equal(first.status, 201);
  const second = await api.post('/doctors/', { token, form, headers });
  t.match([second.status, second.text, second.headers['idempotent-replayed']], [201, first.text, 'true']);
  const others = { 'idempotency-key': 'two' };
  t.equal((await api.post('/doctors/', { token, form, headers: others })).status, 409);
});

t.test('updateProfile 503 for one picture too many of a user at once, until others are given up', async (t) => {
  const api = await buildTestApp(t);
  const base = await api.app.listen({ port: 0, host: '127.0.0.1' });
  const [user, other] = [await api.register(), await api.register()];
  const profiles = new Map<string, number>();
  for (const { token } of [user, other])
    profiles.set(token, (await api.get('/api/user/profiles/me/', { token })).body.id);
  const picture = await pictureFile();
  const send = (token: string, signal: AbortSignal | null = null): Promise<Response> => {
    const body = new FormData();
    body.append('profile_picture', picture);
    const headers = { authorization: `Bearer ${token}` };
    return fetch(`${base}/api/user/profiles/${profiles.get(token)}/`, { method: 'PATCH', headers, body, signal });
  };
  // What is decoded meanwhile holds up the line for seconds.
  const large = await sharp({ create: { width: 8000, height: 5000, channels: 3, background: '#2a7' } })
    .png()
    .toBuffer();
  const held = Array.from({ length: 4 }, () => encode(large));
  const leaving = new AbortController();
  const closed: Promise<unknown>[] = [];
  api.app.server.on('request', (_request, response) => closed.push(once(response, 'close')));
  // One has 30 places, and a few may be done before the last one comes.
  const many = Array.from({ length: 36 }, () => send(user.token, leaving.signal));
  const refused = await Promise.any(
    many.map(async (sent) => {
      const answer = await sent;
      return answer.status === 503 ? answer : Promise.reject(new Error(`${answer.status}`));
    }),
  );
  t.equal(refused.headers.get('retry-after'), '5');
  leaving.abort();
  const left = (await Promise.allSettled(many)).filter(({ status }) => status === 'rejected');
  t.ok(left.length >= 20, 'most waited');
  await Promise.all(closed);
  const answers = await Promise.all([send(user.token), send(other.token)]);
  t.strictSame(
    answers.map(({ status }) => status),
    [200, 200],
  );
  await Promise.all(held);
  t.equal((await api.get('/api/user/profiles/me/', { token: user.token })).body.profile_picture !== null, true);
});
