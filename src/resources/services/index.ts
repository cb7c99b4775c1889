import { operations } from '../../../openapi/generated/operations.js';
import type { Resource } from '../../lib/routes.js';
import { createService, deleteService, getService, listServices, replaceService, updateService } from './service.js';

const services: Resource = (app, _options, done) => {
  app.route({
    ...operations.listServices,
    handler: ({ link }) => listServices(app.db, link),
  });
  app.route({
    ...operations.createService,
    handler: ({ db, body, link }) => createService(db, body, link),
  });
  app.route({
    ...operations.getService,
    handler: ({ params, link }) => getService(app.db, params.id, link),
  });
  app.route({
    ...operations.replaceService,
    handler: ({ params, body, link, headers }) => replaceService(app.db, params.id, body, link, headers['if-match']),
  });
  app.route({
    ...operations.updateService,
    handler: ({ params, body, link, headers }) => updateService(app.db, params.id, body, link, headers['if-match']),
  });
  app.route({
    ...operations.deleteService,
    handler: ({ params, link, headers }) => deleteService(app.db, params.id, link, headers['if-match']),
  });
  done();
};

export default services;
