import { operations } from '../../../openapi/generated/operations.js';
import type { Link } from '../../lib/pages.js';
import type { PictureUrl } from '../../lib/pictures.js';
import type { Resource } from '../../lib/routes.js';
import {
  createProfile,
  deleteProfile,
  getMyProfile,
  getProfile,
  listProfiles,
  replaceProfile,
  updateProfile,
} from './service.js';

const profiles: Resource = (app, _options, done) => {
  const pictureUrl =
    ({ base }: Link): PictureUrl =>
    (name) =>
      app.pictures.url(base, name);
  app.route({
    ...operations.listProfiles,
    handler: ({ query, user, link }) => listProfiles(app.db, query, user, link, pictureUrl(link)),
  });
  app.route({
    ...operations.createProfile,
    handler: ({ db, body, user, link }) => createProfile(db, body, user, link, pictureUrl(link)),
  });
  app.route({
    ...operations.getMyProfile,
    handler: ({ user, link }) => getMyProfile(app.db, user, pictureUrl(link)),
  });
  app.route({
    ...operations.getProfile,
    handler: ({ params, user, link }) => getProfile(app.db, params.id, user, pictureUrl(link)),
  });
  app.route({
    ...operations.replaceProfile,
    handler: ({ params, body, user, link, headers }) =>
      replaceProfile(app.db, params.id, body, user, pictureUrl(link), headers['if-match']),
  });
  app.route({
    ...operations.updateProfile,
    handler: ({ params, body, user, link, headers }) =>
      updateProfile(app.db, params.id, body, user, pictureUrl(link), headers['if-match']),
  });
  app.route({
    ...operations.deleteProfile,
    handler: ({ params, user, headers }) => deleteProfile(app.db, params.id, user, headers['if-match']),
  });
  done();
};

export default profiles;
