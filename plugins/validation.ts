import type { TObject, TSchema } from '@sinclair/typebox';
import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import addFormats from 'ajv-formats';
import type { FastifyInstance } from 'fastify';
import fp from 'fastify-plugin';
import { InvalidInput, ProblemError, type FieldErrors } from '../openapi/problem-error.js';
import { isBlank, readText, textFault, type TextKind } from '../openapi/text.js';
import { FormBody, Upload } from './multipart.js';
import { isStrict, unknownNames } from './preferences.js';

/** Judges a string that has the rule's keyword in the contract. Returns what is wrong with it, in words that follow the field's name. */
export type Rule = (value: string, argument: unknown, siblings: Readonly<Record<string, unknown>>) => string[];

export interface ValidationOptions {
  /** Rules of the contract's own keywords (`x-...`). */
  readonly rules?: Readonly<Record<string, Rule>>;
}

const MAX_MESSAGES = 20;
/** The one decimal string that a number has. */
const INTEGER = /^(?:0|-?[1-9]\d{0,19})$/;

/** A schema as plain data: what a generated TypeBox schema is at run time. */
interface Node {
  type?: string | string[];
  format?: string;
  properties?: Record<string, Node>;
  items?: Node;
  required?: string[];
  enum?: unknown[];
  minLength?: number;
  maxLength?: number;
  'x-text'?: TextKind;
  [keyword: string]: unknown;
}

class Faults {
  readonly fields = Object.create(null) as FieldErrors;

  add(field: string, message: string): void {
    const messages = (this.fields[field] ??= []);
    if (messages.length < MAX_MESSAGES && !messages.includes(message)) messages.push(message);
  }

  get isEmpty(): boolean {
    return Object.keys(this.fields).length === 0;
  }
}

const isNullable = (node: Node): boolean => Array.isArray(node.type) && node.type.includes('null');
const typeOf = (node: Node): string | undefined =>
  Array.isArray(node.type) ? node.type.find((name) => name !== 'null') : node.type;

function fileValue(value: unknown, field: string, faults: Faults): unknown {
  if (value === null || value === '') return null;
  if (!(value instanceof Upload)) {
    faults.add(field, 'must be a file in multipart/form-data, or empty to remove the picture');
    return value;
  }
  if (value.size === 0) faults.add(field, 'must not be an empty file');
  else if (value.fault !== undefined) faults.add(field, value.fault);
  return value;
}

/** As the contract means it; what is at fault, or too long for whatever it is composed to, stays for the schema to judge. */
function textValue(node: Node, text: string, { field, faults }: Place): string {
  const { minLength = 0, maxLength = Infinity, format, 'x-text': kind } = node;
  const fault = textFault(text);
  if (fault !== undefined) faults.add(field, fault);
  // What is composed has a fourth of the length at the least.
  if (fault !== undefined || text.length > 4 * maxLength) return text;
  // A password that is only compared may be of a time when its text was stored as it came.
  if (format === 'password' && kind === undefined)
    return [...text].length > maxLength ? readText(text, 'password') : text;
  return minLength > 0 && format !== 'password' && isBlank(text) ? '' : readText(text, kind);
}

/** In an enum that is `x-numbered` the number n, also as decimal text, stands for the nth value. */
function numberedValue({ enum: values = [], 'x-numbered': isNumbered }: Node, value: unknown): unknown {
  if (isNumbered !== true) return value;
  if (typeof value !== 'number' && !(typeof value === 'string' && INTEGER.test(value))) return value;
  return values[Number(value) - 1] ?? String(value);
}

function listValue(value: unknown): unknown {
  if (Array.isArray(value)) return value.flatMap((item) => (typeof item === 'string' ? listValue(item) : [item]));
  if (typeof value !== 'string') return value;
  if (value.trim() === '') return [];
  if (value.trimStart().startsWith('[')) {
    try {
      return JSON.parse(value) as unknown;
    } catch {
      return value;
    }
  }
  return value.split(',').map((item) => item.trim());
}

/** The fields of a form, with what comes as `name[]` or `name[0]` under the names of lists. */
function withLists({ properties = {} }: Node, fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const named = new FormBody();
  for (const [field, value] of Object.entries(fields)) {
    const name = field.replace(/\[\d*\]$/, '');
    const isOfList = Object.hasOwn(properties, name) && typeOf(properties[name] as Node) === 'array';
    named.add(isOfList ? name : field, value);
  }
  return named.fields;
}

/** A value of a query: an empty one counts as left out. */
function queryValue(value: unknown): unknown {
  if (!Array.isArray(value)) return value === '' ? undefined : value;
  const values: unknown[] = value.filter((item) => item !== '');
  return values.length > 1 ? values : values[0];
}

