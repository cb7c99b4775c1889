/** The contract in the forms that tools take which do not take the file as it is. */

type Json = Record<string, unknown>;

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** A copy in which `change` has had its way with every object, from the inside outwards. */
function rewrite(value: unknown, change: (object: Json, key: string) => unknown, key = ''): unknown {
  if (Array.isArray(value)) return value.map((item) => rewrite(item, change, key));
  if (!isObject(value)) return value;
  return change(
    Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, rewrite(inner, change, name)])),
    key,
  );
}

/** What is taken of any type, since clients in the field send it, as the one type that clients to come should send. */
function typedForClients({ 'x-client-type': type, ...schema }: Json): Json {
  return type === undefined ? schema : { type, ...schema };
}

function resolve(document: Json, ref: string): Json {
  const target = ref
    .split('/')
    .slice(1)
    .reduce<unknown>((part, name) => (isObject(part) ? part[name] : undefined), document);
  if (!isObject(target)) throw new Error(`openapi.yaml: ${ref} leads nowhere`);
  return target;
}

/**
 * Since most generators know one media type an operation: of a body that can have a file only multipart, and of an answer
 * that has other forms only JSON.
 */
function oneTypeAlone(object: Json, key: string): Json {
  if (key !== 'content') return object;
  const name = ['multipart/form-data', 'application/json'].find((type) => object[type] !== undefined);
  return name === undefined ? object : { [name]: object[name] };
}

/**
 * For generators of clients: parameters, headers and answers stand where they are used, and an operation takes and answers
 * one media type. Of a union the compiler sees
 * which problem is left once its `type` is compared: each is of one type, and `Problem` of any but those that have to be
 * told by their own fields.
 */
export function forSdks(document: Json): Json {
  const expand = (value: unknown): unknown =>
    rewrite(value, (object) => {
      const { $ref: ref } = object;
      return typeof ref === 'string' && !ref.startsWith('#/components/schemas/')
        ? expand(resolve(document, ref))
        : object;
    });
  const { components, paths: all, ...rest } = document as { components: Json; paths: Json };
  const { schemas, securitySchemes } = components as { schemas: Record<string, Json>; securitySchemes: Json };
  const typed = rewrite(schemas, typedForClients) as Json;
  const paths = rewrite(expand(all), oneTypeAlone);
  const told = withAlternatives(schemas);
  const others = Object.keys(document['x-problems'] as Json).filter((slug) => !told.has(`/problems/${slug}`));
  const { alternatives: _alternatives, ...fields } = schemas['Problem']?.['properties'] as Record<string, Json>;
  const type = { ...fields['type'], enum: others.map((slug) => `/problems/${slug}`) };
  const Problem = { ...schemas['Problem'], properties: { ...fields, type } };
  return { ...rest, paths, components: { securitySchemes, schemas: { ...typed, Problem } } };
}

/** The types of those problems whose schema requires `alternatives`. */
function withAlternatives(schemas: Record<string, Json>): Set<string> {
  const required = Object.values(schemas).filter(({ required: names }) =>
    (names as string[] | undefined)?.includes('alternatives'),
  );
  return new Set(
    required.flatMap(({ properties }) => (properties as Record<string, Json>)['type']?.['enum'] as string[]),
  );
}

/**
 * As OpenAPI 3.0.3, for older generators: examples, primitive and array schemas stand where they are used, a union of problems is a
 * `Problem`, which has the fields of all (they would make an empty class of it), stars are a pattern, what
 * may be null is not required, an operation has one media type, files are multipart, whose bodies are not required, roles are left to the descriptions, and what answers no JSON is
 * left out.
 */
