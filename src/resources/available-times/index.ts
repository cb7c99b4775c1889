import { operations } from '../../../openapi/generated/operations.js';
import type { Resource } from '../../lib/routes.js';
import { calendarOf } from '../appointments/booking.js';
import {
  createAvailableTime,
  deleteAvailableTime,
  getAvailableTime,
  listAvailableTimes,
  updateAvailableTime,
} from './service.js';

const availableTimes: Resource = (app, { config, now }, done) => {
  const { slotMinutes } = config;
  app.route({ ...operations.listAvailableTimes, handler: ({ query }) => listAvailableTimes(app.db, query) });
  app.route({
    ...operations.createAvailableTime,
    handler: ({ db, body }) => createAvailableTime(db, body, slotMinutes),
  });
  app.route({ ...operations.getAvailableTime, handler: ({ params }) => getAvailableTime(app.db, params.id) });
  app.route({
    ...operations.replaceAvailableTime,
    handler: ({ params, body }) => updateAvailableTime(app.db, params.id, body, slotMinutes, calendarOf(config, now())),
  });
  app.route({
    ...operations.updateAvailableTime,
    handler: ({ params, body }) => updateAvailableTime(app.db, params.id, body, slotMinutes, calendarOf(config, now())),
  });
  app.route({
    ...operations.deleteAvailableTime,
    handler: ({ params }) => deleteAvailableTime(app.db, params.id),
  });
  done();
};

export default availableTimes;