/** Where a value stands. */
interface Place {
  /** Whether integers, lists and booleans come as text. */
  readonly isText: boolean;
  readonly isQuery: boolean;
  /** Whether it is a header, whose text is no UTF-8. */
  readonly isHeader: boolean;
  /** Empty for the whole. */
  readonly field: string;
  readonly faults: Faults;
}

/**
 * The value as the schema means it: integers from their decimal strings, lists and booleans from text where `isText`,
 * and of an object only what the schema names. What can't be read stays, for the schema to refuse.
 */
function read(node: Node, value: unknown, place: Place): unknown {
  const { isText, isHeader, field, faults } = place;
  if (node.format === 'binary') return fileValue(value, field, faults);
  if (value instanceof Upload) {
    faults.add(field, 'must be text, not a file');
    return undefined;
  }
  if (value === '' && isNullable(node)) return null;
  switch (typeOf(node)) {
    case 'integer':
      if (typeof value === 'string' && INTEGER.test(value)) return Number(value);
      return value;
    case 'boolean':
      if (isText && (value === 'true' || value === 'True' || value === '1')) return true;
      if (isText && (value === 'false' || value === 'False' || value === '0')) return false;
      return value;
    case 'string':
      if (typeof value !== 'string' || isHeader) return numberedValue(node, value);
      return numberedValue(node, textValue(node, value, place));
    case 'array': {
      const list = isText ? listValue(value) : value;
      const { items } = node;
      if (!Array.isArray(list) || items === undefined) return list;
      // One item too many is enough for the schema to refuse the list; a list as long as the body would take its time.
      const bound = typeof node['maxItems'] === 'number' ? node['maxItems'] + 1 : list.length;
      return list.slice(0, bound).map((item) => read(items, item, place));
    }
    case 'object': {
      if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
      const known: Record<string, unknown> = {};
      for (const [name, property] of Object.entries(node.properties ?? {})) {
        if (!Object.hasOwn(value, name)) continue;
        const sent = (value as Record<string, unknown>)[name];
        const item = read(property, place.isQuery ? queryValue(sent) : sent, { ...place, field: field || name });
        // An empty value removes a picture; where there has to be one, it is as good as none.
        const isMissing = item === null && property.format === 'binary' && node.required?.includes(name) === true;
        if (item !== undefined && !isMissing) known[name] = item;
      }
      return known;
    }
    default:
      return value;
  }
}

const FORMATS: Record<string, string> = {
  email: 'must be an email address',
  date: 'must be a calendar date (YYYY-MM-DD)',
  'date-time': 'must be a time (RFC 3339)',
};
const ARTICLES: Record<string, string> = {
  integer: 'an integer',
  string: 'a string',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
  null: 'null',
};

const characters = (count: number): string => `${count} character${count === 1 ? '' : 's'}`;

/** One sentence about one fault, to follow the field's name. */
function message({ keyword, params, parentSchema }: ErrorObject): string {
  const limit = (params as { limit?: number }).limit ?? 0;
  switch (keyword) {
    case 'type':
      return `must be ${[(params as { type: string | string[] }).type]
        .flat()
        .map((name) => ARTICLES[name] ?? name)
        .join(' or ')}`;
    case 'minLength':
      return limit === 1 ? 'must not be empty' : `must have at least ${characters(limit)}`;
    case 'maxLength':
      return `must have at most ${characters(limit)}`;
    case 'minimum':
      return `must be at least ${limit}`;
    case 'maximum':
      return `must be at most ${limit}`;
    case 'minItems':
      return `must have at least ${limit} items`;
    case 'maxItems':
      return `must have at most ${limit} items`;
    case 'uniqueItems':
      return 'must not have an item twice';
    case 'enum':
      return `must be one of: ${(params as { allowedValues: unknown[] }).allowedValues.map(String).join(', ')}`;
    case 'pattern':
      return String(parentSchema?.['x-pattern-message'] ?? 'does not have the right form');
    case 'format':
      return FORMATS[(params as { format: string }).format] ?? 'does not have the right form';
    default:
      return 'is not valid';
  }
}

function collect(errors: ErrorObject[], part: string, faults: Faults): void {
  for (const error of errors) {
    const [, field, ...inner] = error.instancePath.split('/');
    const place = inner.map((step) => (/^\d+$/.test(step) ? `item ${Number(step) + 1}` : step));
    if (error.keyword !== 'required') {
      faults.add(field ?? part, [...place, message(error)].join(' '));
    } else {
      const { missingProperty: missing } = error.params as { missingProperty: string };
      if (field === undefined) faults.add(missing, 'is required');
      else faults.add(field, [...place, missing, 'is required'].join(' '));
    }
  }
}

