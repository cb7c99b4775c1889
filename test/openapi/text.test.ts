import t from 'tap';
import { isBlank, readText, textFault, type TextKind } from '../../openapi/text.js';

const MARKS = 'must not have more than 30 marks on a letter';
const CONTROL = 'must not contain control characters';

t.test('what no text may have', async (t) => {
  for (const text of ['', 'plain', 'a\tb\r\nc', 'é⭐👩‍⚕️', '\u202eabc', `a${'\u0301'.repeat(30)}`, '\ufffd', '\u2028']) {
    t.equal(textFault(text), undefined, encodeURIComponent(text));
  }
  for (const text of ['\0', 'a\x01', '\x0b', '\x0c', '\x1f', '\x7f', '\x80', '\x85', 'é\x9f']) {
    t.equal(textFault(text), CONTROL, encodeURIComponent(text));
  }
  for (const text of ['\ud800', 'a\udfff', '\udc00\ud800']) t.equal(textFault(text), 'must be Unicode text in UTF-8');
  t.equal(textFault(`a${'\u0301'.repeat(31)}`), MARKS);
});

t.test('how texts of each kind are read', async (t) => {
  for (const [kind, text, read] of [
    [undefined, ' Be\u0301la\u200d \n', ' Béla\u200d \n'],
    [undefined, ' a ', ' a '],
    ['name', ' \u00a0Be\u0301la ', 'Béla'],
    ['name', ' می\u200cخواهم ', 'می\u200cخواهم'],
    ['name', '\u200b\u3164 ', ''],
    ['name', '  ', ''],
    ['word', '\u200e ada\u200b.l\u00a0', 'ada.l'],
    ['word', ' ada ', 'ada'],
    ['word', '⭐\ufe0f⭐\ufe0f ', '⭐⭐'],
    ['word', 'ad a', 'ad a'],
    ['phone', ' +44 20 ', '+44 20'],
    ['phone', '\u202a+44\u00a020\u202f7946‑0958\u202c', '+44 20 7946-0958'],
    ['phone', '０２０–７９４６', '020-7946'],
    ['phone', '＋４４（２０）７９．４６－０９', '+44(20)79.46-09'],
    ['phone', '020²①', '020²①'],
    ['phone', '020−7946\t0958\u2060', '020-7946 0958'],
    ['password', ' plum\u00a0 ', ' plum  '],
    ['password', ' ｐｌｕｍ①e\u0301', ' plum1é'],
    ['password', '  ', '  '],
  ] as [TextKind | undefined, string, string][]) {
    t.equal(readText(text, kind), read, `${kind} ${JSON.stringify(text)}`);
    t.equal(readText(read, kind), read, 'what is read so stays');
  }
});

t.test('what is blank', async (t) => {
  for (const text of [
    '',
    ' ',
    '\t\r\n',
    '\u00a0',
    '\u3000',
    '\u200b',
    '\u2060\ufeff',
    '\u00ad',
    '\u3164\u115f',
    '\u2800',
    '\ufe0f',
    '\u{e0020}',
  ]) {
    t.ok(isBlank(text), encodeURIComponent(text));
  }
  for (const text of ['a', ' .', '⭐', '\u200b0']) t.notOk(isBlank(text), encodeURIComponent(text));
});

t.test('composing takes no time that grows with the square of a text', async (t) => {
  // As long as a form's field may be.
  t.equal(textFault(`a${'\u0301\u0323'.repeat(100_000)}`), MARKS);
});
