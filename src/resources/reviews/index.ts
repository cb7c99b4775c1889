import { operations } from '../../../openapi/generated/operations.js';
import type { Resource } from '../../lib/routes.js';
import { createReview, deleteReview, getReview, listReviews, replaceReview, updateReview } from './service.js';

const reviews: Resource = (app, _options, done) => {
  app.route({
    ...operations.listReviews,
    handler: ({ query, link }) => listReviews(app.db, query, link),
  });
  app.route({
    ...operations.createReview,
    handler: ({ db, body, user }) => createReview(db, body, user),
  });
  app.route({
    ...operations.getReview,
    handler: ({ params }) => getReview(app.db, params.id),
  });
  app.route({
    ...operations.replaceReview,
    handler: ({ params, body, user, headers }) => replaceReview(app.db, params.id, body, user, headers['if-match']),
  });
  app.route({
    ...operations.updateReview,
    handler: ({ params, body, user, headers }) => updateReview(app.db, params.id, body, user, headers['if-match']),
  });
  app.route({
    ...operations.deleteReview,
    handler: ({ params, user, headers }) => deleteReview(app.db, params.id, user, headers['if-match']),
  });
  done();
};

export default reviews;
