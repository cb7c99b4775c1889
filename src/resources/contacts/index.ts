import { operations } from '../../../openapi/generated/operations.js';
import { resource } from '../../lib/resource.js';
import { createContact, deleteContact, getContact, listContacts, updateContact } from './service.js';

export default resource((serve) => {
  serve(operations.listContacts, listContacts);
  serve(operations.createContact, createContact);
  serve(operations.getContact, getContact);
  serve(operations.replaceContact, updateContact);
  serve(operations.updateContact, updateContact);
  serve(operations.deleteContact, deleteContact);
});
