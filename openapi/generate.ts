/**
 * openapi.yaml -> generated/: TypeBox schemas, typed Fastify route definitions with what each takes and answers, and the
 * table of problem types; and the pages of docs/ that are about operations and problems.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { format, resolveConfig } from 'prettier';
import { parse, stringify } from 'yaml';
import { readFlags } from '../src/command-line.js';
import { errorsOf, guideOf, guidePageOf } from './guide.js';
import { forOpenApi30, forSdks } from './renderings.js';

interface Schema {
  $ref?: string;
  type?: string | string[];
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: boolean | Schema;
  items?: Schema;
  enum?: (string | number | null)[];
  format?: string;
  [keyword: string]: unknown;
}
interface Parameter {
  $ref?: string;
  name: string;
  in: 'path' | 'query' | 'header';
  required?: boolean;
  schema: Schema;
}
type Content = Record<string, { schema: Schema }>;
interface Response {
  $ref?: string;
  headers?: Record<string, unknown>;
  content?: Content;
  links?: Record<string, { operationId: string; parameters: Record<string, string> }>;
}
interface Operation {
  operationId: string;
  tags: string[];
  security: Record<string, string[]>[];
  parameters?: Parameter[];
  requestBody?: { content: Content };
  responses: Record<string, Response>;
  'x-rate-limit'?: 'auth';
  'x-ignored-tokens'?: 'expired' | 'all';
  'x-service-scope'?: string;
  'x-audit'?: { resource?: string; action?: string };
}
/** What happened, why, and what to do next. */
interface ProblemText {
  status: number;
  title: string;
  description: string;
  why: string;
  next: string;
}
/** The parts of an OpenAPI document that code is made from. */
export interface Contract {
  'x-problems': Record<string, ProblemText>;
  tags: { name: string }[];
  paths: Record<string, Record<string, Operation | Parameter[]>>;
  components: {
    schemas: Record<string, Schema>;
    parameters: Record<string, Parameter>;
    responses: Record<string, Response>;
    examples?: Record<string, unknown>;
  };
}

const METHODS = ['get', 'post', 'put', 'patch', 'delete'] as const;
/** Keywords for people and generators, which validation and serialization have no use for. */
const DOCUMENTATION = new Set(['description', 'example', 'examples', 'title', 'deprecated', 'x-audit']);
const STRUCTURE = new Set(['type', 'properties', 'required', 'items', 'enum', 'additionalProperties', '$ref']);
const SUPPORTED = new Set([
  ...DOCUMENTATION,
  ...STRUCTURE,
  ...['format', 'default', 'minimum', 'maximum', 'minLength', 'maxLength', 'pattern', 'minItems', 'maxItems'],
  ...['uniqueItems', 'maxProperties', 'minProperties'],
]);

const refName = (ref: string): string => ref.slice(ref.lastIndexOf('/') + 1);
const key = (name: string): string => (/^[A-Za-z_$][\w$]*$/.test(name) ? name : JSON.stringify(name));

function fail(where: string, what: string): never {
  throw new Error(`openapi.yaml: ${where}: ${what}`);
}

