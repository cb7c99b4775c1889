/** What clients, and the generators that they use, may rely on in the contract file. */
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { readFileSync } from 'node:fs';
import t from 'tap';
import { isScalar, parse, parseDocument, visit } from 'yaml';
import { examplesOf, type Shown } from '../../openapi/examples.js';

type Json = Record<string, unknown>;
interface Schema extends Json {
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly oneOf?: readonly { readonly $ref: string }[];
  readonly discriminator?: { readonly mapping: Readonly<Record<string, string>> };
}
interface Problem extends Json {
  readonly type: string;
  readonly title: string;
  readonly status: number;
}

const root = new URL('../../../', import.meta.url);
const text = readFileSync(new URL('openapi/openapi.yaml', root), 'utf8');
const document = parse(text) as {
  info: { version: string };
  servers: { url: string }[];
  tags: { name: string }[];
  paths: Json;
  'x-problems': Record<string, { title: string; status: number }>;
  components: { schemas: Record<string, Schema> } & Record<string, Record<string, Json>>;
};
const { schemas } = document.components;

/** Every value of the document with its place, from the outside inwards. */
function* values(value: unknown, place: string): Generator<[place: string, value: Json]> {
  if (typeof value !== 'object' || value === null) return;
  yield [place, value as Json];
  for (const [key, inner] of Object.entries(value)) yield* values(inner, `${place}/${key}`);
}
const all = [...values(document, '#')];

/** The examples that stand beside a schema, and those inside a schema, with the schema that each has to meet. */
const examples = all.flatMap(([place, value]) => {
  const { schema, $ref, type } = value;
  const own =
    schema ?? (typeof type === 'string' || Array.isArray(type) ? all.find(([at]) => at === place)?.[1] : undefined);
  if (own === undefined || $ref !== undefined) return [];
  const values = schema === undefined ? ((value['examples'] ?? []) as unknown[]) : examplesOf(document, value as Shown);
  return values.map((value) => ({
    place,
    value,
    schema: own as Schema,
  }));
});

t.test(
  'readers of YAML 1.1 can read it: no alias, and no question mark that is not quoted in a flow collection',
  (t) => {
    const faults: string[] = [];
    visit(parseDocument(text), {
      Alias: (_key, alias) => void faults.push(`*${alias.source}`),
      Collection: (_key, collection) => {
        if (collection.flow !== true) return;
        visit(collection, {
          Scalar: (_name, scalar) =>
            void (
              isScalar(scalar) &&
              scalar.type === 'PLAIN' &&
              /\?/.test(String(scalar.value)) &&
              faults.push(String(scalar.value))
            ),
        });
      },
    });
    t.strictSame(faults, []);
    t.end();
  },
);

t.test('each example is valid', (t) => {
  const ajv = new Ajv2020({ strict: false, allErrors: true });
  addFormats.default(ajv);
  ajv.addSchema({ $id: 'contract', components: document.components });
  t.ok(examples.length > 100);
  for (const { place, value, schema } of examples) {
    const validate = ajv.compile(JSON.parse(JSON.stringify(schema).replaceAll('"#/', '"contract#/')) as Json);
    t.ok(validate(value), `${place}: ${ajv.errorsText(validate.errors)}`);
  }
  t.end();
});

t.test('an example that is shown more than once stands in the components, and all of those are shown', (t) => {
  const shown = all.flatMap(([place, value]) => {
    if (value['schema'] === undefined) return [];
    const { example, examples: several = {} } = value as Shown;
    return [{ value: example, $ref: undefined }, ...Object.values(several)].map((one) => ({ ...one, place }));
  });
  const inline = shown.filter(({ value, $ref }) => $ref === undefined && typeof value === 'object');
  const places = new Map(inline.map(({ value, place }) => [JSON.stringify(value), place]));
  t.strictSame(
    inline.filter(({ value, place }) => places.get(JSON.stringify(value)) !== place).map(({ place }) => place),
    [],
  );
  t.strictSame(
    new Set(shown.map(({ $ref }) => $ref).filter((ref) => ref !== undefined)),
    new Set(Object.keys(document.components['examples'] ?? {}).map((name) => `#/components/examples/${name}`)),
  );
  t.end();
});

