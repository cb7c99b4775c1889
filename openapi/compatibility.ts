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
};

/** Values that mean something else altogether when they change. */
const MEANINGS = ['pattern', 'format', 'multipleOf', 'uniqueItems', 'default', 'contentMediaType'];

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

  private operation(where: string, [before, beforeItem]: [Json, Json], [now, nowItem]: [Json, Json]): void {
    for (const name of ['operationId', 'tags']) {
      if (show(before[name]) !== show(now[name])) {
        this.say(where, `${name} was ${show(before[name])} and is ${show(now[name])}`);
      }
    }
    this.security(where, before, now);
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
      for (const key of ['style', 'explode']) {
        if (show(parameter[key]) !== show(other[key])) {
          this.say(where, `${key} of ${name} was ${show(parameter[key])} and is ${show(other[key])}`);
        }
      }
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
    const types = objectsOf(now['content']);
    for (const [type, { schema }] of Object.entries(objectsOf(before['content']))) {
      if (types[type] === undefined) this.say(where, `${type} is gone`);
      else this.schema(`${where} ${type}`, direction, [schema, types[type].schema]);
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
    this.values(where, direction, [had, has]);
    for (const [name, isTighter] of Object.entries(BOUNDS)) {
      const [from, to] = direction === 'sent' ? [had[name], has[name]] : [has[name], had[name]];
      if (to === undefined || (from !== undefined && !isTighter(to as number, from as number))) continue;
      this.say(where, `${name} was ${show(had[name])} and is ${show(has[name])}`);
    }
    for (const name of MEANINGS) {
      if (show(had[name]) === show(has[name])) continue;
      // Without it, what was sent passes as before; with it, what is got is what it was, and more is known.
      if (direction === 'sent' ? has[name] === undefined && name !== 'default' : had[name] === undefined) continue;
      this.say(where, `${name} was ${show(had[name])} and is ${show(has[name])}`);
    }
    this.members(where, direction, [had, has]);
    if (had['items'] !== undefined) this.schema(`${where}[]`, direction, [had['items'], has['items']]);
    for (const kind of ['oneOf', 'anyOf', 'allOf']) this.branches(where, direction, [had[kind], has[kind]]);
  }

  private values(where: string, direction: Direction, [had, has]: [Json, Json]): void {
    const [types, typesNow] = [listOf(had['type']), listOf(has['type'])];
    const refused = direction === 'sent' ? without(types, typesNow) : without(typesNow, types);
    const isLooser = direction === 'sent' ? typesNow.length === 0 : types.length === 0;
    if (refused.length > 0 && !isLooser) {
      this.say(where, `type was ${show(had['type'])} and is ${show(has['type'])}`);
    } else if (direction === 'got' && types.length > 0 && typesNow.length === 0) {
      this.say(where, `type was ${show(had['type'])} and is none`);
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
    if (had['x-enum-varnames'] !== undefined && show(words) === show(wordsNow)) {
      for (const name of without(listOf(had['x-enum-varnames']), listOf(has['x-enum-varnames']))) {
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
  }

  /** Branches by the names of their schemas, or by their places. */
  private branches(where: string, direction: Direction, [before, now]: [unknown, unknown]): void {
    const named = (list: unknown): Named =>
      Object.fromEntries(
        (listOf(list) as Json[]).map((each, place) => [
          ((each['$ref'] as string | undefined) ?? `branch ${place + 1}`).replace(/.*\//, ''),
          each,
        ]),
      );
    const [had, has] = [named(before), named(now)];
    for (const [name, branch] of Object.entries(had)) {
      if (has[name] === undefined) this.say(where, `${name} is gone from what it can be`);
      else this.schema(`${where} ${name}`, direction, [branch, has[name]]);
    }
    if (direction === 'sent') return;
    for (const name of without(Object.keys(has), Object.keys(had))) this.say(where, `it can be ${String(name)} too`);
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

const versionOf = (document: Json): number[] =>
  (document as { info: { version: string } }).info.version.split('.').map(Number);

/** What keeps a contract from following the newest release, a line each: by semantic versioning (semver.org). */
export function releaseFaults({ released, contract, reasons }: ReleaseState): string[] {
  const breaking = incompatibilities(released, contract);
  const faults = breaking
    .filter((line) => (reasons[line] ?? '').trim() === '')
    .map((line) => `incompatible, without a reason: ${line}`);
  for (const line of Object.keys(reasons)) {
    if (!breaking.includes(line)) faults.push(`a reason for what is not changed: ${line}`);
  }
  const [major = 0, minor = 0] = versionOf(contract);
  const [majorBefore = 0, minorBefore = 0] = versionOf(released);
  const from = versionOf(released).join('.');
  if (breaking.length > 0 && major <= majorBefore) {
    faults.push(`info.version has to be ${majorBefore + 1}.0.0 at least, since it breaks what ${from} promised`);
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
