import { operations } from '../../../openapi/generated/operations.js';
import type { Resource } from '../../lib/routes.js';
import { logIn, logOut, refreshToken, registerUser } from './service.js';

const users: Resource = (app, _options, done) => {
  app.route({
    ...operations.registerUser,
    handler: (request) => registerUser(app.db, request.body, app.tokens),
  });
  app.route({
    ...operations.logIn,
    handler: (request) => logIn(app.db, request.body, app.tokens, request.failedLogins),
  });
  app.route({
    ...operations.refreshToken,
    handler: (request) => refreshToken(app.db, request.body, app.tokens),
  });
  app.route({
    ...operations.logOut,
    handler: (request) => logOut(app.db, request.body, app.tokens, request.caller),
  });
  done();
};

export default users;
