import { operations } from '../../../openapi/generated/operations.js';
import { calendarOf } from '../appointments/booking.js';
import type { Resource } from '../../lib/routes.js';
import { listDoctorAvailability, searchAvailability } from './service.js';

const availability: Resource = (app, { config, now }, done) => {
  app.route({
    ...operations.listDoctorAvailability,
    handler: ({ params, query }) => listDoctorAvailability(app.db, params.id, query, calendarOf(config, now())),
  });
  app.route({
    ...operations.searchAvailability,
    handler: ({ query, link }) => searchAvailability(app.db, query, calendarOf(config, now()), link),
  });
  done();
};

export default availability;
