import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { FastifyInstance } from 'fastify';
import fp from 'fastify-plugin';
import { readFileSync } from 'node:fs';
import { operations } from '../../openapi/generated/operations.js';
import { problems } from '../../openapi/generated/problems.js';
import { ProblemError, type ProblemSlug } from '../../openapi/problem-error.js';
import { fromFile, serveDocument } from './documents.js';
import { escape, layout, policy, sendPage } from './layout.js';
import { frontPage, prefersPage, problemList, problemPage, sendNotFoundPage } from './pages.js';

const file = new URL('../../../openapi/openapi.yaml', import.meta.url);

const JSON_TYPE = 'application/json; charset=utf-8';

/** For tools that do not take the contract as it is, as openapi/renderings.ts makes them. */
const RENDERINGS = { 'openapi-sdk.json': JSON_TYPE, 'openapi-3.0.yaml': 'application/yaml' };

/** What the build puts beside this file: a library that only a page loads, and what it makes of the contract. */
const BUILT = new URL('./', import.meta.url);
const CONTRACT = new URL('openapi.json', BUILT);
const FOLDER = new URL('../../../plugins/docs/', import.meta.url);
const SCRIPT = 'text/javascript; charset=utf-8';
const STYLE = 'text/css; charset=utf-8';
/** What the pages load besides the libraries. */
const PARTS = {
  'pages/pages.css': STYLE,
  'pages/theme.js': SCRIPT,
  'pages/root.js': SCRIPT,
  'pages/mark.svg': 'image/svg+xml',
  'reference/reference.css': STYLE,
  'reference/reference.js': SCRIPT,
  'swagger-ui/swagger-ui.css': STYLE,
  'swagger-ui/page.js': SCRIPT,
  'swagger-ui/operations.js': SCRIPT,
  'swagger-ui/answers.js': SCRIPT,
  'swagger-ui/session.js': SCRIPT,
  'swagger-ui/names.js': SCRIPT,
};

/** Swagger UI sets styles of its own, and shows pictures as blobs. */
const SWAGGER_UI_POLICY = policy({
  'style-src': "'self' 'unsafe-inline'",
  'img-src': "'self' data: blob:",
  'connect-src': "'self'",
});

/** Redoc sets styles of its own too. */
const REFERENCE_POLICY = policy({
  'style-src': "'self' 'unsafe-inline'",
  'img-src': "'self' data:",
  'connect-src': "'self'",
});

/** Somebody who can log in, as the pages name them. */
export interface Account {
  readonly username: string;
  readonly password: string;
  readonly who: string;
}

const readContract = (): object => JSON.parse(readFileSync(CONTRACT, 'utf8')) as object;

/** An object that is made when somebody looks into it: what few ask for takes no memory of all. */
function whenLookedAt(make: () => object): object {
  let made: object | undefined;
  const whole = (): object => (made ??= make());
  return new Proxy(
    {},
    {
      get: (_, key) => Reflect.get(whole(), key) as unknown,
      has: (_, key) => Reflect.has(whole(), key),
      ownKeys: () => Reflect.ownKeys(whole()),
      getOwnPropertyDescriptor: (_, key) => Reflect.getOwnPropertyDescriptor(whole(), key),
    },
  );
}

export interface DocsOptions {
  /** Whose passwords everybody may know: those of a demo. */
  readonly accounts: readonly Account[];
}

/** The checked-in contract as it is, and the pages for people: Swagger UI and the reference over it, and plain ones. */
export default fp(
  async function docs(app: FastifyInstance, { accounts }: DocsOptions) {
    const page = layout({
      main: `<main id="swagger-ui" data-accounts="${escape(JSON.stringify(accounts))}"><p class="loading">The contract is being loaded.</p></main>`,
      styles: ['/docs/static/swagger-ui.css', '/docs/page/swagger-ui.css'],
      libraries: ['/docs/static/swagger-ui-bundle.js'],
      scripts: ['/docs/page/page.js'],
    });
    await app.register(swagger, { mode: 'static', specification: { document: whenLookedAt(readContract) as never } });
    await app.register(swaggerUi, {
      routePrefix: '/docs',
      uiHooks: {
        // In the place of its page, which knows nothing of what this one is for, and of its renderings of the contract.
        onRequest: (request, reply, next) => {
          const { url = '' } = request.routeOptions;
          if (/\/(json|yaml|swagger-initializer\.js)$/.test(url)) {
            next(new ProblemError('not-found', 'There is nothing at this path.'));
            return;
          }
          // The page may hold a tester's token: no page that opened it gets at its window.
          void sendPage(reply.header('cross-origin-opener-policy', 'same-origin'), page, SWAGGER_UI_POLICY);
        },
      },
    });
    for (const [name, type] of Object.entries(PARTS)) {
      const path = `/docs/page/${name.slice(name.indexOf('/') + 1)}`;
      serveDocument(app, { path, type, file: new URL(name, FOLDER) });
    }
    serveDocument(app, { path: '/openapi.yaml', type: 'application/yaml', file });
    serveDocument(app, { path: '/openapi.json', type: JSON_TYPE, file: CONTRACT });
    for (const [name, type] of Object.entries(RENDERINGS)) {
      serveDocument(app, { path: `/${name}`, type, file: new URL(`generated/${name}`, file) });
    }
    const reference = layout({
      title: 'Reference',
      main: '<main id="reference"><p class="loading">The contract is being loaded.</p></main>',
      styles: ['/docs/page/reference.css'],
      libraries: ['/reference/redoc.js'],
      scripts: ['/docs/page/reference.js'],
    });
    app.get('/reference/', (_request, reply) => sendPage(reply, reference, REFERENCE_POLICY));
    serveDocument(app, { path: '/reference/redoc.js', type: SCRIPT, file: new URL('redoc.standalone.js', BUILT) });
    const sampled = new URL('openapi-with-samples.json', BUILT);
    serveDocument(app, { path: '/reference/openapi.json', type: JSON_TYPE, file: sampled });

    const guide = fromFile(new URL('generated/guide.html', file), (html) =>
      layout({ title: 'Guide', main: html.toString() }),
    );
    app.get('/guide/', async (_request, reply) => sendPage(reply, await guide()));

    // Whoever does not ask for a page is led to the one that it came for before there was this one.
    app.get('/', (request, reply) =>
      prefersPage(request, reply) ? sendPage(reply, frontPage) : reply.redirect('docs/'),
    );
    app.get('/problems/', (_request, reply) => sendPage(reply, problemList));
    app.operate(operations.getProblemType, (request, reply) => {
      const { slug } = request.params as { slug: string };
      if (Object.hasOwn(problems, slug)) return sendPage(reply, problemPage(slug as ProblemSlug));
      if (prefersPage(request, reply)) return sendNotFoundPage(reply);
      throw new ProblemError('not-found', 'There is no such problem type.');
    });
  },
  { name: 'docs', dependencies: ['errors', 'operation'] },
);
