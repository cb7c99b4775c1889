/**
 * The contract as a collection and an environment for Postman, by openapi-to-postmanv2. Running the whole collection
 * signs in and reads everything, with ids that it has seen in lists. What changes something is sent only where the
 * environment says so.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import converter from 'openapi-to-postmanv2';

const [, , source, folder] = process.argv;
const data = await readFile(source, 'utf8');
const { result, reason, output } = await promisify(converter.convertV2.bind(converter))(
  { type: 'string', data },
  { folderStrategy: 'Tags', parametersResolution: 'Example', enableOptionalParameters: false },
);
if (!result) throw new Error(reason);
const collection = output[0].data;

const script = (listen, lines) => ({ listen, script: { type: 'text/javascript', exec: lines } });
const LOGIN = 'Log in';

function prepare(request, tag) {
  const { method, url, header } = request.request;
  request.event = [];
  request.response = [];
  // Of examples, only those of the body are of use: these are left out of what is sent.
  request.request.header = header.filter(({ disabled }) => !disabled);
  for (const variable of url.variable) {
    if (variable.key === 'id') variable.value = `{{${tag}.id}}`;
    if (variable.key === 'name') variable.value = '{{picture}}';
  }
  if (request.name === LOGIN) {
    request.request.body.raw = JSON.stringify({ username: '{{username}}', password: '{{password}}' }, null, 2);
    request.event.push(
      script('test', [
        "pm.test('signs in', () => pm.response.to.have.status(200));",
        "pm.environment.set('bearerToken', pm.response.json().access);",
      ]),
    );
  } else if (method === 'GET') {
    const isOwn = url.path.at(-2) === 'me';
    const isList = url.variable.length === 0 && url.path.length > 0 && !isOwn;
    // Not everybody is a doctor, or a patient.
    const test = isOwn
      ? "pm.test('answers 200 or 404', () => pm.expect(pm.response.code).to.be.oneOf([200, 404]));"
      : "pm.test('answers 200', () => pm.response.to.have.status(200));";
    request.event.push(
      script('test', [
        test,
        ...(isList
          ? [
              'const body = pm.response.json();',
              'const [first] = body.results ?? (Array.isArray(body) ? body : []);',
              `if (first?.id) pm.environment.set('${tag}.id', first.id);`,
            ]
          : []),
        ...(isList && tag === 'doctors'
          ? ["if (first?.profile) pm.environment.set('picture', first.profile.split('/').pop());"]
          : []),
      ]),
    );
  }
}

for (const { name: tag, item } of collection.item) {
  for (const request of item) prepare(request, tag);
  item.sort((one, other) => Number(other.name === LOGIN) - Number(one.name === LOGIN));
}
collection.info.description = [
  'Choose the environment of a demo (`npm run demo`) or your own, and begin with `Log in`; lists keep the id of their first',
  'record for the requests beside them. Requests that change something are skipped, also when the whole collection is run,',
  'until the environment says `changes` = `on`.',
].join(' ');
collection.event = [
  script('prerequest', [
    `const isSafe = pm.request.method === 'GET' || pm.info.requestName === '${LOGIN}';`,
    "if (!isSafe && pm.environment.get('changes') !== 'on') {",
    "  console.log('Skipped: it changes something. Set changes to on in the environment to send it.');",
    '  pm.execution.skipRequest();',
    '}',
  ]),
];
const values = { baseUrl: 'http://localhost:8000', username: 'staff', password: 'Maple-Ward-12', changes: 'off' };
const environment = {
  name: 'Hospital demo',
  values: Object.entries(values).map(([key, value]) => ({ key, value, enabled: true })),
};
await writeFile(`${folder}/collection.json`, JSON.stringify(collection, null, 2));
await writeFile(`${folder}/environment.json`, JSON.stringify(environment, null, 2));
