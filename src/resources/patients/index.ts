import { operations } from '../../../openapi/generated/operations.js';
import { resource } from '../../lib/resource.js';
import { createInvitation } from './invitations.js';
import {
  createDependant,
  createPatient,
  deletePatient,
  getMyPatient,
  getPatient,
  listDependants,
  listPatients,
  replacePatient,
  updatePatient,
} from './service.js';

export default resource((serve) => {
  serve(operations.listPatients, listPatients);
  serve(operations.createPatient, createPatient);
  serve(operations.getMyPatient, getMyPatient);
  serve(operations.listDependants, listDependants);
  serve(operations.createDependant, createDependant);
  serve(operations.getPatient, getPatient);
  serve(operations.replacePatient, replacePatient);
  serve(operations.updatePatient, updatePatient);
  serve(operations.deletePatient, deletePatient);
  serve(operations.createInvitation, createInvitation);
});
