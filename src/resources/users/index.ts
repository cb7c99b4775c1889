import { operations } from '../../../openapi/generated/operations.js';
import type { Resource } from '../../lib/routes.js';
import { changePassword, getUser, listUsers, updateUser } from './accounts.js';
import { logIn, logOut, refreshToken, registerUser } from './service.js';

const users: Resource = (app, _options, done) => {
  app.route({
    ...operations.registerUser,
    handler: (request) => registerUser(app.db, request.body, app.tokens),
  });
  app.route({
    ...operations.logIn,
    handler: (request) => logIn(app.db, request.body, app.tokens, request.logins),
  });
  app.route({
    ...operations.refreshToken,
    handler: (request) => refreshToken(app.db, request.body, app.tokens, request.logins),
  });
  app.route({
    ...operations.logOut,
    handler: (request) => logOut(app.db, request.body, app.tokens, request.caller),
  });
  app.route({
    ...operations.changePassword,
    handler: async ({ body, user, logins }) => {
      const message = await changePassword(app.db, body, user, logins);
      app.forgetUser(user.id);
      return message;
    },
  });
  app.route({
    ...operations.listUsers,
    handler: ({ query, link }) => listUsers(app.db, query, link),
  });
  app.route({
    ...operations.getUser,
    handler: ({ params }) => getUser(app.db, params.id),
  });
  app.route({
    ...operations.updateUser,
    handler: async ({ params, body, user }) => {
      const changed = await updateUser(app.db, params.id, body, user);
      app.forgetUser(params.id);
      return changed;
    },
  });
  done();
};

export default users;
