/** Codes that people read and type. */
import { randomBytes } from 'node:crypto';

/** Crockford's: none looks like another. A byte has one of them as often as any other. */
const SYMBOLS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/** @param length in symbols, of 5 bits each */
export const newCode = (length: number): string =>
  Array.from(randomBytes(length), (byte) => SYMBOLS.charAt(byte % SYMBOLS.length)).join('');

export const showCode = (code: string): string => code.replaceAll(/.{4}(?=.)/g, '$&-');

/** The code as it was made, of how somebody has typed it. */
export const readCode = (typed: string): string =>
  typed
    .toUpperCase()
    .replaceAll(/[^0-9A-Z]/g, '')
    .replaceAll('O', '0')
    .replaceAll(/[IL]/g, '1');
