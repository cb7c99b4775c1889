import { operations } from '../../../openapi/generated/operations.js';
import { resource } from '../../lib/resource.js';
import { createAppointmentSeries, getAppointmentSeries, updateAppointmentSeries } from './series.js';
import {
  createAppointment,
  deleteAppointment,
  getAppointment,
  listAppointmentChanges,
  listAppointmentHistory,
  listAppointments,
  replaceAppointment,
  updateAppointment,
} from './service.js';

export default resource((serve) => {
  serve(operations.listAppointments, listAppointments);
  serve(operations.createAppointment, createAppointment);
  serve(operations.getAppointment, getAppointment);
  serve(operations.replaceAppointment, replaceAppointment);
  serve(operations.updateAppointment, updateAppointment);
  serve(operations.deleteAppointment, deleteAppointment);
  serve(operations.listAppointmentHistory, listAppointmentHistory);
  serve(operations.listAppointmentChanges, listAppointmentChanges);
  serve(operations.createAppointmentSeries, createAppointmentSeries);
  serve(operations.getAppointmentSeries, getAppointmentSeries);
  serve(operations.updateAppointmentSeries, updateAppointmentSeries);
});
