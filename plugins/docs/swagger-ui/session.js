/** The session of whoever is signed in on the page: how it begins, goes on and ends. */
import { at } from './root.js';

const LOGIN = at('/api/user/login/');
const REFRESH = at('/api/user/token/refresh/');
const REGISTER = at('/api/user/register/');
const LOGOUT = at('/api/user/logout/');
const SCHEME = 'bearerAuth';
const ENDED = 'Session ended, log in again';
/** Seconds before its end from which a token is exchanged for a new one. */
const MARGIN = 60;
/** The longest time in milliseconds that a browser's timer takes. */
const LONGEST = 2 ** 31 - 1;

/** Swagger UI's parts, from when it starts. */
let system;
let endTimer;

const post = (path, body) =>
  fetch(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });

const withoutScheme = (token) => token.replace(/^(Bearer\s+)+/i, '').trim();

// Both for this tab alone, in which they outlive a reload: two tabs may be two users'.
const refreshToken = () => sessionStorage.getItem('refresh');
const accessToken = () => sessionStorage.getItem('access');

/** When a token ends, in seconds since 1970; never, for what is no token of this server's. */
function endOf(token) {
  try {
    const [, payload] = withoutScheme(token).split('.');
    return JSON.parse(atob(payload.replaceAll('-', '+').replaceAll('_', '/'))).exp ?? Infinity;
  } catch {
    return Infinity;
  }
}

/** Holds an access token from now on, without an end to the session that it belongs to. */
function hold(access) {
  const schema = system.specSelectors.securityDefinitions().get(SCHEME);
  system.authActions.authorize({ [SCHEME]: { name: SCHEME, schema, value: access } });
}

/** Goes on with the session that the tab had before a reload. */
export function resume() {
  const access = accessToken();
  if (access !== null) hold(access);
}

/** @param username whose session it is, where that is known */
function begin({ refresh, access }, username) {
  sessionStorage.setItem('refresh', refresh);
  hold(access);
  system.sessionActions.setUser(username);
}

function end() {
  sessionStorage.removeItem('refresh');
  system.authActions.logout([SCHEME]);
  system.sessionActions.setEnded(true);
}

/** Has a new access token in the place of the one it has; ends the session where the server says that it has ended. */
async function exchange() {
  const refresh = refreshToken();
  // What fails on the way may succeed the next time.
  const answer = refresh === null ? { status: 401 } : await post(REFRESH, { refresh }).catch(() => ({}));
  // Somebody else may have signed in meanwhile, or nobody.
  if (refreshToken() !== refresh) return;
  if (answer.ok) hold((await answer.json()).access);
  else if (answer.status === 401) end();
}

/** Says in time that a token has ended which nothing can renew. */
function watch() {
  clearTimeout(endTimer);
  const token = accessToken();
  if (token === null) return;
  const left = endOf(token) * 1000 - Date.now();
  endTimer = setTimeout(
    () => {
      if (left > LONGEST) watch();
      else if (refreshToken() === null) end();
    },
    Math.min(left, LONGEST),
  );
}

/** @returns what went wrong, for people; undefined where nothing did */
export async function logIn(username, password) {
  try {
    const answer = await post(LOGIN, { username, password });
    const body = await answer.json();
    if (!answer.ok) return body.errors === undefined ? body.detail : Object.entries(body.errors).flat(2).join(' ');
    begin(body, username);
  } catch {
    return 'The server does not answer.';
  }
}

/** Who is signed in, for people. */
function standing() {
  if (system.sessionSelectors.hasEnded()) return ENDED;
  if (accessToken() === null) return '';
  const user = system.sessionSelectors.user();
  return user === '' ? 'Signed in.' : `Signed in as ${user}.`;
}

/** When the last request to each URL was sent, in milliseconds, and with which token. */
const sent = new Map();

/** Sends a token as it is meant, where somebody has pasted the whole header, and a new one where it is about to end. */
async function renew(request) {
  const given = request.headers?.Authorization;
  if (given === undefined) return null;
  let token = withoutScheme(given);
  const refresh = refreshToken();
  if (refresh !== null && Date.now() / 1000 > endOf(token) - MARGIN) {
    await exchange();
    if (refreshToken() === refresh) token = accessToken();
  }
  request.headers.Authorization = `Bearer ${token}`;
  return token;
}

export async function prepare(request) {
  const token = await renew(request);
  sent.set(request.url, { token, time: Date.now() });
  return request;
}

/** Signs in whoever logs in or registers by an operation, and notices that a token is no good any more. */
export async function notice(response) {
  const { token, time } = sent.get(response.url);
  // Swagger UI itself takes the time of what succeeds alone.
  response.duration = Date.now() - time;
  const path = new URL(response.url, document.baseURI).pathname;
  if (response.ok && [LOGIN, REGISTER].includes(path)) {
    const body = JSON.parse(response.text);
    begin(body.tokens ?? body, body.user?.username);
  }
  // By the clock of this machine it may be good for long.
  if (response.status === 401 && token !== null && token === accessToken()) await exchange();
  return response;
}

