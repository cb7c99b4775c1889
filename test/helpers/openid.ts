/** An OpenID provider, and a browser that somebody signs in there with. */
import { createSign, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import Provider from 'oidc-provider';
import type { Test } from 'tap';

export const REDIRECT_URI = 'https://app.example.com/signed-in';
export const CLIENT = { id: 'hospital', secret: 'a secret: of the client+, for the provider' };

const client = {
  ...{ redirect_uris: [REDIRECT_URI, `${REDIRECT_URI}/other`], response_types: ['code'] },
  grant_types: ['authorization_code'],
};

/** By how they prove which they are. */
export const CLIENTS = {
  basic: {
    ...{ ...client, client_id: CLIENT.id, client_secret: CLIENT.secret },
    token_endpoint_auth_method: 'client_secret_basic',
  },
  post: {
    ...{ ...client, client_id: CLIENT.id, client_secret: CLIENT.secret },
    token_endpoint_auth_method: 'client_secret_post',
  },
  none: { ...client, client_id: 'public', token_endpoint_auth_method: 'none' },
};

type Json = Record<string, unknown>;

/** Who signs in. */
export interface Somebody {
  readonly sub: string;
  /** By what. */
  readonly amr?: readonly string[];
  readonly acr?: string;
  /** Further claims. */
  readonly claims?: Json;
}

export const newKey = (): KeyObject => generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
const jwkOf = (key: KeyObject, kid: string): Json => ({
  ...key.export({ format: 'jwk' }),
  kid,
  use: 'sig',
  alg: 'RS256',
});

export class OpenIdServer {
  readonly #provider: Provider;
  readonly issuer: string;
  readonly #people = new Map<string, Json>();
  readonly key: KeyObject;
  /** The paths that were asked for. */
  readonly asked: string[] = [];
  /** What is done before a request is answered; an answer of its own, if it gives true. */
  before: (request: IncomingMessage, response: ServerResponse) => unknown = () => undefined;
  /** Changes what is answered to a code. */
  tamper: ((tokens: Json) => Json) | undefined;

  constructor(issuer: string, configuration: object = {}) {
    this.issuer = issuer;
    this.key = newKey();
    this.#provider = new Provider(issuer, {
      clients: [CLIENTS.basic, CLIENTS.none],
      claims: {
        ...{ acr: null, amr: null, openid: ['sub', 'acr', 'amr'], email: ['email', 'email_verified'] },
        profile: ['preferred_username', 'given_name', 'family_name'],
      },
      jwks: { keys: [jwkOf(this.key, 'first')] },
      cookies: { keys: ['a key of the tests'] },
      features: { devInteractions: { enabled: false } },
      interactions: { url: () => '/interaction' },
      pkce: { required: () => true },
      ttl: { AccessToken: 600, AuthorizationCode: 60, Grant: 600, IdToken: 600, Interaction: 600, Session: 600 },
      findAccount: (_context: unknown, id: string) => ({
        accountId: id,
        claims: () => ({ sub: id, ...this.#people.get(id) }),
      }),
      loadExistingGrant: async ({
        oidc,
      }: {
        oidc: { client: { clientId: string }; session: { accountId: string }; provider: Provider };
      }) => {
        const grant = new oidc.provider.Grant({ clientId: oidc.client.clientId, accountId: oidc.session.accountId });
        grant.addOIDCScope('openid email profile');
        await grant.save();
        return grant;
      },
      ...configuration,
    });
  }

  /** Starts one; it stops with the test. */
  static async start(t: Test, configuration: object = {}): Promise<OpenIdServer> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.teardown(() => {
      server.closeAllConnections();
      server.close();
    });
    const provider = new OpenIdServer(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, configuration);
    const answer = provider.#provider.callback();
    server.on('request', (request, response) => {
      const path = request.url?.split('?')[0] ?? '';
      provider.asked.push(path);
      void (async () => {
        if ((await provider.before(request, response)) === true) return;
        if (path === '/interaction') {
          const {
            sub,
            amr,
            acr,
            claims = {},
          } = JSON.parse(decodeURIComponent(String(request.headers['x-somebody']))) as Somebody;
          provider.#people.set(sub, claims);
          const login = { accountId: sub, ...(amr && { amr }), ...(acr !== undefined && { acr }) };
          await provider.#provider.interactionFinished(request, response, { login });
          return;
        }
        const { tamper } = provider;
        if (path === '/token' && tamper !== undefined) {
          const end = response.end.bind(response) as (body: string) => typeof response;
          response.end = ((body: unknown) => {
            const changed = JSON.stringify(tamper(JSON.parse(String(body)) as Json));
            response.setHeader('content-length', Buffer.byteLength(changed));
            return end(changed);
          }) as typeof response.end;
        }
        answer(request, response);
      })();
    });
    return provider;
  }

  /** The environment of a server whose users sign in here. */
  environment(more: Readonly<Record<string, string>> = {}): Record<string, string> {
    return {
      ...{ OIDC_ISSUER: this.issuer, OIDC_CLIENT_ID: CLIENT.id, OIDC_CLIENT_SECRET: CLIENT.secret },
      OIDC_REDIRECT_URIS: REDIRECT_URI,
      ...more,
    };
  }

  /** Goes where a front end sends its user, signs in there, and comes back with what the front end gets. */
  async signIn(url: string, somebody: Somebody): Promise<{ code: string; state: string }> {
    const cookies = new Map<string, string>();
    let at = url;
    while (!at.startsWith('https://app.example.com/')) {
      const headers = {
        cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; '),
        'x-somebody': encodeURIComponent(JSON.stringify(somebody)),
      };
      const answer = await fetch(at, { redirect: 'manual', headers });
      for (const cookie of answer.headers.getSetCookie()) {
        const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(cookie) ?? [];
        if (value === '') cookies.delete(name);
        else cookies.set(name, value);
      }
      const next = answer.headers.get('location');
      if (next === null) throw new Error(`${at} answered ${answer.status}: ${await answer.text()}`);
      at = new URL(next, at).href;
    }
    const { searchParams } = new URL(at);
    return { code: String(searchParams.get('code')), state: String(searchParams.get('state')) };
  }
}

export const claimsIn = (idToken: unknown): Json =>
  JSON.parse(Buffer.from(String(idToken).split('.')[1] as string, 'base64url').toString()) as Json;

/** An ID token with the signature of a key. */
export function signIdToken(claims: Json, key: KeyObject, header: Json = { alg: 'RS256', kid: 'first' }): string {
  const text = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
  return `${text}.${createSign('RSA-SHA256').update(text).sign(key).toString('base64url')}`;
}
