/** How the text of requests is read, in every operation. */
import { sql } from 'drizzle-orm';
import t, { type Test } from 'tap';
import argon2 from 'argon2';
import { buildTestApp, PASSWORD, type TestAnswer } from './helpers/app.js';
import { allOperations, exampleOf, pathOf, type Operation } from './helpers/operations.js';
import { ensureStaff } from '../src/resources/users/staff.js';

const textFieldsOf = (schema: Operation['schema']['body'], withEnums = false) =>
  Object.entries(schema?.properties ?? {}).filter(
    ([, { type, format, enum: values }]) =>
      [type].flat().includes('string') &&
      !['binary', 'date'].includes(String(format)) &&
      (withEnums || values === undefined),
  );
const withBody = allOperations.filter(({ config }) => config.consumes.includes('application/json'));
const withForm = allOperations.filter(({ config }) => config.consumes.includes('multipart/form-data'));
const withQuery = allOperations.filter(({ schema }) => textFieldsOf(schema.querystring).length > 0);

/** Bytes that are no UTF-8: ISO 8859-1, a lone continuation, an overlong slash, a surrogate, what is past the end, half a letter. */
const NO_UTF8 = ['caf\xe9', '\x80', '\xc0\xaf', '\xed\xa0\x80', '\xf5\x80\x80\x80', '\xe2\x82'].map((text) =>
  Buffer.from(text, 'latin1'),
);

/** Good values of fields, with something that can not be seen or that a keyboard of another language writes. */
const UNSEEN: Readonly<Record<string, readonly string[]>> = {
  phone: ['\u202a+44 20 7946 0958\u202c', '+44\u00a020\u202f7946 0958', '020‑7946–0958', '０２０－７９４６'],
  rating: ['⭐\ufe0f⭐\ufe0f', '⭐\u200b'],
  username: ['ada.l\u200e', '\u00a0ada.l '],
  email: ['ada.l\u2060@example.com', ' ada.l@example.com\ufeff'],
};

