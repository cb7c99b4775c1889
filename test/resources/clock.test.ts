import fc from 'fast-check';
import t from 'tap';
import { namesWeekday, readClockRange } from '../../src/resources/available-times/clock.js';

const DAY = 1440;
const at = (hour: number, minute = 0): number => hour * 60 + minute;

t.test('labels that read as clock times', async (t) => {
  for (const [label, start, end] of [
    ['10:00 AM - 10:30 AM', at(10), at(10, 30)],
    ['10:00 am-10:30 am', at(10), at(10, 30)],
    ['10:00AM - 10:30AM', at(10), at(10, 30)],
    ['10:00 a.m. - 10:30 a.m.', at(10), at(10, 30)],
    ['10:00 A.M. – 2:00 P.M.', at(10), at(14)],
    ['10:00 AM to 10:30 AM', at(10), at(10, 30)],
    ['10:00 AM until 10:30 AM', at(10), at(10, 30)],
    ['10:00—10:30', at(10), at(10, 30)],
    ['14:00-14:30', at(14), at(14, 30)],
    ['14.00 - 14.30', at(14), at(14, 30)],
    ['14h00 - 14h30', at(14), at(14, 30)],
    ['  9:05  -  9:06  ', at(9, 5), at(9, 6)],
    ['9.30', at(9, 30), at(10)],
    ['09:30', at(9, 30), at(10)],
    ['2 pm', at(14), at(14, 30)],
    ['2pm', at(14), at(14, 30)],
    ['2 p.m.', at(14), at(14, 30)],
    ['12 am', at(0), at(0, 30)],
    ['12 pm', at(12), at(12, 30)],
    ['12:30 am', at(0, 30), at(1)],
    ['0:00', at(0), at(0, 30)],
    ['23:59', at(23, 59), at(24, 29)],
    ['9 - 10 am', at(9), at(10)],
    ['9am-10', at(9), at(10)],
    ['9:00 - 10', at(9), at(10)],
    ['10:00 - 10:30 PM', at(22), at(22, 30)],
    ['11:30 - 12:30 PM', at(11, 30), at(12, 30)],
    ['11:30 - 12:30 AM', at(23, 30), at(24, 30)],
    ['12:00 - 1:00 PM', at(12), at(13)],
    ['11:00 PM - 1:00 AM', at(23), at(25)],
    ['22:00 - 06:00', at(22), at(30)],
    ['23:00 - 24:00', at(23), at(24)],
    ['23:00 - 0:00', at(23), at(24)],
    ['0:00 - 24:00', at(0), at(24)],
    // Dashes of every kind, and what stands for one.
    ...[...'-‐‑‒–—―−－﹣﹘~〜～⁓→'].map((dash) => [`10:00${dash}10:30`, at(10), at(10, 30)] as const),
    ['10:00 \u2012 10:30', at(10), at(10, 30)],
    ['10:00:00 - 10:30:00', at(10), at(10, 30)],
    ['上午10:00', at(10), at(10, 30)],
    ['下午2:30-3:00', at(14, 30), at(15)],
    ['午前10時30分〜午後1時', at(10, 30), at(13)],
    ['오전 10:00 - 오후 1:00', at(10), at(13)],
    ['오후 2시', at(14), at(14, 30)],
    ['10:00 ص - 2:30 م', at(10), at(14, 30)],
    ['١٠:٠٠ - ١٠:٣٠', at(10), at(10, 30)],
    ['१०:०० - १०:३०', at(10), at(10, 30)],
    ['１０：００－１０：３０', at(10), at(10, 30)],
    ['ÖS 2:30', at(14, 30), at(15)],
    ['10h-10h30', at(10), at(10, 30)],
    ['10 h 30 – 11 h', at(10, 30), at(11)],
    ['de 10h à 11h', at(10), at(11)],
    ['10h', at(10), at(10, 30)],
    ['10.00 Uhr - 10.30 Uhr', at(10), at(10, 30)],
    ['10 Uhr 30', at(10, 30), at(11)],
    ['von 10 bis 11 Uhr', at(10), at(11)],
    ['kl. 10.00-10.30', at(10), at(10, 30)],
    ['10u30', at(10, 30), at(11)],
    ['0900 hrs - 0930 hrs', at(9), at(9, 30)],
    ['0900-0930 hrs', at(9), at(9, 30)],
    ["10 o'clock", at(10), at(10, 30)],
    ['AM 10:00', at(10), at(10, 30)],
    ['AM 10:00 - PM 1:00', at(10), at(13)],
    ['PM 1:00 - 2:00', at(13), at(14)],
    ['10:00 a. m. - 2:00 p. m.', at(10), at(14)],
    ['10:00\u202fAM\u00a0-\u00a010:30\u202fAM', at(10), at(10, 30)],
    ['\u200e10:00\u200f - 10:30\u2069', at(10), at(10, 30)],
    ...['->', '-->', ' => ', '…', '..', 'ー', '─', '━', '∼', '˗', '⟶', '⇒'].map(
      (arrow) => [`10:00${arrow}10:30`, at(10), at(10, 30)] as const,
    ),
    ['10∶00-10∶30', at(10), at(10, 30)],
    ['10·00 - 10·30', at(10), at(10, 30)],
    // What stands around a time is not of it.
    ...[
      '(10:00 - 10:30)',
      '[10:00 - 10:30]',
      '"10:00 - 10:30"',
      '„10:00 - 10:30“',
      '10:00 - 10:30;',
      '🕙 10:00 - 10:30.',
    ].map((label) => [label, at(10), at(10, 30)] as const),
    ['10h30min', at(10, 30), at(11)],
    ['10h 30m - 11h', at(10, 30), at(11)],
    ['10:00hs a 10:30hs', at(10), at(10, 30)],
    ['das 10h às 11h', at(10), at(11)],
    ['desde las 10:00 hasta las 10:30', at(10), at(10, 30)],
    ['dalle 10:00 alle 10:30', at(10), at(10, 30)],
    ['ore 10:00', at(10), at(10, 30)],
    ['van 10:00 tot 10:30 uur', at(10), at(10, 30)],
    ['od 10:00 do 10:30', at(10), at(10, 30)],
    ['с 10:00 до 10:30', at(10), at(10, 30)],
    ['10 ч 30 мин', at(10, 30), at(11)],
    ['من ١٠:٠٠ إلى ١٠:٣٠', at(10), at(10, 30)],
    ['10:00 עד 10:30', at(10), at(10, 30)],
    ['午前10時から11時まで', at(10), at(11)],
    ['10:00부터 10:30까지', at(10), at(10, 30)],
    ['10:00 through 10:30', at(10), at(10, 30)],
    ['10.00 น.', at(10), at(10, 30)],
    ['2:00 مساءً', at(14), at(14, 30)],
    ['10:00 صباحًا', at(10), at(10, 30)],
    ['۲:۰۰ ب.ظ', at(14), at(14, 30)],
    ['2:00 μμ', at(14), at(14, 30)],
    ['10:00 ΠΜ', at(10), at(10, 30)],
    ['2:00 अपराह्न', at(14), at(14, 30)],
    ['2:00 אחה״צ', at(14), at(14, 30)],
    ['2:00 ПП', at(14), at(14, 30)],
    ['2:00 nachm.', at(14), at(14, 30)],
    ['3:00 de la tarde', at(15), at(15, 30)],
    ['noon', at(12), at(12, 30)],
    ['12 Noon - 1 PM', at(12), at(13)],
    ['11 - noon', at(11), at(12)],
    ['10 PM - midnight', at(22), at(24)],
    ['midnight to 1 am', at(0), at(1)],
    // The half of the start alone: the end is the next such time.
    ['11 am - 1', at(11), at(13)],
    ['2pm-3', at(14), at(15)],
    ['11:30 PM - 12:15', at(23, 30), at(24, 15)],
    ['9 pm - 5:00', at(21), at(29)],
    ['上午11:00-1:00', at(11), at(13)],
    ['PM 11:00 - 1:00', at(23), at(25)],
    ['9 am - 17:00', at(9), at(17)],
  ] as const) {
    await t.test(label, async (t) => {
      t.strictSame(readClockRange(label, 30), { start, end });
    });
  }
  await t.test('a start alone takes the length of a slot', async (t) => {
    t.strictSame(readClockRange('10:00', 45), { start: at(10), end: at(10, 45) });
    t.strictSame(readClockRange('10:00', DAY), { start: at(10), end: at(34) });
    t.strictSame(readClockRange('10:00 - 10:10', 45), { start: at(10), end: at(10, 10) });
  });
});

