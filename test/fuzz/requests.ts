/** The requests of a fuzz: each is made by chance of its own, from the seed and its number. */
import { between, pick, type Chance } from '../../src/demo/random.js';
import type { FuzzedOperation, Parameter, Schema } from './operations.js';
import {
  breachesOf,
  dayText,
  File,
  Raw,
  toJson,
  typeOf,
  validMembers,
  validValue,
  type Hint,
  type Place,
} from './values.js';
import { collectionOf, type Actor, type World } from './world.js';

/** What a request is to find out. */
export interface Intent {
  /** `valid`, or which rule is broken, and where. */
  readonly rule: string;
  /** The answers that are right by the contract's schemas; undefined for any that it documents. */
  readonly statuses?: readonly number[];
  /** What is broken, so that the answer has to name it in `errors`, where it is 400. */
  readonly field?: string;
}

export type Members = readonly (readonly [name: string, value: unknown])[];

/** A request in parts, so that it can be made smaller. */
export interface Plan {
  readonly number: number;
  readonly operation: FuzzedOperation;
  readonly actor: Actor;
  /** Undefined for none. */
  readonly token: string | undefined;
  readonly isTokenBad: boolean;
  readonly method: string;
  readonly path: string;
  readonly query: Members;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: { readonly type: string; readonly members: Members } | { readonly bytes: Buffer } | undefined;
  readonly intent: Intent;
}

export interface Wire {
  readonly method: string;
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | undefined;
}

const BOUNDARY = '----fuzz';

/** A value as text: JSON of what is none. */
const textOf = (value: unknown): string => (typeof value === 'string' ? value : toJson(value));

const encoded = (value: unknown): string => (value instanceof Raw ? value.text : encodeURIComponent(textOf(value)));

function formPart(name: string, value: unknown): Buffer[] {
  if (Array.isArray(value)) return value.flatMap((item) => formPart(name, item));
  const head = `--${BOUNDARY}\r\nContent-Disposition: form-data; name="${name}"`;
  if (value instanceof File) {
    const type = `; filename="a.png"\r\nContent-Type: ${value.type}\r\n\r\n`;
    return [Buffer.from(head + type), value.bytes, Buffer.from('\r\n')];
  }
  // Its percent-encoding stands for bytes that are no UTF-8.
  const bytes =
    value instanceof Raw
      ? Buffer.from(
          value.text.replaceAll(/%([\da-f]{2})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16))),
          'latin1',
        )
      : Buffer.from(value === null ? '' : textOf(value));
  return [Buffer.from(`${head}\r\n\r\n`), bytes, Buffer.from('\r\n')];
}

/** The bytes of a request. */
export function wireOf({ method, path, query, headers, token, body }: Plan): Wire {
  const pairs = query.flatMap(([name, value]) =>
    [value].flat().map((one) => `${encodeURIComponent(name)}=${encoded(one)}`),
  );
  const target = pairs.length === 0 ? path : `${path}?${pairs.join('&')}`;
  const bearer = token === undefined ? {} : { authorization: `Bearer ${token}` };
  if (body === undefined) return { method, target, headers: { ...bearer, ...headers }, body };
  if ('bytes' in body) return { method, target, headers: { ...bearer, ...headers }, body: body.bytes };
  const isForm = body.type === 'multipart/form-data';
  const type = isForm ? `${body.type}; boundary=${BOUNDARY}` : body.type;
  const bytes = isForm
    ? Buffer.concat([
        ...body.members.flatMap(([name, value]) => formPart(name, value)),
        Buffer.from(`--${BOUNDARY}--\r\n`),
      ])
    : Buffer.from(toJson(Object.fromEntries(body.members)));
  return { method, target, headers: { ...bearer, 'content-type': type, ...headers }, body: bytes };
}

const tokenOf = ({ role, access }: Actor): string | undefined => (role === 'nobody' ? undefined : access);