/** The TypeBox expression of a schema; component schemas are named by `prefix` + name. */
function typeBox(schema: Schema, where: string, prefix: string): string {
  if (schema.$ref !== undefined) return prefix + refName(schema.$ref);
  for (const keyword of Object.keys(schema)) {
    if (!SUPPORTED.has(keyword) && !keyword.startsWith('x-')) fail(where, `keyword ${keyword} is not supported`);
  }
  const options = Object.fromEntries(
    Object.entries(schema).filter(([keyword]) => !DOCUMENTATION.has(keyword) && !STRUCTURE.has(keyword)),
  );
  const text = Object.keys(options).length > 0 ? JSON.stringify(options) : '';
  const types = Array.isArray(schema.type) ? schema.type : [schema.type];
  const [type, ...others] = types.filter((name) => name !== 'null');
  // Without a type, anything is taken.
  if (schema.type === undefined) return `Type.Unknown(${text})`;
  if (type === undefined || others.length > 0) fail(where, 'needs one type (besides null)');
  const nullable = types.includes('null');
  // A file has no JSON type: the multipart parser's object passes, and what the handler sees is the stored name.
  if (schema.format === 'binary') return `Type.Unsafe<string | null>(${text})`;
  if (schema.enum !== undefined) {
    const union = schema.enum.map((value) => JSON.stringify(value)).join(' | ');
    return `Type.Unsafe<${union}>(${JSON.stringify({ type: schema.type, enum: schema.enum, ...options })})`;
  }
  if (nullable && type === 'object') return `nullable(${typeBox({ ...schema, type }, where, prefix)})`;
  if (nullable) {
    const native = { string: 'string', integer: 'number', number: 'number', boolean: 'boolean' }[type];
    if (native === undefined) fail(where, `a nullable ${type} is not supported`);
    return `Type.Unsafe<${native} | null>(${JSON.stringify({ type: schema.type, ...options })})`;
  }
  switch (type) {
    case 'string':
      return `Type.String(${text})`;
    case 'integer':
      return `Type.Integer(${text})`;
    case 'number':
      return `Type.Number(${text})`;
    case 'boolean':
      return `Type.Boolean(${text})`;
    case 'array': {
      const items = schema.items ?? fail(where, 'an array needs items');
      return `Type.Array(${typeBox(items, `${where}[]`, prefix)}, ${text || '{}'})`;
    }
    case 'object': {
      if (typeof schema.additionalProperties === 'object') {
        const value = typeBox(schema.additionalProperties, `${where}{}`, prefix);
        return `Type.Record(Type.String(), ${value}, ${text || '{}'})`;
      }
      const required = new Set(schema.required);
      const properties = Object.entries(schema.properties ?? {}).map(([name, property]) => {
        const value = typeBox(property, `${where}.${name}`, prefix);
        return `${key(name)}: ${required.has(name) ? value : `Type.Optional(${value})`}`;
      });
      return `Type.Object({ ${properties.join(', ')} }${text && `, ${text}`})`;
    }
    default:
      return fail(where, `type ${type} is not supported`);
  }
}

/** Names of the components that an operation takes or answers, so ordered that each stands after those it refers to. */
function inOrder(operations: readonly Located[], { schemas }: Contract['components']): string[] {
  const ordered: string[] = [];
  const visiting = new Set<string>();
  const visit = (name: string): void => {
    if (ordered.includes(name)) return;
    if (visiting.has(name)) fail(name, 'refers to itself');
    visiting.add(name);
    const schema = schemas[name] ?? fail(name, 'is not defined');
    for (const [, ref] of JSON.stringify(schema).matchAll(/"\$ref":"([^"]+)"/g)) visit(refName(ref as string));
    ordered.push(name);
  };
  const refer = (value: unknown): void => {
    for (const [, ref] of JSON.stringify(value).matchAll(/"#\/components\/schemas\/([^"]+)"/g)) visit(ref as string);
  };
  for (const { parameters, requestBody = {}, responses } of operations) {
    // Every problem leaves as a Problem: what the contract says of some in particular is for clients.
    refer([parameters, requestBody, Object.entries(responses).filter(([status]) => status.startsWith('2'))]);
  }
  visit('Problem');
  return ordered;
}

/** A parameter that has a default is always there when the handler runs, and so is required in its type. */
function parameterObject(all: Parameter[], where: 'path' | 'query' | 'header', operationId: string): string | null {
  const chosen = all.filter((parameter) => parameter.in === where);
  if (chosen.length === 0) return null;
  const fields = chosen.map(({ name, required, schema }) => {
    const value = typeBox(schema, `${operationId} ${name}`, 'S.');
    const present = required === true || schema.default !== undefined;
    return `${key(where === 'header' ? name.toLowerCase() : name)}: ${present ? value : `Type.Optional(${value})`}`;
  });
  return `Type.Object({ ${fields.join(', ')} })`;
}

function access(operation: Operation): string {
  const { security, operationId } = operation;
  if (security === undefined) fail(operationId, 'needs a security entry');
  if (security.length === 0) return 'public';
  const bearer = security.find((entry) => entry['bearerAuth'] !== undefined)?.['bearerAuth'];
  if (bearer === undefined) fail(operationId, 'knows no security but bearerAuth');
  if (security.some((entry) => Object.keys(entry).length === 0)) return 'optional';
  if (bearer.length === 0) return 'user';
  return bearer.length === 1 && bearer[0] === 'staff' ? 'staff' : fail(operationId, `unknown role ${bearer.join()}`);
}

