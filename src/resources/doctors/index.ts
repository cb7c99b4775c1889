import { operations } from '../../../openapi/generated/operations.js';
import type { Resource } from '../../lib/routes.js';
import { calendarOf } from '../appointments/booking.js';
import { createDoctor, deleteDoctor, getDoctor, listDoctors, replaceDoctor, updateDoctor } from './service.js';

const doctors: Resource = (app, { config, now }, done) => {
  app.route({
    ...operations.listDoctors,
    handler: ({ query, link }) => listDoctors(app.db, query, link),
  });
  app.route({
    ...operations.createDoctor,
    handler: ({ db, body, user, link }) => createDoctor(db, body, user, link),
  });
  app.route({
    ...operations.getDoctor,
    handler: ({ params, link }) => getDoctor(app.db, params.id, link),
  });
  app.route({
    ...operations.replaceDoctor,
    handler: ({ params, body, user, link, headers }) =>
      replaceDoctor(app.db, params.id, body, user, link, headers['if-match']),
  });
  app.route({
    ...operations.updateDoctor,
    handler: ({ params, body, user, link, headers }) =>
      updateDoctor(app.db, params.id, body, user, link, headers['if-match']),
  });
  app.route({
    ...operations.deleteDoctor,
    handler: ({ params, user, link, headers }) =>
      deleteDoctor(app.db, params.id, user, calendarOf(config, now()), link, headers['if-match']),
  });
  done();
};

export default doctors;
