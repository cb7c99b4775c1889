/** The contract's operations and examples, for tests that ask something of every operation. */
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import type { TSchema } from '@sinclair/typebox';
import { examplesOf, type Shown } from '../../openapi/examples.js';
import { operations } from '../../openapi/generated/operations.js';
import type { Operation as AnyOperation, OperationConfig } from '../../openapi/operation.js';

type ObjectSchema = TSchema & { readonly properties: Readonly<Record<string, TSchema>> };

export interface Operation extends AnyOperation {
  readonly schema: AnyOperation['schema'] & {
    readonly body?: ObjectSchema;
    readonly querystring?: ObjectSchema;
    readonly headers?: ObjectSchema;
  };
}

export const allOperations = Object.values<AnyOperation>(operations) as Operation[];

/** An operation that no contract has, for the test of a plugin's hooks. */
export const madeUp = (config: Partial<OperationConfig>, method = 'GET', body?: TSchema): AnyOperation => ({
  method,
  url: '/made-up/',
  schema: { ...(body && { body }), response: {} },
  config: {
    operationId: 'madeUp',
    tag: 'made-up',
    access: 'public',
    success: 200,
    problems: [],
    consumes: [],
    produces: [],
    audit: null,
    limit: 'general',
    ignoredTokens: 'none',
    location: null,
    hasEntityTag: false,
    hasLinks: false,
    takesIdempotencyKey: false,
    serviceScope: null,
    ...config,
  },
});

/** A path of the operation; any id of it is `id`. */
export const pathOf = ({ url }: Operation, id: string | number = 1): string => url.replaceAll(/:\w+/g, String(id));

interface Documented {
  readonly operationId: string;
  readonly responses: Readonly<Record<string, unknown>>;
  readonly requestBody?: { readonly content: Readonly<Record<string, Shown>> };
}

const document = parse(readFileSync(new URL('../../../openapi/openapi.yaml', import.meta.url), 'utf8')) as {
  paths: Record<string, Record<string, Documented>>;
  components: object;
};

/** The JSON body that the contract shows for an operation. */
export function exampleOf({ method, url }: Operation): Record<string, unknown> {
  const path = url.replaceAll(/:(\w+)/g, '{$1}');
  const body = document.paths[path]?.[method.toLowerCase()]?.requestBody;
  const [example] = examplesOf(document, body?.content['application/json'] ?? {});
  if (example === undefined) throw new Error(`the contract shows no JSON body for ${method} ${path}`);
  return example as Record<string, unknown>;
}

/** Every answer that the contract documents, as operationId and status, in the order of the file. */
export const documentedAnswers: readonly string[] = Object.values(document.paths)
  .flatMap((path) => Object.values(path))
  // A path has parameters too.
  .filter(({ operationId }) => operationId !== undefined)
  .flatMap(({ operationId, responses }) => Object.keys(responses).map((status) => `${operationId} ${status}`));
