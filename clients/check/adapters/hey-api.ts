import { createClient as createFetchClient } from '../generated/hey-api/client/index.js';
import * as api from '../generated/hey-api/index.js';
import { done, refused, type Answer, type CreateClient, type Refusal } from '../story.js';

type Result<T> = ({ data: T; error: undefined } | { data: undefined; error: Refusal }) & { response: Response };

async function answer<T>(call: Promise<Result<T>>): Promise<Answer<T>> {
  const result = await call;
  return result.error === undefined ? done(result.data, result.response) : refused(result.error, result.response);
}

export const createClient: CreateClient = (baseUrl) => {
  let token = '';
  const client = createFetchClient({ baseUrl, auth: () => token });
  return {
    authorize: (access) => (token = access),
    register: (body) => answer(api.registerUser({ client, body })),
    logIn: (body) => answer(api.logIn({ client, body })),
    refresh: (refresh) => answer(api.refreshToken({ client, body: { refresh } })),
    logOut: (refresh) => answer(api.logOut({ client, body: { refresh } })),
    listSpecialisations: () => answer(api.listSpecialisations({ client })),
    listAvailableTimes: () => answer(api.listAvailableTimes({ client })),
    listDoctors: (query) => answer(api.listDoctors({ client, query })),
    createDoctor: (body) => answer(api.createDoctor({ client, body })),
    book: (body, key) => answer(api.createAppointment({ client, headers: { 'Idempotency-Key': key }, body })),
    getAppointment: (id) => answer(api.getAppointment({ client, path: { id } })),
    move: (id, { date, time }, ifMatch) =>
      answer(api.updateAppointment({ client, path: { id }, headers: { 'If-Match': ifMatch }, body: { date, time } })),
    listAppointments: (query) => answer(api.listAppointments({ client, query })),
    review: (body) => answer(api.createReview({ client, body })),
  };
};
