/** Who asks: the product knows by a token, the floor believes a header. */
import { createHmac } from 'node:crypto';

export const JWT_SECRET = 'a secret of the bench, long enough for HS256';

/** The id of a user. */
export type Caller = number | 'staff' | undefined;

const encoded = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const HEADER = encoded({ alg: 'HS256', typ: 'JWT' });

const tokens = new Map<number, string>();

/** Signed once: what takes the load generator time is taken from the server, on a machine of few processors. */
function accessToken(userId: number): string {
  const token = tokens.get(userId) ?? sign(userId);
  tokens.set(userId, token);
  return token;
}

function sign(userId: number): string {
  const text = `${HEADER}.${encoded({ sub: String(userId), use: 'access', gen: 0, exp: 9_999_999_999 })}`;
  return `${text}.${createHmac('sha256', JWT_SECRET).update(text).digest('base64url')}`;
}

/** @param staffId the id of the user who is staff */
export function headersOf(caller: Caller, server: 'floor' | 'product', staffId: number): Record<string, string> {
  if (caller === undefined) return {};
  if (server === 'floor') return { 'x-caller': String(caller) };
  return { authorization: `Bearer ${accessToken(caller === 'staff' ? staffId : caller)}` };
}
