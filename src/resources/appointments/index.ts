import { operations } from '../../../openapi/generated/operations.js';
import type { Resource } from '../../lib/routes.js';
import { calendarOf } from './booking.js';
import {
  createAppointment,
  deleteAppointment,
  getAppointment,
  listAppointmentHistory,
  listAppointments,
  replaceAppointment,
  updateAppointment,
} from './service.js';

const appointments: Resource = (app, { config, now }, done) => {
  app.route({
    ...operations.listAppointments,
    handler: ({ query, user, link }) => listAppointments(app.db, query, user, link),
  });
  app.route({
    ...operations.createAppointment,
    handler: ({ db, body, user }) => createAppointment(db, body, user, calendarOf(config, now())),
  });
  app.route({
    ...operations.getAppointment,
    handler: ({ params, user }) => getAppointment(app.db, params.id, user),
  });
  app.route({
    ...operations.replaceAppointment,
    handler: ({ params, body, user, headers }) =>
      replaceAppointment(app.db, params.id, body, user, calendarOf(config, now()), headers['if-match']),
  });
  app.route({
    ...operations.updateAppointment,
    handler: ({ params, body, user, headers }) =>
      updateAppointment(app.db, params.id, body, user, calendarOf(config, now()), headers['if-match']),
  });
  app.route({
    ...operations.deleteAppointment,
    handler: ({ params, user, headers }) => deleteAppointment(app.db, params.id, user, headers['if-match']),
  });
  app.route({
    ...operations.listAppointmentHistory,
    handler: ({ params, query, user, link }) => listAppointmentHistory(app.db, params.id, query, user, link),
  });
  done();
};

export default appointments;
