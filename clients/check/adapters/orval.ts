import * as api from '../generated/orval/api.js';
import { done, refused, type CreateClient } from '../story.js';
import { authorize, configure } from './orval-fetch.js';

/** No call of the story is one that a 304 answers. */
const unasked = (): never => {
  throw new Error('304');
};

export const createClient: CreateClient = (baseUrl) => {
  configure(baseUrl);
  return {
    authorize,
    register: async (body) => {
      const answer = await api.registerUser(body);
      return answer.status === 201 ? done(answer.data, answer) : refused(answer.data, answer);
    },
    logIn: async (body) => {
      const answer = await api.logIn(body);
      return answer.status === 200 ? done(answer.data, answer) : refused(answer.data, answer);
    },
    refresh: async (refresh) => {
      const answer = await api.refreshToken({ refresh });
      return answer.status === 200 ? done(answer.data, answer) : refused(answer.data, answer);
    },
    logOut: async (refresh) => {
      const answer = await api.logOut({ refresh });
      return answer.status === 200 ? done(answer.data, answer) : refused(answer.data, answer);
    },
    listSpecialisations: async () => {
      const answer = await api.listSpecialisations();
      return answer.status === 200 ? done(answer.data, answer) : refused(answer.data, answer);
    },
    listAvailableTimes: async () => {
      const answer = await api.listAvailableTimes();
      return answer.status === 200 ? done(answer.data, answer) : refused(answer.data, answer);
    },
    listDoctors: async (query) => {
      const answer = await api.listDoctors(query);
      if (answer.status === 304) return unasked();
      return answer.status === 200 ? done(answer.data, answer) : refused(answer.data, answer);
    },
    createDoctor: async (body) => {
      const answer = await api.createDoctor(body);
      return answer.status === 201 ? done(answer.data, answer) : refused(answer.data, answer);
    },
    book: async (body, key) => {
      const answer = await api.createAppointment(body, { headers: { 'Idempotency-Key': key } });
      return answer.status === 201 ? done(answer.data, answer) : refused(answer.data, answer);
    },
    getAppointment: async (id) => {
      const answer = await api.getAppointment(id);
      if (answer.status === 304) return unasked();
      return answer.status === 200 ? done(answer.data, answer) : refused(answer.data, answer);
    },
    move: async (id, { date, time }, ifMatch) => {
      const answer = await api.updateAppointment(id, { date, time }, { headers: { 'If-Match': ifMatch } });
      return answer.status === 200 ? done(answer.data, answer) : refused(answer.data, answer);
    },
    listAppointments: async (query) => {
      const answer = await api.listAppointments(query);
      if (answer.status === 304) return unasked();
      return answer.status === 200 ? done(answer.data, answer) : refused(answer.data, answer);
    },
    review: async (body) => {
      const answer = await api.createReview(body);
      return answer.status === 201 ? done(answer.data, answer) : refused(answer.data, answer);
    },
  };
};
