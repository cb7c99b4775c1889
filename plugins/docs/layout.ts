/** The frame of every page for people. */
import type { FastifyReply } from 'fastify';

const NAME = 'Hospital Management API';

const LINKS = {
  '/docs/': 'Swagger UI',
  '/guide/': 'Guide',
  '/reference/': 'Reference',
  '/openapi.yaml': 'openapi.yaml',
  '/openapi.json': 'openapi.json',
  '/problems/': 'Problems',
};

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

export const escape = (text: string): string => text.replaceAll(/[&<>"]/g, (character) => ENTITIES[character] ?? '');

export interface Page {
  /** As text; the API's own name stands for none. */
  readonly title?: string;
  /** The element `main`. */
  readonly main: string;
  /** Paths of style sheets, from the one that gives way to those after it. */
  readonly styles?: readonly string[];
  /** Paths of scripts; modules but for those of libraries. */
  readonly libraries?: readonly string[];
  readonly scripts?: readonly string[];
}

/** A whole page, in the one look of this server's pages. */
export function layout({ title, main, styles = [], libraries = [], scripts = [] }: Page): string {
  const links = Object.entries(LINKS).map(([path, text]) => `<a href="${path}">${text}</a>`);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title === undefined ? NAME : `${escape(title)} - ${NAME}`}</title>
<link rel="icon" type="image/svg+xml" href="/docs/page/mark.svg">
${[...styles, '/docs/page/pages.css'].map((path) => `<link rel="stylesheet" href="${path}">`).join('\n')}
<script src="/docs/page/theme.js"></script>
</head>
<body>
<header class="bar">
<a class="name" href="/"><img src="/docs/page/mark.svg" alt="" width="28" height="28">${NAME}</a>
<nav aria-label="This API">
${links.join('\n')}
<button type="button" id="theme">Dark mode</button>
</nav>
</header>
${main}
${libraries.map((path) => `<script src="${path}"></script>`).join('\n')}
${scripts.map((path) => `<script src="${path}" type="module"></script>`).join('\n')}
</body>
</html>
`;
}

/** What a page may load: its own parts, and further sources by directive. It also has to work over plain HTTP. */
export function policy(more: Readonly<Record<string, string>> = {}): string {
  const sources = { 'script-src': "'self'", 'style-src': "'self'", 'img-src': "'self'", ...more };
  return [
    "default-src 'none'",
    ...Object.entries(sources).map(([directive, source]) => `${directive} ${source}`),
    ...["base-uri 'none'", "form-action 'self'", "frame-ancestors 'self'"],
  ].join('; ');
}

const PLAIN = policy();

/** The way from an address to the root, which is not that of its host where a proxy has taken a prefix off the path. */
function rootFrom(url: string): string {
  const path = url.replace(/^https?:\/\/[^/?#]*/i, '').replace(/[?#].*/, '');
  return '../'.repeat(path.split('/').length - 2) || './';
}

export function sendPage(reply: FastifyReply, html: string, contentPolicy = PLAIN): FastifyReply {
  const page = html.replaceAll(/ (href|src)="\//g, ` $1="${rootFrom(reply.request.url)}`);
  return reply.header('content-security-policy', contentPolicy).type('text/html; charset=utf-8').send(page);
}
