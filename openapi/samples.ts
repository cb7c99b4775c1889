/** Calls to copy, in three languages, made of the examples that the contract has of each operation. */
import { examplesOf, type Shown } from './examples.js';

interface Schema {
  readonly $ref?: string;
  readonly format?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
}
interface Parameter {
  readonly $ref?: string;
  readonly name: string;
  readonly in: string;
  readonly required?: boolean;
  readonly example?: unknown;
}
interface Media extends Shown {
  readonly schema: Schema;
}
interface Operation {
  readonly security: readonly Readonly<Record<string, unknown>>[];
  readonly 'x-ignored-tokens'?: string;
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content: Readonly<Record<string, Media>> };
  readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, unknown>> }>>;
}
/** The parts of the contract that calls are made of. */
export interface Described {
  readonly servers: readonly { readonly url: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation | readonly Parameter[]>>>>;
  readonly components: Readonly<Record<string, unknown>>;
}

/** A call as every language has it in words of its own. */
interface Call {
  readonly method: string;
  readonly url: string;
  readonly isSignedIn: boolean;
  readonly json: unknown;
  /** Fields of a form, of which a file has the name of one; undefined where no form is sent. */
  readonly form: readonly (readonly [name: string, value: string | File])[] | undefined;
  readonly answersJson: boolean;
}
interface File {
  readonly file: string;
}

const METHODS = ['get', 'post', 'put', 'patch', 'delete'];
const FILE: File = { file: 'portrait.jpg' };

function resolve<T extends { readonly $ref?: string }>(document: Described, value: T): T {
  if (value.$ref === undefined) return value;
  const path = value.$ref.split('/').slice(1);
  return path.reduce<unknown>((part, name) => (part as Record<string, unknown>)[name], document) as T;
}

function callOf(document: Described, path: string, method: string): Call {
  const item = document.paths[path] ?? {};
  const operation = item[method] as Operation;
  const shared = (item['parameters'] ?? []) as readonly Parameter[];
  const parameters = [...shared, ...(operation.parameters ?? [])].map((parameter) => resolve(document, parameter));
  const filled = path.replaceAll(/\{(\w+)\}/g, (_match, name: string) =>
    encodeURIComponent(String(parameters.find((parameter) => parameter.name === name)?.example)),
  );
  const query = parameters
    .filter((parameter) => parameter.in === 'query' && parameter.required === true)
    .map(({ name, example }) => `${name}=${encodeURIComponent(String(example))}`);
  const { 'application/json': json, 'multipart/form-data': multipart } = operation.requestBody?.content ?? {};
  const [body] = examplesOf(document, json ?? {});
  const fields = multipart === undefined ? {} : (resolve(document, multipart.schema).properties ?? {});
  const files = Object.keys(fields).filter((name) => resolve(document, fields[name] ?? {}).format === 'binary');
  // Who makes a record sends the picture with it; changes are mostly of something else.
  const sendsForm = method === 'post' && files.length > 0;
  const texts = Object.entries((body ?? {}) as Record<string, unknown>)
    .filter(([name]) => !files.includes(name))
    .flatMap(([name, value]) => [value].flat().map((one) => [name, String(one)] as const));
  return {
    method: method.toUpperCase(),
    url: `${document.servers[0]?.url}${filled}${query.length > 0 ? `?${query.join('&')}` : ''}`,
    // What looks at any token that comes is for anybody all the same.
    isSignedIn:
      operation.security.some((entry) => entry['bearerAuth'] !== undefined) && operation['x-ignored-tokens'] !== 'all',
    json: sendsForm ? undefined : body,
    form: sendsForm ? [...texts, ...files.map((name) => [name, FILE] as const)] : undefined,
    answersJson: Object.entries(operation.responses).some(
      ([status, { content }]) => status.startsWith('2') && content?.['application/json'] !== undefined,
    ),
  };
}

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

function curl({ method, url, isSignedIn, json, form }: Call): string {
  const lines = [`curl ${method === 'GET' || form !== undefined ? '' : `-X ${method} `}${quoted(url)}`];
  if (isSignedIn) lines.push('-H "Authorization: Bearer $ACCESS"');
  if (json !== undefined)
    lines.push(`-H 'Content-Type: application/json'`, `-d ${quoted(JSON.stringify(json, null, 2))}`);
  for (const [name, value] of form ?? []) {
    lines.push(`-F ${quoted(typeof value === 'string' ? `${name}=${value}` : `${name}=@${value.file}`)}`);
  }
  return lines.join(' \\\n  ');
}

const indented = (text: string): string => text.replaceAll('\n', '\n  ');

function typeScript({ method, url, isSignedIn, json, form, answersJson }: Call): string {
  const headers = [
    ...(isSignedIn ? ['Authorization: `Bearer ${access}`'] : []),
    ...(json === undefined ? [] : [`'Content-Type': 'application/json'`]),
  ];
  const options = [
    ...(method === 'GET' ? [] : [`method: '${method}'`]),
    ...(headers.length === 0 ? [] : [`headers: { ${headers.join(', ')} }`]),
    ...(json === undefined ? [] : [`body: JSON.stringify(${indented(JSON.stringify(json, null, 2))})`]),
    ...(form === undefined ? [] : ['body']),
  ];
  return [
    ...(form === undefined ? [] : ['const body = new FormData();']),
    ...(form ?? []).map(([name, value]) =>
      typeof value === 'string'
        ? `body.append('${name}', ${JSON.stringify(value)});`
        : `body.append('${name}', file, '${value.file}'); // a Blob or a File`,
    ),
    `const answer = await fetch('${url}'${options.length === 0 ? '' : `, {\n  ${options.join(',\n  ')},\n}`});`,
    'if (!answer.ok) throw new Error((await answer.json()).detail);',
    ...(answersJson ? ['console.log(await answer.json());'] : []),
  ].join('\n');
}

/** A value in the words of Python. */
function literal(value: unknown, indent = '    '): string {
  if (value === null) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (Array.isArray(value)) return `[${value.map((item) => literal(item, indent)).join(', ')}]`;
  if (typeof value !== 'object') return JSON.stringify(value);
  const fields = Object.entries(value).map(
    ([name, inner]) => `${indent}    ${JSON.stringify(name)}: ${literal(inner, `${indent}    `)},\n`,
  );
  return `{\n${fields.join('')}${indent}}`;
}

function python({ method, url, isSignedIn, json, form, answersJson }: Call): string {
  const pair = (name: string, value: string): string => `        (${JSON.stringify(name)}, ${value}),\n`;
  const texts = (form ?? []).flatMap(([name, value]) =>
    typeof value === 'string' ? [pair(name, JSON.stringify(value))] : [],
  );
  const files = (form ?? []).flatMap(([name, value]) =>
    typeof value === 'string' ? [] : [pair(name, `open(${JSON.stringify(value.file)}, "rb")`)],
  );
  const options = [
    JSON.stringify(url),
    ...(isSignedIn ? ['headers={"Authorization": f"Bearer {access}"}'] : []),
    ...(json === undefined ? [] : [`json=${literal(json)}`]),
    ...(texts.length === 0 ? [] : [`data=[\n${texts.join('')}    ]`]),
    ...(files.length === 0 ? [] : [`files=[\n${files.join('')}    ]`]),
  ];
  return [
    'import requests\n',
    `answer = requests.${method.toLowerCase()}(\n    ${options.join(',\n    ')},\n)`,
    'answer.raise_for_status()',
    ...(answersJson ? ['print(answer.json())'] : []),
  ].join('\n');
}

/** The languages of calls, and what Redoc calls them. */
const LANGUAGES = { curl: 'Shell', TypeScript: 'TypeScript', Python: 'Python' } as const;

/** A call of an operation in each language. */
export function callsOf(document: Described, path: string, method: string): Record<keyof typeof LANGUAGES, string> {
  const call = callOf(document, path, method);
  return { curl: curl(call), TypeScript: typeScript(call), Python: python(call) };
}

/** The contract with samples of each operation, as Redoc shows them. */
export function withSamples<T extends Described>(document: T): T {
  const paths = Object.fromEntries(
    Object.entries(document.paths).map(([path, item]) => [
      path,
      Object.fromEntries(
        Object.entries(item).map(([method, operation]) => {
          if (!METHODS.includes(method)) return [method, operation];
          const samples = Object.entries(callsOf(document, path, method)).map(([label, source]) => ({
            lang: LANGUAGES[label as keyof typeof LANGUAGES],
            label,
            source,
          }));
          return [method, { ...operation, 'x-codeSamples': samples }];
        }),
      ),
    ]),
  );
  return { ...document, paths };
}
