import { operations } from '../../../openapi/generated/operations.js';
import type { Resource } from '../../lib/routes.js';
import { createContact, deleteContact, getContact, listContacts, replaceContact, updateContact } from './service.js';

const contacts: Resource = (app, _options, done) => {
  app.route({
    ...operations.listContacts,
    handler: ({ user }) => listContacts(app.db, user),
  });
  app.route({
    ...operations.createContact,
    handler: ({ db, body, caller }) => createContact(db, body, caller),
  });
  app.route({
    ...operations.getContact,
    handler: ({ params, user }) => getContact(app.db, params.id, user),
  });
  app.route({
    ...operations.replaceContact,
    handler: ({ params, body, user }) => replaceContact(app.db, params.id, body, user),
  });
  app.route({
    ...operations.updateContact,
    handler: ({ params, body, user }) => updateContact(app.db, params.id, body, user),
  });
  app.route({
    ...operations.deleteContact,
    handler: ({ params, user }) => deleteContact(app.db, params.id, user),
  });
  done();
};

export default contacts;
