/** Swagger UI over this server's contract, in a browser. */

const LOGIN = '/api/user/login/';
const REFRESH = '/api/user/token/refresh/';
const REGISTER = '/api/user/register/';
/** Seconds before its end from which a token is exchanged for a new one. */
const MARGIN = 60;

/** The contract as a tester needs it: of this server, and with no record chosen where a request changes or removes it. */
function forTesters(contract) {
  const resolve = (parameter) =>
    parameter.$ref === undefined ? parameter : contract.components.parameters[parameter.$ref.split('/').at(-1)];
  for (const item of Object.values(contract.paths)) {
    const { parameters: shared = [], ...operations } = item;
    delete item.parameters;
    for (const [method, operation] of Object.entries(operations)) {
      const changes = ['put', 'patch', 'delete'].includes(method);
      const chosen = shared.map(resolve).map((each) => (changes ? { ...each, example: undefined } : each));
      operation.parameters = [...chosen, ...(operation.parameters ?? [])];
    }
  }
  return { ...contract, servers: [{ url: '/' }] };
}

/** Keeps the operations in whose names, paths or summaries each word of the phrase is found, whatever its case. */
function filterOperations(groups, phrase) {
  const words = phrase.toLowerCase().split(/\s+/).filter(Boolean);
  const fits = (tag) => (operation) => {
    const parts = [['path'], ['method'], ['operation', 'operationId'], ['operation', 'summary']];
    const text = [tag, ...parts.map((part) => operation.getIn(part))].join(' ').toLowerCase();
    return words.every((word) => text.includes(word));
  };
  return groups
    .map((group, tag) => group.update('operations', (operations) => operations.filter(fits(tag))))
    .filter((group) => group.get('operations').size > 0);
}

/** The tokens of the session that the page has seen begin. */
let refresh;
let endsAt = Infinity;

function signIn(access) {
  ui.preauthorizeApiKey('bearerAuth', access);
  const payload = JSON.parse(atob(access.split('.')[1].replaceAll('-', '+').replaceAll('_', '/')));
  endsAt = payload.exp;
}

/** Sends a token as it is meant, where somebody has pasted the whole header, and a new one where it is about to end. */
async function prepare(request) {
  const given = request.headers?.Authorization;
  if (given === undefined) return request;
  let token = given.replace(/^(Bearer\s+)+/i, '').trim();
  if (refresh !== undefined && Date.now() / 1000 > endsAt - MARGIN) {
    const answer = await fetch(REFRESH, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ refresh }),
    });
    if (answer.ok) {
      token = (await answer.json()).access;
      signIn(token);
    }
  }
  request.headers.Authorization = `Bearer ${token}`;
  return request;
}

/** Signs in whoever logs in or registers on the page. */
function notice(response) {
  const path = new URL(response.url, document.baseURI).pathname;
  if (!response.ok || ![LOGIN, REGISTER].includes(path)) return response;
  const { tokens, ...body } = JSON.parse(response.text);
  ({ refresh } = tokens ?? body);
  signIn((tokens ?? body).access);
  return response;
}

const theme = document.getElementById('theme');
function show(isDark) {
  document.documentElement.classList.toggle('dark-mode', isDark);
  theme.textContent = isDark ? 'Light mode' : 'Dark mode';
}
show(localStorage.getItem('theme') === 'dark');
theme.addEventListener('click', () => {
  const isDark = !document.documentElement.classList.contains('dark-mode');
  localStorage.setItem('theme', isDark ? 'dark' : 'light');
  show(isDark);
});

const contract = await (await fetch('/openapi.json')).json();
const ui = SwaggerUIBundle({
  spec: forTesters(contract),
  dom_id: '#swagger-ui',
  deepLinking: true,
  docExpansion: 'list',
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  filter: true,
  persistAuthorization: true,
  tryItOutEnabled: true,
  validatorUrl: null,
  requestInterceptor: prepare,
  responseInterceptor: notice,
  plugins: [() => ({ fn: { opsFilter: filterOperations } })],
});
