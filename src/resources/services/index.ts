import { operations } from '../../../openapi/generated/operations.js';
import { resource } from '../../lib/resource.js';
import { createService, deleteService, getService, listServices, updateService } from './service.js';

export default resource((serve) => {
  serve(operations.listServices, listServices);
  serve(operations.createService, createService);
  serve(operations.getService, getService);
  serve(operations.replaceService, updateService);
  serve(operations.updateService, updateService);
  serve(operations.deleteService, deleteService);
});
