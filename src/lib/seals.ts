/**
 * Encrypts what is secret and has to be read again, so that it can not be read from a copy of the database: by AES-256-GCM,
 * with a key that HKDF derives of each of the server's secrets. The first seals and all open: a secret that is changed as
 * docs/deploy.md has it loses nothing, since each start seals anew what an older one has sealed.
 */
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';

const NONCE_BYTES = 12;
const TAG_BYTES = 16;

export interface Sealed {
  readonly sealed: string;
  readonly keyId: string;
}

export interface Seals {
  /** The key that seals. */
  readonly keyId: string;
  /** @param of what it belongs to: put in the place of another one's it does not open */
  seal(text: string, of: string): Sealed;
  /** Undefined where the secret is not among the server's any more. */
  open(sealed: Sealed, of: string): string | undefined;
}

/** @param secrets the first seals, and all open */
export function sealsOf(secrets: readonly string[]): Seals {
  const derive = (secret: string, use: string, bytes: number) =>
    Buffer.from(hkdfSync('sha256', secret, '', `hospital ${use}`, bytes));
  const keys = new Map(
    secrets.map((secret) => [
      derive(secret, 'key id of seals', 12).toString('base64url'),
      derive(secret, 'key of seals', 32),
    ]),
  );
  const [[keyId, key]] = [...keys] as [[string, Buffer]];
  return {
    keyId,
    seal: (text, of) => {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(of));
      const parts = [nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()];
      return { sealed: Buffer.concat(parts).toString('base64'), keyId };
    },
    open: ({ sealed, keyId }, of) => {
      const key = keys.get(keyId);
      if (key === undefined) return undefined;
      const bytes = Buffer.from(sealed, 'base64');
      const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, NONCE_BYTES), {
        authTagLength: TAG_BYTES,
      });
      decipher.setAAD(Buffer.from(of)).setAuthTag(bytes.subarray(-TAG_BYTES));
      return decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES), undefined, 'utf8') + decipher.final('utf8');
    },
  };
}
