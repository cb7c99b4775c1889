/** Holds an answer against the contract file itself, not against anything generated from it. */
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { appendFileSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { parse } from 'yaml';
import { examplesOf, type Shown } from '../../openapi/examples.js';
import { operations } from '../../openapi/generated/operations.js';

type Json = Record<string, unknown>;
interface Media extends Shown<Json> {
  readonly schema: unknown;
}

const document = parse(readFileSync(new URL('../../../openapi/openapi.yaml', import.meta.url), 'utf8')) as {
  paths: Record<string, Record<string, { responses: Record<string, Json> }>>;
  components: { responses: Record<string, Json>; schemas: Record<string, Json>; headers: Record<string, Json> };
};

/** Closes every object schema, so that a field the contract does not name is a fault. */
function close(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(close);
  if (typeof schema !== 'object' || schema === null) return schema;
  const closed = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, close(value)]));
  if (closed['type'] === 'object' && closed['additionalProperties'] === undefined)
    closed['additionalProperties'] = false;
  return closed;
}

const ajv = new Ajv2020({ strict: false, allErrors: true });
addFormats.default(ajv);
ajv.addSchema({ $id: 'contract', components: { schemas: close(document.components.schemas) } });

const validators = new Map<string, ValidateFunction>();

function validatorOf(key: string, schema: unknown): ValidateFunction {
  let validate = validators.get(key);
  if (validate === undefined) {
    const text = JSON.stringify(close(schema)).replaceAll('"#/components', '"contract#/components');
    validators.set(key, (validate = ajv.compile(JSON.parse(text) as Json)));
  }
  return validate;
}

const routes = Object.values(operations).map(({ method, url, config: { operationId } }) => ({
  method,
  operationId,
  path: url.replaceAll(/:(\w+)/g, '{$1}'),
  parameters: (url.match(/:/g) ?? []).length,
  matches: new RegExp(`^${url.replaceAll(/:\w+/g, '[^/]+').replace(/\/$/, '')}/?$`),
}));
// `/profiles/me/` is not `/profiles/{id}/`.
routes.sort((a, b) => a.parameters - b.parameters);

const testFile = relative(process.cwd(), process.argv[1] ?? '');
const seenFile =
  process.env['TEST_SEEN'] === undefined ? undefined : join(process.env['TEST_SEEN'], String(process.pid));

function isEncoded(path: string): boolean {
  try {
    decodeURIComponent(path);
    return true;
  } catch {
    return false;
  }
}

/** The operation that a request is for; undefined where its path is none of the contract's. */
export function operationOf(method: string, url: string): string | undefined {
  return routeOf(method, url)?.operationId;
}

function routeOf(method: string, url: string) {
  const path = url.replace(/^https?:\/\/[^/]+/, '').split('?', 1)[0] ?? '';
  // What encodes nothing is no path (RFC 3986, section 2.1).
  if (!isEncoded(path)) return undefined;
  return routes.find((candidate) => candidate.method === method && candidate.matches.test(path));
}

export interface Answer {
  /** Whether it is to a token, or tells of a change. */
  readonly isPrivate: boolean;
  readonly status: number;
  readonly headers: Readonly<Record<string, string | number | string[] | undefined>>;
  readonly text: string;
}

/**
 * Throws unless the answer is one that the contract documents for the operation: status, media type, headers and every
 * field of the body. Answers of paths outside the contract pass.
 */
export function checkAnswer(method: string, url: string, { isPrivate, status, headers, text }: Answer): void {
  const route = routeOf(method, url);
  if (route === undefined) return;
  const where = `${route.operationId} answered ${status}`;
  const fail = (what: string): never => {
    throw new Error(`${where}: ${what}\n${text.slice(0, 2000)}`);
  };
  // A picture's URL is the key to it, whatever token comes with it.
  if (isPrivate && route.operationId !== 'getPicture' && headers['cache-control'] !== 'no-store') {
    fail('to a token, for anybody to keep');
  }
  const { responses } = document.paths[route.path]?.[method.toLowerCase()] ?? fail('not in the contract');
  const named = responses[String(status)] ?? fail('which the contract does not document');
  const ref = named['$ref'] as string | undefined;
  const response = ref === undefined ? named : (document.components.responses[ref.split('/').at(-1) ?? ''] ?? {});
  const content = response['content'] as Record<string, Media> | undefined;
  const mediaType = String(headers['content-type'] ?? '').split(';', 1)[0] ?? '';
  for (const [name, { $ref = '' }] of Object.entries((response['headers'] as Record<string, Json> | undefined) ?? {})) {
    const { required, schema } = document.components.headers[String($ref).split('/').at(-1) ?? ''] ?? {};
    const value = headers[name.toLowerCase()];
    if (required === true && value === undefined) fail(`without the header ${name}`);
    const isNumber = (schema as Json | undefined)?.['type'] === 'integer';
    const validate = validatorOf(`header ${name}`, schema);
    if (value !== undefined && !validate(isNumber ? Number(value) : value)) {
      fail(`with the header ${name}: ${String(value)}, against the contract: ${ajv.errorsText(validate.errors)}`);
    }
  }
  if (content === undefined) {
    if (text !== '') fail('with a body, where the contract has none');
  } else {
    const { schema, ...shows } = content[mediaType] ?? fail(`as ${mediaType}, which the contract does not document`);
    if (mediaType.endsWith('json')) {
      const body = JSON.parse(text) as Json;
      const validate = validatorOf(`${route.operationId} ${status}`, schema);
      if (!validate(body)) fail(`against the contract: ${ajv.errorsText(validate.errors)}`);
      if (
        status >= 400 &&
        (body['status'] !== status || body['instance'] !== `urn:uuid:${String(headers['x-request-id'])}`)
      ) {
        fail('with a problem document of another status or request');
      }
      // What nobody gets again has no place of its own.
      if (status === 201 && (response['headers'] as Json | undefined)?.['Location'] !== undefined) {
        const { pathname } = new URL(String(headers['location']));
        const id = (body['id'] ?? (body['user'] as Json)['id']) as number;
        // PUBLIC_URL may have a path in front.
        const leads = routes.some(
          ({ method, matches }) => method === 'GET' && new RegExp(matches.source.slice(1)).test(pathname),
        );
        if (!leads || !pathname.endsWith(`/${id}/`)) fail(`with the Location ${pathname}`);
      }
      const shown = examplesOf(document, shows);
      if (status >= 400 && !shown.some(({ type, title }) => type === body['type'] && title === body['title'])) {
        fail(`with ${String(body['type'])} (${String(body['title'])}), of which the contract shows no example`);
      }
    }
  }
  if (seenFile !== undefined) appendFileSync(seenFile, `${testFile}\t${route.operationId} ${status}\n`);
}
