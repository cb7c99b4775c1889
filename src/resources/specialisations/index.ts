import { operations } from '../../../openapi/generated/operations.js';
import { resource } from '../../lib/resource.js';
import {
  createSpecialisation,
  deleteSpecialisation,
  getSpecialisation,
  listSpecialisations,
  updateSpecialisation,
} from './service.js';

export default resource((serve) => {
  serve(operations.listSpecialisations, listSpecialisations);
  serve(operations.createSpecialisation, createSpecialisation);
  serve(operations.getSpecialisation, getSpecialisation);
  serve(operations.replaceSpecialisation, updateSpecialisation);
  serve(operations.updateSpecialisation, updateSpecialisation);
  serve(operations.deleteSpecialisation, deleteSpecialisation);
});
