import { operations } from '../../../openapi/generated/operations.js';
import type { Resource } from '../../lib/routes.js';
import {
  createDesignation,
  deleteDesignation,
  getDesignation,
  listDesignations,
  updateDesignation,
} from './service.js';

const designations: Resource = (app, _options, done) => {
  app.route({ ...operations.listDesignations, handler: () => listDesignations(app.db) });
  app.route({ ...operations.createDesignation, handler: ({ db, body }) => createDesignation(db, body) });
  app.route({ ...operations.getDesignation, handler: ({ params }) => getDesignation(app.db, params.id) });
  app.route({
    ...operations.replaceDesignation,
    handler: ({ params, body }) => updateDesignation(app.db, params.id, body),
  });
  app.route({
    ...operations.updateDesignation,
    handler: ({ params, body }) => updateDesignation(app.db, params.id, body),
  });
  app.route({
    ...operations.deleteDesignation,
    handler: ({ params }) => deleteDesignation(app.db, params.id),
  });
  done();
};

export default designations;
