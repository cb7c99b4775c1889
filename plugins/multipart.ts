import fastifyMultipart, { type MultipartFile } from '@fastify/multipart';
import type { FastifyInstance, FastifyRequest, preValidationHookHandler } from 'fastify';
import fp from 'fastify-plugin';
import { once } from 'node:events';
import type { Operation } from '../openapi/operation.js';
import { ProblemError } from '../openapi/problem-error.js';
import { decodeUtf8 } from './utf8.js';

export interface MultipartOptions {
  /** The largest file in bytes. Default 5 MB. */
  readonly maxFileBytes?: number;
}

declare module 'fastify' {
  interface FastifyInstance {
    /** The scope of routes that take forms. */
    readonly forms: FastifyInstance;
    readonly maxFileBytes: number;
  }
}

/** A file that came with a request. */
export class Upload {
  readonly size: number;
  /** What is wrong with the content, where something is; whoever looks into it says so here. */
  fault: string | undefined;
  private chunks: readonly Buffer[];

  constructor(chunks: readonly Buffer[]) {
    this.chunks = chunks;
    this.size = chunks.reduce((sum, { length }) => sum + length, 0);
  }

  /** Put together when they are asked for: to copy a large file takes longer than all else that a refusal does. */
  get bytes(): Buffer {
    if (this.chunks.length !== 1) this.chunks = [Buffer.concat(this.chunks)];
    return this.chunks[0] as Buffer;
  }
}

/** A multipart body: text, lists of it where a field came more than once, and files. */
export class FormBody {
  readonly fields: Record<string, unknown> = Object.create(null) as Record<string, unknown>;

  add(name: string, value: unknown): void {
    if (!Object.hasOwn(this.fields, name)) this.fields[name] = value;
    else this.fields[name] = [this.fields[name], value].flat();
  }
}

const MAX_FIELD_BYTES = 32_768;
const MAX_FIELDS = 400;
/** The media types of what is a file, though it comes without the name of one. */
const OF_FILES = /^(?:image\/|application\/octet-stream$)/;

const tooMany = () =>
  new ProblemError('too-large', `The body has more than one file or more than ${MAX_FIELDS} fields.`);

function multipartProblem(error: unknown, maxFileBytes: number): unknown {
  switch ((error as { code?: string }).code) {
    case 'FST_REQ_FILE_TOO_LARGE':
      return new ProblemError('too-large', `The file is larger than ${maxFileBytes / 1_000_000} MB.`);
    case 'FST_FILES_LIMIT':
    case 'FST_PARTS_LIMIT':
      return tooMany();
  }
  if (error instanceof ProblemError) return error;
  // Of JSON such a member is dropped; the parser of forms goes no further.
  if ((error as { code?: string }).code === 'FST_PROTO_VIOLATION') {
    const fault = 'has a field with a name that every object of JavaScript has, such as constructor';
    return new ProblemError('invalid-input', `The body ${fault}.`, { errors: { body: [fault] } });
  }
  // What is left comes from the parser: a boundary that is missing, a part that ends too early.
  const detail = 'The body is not valid multipart/form-data.';
  return new ProblemError('invalid-input', detail, { errors: { body: ['is not valid multipart/form-data'] } });
}

/** Fails as soon as a file is too large: its rest is not waited for. */
async function refusal({ file }: MultipartFile): Promise<never> {
  await once(file, 'limit');
  throw Object.assign(new Error('too large'), { code: 'FST_REQ_FILE_TOO_LARGE' });
}

async function readUpload({ file }: MultipartFile): Promise<Upload> {
  const chunks: Buffer[] = [];
  for await (const chunk of file) chunks.push(chunk as Buffer);
  return new Upload(chunks);
}

/** Fails where the parser has put U+FFFD for bytes of a name that are no UTF-8. */
function checkNames({ fieldname, filename }: { fieldname: string; filename: string | undefined }): void {
  if (!`${fieldname}${filename ?? ''}`.includes('\ufffd')) return;
  const detail = 'The name of a field or file of the body is not UTF-8.';
  throw new ProblemError('invalid-input', detail, {
    errors: { body: ['has the name of a field or file that is not UTF-8'] },
  });
}

async function readParts(request: FastifyRequest): Promise<FormBody> {
  const body = new FormBody();
  try {
    let files = 0;
    let fields = 0;
    // Of each part the bytes, since the parser would decode a text that is no UTF-8 into one that nobody sent.
    for await (const part of request.files()) {
      const { fieldname, filename, mimetype } = part;
      checkNames(part);
      const isText = filename === undefined && !OF_FILES.test(mimetype);
      const upload = await Promise.race([readUpload(part), refusal(part)]);
      // A browser sends a file input in which nothing was chosen as an empty file without a name: that field is left out.
      if (!isText && !filename && upload.size === 0) continue;
      if (isText ? ++fields > MAX_FIELDS : ++files > 1) throw tooMany();
      if (isText && upload.size > MAX_FIELD_BYTES) {
        throw new ProblemError('too-large', `A field of the body is larger than ${MAX_FIELD_BYTES / 1024} KiB.`);
      }
      if (!isText) {
        body.add(fieldname, upload);
      } else {
        const text = decodeUtf8(upload.bytes);
        body.add(fieldname, mimetype === 'application/json' ? JSON.parse(text) : text);
      }
    }
  } catch (error) {
    throw multipartProblem(error, request.server.maxFileBytes);
  }
  return body;
}

/** Reads multipart/form-data into `request.body` as a FormBody, within bounds. */
export function readForm({ config }: Operation): preValidationHookHandler | undefined {
  if (!config.consumes.includes('multipart/form-data')) return undefined;
  return function readFormBody(request, _reply, next) {
    if (!request.isMultipart()) {
      next();
      return;
    }
    readParts(request).then((body) => {
      // Of no bytes it is no form without fields, which would empty a record that is replaced.
      request.body = request.raw.readableDidRead ? body : null;
      next();
    }, next);
  };
}

/**
 * Parses multipart/form-data for the routes of `app.forms`, within bounds. Comes after the plugins that say how routes
 * validate and answer: a scope has of these what its parent had when it was opened.
 */
export default fp(
  async function multipart(app: FastifyInstance, { maxFileBytes = 5_000_000 }: MultipartOptions) {
    app.decorate('maxFileBytes', maxFileBytes);
    await app.register(async (forms) => {
      await forms.register(fastifyMultipart, {
        throwFileSizeLimit: true,
        isPartAFile: () => true,
        limits: {
          fileSize: maxFileBytes,
          files: MAX_FIELDS + 1,
          parts: MAX_FIELDS + 1,
          fieldNameSize: 100,
          headerPairs: 50,
        },
      });
      app.decorate('forms', forms);
    });
  },
  { name: 'multipart', dependencies: ['errors'] },
);