/** What a service needs to call an operation: it is named by the operation's section and what it does there. */
function serviceScope(operation: Located, { schemas }: Contract['components']): string | null {
  const { operationId, method, tags, 'x-service-scope': scope } = operation;
  if (scope === undefined) return null;
  const due = `${tags[0]}:${method === 'get' ? 'read' : 'write'}`;
  if (scope !== due) fail(operationId, `x-service-scope must be ${due}`);
  if (access(operation) === 'public') fail(operationId, 'is for anyone, so for services without a scope');
  if (schemas['ServiceScope']?.enum?.includes(scope) !== true) fail('ServiceScope', `has no ${scope}`);
  return scope;
}

/** Holds the scopes that a key may have to those that an operation needs, in the order of the sections. */
function checkScopes(operations: readonly Located[], { tags, components }: Contract): void {
  const needed = new Set(operations.map((operation) => serviceScope(operation, components)));
  const known = tags.flatMap(({ name }) => [`${name}:read`, `${name}:write`]).filter((scope) => needed.has(scope));
  if (JSON.stringify(components.schemas['ServiceScope']?.enum ?? []) !== JSON.stringify(known)) {
    fail('ServiceScope', `must have the scopes ${known.join(', ')}`);
  }
}

function responseType(response: Response, where: string): string {
  const [mediaType, media] = Object.entries(response.content ?? {})[0] ?? [];
  if (media === undefined) return `Type.Unsafe<void>({ type: 'null' })`;
  if (mediaType === 'application/json') return typeBox(media.schema, where, 'S.');
  return mediaType?.startsWith('text/') === true ? 'Type.String()' : 'Type.Unsafe<Uint8Array>({})';
}

/** An operation with its path, and with its parameters in the place of references to them. */
interface Located extends Operation {
  readonly path: string;
  readonly method: string;
  readonly parameters: Parameter[];
}

function locate({ paths, components }: Contract): Located[] {
  return Object.entries(paths).flatMap(([path, item]) =>
    METHODS.filter((method) => item[method] !== undefined).map((method) => {
      const operation = item[method] as Operation;
      const id = operation.operationId ?? fail(`${method} ${path}`, 'needs an operationId');
      const shared = (item['parameters'] as Parameter[] | undefined) ?? [];
      const all = [...shared, ...(operation.parameters ?? [])].map((parameter) =>
        parameter.$ref === undefined
          ? parameter
          : (components.parameters[refName(parameter.$ref)] ?? fail(id, parameter.$ref)),
      );
      return { ...operation, path, method, parameters: all };
    }),
  );
}

/** What an answer shows that is audited: the nearest component that says so, and whether the answer is one. */
function shownBy(
  schema: Schema | undefined,
  schemas: Contract['components']['schemas'],
): { resource: string; id: string; isAnswer: boolean } | undefined {
  const seen = new Set<string>();
  let names = schema === undefined ? [] : refsOf(schema);
  for (let isAnswer = true; names.length > 0; isAnswer = false) {
    const next: string[] = [];
    for (const name of names.filter((name) => !seen.has(name))) {
      seen.add(name);
      const component = schemas[name] as Schema;
      const audited = component['x-audit'] as { resource: string; id: string } | undefined;
      if (audited !== undefined) return { ...audited, isAnswer };
      next.push(...refsOf(component));
    }
    names = next;
  }
  return undefined;
}

const refsOf = (schema: Schema): string[] =>
  [...JSON.stringify(schema).matchAll(/"\$ref":"([^"]+)"/g)].map(([, ref]) => refName(ref as string));

