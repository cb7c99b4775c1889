import type { FastifyInstance } from 'fastify';
import fp from 'fastify-plugin';

export interface SecurityTxtOptions {
  /** A URI by which whoever finds a weakness reaches the clinic; null: there is no such page. */
  readonly contact: string | null;
  /** Base of absolute URLs, where it is known. */
  readonly publicUrl: string | null;
  readonly now: () => Date;
}

const PATH = '/.well-known/security.txt';

/** Milliseconds for which somebody may rely on it: RFC 9116 asks for less than a year. */
const LIFETIME = 180 * 86_400_000;

/** Tells whoever finds a weakness whom to tell (RFC 9116). */
export default fp(
  function securityTxt(app: FastifyInstance, { contact, publicUrl, now }: SecurityTxtOptions, done) {
    if (contact !== null) {
      // One that is not by https, or not at its origin's root, is none in the sense of the RFC.
      const isCanonical = publicUrl !== null && new URL(publicUrl).origin === publicUrl && /^https:/.test(publicUrl);
      app.get(PATH, (_request, reply) => {
        const expires = new Date(now().getTime() + LIFETIME).toISOString().replace(/T.*/, 'T00:00:00Z');
        const lines = [`Contact: ${contact}`, `Expires: ${expires}`, 'Preferred-Languages: en'];
        if (isCanonical) lines.push(`Canonical: ${publicUrl}${PATH}`);
        return reply.type('text/plain; charset=utf-8').send(`${lines.join('\n')}\n`);
      });
    }
    done();
  },
  { name: 'security-txt', dependencies: ['errors'] },
);
