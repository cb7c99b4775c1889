/** An authenticator app. */
import { Secret, TOTP } from 'otpauth';
import { MORNING, PASSWORD, type TestApp } from './app.js';

/** The code that an app shows. @param steps of half a minute from then */
export const codeOf = (secret: string, now: Date = MORNING, steps = 0): string =>
  new TOTP({ secret: Secret.fromBase32(secret) }).generate({ timestamp: now.getTime() + steps * 30_000 });

/** Turns on the second factor of a user, whose next code is good a step later. */
export async function enrol(
  api: TestApp,
  { token }: { token: string },
  now: Date = MORNING,
): Promise<{ secret: string; recoveryCodes: string[] }> {
  const begun = await api.post('/api/user/totp/', { token, body: { current_password: PASSWORD } });
  const { secret } = begun.body;
  const confirmed = await api.post('/api/user/totp/confirm/', { token, body: { code: codeOf(secret, now) } });
  if (confirmed.status !== 200) throw new Error(`confirming answered ${confirmed.status}: ${confirmed.text}`);
  return { secret, recoveryCodes: confirmed.body.recovery_codes };
}
