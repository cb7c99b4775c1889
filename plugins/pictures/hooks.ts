/** What pictures add to the operations that take or let go of one. */
import type {
  FastifyRequest,
  onSendAsyncHookHandler,
  preHandlerAsyncHookHandler,
  preValidationAsyncHookHandler,
} from 'fastify';
import { operations } from '../../openapi/generated/operations.js';
import type { Operation } from '../../openapi/operation.js';
import { nameOf } from '../auth.js';
import { loggable } from '../errors.js';
import { hangUp } from '../hang-up.js';
import { FormBody } from '../multipart.js';
import { encodeUploads, uploadsOf, type FileField } from './uploads.js';

function fileFields({ schema }: Operation): FileField[] {
  const body = schema.body as { properties?: Record<string, Record<string, unknown>> } | undefined;
  return Object.entries(body?.properties ?? {})
    .filter(([, property]) => property['format'] === 'binary')
    .map(([name, property]) => ({ name, prefix: property['x-visibility'] === 'signed' ? 's-' : 'p-' }));
}

/** The resources whose records have a picture. */
const tags = new Set(
  Object.values<Operation>(operations)
    .filter((operation) => fileFields(operation).length > 0)
    .map(({ config }) => config.tag),
);

/**
 * Whether an operation has to tell who may do it before a picture is decoded, which costs more than all the rest. That only
 * staff may is judged by then.
 */
export const needsAdmission = (operation: Operation): boolean =>
  operation.config.access !== 'staff' && fileFields(operation).length > 0;

/** Judges a form with a picture by the operation's `admit`, before the picture costs anything. */
export function admitPictures(operation: Operation): preValidationAsyncHookHandler | undefined {
  if (!needsAdmission(operation)) return undefined;
  const fields = fileFields(operation);
  return async function admitForm(request, reply) {
    const { body } = request;
    if (body instanceof FormBody && uploadsOf(body, fields).length > 0)
      await request.server.admit(request, reply, body.fields);
  };
}

/** Encodes the pictures of a form, before it is validated. */
export function encodePictures(operation: Operation): preValidationAsyncHookHandler | undefined {
  const fields = fileFields(operation);
  if (fields.length === 0) return undefined;
  return async function encodeForm(request, reply) {
    const { body, caller } = request;
    if (body instanceof FormBody)
      await encodeUploads(body, fields, { by: caller === null ? undefined : nameOf(caller), signal: hangUp(reply) });
  };
}

const stored = new WeakMap<FastifyRequest, string[]>();

/** Stores the pictures of a valid form: what serves the operation finds a new file's name in the field of the upload. */
export function storePictures(operation: Operation): preHandlerAsyncHookHandler | undefined {
  const fields = fileFields(operation);
  if (fields.length === 0) return undefined;
  return async function storeForm(request) {
    const names: string[] = [];
    stored.set(request, names);
    await request.server.uploads.store(request.body as Record<string, unknown>, fields, (name) => names.push(name));
  };
}

/** Before the client has its answer: a failed request leaves no file, and a file that a row let go is gone. */
export function discardPictures({ method, config }: Operation): onSendAsyncHookHandler | undefined {
  if (method === 'GET' || !tags.has(config.tag)) return undefined;
  return async function discardFiles(request, reply) {
    const { uploads } = request.server;
    const own = stored.get(request) ?? [];
    try {
      if (reply.statusCode < 400) await uploads.removeDue();
      // Only what is still listed goes: a name that a row took is off the list.
      else if (own.length > 0) await uploads.removeUntaken(own);
    } catch (error) {
      request.log.warn({ reqId: request.id, error: loggable(error) }, 'pictures stay until the hourly removal');
    }
  };
}
