/** What the plain pages say: the front page, the problem types, and that there is nothing. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { problems } from '../../openapi/generated/problems.js';
import type { ProblemSlug } from '../../openapi/problem-error.js';
import { preferred } from '../accept.js';
import { escape, layout, sendPage } from './layout.js';

/** What people and programs may get in the place of each other, for who names none of it. */
const FORMS = ['application/problem+json', 'application/json', 'text/html'];

/** Whether somebody asks who would rather read a page, as browsers do that go to an address. */
export function prefersPage(request: FastifyRequest, reply: FastifyReply): boolean {
  const { method } = request;
  if (method !== 'GET' && method !== 'HEAD') return false;
  return preferred(request, reply, FORMS) === 'text/html';
}

/** Text of the contract, whose backquotes mark code. */
const formatted = (text: string): string => escape(text).replaceAll(/`([^`]+)`/g, '<code>$1</code>');

const BACK = '<p><a href="/problems/">All problem types</a> · <a href="/">Start page</a></p>';

export const frontPage = layout({
  main: `<main class="text">
<h1>Hospital Management API</h1>
<p class="lead">Users, patients, doctors, appointments and reviews of a clinic, over HTTP and JSON.</p>
<ul class="ways">
<li><a href="/docs/">Swagger UI</a><p>Try every operation from this page: log in, book, upload.</p></li>
<li><a href="/guide/">Guide</a><p>Read it from start to end, with a call to copy for every operation.</p></li>
<li><a href="/reference/">Reference</a><p>Look an operation up, with samples in curl, TypeScript and Python.</p></li>
<li><a href="/problems/">Problems</a><p>What each error means, why it comes, and what to do next.</p></li>
<li><a href="/openapi.yaml">openapi.yaml</a><p>The contract itself, also as <a href="/openapi.json">JSON</a>.</p></li>
</ul>
<h2>For generators of clients</h2>
<p><a href="/openapi-sdk.json">openapi-sdk.json</a> is expanded, with files as multipart alone;
<a href="/openapi-3.0.yaml">openapi-3.0.yaml</a> is for tools that know OpenAPI 3.0.</p>
<h2>Is it well?</h2>
<p><a href="/health/live">/health/live</a> says that the server answers,
<a href="/health/ready">/health/ready</a> that it can do its work.</p>
</main>`,
});

export const problemList = layout({
  title: 'Problems',
  main: `<main class="text">
<h1>Problems</h1>
<p>What went wrong is always a problem document (RFC 9457, <code>application/problem+json</code>).
Its <code>type</code> is one of these, and leads to the page that explains it.</p>
<table>
<thead><tr><th scope="col">Status</th><th scope="col">Type</th><th scope="col">What happened</th></tr></thead>
<tbody>
${Object.entries(problems)
  .sort(([, a], [, b]) => a.status - b.status)
  .map(
    ([slug, { status, title, description }]) =>
      `<tr><td>${status}</td><td><a href="/problems/${slug}">${escape(title)}</a></td><td>${formatted(description)}</td></tr>`,
  )
  .join('\n')}
</tbody>
</table>
<p><a href="/">Start page</a></p>
</main>`,
});

export function problemPage(slug: ProblemSlug): string {
  const { title, status, description, why, next, example } = problems[slug];
  return layout({
    title,
    main: `<main class="text">
<h1>${escape(title)}</h1>
<p class="status">Status ${status} · <code>/problems/${slug}</code></p>
<h2>What happened</h2>
<p>${formatted(description)}</p>
<h2>Why</h2>
<p>${formatted(why)}</p>
<h2>What to do next</h2>
<p>${formatted(next)}</p>
<h2>An example</h2>
<pre tabindex="0"><code>${escape(JSON.stringify(example, null, 2))}</code></pre>
${BACK}
</main>`,
  });
}

const notFoundPage = layout({
  title: 'Not found',
  main: `<main class="text">
<h1>There is nothing here</h1>
<p class="status">Status 404</p>
<p>The address has a mistake in it, or what was there is gone.</p>
<h2>What to do next</h2>
<p>Paths of the API are in <a href="/docs/">Swagger UI</a> and in the <a href="/reference/">reference</a>;
programs get <a href="/problems/not-found">a problem document</a> in the place of this page.</p>
${BACK}
</main>`,
});

export const sendNotFoundPage = (reply: FastifyReply): FastifyReply => sendPage(reply.code(404), notFoundPage);
