/** Values that a schema of the contract takes, and values that break one rule of it each. */
import fc from 'fast-check';
import { between, pick, type Chance } from '../../src/demo/random.js';
import type { Schema } from './operations.js';

/** JSON that JavaScript has no value for, such as 1e400. */
export class Raw {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** A file of a form. */
export class File {
  readonly bytes: Buffer;
  readonly type: string;

  constructor(bytes: Buffer, type = 'image/png') {
    this.bytes = bytes;
    this.type = type;
  }
}

/** Where a value is sent. In a query and in a form all is text, and in a query an empty one is none. */
export type Place = 'json' | 'form' | 'query' | 'header' | 'path';

/** What goes before chance: an id that exists, a token that was given. */
export type Hint = (name: string, schema: Schema) => unknown;

export interface Breach {
  /** In words. */
  readonly rule: string;
  readonly value: unknown;
}

export const isNullable = ({ type }: Schema): boolean => Array.isArray(type) && type.includes('null');
export const typeOf = ({ type }: Schema): string | undefined =>
  typeof type === 'string' ? type : type?.find((name) => name !== 'null');

export const isText = (place: Place): boolean => place !== 'json';

export function toJson(value: unknown): string {
  if (value instanceof Raw) return value.text;
  if (Array.isArray(value)) return `[${value.map(toJson).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.entries(value).map(([name, item]) => `${JSON.stringify(name)}:${toJson(item)}`);
  return `{${members.join(',')}}`;
}

/** Letters of one code point each, which stay as they are when a text is composed. */
const LETTERS = ['a', 'Z', '7', 'é', 'ß', 'Ж', '漢', 'ع', 'ก', '😀', '𝒳'];
const TEXTS = [
  ...[
    'Ada',
    "O'Neill",
    'Élodie',
    'Łukasz',
    'Nguyễn',
    '山田',
    'محمد',
    '👩‍⚕️ on duty',
    'a\tb\nc',
    '<b>bold</b>',
    '0',
    'null',
  ],
  ...[
    "'; drop table users; --",
    '%',
    '_',
    '\\',
    '"quoted"',
    '${x}',
    '{"a":1}',
    'I İ ı i',
    'ﬁ',
    '\u202Eabc',
    'e\u0301',
    '%00',
  ],
  ...[
    '=1+1',
    '-1',
    '1e9',
    '../../etc/passwd',
    'true',
    'a,b;c',
    '[1,2]',
    'ﬀ½',
    '\u200d',
    '🇩🇪',
    '00:00',
    '10:00 - 10:30',
  ],
];

const codePoints = (text: string): number => [...text].length;
/** What no text may have, whatever its schema says. */
const HAS_CONTROL = /(?![\t\n\r])\p{Cc}/u;
const HAS_INVISIBLE = /[\p{Cf}\p{Default_Ignorable_Code_Point}]/u;

/** Whether the server takes the text as it is, whatever the pattern. */
const isPlain = (text: string): boolean =>
  text.isWellFormed() && !HAS_CONTROL.test(text) && text === text.normalize('NFKC').trim() && !HAS_INVISIBLE.test(text);

/** How many texts of a pattern there are: to make one costs more than to ask the server about it. */
const SAMPLES = 300;
const samples = new Map<string, readonly string[]>();

/** A text of the pattern that fits the schema. */
function sampled(pattern: string, { minLength = 0, maxLength = 1e9 }: Schema, chance: Chance): string {
  const key = `${pattern} ${minLength} ${maxLength}`;
  let texts = samples.get(key);
  if (texts === undefined) {
    const fits = (text: string): boolean =>
      isPlain(text) && codePoints(text) >= minLength && codePoints(text) <= maxLength;
    texts = fc.sample(fc.stringMatching(new RegExp(pattern)).filter(fits), { seed: 1, numRuns: SAMPLES });
    samples.set(key, texts);
  }
  return pick(chance, texts);
}

export const DAY = 86_400_000;
export const dayText = (days: number): string => new Date(Date.now() + days * DAY).toISOString().slice(0, 10);

/** Mostly a day that can be booked. */
const dayOf = (chance: Chance): string =>
  chance() < 0.8 ? dayText(between(chance, 0, 60)) : dayText(between(chance, -1000, 4000));

function textOf(schema: Schema, chance: Chance, place: Place): string {
  const { minLength = 0, maxLength = 200, pattern, format, enum: values } = schema;
  if (values !== undefined)
    return pick(
      chance,
      values.filter((value) => typeof value === 'string'),
    );
  if (format === 'email') return `${sampled('^[a-z][a-z0-9_+-]{0,20}(\\.[a-z0-9]{1,9})?$', {}, chance)}@example.com`;
  if (format === 'date') {
    if (schema['x-not-in-future'] === true) return dayText(-between(chance, 1, 40_000));
    return dayOf(chance);
  }
  if (format === 'date-time')
    return `${dayOf(chance)}T${pick(chance, ['08:30:00Z', '23:59:59.999+02:00', '00:00:00-11:00'])}`;
  if (format === 'password') return `Maple-${Math.floor(chance() * 1e9).toString(36)}-Ward-${between(chance, 10, 99)}`;
  if (schema['x-day-or-moment'] === true) {
    return chance() < 0.6
      ? dayOf(chance)
      : `${dayOf(chance)}T${pick(chance, ['09:00:00Z', '23:59:59.5+02:00', '00:00:00-11:30'])}`;
  }
  if (pattern !== undefined) return sampled(pattern, schema, chance);
  if (place === 'header' || place === 'path') return sampled('^[A-Za-z0-9_-]{1,40}$', schema, chance);
  const kind = chance();
  if (kind < 0.1) return pick(chance, LETTERS).repeat(maxLength);
  if (kind < 0.2) return pick(chance, LETTERS).repeat(Math.max(minLength, 1));
  if (kind < 0.25 && minLength === 0) return '';
  const text = pick(chance, TEXTS);
  const isBlank = /^[\s\p{Cf}]*$/u.test(text);
  return codePoints(text) > maxLength ||
    codePoints(text.normalize('NFC').trim()) < minLength ||
    (isBlank && minLength > 0)
    ? pick(chance, LETTERS).repeat(Math.max(minLength, 1))
    : text;
}

/** A value that the schema takes. */
export function validValue(name: string, schema: Schema, chance: Chance, place: Place, hint: Hint): unknown {
  const hinted = hint(name, schema);
  if (hinted !== undefined) return hinted;
  const { minimum = 0, maximum = Number.MAX_SAFE_INTEGER, format } = schema;
  if (isNullable(schema) && chance() < 0.15) return place === 'json' ? null : '';
  switch (typeOf(schema)) {
    case 'integer': {
      const value = pick(chance, [minimum, maximum, between(chance, minimum, Math.min(maximum, minimum + 50))]);
      if (schema['x-numbered'] === undefined && place === 'json' && chance() < 0.1) return String(value);
      return value === 0 && place === 'json' ? pick(chance, [0, new Raw('-0')]) : value;
    }
    case 'boolean':
      return place === 'json' ? chance() < 0.5 : pick(chance, ['true', 'false', '1', '0', 'True', 'False']);
    case 'string': {
      if (format === 'binary') return place === 'json' ? null : pick(chance, PICTURES);
      const { enum: values } = schema;
      if (schema['x-numbered'] === true && values !== undefined && chance() < 0.4)
        return between(chance, 1, values.length);
      return textOf(schema, chance, place);
    }
    case 'array': {
      const { items = {}, minItems = 0, maxItems = 3, uniqueItems = false } = schema;
      const length = between(chance, minItems, Math.max(minItems, Math.min(maxItems, 3)));
      const values = Array.from({ length }, () => validValue(name, items, chance, place, hint));
      return uniqueItems ? [...new Set(values)] : values;
    }
    case 'object':
      return validMembers(schema, chance, place, hint);
    default:
      return pick(chance, [null, 1, 'x', 'Pendding', 'Pending', true, [], {}, '']);
  }
}

/** Members that an object of the schema has: all that are required, and some of the others. */
export function validMembers(schema: Schema, chance: Chance, place: Place, hint: Hint): Record<string, unknown> {
  const { properties = {}, required = [] } = schema;
  const share = pick(chance, [0.1, 0.5, 1]);
  const members: Record<string, unknown> = {};
  const stoodIn = Object.entries(properties).flatMap(([name, { 'x-in-place-of': others }]) =>
    others === undefined ? [] : [[name, others as string[]] as const],
  );
  for (const [name, property] of Object.entries(properties)) {
    // Hardly ever does one find one that is there, and others of it are another rule.
    const isOfStandIn = stoodIn.some(([standIn, others]) => others.includes(name) && members[standIn] === undefined);
    if (!required.includes(name) && !isOfStandIn && chance() > share) continue;
    members[name] = validValue(name, property, chance, place, hint);
  }
  for (const [name, { 'x-same-as': other }] of Object.entries(properties)) {
    if (other !== undefined) members[name] = members[other as string];
  }
  return members;
}

const notMatching = (schema: Schema): string[] => {
  const { pattern = '', minLength = 0, maxLength = 100 } = schema;
  return ['§', '!!!', 'a b', 'ä', '<>', '\\', 'javascript:alert(1)', '2026-13-45', '٣', 'x\ny']
    .map((text) => text.padEnd(minLength, '§'))
    .filter((text) => codePoints(text) <= maxLength && !new RegExp(pattern).test(text));
};

function tooLong({ maxLength = 0, pattern, format }: Schema): string {
  if (format === 'email') return `${'a'.repeat(maxLength)}@example.com`;
  const letters = ['a', '1', '漢', '😀', 'x '].map((letter) => letter.repeat(maxLength + 1));
  const suiting = letters.find((text) => pattern !== undefined && new RegExp(pattern).test(text));
  return suiting ?? (pattern === undefined ? (letters[2] as string) : (letters[0] as string));
}

const MARKS = '\u0301'.repeat(31);

/** Values that break one rule of the schema each, in a place where they are sent as they are. */
export function breachesOf(name: string, schema: Schema, chance: Chance, place: Place, hint: Hint): Breach[] {
  const breaches: Breach[] = [];
  const add = (rule: string, ...values: unknown[]): void => {
    breaches.push(...values.map((value) => ({ rule, value })));
  };
  const { minimum, maximum, minLength = 0, maxLength, minItems = 0, maxItems, format, enum: values, pattern } = schema;
  const isInJson = place === 'json';
  const type = typeOf(schema);
  if (type === undefined) return [];
  if (isInJson && !isNullable(schema) && format !== 'binary') add('null', null);
  switch (type) {
    case 'integer':
      if (isInJson) add('type', true, false, 1.5, {}, [], [1], '1.0', '+1', ' 1', '0x10', '1e3', '01', 'x', '-', 'NaN');
      if (isInJson) add('huge number', new Raw('1e400'), new Raw('-1e400'), new Raw('123456789012345678901234567890'));
      else add('type', 'x', '1.5', '+1', ' 1', '1 ', '0x10', '1e3', '01', 'true', 'null', '-', '१', '1,2,x');
      if (!isNullable(schema) && isInJson) add('type', '');
      if (minimum !== undefined) add('minimum', minimum - 1, -Number.MAX_SAFE_INTEGER, String(minimum - 1));
      if (maximum !== undefined) add('maximum', maximum + 1, new Raw('9223372036854775808'), '99999999999999999999');
      break;
    case 'boolean':
      if (isInJson) add('type', 'yes', 1, 0, '', {}, [], 'true');
      else add('type', 'yes', '2', 'on', 'null', ' true');
      break;
    case 'string':
      if (format === 'binary') {
        if (isInJson) add('type', 'x', 7, {}, [], true, 'https://example.com/a.png');
        else add('file', new File(Buffer.from('just text')), new File(Buffer.alloc(0)), ...BROKEN_PICTURES);
        break;
      }
      if (isInJson) add('type', true, {}, [], ['a'], 1.5);
      if (isInJson && schema['x-numbered'] !== true) add('type', 7);
      if (place === 'form') add('file in the place of text', new File(Buffer.from('x'), 'image/png'));
      if (place !== 'header') {
        add('NUL', 'a\0b');
        add('control characters', 'a\u0007b', '\u009f', '\u001b[31m');
        if (isInJson) add('lone surrogates', 'a\ud800b', '\udc00', '\ud83d');
        else add('UTF-8', new Raw('%ff%fe'), new Raw('a%c3'), new Raw('%ed%a0%80'), new Raw('%c0%80'));
        if (pattern === undefined && format === undefined && values === undefined) add('marks', `a${MARKS}`);
      }
      if (minLength > 0 && place !== 'query' && !isNullable(schema)) {
        add('minLength', '');
        if (format !== 'password' && place !== 'header') add('blank', '   ', '\u00a0\u2003', '\u2800');
      }
      if (minLength > 1)
        add('minLength', (format === 'password' ? 'Xy-7' : '1').repeat(minLength).slice(0, minLength - 1));
      if (maxLength !== undefined && values === undefined && format?.startsWith('date') !== true) {
        add('maxLength', tooLong(schema));
        if (place === 'json') add('maxLength', 'x'.repeat(Math.min(100_000, maxLength * 20)));
      }
      if (pattern !== undefined) add('pattern', ...notMatching(schema));
      if (format === 'email')
        add('format', 'x', 'a@', '@example.com', 'a b@example.com', 'a@b@c.de', 'a@example.com,b@example.com');
      if (format === 'date') {
        add(
          'format',
          '2026-02-30',
          '2026-13-01',
          '20260101',
          '2026-1-1',
          '0000-01-01',
          'tomorrow',
          '2026-01-01T00:00:00Z',
        );
        add('format', '2026-01-01 ', '٢٠٢٦-٠١-٠١', '+2026-01-01', '12026-01-01');
      }
      if (format === 'date-time')
        add('format', 'x', '2026-02-30T08:00:00Z', '2026-01-01', '2026-01-01T25:00:00Z', '1700000000');
      if (schema['x-day-or-moment'] === true) add('day or moment', '2026-02-30', '2026-01-01T25:00:00Z', '0000-01-01');
      if (values !== undefined)
        add('enum', 'nothing', ...(schema['x-numbered'] === true ? [0, 6, '0', '99', -1] : ['online', 'ID']));
      if (schema['x-not-before'] !== undefined) add('too early', '1849-12-31', '0001-01-01');
      if (schema['x-not-in-future'] === true) add('in the future', '2999-01-01', '9999-12-31');
      if (schema['x-same-as'] !== undefined) add('not the same', 'another-Value-93');
      if (schema['x-password-of'] !== undefined) add('weak password', '8417361946', 'password1', 'qwertyuiop');
      break;
    case 'array': {
      const { items = {} } = schema;
      if (isInJson) add('type', 7, 'x', {}, true);
      if (maxItems !== undefined && typeOf(items) === 'integer') {
        add(
          'maxItems',
          Array.from({ length: maxItems + 1 }, (_, index) => index + 1),
        );
      }
      if (minItems > 0) add('minItems', []);
      for (const { rule, value } of breachesOf(name, items, chance, place, hint)) {
        // What a list holds as text is taken apart at commas, and without the blanks around them.
        const text = value instanceof Raw || value instanceof File ? ',' : String(value);
        if (isInJson || (!text.includes(',') && text === text.trim())) {
          add(`item: ${rule}`, [value]);
        }
      }
      break;
    }
    case 'object': {
      if (isInJson) add('type', 7, 'x', [], true);
      const whole = validMembers(schema, chance, place, hint);
      for (const [member, property] of Object.entries(schema.properties ?? {})) {
        if (schema.required?.includes(member) === true) {
          add('member: missing', Object.fromEntries(Object.entries(whole).filter(([other]) => other !== member)));
        }
        const inner = breachesOf(member, property, chance, place, hint);
        if (inner.length === 0) continue;
        const { rule, value } = pick(chance, inner);
        add(`member: ${rule}`, { ...whole, [member]: value });
      }
      break;
    }
  }
  // A value that happens to be one of the others' is none that breaks a rule.
  return breaches.filter(({ value }) => !(place === 'query' && value === ''));
}

const PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
const GIF = 'R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7';
const png = Buffer.from(PNG, 'base64');

/** Small, since how pictures are encoded is another test's. */
const PICTURES = [
  new File(png),
  new File(Buffer.from(GIF, 'base64'), 'image/gif'),
  new File(png, 'application/octet-stream'),
];
const BROKEN_PICTURES = [
  new File(png.subarray(0, 40)),
  new File(Buffer.concat([png.subarray(0, 8), Buffer.alloc(300, 0xff)])),
  new File(Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'), 'image/svg+xml'),
  new File(Buffer.from('%PDF-1.4'), 'image/png'),
];
