import { operations } from '../../../openapi/generated/operations.js';
import type { Resource } from '../../lib/routes.js';
import {
  createSpecialisation,
  deleteSpecialisation,
  getSpecialisation,
  listSpecialisations,
  updateSpecialisation,
} from './service.js';

const specialisations: Resource = (app, _options, done) => {
  app.route({ ...operations.listSpecialisations, handler: () => listSpecialisations(app.db) });
  app.route({ ...operations.createSpecialisation, handler: ({ db, body }) => createSpecialisation(db, body) });
  app.route({ ...operations.getSpecialisation, handler: ({ params }) => getSpecialisation(app.db, params.id) });
  app.route({
    ...operations.replaceSpecialisation,
    handler: ({ params, body }) => updateSpecialisation(app.db, params.id, body),
  });
  app.route({
    ...operations.updateSpecialisation,
    handler: ({ params, body }) => updateSpecialisation(app.db, params.id, body),
  });
  app.route({
    ...operations.deleteSpecialisation,
    handler: ({ params }) => deleteSpecialisation(app.db, params.id),
  });
  done();
};

export default specialisations;