/** What is audited: operations that answer with what is, and those that say so. */
function auditOf(operation: Located, schema: Schema | undefined, { schemas }: Contract['components']) {
  const said = operation['x-audit'];
  const shown = shownBy(schema, schemas);
  if (said === undefined && shown === undefined) return null;
  const resource = said?.resource ?? shown?.resource ?? fail(operation.operationId, 'x-audit needs a resource');
  const isInPath = operation.parameters.some((parameter) => parameter.in === 'path' && parameter.name === 'id');
  const ids =
    shown === undefined || said?.resource !== undefined
      ? isInPath
        ? 'path'
        : null
      : shown.id === 'patient'
        ? 'patients'
        : shown.isAnswer
          ? 'answer'
          : 'elements';
  const isList = operation.method === 'get' && (ids === 'elements' || ids === 'patients') && !isInPath;
  return { resource, action: said?.action ?? (isList ? 'list' : null), ids };
}

function operationText(operation: Located, all: readonly Located[], components: Contract['components']): string {
  const { operationId: id, path, method, parameters } = operation;
  const statuses = Object.keys(operation.responses);
  const successes = statuses.filter((status) => status.startsWith('2'));
  const success = successes.at(-1);
  // A dry run of what creates a record answers 200 in the place of 201.
  const hasDryRun = successes.join() === '200,201' && parameters.some(({ name }) => name === 'dry_run');
  if (success === undefined || (successes.length > 1 && !hasDryRun)) fail(id, 'needs exactly one 2xx answer');
  const bodies = Object.values(operation.requestBody?.content ?? {}).map(({ schema }) => typeBox(schema, id, 'S.'));
  if (new Set(bodies).size > 1) fail(id, 'takes different schemas for different media types');
  const parts = {
    params: parameterObject(parameters, 'path', id),
    querystring: parameterObject(parameters, 'query', id),
    headers: parameterObject(parameters, 'header', id),
    body: bodies[0] ?? null,
  };
  const schemaText = Object.entries(parts)
    .filter(([, value]) => value !== null)
    .map(([part, value]) => `${part}: ${value},`)
    .join('\n');
  const problems = statuses.filter((status) => /^[45]/.test(status));
  const config = {
    operationId: id,
    tag: operation.tags[0],
    access: access(operation),
    success: Number(success),
    problems: problems.map(Number),
    location: locationOf(operation, all),
    hasEntityTag: operation.responses[success]?.headers?.['ETag'] !== undefined,
    hasLinks: operation.responses[success]?.headers?.['Link'] !== undefined,
    takesIdempotencyKey: parameters.some(({ name }) => name === 'Idempotency-Key'),
    consumes: Object.keys(operation.requestBody?.content ?? {}),
    produces: Object.keys(operation.responses[success]?.content ?? {}),
    audit: auditOf(operation, operation.responses[success]?.content?.['application/json']?.schema, components),
    limit: operation['x-rate-limit'] ?? 'general',
    ignoredTokens: operation['x-ignored-tokens'] ?? 'none',
    serviceScope: serviceScope(operation, components),
  };
  const answers = successes.map((status) => {
    const type = responseType(operation.responses[status] as Response, `${id} ${status}`);
    return `${status}: ${type}`;
  });
  return `${id}: {
    method: '${method.toUpperCase()}',
    url: '${path.replaceAll(/\{(\w+)\}/g, ':$1')}',
    schema: {
      ${schemaText}
      response: { ${[...answers, ...problems.map((status) => `${status}: S.Problem`)].join(', ')} },
    },
    config: ${JSON.stringify(config)},
  },`;
}

const capitalized = (name: string): string => name[0]?.toUpperCase() + name.slice(1);

/** The type of a query, where the operation takes one. */
function queryType({ operationId: id, parameters: all }: Located): string {
  if (!all.some((parameter) => parameter.in === 'query')) return '';
  return `export type ${capitalized(id)}Query = Static<typeof operations.${id}.schema.querystring>;`;
}

function checkProblems({ responses }: Contract['components']): void {
  for (const [name, response] of Object.entries(responses)) {
    if (response.content === undefined) continue;
    if (response.content['application/problem+json'] === undefined) fail(`responses ${name}`, 'must be a Problem');
  }
}

