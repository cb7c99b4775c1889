import { operations } from '../../../openapi/generated/operations.js';
import { resource } from '../../lib/resource.js';
import {
  createDoctor,
  deleteDoctor,
  getDoctor,
  getMyDoctor,
  listDoctors,
  replaceDoctor,
  updateDoctor,
} from './service.js';

export default resource((serve) => {
  serve(operations.listDoctors, listDoctors);
  serve(operations.createDoctor, createDoctor);
  serve(operations.getMyDoctor, getMyDoctor);
  serve(operations.getDoctor, getDoctor);
  serve(operations.replaceDoctor, replaceDoctor);
  serve(operations.updateDoctor, updateDoctor);
  serve(operations.deleteDoctor, deleteDoctor);
});
