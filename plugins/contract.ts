import fastJsonStringify from 'fast-json-stringify';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import { JsonText } from '../db/json.js';
import { operations, type OperationConfig } from '../openapi/generated/operations.js';
import { ProblemError } from '../openapi/generated/problems.js';

declare module 'fastify' {
  interface FastifyContextConfig extends Partial<OperationConfig> {}
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Where the request was sent, for the URLs in its answer. */
    readonly link: { readonly base: string; readonly path: string };
  }
}

export interface ContractOptions {
  /** Base of absolute URLs; null: as the request names its server. */
  readonly publicUrl: string | null;
  /** Routes that may stand outside the contract: a path, or with `*` at its end every path that begins so. */
  readonly outside: readonly string[];
}

type Serializer = (data: unknown) => string;

/**
 * Holds the program to the contract: answers have the operation's status and leave through its schema, and a route
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

    app.decorateRequest('link', {
      getter(this: FastifyRequest) {
        return { base: options.publicUrl ?? `${this.protocol}://${this.host}`, path: this.url };
      },
    });

    app.addHook('onRequest', (request, reply, next) => {
      const { success, consumes } = request.routeOptions.config;
      if (success !== undefined) reply.statusCode = success;
      // A body that nobody asked for is not read, and so can not be wrong: many clients name a media type with every
      // DELETE, and Fastify would refuse the empty body.
      if (consumes?.length === 0 || request.is404) {
        for (const header of ['content-type', 'content-length', 'transfer-encoding']) {
          if (request.headers[header] !== undefined) delete request.headers[header];
        }
      }
      // Fastify would skip the parser, and so the validation, of a body that names no media type.
      if (consumes !== undefined && consumes.length > 0) {
        const mediaType = request.headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase();
        const hasBody =
          request.headers['transfer-encoding'] !== undefined || Number(request.headers['content-length'] ?? 0) > 0;
        if (hasBody && !consumes.includes(mediaType ?? '')) {
          const detail = `Send the body as ${consumes.join(' or ')}.`;
          next(new ProblemError('unsupported-media-type', detail));
          return;
        }
      }
      next();
    });

    // Most answers share a few schemas, above all that of a problem.
    const serializers = new WeakMap<object, Serializer>();
    app.setSerializerCompiler(({ schema }) => {
      const known = serializers.get(schema);
      if (known !== undefined) return known;
      const stringify = fastJsonStringify(schema as object) as Serializer;
      const serialize: Serializer = (data) => (data instanceof JsonText ? data.text : stringify(data));
      serializers.set(schema, serialize);
      return serialize;
    });
    done();
  },
  { name: 'contract' },
);
