import t from 'tap';
import { hashPassword, passwordFaults, passwordRule, verifyPassword } from '../../src/lib/passwords.js';

const DIGITS = 'must not be all digits';
const COMMON = 'must not be a commonly used password';
const ALIKE = 'must not be much like your user name, email or name';

t.test('faults of a new password', async (t) => {
  for (const [password, own, faults] of [
    ['plum-Tractor-91', [], []],
    ['correct horse battery staple', ['horse'], []],
    ['пароль-сложный', [], []],
    ['                ', [], []],
    ['73519462850', [], [DIGITS]],
    ['12345678', [], [DIGITS, COMMON]],
    ['٧٣٥١٩٤٦٢٨٥', [], []],
    ['password', [], [COMMON]],
    ['PassWord', [], [COMMON]],
    ['qwertyuiop', [], [COMMON]],
    ['ada.lovelace', ['ada.lovelace'], [ALIKE]],
    ['ADA.LOVELACE', ['ada.lovelace'], [ALIKE]],
    ['adalovelace', ['ada.lovelace'], [ALIKE]],
    ['ada.lovelace1', ['ada.lovelace'], [ALIKE]],
    ['lovelace1815', ['ada', 'ada.lovelace@example.org'], [ALIKE]],
    ['1815lovelace', ['Ada Lovelace'], [ALIKE]],
    ['example-1', ['ada@example.org'], [ALIKE]],
    ['ada-and-something-longer', ['ada'], []],
    ['plum-Tractor-91', ['', 'a', 'am'], []],
    ['ecalevol.ada', ['ada.lovelace'], []],
    ['lovelace', ['lovelace', 'lovelace'], [COMMON, ALIKE]],
  ] as const) {
    await t.test(`${JSON.stringify(password)} of ${own.join(', ') || 'anyone'}`, async (t) => {
      t.strictSame(passwordFaults(password, own), faults);
    });
  }
});

t.test('the rule of the contract', async (t) => {
  const fields = ['username', 'first_name'];
  const siblings = { username: 'lovelace', first_name: 'Augusta', phone: 'tractors' };
  t.strictSame(passwordRule('lovelace-1', fields, siblings), [ALIKE]);
  t.strictSame(passwordRule('augusta-1', fields, siblings), [ALIKE]);
  t.strictSame(passwordRule('tractors-1', fields, siblings), [], 'fields that are not named do not count');
  t.strictSame(passwordRule('lovelace-1', fields, {}), []);
  t.strictSame(passwordRule('lovelace-1', fields, { username: 7, first_name: null }), [], 'nor does what is no text');

  await t.test('takes no time for texts that no field may hold', async (t) => {
    const words = Array.from({ length: 30_000 }, (_, index) => `word${index}`).join(' ');
    const start = process.cpuUsage();
    t.strictSame(passwordRule('x'.repeat(100_000), fields, { username: 'y'.repeat(100_000) }), []);
    t.strictSame(passwordRule('plum-Tractor-91', fields, { username: words, first_name: 'y'.repeat(100_000) }), []);
    t.ok(process.cpuUsage(start).user < 500_000);
  });
});

t.test('hashes', async (t) => {
  const hash = await hashPassword('plum-Tractor-91');
  t.match(hash, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
  t.not(await hashPassword('plum-Tractor-91'), hash, 'are salted');
  t.equal(await verifyPassword(hash, 'plum-Tractor-91'), true);
  for (const wrong of ['plum-tractor-91', 'plum-Tractor-9', 'plum-Tractor-91 ', '']) {
    t.equal(await verifyPassword(hash, wrong), false, JSON.stringify(wrong));
  }
  t.equal(await verifyPassword(undefined, 'no password has this hash'), false, 'nor is the password of no hash right');
});
