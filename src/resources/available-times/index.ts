import { operations } from '../../../openapi/generated/operations.js';
import { resource } from '../../lib/resource.js';
import {
  createAvailableTime,
  deleteAvailableTime,
  getAvailableTime,
  listAvailableTimes,
  updateAvailableTime,
} from './service.js';

export default resource((serve) => {
  serve(operations.listAvailableTimes, listAvailableTimes);
  serve(operations.createAvailableTime, createAvailableTime);
  serve(operations.getAvailableTime, getAvailableTime);
  serve(operations.replaceAvailableTime, updateAvailableTime);
  serve(operations.updateAvailableTime, updateAvailableTime);
  serve(operations.deleteAvailableTime, deleteAvailableTime);
});
