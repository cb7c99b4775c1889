import { operations } from '../../../openapi/generated/operations.js';
import { resource } from '../../lib/resource.js';
import { erasePatient } from './erasure.js';
import { exportPatient } from './export.js';
import { createInvitation } from './invitations.js';
import {
  admitNewDependant,
  admitNewPatient,
  createDependant,
  createPatient,
  deletePatient,
  getMyPatient,
  getPatient,
  listDependants,
  listPatients,
  readOwnPatient,
  replacePatient,
  updatePatient,
} from './service.js';

export default resource((serve) => {
  serve(operations.listPatients, listPatients);
  serve(operations.createPatient, createPatient, {
    admit: (visit, _input, sent) => admitNewPatient(visit, sent),
  });
  serve(operations.getMyPatient, getMyPatient);
  serve(operations.listDependants, listDependants);
  serve(operations.createDependant, createDependant, { admit: admitNewDependant });
  serve(operations.getPatient, getPatient);
  serve(operations.replacePatient, replacePatient, {
    admit: (visit, { params }) => readOwnPatient(visit, params.id),
  });
  serve(operations.updatePatient, updatePatient, {
    admit: (visit, { params }) => readOwnPatient(visit, params.id),
  });
  serve(operations.deletePatient, deletePatient);
  serve(operations.createInvitation, createInvitation);
  serve(operations.erasePatient, erasePatient);
  serve(operations.exportPatient, exportPatient);
});
