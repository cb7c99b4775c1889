/** What the contract says of each operation's requests, as the fuzzer makes them: without references. */
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { operations } from '../../openapi/generated/operations.js';
import type { Operation as AnyOperation, OperationConfig } from '../../openapi/operation.js';
import { needsAdmission } from '../../plugins/pictures/hooks.js';

/** A schema of a request. */
export interface Schema {
  readonly type?: string | readonly string[];
  readonly format?: string;
  readonly pattern?: string;
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly uniqueItems?: boolean;
  readonly maxItems?: number;
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly [keyword: string]: unknown;
}

export interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  readonly required?: boolean;
  readonly schema: Schema;
}

export interface FuzzedOperation {
  readonly operationId: string;
  readonly method: string;
  /** With `{names}` where parameters stand. */
  readonly path: string;
  readonly config: OperationConfig;
  /** Whether the server judges who may do it before it looks into a form with a picture. */
  readonly isAdmitted: boolean;
  readonly parameters: readonly Parameter[];
  readonly body: Schema | undefined;
  readonly statuses: readonly string[];
}

interface Documented {
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: Schema }>> };
  readonly responses: Readonly<Record<string, unknown>>;
}

const document = parse(readFileSync(new URL('../../../openapi/openapi.yaml', import.meta.url), 'utf8')) as {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Documented>> & Pick<Documented, 'parameters'>>>;
};

/** Puts what references name in their place; what stands beside a reference counts too. */
function resolved(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(resolved);
  if (typeof value !== 'object' || value === null) return value;
  const { $ref, ...beside } = value as Record<string, unknown>;
  const own = Object.fromEntries(Object.entries(beside).map(([name, part]) => [name, resolved(part)]));
  if (typeof $ref !== 'string') return own;
  const named = $ref
    .split('/')
    .slice(1)
    .reduce<unknown>((part, name) => (part as Record<string, unknown>)[name], document);
  return { ...(resolved(named) as object), ...own };
}

export const fuzzedOperations: readonly FuzzedOperation[] = Object.values<AnyOperation>(operations).map((operation) => {
  const { method, url, config } = operation;
  const path = url.replaceAll(/:(\w+)/g, '{$1}');
  const item = document.paths[path];
  const { parameters = [], requestBody, responses } = item?.[method.toLowerCase()] as Documented;
  return {
    ...{ operationId: config.operationId, method, path, config },
    isAdmitted: needsAdmission(operation),
    parameters: resolved([...(item?.parameters ?? []), ...parameters]) as Parameter[],
    body: resolved(Object.values(requestBody?.content ?? {})[0]?.schema) as Schema | undefined,
    statuses: Object.keys(responses),
  };
});
