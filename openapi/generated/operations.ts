// Made by openapi/generate.ts from openapi.yaml. Do not edit.

import { Type } from '@sinclair/typebox';
import * as S from './schemas.js';

/** What the contract says of an operation besides its schemas; Fastify hands it to hooks as the route's config. */
export interface OperationConfig {
  readonly operationId: string;
  readonly tag: string;
  /** Who may call: anyone; anyone, but a token that is sent has to be valid; who has a token; staff. */
  readonly access: 'public' | 'optional' | 'user' | 'staff';
  /** The status of the one successful answer. */
  readonly success: number;
  readonly problems: readonly number[];
  /** The media types of the body; none where there is no body. */
  readonly consumes: readonly string[];
  readonly rateLimit: 'general' | 'auth';
  /** What an expired access token is worth where a token is optional. */
  readonly expiredToken: 'refused' | 'anonymous';
}

/** Every problem has one schema; the type is empty so that a handler can only return the successful answer. */
function problems(...statuses: number[]): Record<never, never> {
  return Object.fromEntries([...statuses, 'default'].map((status) => [status, S.Problem]));
}

export const operations = {
  registerUser: {
    method: 'POST',
    url: '/api/user/register/',
    schema: {
      body: S.Registration,
      response: { 201: S.RegistrationResult, ...problems(400, 409, 413, 415, 429, 503) },
    },
    config: {
      operationId: 'registerUser',
      tag: 'users',
      access: 'public',
      success: 201,
      problems: [400, 409, 413, 415, 429, 503],
      consumes: ['application/json'],
      rateLimit: 'auth',
      expiredToken: 'refused',
    },
  },
  logIn: {
    method: 'POST',
    url: '/api/user/login/',
    schema: {
      body: S.Credentials,
      response: { 200: S.Tokens, ...problems(400, 401, 413, 415, 429, 503) },
    },
    config: {
      operationId: 'logIn',
      tag: 'users',
      access: 'public',
      success: 200,
      problems: [400, 401, 413, 415, 429, 503],
      consumes: ['application/json'],
      rateLimit: 'auth',
      expiredToken: 'refused',
    },
  },
  refreshToken: {
    method: 'POST',
    url: '/api/user/token/refresh/',
    schema: {
      body: S.RefreshToken,
      response: { 200: S.AccessToken, ...problems(400, 401, 413, 415, 429, 503) },
    },
    config: {
      operationId: 'refreshToken',
      tag: 'users',
      access: 'public',
      success: 200,
      problems: [400, 401, 413, 415, 429, 503],
      consumes: ['application/json'],
      rateLimit: 'auth',
      expiredToken: 'refused',
    },
  },
  logOut: {
    method: 'POST',
    url: '/api/user/logout/',
    schema: {
      body: S.RefreshToken,
      response: { 200: S.Message, ...problems(400, 401, 403, 413, 415, 429, 503) },
    },
    config: {
      operationId: 'logOut',
      tag: 'users',
      access: 'optional',
      success: 200,
      problems: [400, 401, 403, 413, 415, 429, 503],
      consumes: ['application/json'],
      rateLimit: 'general',
      expiredToken: 'anonymous',
    },
  },
  listDoctors: {
    method: 'GET',
    url: '/doctors/',
    schema: {
      querystring: Type.Object({
        page: Type.Integer({ format: 'int64', minimum: 1, maximum: 9007199254740, default: 1 }),
        limits: Type.Integer({ format: 'int32', minimum: 1, maximum: 1000, default: 100 }),
        specialisation: Type.Optional(S.Id),
        designation: Type.Optional(S.Id),
        available_time: Type.Optional(S.Id),
        fee: Type.Optional(S.Fee),
        min_fee: Type.Optional(S.Fee),
        max_fee: Type.Optional(S.Fee),
        search: Type.Optional(Type.String({ maxLength: 150 })),
        ordering: Type.Unsafe<'id' | 'fee' | '-fee' | 'name'>({
          type: 'string',
          enum: ['id', 'fee', '-fee', 'name'],
          default: 'id',
        }),
      }),
      response: { 200: S.DoctorPage, ...problems(400, 404, 429, 503) },
    },
    config: {
      operationId: 'listDoctors',
      tag: 'doctors',
      access: 'public',
      success: 200,
      problems: [400, 404, 429, 503],
      consumes: [],
      rateLimit: 'general',
      expiredToken: 'refused',
    },
  },
  createDoctor: {
    method: 'POST',
    url: '/doctors/',
    schema: {
      body: S.DoctorInput,
      response: { 201: S.Doctor, ...problems(400, 401, 409, 413, 415, 429, 503) },
    },
    config: {
      operationId: 'createDoctor',
      tag: 'doctors',
      access: 'user',
      success: 201,
      problems: [400, 401, 409, 413, 415, 429, 503],
      consumes: ['multipart/form-data', 'application/json'],
      rateLimit: 'general',
      expiredToken: 'refused',
    },
  },
  getDoctor: {
    method: 'GET',
    url: '/doctors/:id/',
    schema: {
      params: Type.Object({ id: S.Id }),
      response: { 200: S.Doctor, ...problems(404, 429, 503) },
    },
    config: {
      operationId: 'getDoctor',
      tag: 'doctors',
      access: 'public',
      success: 200,
      problems: [404, 429, 503],
      consumes: [],
      rateLimit: 'general',
      expiredToken: 'refused',
    },
  },
  replaceDoctor: {
    method: 'PUT',
    url: '/doctors/:id/',
    schema: {
      params: Type.Object({ id: S.Id }),
      body: S.DoctorInput,
      response: { 200: S.Doctor, ...problems(400, 401, 403, 404, 413, 415, 429, 503) },
    },
    config: {
      operationId: 'replaceDoctor',
      tag: 'doctors',
      access: 'user',
      success: 200,
      problems: [400, 401, 403, 404, 413, 415, 429, 503],
      consumes: ['multipart/form-data', 'application/json'],
      rateLimit: 'general',
      expiredToken: 'refused',
    },
  },
  updateDoctor: {
    method: 'PATCH',
    url: '/doctors/:id/',
    schema: {
      params: Type.Object({ id: S.Id }),
      body: S.DoctorPatch,
      response: { 200: S.Doctor, ...problems(400, 401, 403, 404, 413, 415, 429, 503) },
    },
    config: {
      operationId: 'updateDoctor',
      tag: 'doctors',
      access: 'user',
      success: 200,
      problems: [400, 401, 403, 404, 413, 415, 429, 503],
      consumes: ['multipart/form-data', 'application/json'],
      rateLimit: 'general',
      expiredToken: 'refused',
    },
  },
  deleteDoctor: {
    method: 'DELETE',
    url: '/doctors/:id/',
    schema: {
      params: Type.Object({ id: S.Id }),
      response: { 204: Type.Unsafe<void>({ type: 'null' }), ...problems(401, 403, 404, 429, 503) },
    },
    config: {
      operationId: 'deleteDoctor',
      tag: 'doctors',
      access: 'user',
      success: 204,
      problems: [401, 403, 404, 429, 503],
      consumes: [],
      rateLimit: 'general',
      expiredToken: 'refused',
    },
  },
  listDesignations: {
    method: 'GET',
    url: '/designations/',
    schema: {
      response: { 200: S.DesignationList, ...problems(429, 503) },
    },
    config: {
      operationId: 'listDesignations',
      tag: 'designations',
      access: 'public',
      success: 200,
      problems: [429, 503],
      consumes: [],
      rateLimit: 'general',
      expiredToken: 'refused',
    },
  },
  createDesignation: {
    method: 'POST',
    url: '/designations/',
    schema: {
      body: S.DesignationInput,
      response: { 201: S.Designation, ...problems(400, 401, 403, 409, 413, 415, 429, 503) },
    },
    config: {
      operationId: 'createDesignation',
      tag: 'designations',
      access: 'staff',
      success: 201,
      problems: [400, 401, 403, 409, 413, 415, 429, 503],
      consumes: ['application/json'],
      rateLimit: 'general',
      expiredToken: 'refused',
    },
  },
  getDesignation: {
    method: 'GET',
    url: '/designations/:id/',
    schema: {
      params: Type.Object({ id: S.Id }),
      response: { 200: S.Designation, ...problems(404, 429, 503) },
    },
    config: {
      operationId: 'getDesignation',
      tag: 'designations',
      access: 'public',
      success: 200,
      problems: [404, 429, 503],
      consumes: [],
      rateLimit: 'general',
      expiredToken: 'refused',
    },
  },
  replaceDesignation: {
    method: 'PUT',
    url: '/designations/:id/',
    schema: {
      params: Type.Object({ id: S.Id }),
      body: S.DesignationInput,
      response: { 200: S.Designation, ...problems(400, 401, 403, 404, 409, 413, 415, 429, 503) },
    },
    config: {
      operationId: 'replaceDesignation',
      tag: 'designations',
      access: 'staff',
      success: 200,
      problems: [400, 401, 403, 404, 409, 413, 415, 429, 503],
      consumes: ['application/json'],
      rateLimit: 'general',
      expiredToken: 'refused',
    },
  },
  updateDesignation: {
    method: 'PATCH',
    url: '/designations/:id/',
    schema: {
      params: Type.Object({ id: S.Id }),
      body: S.DesignationPatch,
      response: { 200: S.Designation, ...problems(400, 401, 403, 404, 409, 413, 415, 429, 503) },
    },
    config: {
      operationId: 'updateDesignation',
      tag: 'designations',
      access: 'staff',
      success: 200,
      problems: [400, 401, 403, 404, 409, 413, 415, 429, 503],
      consumes: ['application/json'],
      rateLimit: 'general',
      expiredToken: 'refused',
    },
  },
  deleteDesignation: {
    method: 'DELETE',
    url: '/designations/:id/',
    schema: {
      params: Type.Object({ id: S.Id }),
      response: { 204: Type.Unsafe<void>({ type: 'null' }), ...problems(401, 403, 404, 409, 429, 503) },
    },
    config: {
      operationId: 'deleteDesignation',
      tag: 'designations',
      access: 'staff',
      success: 204,
      problems: [401, 403, 404, 409, 429, 503],
      consumes: [],
      rateLimit: 'general',
      expiredToken: 'refused',
    },
  },
  listSpecialisations: {
    method: 'GET',
    url: '/specialisations/',
    schema: {
      response: { 200: S.SpecialisationList, ...problems(429, 503) },
    },
    config: {
      operationId: 'listSpecialisations',
      tag: 'specialisations',
      access: 'public',
      success: 200,
      problems: [429, 503],
      consumes: [],
      rateLimit: 'general',
      expiredToken: 'refused',
    },
  },
  createSpecialisation: {
    method: 'POST',
    url: '/specialisations/',
    schema: {
      body: S.SpecialisationInput,
      response: { 201: S.Specialisation, ...problems(400, 401, 403, 409, 413, 415, 429, 503) },
    },
    config: {
      operationId: 'createSpecialisation',
      tag: 'specialisations',
      access: 'staff',
      success: 201,
      problems: [400, 401, 403, 409, 413, 415, 429, 503],
      consumes: ['application/json'],
      rateLimit: 'general',
      expiredToken: 'refused',
    },
  },
  getSpecialisation: {
    method: 'GET',
    url: '/specialisations/:id/',
    schema: {
      params: Type.Object({ id: S.Id }),
      response: { 200: S.Specialisation, ...problems(404, 429, 503) },
    },
    config: {
      operationId: 'getSpecialisation',
      tag: 'specialisations',
      access: 'public',
      success: 200,
      problems: [404, 429, 503],
      consumes: [],
      rateLimit: 'general',
      expiredToken: 'refused',
    },
  },
  replaceSpecialisation: {
    method: 'PUT',
    url: '/specialisations/:id/',
    schema: {
      params: Type.Object({ id: S.Id }),
      body: S.SpecialisationInput,
      response: { 200: S.Specialisation, ...problems(400, 401, 403, 404, 409, 413, 415, 429, 503) },
    },
    config: {
      operationId: 'replaceSpecialisation',
      tag: 'specialisations',
      access: 'staff',
      success: 200,
      problems: [400, 401, 403, 404, 409, 413, 415, 429, 503],
      consumes: ['application/json'],
      rateLimit: 'general',
      expiredToken: 'refused',
    },
  },
  updateSpecialisation: {
    method: 'PATCH',
    url: '/specialisations/:id/',
    schema: {
      params: Type.Object({ id: S.Id }),
      body: S.SpecialisationPatch,
      response: { 200: S.Specialisation, ...problems(400, 401, 403, 404, 409, 413, 415, 429, 503) },
    },
    config: {
      operationId: 'updateSpecialisation',
      tag: 'specialisations',
      access: 'staff',
      success: 200,
      problems: [400, 401, 403, 404, 409, 413, 415, 429, 503],
      consumes: ['application/json'],
      rateLimit: 'general',
      expiredToken: 'refused',
    },
  },
  deleteSpecialisation: {
    method: 'DELETE',
    url: '/specialisations/:id/',
    schema: {
      params: Type.Object({ id: S.Id }),
      response: { 204: Type.Unsafe<void>({ type: 'null' }), ...problems(401, 403, 404, 409, 429, 503) },
    },
    config: {
      operationId: 'deleteSpecialisation',
      tag: 'specialisations',
      access: 'staff',
      success: 204,
      problems: [401, 403, 404, 409, 429, 503],
      consumes: [],
      rateLimit: 'general',
      expiredToken: 'refused',
    },
  },
  listAvailableTimes: {
    method: 'GET',
    url: '/available-time/',
    schema: {
      querystring: Type.Object({ id: Type.Optional(S.Id) }),
      response: { 200: S.AvailableTimeList, ...problems(400, 429, 503) },
    },
    config: {
      operationId: 'listAvailableTimes',
      tag: 'available-times',
      access: 'public',
      success: 200,
      problems: [400, 429, 503],
      consumes: [],
      rateLimit: 'general',
      expiredToken: 'refused',
    },
  },
  createAvailableTime: {
    method: 'POST',
    url: '/available-time/',
    schema: {
      body: S.AvailableTimeInput,
      response: { 201: S.AvailableTime, ...problems(400, 401, 403, 413, 415, 429, 503) },
    },
    config: {
      operationId: 'createAvailableTime',
      tag: 'available-times',
      access: 'staff',
      success: 201,
      problems: [400, 401, 403, 413, 415, 429, 503],
      consumes: ['application/json'],
      rateLimit: 'general',
      expiredToken: 'refused',
    },
  },
  getAvailableTime: {
    method: 'GET',
    url: '/available-time/:id/',
    schema: {
      params: Type.Object({ id: S.Id }),
      response: { 200: S.AvailableTime, ...problems(404, 429, 503) },
    },
    config: {
      operationId: 'getAvailableTime',
      tag: 'available-times',
      access: 'public',
      success: 200,
      problems: [404, 429, 503],
      consumes: [],
      rateLimit: 'general',
      expiredToken: 'refused',
    },
  },
  replaceAvailableTime: {
    method: 'PUT',
    url: '/available-time/:id/',
    schema: {
      params: Type.Object({ id: S.Id }),
      body: S.AvailableTimeInput,
      response: { 200: S.AvailableTime, ...problems(400, 401, 403, 404, 413, 415, 429, 503) },
    },
    config: {
      operationId: 'replaceAvailableTime',
      tag: 'available-times',
      access: 'staff',
      success: 200,
      problems: [400, 401, 403, 404, 413, 415, 429, 503],
      consumes: ['application/json'],
      rateLimit: 'general',
      expiredToken: 'refused',
    },
  },
  updateAvailableTime: {
    method: 'PATCH',
    url: '/available-time/:id/',
    schema: {
      params: Type.Object({ id: S.Id }),
      body: S.AvailableTimePatch,
      response: { 200: S.AvailableTime, ...problems(400, 401, 403, 404, 413, 415, 429, 503) },
    },
    config: {
      operationId: 'updateAvailableTime',
      tag: 'available-times',
      access: 'staff',
      success: 200,
      problems: [400, 401, 403, 404, 413, 415, 429, 503],
      consumes: ['application/json'],
      rateLimit: 'general',
      expiredToken: 'refused',
    },
  },
  deleteAvailableTime: {
    method: 'DELETE',
    url: '/available-time/:id/',
    schema: {
      params: Type.Object({ id: S.Id }),
      response: { 204: Type.Unsafe<void>({ type: 'null' }), ...problems(401, 403, 404, 409, 429, 503) },
    },
    config: {
      operationId: 'deleteAvailableTime',
      tag: 'available-times',
      access: 'staff',
      success: 204,
      problems: [401, 403, 404, 409, 429, 503],
      consumes: [],
      rateLimit: 'general',
      expiredToken: 'refused',
    },
  },
  getPicture: {
    method: 'GET',
    url: '/pictures/:name',
    schema: {
      params: Type.Object({ name: Type.String({ minLength: 1, maxLength: 60 }) }),
      querystring: Type.Object({
        expires: Type.Optional(Type.Integer({ format: 'int64', minimum: 1, maximum: 9007199254740991 })),
        signature: Type.Optional(Type.String({ maxLength: 100 })),
      }),
      response: { 200: Type.Unsafe<Uint8Array>({}), ...problems(400, 404, 429) },
    },
    config: {
      operationId: 'getPicture',
      tag: 'files',
      access: 'public',
      success: 200,
      problems: [400, 404, 429],
      consumes: [],
      rateLimit: 'general',
      expiredToken: 'refused',
    },
  },
  getProblemType: {
    method: 'GET',
    url: '/problems/:slug',
    schema: {
      params: Type.Object({ slug: Type.String({ minLength: 1, maxLength: 60 }) }),
      response: { 200: Type.String(), ...problems(404, 429) },
    },
    config: {
      operationId: 'getProblemType',
      tag: 'files',
      access: 'public',
      success: 200,
      problems: [404, 429],
      consumes: [],
      rateLimit: 'general',
      expiredToken: 'refused',
    },
  },
} as const;
