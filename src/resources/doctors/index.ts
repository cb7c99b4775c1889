import { operations } from '../../../openapi/generated/operations.js';
import type { Resource } from '../../lib/routes.js';
import { createDoctor, deleteDoctor, getDoctor, listDoctors, replaceDoctor, updateDoctor } from './service.js';

const doctors: Resource = (app, _options, done) => {
  app.route({
    ...operations.listDoctors,
    handler: ({ query, link }) => listDoctors(app.db, query, link),
  });
  app.route({
    ...operations.createDoctor,
    handler: ({ body, user, link }) => createDoctor(app.db, body, user, link),
  });
  app.route({
    ...operations.getDoctor,
    handler: ({ params, link }) => getDoctor(app.db, params.id, link),
  });
  app.route({
    ...operations.replaceDoctor,
    handler: ({ params, body, user, link }) => replaceDoctor(app.db, params.id, body, user, link),
  });
  app.route({
    ...operations.updateDoctor,
    handler: ({ params, body, user, link }) => updateDoctor(app.db, params.id, body, user, link),
  });
  app.route({
    ...operations.deleteDoctor,
    handler: ({ params, user }) => deleteDoctor(app.db, params.id, user),
  });
  done();
};

export default doctors;
