import t from 'tap';
import { buildTestApp, MORNING } from '../helpers/app.js';

const PATH = '/.well-known/security.txt';

t.test('security.txt says whom to tell, and until when', async (t) => {
  const { app } = await buildTestApp(t, {
    SECURITY_CONTACT: 'mailto:security@clinic.example',
    PUBLIC_URL: 'https://api.clinic.example/',
  });
  for (const method of ['GET', 'HEAD'] as const) {
    const answer = await app.inject({ method, url: PATH });
    t.equal(answer.statusCode, 200);
    t.equal(answer.headers['content-type'], 'text/plain; charset=utf-8');
    t.equal(answer.headers['x-content-type-options'], 'nosniff');
    t.ok(answer.headers['ratelimit'], 'it has a limit');
    if (method === 'HEAD') {
      t.equal(answer.payload, '');
      continue;
    }
    const [contact, expires = '', ...others] = answer.payload.split('\n');
    t.equal(contact, 'Contact: mailto:security@clinic.example');
    t.match(expires, /^Expires: \d{4}-\d\d-\d\dT00:00:00Z$/);
    const days = (Date.parse(expires.slice('Expires: '.length)) - MORNING.getTime()) / 86_400_000;
    t.ok(days > 170 && days < 365, `${days} days`);
    t.strictSame(others, ['Preferred-Languages: en', `Canonical: https://api.clinic.example${PATH}`, '']);
  }
});

t.test('it names no canonical address that is not one', async (t) => {
  for (const PUBLIC_URL of ['', 'http://api.clinic.example', 'https://clinic.example/api']) {
    const { app } = await buildTestApp(t, { SECURITY_CONTACT: 'https://clinic.example/security', PUBLIC_URL });
    t.notMatch((await app.inject(PATH)).payload, 'Canonical', PUBLIC_URL);
  }
});

t.test('without a contact there is none', async (t) => {
  const { app } = await buildTestApp(t);
  const [answer, other] = [await app.inject(PATH), await app.inject('/.well-known/other.txt')];
  t.equal(answer.statusCode, 404);
  t.same({ ...answer.json<object>(), instance: '' }, { ...other.json<object>(), instance: '' });
});
