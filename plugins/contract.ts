import fastJsonStringify from 'fast-json-stringify';
import type { FastifyInstance, FastifyRequest, onRequestHookHandler } from 'fastify';
import fp from 'fastify-plugin';
import { JsonText } from '../db/json.js';
import { operations } from '../openapi/generated/operations.js';
import type { Operation, OperationConfig } from '../openapi/operation.js';
import { ProblemError } from '../openapi/problem-error.js';

declare module 'fastify' {
  interface FastifyContextConfig extends Partial<OperationConfig> {}
}

export interface ContractOptions {
  /** Routes that may stand outside the contract: a path, or with `*` at its end every path that begins so. */
  readonly outside: readonly string[];
}

type Serializer = (data: unknown) => string;

/** A body that nobody asked for is not read, and so can not be wrong. */
function dropBody({ headers }: FastifyRequest): void {
  for (const header of ['content-type', 'content-length', 'transfer-encoding']) {
    if (headers[header] !== undefined) delete headers[header];
  }
}

/** Prepares an answer with the operation's status, and refuses a body that it does not take. */
export function expect({ config: { success, consumes } }: Operation): onRequestHookHandler {
  return function expectRequest(request, reply, next) {
    reply.statusCode = success;
    if (consumes.length === 0) {
      // Many clients name a media type with every DELETE, and Fastify would refuse the empty body.
      dropBody(request);
      next();
      return;
    }
    const { headers } = request;
    const mediaType = headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase();
    // Fastify would skip the parser, and so the validation, of a body that names no media type.
    const hasBody = headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
    if (hasBody && !consumes.includes(mediaType ?? '')) {
      next(new ProblemError('unsupported-media-type', `Send the body as ${consumes.join(' or ')}.`));
      return;
    }
    const coding = headers['content-encoding'] ?? 'identity';
    if (hasBody && coding.toLowerCase() !== 'identity') {
      const detail = 'Send the body as it is, without a Content-Encoding.';
      next(new ProblemError('unsupported-media-type', detail, {}, { 'accept-encoding': 'identity' }));
      return;
    }
    next();
  };
}

/**
 * Holds the program to the contract: answers leave through the operation's schema, and a route
 * without an operation, or an operation without a handler, stops the start.
 */
export default fp(
  function contract(app: FastifyInstance, options: ContractOptions, done) {
    const handled = new Set<string>();
    const isOutside = (url: string): boolean =>
      options.outside.some((path) => (path.endsWith('*') ? url.startsWith(path.slice(0, -1)) : url === path));

    app.addHook('onRoute', (route) => {
      if (route.method === 'HEAD' || route.method === 'OPTIONS') return;
      const id = route.config?.operationId;
      if (id === undefined) {
        if (!isOutside(route.url)) throw new Error(`${String(route.method)} ${route.url} is not in the contract`);
        return;
      }
      const operation = operations[id as keyof typeof operations];
      if (operation.url !== route.url || operation.method !== route.method) {
        throw new Error(`${id} is registered as ${String(route.method)} ${route.url}`);
      }
      handled.add(id);
    });

    app.addHook('onReady', (next) => {
      const missing = Object.keys(operations).filter((id) => !handled.has(id));
      next(missing.length > 0 ? new Error(`operations without a handler: ${missing.join(', ')}`) : undefined);
    });

    // Fastify would look for a parser of any body, though nobody reads it.
    app.addHook('onRequest', (request, _reply, next) => {
      if (request.is404) dropBody(request);
      next();
    });

    // Most answers share a few schemas, above all that of a problem.
    const serializers = new WeakMap<object, Serializer>();
    app.setSerializerCompiler(({ schema }) => {
      const known = serializers.get(schema);
      if (known !== undefined) return known;
      let stringify: Serializer | undefined;
      const serialize: Serializer = (data) => {
        // Fastify sends bytes as well, which its types do not know.
        if (data instanceof JsonText) return data.bytes as Buffer & string;
        stringify ??= fastJsonStringify(schema as object) as Serializer;
        return stringify(data);
      };
      serializers.set(schema, serialize);
      return serialize;
    });
    done();
  },
  { name: 'contract' },
);
