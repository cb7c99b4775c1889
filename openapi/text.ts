/**
 * What the contract's `x-text` says of a field. Without it a text stays as it is written, but composed (NFC).
 * - `name` loses blanks at its ends, and all where nothing of it can be seen
 * - `word` loses what can not be seen, and blanks at its ends
 * - `phone` is a word whose blanks and hyphens may be of any kind, and the rest of full width
 * - `password` is what compares as equal (NFKC), and not trimmed
 */
export type TextKind = 'name' | 'word' | 'phone' | 'password';

/** Most texts: there is nothing to compose or to take out. */
const PLAIN = /^[\t\n\r\x20-\x7e]*$/;
const CONTROL = /(?![\t\n\r])\p{Cc}/u;
/** More than a letter of any language has (UAX #15, Stream-Safe Text Format). To compose them takes the square of their number. */
const MANY_MARKS = /\p{M}{31}/u;
const INVISIBLE = /[\p{Cf}\p{Default_Ignorable_Code_Point}]/gu;
const BLANK = /^[\s\u2800\p{Cf}\p{Default_Ignorable_Code_Point}]*$/u;
const HYPHEN = /[\p{Pd}\u02d7\u2043\u2212]/gu;
/** ASCII as keyboards of East Asia write it. Not all that NFKC makes digits of: what is raised, say, belongs to something else. */
const FULL_WIDTH = /[\uff01-\uff5e]/g;

/** In place of bytes that are no UTF-8: no text may have one, so that whoever reads the field refuses it. */
export const NO_TEXT = '\ud800';

/** What no text may have, in words that follow the field's name. */
export function textFault(text: string): string | undefined {
  if (PLAIN.test(text)) return undefined;
  if (!text.isWellFormed()) return 'must be Unicode text in UTF-8';
  if (CONTROL.test(text)) return 'must not contain control characters';
  return MANY_MARKS.test(text) ? 'must not have more than 30 marks on a letter' : undefined;
}

/** Whether nothing of a text can be seen. */
export const isBlank = (text: string): boolean => BLANK.test(text);

/** A text as its kind is stored and compared. */
export function readText(text: string, kind?: TextKind): string {
  if (PLAIN.test(text)) return kind === undefined || kind === 'password' ? text : text.trim();
  switch (kind) {
    case 'name':
      return isBlank(text) ? '' : text.normalize('NFC').trim();
    case 'word':
      return text.replaceAll(INVISIBLE, '').trim();
    case 'phone':
      return text
        .replaceAll(INVISIBLE, '')
        .replaceAll(HYPHEN, '-')
        .replaceAll(FULL_WIDTH, (letter) => letter.normalize('NFKC'))
        .replaceAll(/\s/g, ' ')
        .trim();
    case 'password':
      return text.normalize('NFKC');
    case undefined:
      return text.normalize('NFC');
  }
}
