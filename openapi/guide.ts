/** The contract as pages to read: docs/guide.md, the page that the server has of it, and docs/errors.md. */
import { Marked } from 'marked';
import { callsOf, type Described } from './samples.js';

interface Answer {
  readonly $ref?: string;
  readonly description?: string;
}
interface Field {
  readonly $ref?: string;
  readonly name: string;
  readonly in: string;
  readonly required?: boolean;
  readonly description?: string;
}
interface Operation {
  readonly operationId: string;
  readonly tags: readonly string[];
  readonly summary: string;
  readonly description?: string;
  readonly security: readonly Readonly<Record<string, readonly string[]>>[];
  readonly parameters?: readonly Field[];
  readonly responses: Readonly<Record<string, Answer>>;
}
export interface Problem {
  readonly status: number;
  readonly title: string;
  readonly description: string;
  readonly why: string;
  readonly next: string;
  readonly example: unknown;
}
interface Document extends Described {
  readonly info: { readonly description: string };
  readonly tags: readonly { readonly name: string; readonly description: string }[];
}

const HEADER = '<!-- Made by openapi/generate.ts from openapi.yaml. Do not edit. -->\n\n';
const METHODS = ['get', 'post', 'put', 'patch', 'delete'];

/** Operations on a doctor's record or time that is not the demo's patient's, which staff may call. */
export const BY_STAFF: readonly string[] = [
  ...['replaceDoctor', 'updateDoctor', 'deleteDoctor', 'replaceDoctorHours', 'createTimeOff', 'deleteTimeOff'],
  'getAgenda',
];
/**
 * Operations that take what the caller alone has: a session's tokens, an own password or second factor, what a hold is known
 * by; or that need a server of mail.
 */
const BY_HAND = [
  ...['refreshToken', 'logOut', 'changePassword', 'deleteHold', 'deleteSession', 'resetPassword'],
  'forgotPassword',
  ...['createTotp', 'confirmTotp', 'createRecoveryCodes', 'removeTotp', 'deleteUserTotp'],
  ...['startOidcSignIn', 'finishOidcSignIn', 'removeIdentity'],
];

function resolve<T extends { readonly $ref?: string }>({ components }: Document, value: T): T {
  const [kind = '', name = ''] = value.$ref?.split('/').slice(2) ?? [];
  return value.$ref === undefined ? value : ((components[kind] as Record<string, unknown>)[name] as T);
}

function whoMay(security: Operation['security']): string {
  const scopes = security.flatMap((entry) => entry['bearerAuth'] ?? []);
  if (security.length === 0) return 'Anyone.';
  if (scopes.includes('staff')) return 'Staff.';
  return security.some((entry) => Object.keys(entry).length === 0)
    ? 'Anyone; a token is taken too.'
    : 'Who is signed in.';
}

function operationText(document: Document, path: string, method: string): string {
  const item = document.paths[path] ?? {};
  const operation = item[method] as unknown as Operation;
  const { operationId, summary, description, security, responses } = operation;
  const parameters = [...((item['parameters'] ?? []) as Field[]), ...(operation.parameters ?? [])]
    .map((parameter) => resolve(document, parameter))
    .filter((parameter) => parameter.in === 'query');
  const answers = Object.entries(responses).filter(([status]) => !['429', '500', '503'].includes(status));
  const isStaffs = whoMay(security) === 'Staff.' || BY_STAFF.includes(operationId);
  const marks = BY_HAND.includes(operationId) ? ' not-run' : method === 'delete' ? ' last' : '';
  const call = callsOf(document, path, method).curl.replace('$ACCESS', isStaffs ? '$staff' : '$patient');
  return `### ${summary}

\`${method.toUpperCase()} ${path}\` · \`${operationId}\` · ${whoMay(security)}

${description ?? ''}

\`\`\`sh${marks}
${call}
\`\`\`

${parameters.map(({ name, required, description: text = '' }) => `- \`${name}\`${required === true ? ' (required)' : ''}: ${text}`).join('\n')}

| status | when |
| --- | --- |
${answers.map(([status, answer]) => `| ${status} | ${resolve(document, answer).description?.replaceAll(/\s+/g, ' ') ?? ''} |`).join('\n')}
`;
}

/** Every operation with a call to copy, in the order of the contract's tags. */
export function guideOf(document: Document): string {
  const sections = document.tags.map(({ name, description }) => {
    const texts = Object.entries(document.paths).flatMap(([path, item]) =>
      METHODS.filter((method) => (item[method] as unknown as Operation | undefined)?.tags.includes(name)).map(
        (method) => operationText(document, path, method),
      ),
    );
    return `## ${name}\n\n${description}\n\n${texts.join('\n')}`;
  });
  return `${HEADER}# Guide

Every operation, with a call to copy. They work as they stand while \`npm run demo\` runs, once these have been sent:

\`\`\`sh
log_in() {
  curl -s http://localhost:8000/api/user/login/ -H 'Content-Type: application/json' \\
    -d "{\\"username\\": \\"$1\\", \\"password\\": \\"Maple-Ward-12\\"}" | sed 's/.*"access" *: *"\\([^"]*\\)".*/\\1/'
}
patient=$(log_in patient)
staff=$(log_in staff)
curl -s -o portrait.jpg "$(curl -s http://localhost:8000/doctors/2/ | sed 's/.*"profile" *: *"\\([^"]*\\)".*/\\1/')"
\`\`\`

Each can also be answered 429, 500 and 503; what problems mean stands in [errors.md](errors.md).

${document.info.description}

${sections.join('\n')}`;
}

/** The guide as the element `main` of the server's page: a list of its sections, and an address for each operation. */
export function guidePageOf(guide: string): string {
  const sections: string[] = [];
  const marked = new Marked({
    renderer: {
      heading({ tokens, text, depth }) {
        const id = text.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-');
        if (depth === 2) sections.push(`<li><a href="#${id}">${text}</a></li>`);
        return `<h${depth} id="${id}">${this.parser.parseInline(tokens)}</h${depth}>\n`;
      },
      // What scrolls sideways on a narrow screen has to be reached by keyboard.
      code: ({ text }) =>
        `<pre tabindex="0"><code>${text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')}</code></pre>\n`,
    },
  });
  const [title = '', ...rest] = marked
    .parse(guide.replace(HEADER, '').replaceAll('[errors.md](errors.md)', '[Problems](/problems/)'), { async: false })
    .split(/(?<=<\/h1>\n)/);
  const contents = `<nav aria-label="Sections"><ul class="contents">${sections.join('')}</ul></nav>`;
  return `<main class="text">${title}${contents}${rest.join('')}</main>`;
}

/** What each problem type means: the text that its page has. */
export function errorsOf(problems: Readonly<Record<string, Problem>>): string {
  const texts = Object.entries(problems)
    .sort(([, a], [, b]) => a.status - b.status)
    .map(
      ([slug, { status, title, description, why, next, example }]) => `## ${title}

Status ${status}, \`/problems/${slug}\`

${description}

**Why.** ${why}

**What to do next.** ${next}

\`\`\`json
${JSON.stringify(example, null, 2)}
\`\`\`
`,
    );
  return `${HEADER}# Errors

What went wrong is always a problem document ([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457),
\`application/problem+json\`). Its \`type\` is one of these, and every server explains it at that path. \`instance\` is the id of
the request, which the answer's \`X-Request-Id\` and the server's log have too.

${texts.join('\n')}`;
}