/** The problem types, each with the first example that the contract has of it. */
function problemsOf(contract: Contract): Record<string, ProblemText & { example: unknown }> {
  const examples = new Map<string, unknown>();
  const collect = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    const { type, instance } = value as Record<string, unknown>;
    if (typeof type === 'string' && instance !== undefined && !examples.has(type)) examples.set(type, value);
    for (const inner of Object.values(value)) collect(inner);
  };

  collect(contract.components.responses);
  collect(contract.components.examples);
  collect(contract.paths);
  return Object.fromEntries(
    Object.entries(contract['x-problems']).map(([slug, text]) => {
      const example = examples.get(`/problems/${slug}`) ?? fail(`x-problems ${slug}`, 'has no example');
      return [slug, { ...text, example }];
    }),
  );
}

/** Where the record is that an operation creates: the path of its link, and where its answer has the id. */
function locationOf({ operationId: id, responses }: Located, all: readonly Located[]) {
  const { headers = {}, links = {} } = responses['201'] ?? {};
  if (headers['Location'] === undefined) return null;
  const [link, ...others] = Object.values(links);
  if (link === undefined || others.length > 0)
    fail(id, 'a Location needs one link, to the operation that gets the record');
  const target = all.find(({ operationId }) => operationId === link.operationId) ?? fail(id, `links to no operation`);
  const pointer = link.parameters['id']?.match(/^\$response\.body#\/(.+)$/)?.[1];
  return { url: target.path, id: pointer?.split('/') ?? fail(id, 'the link needs the id from the body') };
}

type GeneratedFile = 'schemas.ts' | 'operations.ts' | 'problems.ts' | 'openapi-sdk.json' | 'openapi-3.0.yaml';

const HEADER = '// Made by openapi/generate.ts from openapi.yaml. Do not edit.\n\n';

/**
 * The generated files by their names, not yet formatted. They depend on nothing but the contract.
 * @throws Error that names the place in the contract and what is wrong there
 */
export function generate(contract: Contract): Readonly<Record<GeneratedFile, string>> {
  const { components } = contract;
  checkProblems(components);
  const operations = locate(contract);
  checkScopes(operations, contract);
  const schemas = inOrder(operations, components).map((name) => {
    const value = typeBox(components.schemas[name] as Schema, name, '');
    return `export const ${name} = ${value};\nexport type ${name} = Static<typeof ${name}>;\n`;
  });
  return {
    'schemas.ts': `${HEADER}import { Type, type Static, type TObject } from '@sinclair/typebox';

const nullable = <T extends TObject>(schema: T) => Type.Unsafe<Static<T> | null>({ ...schema, type: ['object', 'null'] });

${schemas.join('\n')}`,
    'operations.ts': `${HEADER}import { Type, type Static } from '@sinclair/typebox';
import * as S from './schemas.js';

export const operations = {
  ${operations.map((operation) => operationText(operation, operations, components)).join('\n')}
} as const;

${operations
  .map(queryType)
  .filter((text) => text !== '')
  .join('\n')}
`,
    'problems.ts': `${HEADER}/** Every problem type of the contract, by the slug in its \`type\`. */
export const problems = ${JSON.stringify(problemsOf(contract))} as const;
`,
    'openapi-sdk.json': JSON.stringify(forSdks({ ...contract })),
    'openapi-3.0.yaml': `# Made by openapi/generate.ts from openapi.yaml. Do not edit.\n${stringify(forOpenApi30({ ...contract }), { aliasDuplicateObjects: false, lineWidth: 120 })}`,
  };
}

if (process.argv[1] === import.meta.filename) {
  readFlags('Makes openapi/generated/, docs/guide.md and docs/errors.md from openapi/openapi.yaml.\n', {});
  const root = new URL('./', import.meta.url);
  const contract = parse(await readFile(new URL('openapi.yaml', root), 'utf8')) as Contract;
  const guide = guideOf(contract as never);
  const files = {
    ...Object.fromEntries(Object.entries(generate(contract)).map(([name, text]) => [`generated/${name}`, text])),
    'generated/guide.html': guidePageOf(guide),
    '../docs/guide.md': guide,
    '../docs/errors.md': errorsOf(problemsOf(contract)),
  };
  for (const [name, text] of Object.entries(files)) {
    const target = new URL(name, root);
    const options = await resolveConfig(target);
    await writeFile(target, await format(text, { ...options, filepath: name }));
  }
}
