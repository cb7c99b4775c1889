import createFetchClient from 'openapi-fetch';
import type { paths } from '../generated/openapi-fetch/api.js';
import { done, refused, type Answer, type CreateClient, type Refusal } from '../story.js';

type Result<T> = ({ data: T; error?: undefined } | { data?: undefined; error: Refusal }) & { response: Response };

async function answer<T>(call: Promise<Result<T>>): Promise<Answer<T>> {
  const result = await call;
  return result.error === undefined ? done(result.data, result.response) : refused(result.error, result.response);
}

export const createClient: CreateClient = (baseUrl) => {
  let headers = {};
  const api = createFetchClient<paths>({ baseUrl });
  return {
    authorize: (access) => (headers = { Authorization: `Bearer ${access}` }),
    register: (body) => answer(api.POST('/api/user/register/', { body })),
    logIn: (body) => answer(api.POST('/api/user/login/', { body })),
    refresh: (refresh) => answer(api.POST('/api/user/token/refresh/', { body: { refresh } })),
    logOut: (refresh) => answer(api.POST('/api/user/logout/', { headers, body: { refresh } })),
    listSpecialisations: () => answer(api.GET('/specialisations/')),
    listAvailableTimes: () => answer(api.GET('/available-time/')),
    listDoctors: (query) => answer(api.GET('/doctors/', { params: { query } })),
    createDoctor: (body) =>
      answer(
        api.POST('/doctors/', {
          headers,
          body,
          // It leaves multipart to the caller.
          bodySerializer: (fields) => {
            const form = new FormData();
            for (const [name, value] of Object.entries(fields)) {
              for (const part of Array.isArray(value) ? value : [value]) {
                form.append(name, part instanceof Blob ? part : String(part));
              }
            }
            return form;
          },
        }),
      ),
    book: (body, key) =>
      answer(api.POST('/appointments/', { headers, params: { header: { 'Idempotency-Key': key } }, body })),
    getAppointment: (id) => answer(api.GET('/appointments/{id}/', { headers, params: { path: { id } } })),
    move: (id, { date, time }, ifMatch) =>
      answer(
        api.PATCH('/appointments/{id}/', {
          headers,
          params: { path: { id }, header: { 'If-Match': ifMatch } },
          body: { date, time },
        }),
      ),
    listAppointments: (query) => answer(api.GET('/appointments/', { headers, params: { query } })),
    review: (body) => answer(api.POST('/reviews/', { headers, body })),
  };
};
