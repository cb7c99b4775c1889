import { operations } from '../../../openapi/generated/operations.js';
import { resource } from '../../lib/resource.js';
import { listDoctorAvailability, searchAvailability } from './service.js';

export default resource((serve) => {
  serve(operations.listDoctorAvailability, listDoctorAvailability);
  serve(operations.searchAvailability, searchAvailability);
});
