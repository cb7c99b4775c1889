import { createClient as createGenerated } from './generated/client/index.js';
import * as operations from './generated/sdk.gen.js';
import type { RegistrationResult } from './generated/types.gen.js';
import { AnswerError, isProblem, type Outcome } from './outcome.js';
import { createSend } from './send.js';
import { createSession, type Session, type Tokens } from './session.js';

export interface ClientOptions {
  /** Where the API is, like `https://clinic.example.com`. */
  baseUrl: string;
  /** Of an earlier session. `registerUser` and `logIn` begin one, `logOut` ends it. */
  tokens?: Tokens;
  /** Told of new tokens, so that they can be kept, and of undefined when the session has ended. */
  onTokens?: (tokens: Tokens | undefined) => void;
  /** The longest wait, in seconds, that a 429 or 503 may ask for before a request is sent again; 30 by default. */
  maxWait?: number;
  fetch?: (request: Request) => Promise<Response>;
}

type Operations = typeof operations;
type Name = Exclude<keyof Operations, 'Options'>;
type OptionsOf<F> = F extends (options: infer O) => unknown
  ? Omit<Exclude<O, undefined>, 'client' | 'throwOnError' | 'url'>
  : never;
type ResultOf<F> = F extends (options: never) => Promise<infer R> ? R : never;
type OutcomeOf<R> = Outcome<
  Exclude<R, { data: undefined }> extends { data: infer T } ? T : never,
  Extract<R, { data: undefined }> extends { error: infer E } ? E : never
>;
type Call<F> = F extends () => unknown
  ? (options?: OptionsOf<F>) => Promise<OutcomeOf<ResultOf<F>>>
  : (options: OptionsOf<F>) => Promise<OutcomeOf<ResultOf<F>>>;

/** Each operation of the API by its operationId, and the session. */
export type Client = { readonly [K in Name]: Call<Operations[K]> } & { readonly session: Pick<Session, 'tokens'> };

interface Answered {
  data?: unknown;
  error?: unknown;
  response?: Response;
}

export function createClient(options: ClientOptions): Client {
  const fetch = options.fetch ?? ((request) => globalThis.fetch(request));
  const baseUrl = options.baseUrl.replace(/\/+$/, '');
  const session: Session = createSession(
    options.tokens,
    (tokens) => options.onTokens?.(tokens),
    (refresh) =>
      send(
        new Request(`${baseUrl}/api/user/token/refresh/`, {
          method: 'POST',
          headers: { 'Content-Type': 'application/json' },
          body: JSON.stringify({ refresh }),
        }),
      ),
  );
  const send = createSend({ fetch, maxWait: options.maxWait ?? 30, session: () => session });
  const client = createGenerated({
    baseUrl,
    auth: () => session.tokens?.access,
    fetch: (request) => send(new Request(request)),
  });

  const afterwards: Partial<Record<Name, (data: unknown) => void>> = {
    registerUser: (data) => session.change((data as RegistrationResult).tokens),
    logIn: (data) => session.change(data as Tokens),
    logOut: () => session.change(undefined),
  };
  const call =
    (name: Name) =>
    async (given: object = {}): Promise<Outcome<unknown, unknown>> => {
      const operation = operations[name] as (options: object) => Promise<Answered>;
      const { data, error, response } = await operation({ ...given, client });
      // The network failed.
      if (response === undefined) throw error;
      if (error !== undefined && !isProblem(error)) throw new AnswerError(response);
      if (error !== undefined) return { data: undefined, error, etag: null, response };
      afterwards[name]?.(data);
      return { data, error: undefined, etag: response.headers.get('ETag'), response };
    };
  const calls = Object.keys(operations).map((name) => [name, call(name as Name)]);
  return { ...(Object.fromEntries(calls) as Omit<Client, 'session'>), session } as Client;
}
