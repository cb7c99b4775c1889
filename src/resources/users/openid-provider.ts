/**
 * The OpenID provider that users may sign in by. Its own addresses, which its metadata names, are all that is ever asked, and
 * no redirect is followed. What it says of somebody is believed when the ID token has its signature and is of this flow.
 * Only a server that has one loads this file, and with it the library.
 */
import * as openid from 'openid-client';
import { ProblemError } from '../../../openapi/problem-error.js';
import type { OidcConfig } from '../../config.js';

/** Milliseconds that an answer waits for the provider, in all. */
const PATIENCE = 5_000;
/** Milliseconds that the provider's metadata are trusted; its keys are looked up anew when one is unknown. */
const METADATA_TTL = 3_600_000;

/** Ways to sign in that are a second factor, or have one (RFC 8176). */
const SECOND_FACTORS = new Set(['mfa', 'otp', 'hwk']);

/** Why an ID token, or the code for it, is not believed. All else is a fault of the provider's or the operator's. */
const REFUSALS = new Set([
  ...['invalid_grant', 'OAUTH_INVALID_RESPONSE', 'OAUTH_JWT_CLAIM_COMPARISON_FAILED'],
  ...['OAUTH_JWT_TIMESTAMP_CHECK_FAILED', 'OAUTH_KEY_SELECTION_FAILED', 'OAUTH_UNSUPPORTED_OPERATION'],
]);

/** What ties an answer of the provider's to what was asked. */
export interface Flow {
  readonly redirectUri: string;
  readonly nonce: string;
  /** Of PKCE (RFC 7636). */
  readonly verifier: string;
}

/** What a provider says of somebody. */
export type Claims = Readonly<Record<string, unknown>>;

/** Somebody whom the provider has confirmed. */
export interface Confirmed {
  readonly issuer: string;
  readonly subject: string;
  /** Whether it was by more than a password. */
  readonly hasSecondFactor: boolean;
  /** All that the provider tells of the person. */
  readonly profile: () => Promise<Claims>;
}

export interface OpenIdProvider extends Pick<OidcConfig, 'redirectUris' | 'createUsers'> {
  /** A new flow, of random values. */
  begin(redirectUri: string): Flow;
  /**
   * The URL at which somebody signs in.
   * @throws ProviderAway
   */
  urlOf(flow: Flow, state: string): Promise<string>;
  /**
   * Exchanges a code.
   * @returns undefined where the provider does not confirm it, or what it says can not be believed
   * @throws ProviderAway
   */
  confirm(flow: Flow, code: string): Promise<Confirmed | undefined>;
}

declare module 'fastify' {
  interface Visit {
    /** Null where users do not sign in by one. */
    readonly oidc: OpenIdProvider | null;
  }
}

class ProviderAway extends ProblemError {
  constructor() {
    super('unavailable', 'The OpenID provider can not be reached at the moment.', {}, { 'retry-after': '5' });
  }
}

interface Log {
  warn(details: object, message: string): void;
}

/** By the way that every provider has to know, unless it says that it does not. */
const secretOf = (secret: string): openid.ClientAuth => {
  const [basic, post] = [openid.ClientSecretBasic(secret), openid.ClientSecretPost(secret)];
  return (server, ...request) => {
    const { token_endpoint_auth_methods_supported: known = ['client_secret_basic'] } = server;
    return (known.includes('client_secret_basic') ? basic : post)(server, ...request);
  };
};

/** An error's own code, or that of what it came from: no text, which may have in it what nobody is to read. */
function reasonOf(error: unknown): string {
  const { error: ofBody, code, cause, name } = error as Error & { error?: unknown; code?: unknown };
  const own = [ofBody, code].find((each) => typeof each === 'string');
  return own ?? (cause instanceof Error ? reasonOf(cause) : name);
}

