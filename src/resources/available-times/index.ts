import { operations } from '../../../openapi/generated/operations.js';
import type { Resource } from '../../lib/routes.js';
import {
  createAvailableTime,
  deleteAvailableTime,
  getAvailableTime,
  listAvailableTimes,
  updateAvailableTime,
} from './service.js';

const availableTimes: Resource = (app, { config: { slotMinutes } }, done) => {
  app.route({ ...operations.listAvailableTimes, handler: ({ query }) => listAvailableTimes(app.db, query) });
  app.route({
    ...operations.createAvailableTime,
    handler: ({ body }) => createAvailableTime(app.db, body, slotMinutes),
  });
  app.route({ ...operations.getAvailableTime, handler: ({ params }) => getAvailableTime(app.db, params.id) });
  app.route({
    ...operations.replaceAvailableTime,
    handler: ({ params, body }) => updateAvailableTime(app.db, params.id, body, slotMinutes),
  });
  app.route({
    ...operations.updateAvailableTime,
    handler: ({ params, body }) => updateAvailableTime(app.db, params.id, body, slotMinutes),
  });
  app.route({
    ...operations.deleteAvailableTime,
    handler: ({ params }) => deleteAvailableTime(app.db, params.id),
  });
  done();
};

export default availableTimes;
