import { readFileSync } from 'node:fs';
import t from 'tap';
import { parse } from 'yaml';
import { forOpenApi30, forSdks } from '../../openapi/renderings.js';

type Json = Record<string, unknown>;
const document = parse(readFileSync(new URL('../../../openapi/openapi.yaml', import.meta.url), 'utf8')) as Json;

/** Every object of a document with its place. */
function* objects(value: unknown, place = '#'): Generator<[place: string, object: Json]> {
  if (typeof value !== 'object' || value === null) return;
  if (!Array.isArray(value)) yield [place, value as Json];
  for (const [key, inner] of Object.entries(value)) yield* objects(inner, `${place}/${key}`);
}
const lookUp = (root: Json, ref: string): unknown =>
  ref
    .split('/')
    .slice(1)
    .reduce<unknown>((part, name) => (part as Json | undefined)?.[name], root);
const operationsOf = (root: Json): string[] =>
  [...objects(root['paths'])].flatMap(([, { operationId }]) => (typeof operationId === 'string' ? [operationId] : []));

for (const [name, render] of Object.entries({ forSdks, forOpenApi30 })) {
  t.test(`${name} leaves the contract as it is, and each reference leads somewhere`, (t) => {
    const before = JSON.stringify(document);
    const rendered = render(document);
    t.equal(JSON.stringify(document), before);
    for (const [place, { $ref }] of objects(rendered)) {
      if (typeof $ref === 'string') t.ok(lookUp(rendered, $ref), `${place}: ${$ref}`);
    }
    t.end();
  });
}

t.test('for SDKs: all operations, expanded but for schemas, and files as multipart alone', (t) => {
  const rendered = forSdks(document);
  const written = operationsOf(document).filter((id, index, all) => all.indexOf(id) === index);
  t.strictSame(new Set(operationsOf(rendered)), new Set(written));
  for (const [place, { $ref, content }] of objects(rendered)) {
    if (typeof $ref === 'string') t.ok($ref.startsWith('#/components/schemas/'), place);
    const types = Object.keys(content ?? {});
    if (types.includes('multipart/form-data')) t.strictSame(types, ['multipart/form-data'], place);
  }
  t.end();
});

t.test("for SDKs: of the union of an operation's problems, `type` tells the one with alternatives", (t) => {
  const { schemas } = forSdks(document)['components'] as { schemas: Record<string, { properties: Json }> };
  const typesOf = (name: string) => (schemas[name]?.properties['type'] as { enum: string[] }).enum;
  const all = Object.keys(document['x-problems'] as Json).map((slug) => `/problems/${slug}`);
  t.strictSame([...typesOf('Problem'), ...typesOf('SlotTakenProblem')].sort(), all.sort());
  t.notOk('alternatives' in (schemas['Problem']?.properties ?? {}));
  t.end();
});

t.test('as OpenAPI 3.0: none of what it or older generators do not know', (t) => {
  const rendered = forOpenApi30(document);
  t.match(rendered, { openapi: '3.0.3', info: { summary: undefined, license: { identifier: undefined } } });
  const left = operationsOf(document).filter((id) => !operationsOf(rendered).includes(id));
  t.strictSame([...new Set(left)].sort(), ['getPicture', 'getProblemType']);
  for (const [place, object] of objects(rendered)) {
    t.notOk(Array.isArray(object['type']), `${place}: more than one type`);
    if (object['$ref'] !== undefined) t.strictSame(Object.keys(object), ['$ref'], `${place}: beside a reference`);
    if (object['bearerAuth'] !== undefined && place.includes('/security/'))
      t.strictSame(object['bearerAuth'], [], place);
    const values = object['enum'] as unknown[] | undefined;
    if (Array.isArray(values))
      t.ok(
        values.every((value) => !/[^\x20-\x7e]/.test(String(value))),
        `${place}: ${values.join()}`,
      );
    for (const name of Array.isArray(object['required']) ? (object['required'] as string[]) : []) {
      t.not((object['properties'] as Record<string, Json>)[name]?.['nullable'], true, `${place}: ${name}`);
    }
    const types = Object.keys(object['content'] ?? {});
    if (types.includes('multipart/form-data')) {
      t.strictSame(types, ['multipart/form-data'], place);
      t.notOk('required' in object, place);
    }
  }
  const schemas = (rendered['components'] as Json)['schemas'] as Record<string, Json>;
  for (const [name, { type }] of Object.entries(schemas)) t.equal(type, 'object', name);
  t.notOk(JSON.stringify(rendered).includes('"oneOf"'));
  t.end();
});
