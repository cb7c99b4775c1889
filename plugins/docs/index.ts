import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { FastifyInstance } from 'fastify';
import fp from 'fastify-plugin';
import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import { operations } from '../../openapi/generated/operations.js';
import { problems } from '../../openapi/generated/problems.js';
import { ProblemError } from '../../openapi/problem-error.js';
import { serveDocument } from './documents.js';

const file = new URL('../../../openapi/openapi.yaml', import.meta.url);

/** For tools that do not take the contract as it is, as openapi/renderings.ts makes them. */
const RENDERINGS = { 'openapi-sdk.json': 'application/json; charset=utf-8', 'openapi-3.0.yaml': 'application/yaml' };

const PAGE = new URL('../../../plugins/docs/swagger-ui/', import.meta.url);
/** What the page loads besides Swagger UI itself. */
const PARTS = {
  'page.js': 'text/javascript; charset=utf-8',
  'page.css': 'text/css; charset=utf-8',
  'mark.svg': 'image/svg+xml',
};

/** Swagger UI sets styles of its own, and shows pictures as blobs; the page also has to work over plain HTTP. */
const POLICY = [
  ...["default-src 'none'", "script-src 'self'", "style-src 'self' 'unsafe-inline'", "img-src 'self' data: blob:"],
  ...["connect-src 'self'", "base-uri 'none'", "form-action 'self'", "frame-ancestors 'self'"],
].join('; ');

const escape = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

/** The checked-in contract as it is, Swagger UI over it, and the pages that explain the problem types. */
export default fp(
  async function docs(app: FastifyInstance) {
    const yaml = await readFile(file, 'utf8');
    const document = parse(yaml) as Record<string, unknown>;
    const json = JSON.stringify(document);

    await app.register(swagger, { mode: 'static', specification: { document: document as never } });
    const page = await readFile(new URL('page.html', PAGE), 'utf8');
    await app.register(swaggerUi, {
      routePrefix: '/docs',
      staticCSP: POLICY,
      uiHooks: {
        // In the place of its page, which knows nothing of what this one is for, and of its renderings of the contract.
        onRequest: (request, reply, next) => {
          const { url = '' } = request.routeOptions;
          if (/\/(json|yaml|swagger-initializer\.js)$/.test(url)) {
            next(new ProblemError('not-found', 'There is nothing at this path.'));
            return;
          }
          // The page may hold a tester's token: no page that opened it gets at its window.
          void reply.header('cross-origin-opener-policy', 'same-origin').type('text/html; charset=utf-8').send(page);
        },
      },
    });
    for (const [name, type] of Object.entries(PARTS)) {
      const part = await readFile(new URL(name, PAGE));
      app.get(`/docs/page/${name}`, (_request, reply) => reply.type(type).send(part));
    }
    serveDocument(app, { path: '/openapi.yaml', type: 'application/yaml', text: yaml });
    serveDocument(app, { path: '/openapi.json', type: 'application/json; charset=utf-8', text: json });
    for (const [name, type] of Object.entries(RENDERINGS)) {
      const text = await readFile(new URL(`generated/${name}`, file), 'utf8');
      serveDocument(app, { path: `/${name}`, type, text });
    }
    app.get('/', (_request, reply) => reply.redirect('/docs/'));

    app.operate(operations.getProblemType, (request, reply) => {
      const { slug } = request.params as { slug: string };
      if (!Object.hasOwn(problems, slug)) throw new ProblemError('not-found', 'There is no such problem type.');
      const { title, status, description } = problems[slug as keyof typeof problems];
      return reply
        .type('text/html; charset=utf-8')
        .send(
          `<!doctype html><html lang="en"><meta charset="utf-8"><title>${escape(title)}</title>` +
            `<h1>${escape(title)}</h1><p>Status ${status}</p><p>${escape(description)}</p></html>\n`,
        );
    });
  },
  { name: 'docs', dependencies: ['errors', 'operation'] },
);
