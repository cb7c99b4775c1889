/** Minutes after midnight; an end past 1440 is on the next day. */
export interface ClockRange {
  readonly start: number;
  readonly end: number;
}

type Half = 'am' | 'pm' | undefined;

const DAY = 1440;

/** A letter on neither side, so that a name inside a longer word is none. */
const alone = (names: string): string => String.raw`(?<![\p{L}\p{M}])(?:${names})(?![\p{L}\p{M}])`;

/** The halves of the day as people write them. */
const HALVES = [
  ['am', new RegExp(String.raw`${alone('a\\.? ?m|öö|fm|ص|صباحا')}\.?|上午|午前|오전|π\.μ\.`, 'gu')],
  ['pm', new RegExp(String.raw`${alone('p\\.? ?m|ös|em|م|مساء')}\.?|下午|午後|오후|μ\.μ\.`, 'gu')],
] as const;
const HOURS = String.raw`h|hrs?|hours?|uhr|uur|u|o'clock|時|时|点|點|시`;
const TIME = String.raw`(?:(am|pm) ?)?(\d{1,2})(?:(?: ?(?:[:.]|${HOURS}) ?(\d{2})(?:[:.]00|分|분)?)?(?: ?(${HOURS}))?)(?: ?(am|pm))?`;
const TO = String.raw` ?(?:-|${alone('to|until|till?|bis|à|al?|hasta|até|tot')}|至|到) ?`;
const RANGE = new RegExp(`^(?:${alone('from|at|von|ab|um|de|kl') + String.raw`\.? `})?${TIME}(?:${TO}${TIME})?$`, 'u');

const DASHES = /[\p{Pd}~\u2212\u2043\u2053\u301c\u2192]+/gu;

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

/** Two of English that Intl has not, and the one-letter short names that it has in Latin letters, which say nothing. */
const MORE_FULL = ['mon', 'tue', 'tues', 'wed', 'thu', 'thur', 'thurs', 'fri', 'sat', 'sun', 'weekday', 'weekend'];

let known: { readonly full: RegExp; readonly short: RegExp } | undefined;

/** What finds names of weekdays in a `plain` label. Made when it is first needed: it takes Intl some time. */
function weekdays(): { readonly full: RegExp; readonly short: RegExp } {
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
  return (known ??= {
    full: new RegExp(`${alone(`(?:${spaced})s?`)}|${long.filter(isUnspaced).join('|')}`, 'u'),
    short: new RegExp(
      alone(
        names('short')
          .filter((name) => !/^[a-z]$/.test(name))
          .join('|'),
      ),
      'gu',
    ),
  });
}

/** A label without what its readers do not see or do not tell apart. */
const plain = (label: string): string =>
  label
    .normalize('NFKC')
    .toLowerCase()
    .replace(/\p{Cf}/gu, '')
    .replace(/[^\P{Nd}0-9]/gu, digitValue)
    .replace(DASHES, '-')
    .replace(/[\u2019\u02bc]/g, "'")
    .replace(/\s+/g, ' ')
    .replace(/\b(\d{2})(\d{2})(?=(?: ?- ?\d{4})? ?(?:h|hrs?|hours)\b)/g, '$1:$2')
    .trim();

/** Of a label that is `plain`, the day's halves as `am` and `pm`. */
const withHalves = (text: string): string =>
  HALVES.reduce((all, [half, words]) => all.replace(words, half), text.replace(/(?<=\d)(?=[ap]\.? ?m)/g, ' '));

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
  // What is said in front of a range counts for both, as what is said after it.
  const end = minuteOfDay(hours2, minutes2, half2 ?? (before1 as Half));
  if (end === null) return null;
  let start = minuteOfDay(hours1, minutes1, half1 ?? half2);
  // `11:30 - 12:30 PM` starts in the morning: the shared half must not turn the range around.
  if (half1 === undefined && half2 !== undefined && start !== null && start >= end) {
    start = minuteOfDay(hours1, minutes1, half2 === 'pm' ? 'am' : 'pm');
  }
  if (start === null || start === DAY || start === end) return null;
  return { start, end: end > start ? end : end + DAY };
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
  const rest = text.replace(short, '').replace(/^[^\p{L}\p{N}]+|[^\p{L}\p{N}.]+$/gu, '');
  return (
    rest !== text && (rest === '' || readRange(withHalves(rest), 1) !== null) && readRange(withHalves(text), 1) === null
  );
}
