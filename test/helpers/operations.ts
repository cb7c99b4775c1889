/** The contract's operations and examples, for tests that ask something of every operation. */
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { operations, type OperationConfig } from '../../openapi/generated/operations.js';

export interface Operation {
  readonly method: string;
  readonly url: string;
  readonly schema: {
    readonly body?: { readonly properties: Readonly<Record<string, unknown>> };
    readonly querystring?: { readonly properties: Readonly<Record<string, unknown>> };
    readonly headers?: { readonly properties: Readonly<Record<string, unknown>> };
  };
  readonly config: OperationConfig;
}

export const allOperations = Object.values(operations) as unknown as Operation[];

/** A path of the operation; any id of it is `id`. */
export const pathOf = ({ url }: Operation, id: string | number = 1): string => url.replaceAll(/:\w+/g, String(id));

interface Documented {
  readonly operationId: string;
  readonly responses: Readonly<Record<string, unknown>>;
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly example?: unknown }>> };
}

const document = parse(readFileSync(new URL('../../../openapi/openapi.yaml', import.meta.url), 'utf8')) as {
  paths: Record<string, Record<string, Documented>>;
};

/** The JSON body that the contract shows for an operation. */
export function exampleOf({ method, url }: Operation): Record<string, unknown> {
  const path = url.replaceAll(/:(\w+)/g, '{$1}');
  const example = document.paths[path]?.[method.toLowerCase()]?.requestBody?.content['application/json']?.example;
  if (example === undefined) throw new Error(`the contract shows no JSON body for ${method} ${path}`);
  return example as Record<string, unknown>;
}

/** Every answer that the contract documents, as operationId and status, in the order of the file. */
export const documentedAnswers: readonly string[] = Object.values(document.paths)
  .flatMap((path) => Object.values(path))
  // A path has parameters too.
  .filter(({ operationId }) => operationId !== undefined)
  .flatMap(({ operationId, responses }) =>
    Object.keys(responses)
      .filter((status) => status !== 'default')
      .map((status) => `${operationId} ${status}`),
  );
