import t from 'tap';
import { buildTestApp } from '../helpers/app.js';

t.test('contacts', async (t) => {
  const api = await buildTestApp(t);
  const staff = await api.registerStaff();
  const sender = await api.register();
  const other = await api.register();
  const good = { name: 'Ada Lovelace', phone: '+44 20 7946 0958', massage: 'When are you open?' };
  const send = (token?: string, fields: object = {}) => api.post('/contacts/', { token, body: { ...good, ...fields } });
  const ids = async (token: string): Promise<number[]> =>
    (await api.get('/contacts/', { token })).body.map(({ id }: { id: number }) => id);

  await t.test('listContacts 200 where there are none', async (t) => {
    t.strictSame((await api.get('/contacts/', { token: staff.token })).body, []);
    t.strictSame((await api.get('/contacts/', { token: sender.token })).body, []);
  });

  await t.test('createContact 201 by anyone, and with a token as its user', async (t) => {
    const anonymous = await send(undefined, { user_id: sender.id, id: 99 });
    t.equal(anonymous.status, 201);
    t.strictSame(anonymous.body, { id: 1, ...good });
    t.strictSame((await send(sender.token)).body, { id: 2, ...good });
    t.strictSame((await send(other.token)).body, { id: 3, ...good });
    const rows = await api.database.db.execute('select user_id::int as user, message from contacts order by id');
    t.strictSame(
      [...rows],
      [null, sender.id, other.id].map((user) => ({ user, message: good.massage })),
    );
  });

  await t.test('createContact 401 for a token that is not valid', async (t) => {
    t.equal((await send('x')).status, 401);
    t.equal((await send(sender.refresh)).status, 401);
    t.equal((await ids(staff.token)).length, 3);
  });

  await t.test('createContact 400 names every fault, 415', async (t) => {
    const answer = await api.post('/contacts/', { body: {} });
    t.equal(answer.status, 400);
    t.strictSame(Object.keys(answer.body.errors).sort(), ['massage', 'name', 'phone']);
    for (const fault of [
      { name: '' },
      { name: 'x'.repeat(51) },
      { phone: '12' },
      { phone: '1'.repeat(21) },
      { phone: 'call me' },
      { phone: '()-' },
      { phone: null },
      { massage: '' },
      { massage: 'x'.repeat(5001) },
    ]) {
      const refused = await send(undefined, fault);
      t.equal(refused.status, 400);
      t.strictSame(Object.keys(refused.body.errors), Object.keys(fault));
    }
    t.equal((await api.post('/contacts/', { body: { ...good, massage: undefined, message: 'x' } })).status, 400);
    t.equal((await api.post('/contacts/', { form: good })).status, 415);
    t.equal((await ids(staff.token)).length, 3);
  });

  await t.test('listContacts 200 gives the own, and staff all, in the order of id', async (t) => {
    t.strictSame(await ids(sender.token), [2]);
    t.strictSame(await ids(other.token), [3]);
    t.strictSame(await ids(staff.token), [1, 2, 3]);
    t.strictSame((await api.get('/contacts/', { token: sender.token })).body, [{ id: 2, ...good }]);
  });

  await t.test('listContacts 401', async (t) => {
    t.equal((await api.get('/contacts/')).status, 401);
    t.equal((await api.get('/contacts/', { token: 'x' })).status, 401);
  });

  await t.test('getContact 200 for the sender and staff', async (t) => {
    t.strictSame((await api.get('/contacts/2/', { token: sender.token })).body, { id: 2, ...good });
    t.strictSame((await api.get('/contacts/2', { token: staff.token })).body, { id: 2, ...good });
    t.equal((await api.get('/contacts/1/', { token: staff.token })).status, 200);
  });

  await t.test('updateContact 200 changes only what is sent', async (t) => {
    const { token } = sender;
    t.strictSame((await api.patch('/contacts/2/', { token, body: { massage: 'Hm.' } })).body, {
      ...{ id: 2, ...good },
      massage: 'Hm.',
    });
    t.equal((await api.patch('/contacts/2/', { token, body: { phone: '12345' } })).body.phone, '12345');
    const named = (await api.patch('/contacts/2/', { token: staff.token, body: { name: 'Ada' } })).body;
    t.strictSame(named, { id: 2, name: 'Ada', phone: '12345', massage: 'Hm.' });
    t.strictSame((await api.patch('/contacts/2/', { token, body: { user_id: other.id } })).body, named);
    t.strictSame((await api.get('/contacts/2/', { token })).body, named);
  });

  await t.test('replaceContact 200', async (t) => {
    const body = { name: 'New', phone: '555', massage: 'Text' };
    t.strictSame((await api.put('/contacts/2/', { token: sender.token, body })).body, { id: 2, ...body });
    t.strictSame((await api.put('/contacts/2/', { token: staff.token, body: good })).body, { id: 2, ...good });
    t.strictSame((await api.put('/contacts/1/', { token: staff.token, body })).body, { id: 1, ...body });
    t.strictSame(await ids(sender.token), [2], 'it stays the sender’s');
  });

  await t.test('replaceContact, updateContact 400 and nothing changes', async (t) => {
    const { token } = sender;
    t.strictSame(Object.keys((await api.put('/contacts/2/', { token, body: { name: 'x' } })).body.errors).sort(), [
      'massage',
      'phone',
    ]);
    for (const method of ['PUT', 'PATCH']) {
      t.equal((await api.call(method, '/contacts/2/', { token, body: { ...good, phone: 'x' } })).status, 400);
    }
    t.strictSame((await api.get('/contacts/2/', { token })).body, { id: 2, ...good });
  });

  await t.test('getContact, replaceContact, updateContact, deleteContact 401, 404, 415', async (t) => {
    for (const method of ['GET', 'PUT', 'PATCH', 'DELETE']) {
      const body = ['PUT', 'PATCH'].includes(method) ? { body: { ...good, name: 'Taken over' } } : {};
      t.equal((await api.call(method, '/contacts/2/', body)).status, 401, method);
      for (const id of [2, 1]) {
        const answer = await api.call(method, `/contacts/${id}/`, { ...body, token: other.token });
        t.equal(answer.status, 404, `${method} ${id}: another's, and nobody's`);
      }
      t.equal((await api.call(method, '/contacts/9999/', { ...body, token: staff.token })).status, 404, method);
      t.equal((await api.call(method, '/contacts/x/', { ...body, token: staff.token })).status, 404, method);
      if (method.startsWith('P')) {
        t.equal((await api.call(method, '/contacts/2/', { token: sender.token, form: good })).status, 415, method);
      }
    }
    t.notMatch((await api.get('/contacts/', { token: staff.token })).text, /Taken over/);
    t.strictSame(await ids(staff.token), [1, 2, 3]);
  });

  await t.test('deleteContact 204 for the sender and staff, once of many at once', async (t) => {
    t.equal((await api.delete('/contacts/2/', { token: sender.token })).status, 204);
    t.equal((await api.get('/contacts/2/', { token: sender.token })).status, 404);
    t.equal((await api.patch('/contacts/2/', { token: staff.token, body: {} })).status, 404);
    const answers = await Promise.all(
      Array.from({ length: 6 }, () => api.delete('/contacts/1/', { token: staff.token })),
    );
    t.strictSame(answers.map(({ status }) => status).sort(), [204, ...Array.from({ length: 5 }, () => 404)]);
    t.strictSame(await ids(staff.token), [3]);
  });

  await t.test('listContacts 200 gives staff the newest 1,000', async (t) => {
    await api.database.db.execute(
      `insert into contacts (name, phone, message) select 'n', '123', 'm' from generate_series(1, 1001)`,
    );
    const all = await ids(staff.token);
    t.equal(all.length, 1000);
    t.strictSame(
      all,
      [...all].sort((a, b) => a - b),
    );
    const [row] = await api.database.db.execute<{ last: number }>('select max(id)::int as last from contacts');
    t.equal(all.at(-1), row?.last);
  });

  await t.test('createContact 429', async (t) => {
    const strict = await buildTestApp(t, { RATE_LIMIT_AUTH: '2' });
    for (const status of [201, 201, 429]) t.equal((await strict.post('/contacts/', { body: good })).status, status);
  });
});