/** What the guard of an operation answers, before anything of the request but its media type is looked at. */
function refusal({ config }: FuzzedOperation, { role, scopes }: Actor, token: string | undefined, isTokenBad: boolean) {
  const { access, ignoredTokens, serviceScope } = config;
  if (access === 'public' || ignoredTokens === 'all') return undefined;
  if (isTokenBad) return 401;
  if (token === undefined) return access === 'optional' ? undefined : 401;
  if (scopes !== undefined) return scopes.has(serviceScope ?? '') ? undefined : 403;
  return access === 'staff' && role !== 'staff' ? 403 : undefined;
}

/** What each operation and field needs to get further than an unknown id does. */
function hintOf(world: World, actor: Actor, operation: FuzzedOperation, chance: Chance): Hint {
  const { operationId, path, method } = operation;
  const slot = world.slot(chance);
  const known = pick(chance, world.actors);
  const picture = new URL(world.given.picture.pick(chance) ?? 'http://x/pictures/none.png');
  // Once for the whole request: slot, credentials and picture belong together.
  const isFitting = chance() < 0.75;
  // Whoever asks stays who they are.
  const changesKey = path.startsWith('/service-keys/{id}/') && method !== 'GET';
  const isKept = (id: number): boolean =>
    changesKey
      ? world.fixedKeys.has(id)
      : operationId === 'updateUser' &&
        world.actors.some((other) => other !== actor && other.role !== 'service' && other.id === id);
  return (name, schema) => {
    if (chance() < 0.05 && operationId !== 'updateUser' && !changesKey) return undefined;
    if (operationId === 'getPicture') {
      if (name === 'name') return picture.pathname.split('/').at(-1);
      return picture.searchParams.get(name) ?? undefined;
    }
    if (isFitting) {
      if (operationId === 'logIn' && known.username !== '') {
        if (name === 'username') return known.username;
        if (name === 'password') return known.password;
      }
      if (name === 'current_password' && actor.role !== 'nobody') return actor.password;
      if (['doctor', 'time', 'date'].includes(name) && slot !== undefined && /^\/(appointments|holds)\//.test(path)) {
        return slot[name as keyof typeof slot];
      }
    }
    if (name === 'refresh') return world.given.refresh.pick(chance);
    if (name === 'token') return world.given.hold.pick(chance);
    if (name === 'slug' && path.startsWith('/problems/'))
      return pick(chance, ['invalid-input', 'slot-taken', 'nothing']);
    if (name === 'hold') return chance() < 0.3 ? world.given.hold.pick(chance) : undefined;
    if (name === 'invitation') return world.given.invitation.pick(chance);
    if (name === 'after') return world.given.after.pick(chance);
    if (name === 'page') return chance() < 0.9 ? between(chance, 1, 3) : undefined;
    if (name === 'limits') return chance() < 0.7 ? between(chance, 1, 40) : undefined;
    if (schema['x-day-or-moment'] === true && chance() < 0.8)
      return dayText(between(chance, 400, 410) + (name === 'to' ? 12 : 0));
    if (name === 'to' && schema.format === 'date') return chance() < 0.8 ? dayText(between(chance, 14, 30)) : undefined;
    if (name === 'from' && schema.format === 'date')
      return chance() < 0.8 ? dayText(between(chance, 0, 13)) : undefined;
    if (name === 'id') {
      const collection = collectionOf(path);
      if (collection === undefined) return undefined;
      for (;;) {
        const id = world.id(collection, chance, actor);
        if (!isKept(id)) return id;
      }
    }
    const type = typeOf(schema);
    return type === 'integer' || type === undefined ? world.reference(name, chance, actor) : undefined;
  };
}

const parametersOf = ({ parameters }: FuzzedOperation, place: Parameter['in']): Parameter[] =>
  parameters.filter((parameter) => parameter.in === place);

