import * as api from '../generated/kubb/index.js';
import { done, refused, type Answer, type CreateClient, type Refusal } from '../story.js';
import { authorize, configure, type ResponseConfig } from './kubb-fetch.js';

async function answer<T, E extends Refusal>(call: Promise<ResponseConfig<T, E>>): Promise<Answer<T>> {
  const result = await call;
  return result.isDone ? done(result.data, result.response) : refused(result.error, result.response);
}

export const createClient: CreateClient = (baseUrl) => {
  configure(baseUrl);
  return {
    authorize,
    register: (body) => answer(api.registerUser(body)),
    logIn: (body) => answer(api.logIn(body)),
    refresh: (refresh) => answer(api.refreshToken({ refresh })),
    logOut: (refresh) => answer(api.logOut({ refresh })),
    listSpecialisations: () => answer(api.listSpecialisations()),
    listAvailableTimes: () => answer(api.listAvailableTimes()),
    listDoctors: (query) => answer(api.listDoctors(query)),
    createDoctor: (body) => answer(api.createDoctor(body)),
    book: (body, key) => answer(api.createAppointment(body, { 'Idempotency-Key': key })),
    getAppointment: (id) => answer(api.getAppointment(id)),
    move: (id, { date, time }, ifMatch) => answer(api.updateAppointment(id, { date, time }, { 'If-Match': ifMatch })),
    listAppointments: (query) => answer(api.listAppointments(query)),
    review: (body) => answer(api.createReview(body)),
  };
};