/** @param log is told why somebody can not sign in, without whom */
export function openIdProvider(config: OidcConfig, log: Log): OpenIdProvider {
  const { clientId, clientSecret, mfaAcr } = config;
  const issuer = new URL(config.issuer);
  const execute = [openid.enableNonRepudiationChecks];
  if (issuer.protocol === 'http:') execute.push(openid.allowInsecureRequests);

  let known: { readonly metadata: Promise<openid.Configuration>; readonly until: number } | undefined;
  function discover(): Promise<openid.Configuration> {
    if (known !== undefined && performance.now() < known.until) return known.metadata;
    const auth = clientSecret === null ? openid.None() : secretOf(clientSecret);
    const options = { execute, timeout: PATIENCE / 1000 };
    const metadata = openid.discovery(issuer, clientId, undefined, auth, options);
    const mine = (known = { metadata, until: performance.now() + METADATA_TTL });
    metadata.catch(() => {
      if (known === mine) known = undefined;
    });
    return metadata;
  }

  /** Waits for the provider, for no longer than is left of the time of an answer. */
  function patience(): <T>(asked: Promise<T>) => Promise<T | undefined> {
    const ends = performance.now() + PATIENCE;
    return async (asked) => {
      let timer: NodeJS.Timeout | undefined;
      const tooLate = new Promise<never>((_resolve, reject) => {
        timer = setTimeout(() => reject(new DOMException('', 'TimeoutError')), ends - performance.now());
      });
      try {
        return await Promise.race([asked, tooLate]);
      } catch (error) {
        const reason = reasonOf(error);
        const isRefusal = REFUSALS.has(reason);
        log.warn(
          { reason },
          isRefusal ? 'a sign-in by OpenID Connect was refused' : 'the OpenID provider does not answer as it should',
        );
        if (isRefusal) return undefined;
        throw new ProviderAway();
      } finally {
        clearTimeout(timer);
      }
    };
  }

  async function exchange({ redirectUri, nonce, verifier }: Flow, code: string) {
    const server = await discover();
    const answer = new URL(redirectUri);
    answer.searchParams.set('code', code);
    // There is one provider, so it need not be told which it was (RFC 9207).
    const metadata = server.serverMetadata();
    if (metadata.authorization_response_iss_parameter_supported === true)
      answer.searchParams.set('iss', metadata.issuer);
    const checks = { pkceCodeVerifier: verifier, expectedNonce: nonce, idTokenExpected: true };
    const tokens = await openid.authorizationCodeGrant(server, answer, checks);
    return { server, token: tokens.access_token, claims: tokens.claims() as openid.IDToken };
  }

  return {
    redirectUris: config.redirectUris,
    createUsers: config.createUsers,
    begin: (redirectUri) => ({
      redirectUri,
      nonce: openid.randomNonce(),
      verifier: openid.randomPKCECodeVerifier(),
    }),
    urlOf: async ({ redirectUri, nonce, verifier }, state) => {
      const server = await patience()(discover());
      if (server === undefined) throw new ProviderAway();
      const challenge = await openid.calculatePKCECodeChallenge(verifier);
      return openid.buildAuthorizationUrl(server, {
        ...{ redirect_uri: redirectUri, scope: config.scopes, state, nonce },
        ...{ code_challenge: challenge, code_challenge_method: 'S256' },
      }).href;
    },
    confirm: async (flow, code) => {
      const wait = patience();
      const answer = await wait(exchange(flow, code));
      if (answer === undefined) return undefined;
      const { server, token, claims } = answer;
      const { iss, sub, amr, acr } = claims;
      const ways = Array.isArray(amr) ? amr : [];
      return {
        issuer: iss,
        subject: sub,
        hasSecondFactor: ways.some((way) => SECOND_FACTORS.has(way as string)) || mfaAcr.includes(acr as string),
        profile: async () => {
          if (server.serverMetadata().userinfo_endpoint === undefined) return claims;
          return { ...claims, ...(await wait(openid.fetchUserInfo(server, token, sub))) };
        },
      };
    },
  };
}