t.test('text that is none', async (t) => {
  const api = await buildTestApp(t);
  const { token } = await api.registerStaff();
  const isRefused = (t: Test, answer: TestAnswer, field: string, what: string) =>
    t.match(
      { status: answer.status, fields: Object.keys(answer.body?.errors ?? {}) },
      { status: 400, fields: [field] },
      what,
    );

  for (const operation of withBody) {
    const { operationId } = operation.config;
    const send = (body: unknown) => api.call(operation.method, pathOf(operation), { token, body });
    await t.test(`${operationId} 400 when the body is not UTF-8`, async (t) => {
      for (const bytes of NO_UTF8) {
        isRefused(
          t,
          await send(Buffer.concat([Buffer.from('{"any":"'), bytes, Buffer.from('"}')])),
          'body',
          bytes.toString('hex'),
        );
      }
    });
    await t.test(`${operationId} 400 when a text has control characters, or is required and blank`, async (t) => {
      const example = exampleOf(operation);
      const named = async (field: string, value: string) => {
        const answer = await send({ ...example, [field]: value });
        t.equal(answer.status, 400, `${field} ${JSON.stringify(value)}`);
        t.ok(answer.body.errors?.[field], `${field} ${JSON.stringify(value)}`);
      };
      for (const [field, schema] of textFieldsOf(operation.schema.body)) {
        for (const value of ['\x01', '\x7f', '\x85', '\x1b']) await named(field, `plum-Tractor-91${value}`);
        if (schema['minLength'] === undefined || schema['format'] === 'password') continue;
        for (const value of [' ', '\t\n', '\u00a0', '\u200b\u3000', '\u3164', '\u2800']) await named(field, value);
      }
      t.pass();
    });
  }

  for (const operation of withBody) {
    const { operationId } = operation.config;
    const fields = textFieldsOf(operation.schema.body, true).filter(([field]) => field in UNSEEN);
    if (fields.length === 0) continue;
    await t.test(`${operationId} takes what can not be seen out of phones, stars, user names and emails`, async (t) => {
      for (const [field] of fields) {
        for (const value of UNSEEN[field] as string[]) {
          const body = { ...exampleOf(operation), [field]: value };
          const answer = await api.call(operation.method, pathOf(operation), { token, body });
          // A name that another operation has given is taken, but not at fault.
          t.notMatch(answer.body?.errors ?? {}, { [field]: [/^m/] }, `${field} ${JSON.stringify(value)}`);
        }
      }
    });
  }

  for (const operation of withForm) {
    const { operationId } = operation.config;
    await t.test(`${operationId} 400 when the name of a field or file is not UTF-8`, async (t) => {
      for (const bytes of NO_UTF8) {
        const bad = bytes.toString('latin1');
        for (const names of [
          `name="bio${bad}"`,
          `name="picture"; filename="${bad}.png"`,
          `name="${bad}"; filename="a.png"`,
        ]) {
          const answer = await api.call(operation.method, pathOf(operation), {
            token,
            body: Buffer.from(`--x\r\nContent-Disposition: form-data; ${names}\r\n\r\nx\r\n--x--\r\n`, 'latin1'),
            headers: { 'content-type': 'multipart/form-data; boundary=x' },
          });
          isRefused(t, answer, 'body', encodeURIComponent(names));
        }
      }
    });
    await t.test(`${operation.config.operationId} 400 when a form's text is not UTF-8`, async (t) => {
      for (const [field] of textFieldsOf(operation.schema.body)) {
        for (const bytes of NO_UTF8) {
          for (const type of ['', 'text/plain', 'text/plain; charset=utf-8', 'text/plain; charset=iso-8859-1']) {
            const head = `--x\r\nContent-Disposition: form-data; name="${field}"\r\n${type && `Content-Type: ${type}\r\n`}\r\n`;
            const answer = await api.call(operation.method, pathOf(operation), {
              token,
              body: Buffer.concat([Buffer.from(head), bytes, Buffer.from('\r\n--x--\r\n')]),
              headers: { 'content-type': 'multipart/form-data; boundary=x' },
            });
            t.equal(answer.status, 400);
            t.ok(answer.body.errors?.[field], `${field} ${bytes.toString('hex')} ${type}`);
          }
        }
      }
      t.pass();
    });
  }

  for (const operation of withQuery) {
    await t.test(`${operation.config.operationId} 400 when a query's text is not UTF-8`, async (t) => {
      for (const [field] of textFieldsOf(operation.schema.querystring)) {
        for (const bytes of NO_UTF8) {
          const encoded = bytes.toString('hex').replaceAll(/../g, '%$&');
          const answer = await api.get(`${pathOf(operation)}?${field}=${encoded}&unknown=%ff`, { token });
          isRefused(t, answer, field, encoded);
        }
      }
    });
    await t.test(`${operation.config.operationId} 400 when a query's text has control characters`, async (t) => {
      for (const [field] of textFieldsOf(operation.schema.querystring)) {
        for (const encoded of ['%00', '%01', '%7F', '%C2%85', `e${'%CC%81'.repeat(31)}`]) {
          isRefused(t, await api.get(`${pathOf(operation)}?${field}=5${encoded}`, { token }), field, encoded);
        }
      }
    });
  }

  await t.test('createContact 201 with a mark of the order of bytes before the JSON', async (t) => {
    const body = `\ufeff${JSON.stringify({ name: 'Ada', phone: '020 7946', massage: 'Hello.' })}`;
    t.match(await api.post('/contacts/', { body }), { status: 201, body: { name: 'Ada' } });
  });
  await t.test('listPatients 200 with a percent sign that encodes nothing, and bytes that nobody reads', async (t) => {
    for (const query of ['search=100%', 'search=%zz%20a', '%ff=%ff', 'unknown=%ff', 'search=a+b%2Bc']) {
      t.equal((await api.get(`/patients/?${query}`, { token })).status, 200, query);
    }
  });
});

