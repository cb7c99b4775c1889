import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { FastifyInstance } from 'fastify';
import fp from 'fastify-plugin';
import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import { operations } from '../openapi/generated/operations.js';
import { problems } from '../openapi/generated/problems.js';
import { ProblemError } from '../openapi/problem-error.js';

const file = new URL('../../openapi/openapi.yaml', import.meta.url);

const escape = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

/** The checked-in contract as it is, Swagger UI over it, and the pages that explain the problem types. */
export default fp(
  async function docs(app: FastifyInstance) {
    const yaml = await readFile(file, 'utf8');
    const document = parse(yaml) as Record<string, unknown>;
    const json = JSON.stringify(document);

    await app.register(swagger, { mode: 'static', specification: { document: document as never } });
    await app.register(swaggerUi, {
      routePrefix: '/docs',
      staticCSP: true,
      // The page also has to work over plain HTTP, and it sets styles of its own.
      transformStaticCSP: (policy) =>
        policy
          .replace(' upgrade-insecure-requests;', '')
          .replace(/style-src [^;]*/, "style-src 'self' 'unsafe-inline'"),
      uiHooks: {
        onRequest: (_request, reply, next) => {
          // The page may hold a tester's token: no page that opened it gets at its window.
          reply.header('cross-origin-opener-policy', 'same-origin');
          next();
        },
      },
      theme: { title: 'Hospital Management API' },
      uiConfig: {
        url: '/openapi.json',
        docExpansion: 'list',
        persistAuthorization: true,
        tryItOutEnabled: true,
        displayRequestDuration: true,
        filter: true,
        validatorUrl: null,
      },
    });
    app.get('/openapi.yaml', (_request, reply) => reply.type('application/yaml').send(yaml));
    app.get('/openapi.json', (_request, reply) => reply.type('application/json').send(json));
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