t.test('labels that do not', async (t) => {
  for (const label of [
    ...[
      '',
      ' ',
      'morning',
      'Monday 10:00',
      '10:00 Monday',
      '10',
      '9 - 10',
      '1000',
      '10:0',
      '1:2',
      '100:00',
      '10:00:30',
    ],
    ...['24:00', '24:00 - 25:00', '25:00', '10:60', '10:30 - 10:60', '13:00 PM', '0:30 AM', '13 pm', '0 am', '24:01'],
    ...[
      '10:00 - 10:00',
      '0:00 - 0:00',
      '24:00 - 1:00',
      '10:00 -',
      '- 10:00',
      '10:00 - 10:30 - 11:00',
      '10:00 and 10:30',
    ],
    ...['10 m', '10:00 m', '10 a', '10:00 a', '10:00 AM -', '10:00 xm', '10;00', '10:00 - morning', '-10:00'],
    ...['10:00\n11:00', '10:00 AM AM', 'AM 10:00 PM', '10 20', '2025-2026', '+10:00', '1e1:00'],
  ]) {
    await t.test(JSON.stringify(label), async (t) => {
      t.equal(readClockRange(label, 30), null);
    });
  }
});

t.test('labels that name a weekday', (t) => {
  for (const label of [
    ...['Mon 09:00 - 09:30', 'Monday 10:00', '10:00 MONDAY', 'Mondays', 'Thurs. 9-10 am', 'Sun', 'Weekdays 9-10 am'],
    ...[
      'Mo-Fr 9-12 Uhr',
      'Mo 10:00',
      'Mo. + Mi. 10:00',
      'Do 10 - 11 Uhr',
      'montags 10 Uhr',
      'Samstagvormittag, Samstag',
    ],
    ...['Lundi matin', 'lun. 10h', 'miércoles 10:00', 'Çarşamba 10:00', 'śr. 10:00', 'пн 10:00', 'الاثنين ١٠:٠٠'],
    ...[
      'Mo und Mi 10:00',
      'Mo bis Fr 10:00',
      'lun. au ven. 10h-11h',
      'Lun a Vie 10:00',
      'Mon-Fri 0900-0930',
      'Sa 10-12',
    ],
    ...['PAZARTESİ 10:00', 'SALI 10:00', 'ΔΕΥΤΕΡΑ 10:00', 'MIERCOLES 10:00', 'sabado 10:00', 'الإثنين 10:00'],
    ...[
      'Montagvormittag',
      'Freitagabends 18 Uhr',
      'Sonnabend 10 Uhr',
      'Workdays',
      'werktags 10:00',
      '(Mon) 10:00',
      '[10:00 - 10:30] Tue',
    ],
    ...['礼拜一 10:00', '周一至周五 10:00', '星期天', '周末 10:00', '平日 10:00', '月水金 10:00', '월수금 10:00'],
    ...['月曜 10:00', '（月）10:00', '周一10:00', '星期一上午10:00', '월요일 10:00', 'Thứ 2 10:00', '９:００ Ｍｏｎ'],
  ]) {
    t.ok(namesWeekday(label), label);
  }
  for (const label of [
    ...[
      '',
      'Morning',
      'Evening',
      '10:00 - 10:30',
      '10:00 to 10:30',
      '9 to 10 am',
      'So early',
      'Do not book',
      'Sunny room',
    ],
    ...[
      '(10:00 - 10:30)',
      '[10:00]',
      '"10:00"',
      '10:00;',
      '⏰ 10:00',
      '* 10:00 *',
      '10h30min',
      '10:00 مساءً',
      '10:00 do 11:00',
    ],
    ...[
      '10h à 11h',
      'Room 3',
      'Monaco',
      'After lunch',
      '上午10:00',
      '2 pm',
      'Emergency',
      '10.00 Uhr',
      'Fridge',
      'Ma 2',
    ],
  ]) {
    t.notOk(namesWeekday(label), label);
  }
  t.end();
});