t.test('text as it is stored', async (t) => {
  const api = await buildTestApp(t);
  const staff = await api.registerStaff();
  const { token } = staff;

  await t.test('registerUser 201 with what people see of their names, and nothing else', async (t) => {
    for (const [field, sent, stored] of [
      ['username', '\u00a0ada\u200b.l\u200e ', 'ada.l'],
      ['email', ' \ufeffada.l@example.com\u200f\n', 'ada.l@example.com'],
      ['first_name', ' Be\u0301la\u3000', 'Béla'],
      ['last_name', '\u200b\u00a0', ''],
      ['last_name', '👩\u200d⚕\ufe0f', '👩\u200d⚕\ufe0f'],
    ] as const) {
      const name = `u${Math.random().toString(36).slice(2)}`;
      const body = {
        username: name,
        email: `${name}@example.org`,
        password: PASSWORD,
        confirm_password: PASSWORD,
        [field]: sent,
      };
      const answer = await api.post('/api/user/register/', { body });
      t.match(answer, { status: 201, body: { user: { [field]: stored } } }, JSON.stringify(sent));
    }
    t.equal(
      (await api.post('/api/user/login/', { body: { username: ' ada.l\u200b', password: PASSWORD } })).status,
      200,
    );
    for (const form of [false, true]) {
      const fields = { first_name: 'Zoe\u0308', bio: 'e\u0301\r\n\t', username: `\u2060zoe${form}\u00a0` };
      const { body } = await api.patch('/api/user/profiles/1/', {
        token,
        ...(form ? { form: fields } : { body: fields }),
      });
      t.match(body, { bio: 'é\r\n\t', user: { first_name: 'Zoë', username: `zoe${form}` } });
    }
  });

  await t.test('createContact 201 and updatePatient 200 with phones as people paste them', async (t) => {
    for (const [sent, stored] of [
      ['\u202a+44 20 7946 0958\u202c', '+44 20 7946 0958'],
      ['+44\u00a020\u202f7946\u20090958', '+44 20 7946 0958'],
      ['020‑7946–0958', '020-7946-0958'],
      ['020−7946—0958 ', '020-7946-0958'],
      ['\u00ad020\u200b7946\ufeff0958', '02079460958'],
      ['＋４４（２０）７９４６．０９５８', '+44(20)7946.0958'],
      ['０２０－７９４６\u3000０９５９', '020-7946 0959'],
    ] as const) {
      const contact = await api.post('/contacts/', { body: { name: 'Ada', phone: sent, massage: 'Hello.' } });
      t.match(contact, { status: 201, body: { phone: stored } });
      t.match(await api.patch('/patients/1/', { token, form: { phone: sent } }), {
        status: 200,
        body: { phone: stored },
      });
      const { body } = await api.get(`/patients/?phone=${encodeURIComponent(sent)}`, { token });
      t.equal(body.count, 1);
      t.equal((await api.get(`/patients/?search=${encodeURIComponent(sent)}`, { token })).body.count, 1);
    }
    for (const phone of ['\u200b\u00a0', '12\u200b', '02O 7946', '０２', '020²', '０２０／７９', '٠٢٠٧٩٤٦']) {
      t.match(await api.patch('/patients/1/', { token, body: { phone } }), {
        status: 400,
        body: { errors: { phone: [] } },
      });
    }
  });

  await t.test('createReview 201 and listReviews 200 with stars as keyboards write them', async (t) => {
    await api.registerDoctor();
    for (const [rating, stars] of [
      ['⭐️', '⭐'],
      ['⭐️⭐️⭐️⭐️⭐️', '⭐⭐⭐⭐⭐'],
      [' ⭐⭐\u200b ', '⭐⭐'],
      ['\u20603', '⭐⭐⭐'],
    ] as const) {
      const review = await api.post('/reviews/', { token, body: { doctor: 1, body: 'Fine.', rating } });
      t.match(review, { status: 201, body: { rating: stars } });
      t.equal((await api.get(`/reviews/?rating=${encodeURIComponent(rating)}`)).body.count, 1);
    }
    const review = await api.patch('/reviews/1/', { token, body: { rating: '⭐️⭐️', body: 'Cafe\u0301' } });
    t.match(review, { status: 200, body: { rating: '⭐⭐', body: 'Café' } });
  });

  await t.test('updateProfile 400 when the year of birth is before 1850', async (t) => {
    for (const day of ['1849-12-31', '1066-10-14', '0001-01-01', '0197-03-02']) {
      const answer = await api.patch('/api/user/profiles/1/', { token, body: { date_of_birth: day } });
      t.match(answer, { status: 400, body: { errors: { date_of_birth: ['must not be before 1850-01-01'] } } });
    }
    t.equal((await api.patch('/api/user/profiles/1/', { token, body: { date_of_birth: '1850-01-01' } })).status, 200);
  });
});

