import { operations } from '../../../openapi/generated/operations.js';
import { resource } from '../../lib/resource.js';
import {
  admitDoctorChange,
  admitNewDoctor,
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
  serve(operations.createDoctor, createDoctor, {
    admit: (visit, _input, sent) => admitNewDoctor(visit, sent),
  });
  serve(operations.getMyDoctor, getMyDoctor);
  serve(operations.getDoctor, getDoctor);
  serve(operations.replaceDoctor, replaceDoctor, { admit: admitDoctorChange });
  serve(operations.updateDoctor, updateDoctor, { admit: admitDoctorChange });
  serve(operations.deleteDoctor, deleteDoctor);
});
