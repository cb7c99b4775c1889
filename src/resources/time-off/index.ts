import { operations } from '../../../openapi/generated/operations.js';
import { resource } from '../../lib/resource.js';
import { createTimeOff, deleteTimeOff, getTimeOff, listTimeOff } from './service.js';

export default resource((serve) => {
  serve(operations.listTimeOff, listTimeOff);
  serve(operations.createTimeOff, createTimeOff);
  serve(operations.getTimeOff, getTimeOff);
  serve(operations.deleteTimeOff, deleteTimeOff);
});
