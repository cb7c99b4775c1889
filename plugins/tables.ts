/** Answers in other forms than JSON: as CSV for spreadsheets, and as a page to print. */
import type { FastifyReply } from 'fastify';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { JsonText } from '../db/json.js';
import type { PrintedPage, Renderings, Table } from '../openapi/operation.js';
import { escape } from './docs/layout.js';
import { entityTag } from './entity-tags.js';
import { linkPages } from './links.js';

type Cell = Table['rows'][number][number];

/** What a spreadsheet would take for a formula begins so (OWASP, "CSV Injection"). */
const FORMULA = /^[=+\-@\t\r]/;

function csvCell(cell: Cell): string {
  if (cell === null) return '';
  const text = typeof cell === 'string' && FORMULA.test(cell) ? `'${cell}` : String(cell);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** As RFC 4180 has it. */
const csv = ({ columns, rows }: Table): string =>
  [columns, ...rows].map((row) => `${row.map(csvCell).join(',')}\r\n`).join('');

const style = readFileSync(new URL('../../plugins/docs/pages/printed.css', import.meta.url), 'utf8');

/** The page is often opened from a file, since a browser that goes to its address sends no token: it has its style in it. */
const POLICY = [
  `default-src 'none'; style-src 'sha256-${createHash('sha256').update(style).digest('base64')}'`,
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
].join('; ');

const row = ([head = null, ...cells]: readonly Cell[]): string =>
  `<tr><th scope="row">${escape(String(head ?? ''))}</th>${cells.map((cell) => `<td>${escape(String(cell ?? ''))}</td>`).join('')}</tr>`;

const table = ({ title, columns, rows }: Table): string => `<section>
<h2>${escape(title)}</h2>
<table>
<thead><tr>${columns.map((name) => `<th scope="col">${escape(name)}</th>`).join('')}</tr></thead>
<tbody>
${rows.map(row).join('\n')}
</tbody>
</table>
</section>`;

const page = ({ title, lead, tables }: PrintedPage): string => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(title)}</title>
<style>${style}</style>
</head>
<body>
<main>
<h1>${escape(title)}</h1>
<p>${escape(lead)}</p>
${tables.map(table).join('\n')}
</main>
</body>
</html>
`;

/** Sends an answer in another form than JSON. */
export function sendRendered(
  reply: FastifyReply,
  type: keyof Renderings<object>,
  renderings: Renderings<object>,
  answer: unknown,
): FastifyReply {
  const value = (answer instanceof JsonText ? JSON.parse(answer.text) : answer) as object;
  linkPages(reply, value);
  let text: string;
  if (type === 'text/csv') {
    const rendered = renderings[type](value);
    text = csv(rendered);
    reply.header('content-disposition', `attachment; filename="${rendered.title}.csv"`);
  } else {
    text = page(renderings[type](value));
    reply.header('content-security-policy', POLICY);
  }
  // The hook that gives JSON its tag sees no text.
  return reply
    .header('etag', entityTag(new JsonText(text)))
    .type(`${type}; charset=utf-8`)
    .send(text);
}
