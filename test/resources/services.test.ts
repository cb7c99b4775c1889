import t from 'tap';
import { buildTestApp, type TestApp } from '../helpers/app.js';
import { pictureFile } from '../helpers/pictures.js';

const pathOf = (url: string): string => new URL(url).pathname;

/** The names of all picture files that the database knows. */
async function pictures(api: TestApp): Promise<unknown[]> {
  return [...(await api.database.db.execute('select picture from services where picture is not null order by 1'))];
}

t.test('services', async (t) => {
  const api = await buildTestApp(t);
  const { token } = await api.registerStaff();
  const patient = await api.register();
  const doctor = await api.registerDoctor();
  const good = { name: 'Vaccination', description: 'All vaccinations for travellers.' };
  const create = async (form: object = {}, caller: string | undefined = token) =>
    api.post('/services/', { token: caller, form: { ...good, image: await pictureFile(), ...form } });

  await t.test('listServices 200 where there are none', async (t) => {
    const answer = await api.get('/services/');
    t.equal(answer.status, 200);
    t.strictSame(answer.body, []);
  });

  await t.test('createService 201', async (t) => {
    const answer = await create({ id: 99, picture: 'x' });
    t.equal(answer.status, 201);
    t.match(answer.body.image, /^http:\/\/localhost:8000\/pictures\/p-[\w-]{22}\.png$/);
    t.strictSame(answer.body, { id: 1, image: answer.body.image, ...good });
    const picture = await api.get(pathOf(answer.body.image));
    t.equal(picture.status, 200);
    t.equal(picture.headers['content-type'], 'image/png');
    t.strictSame((await api.get('/services/1/')).body, answer.body);
    t.strictSame((await api.get('/services/1')).body, answer.body, 'also without the slash');
  });

  await t.test('createService 400 names a missing image and every other fault', async (t) => {
    const before = await pictures(api);
    const faults = async (options: object) => {
      const answer = await api.post('/services/', { token, ...options });
      t.equal(answer.status, 400);
      return answer.body.errors;
    };
    t.strictSame(await faults({ body: good }), { image: ['is required'] });
    t.strictSame(await faults({ form: good }), { image: ['is required'] });
    t.strictSame(await faults({ form: { ...good, image: '' } }), { image: ['is required'] });
    t.strictSame(await faults({ form: { ...good, image: new File([], '') } }), { image: ['is required'] });
    t.strictSame(await faults({ form: { ...good, image: new File([], 'a.png') } }), {
      image: ['must not be an empty file'],
    });
    t.strictSame(await faults({ body: { ...good, image: null } }), { image: ['is required'] });
    t.strictSame(await faults({ body: { ...good, image: 'x.png' } }), {
      image: ['must be a file in multipart/form-data, or empty to remove the picture'],
    });
    const required = ['is required'];
    t.strictSame(await faults({ body: {} }), { image: required, name: required, description: required });
    t.strictSame(await faults({ form: { image: await pictureFile(), name: '', description: 'x'.repeat(5001) } }), {
      name: ['must not be empty'],
      description: ['must have at most 5000 characters'],
    });
    t.strictSame(Object.keys(await faults({ form: { image: new File(['text'], 'a.png') } })).sort(), [
      'description',
      'image',
      'name',
    ]);
    t.equal((await create({ name: 'x'.repeat(51) })).status, 400);
    t.equal((await create({ name: 'ä'.repeat(50), description: '🙂'.repeat(5000) })).status, 201);
    t.equal((await pictures(api)).length, before.length + 1);
  });

  await t.test('createService 413 for a large picture, 415 for another body', async (t) => {
    t.equal((await create({ image: new File([Buffer.alloc(5_000_001)], 'a.png') })).status, 413);
    t.equal(
      (await api.post('/services/', { token, body: 'x', headers: { 'content-type': 'text/plain' } })).status,
      415,
    );
  });

  await t.test('createService 401, 403 and leaves no file', async (t) => {
    const before = await api.get('/services/');
    t.equal((await api.post('/services/', { form: { ...good, image: await pictureFile() } })).status, 401);
    for (const other of [patient, doctor]) t.equal((await create({}, other.token)).status, 403);
    t.strictSame((await api.get('/services/')).body, before.body);
    t.strictSame([...(await api.database.db.execute('select name from discarded_pictures'))], []);
  });

  await t.test('listServices 200 in the order of id', async (t) => {
    const third = (await create({ name: 'Third' })).body;
    await api.patch('/services/1/', { token, body: { description: 'Changed last.' } });
    const list = (await api.get('/services/')).body;
    t.strictSame(
      list.map((each: { id: number }) => each.id),
      [1, 2, third.id],
    );
    t.strictSame(list[2], third);
  });

  await t.test('getService 404', async (t) => {
    for (const id of ['999', '0', '-1', 'x', '9007199254740992']) {
      t.equal((await api.get(`/services/${id}/`)).status, 404, id);
    }
  });

  await t.test('updateService 200 changes only what is sent', async (t) => {
    const before = (await api.get('/services/1/')).body;
    t.strictSame((await api.patch('/services/1/', { token, body: {} })).body, before);
    t.strictSame((await api.patch('/services/1/', { token, body: { name: 'New' } })).body, { ...before, name: 'New' });
    t.strictSame((await api.patch('/services/1/', { token, form: { description: 'Text' } })).body, {
      ...before,
      name: 'New',
      description: 'Text',
    });
  });

  await t.test('replaceService, updateService 200 keep, replace and remove the image', async (t) => {
    const { image: first } = (await api.get('/services/1/')).body;
    t.equal((await api.put('/services/1/', { token, body: good })).body.image, first, 'left out in JSON');
    t.equal((await api.put('/services/1/', { token, form: good })).body.image, first, 'left out in a form');
    const second = (await api.put('/services/1/', { token, form: { ...good, image: await pictureFile('b.jpg') } }))
      .body;
    t.not(second.image, first);
    t.equal((await api.get(pathOf(first))).status, 404);
    t.equal((await api.get(pathOf(second.image))).headers['content-type'], 'image/jpeg');
    t.equal((await api.put('/services/1/', { token, form: { ...good, image: '' } })).body.image, null);
    t.equal((await api.get(pathOf(second.image))).status, 404);
    const third = (await api.patch('/services/1/', { token, form: { image: await pictureFile() } })).body.image;
    t.equal((await api.patch('/services/1/', { token, body: { image: null } })).body.image, null);
    t.equal((await api.get(pathOf(third))).status, 404);
    t.equal((await api.get('/services/')).body[0].image, null);
  });

  await t.test('replaceService, updateService 400 and nothing changes', async (t) => {
    const before = (await api.get('/services/1/')).body;
    t.strictSame(Object.keys((await api.put('/services/1/', { token, body: { name: 'x' } })).body.errors), [
      'description',
    ]);
    for (const method of ['PUT', 'PATCH']) {
      for (const fault of [{ name: '' }, { description: 'x'.repeat(5001) }, { image: new File(['x'], 'a.png') }]) {
        const answer = await api.call(method, '/services/1/', { token, form: { ...good, ...fault } });
        t.equal(answer.status, 400);
        t.strictSame(Object.keys(answer.body.errors), Object.keys(fault));
      }
      t.equal((await api.call(method, '/services/1/', { token, body: { ...good, image: 'x.png' } })).status, 400);
    }
    t.strictSame((await api.get('/services/1/')).body, before);
  });

  await t.test('replaceService, updateService, deleteService 401, 403, 404', async (t) => {
    for (const method of ['PUT', 'PATCH', 'DELETE']) {
      const body = method === 'DELETE' ? {} : { body: good };
      t.equal((await api.call(method, '/services/1/', body)).status, 401, method);
      for (const other of [patient, doctor]) {
        t.equal((await api.call(method, '/services/1/', { ...body, token: other.token })).status, 403, method);
      }
      t.equal((await api.call(method, '/services/9999/', { ...body, token })).status, 404, method);
    }
    const form = { ...good, image: await pictureFile() };
    t.equal((await api.put('/services/9999/', { token, form })).status, 404);
    t.strictSame([...(await api.database.db.execute('select name from discarded_pictures'))], [], 'the file is gone');
  });

  await t.test('replaceService, updateService 413, 415', async (t) => {
    for (const method of ['PUT', 'PATCH']) {
      const form = { ...good, image: new File([Buffer.alloc(5_000_001)], 'a.png') };
      t.equal((await api.call(method, '/services/1/', { token, form })).status, 413);
      const headers = { 'content-type': 'text/plain' };
      t.equal((await api.call(method, '/services/1/', { token, body: 'x', headers })).status, 415);
    }
  });

  await t.test('deleteService 204 once, of many at once, and the picture goes', async (t) => {
    const { id, image } = (await create()).body;
    const answers = await Promise.all(Array.from({ length: 6 }, () => api.delete(`/services/${id}/`, { token })));
    t.strictSame(answers.map(({ status }) => status).sort(), [204, ...Array.from({ length: 5 }, () => 404)]);
    t.equal((await api.get(`/services/${id}/`)).status, 404);
    t.equal((await api.patch(`/services/${id}/`, { token, body: {} })).status, 404);
    t.equal((await api.get(pathOf(image))).status, 404);
  });

  await t.test('updateService 200 under many at once leaves one picture', async (t) => {
    const { id } = (await create()).body;
    const image = await pictureFile();
    const answers = await Promise.all(
      Array.from({ length: 4 }, () => api.patch(`/services/${id}/`, { token, form: { image } })),
    );
    const { image: last } = (await api.get(`/services/${id}/`)).body;
    const alive = await Promise.all(answers.map(({ body }) => api.get(pathOf(body.image))));
    t.equal(alive.filter(({ status }) => status === 200).length, 1);
    t.equal((await api.get(pathOf(last))).status, 200);
  });
});