/** Headers that any request may come with. */
const HARMLESS: Readonly<Record<string, string>>[] = [
  ...[{}, {}, {}, {}, {}, { accept: '*/*' }, { accept: 'application/json' }, { accept: 'text/html, */*;q=0.1' }],
  ...[{ accept: 'application/xml' }, { accept: 'image/webp' }, { accept: ';;q=,' }, { accept: '\xff' }],
  ...[{ prefer: 'return=minimal' }, { prefer: 'handling=lenient' }, { prefer: ',,=' }, { range: 'bytes=0-1' }],
  ...[{ range: 'bytes=999999-' }, { range: 'rubbish' }, { origin: 'https://evil.example' }, { origin: 'null' }],
  ...[{ cookie: 'a=b' }, { 'x-forwarded-for': '1.2.3.4' }, { 'x-http-method-override': 'DELETE' }, { te: 'trailers' }],
  ...[
    { 'accept-encoding': 'br, gzip' },
    { 'accept-language': 'tr' },
    { 'x-request-id': 'mine' },
    { 'user-agent': 'é' },
  ],
  ...[
    { 'if-modified-since': 'rubbish' },
    { 'if-unmodified-since': 'Thu, 01 Jan 1970 00:00:00 GMT' },
    { expect: '100-continue' },
  ],
];

function conditions(operation: FuzzedOperation, path: string, world: World, chance: Chance): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const { name } of parametersOf(operation, 'header')) {
    if (chance() > 0.25) continue;
    const tag = world.tags.get(path) ?? '"x"';
    if (name === 'Idempotency-Key') {
      const isKnown = chance() < 0.4;
      const key = (isKnown ? world.given.key.pick(chance) : undefined) ?? `key-${Math.floor(chance() * 1e9)}`;
      world.given.key.add(key);
      headers[name] = key;
    } else headers[name] = pick(chance, [tag, tag, '*', '"x"', `W/${tag}`, `"a", ${tag}`, 'rubbish', '"', ',']);
  }
  return headers;
}

/** A request that the contract's schemas take. */
function validPlan(world: World, operation: FuzzedOperation, number: number, chance: Chance): Plan {
  const { config, method, path: pattern } = operation;
  const fitting = world.actors.filter((actor) => refusal(operation, actor, tokenOf(actor), false) === undefined);
  const actor = pick(chance, chance() < 0.9 ? fitting : world.actors);
  const isTokenBad = chance() < 0.03;
  const token = isTokenBad ? pick(chance, world.badTokens) : tokenOf(actor);
  const hint = hintOf(world, actor, operation, chance);
  const make =
    (place: Place) =>
    ({ name, schema }: Parameter) =>
      [name, validValue(name, schema, chance, place, hint)] as const;
  const path = parametersOf(operation, 'path')
    .map(make('path'))
    .reduce((text, [name, value]) => text.replace(`{${name}}`, encodeURIComponent(String(value))), pattern);
  const query = parametersOf(operation, 'query')
    .filter(({ required, name }) => required === true || chance() < (name === 'after' ? 0.1 : 0.3))
    .map(make('query'))
    .map(([name, value]) => [name, chance() < 0.05 ? '' : value] as const);
  // JSON has no files.
  const needsForm = operation.body?.required?.some((name) => operation.body?.properties?.[name]?.format === 'binary');
  const consumes = config.consumes.filter((type) => needsForm !== true || type !== 'application/json');
  const type = consumes.length === 0 ? undefined : pick(chance, consumes);
  const body =
    type === undefined || operation.body === undefined
      ? undefined
      : {
          type,
          members: membersOf(operation.body, type, chance, hint),
        };
  const headers = { ...pick(chance, HARMLESS), ...conditions(operation, path, world, chance) };
  const guarded = refusal(operation, actor, token, isTokenBad);
  const isSure = guarded !== undefined && config.ignoredTokens !== 'expired';
  const intent: Intent = { rule: 'valid', ...(isSure && { statuses: [guarded] }) };
  return { number, operation, actor, token, isTokenBad, method, path, query, headers, body, intent };
}

function membersOf(schema: Schema, type: string, chance: Chance, hint: Hint): Members {
  const place = type === 'multipart/form-data' ? 'form' : 'json';
  const members = validMembers(schema, chance, place, hint);
  // A form has no list of nothing but an empty text.
  return Object.entries(members).map(([name, value]) =>
    place === 'form' && Array.isArray(value)
      ? [name, value.length === 0 ? '' : pick(chance, [value, value.join(','), JSON.stringify(value)])]
      : [name, value],
  );
}

