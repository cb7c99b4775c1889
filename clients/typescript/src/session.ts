export interface Tokens {
  access: string;
  refresh: string;
}

export interface Session {
  readonly tokens: Tokens | undefined;
  change(tokens: Tokens | undefined): void;
  /**
   * Gets a new access token in the place of one that was refused, once for all that ask meanwhile; none for a token of an
   * earlier session, whose request was not that of whoever has signed in since.
   */
  renew(refused: string): Promise<string | undefined>;
}

export function createSession(
  tokens: Tokens | undefined,
  onChange: (tokens: Tokens | undefined) => void,
  refresh: (token: string) => Promise<Response>,
): Session {
  let renewal: Promise<void> | undefined;
  /** The access tokens that this session has had. */
  const own = new Set([tokens?.access]);
  const keep = (changed: Tokens | undefined) => {
    own.add(changed?.access);
    tokens = changed;
    onChange(changed);
  };
  const change = (changed: Tokens | undefined) => {
    if (changed?.refresh !== tokens?.refresh) own.clear();
    keep(changed);
  };
  const ask = async ({ refresh: token }: Tokens): Promise<void> => {
    const response = await refresh(token);
    // Somebody else may have signed in or out meanwhile.
    if (tokens?.refresh !== token) return;
    if (response.ok) {
      // The refresh token has a successor where the server rotates them.
      keep({ refresh: token, ...((await response.json()) as { access: string; refresh?: string }) });
    } else if (response.status === 401) change(undefined);
  };
  return {
    get tokens() {
      return tokens;
    },
    change,
    async renew(refused) {
      if (tokens?.access === refused) {
        renewal ??= ask(tokens).finally(() => (renewal = undefined));
        await renewal;
      }
      return own.has(refused) && tokens?.access !== refused ? tokens?.access : undefined;
    },
  };
}
