import { operations } from '../../../openapi/generated/operations.js';
import { resource } from '../../lib/resource.js';
import {
  createDesignation,
  deleteDesignation,
  getDesignation,
  listDesignations,
  updateDesignation,
} from './service.js';

export default resource((serve) => {
  serve(operations.listDesignations, listDesignations);
  serve(operations.createDesignation, createDesignation);
  serve(operations.getDesignation, getDesignation);
  serve(operations.replaceDesignation, updateDesignation);
  serve(operations.updateDesignation, updateDesignation);
  serve(operations.deleteDesignation, deleteDesignation);
});
