import { operations } from '../../../openapi/generated/operations.js';
import { resource } from '../../lib/resource.js';
import {
  createServiceKey,
  deleteServiceKey,
  getServiceKey,
  listServiceKeys,
  rotateServiceKey,
  updateServiceKey,
} from './service.js';

export default resource((serve) => {
  serve(operations.listServiceKeys, listServiceKeys);
  serve(operations.createServiceKey, createServiceKey);
  serve(operations.getServiceKey, getServiceKey);
  serve(operations.updateServiceKey, updateServiceKey);
  serve(operations.deleteServiceKey, deleteServiceKey);
  serve(operations.rotateServiceKey, rotateServiceKey);
});
