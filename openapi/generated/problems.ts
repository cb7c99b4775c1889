// Made by openapi/generate.ts from openapi.yaml. Do not edit.

/** Every problem type of the contract, by the slug in its `type`. */
export const problems = {
  'invalid-input': {
    status: 400,
    title: 'Invalid input',
    description:
      "Something in the request is not as this API's contract asks for it. `errors` names each field and says what to change; nothing was stored.",
  },
  'not-authenticated': {
    status: 401,
    title: 'Not authenticated',
    description:
      'The operation needs an access token, or valid credentials, and got none. Log in, or exchange the refresh token for a new access token, and send it as `Authorization: Bearer <token>`.',
  },
  'not-allowed': {
    status: 403,
    title: 'Not allowed',
    description: 'You are known, but this operation is for others - for staff, or for the owner of the record.',
  },
  'not-found': {
    status: 404,
    title: 'Not found',
    description: 'There is no such record, page or path, or you may not see it.',
  },
  'already-exists': {
    status: 409,
    title: 'Already exists',
    description:
      'A value that has to be unique is taken, or the record has been made before. `errors` names the fields.',
  },
  'in-use': {
    status: 409,
    title: 'In use',
    description: 'Other records refer to the record, so that it can not be deleted, or not be changed in this way.',
  },
  'slot-taken': {
    status: 409,
    title: 'Slot taken',
    description:
      'The doctor or the patient has an appointment at an overlapping time. `alternatives` gives free slots of the same doctor, the soonest first.',
  },
  'wrong-status': {
    status: 409,
    title: 'Wrong status',
    description:
      "The appointment's status does not allow this. The status moves forward only, from `Pendding` over `Runing` to `Complated`, and not while the appointment is cancelled (staff may put it back); a patient changes, cancels or deletes only a `Pendding` one that has not begun.",
  },
  'has-appointments': {
    status: 409,
    title: 'Has appointments',
    description: 'The doctor has upcoming appointments. Cancel or move them first.',
  },
  'no-patient-record': {
    status: 409,
    title: 'No patient record',
    description:
      'The operation is for patients, and you have no patient record. Create one first with `POST /patients/`.',
  },
  'precondition-failed': {
    status: 412,
    title: 'Changed meanwhile',
    description:
      'The record is not in the state that `If-Match` names, or in one that `If-None-Match` does. Get it again, and decide anew.',
  },
  'idempotency-key-reused': {
    status: 422,
    title: 'Idempotency-Key reused',
    description: 'The key came before with another body. Use a new key for a new request.',
  },
  'too-large': {
    status: 413,
    title: 'Too large',
    description: 'The body, one of its fields or a file is larger than this API takes. `detail` gives the bound.',
  },
  'unsupported-media-type': {
    status: 415,
    title: 'Unsupported media type',
    description: 'The operation does not take bodies of this media type. `detail` names those it takes.',
  },
  'too-many-requests': {
    status: 429,
    title: 'Too many requests',
    description: 'A rate limit is reached. Wait for the seconds that `Retry-After` gives before the next request.',
  },
  'internal-error': {
    status: 500,
    title: 'Internal error',
    description:
      "The server met a fault of its own. Report the `instance`, which names the request in the server's log.",
  },
  unavailable: {
    status: 503,
    title: 'Temporarily unavailable',
    description:
      'The server can not reach its database or the folder of its pictures, its disk is full, or it is about to stop. Try again after the seconds that `Retry-After` gives.',
  },
} as const;