type Break = (plan: Plan, chance: Chance, hint: Hint) => Plan | undefined;

const filesOf = ({ body }: Plan): number =>
  body !== undefined && 'type' in body && body.type === 'multipart/form-data'
    ? body.members.filter(([, value]) => value instanceof File).length
    : 0;

/** What a broken request has to be answered, where the guard has let it in. */
function broken(plan: Plan, change: Partial<Plan>, rule: string, right: readonly number[], field?: string): Plan {
  const changed = { ...plan, ...change };
  const { operation, actor, token, isTokenBad } = changed;
  const guarded = refusal(operation, actor, token, isTokenBad);
  const media = right.filter((status) => status === 415);
  // Who may do it is judged first where a form has a picture.
  const admission = operation.isAdmitted && filesOf(changed) > 0 ? [403, 404, 409, 412] : [];
  // Of what is signed and has ended, an operation may take no notice.
  const mayBeIgnored = guarded === 401 && operation.config.ignoredTokens === 'expired';
  const statuses = guarded === undefined || mayBeIgnored ? [...right, ...admission] : media;
  const intent = {
    rule,
    statuses: guarded === undefined ? statuses : [guarded, ...statuses],
    // Whoever judges it first finds something else.
    ...(field !== undefined && admission.length === 0 && { field }),
  };
  return { ...changed, intent };
}

const isFormOf = ({ body }: Plan): boolean =>
  body !== undefined && 'type' in body && body.type === 'multipart/form-data';

const breakMember: Break = (plan, chance, hint) => {
  const { body, operation } = plan;
  if (body === undefined || !('type' in body) || operation.body === undefined) return undefined;
  const place = isFormOf(plan) ? 'form' : 'json';
  const [name, schema] = pick(chance, Object.entries(operation.body.properties ?? {}));
  const isAlone = (rule: string): boolean => chance() < (rule.startsWith('member') ? 0.8 : 1);
  const breaches = breachesOf(name, schema, chance, place, hint).filter(({ rule }) => isAlone(rule));
  if (breaches.length === 0) return undefined;
  const rules = [...new Set(breaches.map(({ rule }) => rule))];
  const rule = pick(chance, rules);
  const { value } = pick(
    chance,
    breaches.filter((breach) => breach.rule === rule),
  );
  // Of two files one is too many, whatever they are.
  const others = body.members.filter(
    ([other, one]) => other !== name && !(value instanceof File && one instanceof File),
  );
  const members = [...others, [name, value] as const];
  return broken(plan, { body: { ...body, members } }, `${place} ${rule}`, [400], name);
};

const leaveOut: Break = (plan, chance) => {
  const { body, operation } = plan;
  if (body === undefined || !('type' in body)) return undefined;
  const required = operation.body?.required ?? [];
  if (required.length === 0) return undefined;
  const name = pick(chance, required);
  const members = body.members.filter(([other]) => other !== name);
  return broken(plan, { body: { ...body, members } }, 'missing', [400], name);
};

const breakQuery: Break = (plan, chance, hint) => {
  const parameters = parametersOf(plan.operation, 'query');
  if (parameters.length === 0) return undefined;
  const { name, schema } = pick(chance, parameters);
  const others = plan.query.filter(([other]) => other !== name);
  if (chance() < 0.15) {
    const once = validValue(name, schema, chance, 'query', hint);
    const rule = 'query twice';
    const value = once === '' ? 'x' : once;
    return broken(plan, { query: [...others, [name, [value, value]]] }, rule, [400], name);
  }
  const breaches = breachesOf(name, schema, chance, 'query', hint);
  if (breaches.length === 0) return undefined;
  const { rule, value } = pick(chance, breaches);
  return broken(plan, { query: [...others, [name, value]] }, `query ${rule}`, [400], name);
};