t.test('each example of a problem is as its type is documented', (t) => {
  const shown = examples
    .map(({ value }) => value as Problem)
    .filter(({ type }) => String(type).startsWith('/problems/'));
  t.strictSame(
    new Set(shown.map(({ type }) => type)),
    new Set(Object.keys(document['x-problems']).map((slug) => `/problems/${slug}`)),
  );
  for (const { type, title, status } of shown) {
    t.match(document['x-problems'][type.slice('/problems/'.length)], { title, status }, type);
  }
  t.end();
});

t.test('groups and what is in them come in the order of the guide', (t) => {
  const { tags, paths } = document;
  t.strictSame(
    tags.map(({ name }) => name),
    [
      ...['users', 'profiles', 'patients', 'doctors', 'designations', 'specialisations', 'available-times'],
      // What was added stands beside what it is about.
      ...['reviews', 'appointments', 'holds', 'waiting-list', 'time-off', 'services', 'contacts'],
      ...['audit-events', 'service-keys', 'clinic', 'files'],
    ],
  );
  t.strictSame(Object.keys(paths).slice(0, 4), [
    ...['/api/user/register/', '/api/user/login/', '/api/user/logout/', '/api/user/token/refresh/'],
  ]);
  t.end();
});

t.test('each problem of a union is a Problem of the type by which the union tells it', (t) => {
  const unions = Object.entries(schemas).filter(([, { oneOf }]) => oneOf !== undefined);
  t.ok(unions.length > 0);
  for (const [name, { oneOf = [], discriminator }] of unions) {
    t.strictSame(new Set(Object.values(discriminator?.mapping ?? {})), new Set(oneOf.map(({ $ref }) => $ref)), name);
    for (const [type, ref] of Object.entries(discriminator?.mapping ?? {})) {
      const { properties = {}, required = [] } = schemas[ref.split('/').at(-1) ?? ''] ?? {};
      t.strictSame(properties['type']?.['enum'], [type], `${name} ${type}`);
      for (const [field, schema] of Object.entries(schemas['Problem']?.properties ?? {})) {
        if (field === 'type' || properties[field] === undefined) continue;
        const { description, ...rest } = properties[field];
        t.match(schema, rest, `${name} ${field}: ${description}`);
      }
      for (const field of schemas['Problem']?.required ?? []) t.ok(required.includes(field), `${name} ${field}`);
    }
  }
  t.end();
});

t.test('everything is described: operations, parameters, headers, answers, schemas and their properties', (t) => {
  for (const [place, { description, $ref }] of all) {
    const isNamed = /^#\/components\/(schemas|responses|parameters|headers)\/\w+$/.test(place);
    const isProperty = /^#\/components\/schemas\/\w+\/properties\/\w+$/.test(place);
    const isPart = /^#\/paths\/.*\/(get|put|post|patch|delete)(\/(parameters|responses)\/\w+)?$/.test(place);
    if (!isNamed && !isProperty && !isPart) continue;
    if (isPart && $ref !== undefined) continue;
    t.match(description, /[.)]$/, place);
  }
  t.end();
});

t.test('no schema has the name of what a language has already', (t) => {
  const globals = new Set([
    ...Object.getOwnPropertyNames(globalThis),
    'Integer',
    'List',
    'Optional',
    'Type',
    'Any',
    'Exception',
  ]);
  for (const name of Object.keys(schemas)) t.notOk(globals.has(name), name);
  const components = Object.values(document.components).flatMap((part) => Object.keys(part));
  const twice = components.filter((name, index) => components.indexOf(name) !== index);
  t.strictSame(twice, [], 'each component has a name of its own');
  t.end();
});

t.test('each enum of values that are no names says how to name them', (t) => {
  for (const [place, { enum: several, 'x-enum-varnames': names }] of all) {
    if (names !== undefined) t.equal((names as string[]).length, (several as string[]).length, place);
  }
  t.strictSame(schemas['AppointmentStatus']?.['x-enum-varnames'], ['Pending', 'Running', 'Completed']);
  t.end();
});

t.test('the version is that of the package, and the first server one that can be called', (t) => {
  const { version } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8')) as { version: string };
  t.equal(document.info.version, version);
  t.equal(document.servers[0]?.url, 'http://localhost:8000');
  t.end();
});