export function forOpenApi30(document: Json): Json {
  const { schemas } = (document as { components: { schemas: Record<string, Json> } }).components;
  const isNamed = ({ type }: Json): boolean => type === 'object';
  const unions = Object.values(schemas).flatMap(({ oneOf = [] }) => oneOf as { $ref: string }[]);
  const members = new Set(unions.map(({ $ref }) => $ref.slice('#/components/schemas/'.length)));
  const problemFields = Object.keys(schemas['Problem']?.['properties'] as Json);
  for (const name of members) {
    const fields = Object.keys(schemas[name]?.['properties'] as Json);
    if (!fields.every((field) => problemFields.includes(field)))
      throw new Error(`openapi.yaml: ${name}: is no Problem`);
  }

  const schemaOf = (schema: Json): Json => {
    const { $ref: ref, description } = schema;
    if (typeof ref === 'string' && ref.startsWith('#/components/schemas/')) {
      const target = resolve(document, ref);
      if (isNamed(target)) return { $ref: ref };
      if (target['oneOf'] !== undefined) return { $ref: '#/components/schemas/Problem' };
      return { ...schemaOf(target), ...(description !== undefined && { description }) };
    }
    const { examples, ...result } = typedForClients(schema);
    if (Array.isArray(examples)) result['example'] = examples[0] as unknown;
    if (Array.isArray(result['type'])) {
      result['type'] = (result['type'] as string[]).find((type) => type !== 'null');
      result['nullable'] = true;
    }
    if (Array.isArray(result['enum']) && !(result['enum'] as string[]).every((value) => /^[\x20-\x7e]*$/.test(value))) {
      result['pattern'] = `^(${(result['enum'] as string[]).join('|')})$`;
      for (const name of ['enum', 'x-enum-varnames', 'x-enumNames']) delete result[name];
    }
    const { properties, items, required, additionalProperties } = result as Record<string, Json | undefined>;
    if (isObject(items)) result['items'] = schemaOf(items);
    if (isObject(additionalProperties)) result['additionalProperties'] = schemaOf(additionalProperties);
    if (isObject(properties)) {
      const fields = Object.entries(properties as Record<string, Json>).map(
        ([name, field]) => [name, schemaOf(field)] as const,
      );
      result['properties'] = Object.fromEntries(fields);
      const nullable = new Set(fields.filter(([, field]) => field['nullable'] === true).map(([name]) => name));
      const left = ((required ?? []) as unknown as string[]).filter((name) => !nullable.has(name));
      if (left.length > 0) result['required'] = left;
      else delete result['required'];
    }
    return result;
  };

  const { info, paths, components, tags, ...rest } = document as Record<string, Json>;
  const { summary: _summary, ...about } = info as Json;
  const json = Object.entries(paths as Record<string, Record<string, Json>>).filter(
    ([, item]) => !Object.values(item).some(({ tags: [tag] = [] }: { tags?: string[] }) => tag === 'files'),
  );
  const changed = rewrite(
    { paths: Object.fromEntries(json), components: { ...components, schemas: {}, examples: {} } },
    (object, key) => {
      const { $ref: ref } = object;
      if (typeof ref === 'string' && ref.startsWith('#/components/examples/')) return resolve(document, ref);
      if (key === 'schema') return schemaOf(object);
      if (key === 'security' && object['bearerAuth'] !== undefined) return { bearerAuth: [] };
      if (
        key === 'requestBody' &&
        isObject(object['content']) &&
        object['content']['multipart/form-data'] !== undefined
      ) {
        const { required: _required, ...body } = object;
        return body;
      }
      return oneTypeAlone(object, key);
    },
  ) as { paths: Json; components: Json };
  const { examples: _inPlace, ...used } = changed.components;
  const named = Object.entries(schemas).filter(([name, schema]) => isNamed(schema) && !members.has(name));
  return {
    ...rest,
    openapi: '3.0.3',
    info: { ...about, license: { name: 'Apache-2.0', url: 'https://www.apache.org/licenses/LICENSE-2.0' } },
    tags: (tags as unknown as { name: string }[]).filter(({ name }) => name !== 'files'),
    paths: changed.paths,
    components: {
      ...used,
      schemas: Object.fromEntries(named.map(([name, schema]) => [name, schemaOf(schema)])),
    },
  };
}
