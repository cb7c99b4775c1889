import { problems } from './generated/problems.js';

export type ProblemSlug = keyof typeof problems;

/** Messages by field, as the `errors` of a problem document has them. */
export type FieldErrors = Record<string, string[]>;

/** Thrown anywhere, it leaves as the problem document of its type. */
export class ProblemError extends Error {
  override readonly name: string = 'ProblemError';
  readonly slug: ProblemSlug;
  readonly statusCode: number;
  /** Further members of the document. */
  readonly members: Readonly<Record<string, unknown>>;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    slug: ProblemSlug,
    detail: string,
    members: Readonly<Record<string, unknown>> = {},
    headers: Readonly<Record<string, string>> = {},
  ) {
    super(detail);
    this.slug = slug;
    this.statusCode = problems[slug].status;
    this.members = members;
    this.headers = headers;
  }
}

/** What a request says can not be. */
export class InvalidInput extends ProblemError {
  constructor(errors: Readonly<FieldErrors>) {
    // Names that clients made up may be long.
    const fields = Object.keys(errors).join(', ').slice(0, 900);
    super('invalid-input', `The request has invalid input: ${fields}.`, { errors });
  }
}