/** The fields by which one logs in, above that for a token. */
function LogIn({ React }) {
  const h = React.createElement;
  const first = React.useRef(null);
  const [username, setUsername] = React.useState('');
  const [password, setPassword] = React.useState('');
  const [fault, setFault] = React.useState();
  const [isBusy, setBusy] = React.useState(false);
  // The field for a token takes the focus as it appears.
  React.useEffect(() => first.current.focus(), []);

  const submit = async () => {
    setBusy(true);
    setFault(await logIn(username, password));
    setBusy(false);
  };
  const field = (id, label, attributes) =>
    h('div', { className: 'field' }, h('label', { htmlFor: id }, label), h('input', { id, ...attributes }));
  // Not a form: it stands in that of the token.
  const onKeyDown = (event) => {
    if (event.key !== 'Enter') return;
    event.preventDefault();
    void submit();
  };
  return h(
    'div',
    { className: 'log-in', role: 'group', 'aria-label': 'Log in', onKeyDown },
    field('log-in-username', 'User name', {
      ref: first,
      type: 'text',
      autoComplete: 'username',
      autoCapitalize: 'none',
      value: username,
      onChange: (event) => setUsername(event.target.value),
    }),
    field('log-in-password', 'Password', {
      type: 'password',
      autoComplete: 'current-password',
      value: password,
      onChange: (event) => setPassword(event.target.value),
    }),
    h('button', { type: 'button', className: 'btn execute', disabled: isBusy, onClick: submit }, 'Log in'),
    h('p', { className: 'fault', role: 'alert' }, fault),
    h('p', null, 'Or paste an access token, with or without the word Bearer:'),
  );
}

/** Who can log in to a demo, each with a button that does it. */
function Accounts({ React, accounts }) {
  const h = React.createElement;
  const [fault, setFault] = React.useState();
  const rows = accounts.map(({ username, password, who }) =>
    h(
      'tr',
      { key: username },
      h('td', null, h('code', null, username)),
      h('td', null, h('code', null, password)),
      h('td', null, who),
      h(
        'td',
        null,
        h(
          'button',
          {
            type: 'button',
            className: 'btn',
            onClick: async () => setFault(await logIn(username, password)),
          },
          `Log in as ${username}`,
        ),
      ),
    ),
  );
  const head = ['User name', 'Password', 'Who', ''].map((name) =>
    name === '' ? h('td', { key: name }) : h('th', { key: name, scope: 'col' }, name),
  );
  return h(
    'section',
    { className: 'accounts', 'aria-label': "The demo's accounts" },
    h('h2', null, 'This is a demo'),
    h('p', null, 'All people and records in it are made up. Its accounts:'),
    h('table', null, h('thead', null, h('tr', null, head)), h('tbody', null, rows)),
    h('p', { className: 'fault', role: 'alert' }, fault),
  );
}

/** @param accounts of the demo; none elsewhere */
export const sessionPlugin = (accounts) => (parts) => {
  system = parts;
  const { React } = parts;
  const h = React.createElement;
  return {
    statePlugins: {
      session: {
        actions: {
          setEnded: (isEnded) => ({ type: 'session_set_ended', payload: isEnded }),
          setUser: (username = '') => {
            sessionStorage.setItem('username', username);
            return { type: 'session_set_user', payload: username };
          },
        },
        reducers: {
          session_set_ended: (state, { payload }) => state.set('hasEnded', payload),
          session_set_user: (state, { payload }) => state.set('user', payload),
        },
        selectors: {
          hasEnded: (state) => state.get('hasEnded', false),
          user: (state) => state.get('user', sessionStorage.getItem('username') ?? ''),
        },
      },
      auth: {
        wrapActions: {
          authorize: (original) => (payload) => {
            // Of a field that was left empty there is nothing.
            const given = payload[SCHEME]?.value;
            if (given !== undefined) sessionStorage.setItem('access', withoutScheme(given));
            const result = original(payload);
            system.sessionActions.setEnded(false);
            watch();
            return result;
          },
          logout: (original) => (payload) => {
            const refresh = refreshToken();
            sessionStorage.removeItem('refresh');
            sessionStorage.removeItem('access');
            system.sessionActions.setUser();
            clearTimeout(endTimer);
            // Nothing depends on its answer: without the tokens the page is signed out.
            if (refresh !== null) post(LOGOUT, { refresh }).catch(() => undefined);
            return original(payload);
          },
        },
      },
    },
    wrapComponents: {
      InfoContainer: (Original) =>
        function Introduction(props) {
          return h(React.Fragment, null, h(Original, props), accounts.length > 0 && h(Accounts, { React, accounts }));
        },
      HttpAuth: (Original) =>
        function LogInOrToken(props) {
          const isSignedIn = props.authorized?.get(SCHEME) !== undefined;
          return h(React.Fragment, null, !isSignedIn && h(LogIn, { React }), h(Original, props));
        },
      authorizeBtn: (Original) =>
        function AuthorizeButton(props) {
          const className = system.sessionSelectors.hasEnded() ? 'ended' : 'signed-in';
          return h(React.Fragment, null, h('p', { className, role: 'status' }, standing()), h(Original, props));
        },
      authorizeOperationBtn: (Original) =>
        function Lock(props) {
          if (!system.sessionSelectors.hasEnded()) return h(Original, props);
          return h('span', { className: 'ended', title: ENDED }, h(Original, props));
        },
    },
  };
};
