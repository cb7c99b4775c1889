import { operations } from '../../../openapi/generated/operations.js';
import type { Link } from '../../lib/pages.js';
import type { PictureUrl } from '../../lib/pictures.js';
import type { Resource } from '../../lib/routes.js';
import { calendarOf } from '../appointments/booking.js';
import { createPatient, deletePatient, getPatient, listPatients, replacePatient, updatePatient } from './service.js';

const patients: Resource = (app, { config, now }, done) => {
  const pictureUrl =
    ({ base }: Link): PictureUrl =>
    (name) =>
      app.pictures.url(base, name);
  app.route({
    ...operations.listPatients,
    handler: ({ query, user, link }) => listPatients(app.db, query, user, link, pictureUrl(link)),
  });
  app.route({
    ...operations.createPatient,
    handler: ({ db, body, user, link }) => createPatient(db, body, user, link, pictureUrl(link)),
  });
  app.route({
    ...operations.getPatient,
    handler: ({ params, user, link }) => getPatient(app.db, params.id, user, pictureUrl(link)),
  });
  app.route({
    ...operations.replacePatient,
    handler: ({ params, body, user, link, headers }) =>
      replacePatient(app.db, params.id, body, user, pictureUrl(link), headers['if-match']),
  });
  app.route({
    ...operations.updatePatient,
    handler: ({ params, body, user, link, headers }) =>
      updatePatient(app.db, params.id, body, user, pictureUrl(link), headers['if-match']),
  });
  app.route({
    ...operations.deletePatient,
    handler: ({ params, user, headers }) =>
      deletePatient(app.db, params.id, user, calendarOf(config, now()), headers['if-match']),
  });
  done();
};

export default patients;
