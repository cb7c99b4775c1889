import { createHmac } from 'node:crypto';
import { SECRET } from './app.js';

const base64url = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/** The present in seconds. */
export const now = (): number => Math.floor(Date.now() / 1000);

/** A token such as this server makes, or one that only looks like it. */
export function forgeToken(
  claims: unknown,
  { secret = SECRET, header = { alg: 'HS256', typ: 'JWT' } }: { secret?: string; header?: object } = {},
): string {
  const text = `${base64url(header)}.${base64url(claims)}`;
  return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
}

/** What a token says. */
export function claimsOf(token: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as Record<string, unknown>;
}

/** An access token as a server with this secret signs it, for a user whom the test has put into the database. */
export const signAccess = (secret: string, userId: number): string =>
  forgeToken({ sub: String(userId), use: 'access', iat: now(), exp: now() + 3600 }, { secret });
