import type { FastifyInstance } from 'fastify';
import fp from 'fastify-plugin';

export interface AnswerHeadersOptions {
  /** Whose pages may call and read: any origin's, or those of the listed ones. */
  readonly origins: true | readonly string[];
}

/**
 * What browsers are told of every answer, after OWASP's "REST Security Cheat Sheet" (section "Security Headers"): none is
 * a document of its own, but for the pages of Swagger UI, which bring their own policy.
 */
const SECURITY = {
  'content-security-policy': "default-src 'none';frame-ancestors 'none'",
  // Pictures and answers are for other origins' pages as well; CORS decides who reads them.
  'cross-origin-resource-policy': 'cross-origin',
  'referrer-policy': 'no-referrer',
  'strict-transport-security': 'max-age=31536000; includeSubDomains',
  'x-content-type-options': 'nosniff',
};

/** What the pages of allowed origins are told besides their name. Front ends in the field send `credentials: 'include'`. */
const SHARED = {
  vary: 'Origin',
  'access-control-allow-credentials': 'true',
  'access-control-expose-headers': [
    ...['ETag', 'Link', 'Location', 'Retry-After', 'X-Request-Id', 'Idempotent-Replayed', 'Preference-Applied'],
    ...['RateLimit', 'RateLimit-Policy', 'RateLimit-Limit', 'RateLimit-Remaining', 'RateLimit-Reset'],
  ].join(', '),
};

const PREFLIGHT = {
  vary: 'Origin, Access-Control-Request-Headers',
  'access-control-allow-methods': 'GET, HEAD, POST, PUT, PATCH, DELETE',
  'access-control-max-age': '600',
};

/** Gives the headers that every answer to a page of an origin has, and those to requests of no page. */
export type AnswerHeaders = (origin: string | undefined) => Readonly<Record<string, string>>;

const isShared = ({ origins }: AnswerHeadersOptions): boolean => origins === true || origins.length > 0;

export function answerHeaders(options: AnswerHeadersOptions): AnswerHeaders {
  const { origins } = options;
  const always = { ...SECURITY, ...(isShared(options) && SHARED) };
  // What calls itself null may be any page that a sandbox holds: it reads what everybody can, and as nobody.
  const { 'access-control-allow-credentials': _, ...toAnybody } = {
    ...always,
    ...SHARED,
    'access-control-allow-origin': '*',
  };
  return (origin) => {
    if (origin === undefined || !(origins === true || origins.includes(origin))) return always;
    return origin === 'null' ? toAnybody : { ...always, 'access-control-allow-origin': origin };
  };
}

/** Sets these headers, and answers what browsers ask before they send another origin's request. */
export default fp(
  function setAnswerHeaders(app: FastifyInstance, options: AnswerHeadersOptions, done) {
    const headersFor = answerHeaders(options);
    const answersPreflights = isShared(options);
    app.addHook('onRequest', (request, reply, next) => {
      const { headers, method } = request;
      reply.headers(headersFor(headers.origin));
      if (method !== 'OPTIONS' || !answersPreflights) {
        // Tokens, and what is answered to them, stay out of caches (RFC 9111, section 5.2.2.5; RFC 6749, section 5.1): a browser
        // that many share, as on a ward, would show it to whoever comes next.
        const isPrivate = headers.authorization !== undefined || (method !== 'GET' && method !== 'HEAD');
        if (isPrivate) reply.header('cache-control', 'no-store');
        next();
        return;
      }
      const asked = headers['access-control-request-headers'];
      if (asked !== undefined) reply.header('access-control-allow-headers', asked);
      void reply.code(204).headers(PREFLIGHT).send();
    });
    done();
  },
  { name: 'answer-headers' },
);
