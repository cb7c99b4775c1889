/** What code may rely on of every operation of the contract. */
import type { Static, TSchema } from '@sinclair/typebox';
import type { operations } from './generated/operations.js';

export type OperationId = keyof typeof operations;

/** What the audit records of an operation. */
export interface AuditedOperation {
  /** Whose records it is about. */
  readonly resource: string;
  /** What it does, where its method does not tell. */
  readonly action: string | null;
  /**
   * Where their ids are: in the path; in the answer, which is one; in its elements, which are; in what its elements say of
   * a patient. Null for nowhere. Of an answer that is one and does not come, it is in the path.
   */
  readonly ids: 'path' | 'answer' | 'elements' | 'patients' | null;
}

/** What the contract says of an operation besides its schemas. */
export interface OperationConfig {
  readonly operationId: string;
  readonly tag: string;
  /** Who may call: anyone; anyone, but a token that is sent has to be valid; who has a token; staff. */
  readonly access: 'public' | 'optional' | 'user' | 'staff';
  /** The status of the successful answer; that of a dry run is 200. */
  readonly success: number;
  readonly problems: readonly number[];
  /** Of an operation that creates: the path of the new record, and where the answer has its id. */
  readonly location: { readonly url: string; readonly id: readonly string[] } | null;
  /** Whether the successful answer carries an ETag; a GET that has it also answers 304. */
  readonly hasEntityTag: boolean;
  /** Whether the successful answer, a bare array, is a page that a Link header leads on from. */
  readonly hasLinks: boolean;
  readonly takesIdempotencyKey: boolean;
  /** The media types of the body; none where there is no body. */
  readonly consumes: readonly string[];
  /** The media types of the successful answer, from the one that who names none gets; none where it has no body. */
  readonly produces: readonly string[];
  /** Null where nothing but refusals is recorded. */
  readonly audit: AuditedOperation | null;
  readonly limit: 'general' | 'auth';
  /** Which tokens that are not valid count as none sent, where a token is optional. */
  readonly ignoredTokens: 'none' | 'expired' | 'all';
  /** What the key of a service needs; null where no service has access, or anyone. */
  readonly serviceScope: string | null;
}

/** An operation as the generated table has it. */
export interface Operation {
  readonly method: string;
  readonly url: string;
  readonly schema: {
    readonly params?: TSchema;
    readonly querystring?: TSchema;
    readonly headers?: TSchema;
    readonly body?: TSchema;
    readonly response: Readonly<Record<number, TSchema>>;
  };
  readonly config: OperationConfig;
}

type Schema<Id extends OperationId> = (typeof operations)[Id]['schema'];

/** What an operation is called with, once it is validated. */
export type Input<Id extends OperationId> = (Schema<Id> extends { params: infer Params extends TSchema }
  ? { readonly params: Static<Params> }
  : unknown) &
  (Schema<Id> extends { querystring: infer Query extends TSchema } ? { readonly query: Static<Query> } : unknown) &
  (Schema<Id> extends { body: infer Body extends TSchema } ? { readonly body: Static<Body> } : unknown);

type Responses<Id extends OperationId> = Schema<Id>['response'];

/** What an operation answers when it succeeds. */
export type Answer<Id extends OperationId> =
  Responses<Id> extends Record<(typeof operations)[Id]['config']['success'], infer Success extends TSchema>
    ? Static<Success>
    : never;

/** What an operation that creates answers to a dry run: it has stored nothing, and so has not created. */
export class DryRun<T> {
  readonly answer: T;

  constructor(answer: T) {
    this.answer = answer;
  }
}

/** What an operation answers to a dry run, where it has one whose answer is another. */
export type DryAnswer<Id extends OperationId> =
  Responses<Id> extends { 200: infer Dry extends TSchema; 201: TSchema } ? DryRun<Static<Dry>> : never;

/** An answer that is a file to keep. */
export class Download {
  readonly name: string;
  readonly type: string;
  readonly content: Buffer | NodeJS.ReadableStream;

  /** @param name needs no quoting */
  constructor(name: string, type: string, content: Buffer | NodeJS.ReadableStream) {
    this.name = name;
    this.type = type;
    this.content = content;
  }
}

export interface Table {
  readonly title: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly (string | number | null)[])[];
}

/** A page to print. */
export interface PrintedPage {
  readonly title: string;
  /** What stands under the title. */
  readonly lead: string;
  /** Each begins a sheet of paper. */
  readonly tables: readonly Table[];
}

/** The forms that an answer has besides JSON, each made of what the JSON says. */
export interface Renderings<T> {
  /** The title names the file. */
  readonly 'text/csv': (answer: T) => Table;
  readonly 'text/html': (answer: T) => PrintedPage;
}
