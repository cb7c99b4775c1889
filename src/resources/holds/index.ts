import { operations } from '../../../openapi/generated/operations.js';
import { resource } from '../../lib/resource.js';
import { createHold, deleteHold } from './service.js';

export default resource((serve) => {
  serve(operations.createHold, createHold);
  serve(operations.deleteHold, deleteHold);
});