t.test('properties', async (t) => {
  const two = (value: number): string => String(value).padStart(2, '0');
  const clock24 = (separator: string) => (minute: number) =>
    `${two(Math.floor((minute % DAY) / 60))}${separator}${two(minute % 60)}`;
  const clock12 = (am: string, pm: string) => (minute: number) => {
    const hour = Math.floor((minute % DAY) / 60);
    return `${hour % 12 || 12}:${two(minute % 60)}${hour < 12 ? am : pm}`;
  };
  const formats = [
    ...[':', '.', 'h'].map(clock24),
    clock12(' AM', ' PM'),
    clock12('am', 'pm'),
    clock12(' a.m.', ' p.m.'),
  ] as const;
  const format = fc.constantFrom(...formats);
  const start = fc.integer({ min: 0, max: DAY - 1 });

  await t.test('a range that is written reads back', async (t) => {
    const dash = fc.constantFrom('-', ' - ', '–', ' – ', ' — ', ' to ', ' until ');
    const length = fc.integer({ min: 1, max: DAY - 1 });
    fc.assert(
      fc.property(start, length, format, dash, (from, minutes, write, between) => {
        const label = `${write(from)}${between}${write(from + minutes)}`;
        t.strictSame(readClockRange(label, 30), { start: from, end: from + minutes }, label);
      }),
      { numRuns: 300 },
    );
  });

  await t.test('a start that is written reads back', async (t) => {
    fc.assert(
      fc.property(start, fc.integer({ min: 1, max: DAY }), format, (from, slot, write) => {
        t.strictSame(readClockRange(write(from), slot), { start: from, end: from + slot }, write(from));
      }),
      { numRuns: 100 },
    );
  });

  await t.test('whatever the label, the range is one that the database takes', async (t) => {
    const part = fc.constantFrom(...'0123456789:.- apmAPMh', '12', '24', ' - ', 'to', '–', ':00', ':30');
    const label = fc.array(part, { maxLength: 16 }).map((parts) => parts.join(''));
    fc.assert(
      fc.property(fc.oneof(label, fc.string({ maxLength: 50 })), fc.integer({ min: 1, max: DAY }), (text, slot) => {
        const range = readClockRange(text, slot);
        if (range === null) return;
        const { start, end } = range;
        t.ok(Number.isInteger(start) && start >= 0 && start < DAY && end > start && end <= start + DAY, text);
      }),
      { numRuns: 3000 },
    );
  });
});