const RULES: Readonly<Record<string, Rule>> = {
  'x-same-as': (value, other, siblings) =>
    value === siblings[String(other)] ? [] : [`must be the same as ${String(other)}`],
  'x-not-before': (value, day) => (value < String(day) ? [`must not be before ${String(day)}`] : []),
};

/** The schema where a field is left out that may stand in the place of others: those are required then. */
function withoutStandIn(node: Node): { standIn: string; schema: Node } | undefined {
  const { properties = {}, required = [] } = node;
  for (const [standIn, property] of Object.entries(properties)) {
    const needed = property['x-in-place-of'] as string[] | undefined;
    if (needed === undefined) continue;
    const isNeeded = (name: string): boolean => required.includes(name) || needed.includes(name);
    return { standIn, schema: { ...node, required: Object.keys(properties).filter(isNeeded) } };
  }
  return undefined;
}

function compile(ajv: Ajv, schema: TSchema, part: string, rules: Readonly<Record<string, Rule>>) {
  const node = schema as Node;
  const without = withoutStandIn(node);
  const ruled = Object.entries((schema as TObject).properties ?? {}).flatMap(([name, property]) =>
    Object.keys(property)
      .filter((keyword) => rules[keyword] !== undefined)
      .map((keyword) => ({ name, rule: rules[keyword] as Rule, argument: (property as Node)[keyword] })),
  );
  // Compiled when it is first needed: most processes of a test run call few operations.
  const validators = new Map<Node, ValidateFunction>();
  const validatorOf = (chosen: Node): ValidateFunction => {
    let validate = validators.get(chosen);
    if (validate === undefined) validators.set(chosen, (validate = ajv.compile(chosen)));
    return validate;
  };
  return (data: unknown): { value: unknown } | { error: Error } => {
    if (part === 'body' && (data === null || data === undefined)) {
      return {
        error: new ProblemError('invalid-input', 'The request needs a body.', { errors: { body: ['is required'] } }),
      };
    }
    const faults = new Faults();
    const isText = part !== 'body' || data instanceof FormBody;
    const isQuery = part === 'querystring';
    const isHeader = part === 'headers';
    const sent: unknown = data instanceof FormBody ? withLists(node, data.fields) : data;
    const value = read(node, sent, { isText, isQuery, isHeader, field: '', faults });
    if (typeof sent === 'object' && sent !== null && isStrict(data as object)) {
      const unknown = unknownNames(Object.keys(sent), Object.keys(node.properties ?? {}));
      for (const [name, [fault = '']] of Object.entries(unknown)) faults.add(name, fault);
    }
    const isStoodIn =
      without === undefined || (value as Record<string, unknown> | null)?.[without.standIn] !== undefined;
    const validate = validatorOf(isStoodIn ? node : without.schema);
    if (!validate(value)) collect(validate.errors ?? [], isQuery ? 'query' : part, faults);
    for (const { name, rule, argument } of ruled) {
      const siblings = (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>;
      const field = siblings[name];
      if (typeof field === 'string') for (const fault of rule(field, argument, siblings)) faults.add(name, fault);
    }
    // What the contract says of headers are only some of them.
    if (faults.isEmpty) return { value: isHeader ? { ...(data as object), ...(value as object) } : value };
    // A path that holds no possible id names no record.
    if (part === 'params') return { error: new ProblemError('not-found', 'There is no such record.') };
    return { error: new InvalidInput(faults.fields) };
  };
}

/** Validates and reads requests by the contract's schemas, and reports all faults of a part at once. */
export default fp(
  function validation(app: FastifyInstance, options: ValidationOptions, done) {
    // That the contract's schemas are schemas is a test's to find: the schema of schemas takes as long as all of ours.
    const ajv = new Ajv({
      allErrors: true,
      useDefaults: true,
      strict: false,
      verbose: true,
      meta: false,
      validateSchema: false,
    });
    addFormats.default(ajv, ['email', 'date-time', 'uri', 'int32', 'int64', 'password', 'binary']);
    const { validate: isDate } = addFormats.default.get('date') as { validate: (text: string) => boolean };
    // PostgreSQL knows no year 0.
    const isDay = (text: string): boolean => isDate(text) && !text.startsWith('0000');
    ajv.addFormat('date', isDay);
    const isMoment = ajv.compile({ type: 'string', format: 'date-time' });
    const rules = {
      ...RULES,
      ...options.rules,
      'x-day-or-moment': (text: string) => {
        const isRight = text.length === 10 ? isDay(text) : isMoment(text) && !text.startsWith('0000');
        return isRight ? [] : [`${FORMATS['date']} or a time (RFC 3339)`];
      },
    };
    app.setValidatorCompiler(({ schema, httpPart }) => compile(ajv, schema as TSchema, httpPart ?? 'body', rules));
    done();
  },
  { name: 'validation', dependencies: ['errors'] },
);