const breakPath: Break = (plan, chance, hint) => {
  const parameters = parametersOf(plan.operation, 'path');
  const { name = '', schema = {} } = parameters[0] ?? {};
  const breaches = breachesOf(name, schema, chance, 'path', hint).filter(({ value }) => value !== '');
  if (breaches.length === 0) return undefined;
  const { rule, value } = pick(chance, breaches);
  const path = plan.operation.path.replace(`{${name}}`, encoded(value));
  return broken(plan, { path }, `path ${rule}`, [404]);
};

const breakHeader: Break = (plan, chance) => {
  const parameters = parametersOf(plan.operation, 'header');
  if (parameters.length === 0) return undefined;
  const { name, schema } = pick(chance, parameters);
  const { minLength = 0, maxLength = 0 } = schema;
  const value = minLength > 0 && chance() < 0.3 ? '' : 'x'.repeat(maxLength + pick(chance, [1, 1, 100]));
  return broken(
    plan,
    { headers: { ...plan.headers, [name]: value } },
    `header ${value === '' ? 'minLength' : 'maxLength'}`,
    [400],
    name,
  );
};

const unknownName: Break = (plan, chance) => {
  const headers = {
    ...plan.headers,
    prefer: pick(chance, ['handling=strict', 'Handling = "strict"', 'wait=1, handling=strict']),
  };
  const name = pick(chance, ['unknown', 'ID', 'fee_', 'constructor', 'é', 'a'.repeat(200), 'page ']);
  const { body } = plan;
  const field = name.slice(0, 100);
  if (body !== undefined && 'type' in body && chance() < 0.6) {
    const members = [...body.members, [name, 'x'] as const];
    // Forms with a field of that name are not read at all.
    const named = name === 'constructor' && body.type === 'multipart/form-data' ? 'body' : field;
    return broken(plan, { headers, body: { ...body, members } }, 'unknown member, strict', [400], named);
  }
  return broken(plan, { headers, query: [...plan.query, [name, 'x']] }, 'unknown parameter, strict', [400], field);
};

const takesBody = ({ operation }: Plan): boolean => operation.config.consumes.length > 0;

const breakType: Break = (plan, chance) => {
  if (!takesBody(plan)) return undefined;
  const wire = wireOf(plan);
  const types = [
    'text/plain',
    'application/xml',
    'application/x-www-form-urlencoded',
    'rubbish',
    'application/jsonx',
    'application/json-patch+json',
    ';',
    '*/*',
  ];
  const type = chance() < 0.8 ? pick(chance, types) : undefined;
  const coding = type === undefined ? pick(chance, ['gzip', 'br', 'rubbish']) : undefined;
  const headers = {
    ...plan.headers,
    'content-type': type ?? wire.headers['content-type'] ?? '',
    ...(coding !== undefined && { 'content-encoding': coding }),
  };
  const bytes = wire.body ?? Buffer.from('{}');
  return broken(plan, { headers, body: { bytes } }, coding === undefined ? 'media type' : 'content coding', [415]);
};

