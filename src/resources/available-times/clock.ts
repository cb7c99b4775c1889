/** Minutes after midnight; an end past 1440 is on the next day. */
export interface ClockRange {
  readonly start: number;
  readonly end: number;
}

type Half = 'am' | 'pm' | undefined;

const DAY = 1440;

/** A letter on neither side, so that a name inside a longer word is none. */
const alone = (names: string): string => String.raw`(?<![\p{L}\p{M}])(?:${names})(?![\p{L}\p{M}])`;

/** The halves of the day as people write them, without accents. Words for the evening are left out: their twelve is midnight. */
const HALVES = [
  [
    'am',
    new RegExp(
      String.raw`${alone(
        String.raw`a\.? ?m|oo|f\.? ?m|π\.? ?μ|дп|ص|صباحا|ق\.? ?ظ|לפנה"צ|vorm|vormittags|dop|de la manana|da manha|du matin|पूर्वाह्न`,
      )}\.?|上午|午前|早上|凌晨|오전`,
      'gu',
    ),
  ],
  [
    'pm',
    new RegExp(
      String.raw`${alone(
        String.raw`p\.? ?m|os|e\.? ?m|μ\.? ?μ|пп|م|مساء|ب\.? ?ظ|אחה"צ|nachm|nachmittags|odp|de la tarde|da tarde|अपराह्न`,
      )}\.?|下午|午後|오후`,
      'gu',
    ),
  ],
] as const;
/** Names of two times, as if they were written with their half. */
const NAMES = [
  [/(?<![\d:.])(?:12(?:[:.]00)? ?)?(?<!\p{L})(?:noon|midday)(?!\p{L})/gu, '12:00 pm'],
  [/(?<![\d:.])(?:12(?:[:.]00)? ?)?(?<!\p{L})midnight(?!\p{L})/gu, '12:00 am'],
] as const;
const HOURS = String.raw`h|hs|hrs?|hours?|heures?|horas?|uhr|uur|u|ч|o'clock|時|时|点|點|시|น`;
const MINUTES = String.raw`[:.]00|分|분|(?<=[hч] ?\d\d) ?(?:m|mn|min|мин)`;
const TIME = String.raw`(?:(am|pm) ?)?(\d{1,2})(?:(?: ?(?:[:.]|${HOURS}) ?(\d{2})(?:${MINUTES})?)?(?: ?(${HOURS})\.?)?)(?: ?(am|pm))?`;
const FROM = alone(
  'from|at|von|ab|um|de|desde|las|desde las|das|dalle|ore|dalle ore|van|kl|klo|od|godz|с|в|saat|pukul|من|از|ב',
);
const TO = String.raw` ?(?:-|${alone(
  'to|until|till?|thru|through|bis|al?|as|a las|hasta|hasta las|alle|alle ore|ate|tot|do|до|الى|حتى|تا|עד',
)}|至|到|から|부터) ?`;
const RANGE = new RegExp(String.raw`^(?:${FROM}\.? )?${TIME}(?:${TO}${TIME})?(?:まで|까지)?\.?$`, 'u');

/** Dashes of every kind, arrows, and what else stands between the ends of a range. */
const DASHES =
  /[\p{Pd}~\u02d7\u2043\u2053\u2192\u21d2\u2212\u223c\u223d\u2500\u2501\u279c\u27a1\u27f6\u301c\u30fc]+>?|=+>|\.{2,}/gu;

/** Of digits of any script, each stands so far after its zero. */
function digitValue(digit: string): string {
  const code = digit.codePointAt(0) as number;
  let value = 0;
  while (/\p{Nd}/u.test(String.fromCodePoint(code - value - 1))) value++;
  return String(value);
}

/** Languages whose names of weekdays are known. */
const LANGUAGES = [
  ...[
    'am',
    'ar',
    'bg',
    'bn',
    'ca',
    'cs',
    'da',
    'de',
    'el',
    'en',
    'es',
    'et',
    'fa',
    'fi',
    'fr',
    'he',
    'hi',
    'hr',
    'hu',
    'id',
  ],
  ...[
    'it',
    'ja',
    'ko',
    'lt',
    'lv',
    'ms',
    'nb',
    'nl',
    'pl',
    'pt',
    'ro',
    'ru',
    'sk',
    'sl',
    'sr',
    'sv',
    'sw',
    'ta',
    'th',
    'tr',
  ],
  ...['uk', 'ur', 'vi', 'zh', 'zh-TW'],
];

/** Some that Intl has not. The short ones of English are here, the one-letter short names that it has in Latin letters say nothing. */
const MORE_FULL = [
  ...['mon', 'tue', 'tues', 'wed', 'weds', 'thu', 'thur', 'thurs', 'fri', 'sat', 'sun'],
  ...[
    'weekday',
    'weekend',
    'workday',
    'werktag',
    'wochenende',
    'sonnabend',
    '평일',
    '주말',
    '平日',
    '週末',
    '周末',
    '工作日',
  ],
];
/** Weekdays of Chinese, Japanese and Korean that Intl writes otherwise, or several of them in a row. */
const MORE_UNSPACED = String.raw`(?:星期|礼拜|禮拜|周|週)[一二三四五六日天]|(?<!\p{L})(?:[月火水木金土日]{2,7}|[월화수목금토일]{2,7})(?!\p{L})`;
/** What German writes in one word with a weekday, and what stands between weekdays. */
const PART_OF_DAY = '(?:morgen|vormittag|mittag|nachmittag|abend|nacht)?';
const BETWEEN = String.raw`[^\p{L}\p{N}]*(?:${alone('and|und|u|bis|et|au|y|e|a|al|en|och|og|do|и|по')}[^\p{L}\p{N}]*)?`;

let known: { readonly full: RegExp; readonly short: RegExp } | undefined;

/** What finds names of weekdays in a `plain` label. Made when it is first needed: it takes Intl some time. */
function weekdays(): { readonly full: RegExp; readonly short: RegExp } {
  if (known !== undefined) return known;
  const days = Array.from({ length: 7 }, (_, day) => new Date(Date.UTC(2024, 0, 1 + day)));
  const names = (weekday: 'long' | 'short'): string[] =>
    LANGUAGES.flatMap((language) => {
      const format = new Intl.DateTimeFormat(language, { weekday, timeZone: 'UTC' });
      return days.map((day) => plain(format.format(day)).replace(/\.$/, ''));
    });
  // Chinese, Japanese and Thai have no blanks between words.
  const isUnspaced = (name: string): boolean => /[\p{sc=Han}\p{sc=Thai}]{2}/u.test(name);
  const long = [...names('long'), ...MORE_FULL].map((name) => name.replace(/曜日$/, '曜'));
  const spaced = long.filter((name) => !isUnspaced(name)).join('|');
  const short = alone(
    names('short')
      .filter((name) => !/^[a-z]$/.test(name))
      .join('|'),
  );
  known = {
    full: new RegExp(
      `${alone(`(?:${spaced})${PART_OF_DAY}s?`)}|${long.filter(isUnspaced).join('|')}|${MORE_UNSPACED}`,
      'u',
    ),
    short: new RegExp(`${short}(?:${BETWEEN}${short})*`, 'gu'),
  };
  return known;
}

/** A label without what its readers do not see or do not tell apart: accents too, which capitals often go without. */
const plain = (label: string): string =>
  label
    .normalize('NFKD')
    .toLowerCase()
    .replace(/[\p{Cf}\u0300-\u036f\u064b-\u065f]/gu, '')
    .normalize('NFKC')
    .replaceAll('ı', 'i')
    .replace(/[^\P{Nd}0-9]/gu, digitValue)
    .replace(DASHES, '-')
    .replace(/[\u02d0\u2236\ua789]/g, ':')
    .replace(/(?<=\d)\u00b7(?=\d)/g, '.')
    .replace(/[\u00b4\u2019\u02bc]/g, "'")
    .replace(/[\u05f4\u201d]/g, '"')
    .replace(/\s+/g, ' ')
    .replace(/\b(\d{2})(\d{2})(?=(?: ?- ?\d{4})? ?(?:h|hs|hrs?|hours)\b)/g, '$1:$2')
    .replace(/^[^\p{L}\p{N}+-]+|[^\p{L}\p{M}\p{N}.+-]+$/gu, '');

/** Of a label that is `plain`, the day's halves as `am` and `pm`. */
const withHalves = (text: string): string => {
  const spaced = NAMES.reduce((all, [name, time]) => all.replace(name, time), text).replace(
    /(?<=\d)(?=[ap]\.? ?m)/g,
    ' ',
  );
  return HALVES.reduce((all, [half, words]) => all.replace(words, half), spaced);
};

/** Minutes after midnight, or null where the parts are no time of the day. */
function minuteOfDay(hours: string, minutes: string | undefined, half: Half): number | null {
  const hour = Number(hours);
  const minute = Number(minutes ?? 0);
  if (minute > 59) return null;
  if (half === undefined) return hour < 24 || (hour === 24 && minute === 0) ? hour * 60 + minute : null;
  if (hour < 1 || hour > 12) return null;
  return ((hour % 12) + (half === 'pm' ? 12 : 0)) * 60 + minute;
}

/** Reads what is `plain` already, and has the day's halves as `am` and `pm`. */
function readRange(text: string, slotMinutes: number): ClockRange | null {
  const match = RANGE.exec(text);
  if (match === null) return null;
  const [, before1, hours1 = '', minutes1, unit1, after1, before2, hours2, minutes2, unit2, after2] = match;
  if ((before1 ?? after1) !== (after1 ?? before1) || (before2 ?? after2) !== (after2 ?? before2)) return null;
  const half1 = (before1 ?? after1) as Half;
  const half2 = (before2 ?? after2) as Half;
  const isTime1 = (minutes1 ?? unit1 ?? half1) !== undefined;
  const isTime2 = (minutes2 ?? unit2 ?? half2) !== undefined;
  if (hours2 === undefined) {
    const start = isTime1 ? minuteOfDay(hours1, minutes1, half1) : null;
    return start === null || start === DAY ? null : { start, end: start + slotMinutes };
  }
  if (!isTime1 && !isTime2) return null;
  // The start's half says nothing of the end, which is the next such time: `11 am - 1` ends at 13:00.
  const isEither = half1 !== undefined && half2 === undefined;
  const ends = (isEither ? ([undefined, 'am', 'pm'] as const) : [half2])
    .map((half) => minuteOfDay(hours2, minutes2, half))
    .filter((end) => end !== null);
  let start = minuteOfDay(hours1, minutes1, half1 ?? half2);
  // `11:30 - 12:30 PM` starts in the morning: the shared half must not turn the range around.
  if (half1 === undefined && half2 !== undefined && start !== null && start >= (ends[0] ?? 0)) {
    start = minuteOfDay(hours1, minutes1, half2 === 'pm' ? 'am' : 'pm');
  }
  if (start === null || start === DAY || ends.length === 0 || ends.includes(start)) return null;
  return { start, end: Math.min(...ends.map((end) => (end > start ? end : end + DAY))) };
}

/**
 * Reads a slot's label as a clock time or a range, in the spellings that people use: `10:00 AM - 10:30 AM`, `14:00-14:30`,
 * `9.30`, `2 pm`, `上午10:00`, `10h-10h30`, `von 10.00 Uhr bis 10.30 Uhr`. A bare number is no time. In `10:00 - 10:30 AM`
 * the half of the day counts for both.
 * @param slotMinutes the length of a slot that has only a start
 * @returns null where the label does not read as a time
 */
export const readClockRange = (label: string, slotMinutes: number): ClockRange | null =>
  readRange(withHalves(plain(label)), slotMinutes);

/** Whether a label names a day of the week, in full, or in short beside clock times. */
export function namesWeekday(label: string): boolean {
  const text = plain(label);
  const { full, short } = weekdays();
  if (full.test(text)) return true;
  const rest = text.replace(short, ' ');
  if (rest === text || readRange(withHalves(text), 1) !== null) return false;
  const time = plain(rest);
  return time === '' || /^\d{1,2} ?- ?\d{1,2}$/.test(time) || readRange(withHalves(time), 1) !== null;
}
