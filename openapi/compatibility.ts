/** What a change of the contract would break for clients that are in the field. */

type Json = Record<string, unknown>;
type Named = Record<string, Json>;

/** Whether clients send what a schema describes, or get it. */
type Direction = 'sent' | 'got';

const METHODS = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace'];

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const objectsOf = (value: unknown): Named => (isObject(value) ? (value as Named) : {});
const listOf = (value: unknown): unknown[] => (Array.isArray(value) ? value : value === undefined ? [] : [value]);
const without = (list: unknown[], other: unknown[]): unknown[] => list.filter((item) => !other.includes(item));
/** The name that generated code has for what stands at a place. */
const nameOf = (value: unknown): string | undefined =>
  (objectsOf(value)['$ref'] as unknown as string | undefined)?.replace(/.*\//, '');
const show = (value: unknown): string => (value === undefined ? 'none' : JSON.stringify(value));

/** By keyword, whether a value lets less pass than another one; `undefined` is no bound. */
const BOUNDS: Record<string, (now: number, before: number) => boolean> = {
  minimum: (now, before) => now > before,
  exclusiveMinimum: (now, before) => now > before,
  minLength: (now, before) => now > before,
  minItems: (now, before) => now > before,
  maximum: (now, before) => now < before,
  exclusiveMaximum: (now, before) => now < before,
  maxLength: (now, before) => now < before,
  maxItems: (now, before) => now < before,
  minProperties: (now, before) => now > before,
  maxProperties: (now, before) => now < before,
};

/** What says nothing that a client could stand on. */
const WORDS = [
  ...['title', 'summary', 'description', 'example', 'examples', 'deprecated', 'externalDocs', '$comment'],
  'x-audit',
];

/** Keywords of schemas that are compared each in its own way; any other means something else altogether when it changes. */
const COMPARED = [
  ...Object.keys(BOUNDS),
  ...['type', 'enum', 'const', 'x-enum-varnames', 'x-enumNames', 'x-pattern-message'],
  ...['properties', 'required', 'additionalProperties', 'items', 'oneOf', 'anyOf', 'allOf'],
];

/** Keywords of answers by which generated code has other types. */
const TYPES = ['format', 'readOnly', 'writeOnly', 'discriminator'];

/** By which an operation that takes a token says which invalid ones count as none sent; 1.0.0 had another word for it. */
const TOKEN_WORDS = ['x-ignored-tokens', 'x-expired-token'];
const IGNORED_TOKENS = ['none', 'expired', 'all'];

function ignoredTokens(operation: Json): number {
  // What is for anybody looks at no token.
  if (Array.isArray(operation['security']) && operation['security'].length === 0) return IGNORED_TOKENS.indexOf('all');
  const word = operation['x-ignored-tokens'] ?? (operation['x-expired-token'] === 'anonymous' ? 'expired' : 'none');
  return IGNORED_TOKENS.indexOf(word as string);
}

/** A value without its words, to be compared and shown. */
const meaningOf = (value: unknown): string =>
  value === undefined
    ? 'none'
    : JSON.stringify(value, (_key, part: unknown) =>
        isObject(part) ? Object.fromEntries(Object.entries(part).filter(([name]) => !WORDS.includes(name))) : part,
      );

/** What in a document is incompatible with an earlier one, a line each. */
class Comparison {
  readonly found = new Set<string>();
  private readonly before: Json;
  private readonly now: Json;
  /** Pairs of schemas that are being compared, or have been: they may contain themselves. */
  private readonly seen = new Set<string>();

  constructor(before: Json, now: Json) {
    this.before = before;
    this.now = now;
  }

  private say(where: string, what: string): void {
    this.found.add(`${where}: ${what}`);
  }

  /** What a reference leads to, with what stands beside it. */
  private resolve(document: Json, value: unknown): Json {
    const { $ref: ref, ...beside } = objectsOf(value) as Json;
    if (typeof ref !== 'string') return beside;
    const target = ref
      .split('/')
      .slice(1)
      .reduce<unknown>((part, name) => (isObject(part) ? part[name] : undefined), document);
    return { ...this.resolve(document, target), ...beside };
  }

  run(): void {
    this.names('schemas');
    this.named('securitySchemes', (document) => objectsOf(document['components'])['securitySchemes']);
    this.named('x-problems', (document) => objectsOf(document['x-problems']));
    const [servers, serversNow] = [listOf(this.before['servers']), listOf(this.now['servers'])];
    // Generated code takes the first, unless it is told another.
    if (meaningOf(servers[0]) !== meaningOf(serversNow[0])) {
      this.say('servers', `was ${meaningOf(servers)} and is ${meaningOf(serversNow)}`);
    }
    const before = objectsOf(this.before['paths']);
    const now = objectsOf(this.now['paths']);
    for (const [path, item] of Object.entries(before)) {
      for (const method of METHODS.filter((name) => item[name] !== undefined)) {
        const operation = objectsOf(item)[method] as Json;
        const other = objectsOf(now[path])[method];
        const where = (operation['operationId'] as string | undefined) ?? `${method.toUpperCase()} ${path}`;
        if (other === undefined) this.say(where, `${method.toUpperCase()} ${path} is gone`);
        else this.operation(where, [operation, item], [other, now[path] as Json]);
      }
    }
  }

  /** Generated code has a type for each schema, by its name. */
  private names(kind: string): void {
    const now = objectsOf(objectsOf(this.now['components'])[kind]);
    for (const name of Object.keys(objectsOf(objectsOf(this.before['components'])[kind]))) {
      if (now[name] === undefined) this.say(name, 'the schema is gone');
    }
  }

  /** Things that clients know by their names, wherever the document uses them. */
  private named(kind: string, read: (document: Json) => unknown): void {
    const now = objectsOf(read(this.now));
    for (const [name, thing] of Object.entries(objectsOf(read(this.before)))) {
      if (now[name] === undefined) this.say(kind, `${name} is gone`);
      else this.rest(`${kind} ${name}`, [thing, now[name]], ['bearerFormat', 'why', 'next']);
    }
  }

  /** What no other comparison knows of. */
  private rest(where: string, [had, has]: [Json, Json], compared: readonly string[]): void {
    for (const name of new Set([...Object.keys(had), ...Object.keys(has)])) {
      if (compared.includes(name) || WORDS.includes(name)) continue;
      this.change(where, name, [had[name], has[name]]);
    }
  }

  private change(where: string, name: string, [had, has]: [unknown, unknown]): void {
    const [before, now] = [meaningOf(had), meaningOf(has)];
    if (before !== now) this.say(where, `${name} was ${before} and is ${now}`);
  }

  private operation(where: string, [before, beforeItem]: [Json, Json], [now, nowItem]: [Json, Json]): void {
    const compared = ['parameters', 'requestBody', 'responses', 'security', 'x-service-scope', ...TOKEN_WORDS];
    this.rest(where, [before, now], compared);
    this.security(where, before, now);
    const scope = before['x-service-scope'];
    if (scope !== undefined && scope !== now['x-service-scope'])
      this.say(where, `services have it no longer by ${meaningOf(scope)}`);
    if (ignoredTokens(now) < ignoredTokens(before)) this.say(where, 'refuses tokens that it took for none');
    this.parameters(
      where,
      this.parametersOf(this.before, [before, beforeItem]),
      this.parametersOf(this.now, [now, nowItem]),
    );
    this.body(where, before['requestBody'], now['requestBody']);
    const [answersBefore, answersNow] = [objectsOf(before['responses']), objectsOf(now['responses'])];
    for (const [status, answer] of Object.entries(answersBefore)) {
      if (answersNow[status] === undefined) this.say(where, `${status} is gone`);
      else this.answer(`${where} ${status}`, answer, answersNow[status]);
    }
    for (const status of without(Object.keys(answersNow), Object.keys(answersBefore))) {
      if (/^[23]/.test(status as string)) this.say(where, `${String(status)} is new`);
    }
  }

  /** What a caller needs may get less, never more. */
  private security(where: string, before: Json, now: Json): void {
    const demands = (operation: Json, document: Json) =>
      (listOf(operation['security'] ?? document['security']) as Json[]).map((each) =>
        Object.entries(each).flatMap(([scheme, scopes]) => [
          scheme,
          ...listOf(scopes).map((scope) => `${scheme} ${String(scope)}`),
        ]),
      );
    const had = demands(before, this.before);
    const has = demands(now, this.now);
    if (has.length === 0) return;
    for (const one of had.length === 0 ? [[]] : had) {
      if (!has.some((each) => without(each, one).length === 0)) {
        this.say(where, `who may call it was ${show(had)} and is ${show(has)}`);
      }
    }
  }

  private parametersOf(document: Json, levels: Json[]): Named {
    const all = levels.flatMap((level) => listOf(level['parameters'])).map((each) => this.resolve(document, each));
    // Those of the operation come first, and override.
    return Object.fromEntries(
      all.reverse().map((each) => [`${String(each['in'])} parameter ${String(each['name'])}`, each]),
    );
  }

  private parameters(where: string, before: Named, now: Named): void {
    for (const [name, parameter] of Object.entries(before)) {
      const other = now[name];
      if (other === undefined) {
        this.say(where, `${name} is gone`);
        continue;
      }
      if (parameter['required'] !== true && other['required'] === true) this.say(where, `${name} has become required`);
      this.rest(`${where} ${name}`, [parameter, other], ['schema', 'required']);
      this.schema(`${where} ${name}`, 'sent', [parameter['schema'], other['schema']]);
    }
    for (const [name, parameter] of Object.entries(now)) {
      if (before[name] === undefined && parameter['required'] === true) this.say(where, `${name} is new, and required`);
    }
  }

  private body(where: string, before: unknown, now: unknown): void {
    const [had, has] = [this.resolve(this.before, before), this.resolve(this.now, now)];
    if (before === undefined) {
      if (has['required'] === true) this.say(where, 'a body is new, and required');
      return;
    }
    if (now === undefined) {
      this.say(where, 'the body is gone');
      return;
    }
    if (had['required'] !== true && has['required'] === true) this.say(where, 'the body has become required');
    this.content(`${where} body`, 'sent', [had, has]);
  }

  private answer(where: string, before: unknown, now: unknown): void {
    const [had, has] = [this.resolve(this.before, before), this.resolve(this.now, now)];
    this.content(where, 'got', [had, has]);
    this.rest(where, [had, has], ['content', 'headers']);
    const headers = objectsOf(has['headers']);
    for (const [name, header] of Object.entries(objectsOf(had['headers']))) {
      const other = headers[name];
      if (other === undefined) {
        this.say(where, `header ${name} is gone`);
        continue;
      }
      const [one, two] = [this.resolve(this.before, header), this.resolve(this.now, other)];
      if (one['required'] === true && two['required'] !== true) this.say(where, `header ${name} may be missing`);
      this.schema(`${where} header ${name}`, 'got', [one['schema'], two['schema']]);
    }
  }

  private content(where: string, direction: Direction, [before, now]: [Json, Json]): void {
    const [types, typesNow] = [objectsOf(before['content']), objectsOf(now['content'])];
    for (const [type, media] of Object.entries(types)) {
      const other = typesNow[type];
      if (other === undefined) {
        this.say(where, `${type} is gone`);
        continue;
      }
      this.schema(`${where} ${type}`, direction, [media['schema'], other['schema']]);
      this.rest(`${where} ${type}`, [media, other], ['schema']);
    }
    // Most generators know one media type an operation, and take the first.
    const [[first], [firstNow]] = [Object.keys(types), Object.keys(typesNow)];
    if (first !== firstNow && first !== undefined && typesNow[first] !== undefined) {
      this.say(where, `${String(firstNow)} stands before ${first}`);
    }
  }

  /** What is sent may get wider, and what is got narrower; what generated code has a name for has to stay. */
  private schema(where: string, direction: Direction, [before, now]: [unknown, unknown]): void {
    const pair = `${direction} ${show(before)} ${show(now)}`;
    // By name a schema is compared once for each direction, and told of where it is first met.
    if (isObject(before) && before['$ref'] !== undefined) {
      if (this.seen.has(pair)) return;
      this.seen.add(pair);
    }
    const [had, has] = [this.resolve(this.before, before), this.resolve(this.now, now)];
    const [name, nameNow] = [nameOf(before), nameOf(now)];
    // Of what is no object or enumeration, generated code mostly has the plain type.
    if (name !== nameNow && ['properties', 'enum', 'oneOf'].some((keyword) => had[keyword] !== undefined)) {
      this.say(where, `its schema was ${show(name)} and is ${show(nameNow)}`);
    }
    this.values(where, direction, [had, has]);
    for (const [name, isTighter] of Object.entries(BOUNDS)) {
      const [from, to] = direction === 'sent' ? [had[name], has[name]] : [has[name], had[name]];
      if (to === undefined || (from !== undefined && !isTighter(to as number, from as number))) continue;
      this.say(where, `${name} was ${show(had[name])} and is ${show(has[name])}`);
    }
    // Without a rule, what was sent passes as before; with one, what is got is what it was, and more is known.
    const [free, meant] = direction === 'sent' ? [has, ['default']] : [had, TYPES];
    const harmless = Object.keys({ ...had, ...has }).filter(
      (name) => free[name] === undefined && !meant.includes(name),
    );
    this.rest(where, [had, has], [...COMPARED, ...harmless]);
    this.members(where, direction, [had, has]);
    if (had['items'] !== undefined || (direction === 'sent' && has['items'] !== undefined)) {
      this.schema(`${where}[]`, direction, [had['items'], has['items']]);
    }
    for (const kind of ['oneOf', 'anyOf', 'allOf']) {
      this.branches(where, direction, [had[kind], has[kind]], kind !== 'allOf');
    }
  }

  private values(where: string, direction: Direction, [had, has]: [Json, Json]): void {
    const [types, typesNow] = [listOf(had['type']), listOf(has['type'])];
    const refused = direction === 'sent' ? without(types, typesNow) : without(typesNow, types);
    const isLooser = direction === 'sent' ? typesNow.length === 0 : types.length === 0;
    if (refused.length > 0 && !isLooser) {
      this.say(where, `type was ${show(had['type'])} and is ${show(has['type'])}`);
    } else if ((direction === 'sent' ? types : typesNow).length === 0 && types.length !== typesNow.length) {
      this.say(where, `type was ${show(had['type'])} and is ${show(has['type'])}`);
    }
    const [words, wordsNow] = [listOf(had['enum'] ?? had['const']), listOf(has['enum'] ?? has['const'])];
    if (wordsNow.length === 0) {
      if (words.length > 0) this.say(where, `its values were ${show(words)} and are any`);
      return;
    }
    if (words.length === 0) {
      if (direction === 'sent') this.say(where, `its values were any and are ${show(wordsNow)}`);
      return;
    }
    for (const word of without(words, wordsNow)) this.say(where, `the value ${show(word)} is gone`);
    for (const word of direction === 'got' ? without(wordsNow, words) : []) {
      this.say(where, `the value ${show(word)} is new`);
    }
    for (const names of show(words) === show(wordsNow) ? ['x-enum-varnames', 'x-enumNames'] : []) {
      for (const name of without(listOf(had[names]), listOf(has[names]))) {
        this.say(where, `the name ${show(name)} of a value is gone`);
      }
    }
  }

  private members(where: string, direction: Direction, [had, has]: [Json, Json]): void {
    const [fields, fieldsNow] = [objectsOf(had['properties']), objectsOf(has['properties'])];
    for (const [name, field] of Object.entries(fields)) {
      if (fieldsNow[name] === undefined) this.say(where, `the field ${name} is gone`);
      else this.schema(`${where} ${name}`, direction, [field, fieldsNow[name]]);
    }
    const [needed, neededNow] = [listOf(had['required']), listOf(has['required'])];
    if (direction === 'sent') {
      for (const name of without(neededNow, needed)) this.say(where, `the field ${String(name)} has become required`);
    } else {
      for (const name of without(needed, neededNow)) this.say(where, `the field ${String(name)} may be missing`);
    }
    const [open, openNow] = [had['additionalProperties'] ?? true, has['additionalProperties'] ?? true];
    if (isObject(open) && isObject(openNow)) this.schema(`${where} of any name`, direction, [open, openNow]);
    else if (direction === 'sent' && open !== false && openNow === false) this.say(where, 'other fields are refused');
    else if (direction === 'sent' ? open === true && isObject(openNow) : isObject(open)) {
      this.say(where, `other fields were ${open === true ? 'any' : show(open)} and are ${show(openNow)}`);
    }
  }

  /** Branches by the names of their schemas, or by their places. */
  private branches(where: string, direction: Direction, [before, now]: [unknown, unknown], isUnion: boolean): void {
    const named = (list: unknown): Named =>
      Object.fromEntries(
        (listOf(list) as Json[]).map((each, place) => [
          ((each['$ref'] as string | undefined) ?? `branch ${place + 1}`).replace(/.*\//, ''),
          each,
        ]),
      );
    const [had, has] = [named(before), named(now)];
    for (const [name, branch] of Object.entries(had)) {
      if (has[name] !== undefined) this.schema(`${where} ${name}`, direction, [branch, has[name]]);
      else if (direction === 'got' || (isUnion && now !== undefined)) {
        this.say(where, `${name} is gone from what it can be`);
      }
    }
    for (const name of without(Object.keys(has), Object.keys(had))) {
      if (direction === 'got' && isUnion) this.say(where, `it can be ${String(name)} too`);
      if (direction === 'sent' && (!isUnion || before === undefined)) this.say(where, `it has to be ${String(name)}`);
    }
  }
}

/**
 * What in a contract breaks clients that were written or generated for an earlier one, a line each with the operation and
 * the field, in the order of the earlier one. New operations, optional fields of requests and fields of answers break
 * nothing, nor does a new status of an error.
 */
export function incompatibilities(before: Json, now: Json): string[] {
  const comparison = new Comparison(before, now);
  comparison.run();
  return [...comparison.found];
}

export interface ReleaseState {
  /** The contract of the newest release, and the one that is to follow it. */
  readonly released: Json;
  readonly contract: Json;
  /** By the line of `incompatibilities`, why that is changed all the same. */
  readonly reasons: Readonly<Record<string, string>>;
}

const versionOf = (document: Json): number[] => {
  const { version } = (document as { info: { version: string } }).info;
  return /^\d+\.\d+\.\d+$/.test(version) ? version.split('.').map(Number) : [];
};

/** What keeps a contract from following the newest release, a line each: by semantic versioning (semver.org). */
export function releaseFaults({ released, contract, reasons }: ReleaseState): string[] {
  const breaking = incompatibilities(released, contract);
  const faults = breaking
    .filter((line) => (reasons[line] ?? '').trim() === '')
    .map((line) => `incompatible, without a reason: ${line}`);
  for (const line of Object.keys(reasons)) {
    if (!breaking.includes(line)) faults.push(`a reason for what is not changed: ${line}`);
  }
  const [major = 0, minor = 0, patch = -1] = versionOf(contract);
  const [majorBefore = 0, minorBefore = 0, patchBefore = 0] = versionOf(released);
  const from = versionOf(released).join('.');
  if (breaking.length > 0 && major <= majorBefore) {
    faults.push(`info.version has to be ${majorBefore + 1}.0.0 at least, since it breaks what ${from} promised`);
  } else if ((major - majorBefore || minor - minorBefore || patch - patchBefore) < 0) {
    faults.push(`info.version has to be three numbers, ${from} at least`);
  } else if (major === majorBefore && minor <= minorBefore) {
    // What the release lacks is what going back to it would break.
    const [added] = incompatibilities(contract, released);
    if (added !== undefined) {
      faults.push(
        `info.version has to be ${majorBefore}.${minorBefore + 1}.0 at least: ${from} has not what is new (${added})`,
      );
    }
  }
  return faults;
}