/** JSON and forms that are none. */
const breakBytes: Break = (plan, chance) => {
  const { body } = plan;
  if (body === undefined || !('type' in body)) return undefined;
  const { headers, body: bytes = Buffer.alloc(0) } = wireOf(plan);
  const type = headers['content-type'] as string;
  const isForm = isFormOf(plan);
  const as = (rule: string, sent: Buffer | string, statuses: readonly number[] = [400], sentType = type): Plan =>
    broken(
      plan,
      { headers: { ...plan.headers, 'content-type': sentType }, body: { bytes: Buffer.from(sent) } },
      rule,
      statuses,
      statuses.includes(400) ? 'body' : undefined,
    );
  const choices = isForm
    ? [
        () => as('form: truncated', bytes.subarray(0, Math.max(1, bytes.length - between(chance, 5, 20)))),
        () => as('form: no boundary', bytes, [400], 'multipart/form-data'),
        () => as('form: another boundary', bytes, [400], 'multipart/form-data; boundary=other'),
        () => as('form: rubbish', 'rubbish'),
        () => as('form: no bytes', ''),
        () =>
          as(
            'form: field too large',
            wireOf({ ...plan, body: { ...body, members: [...body.members, ['x', 'x'.repeat(33_000)]] } })
              .body as Buffer,
            [413],
          ),
        () =>
          as(
            'form: too many fields',
            wireOf({ ...plan, body: { ...body, members: Array.from({ length: 450 }, (_, at) => [`x${at}`, 'x']) } })
              .body as Buffer,
            [413],
          ),
      ]
    : [
        () => as('JSON: truncated', bytes.subarray(0, bytes.length - 1)),
        () => as('JSON: no bytes', ''),
        () => as('JSON: blanks', ' \n'),
        () => as('JSON: no object', pick(chance, ['null', '[]', '"x"', '7', 'true', '[{}]', '1e400'])),
        () =>
          as(
            'JSON: rubbish',
            pick(chance, [
              '{"a":}',
              "{'a':1}",
              '{"a":1,}',
              '{"a":01}',
              '{a:1}',
              '{"a":NaN}',
              '\0',
              '{}{}',
              '{"a":"\n"}',
            ]),
          ),
        () => as('JSON: no UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d])),
        () => as('JSON: UTF-16', Buffer.from('{"a":1}', 'utf16le')),
        () => as('JSON: too large', Buffer.from(`{"x":"${'x'.repeat(300_000)}"}`), [413]),
      ];
  return pick(chance, choices)();
};

const BREAKS: readonly (readonly [weight: number, breakIt: Break])[] = [
  [10, breakMember],
  [2, leaveOut],
  [6, breakQuery],
  [2, breakPath],
  [1, breakHeader],
  [1, unknownName],
  [1, breakType],
  [2, breakBytes],
];

/** What no schema says: it may be answered in any way that is documented. */
const ODD: readonly (readonly [name: string, change: (plan: Plan, chance: Chance) => Partial<Plan> | undefined])[] = [
  ['HEAD', ({ method }) => (method === 'GET' ? { method: 'HEAD' } : undefined)],
  [
    'OPTIONS',
    ({ headers }) => ({
      method: 'OPTIONS',
      body: undefined,
      headers: { ...headers, origin: 'https://a.example', 'access-control-request-method': 'PUT' },
    }),
  ],
  [
    'method',
    (_plan, chance) => ({
      method: pick(chance, ['PUT', 'PATCH', 'DELETE', 'POST', 'TRACE', 'PROPFIND', 'QUERY', 'LINK']),
      body: undefined,
      path: pick(chance, ['/', '/doctors/', '/clinic/', '/docs/', '/problems/', '/health/live', '/nowhere/']),
    }),
  ],
  ['no slash', ({ path }) => ({ path: path.replace(/\/$/, '') })],
  [
    'slashes',
    ({ path }, chance) => ({
      path: pick(chance, [`/${path}`, `${path}/`, path.replaceAll('/', '//'), `/.${path}`, `${path}../`]),
    }),
  ],
  [
    'percent',
    ({ path }, chance) => ({
      path: path + pick(chance, ['%', '%zz', '%00', '%ff', '%2f', '%2e%2e/', '%0d%0aX:%20y', '%u0041', ';a=b', '%25']),
    }),
  ],
  [
    'query syntax',
    ({ path, operation }, chance) => ({
      query: [],
      path: `${path}?${pick(chance, ['&&&', '=', '=&=', '%', '%ff=%ff', 'a[]=1', 'a[b]=1', '__proto__=1', 'constructor[prototype]=1', '?', '#', `${operation.parameters.find((each) => each.in === 'query')?.name ?? 'a'}[]=1`])}`,
    }),
  ],
  [
    'many parameters',
    ({ query }) => ({ query: [...query, ...Array.from({ length: 300 }, (_, at) => [`p${at}`, at] as const)] }),
  ],
  [
    'body of GET',
    ({ method }, chance) =>
      method === 'GET' || method === 'DELETE'
        ? {
            body: { bytes: Buffer.from(pick(chance, ['{}', '{', 'x'.repeat(10_000)])) },
            headers: { 'content-type': pick(chance, ['application/json', 'text/plain', 'multipart/form-data']) },
          }
        : undefined,
  ],
  ['BOM', bytesOf((bytes) => Buffer.concat([Buffer.from('\ufeff'), bytes]))],
  [
    'deep JSON',
    bytesOf((bytes, chance) => {
      const depth = pick(chance, [100, 5_000, 50_000]);
      return Buffer.from(
        `{"deep":${'['.repeat(depth)}${']'.repeat(depth)},${bytes.toString().slice(1)}`.replace(',}', '}'),
      );
    }),
  ],
  [
    'prototype',
    bytesOf((bytes, chance) =>
      Buffer.from(
        `{"${pick(chance, ['__proto__', 'constructor', 'toString', 'hasOwnProperty'])}":{"prototype":{"a":1}},${bytes.toString().slice(1)}`.replace(
          ',}',
          '}',
        ),
      ),
    ),
  ],
  [
    'member twice',
    bytesOf((bytes) =>
      Buffer.from(
        `${bytes.toString().slice(0, -1)},${bytes.toString().slice(1)}`.replace('{,', '{').replace(',}', '}'),
      ),
    ),
  ],
  [
    'many members',
    bytesOf((bytes) =>
      Buffer.from(
        `{${Array.from({ length: 3_000 }, (_, at) => `"m${at}":${at}`).join(',')},${bytes.toString().slice(1)}`.replace(
          ',}',
          '}',
        ),
      ),
    ),
  ],
  [
    'charset',
    ({ headers, body }, chance) =>
      body !== undefined && 'type' in body && body.type === 'application/json'
        ? {
            headers: {
              ...headers,
              'content-type': `application/json; charset=${pick(chance, ['utf-8', 'latin1', 'utf-16', '"', ''])}`,
            },
          }
        : undefined,
  ],
  [
    'authorization',
    (_plan, chance) => ({
      token: undefined,
      isTokenBad: true,
      headers: {
        authorization: pick(chance, [
          '',
          'Bearer',
          'Bearer  ',
          'Basic YTpi',
          'Bearer \xff',
          'Bearer a.b.c',
          `Bearer ${'x'.repeat(3000)}`,
          'bearer null',
          'Token x',
        ]),
      },
    }),
  ],
  [
    'host',
    ({ headers }, chance) => ({
      headers: { ...headers, host: pick(chance, ['evil.example', 'a b', 'x:99999', '[::1]:8', 'é', 'a/b', 'x@y']) },
    }),
  ],
];

function bytesOf(change: (bytes: Buffer, chance: Chance) => Buffer) {
  return (plan: Plan, chance: Chance): Partial<Plan> | undefined => {
    const { body, headers } = plan;
    if (body === undefined || !('type' in body) || body.type !== 'application/json') return undefined;
    return {
      headers: { ...headers, 'content-type': body.type },
      body: { bytes: change(wireOf(plan).body as Buffer, chance) },
    };
  };
}

/** One of the request's kinds: valid, broken by one rule, or odd. */
export function planRequest(world: World, operation: FuzzedOperation, number: number, chance: Chance): Plan {
  const valid = validPlan(world, operation, number, chance);
  const kind = chance();
  if (kind < 0.5) return valid;
  if (kind < 0.9) {
    const hint = hintOf(world, valid.actor, operation, chance);
    const all = BREAKS.flatMap(([weight, breakIt]) => Array.from({ length: weight }, () => breakIt));
    for (let tries = 0; tries < 20; tries++) {
      const plan = pick(chance, all)(valid, chance, hint);
      if (plan !== undefined) return plan;
    }
    return valid;
  }
  for (;;) {
    const [name, change] = pick(chance, ODD);
    const changed = change(valid, chance);
    if (changed !== undefined) return { ...valid, ...changed, intent: { rule: `odd: ${name}` } };
  }
}