t.test('passwords compare by their text', async (t) => {
  const api = await buildTestApp(t);
  const logIn = async (username: string, password: string) =>
    (await api.post('/api/user/login/', { body: { username, password } })).status;
  const typed = ['Pâssword-ﬁve Ⅸ', 'Pa\u0302ssword-five IX', 'Ｐâssword-five\u00a0IX'];

  await t.test('logIn 200 with the password as another keyboard writes it', async (t) => {
    for (const [index, password] of typed.entries()) {
      await api.register({ username: `u${index}`, password, confirm_password: typed[0] as string });
      for (const other of typed) t.equal(await logIn(`u${index}`, other), 200, `${password} as ${other}`);
      t.equal(await logIn(`u${index}`, ` ${password}`), 401);
      t.equal(await logIn(`u${index}`, `${password}\u200b`), 401);
    }
  });
  await t.test('changePassword 200 with the present password as another keyboard writes it', async (t) => {
    const { username, token } = await api.register({
      password: typed[0] as string,
      confirm_password: typed[1] as string,
    });
    const next = 'ＮＥＷ-tractor-é';
    const body = { current_password: typed[2], password: next, confirm_password: next.normalize('NFKD') };
    t.equal((await api.post('/api/user/password/', { token, body })).status, 200);
    t.equal(await logIn(username, 'NEW-tractor-é'), 200);
  });
  await t.test('registerUser 400 when the text of a password is too short or all digits', async (t) => {
    for (const password of ['e\u0301'.repeat(7), '７３５１９４６２８５']) {
      const body = { username: 'short', email: 's@example.com', password, confirm_password: password };
      const answer = await api.post('/api/user/register/', { body });
      t.match(answer, { status: 400, body: { errors: { password: [/./] } } });
    }
    // Decomposed it has twice the characters.
    const longest = 'é-tractor-'.repeat(12).normalize('NFD');
    await api.register({ username: 'long', password: longest, confirm_password: longest });
    t.equal(await logIn('long', longest), 200);
  });
  await t.test('logIn 200 with a password whose hash is of its text as it was typed', async (t) => {
    const { username } = await api.register();
    const old = 'Ａ-tractor-of-old';
    await api.database.db.execute(
      sql`update users set password_hash = ${await argon2.hash(old)} where username = ${username}`,
    );
    t.equal(await logIn(username, old), 200);
    t.equal(await logIn(username, 'A-tractor-of-old'), 401);
  });
  await t.test('logIn 200 for staff made by the command, whose data is read likewise', async (t) => {
    const { db } = api.database;
    t.type(
      await ensureStaff(db, {
        username: ' chief\u200b ',
        email: ' chief@example.com ',
        password: 'ｃｈａｎｇｅ-it-now',
      }),
      'number',
    );
    t.equal(await logIn('chief', 'change-it-now'), 200);
    // What no request could log in with; the last is what bytes that are no UTF-8 become on the way here.
    for (const password of [
      'plum\x07-Tractor',
      `plum-${'e\u0301'.repeat(2)}${'\u0323'.repeat(40)}-Tractor`,
      'plum-Tractor-\ufffd',
    ]) {
      await t.rejects(
        ensureStaff(db, { username: 'other', email: 'other@example.com', password }),
        { name: 'InvalidStaff', field: 'password', message: /^the password must [^\n]+$/ },
        JSON.stringify(password),
      );
    }
    t.equal(await ensureStaff(db, { username: 'CHIEF', email: 'x@example.com', password: PASSWORD }), null);
  });
});
