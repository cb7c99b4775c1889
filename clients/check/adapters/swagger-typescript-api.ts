import { Api, type HttpResponse } from '../generated/swagger-typescript-api/Api.js';
import { done, refused, type Answer, type CreateClient, type Refusal } from '../story.js';

// To it a 304 is an error without a body, but no call of the story asks for one.
async function answer<T>(call: Promise<HttpResponse<T, Refusal | void>>): Promise<Answer<T>> {
  const response = await call;
  if (response.ok) return done(response.data, response);
  if (response.error === undefined) throw new Error(`${response.status} without a problem`);
  return refused(response.error, response);
}

export const createClient: CreateClient = (baseUrl) => {
  const client = new Api<string>({
    baseUrl,
    securityWorker: (access) => (access === null ? {} : { headers: { Authorization: `Bearer ${access}` } }),
  });
  const { api, specialisations, availableTime, doctors, appointments, reviews } = client;
  return {
    authorize: (access) => client.setSecurityData(access),
    register: (body) => answer(api.registerUser(body)),
    logIn: (body) => answer(api.logIn(body)),
    refresh: (refresh) => answer(api.refreshToken({ refresh })),
    logOut: (refresh) => answer(api.logOut({ refresh })),
    listSpecialisations: () => answer(specialisations.listSpecialisations()),
    listAvailableTimes: () => answer(availableTime.listAvailableTimes()),
    listDoctors: (query) => answer(doctors.listDoctors(query)),
    createDoctor: (body) => answer(doctors.createDoctor(body)),
    // It knows no parameters in headers.
    book: (body, key) => answer(appointments.createAppointment(body, { headers: { 'Idempotency-Key': key } })),
    getAppointment: (id) => answer(appointments.getAppointment(id)),
    move: (id, { date, time }, ifMatch) =>
      answer(appointments.updateAppointment(id, { date, time }, { headers: { 'If-Match': ifMatch } })),
    listAppointments: (query) => answer(appointments.listAppointments(query)),
    review: (body) => answer(reviews.createReview(body)),
  };
};
