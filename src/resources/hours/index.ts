import { operations } from '../../../openapi/generated/operations.js';
import { resource } from '../../lib/resource.js';
import { getDoctorHours, replaceDoctorHours } from './service.js';

export default resource((serve) => {
  serve(operations.getDoctorHours, getDoctorHours);
  serve(operations.replaceDoctorHours, replaceDoctorHours);
});
