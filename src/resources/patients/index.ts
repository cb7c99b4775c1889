import { operations } from '../../../openapi/generated/operations.js';
import { resource } from '../../lib/resource.js';
import { createPatient, deletePatient, getPatient, listPatients, replacePatient, updatePatient } from './service.js';

export default resource((serve) => {
  serve(operations.listPatients, listPatients);
  serve(operations.createPatient, createPatient);
  serve(operations.getPatient, getPatient);
  serve(operations.replacePatient, replacePatient);
  serve(operations.updatePatient, updatePatient);
  serve(operations.deletePatient, deletePatient);
});
